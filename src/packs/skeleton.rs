//! A skeleton of a country pack, which compiles as it is.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::NAMES;

/// The files, with the texts `NAME` and `TITLE` in the place of the pack's.
const FILES: [(&str, &str); 17] = [
    ("pack.toml", include_str!("skeleton/pack.toml")),
    ("README.md", include_str!("skeleton/README.md")),
    ("harmonised.toml", include_str!("skeleton/harmonised.toml")),
    ("plausibility.toml", include_str!("skeleton/plausibility.toml")),
    ("figures/population.csv", include_str!("skeleton/figures/population.csv")),
    ("figures/education.csv", include_str!("skeleton/figures/education.csv")),
    ("figures/first_names.csv", include_str!("skeleton/figures/first_names.csv")),
    ("levels/first_name.csv", include_str!("skeleton/levels/first_name.csv")),
    ("prompts/system.j2", include_str!("skeleton/prompts/system.j2")),
    ("prompts/person.j2", include_str!("skeleton/prompts/person.j2")),
    ("prompts/kinds.toml", include_str!("../../datasets/usa/prompts/kinds.toml")),
    ("prompts/attributes.j2", include_str!("../../datasets/usa/prompts/attributes.j2")),
    ("prompts/personas.j2", include_str!("../../datasets/usa/prompts/personas.j2")),
    ("prompts/template.j2", include_str!("../../datasets/usa/prompts/template.j2")),
    ("prompts/judge.j2", include_str!("../../datasets/usa/prompts/judge.j2")),
    ("prompts/judge_system.j2", include_str!("../../datasets/usa/prompts/judge_system.j2")),
    (".gitignore", "# What `populace countries compile` writes beside the pack before it renames it.\n*.pack.new\n"),
];

/// Writes a skeleton into the folder `name` of a folder, and returns its path and the names of its files.
///
/// # Errors
/// If the name is none for a country, the folder is there already and not empty, or it cannot be written.
pub fn write(name: &str, dir: &Path) -> Result<(PathBuf, Vec<&'static str>), String> {
    let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(sound) || name.len() > 60 {
        return Err(format!(
            "{name:?} is no name for a country: use small letters, digits and _, and begin with a letter"
        ));
    }
    if NAMES.contains(&name) {
        return Err(format!("{name} is a country that the program has already: choose another name"));
    }
    let folder = dir.join(name);
    if fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(format!("{} is there already, with files in it", folder.display()));
    }
    let title = title(name);
    let make = || {
        for (file, text) in FILES {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap_or(&folder))?;
            fs::write(path, filled(text, name, &title))?;
        }
        Ok::<_, io::Error>(())
    };
    make().map_err(|e| format!("cannot write {}: {e}", folder.display()))?;
    Ok((folder, FILES.iter().map(|(file, _)| *file).collect()))
}

fn filled(text: &str, name: &str, title: &str) -> String {
    text.replace("TITLE", title).replace("NAME", name).replace("the United States", title)
}

/// `new_zealand` as `New Zealand`.
fn title(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    name.split('_').filter(|w| !w.is_empty()).map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_skeleton_compiles_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (path, files) = write("new_zealand", folder.path()).unwrap();
        assert!(files.contains(&"pack.toml"));
        let compiled = populace_population::check(&path).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((compiled.pack.name(), compiled.pack.title()), ("new_zealand", "New Zealand"));
        assert_eq!(crate::packs::check::check(&path).faults, Vec::<String>::new());
        for file in files {
            let text = fs::read_to_string(path.join(file)).unwrap();
            assert!(!text.contains("TITLE") && !text.contains("NAME") && !text.contains("United States"), "{file}");
        }
        assert!(write("new_zealand", folder.path()).unwrap_err().contains("is there already"));
    }

    #[test]
    fn names_become_folders_and_columns() {
        for name in ["", "New Zealand", "../x", "7up", "é", "usa"] {
            assert!(write(name, Path::new("/nowhere")).is_err(), "{name}");
        }
        assert!(write("atlantis", Path::new("/proc/nowhere")).unwrap_err().contains("cannot write"));
    }
}

//! The codes that the levels of the built-in packs have in `personas_harmonised`.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use populace_population::{Error, HARMONISED, Harmonised, Result};

/// One pack: its name, its country in ISO 3166-1 alpha-2, its files, and what they say once somebody has asked.
struct BuiltIn {
    name: &'static str,
    country: &'static str,
    files: &'static [(&'static str, &'static str)],
    read: OnceLock<Arc<Harmonised>>,
}

macro_rules! built_in {
    ($($name:literal $country:literal: $($file:literal),*;)*) => {
        [$(BuiltIn {
            name: $name,
            country: $country,
            files: &[$(($file, include_str!(concat!("../../datasets/", $name, "/", $file)))),*],
            read: OnceLock::new(),
        }),*]
    };
}

static BUILT_IN: [BuiltIn; 5] = built_in! {
    "brazil" "BR": "harmonised.toml", "occupation_isco.csv";
    "india" "IN": "harmonised.toml", "occupation_isco.csv";
    "japan" "JP": "harmonised.toml", "occupation_isco.csv";
    "singapore" "SG": "harmonised.toml", "occupation_isco.csv";
    "usa" "US": "harmonised.toml", "occupation_isco.csv";
};

impl BuiltIn {
    fn get(&self) -> Result<Arc<Harmonised>> {
        if let Some(read) = self.read.get() {
            return Ok(read.clone());
        }
        let file = |name: &str| {
            let found = self.files.iter().find(|(file, _)| *file == name);
            let missing = || Error::Io { path: name.into(), source: std::io::ErrorKind::NotFound.into() };
            found.map(|(_, text)| text.to_string()).ok_or_else(missing)
        };
        let read = Arc::new(Harmonised::parse(&file(HARMONISED)?, &file)?);
        Ok(self.read.get_or_init(|| read).clone())
    }
}

/// The codes of a built-in pack by its name; `None` if there is no such pack, or it has none.
pub fn of_name(name: &str) -> Option<Result<Arc<Harmonised>>> {
    BUILT_IN.iter().find(|b| b.name == name).map(BuiltIn::get)
}

/// The codes of the built-in pack of a country, in ISO 3166-1 alpha-2.
pub fn of_country(alpha2: &str) -> Option<Result<Arc<Harmonised>>> {
    BUILT_IN.iter().find(|b| b.country == alpha2).map(BuiltIn::get)
}

/// The codes beside a pack that is named by its path; `None` where there are none.
pub fn of_path(pack: &str) -> Option<Result<Arc<Harmonised>>> {
    let path = Path::new(pack);
    let folder = if path.is_dir() { path } else { path.parent()? };
    let file = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).map_err(|source| Error::Io { path, source })
    };
    let text = file(HARMONISED).ok()?;
    Some(Harmonised::parse(&text, &file).map(Arc::new))
}

#[cfg(test)]
mod tests {
    use super::*;
    use populace_population::Code;

    /// Every level of every built-in pack has a code, and every code is one.
    #[test]
    fn built_in_packs_are_coded() {
        for built_in in &BUILT_IN {
            let read = built_in.get().unwrap_or_else(|e| panic!("{}: {e}", built_in.name));
            assert_eq!(read.country, built_in.country);
            let pack = crate::packs::open(built_in.name).unwrap().unwrap();
            for code in Code::ALL {
                let Some(mapping) = read.mapping(code) else { continue };
                let variable = pack.variables().iter().find(|v| v.name == mapping.column && !v.hidden).unwrap();
                for level in mapping.codes.keys() {
                    assert!(variable.level(level).is_some(), "{}: {level}", mapping.column);
                }
                if code == Code::Occupation {
                    continue;
                }
                for level in (0..variable.len()).filter(|l| variable.null_level != Some(*l as u16)) {
                    let label = variable.label(level);
                    assert!(mapping.codes.contains_key(&label), "{}: {label}", mapping.column);
                }
            }
        }
    }

    #[test]
    fn what_is_not_there_is_none() {
        assert!(of_name("atlantis").is_none() && of_country("ZZ").is_none());
        assert!(of_path("/nowhere/at/all.pack").is_none());
    }
}

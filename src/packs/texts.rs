//! The texts of packs: what a model is asked, and the grammars by which people are written up without one.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::SystemTime;

use populace_outline::{Kinds, Outline, columns_of, read_folder};
use populace_population::there_are;
use populace_udfs::{NARRATIVES, same_language};
use serde::Deserialize;

use super::{Country, NAMES, built_in};

/// The texts of a pack of the user's own: its language, and the folder with `prompts/` and `outline/`.
struct Own {
    language: String,
    folder: PathBuf,
    stamp: Stamp,
    outlines: Mutex<HashMap<String, Arc<Outline>>>,
}

/// By id, and by name for who knows no more: the one that was opened last.
static OWN: LazyLock<Mutex<HashMap<String, Arc<Own>>>> = LazyLock::new(Mutex::default);

/// How many files there are in some folders, how long they are together, and when the last of them was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Stamp {
    files: usize,
    bytes: u64,
    written: Option<SystemTime>,
}

impl Stamp {
    /// Of `prompts/` and `outline/`, and of the folders in them.
    fn of(folder: &Path) -> Stamp {
        fn add(stamp: &mut Stamp, folder: &Path, depth: usize) {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let Ok(found) = std::fs::metadata(entry.path()) else { continue };
                if found.is_dir() && depth > 0 {
                    add(stamp, &entry.path(), depth - 1);
                } else if found.is_file() {
                    stamp.files += 1;
                    stamp.bytes += found.len();
                    stamp.written = stamp.written.max(found.modified().ok());
                }
            }
        }
        let mut stamp = Stamp::default();
        ["prompts", "outline"].iter().for_each(|top| add(&mut stamp, &folder.join(top), 1));
        stamp
    }
}

/// Takes the prompts and outlines of a pack that the binary does not carry from `prompts/` and `outline/` in a folder;
/// anew where they have changed since. `id` and `language` are the pack's own. Nothing is read before somebody asks for
/// it.
pub fn texts_from(id: &str, language: &str, folder: &Path) {
    let stamp = Stamp::of(folder);
    let mut owns = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    let same = |own: &&Arc<Own>| own.folder == folder && own.stamp == stamp && own.language == language;
    let own = match owns.get(id).filter(same) {
        Some(own) => own.clone(),
        None => Arc::new(Own { language: language.into(), folder: folder.into(), stamp, outlines: Mutex::default() }),
    };
    owns.insert(name_of(id).into(), own.clone());
    owns.insert(id.into(), own);
}

/// `usa` of `usa@74ce7632`.
fn name_of(pack: &str) -> &str {
    pack.split('@').next().unwrap_or(pack)
}

/// Whose texts they are.
enum Whose {
    Carried(&'static Country),
    Own(Arc<Own>),
}

/// Whose texts a pack has, by its name or its id. One that is called like a country of the binary has that country's,
/// unless it is named by its id and has texts of its own.
fn whose(pack: &str) -> Option<Whose> {
    let own = |key: &str| OWN.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
    match built_in(name_of(pack)) {
        Some(country) => {
            let of_id = pack.contains('@').then(|| own(pack)).flatten();
            Some(of_id.filter(|own| own.stamp.files > 0).map_or(Whose::Carried(country), Whose::Own))
        }
        None => own(pack).or_else(|| own(name_of(pack))).map(Whose::Own),
    }
}

/// Whether the pack of an id has texts of its own.
pub(super) fn are_own(id: &str) -> bool {
    id.contains('@')
        && OWN.lock().unwrap_or_else(PoisonError::into_inner).contains_key(id)
        && matches!(whose(id), Some(Whose::Own(_)))
}

/// Files by name and text.
type Files = Vec<(Cow<'static, str>, Cow<'static, str>)>;

/// The files of `prompts`, `outline/hi` and the like of a pack; `None` if it has no such folder.
fn files(pack: &str, folder: &str) -> Result<Option<Files>, Vec<String>> {
    let own = match whose(pack) {
        None => return Ok(None),
        Some(Whose::Own(own)) => own,
        Some(Whose::Carried(country)) => {
            let (top, below) = folder.split_once('/').unwrap_or((folder, ""));
            let top = if top == "prompts" { &country.prompts } else { &country.outline };
            let Some(found) = (if below.is_empty() { Some(top) } else { top.get_dir(below) }) else { return Ok(None) };
            let text = |file: &'static include_dir::File<'static>| {
                Some((file.path().file_name()?.to_str()?.into(), file.contents_utf8()?.into()))
            };
            return Ok(Some(found.files().filter_map(text).collect()));
        }
    };
    match own.folder.join(folder) {
        folder if folder.is_dir() => {
            let files = read_folder(&folder)?.into_iter();
            Ok(Some(files.map(|(name, text)| (name.into(), text.into())).collect()))
        }
        _ => Ok(None),
    }
}

/// The folders in `prompts` or `outline`, which are named by languages.
fn folders(pack: &str, folder: &str) -> Vec<String> {
    let mut found: Vec<String> = match whose(pack) {
        Some(Whose::Carried(country)) => {
            let top = if folder == "prompts" { &country.prompts } else { &country.outline };
            top.dirs().filter_map(|dir| Some(dir.path().file_name()?.to_str()?.to_string())).collect()
        }
        Some(Whose::Own(own)) => {
            let entries = std::fs::read_dir(own.folder.join(folder)).into_iter().flatten().flatten();
            entries.filter(|e| e.path().is_dir()).filter_map(|e| e.file_name().into_string().ok()).collect()
        }
        None => vec![],
    };
    found.sort();
    found
}

/// What a pack's columns are in.
fn own_language(pack: &str) -> Option<String> {
    Some(match whose(pack)? {
        Whose::Carried(country) => country.language.into(),
        Whose::Own(own) => own.language.clone(),
    })
}

/// The languages that people of a pack can be written up in without a model: its own first, then those of the other
/// folders in `outline/`.
pub fn outline_languages(name: &str) -> Vec<String> {
    let (mut found, own) = (folders(name, "outline"), own_language(name));
    found.sort_by_key(|language| !own.as_ref().is_some_and(|own| same_language(own, language)));
    found
}

/// The languages that a model is asked to write about people of a pack in: its own first, then those of the folders in
/// `prompts/`.
pub fn prompt_languages(name: &str) -> Vec<String> {
    let own = own_language(name);
    let others =
        folders(name, "prompts").into_iter().filter(|l| !own.as_ref().is_some_and(|own| same_language(own, l)));
    own.iter().cloned().chain(others).collect()
}

/// The languages that people of a pack can be written up in, by whatever means: its own first; none of a pack that is
/// not known.
pub fn languages(name: &str) -> Vec<String> {
    let mut found = prompt_languages(name);
    for language in outline_languages(name) {
        if !found.iter().any(|there| same_language(there, &language)) {
            found.push(language);
        }
    }
    found
}

/// The one of some languages that is meant: the pack's own where none is named.
fn language(name: &str, asked: Option<&str>, there: &[String]) -> Result<String, String> {
    let asked = asked.map(String::from).or_else(|| own_language(name)).unwrap_or_default();
    there.iter().find(|l| same_language(l, &asked)).cloned().ok_or_else(|| {
        format!("the people of {} are not written up in `{asked}`{}", name_of(name), there_are(&asked, there))
    })
}

/// The outlines that were read, by country and language.
type Outlines = HashMap<(String, String), Arc<Outline>>;

/// The outline of a country in a language, or in its own; read once, and only when asked for.
///
/// # Errors
/// If the country has none, or none in this language; or everything that is wrong with its files.
pub fn outline(pack: &str, asked: Option<&str>) -> Result<Arc<Outline>, String> {
    static CARRIED: LazyLock<Mutex<Outlines>> = LazyLock::new(Mutex::default);
    let there = outline_languages(pack);
    let name = name_of(pack);
    if there.is_empty() {
        return Err(format!(
            "the pack {name} has no outline, so that its people are not written up without a model: name one with \
             --narrator openai:MODEL, or write a grammar into the folder outline/LANGUAGE beside its pack.toml"
        ));
    }
    let language = language(pack, asked, &there)?;
    let parse = |place: &str| {
        let kinds = own_kinds(pack);
        files(pack, &format!("outline/{language}"))
            .and_then(|files| {
                let files = files.unwrap_or_default();
                let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (&**name, &**text)).collect();
                Outline::parse(place, &files, kinds_to_write(&kinds)).map(Arc::new)
            })
            .map_err(|faults| faults.join("\n"))
    };
    match whose(pack) {
        Some(Whose::Own(own)) => {
            if let Some(read) = own.outlines.lock().unwrap_or_else(PoisonError::into_inner).get(&language) {
                return Ok(read.clone());
            }
            let read = parse(&own.folder.join("outline").join(&language).display().to_string())?;
            let mut outlines = own.outlines.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(outlines.entry(language).or_insert(read).clone())
        }
        _ => {
            let key = (name.to_string(), language.clone());
            if let Some(read) = CARRIED.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
                return Ok(read.clone());
            }
            let read = parse(&format!("datasets/{name}/outline/{language}"))?;
            Ok(CARRIED.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_insert(read).clone())
        }
    }
}

/// The columns that the outlines of a country are written from, in all its languages; the grammars are not read.
pub(crate) fn outline_columns(pack: &str) -> Vec<String> {
    let of = |language: String| {
        let files = files(pack, &format!("outline/{language}")).ok().flatten()?;
        let (_, text) = files.into_iter().find(|(file, _)| file == "outline.toml")?;
        Some(columns_of(&text))
    };
    outline_languages(pack).into_iter().filter_map(of).flatten().collect()
}

/// A text that stays, as those of the binary do: templates refer to theirs. Each is kept once.
fn kept(text: Cow<'static, str>) -> &'static str {
    static KEPT: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);
    let text = match text {
        Cow::Borrowed(text) => return text,
        Cow::Owned(text) => text,
    };
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(there) = kept.get(text.as_str()) {
        return there;
    }
    let text: &'static str = Box::leak(text.into_boxed_str());
    kept.insert(text);
    text
}

/// Templates, and the list of kinds, by name and text; they stay, as those of the binary do.
pub type Templates = Vec<(&'static str, &'static str)>;

/// The prompts of a country in a language, or in its own: the names and texts of its templates. What a language other
/// than the pack's own leaves out is that of the pack's own. `None` if there is no such country, or it has no prompts.
///
/// # Errors
/// If it has none in this language, or its files cannot be read.
pub fn prompts(pack: &str, asked: Option<&str>) -> Result<Option<Templates>, String> {
    let read = |folder: &str| files(pack, folder).map_err(|faults| faults.join("\n"));
    let Some(mut found) = read("prompts")?.filter(|files| !files.is_empty()) else { return Ok(None) };
    let language = language(pack, asked, &prompt_languages(pack))?;
    if Some(&language) != own_language(pack).as_ref() {
        let others = read(&format!("prompts/{language}"))?.unwrap_or_default();
        found.retain(|(file, _)| !others.iter().any(|(other, _)| other == file));
        found.extend(others);
    }
    Ok(Some(found.into_iter().map(|(name, text)| (kept(name), kept(text))).collect()))
}

/// The kinds of text that a pack's `prompts/kinds.toml` lists.
fn own_kinds(name: &str) -> Vec<String> {
    let files = files(name, "prompts").ok().flatten().unwrap_or_default();
    files.iter().find(|(file, _)| file == "kinds.toml").map(|(_, text)| kinds_in(text)).unwrap_or_default()
}

/// The texts that an outline is to write for a pack that lists these; such of the ten as it has where none is listed.
pub(crate) fn kinds_to_write(listed: &[String]) -> Kinds<'_> {
    if listed.is_empty() { Kinds::Any(&NARRATIVES) } else { Kinds::All(listed) }
}

/// The kinds of text in such a list; none where it is at fault, which is said where prompts are made of it.
pub(super) fn kinds_in(text: &str) -> Vec<String> {
    #[derive(Deserialize)]
    struct Kind {
        name: String,
    }
    #[derive(Deserialize)]
    struct Kinds {
        #[serde(default)]
        kind: Vec<Kind>,
    }
    let kinds = toml::from_str::<Kinds>(text).map(|kinds| kinds.kind).unwrap_or_default();
    kinds.into_iter().map(|k| k.name).collect()
}

/// The kinds of text that people of a pack are written up with, in the order of their table: those of its
/// `prompts/kinds.toml`, or else the ten.
pub fn kinds(name: &str) -> Vec<String> {
    match own_kinds(name) {
        kinds if kinds.is_empty() => NARRATIVES.map(String::from).to_vec(),
        kinds => kinds,
    }
}

/// The kinds of text of all countries: the ten first.
pub fn all_kinds() -> &'static [String] {
    static KINDS: LazyLock<Vec<String>> = LazyLock::new(|| {
        let mut all = NARRATIVES.map(String::from).to_vec();
        for kind in NAMES.iter().flat_map(|name| kinds(name)) {
            if !all.contains(&kind) {
                all.push(kind);
            }
        }
        all
    });
    &KINDS
}

/// Whether a column of this name is one of the texts of some country.
pub fn is_narrative(name: &str) -> bool {
    all_kinds().iter().any(|kind| kind == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packs::country_of;
    use serde_json::json;

    fn written(folder: &Path, path: &str, text: &str) {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// What a person of a pack, as the column `pack` has it, is written up as.
    fn text_of(pack: &str) -> String {
        let facts = json!({ "pack": pack, "name": "Ama" });
        let facts = facts.as_object().unwrap();
        outline(&country_of(facts).unwrap(), None).unwrap().write("persona", facts).unwrap()
    }

    const MANIFEST: &str = "language = \"en\"\nfull = \"{name}\"\nshort = \"{name}\"\n";

    #[test]
    fn what_there_is_not_is_told() {
        let error = outline("usa", Some("fr")).unwrap_err();
        assert!(error.contains("`fr`") && error.contains("en"), "{error}");
        assert!(outline("mars", None).unwrap_err().contains("openai:MODEL"));
        assert!(prompts("usa", Some("fr")).unwrap_err().contains("`fr`"));
        assert_eq!(prompts("mars", None).unwrap(), None);
    }

    #[test]
    fn a_pack_of_ones_own_has_texts_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| written(folder.path(), path, text);
        texts_from("atlantis@1", "en-AT", folder.path());
        assert!(outline("atlantis", None).unwrap_err().contains("the pack atlantis has no outline"));
        write("prompts/kinds.toml", "[[kind]]\nname = \"persona\"\n[[kind]]\nname = \"sea_persona\"\n");
        write("prompts/system.j2", "Write.");
        write("prompts/fr/system.j2", "Écrivez.");
        write("outline/en/outline.toml", MANIFEST);
        write("outline/en/all.txt", "@persona\n{N} swims.\n@sea_persona\n{N} swims far.\n");
        assert_eq!(text_of("atlantis@1"), "Ama swims.");
        assert_eq!(languages("atlantis"), ["en-AT", "fr"]);
        assert_eq!(outline_languages("atlantis"), ["en"]);
        let system = |l| prompts("atlantis", l).unwrap().unwrap().iter().find(|(n, _)| *n == "system.j2").unwrap().1;
        assert_eq!((system(None), system(Some("FR"))), ("Write.", "Écrivez."));
        // Read again, a text is not kept again.
        assert!(std::ptr::eq(system(None), system(None)));
        assert_eq!(prompts("atlantis", Some("fr")).unwrap().unwrap().len(), 2);
        assert_eq!(kinds("atlantis"), ["persona", "sea_persona"]);
    }

    #[test]
    fn two_packs_of_one_name_keep_their_texts_and_changed_ones_are_read_again() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let ids = ["lemuria@1", "lemuria@2"];
        for ((folder, id), does) in folders.iter().zip(ids).zip(["swims", "dives"]) {
            written(folder.path(), "outline/en/outline.toml", MANIFEST);
            written(folder.path(), "outline/en/all.txt", &format!("@persona\n{{N}} {does}.\n"));
            texts_from(id, "en", folder.path());
        }
        assert_eq!(ids.map(text_of), ["Ama swims.", "Ama dives."]);
        written(folders[0].path(), "outline/en/all.txt", "@persona\n{N} goes sailing.\n");
        texts_from(ids[0], "en", folders[0].path());
        assert_eq!(ids.map(text_of), ["Ama goes sailing.", "Ama dives."]);
    }

    #[test]
    fn a_pack_that_is_called_like_a_country_has_that_countrys_texts_unless_it_has_some() {
        let folder = tempfile::tempdir().unwrap();
        texts_from("usa@own", "en", folder.path());
        assert_eq!(country_of(json!({ "pack": "usa@own" }).as_object().unwrap()).unwrap(), "usa");
        assert!(outline("usa@own", None).unwrap().kinds().len() == 10);
        written(folder.path(), "outline/en/outline.toml", MANIFEST);
        written(folder.path(), "outline/en/all.txt", "@persona\n{N} swims.\n");
        texts_from("usa@own", "en", folder.path());
        assert_eq!(text_of("usa@own"), "Ama swims.");
        assert!(outline("usa", None).unwrap().kinds().len() == 10);
    }
}

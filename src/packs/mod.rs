//! The country packs that the binary carries, with the prompts and outlines of each; and the texts of packs of one's own.

pub mod check;
pub mod harmonised;
pub mod path;
pub mod skeleton;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use include_dir::{Dir, include_dir};
use populace_outline::{Kinds, Outline, columns_of, read_folder};
use populace_population::{Pack, Result, there_are};
use populace_udfs::{NARRATIVES, pack_name, same_language};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A country as the binary has it.
struct Country {
    name: &'static str,
    /// ISO 3166-1, of three letters and of two
    codes: [&'static str; 2],
    /// What its columns are in, and its texts where nothing else is asked for; BCP 47
    language: &'static str,
    bytes: &'static [u8],
    pack: OnceLock<Arc<Pack>>,
    /// `*.j2` and `kinds.toml`, and the same for other languages in folders named by them
    prompts: Dir<'static>,
    /// A folder for each language
    outline: Dir<'static>,
}

/// A country of `datasets/`: its name, codes and language, and its files.
macro_rules! country {
    ($name:literal, $codes:expr, $language:literal, $pack:literal, $prompts:tt, $outline:tt) => {
        Country {
            name: $name,
            codes: $codes,
            language: $language,
            bytes: include_bytes!($pack),
            pack: OnceLock::new(),
            prompts: include_dir!($prompts),
            outline: include_dir!($outline),
        }
    };
}

/// The names of the countries.
pub const NAMES: [&str; 5] = ["brazil", "india", "japan", "singapore", "usa"];

static COUNTRIES: [Country; NAMES.len()] = [
    country!(
        "brazil",
        ["BRA", "BR"],
        "pt",
        "../datasets/brazil/brazil.pack",
        "$CARGO_MANIFEST_DIR/datasets/brazil/prompts",
        "$CARGO_MANIFEST_DIR/datasets/brazil/outline"
    ),
    country!(
        "india",
        ["IND", "IN"],
        "en",
        "../datasets/india/india.pack",
        "$CARGO_MANIFEST_DIR/datasets/india/prompts",
        "$CARGO_MANIFEST_DIR/datasets/india/outline"
    ),
    country!(
        "japan",
        ["JPN", "JP"],
        "ja",
        "../datasets/japan/japan.pack",
        "$CARGO_MANIFEST_DIR/datasets/japan/prompts",
        "$CARGO_MANIFEST_DIR/datasets/japan/outline"
    ),
    country!(
        "singapore",
        ["SGP", "SG"],
        "en",
        "../datasets/singapore/singapore.pack",
        "$CARGO_MANIFEST_DIR/datasets/singapore/prompts",
        "$CARGO_MANIFEST_DIR/datasets/singapore/outline"
    ),
    country!(
        "usa",
        ["USA", "US"],
        "en",
        "../datasets/usa/usa.pack",
        "$CARGO_MANIFEST_DIR/datasets/usa/prompts",
        "$CARGO_MANIFEST_DIR/datasets/usa/outline"
    ),
];

/// A country as whoever runs the program names it: by its name, or by the path of a pack of one's own. `None` if there
/// is no such country.
pub fn named(country: &str) -> Option<Result<Arc<Pack>>> {
    if path::is_path(country) { Some(path::open(country)) } else { open(country) }
}

/// What is said of a country that there is not.
pub fn unknown(country: &str) -> String {
    let (folder, file) = (format!("./{country}"), format!("./{country}.pack"));
    let own = if Path::new(&folder).join("pack.toml").is_file() { &folder } else { &file };
    match Path::new(own).exists() {
        true => format!("unknown country `{country}`; for the pack here, write its path: {own}"),
        false => format!("unknown country `{country}`{}", there_are(country, &NAMES)),
    }
}

fn built_in(name: &str) -> Option<&'static Country> {
    COUNTRIES.iter().find(|c| c.name == name)
}

/// The pack of a country by name, read once and only when asked for; `None` if there is no such country.
pub fn open(name: &str) -> Option<Result<Arc<Pack>>> {
    let country = built_in(name)?;
    if let Some(pack) = country.pack.get() {
        return Some(Ok(pack.clone()));
    }
    Some(Pack::from_bytes(country.bytes).map(|pack| country.pack.get_or_init(|| pack).clone()))
}

/// The texts of a pack of the user's own: its language, and the folder with `prompts/` and `outline/`.
struct Own {
    language: String,
    folder: PathBuf,
}

static OWN: LazyLock<Mutex<HashMap<String, Arc<Own>>>> = LazyLock::new(Mutex::default);

/// Takes the prompts and outlines of a pack that the binary does not carry from `prompts/` and `outline/` in a folder.
/// `language` is the pack's own. Nothing is read before somebody asks for it.
pub fn texts_from(name: &str, language: &str, folder: &Path) {
    let own = Own { language: language.into(), folder: folder.into() };
    OWN.lock().unwrap_or_else(PoisonError::into_inner).insert(name.into(), Arc::new(own));
}

fn own(name: &str) -> Option<Arc<Own>> {
    OWN.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
}

/// Files by name and text; they stay, as those of the binary do.
type Files = Vec<(&'static str, &'static str)>;

/// The files of `prompts`, `outline/hi` and the like of a pack; `None` if it has no such folder.
fn files(name: &str, folder: &str) -> std::result::Result<Option<Files>, Vec<String>> {
    if let Some(country) = built_in(name) {
        let (top, below) = folder.split_once('/').unwrap_or((folder, ""));
        let top = if top == "prompts" { &country.prompts } else { &country.outline };
        let Some(found) = (if below.is_empty() { Some(top) } else { top.get_dir(below) }) else { return Ok(None) };
        let text = |file: &'static include_dir::File<'static>| {
            Some((file.path().file_name()?.to_str()?, file.contents_utf8()?))
        };
        return Ok(Some(found.files().filter_map(text).collect()));
    }
    let Some(folder) = own(name).map(|own| own.folder.join(folder)).filter(|folder| folder.is_dir()) else {
        return Ok(None);
    };
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    Ok(Some(read_folder(&folder)?.into_iter().map(|(name, text)| (leak(name), leak(text))).collect()))
}

/// The folders in `prompts` or `outline`, which are named by languages.
fn folders(name: &str, folder: &str) -> Vec<String> {
    let mut found: Vec<String> = match (built_in(name), own(name)) {
        (Some(country), _) => {
            let top = if folder == "prompts" { &country.prompts } else { &country.outline };
            top.dirs().filter_map(|dir| Some(dir.path().file_name()?.to_str()?.to_string())).collect()
        }
        (None, Some(own)) => {
            let entries = std::fs::read_dir(own.folder.join(folder)).into_iter().flatten().flatten();
            entries.filter(|e| e.path().is_dir()).filter_map(|e| e.file_name().into_string().ok()).collect()
        }
        (None, None) => vec![],
    };
    found.sort();
    found
}

/// What a pack's columns are in.
fn own_language(name: &str) -> Option<String> {
    built_in(name).map(|c| c.language.to_string()).or_else(|| own(name).map(|own| own.language.clone()))
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
fn language(name: &str, asked: Option<&str>, there: &[String]) -> std::result::Result<String, String> {
    let asked = asked.map(String::from).or_else(|| own_language(name)).unwrap_or_default();
    there
        .iter()
        .find(|l| same_language(l, &asked))
        .cloned()
        .ok_or_else(|| format!("the people of {name} are not written up in `{asked}`{}", there_are(&asked, there)))
}

/// The outlines that were read, by country and language.
type Outlines = HashMap<(String, String), Arc<Outline>>;

/// The outline of a country in a language, or in its own; read once, and only when asked for.
///
/// # Errors
/// If the country has none, or none in this language; or everything that is wrong with its files.
pub fn outline(name: &str, asked: Option<&str>) -> std::result::Result<Arc<Outline>, String> {
    static READ: LazyLock<Mutex<Outlines>> = LazyLock::new(Mutex::default);
    let there = outline_languages(name);
    if there.is_empty() {
        return Err(format!(
            "the pack {name} has no outline, so that its people are not written up without a model: name one with \
             --narrator openai:MODEL, or write a grammar into the folder outline/LANGUAGE beside its pack.toml"
        ));
    }
    let language = language(name, asked, &there)?;
    let key = (name.to_string(), language.clone());
    if let Some(read) = READ.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return Ok(read.clone());
    }
    let place = match own(name).filter(|_| built_in(name).is_none()) {
        Some(own) => own.folder.join("outline").join(&language).display().to_string(),
        None => format!("datasets/{name}/outline/{language}"),
    };
    let kinds = own_kinds(name);
    let read = files(name, &format!("outline/{language}"))
        .and_then(|files| Outline::parse(&place, &files.unwrap_or_default(), kinds_to_write(&kinds)))
        .map_err(|faults| faults.join("\n"))?;
    Ok(READ.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_insert(Arc::new(read)).clone())
}

/// The columns that the outlines of a country are written from, in all its languages; the grammars are not read.
pub(crate) fn outline_columns(name: &str) -> Vec<String> {
    let of = |language: String| {
        let files = files(name, &format!("outline/{language}")).ok().flatten()?;
        let (_, text) = files.into_iter().find(|(file, _)| *file == "outline.toml")?;
        Some(columns_of(text))
    };
    outline_languages(name).into_iter().filter_map(of).flatten().collect()
}

/// The prompts of a country in a language, or in its own: the names and texts of its templates. What a language other
/// than the pack's own leaves out is that of the pack's own. `None` if there is no such country, or it has no prompts.
///
/// # Errors
/// If it has none in this language, or its files cannot be read.
pub fn prompts(name: &str, asked: Option<&str>) -> std::result::Result<Option<Files>, String> {
    let read = |folder: &str| files(name, folder).map_err(|faults| faults.join("\n"));
    let Some(mut found) = read("prompts")?.filter(|files| !files.is_empty()) else { return Ok(None) };
    let language = language(name, asked, &prompt_languages(name))?;
    if Some(&language) != own_language(name).as_ref() {
        let others = read(&format!("prompts/{language}"))?.unwrap_or_default();
        found.retain(|(file, _)| !others.iter().any(|(other, _)| other == file));
        found.extend(others);
    }
    Ok(Some(found))
}

/// The kinds of text that a pack's `prompts/kinds.toml` lists.
fn own_kinds(name: &str) -> Vec<String> {
    let files = files(name, "prompts").ok().flatten().unwrap_or_default();
    files.iter().find(|(file, _)| *file == "kinds.toml").map(|(_, text)| kinds_in(text)).unwrap_or_default()
}

/// The texts that an outline is to write for a pack that lists these; such of the ten as it has where none is listed.
pub(crate) fn kinds_to_write(listed: &[String]) -> Kinds<'_> {
    if listed.is_empty() { Kinds::Any(&NARRATIVES) } else { Kinds::All(listed) }
}

/// The kinds of text in such a list; none where it is at fault, which is said where prompts are made of it.
fn kinds_in(text: &str) -> Vec<String> {
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

/// The pack that a person's texts go by: the one that the row was drawn from, or that of its country, by the name or
/// the code of either; `usa` where the row says neither.
///
/// # Errors
/// If no pack is of the row's country.
pub fn country_of(facts: &Map<String, Value>) -> std::result::Result<String, String> {
    if let Some(name) = pack_name(facts) {
        return Ok(name.into());
    }
    let Some(code) = facts.get("country").and_then(Value::as_str).map(str::trim).filter(|c| !c.is_empty()) else {
        return Ok("usa".into());
    };
    let is = |c: &&Country| c.name.eq_ignore_ascii_case(code) || c.codes.iter().any(|c| c.eq_ignore_ascii_case(code));
    let titled = |c: &&Country| open(c.name).is_some_and(|p| p.is_ok_and(|p| p.title().eq_ignore_ascii_case(code)));
    let found = COUNTRIES.iter().find(is).or_else(|| COUNTRIES.iter().find(titled));
    found.map(|c| c.name.to_string()).ok_or_else(|| {
        let codes: Vec<&str> = COUNTRIES.iter().map(|c| c.codes[0]).collect();
        format!(
            "nothing is known of how people of the country `{code}` are written up{}: name a model with --narrator \
             openai:MODEL",
            there_are(code, &codes)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn countries_are_what_their_packs_say() {
        for country in &COUNTRIES {
            let pack = open(country.name).unwrap().unwrap();
            assert_eq!(
                (pack.name(), pack.country(), pack.language()),
                (country.name, country.codes[0], country.language)
            );
            assert_eq!(languages(country.name)[0], country.language);
        }
    }

    #[test]
    fn a_row_says_whose_it_is() {
        let of = |facts: Value| country_of(facts.as_object().unwrap());
        assert_eq!(of(json!({})).unwrap(), "usa");
        assert_eq!(of(json!({ "pack": "brazil@2026.1", "country": "USA" })).unwrap(), "brazil");
        for country in ["USA", "us", "usa", "United States of America"] {
            assert_eq!(of(json!({ "country": country })).unwrap(), "usa");
        }
        assert!(of(json!({ "country": "FRA" })).unwrap_err().contains("--narrator openai:MODEL"));
    }

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
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        texts_from("atlantis", "en-AT", folder.path());
        assert!(outline("atlantis", None).unwrap_err().contains("the pack atlantis has no outline"));
        write("prompts/kinds.toml", "[[kind]]\nname = \"persona\"\n[[kind]]\nname = \"sea_persona\"\n");
        write("prompts/system.j2", "Write.");
        write("prompts/fr/system.j2", "Écrivez.");
        write("outline/en/outline.toml", "language = \"en\"\nfull = \"{name}\"\nshort = \"{name}\"\n");
        write("outline/en/all.txt", "@persona\n{N} swims.\n@sea_persona\n{N} swims far.\n");
        let facts = json!({ "pack": "atlantis@1", "name": "Ama" });
        let text = outline(&country_of(facts.as_object().unwrap()).unwrap(), None).unwrap();
        let text = text.write("sea_persona", facts.as_object().unwrap());
        assert_eq!(text.unwrap(), "Ama swims far.");
        assert_eq!(languages("atlantis"), ["en-AT", "fr"]);
        assert_eq!(outline_languages("atlantis"), ["en"]);
        let system = |l| prompts("atlantis", l).unwrap().unwrap().iter().find(|(n, _)| *n == "system.j2").unwrap().1;
        assert_eq!((system(None), system(Some("FR"))), ("Write.", "Écrivez."));
        assert_eq!(prompts("atlantis", Some("fr")).unwrap().unwrap().len(), 2);
        assert_eq!(kinds("atlantis"), ["persona", "sea_persona"]);
    }
}

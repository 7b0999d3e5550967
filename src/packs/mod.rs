//! The country packs that the binary carries, with the prompts and outlines of each; and packs of one's own.

pub mod check;
pub mod harmonised;
pub mod labels;
pub mod path;
pub mod plausibility;
pub mod skeleton;
mod texts;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, OnceLock};

use include_dir::{Dir, include_dir};
use populace_population::{Harmonised, Pack, Result, there_are};
use populace_udfs::pack_name;
use serde_json::{Map, Value};

pub use self::texts::{
    Templates, all_kinds, is_narrative, kinds, languages, outline, outline_languages, prompt_languages, prompts,
    texts_from,
};
pub(crate) use self::texts::{kinds_to_write, outline_columns};

/// A country as the binary has it.
struct Country {
    name: &'static str,
    /// ISO 3166-1, of three letters and of two
    codes: [&'static str; 2],
    /// What its columns are in, and its texts where nothing else is asked for; BCP 47
    language: &'static str,
    bytes: &'static [u8],
    /// `*.j2` and `kinds.toml`, and the same for other languages in folders named by them
    prompts: Dir<'static>,
    /// A folder for each language
    outline: Dir<'static>,
    /// `harmonised.toml`, and the files that it names
    coded: &'static [(&'static str, &'static str)],
    /// `labels.toml`: levels in plain words
    words: &'static str,
    /// `map.topojson`: a shape for each level of a variable
    map: Option<&'static str>,
    /// `plausibility.toml`: what somebody who lives there would not dispute
    statements: &'static str,
    pack: OnceLock<Arc<Pack>>,
    harmonised: OnceLock<Arc<Harmonised>>,
    labels: OnceLock<Arc<labels::Labels>>,
}

// `NAMES` and `COUNTRIES`, which `build.rs` makes from `datasets/`.
include!(concat!(env!("OUT_DIR"), "/countries.rs"));

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

/// The name of the built-in pack of a country, by its code in ISO 3166-1 alpha-2.
pub fn of_alpha2(code: &str) -> Option<&'static str> {
    COUNTRIES.iter().find(|c| c.codes[1] == code).map(|c| c.name)
}

/// The pack of a country by name, read once and only when asked for; `None` if there is no such country.
pub fn open(name: &str) -> Option<Result<Arc<Pack>>> {
    let country = built_in(name)?;
    if let Some(pack) = country.pack.get() {
        return Some(Ok(pack.clone()));
    }
    Some(Pack::from_bytes(country.bytes).map(|pack| country.pack.get_or_init(|| pack).clone()))
}

/// The map of a country, as TopoJSON, and the variable whose levels it has shapes for; `None` where there is none.
pub fn map_of(name: &str) -> Option<(&'static str, &'static str)> {
    static VARIABLES: LazyLock<BTreeMap<&'static str, String>> = LazyLock::new(|| {
        let variable = |text: &str| {
            let map: Value = serde_json::from_str(text).ok()?;
            map["objects"].as_object()?.keys().next().cloned()
        };
        COUNTRIES.iter().filter_map(|c| Some((c.name, variable(c.map?)?))).collect()
    });
    Some((built_in(name)?.map?, VARIABLES.get(name)?))
}

/// The language of a country's texts, by its name or a code; BCP 47.
pub fn language(said: &str) -> Option<String> {
    let is = |c: &&Country| c.name.eq_ignore_ascii_case(said) || c.codes.iter().any(|c| c.eq_ignore_ascii_case(said));
    COUNTRIES.iter().find(is).map(|c| c.language.to_string())
}

/// The pack that a person's texts go by: the one that the row was drawn from, or that of its country, by the name or
/// the code of either; `usa` where the row says neither. A pack of one's own is called by its id, `atlantis@74ce7632`,
/// since another of its name may be open as well.
///
/// # Errors
/// If no pack is of the row's country.
pub fn country_of(facts: &Map<String, Value>) -> std::result::Result<String, String> {
    if let Some(name) = pack_name(facts) {
        let id = facts.get("pack").and_then(Value::as_str).filter(|id| texts::are_own(id));
        return Ok(id.unwrap_or(name).into());
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
    fn a_map_has_a_shape_for_every_level() {
        let has = |country: &Country| country.map.is_some();
        assert!(COUNTRIES.iter().filter(|c| has(c)).count() >= 4);
        for country in COUNTRIES.iter().filter(|c| has(c)) {
            let (text, name) = map_of(country.name).unwrap();
            let map: Value = serde_json::from_str(text).unwrap();
            for said in ["source", "licence"] {
                assert!(map[said].as_str().is_some_and(|said| !said.is_empty()), "{}: no {said}", country.name);
            }
            let shapes = map["objects"][name].get("geometries").and_then(Value::as_array).unwrap();
            let mut shown: Vec<&str> = shapes.iter().map(|s| s["properties"]["level"].as_str().unwrap()).collect();
            let pack = open(country.name).unwrap().unwrap();
            let variable = pack.variable(name).unwrap();
            let mut levels: Vec<String> = (0..variable.len()).map(|level| variable.label(level)).collect();
            shown.sort_unstable();
            levels.sort_unstable();
            assert_eq!(shown, levels, "{}", country.name);
            assert!(shapes.iter().all(|s| s["arcs"].as_array().is_some_and(|a| !a.is_empty())), "{}", country.name);
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
}

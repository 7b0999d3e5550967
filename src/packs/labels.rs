//! What the levels of a pack's variables are in plain words, in the language of the pack: `labels.toml` beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use populace_population::{Levels, Pack, Variable};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Country, built_in, country_of, path};

/// The file beside a pack.
pub const FILE: &str = "labels.toml";

/// The words of levels.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
pub struct Labels {
    /// Columns whose levels are words as they stand, with spaces in the place of `_`
    #[serde(default)]
    plain: BTreeSet<String>,
    /// By column and level
    #[serde(flatten)]
    words: BTreeMap<String, BTreeMap<String, String>>,
}

impl Labels {
    /// # Errors
    /// If the text is no TOML of this form; with the line.
    pub fn parse(text: &str) -> Result<Labels, String> {
        toml::from_str(text).map_err(|e| format!("{FILE}: {e}"))
    }

    /// What a level is called, where it is called otherwise than it is written.
    pub fn of(&self, column: &str, level: &str) -> Option<&str> {
        self.words.get(column)?.get(level).map(String::as_str)
    }

    /// A level in plain words.
    pub fn words(&self, column: &str, level: &str) -> String {
        self.of(column, level).map_or_else(|| level.replace('_', " "), String::from)
    }

    /// A value in plain words where it is a level; as it stands where it is none.
    fn worded(&self, column: &str, value: &Value) -> Value {
        match value.as_str() {
            Some(level) if self.plain.contains(column) => self.words(column, level).into(),
            Some(level) => self.of(column, level).map_or_else(|| value.clone(), Value::from),
            None => value.clone(),
        }
    }

    /// What is wrong with the words beside a pack: levels without words, and words for what the pack has not.
    pub fn faults(&self, pack: &Pack) -> Vec<String> {
        let is_text = |v: &&Variable| !v.hidden && matches!(v.levels, Levels::Text(_));
        let shown: Vec<&Variable> = pack.variables().iter().filter(is_text).collect();
        let mut faults = vec![];
        for variable in &shown {
            let (name, listed) = (&variable.name, self.words.get(&variable.name));
            let levels: Vec<String> = (0..variable.len()).map(|level| variable.label(level)).collect();
            let is_told = |level: &String| self.plain.contains(name) || listed.is_some_and(|l| l.contains_key(level));
            let told =
                |(at, level): (usize, &String)| variable.null_level.map(usize::from) == Some(at) || is_told(level);
            let missing: Vec<&str> =
                levels.iter().enumerate().filter(|one| !told(*one)).map(|(_, level)| level.as_str()).collect();
            if !missing.is_empty() {
                faults.push(format!("{name}: no words for {}", missing.join(", ")));
            }
            let unknown = listed.into_iter().flat_map(BTreeMap::keys).filter(|level| !levels.contains(level));
            faults.extend(unknown.map(|level| format!("{name} has no level {level}")));
        }
        let columns = self.plain.iter().chain(self.words.keys());
        let unknown = columns.filter(|name| shown.iter().all(|v| v.name != **name));
        faults.extend(unknown.map(|name| format!("{name} is no column with levels")));
        faults
    }
}

impl Country {
    fn labels(&self) -> Arc<Labels> {
        // A test reads those of all packs.
        self.labels.get_or_init(|| Arc::new(Labels::parse(self.words).unwrap_or_default())).clone()
    }
}

/// The words of a country, by its name or by the path of its pack; none where nothing is said of them.
pub fn of_country(country: &str) -> Arc<Labels> {
    if !path::is_path(country) {
        return built_in(country).map(Country::labels).unwrap_or_default();
    }
    let text = path::folder(country).and_then(|folder| std::fs::read_to_string(folder.join(FILE)).ok());
    text.and_then(|text| Labels::parse(&text).ok()).map(Arc::new).unwrap_or_default()
}

/// The words of the country that a row's person is of, where the row says which.
pub fn of_row(facts: &Map<String, Value>) -> Option<Arc<Labels>> {
    let says = |name: &str| facts.get(name).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty());
    let country = (says("pack") || says("country")).then(|| country_of(facts).ok())??;
    Some(built_in(&country)?.labels())
}

/// A row with its levels in plain words, where it says whose people it is of.
pub fn in_plain_words(facts: &Map<String, Value>) -> Map<String, Value> {
    let Some(labels) = of_row(facts) else { return facts.clone() };
    facts.iter().map(|(name, value)| (name.clone(), labels.worded(name, value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packs;
    use serde_json::json;

    #[test]
    fn every_level_of_every_country_has_words() {
        for name in packs::NAMES {
            let labels = Labels::parse(built_in(name).unwrap().words).unwrap();
            let pack = packs::open(name).unwrap().unwrap();
            assert_eq!(labels.faults(&pack), Vec::<String>::new(), "{name}");
            let listed = labels.words.values().flat_map(BTreeMap::values);
            assert!(listed.clone().count() > 0 || name == "japan", "{name}");
            for words in listed {
                assert!(!words.is_empty() && !words.contains('_'), "{name}: {words:?}");
            }
        }
    }

    #[test]
    fn levels_without_words_and_words_without_levels_are_faults() {
        let pack = packs::open("usa").unwrap().unwrap();
        let labels = Labels::parse("plain = ['sexes']\n[sex]\nMale = 'male'\nMan = 'man'").unwrap();
        let faults = labels.faults(&pack);
        for says in ["sex: no words for Female", "sex has no level Man", "sexes is no column with levels"] {
            assert!(faults.iter().any(|fault| fault == says), "{faults:?}");
        }
        assert!(!faults.iter().any(|fault| fault.starts_with("age")), "{faults:?}");
    }

    #[test]
    fn a_row_is_worded_by_its_country() {
        let row = |facts: Value| of_row(facts.as_object().unwrap());
        let usa = row(json!({ "country": "USA" })).unwrap();
        assert_eq!(usa.words("marital_status", "married_present"), "married, living with the spouse");
        assert_eq!(usa.words("occupation", "chief_executives"), "chief executives");
        assert_eq!(row(json!({ "pack": "brazil@2026.1" })).unwrap().words("neuroticism_label", "low"), "baixo");
        assert!(row(json!({ "age": 3 })).is_none() && row(json!({ "country": "FRA" })).is_none());
    }
}

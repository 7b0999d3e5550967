//! What jobs and places are called in a country, and the language that it is written in.

use std::collections::{HashMap, HashSet};

use populace_population::{Levels, Pack};

use super::speech::Speech;

/// The words that checks know of a country.
#[derive(Debug, Default, Clone)]
pub struct Vocabulary {
    /// Nouns that name somebody who does a job: nurse, electrician
    jobs: HashSet<String>,
    cities: HashSet<String>,
    /// The codes of first-level regions by their names in ISO 3166-2: California, CA
    regions: HashMap<String, String>,
    language: Option<whatlang::Lang>,
    /// Its code, in BCP 47
    code: String,
    speech: Speech,
}

impl Vocabulary {
    /// From the titles of occupations, in snake_case, in the plural: `registered_nurses`.
    pub fn new<'a>(titles: impl Iterator<Item = &'a str>) -> Vocabulary {
        let jobs = titles.flat_map(|t| heads(t).into_iter().map(String::from).collect::<Vec<_>>());
        let jobs = jobs.filter_map(|w| singular(&w)).filter(|w| !VAGUE.contains(&w.as_str()));
        Vocabulary { jobs: jobs.collect(), ..Vocabulary::default() }
    }

    /// Of a country: its occupations, cities and states, as far as it has variables of these names, and its language.
    pub fn of(pack: &Pack) -> Vocabulary {
        let levels = |name: &str| match pack.variables().iter().find(|v| v.name == name).map(|v| &v.levels) {
            Some(Levels::Text(levels)) => levels.to_vec(),
            _ => vec![],
        };
        let country = rust_iso3166::from_alpha3(pack.country()).map(|c| c.alpha2).unwrap_or_default();
        let region = |code: String| {
            let found = rust_iso3166::iso3166_2::from_code(&format!("{country}-{code}"))?;
            Some((found.name.to_string(), code))
        };
        Vocabulary {
            cities: levels("city").into_iter().collect(),
            regions: levels("state").into_iter().filter_map(region).collect(),
            ..Vocabulary::new(levels("occupation").iter().map(String::as_str))
        }
        .in_language(Some(pack.language()))
    }

    /// The same for texts in a language, by its code in BCP 47; as it was where none is named.
    pub fn in_language(mut self, code: Option<&str>) -> Vocabulary {
        if let Some(code) = code {
            self.speech = Speech::of(code);
            self.code = code.into();
            self.language = language(code).filter(|_| self.speech != Speech::HindiLatin);
        }
        self
    }

    pub(super) fn speech(&self) -> Speech {
        self.speech
    }

    /// The code of the language that texts are in, in BCP 47; empty where nobody says.
    pub fn code(&self) -> &str {
        &self.code
    }

    pub(super) fn is_city(&self, name: &str) -> bool {
        self.cities.contains(name)
    }

    /// The code of a first-level region.
    pub(super) fn region(&self, name: &str) -> Option<&str> {
        self.regions.get(name).map(String::as_str)
    }

    /// What texts are to be written in, where that can be told.
    pub(super) fn language(&self) -> Option<whatlang::Lang> {
        self.language
    }

    pub(super) fn is_job(&self, word: &str) -> bool {
        self.jobs.contains(word)
    }
}

/// A language by its code in ISO 639-1; those of the countries.
fn language(code: &str) -> Option<whatlang::Lang> {
    use whatlang::Lang;
    Some(match code.split(['-', '_']).next().unwrap_or_default() {
        "en" => Lang::Eng,
        "pt" => Lang::Por,
        "ja" => Lang::Jpn,
        "hi" => Lang::Hin,
        "es" => Lang::Spa,
        "fr" => Lang::Fra,
        "de" => Lang::Deu,
        _ => return None,
    })
}

/// Words that name no job by themselves.
const VAGUE: [&str; 21] = [
    "worker",
    "other",
    "specialist",
    "operator",
    "assistant",
    "technician",
    "aide",
    "helper",
    "attendant",
    "supervisor",
    "professional",
    "manager",
    "clerk",
    "service",
    "executive",
    "leader",
    "maker",
    "computer",
    "instructor",
    "dispatcher",
    "server",
];

/// The nouns of a title: the last word of each part, and those that are formed like who does something.
fn heads(title: &str) -> Vec<&str> {
    let words: Vec<&str> = title.split('_').collect();
    let ends = words.split(|w| matches!(*w, "and" | "or" | "except" | "including" | "of" | "in" | "for"));
    let last = ends.filter_map(|part| part.last().copied()).filter(|w| w.ends_with('s') || w.ends_with("men"));
    let doers = words.iter().copied().filter(|w| ["ers", "ors", "ists", "ians"].iter().any(|end| w.ends_with(end)));
    last.chain(doers).collect()
}

/// A noun in the singular.
pub(super) fn singular(word: &str) -> Option<String> {
    let word = word.to_lowercase();
    if let Some(stem) = word.strip_suffix("ies") {
        return Some(format!("{stem}y"));
    }
    if let Some(stem) = word.strip_suffix("persons") {
        return Some(format!("{stem}person"));
    }
    for (plural, one) in [("sses", "ss"), ("ches", "ch"), ("shes", "sh"), ("men", "man")] {
        if let Some(stem) = word.strip_suffix(plural) {
            return Some(format!("{stem}{one}"));
        }
    }
    word.strip_suffix('s').filter(|stem| stem.len() > 2 && !stem.ends_with('s')).map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_the_nouns_of_titles() {
        let titles =
            ["registered_nurses", "bus_and_truck_mechanics_and_diesel_engine_specialists", "actresses_and_actors"];
        let vocabulary = Vocabulary::new(titles.iter().copied());
        assert!(["nurse", "mechanic", "actress", "actor"].iter().all(|j| vocabulary.is_job(j)));
        assert!(!vocabulary.is_job("specialist") && !vocabulary.is_job("truck"));
    }
}

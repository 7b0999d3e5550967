//! The words that name jobs, from a country's list of occupations.

use std::collections::HashSet;

use populace_population::{Levels, Pack};

/// What occupations are called.
#[derive(Debug, Default, Clone)]
pub struct Vocabulary {
    /// Nouns that name somebody who does a job: nurse, electrician
    jobs: HashSet<String>,
}

impl Vocabulary {
    /// From the titles of occupations, in snake_case, in the plural: `registered_nurses`.
    pub fn new<'a>(titles: impl Iterator<Item = &'a str>) -> Vocabulary {
        let jobs = titles.flat_map(|t| heads(t).into_iter().map(String::from).collect::<Vec<_>>());
        let jobs = jobs.filter_map(|w| singular(&w)).filter(|w| !VAGUE.contains(&w.as_str()));
        Vocabulary { jobs: jobs.collect() }
    }

    /// Of a country's occupations; empty where it has no variable of that name.
    pub fn of(pack: &Pack) -> Vocabulary {
        match pack.variables().iter().find(|v| v.name == "occupation").map(|v| &v.levels) {
            Some(Levels::Text(titles)) => Vocabulary::new(titles.iter().map(|t| t.as_ref())),
            _ => Vocabulary::default(),
        }
    }

    pub(super) fn is_job(&self, word: &str) -> bool {
        self.jobs.contains(word)
    }
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

//! What the outline narrator knows of a person: conditions that hold, and words for the facts.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use serde_json::{Map, Value};

/// A person as the grammar sees one.
#[derive(Debug)]
pub struct Person {
    pub first: String,
    pub full: String,
    /// Subject, object, possessive, absolute possessive, reflexive; `None` where the sex is not known.
    pub pronoun: Option<[&'static str; 5]>,
    flags: HashSet<String>,
    values: HashMap<&'static str, Vec<String>>,
}

/// The occupation's singular noun phrase, and the group whose duties describe it best: mostly its own.
static OCCUPATIONS: LazyLock<HashMap<&'static str, (&'static str, &'static str)>> =
    LazyLock::new(|| three_columns(include_str!("occupations.csv")));
/// The hobby's class and its phrase.
static HOBBIES: LazyLock<HashMap<&'static str, (&'static str, &'static str)>> =
    LazyLock::new(|| three_columns(include_str!("hobbies.csv")));
/// Skills that are common nouns, written in lower case inside a sentence.
static COMMON_SKILLS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| include_str!("skills.txt").lines().collect());
static PLACES: LazyLock<HashMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
    include_str!("places.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('|').map(|(code, rest)| (code, rest.split('|').collect())))
        .collect()
});

fn three_columns(file: &'static str) -> HashMap<&'static str, (&'static str, &'static str)> {
    file.lines()
        .skip(1)
        .filter_map(|line| {
            let (key, rest) = line.split_once(',')?;
            Some((key, rest.split_once(',')?))
        })
        .collect()
}

impl Person {
    /// Reads the facts of a row; `turn` rotates lists, so that every kind begins elsewhere in them.
    pub fn new(facts: &Map<String, Value>, turn: u64) -> Person {
        let text = |name: &str| facts.get(name).and_then(Value::as_str).map(str::trim).filter(|v| !v.is_empty());
        let number = |name: &str| facts.get(name).and_then(|v| v.as_i64().or_else(|| v.as_str()?.trim().parse().ok()));
        let first = text("first_name").or(text("last_name")).unwrap_or("this person").to_owned();
        let full = match (text("first_name"), text("last_name")) {
            (Some(first), Some(last)) => format!("{first} {last}"),
            _ => first.clone(),
        };
        let pronoun = match text("sex") {
            Some("Female") => Some(["she", "her", "her", "hers", "herself"]),
            Some("Male") => Some(["he", "him", "his", "his", "himself"]),
            _ => None,
        };
        let mut person = Person { first, full, pronoun, flags: HashSet::new(), values: HashMap::new() };
        for name in [
            "marital_status",
            "education_level",
            "bachelors_field",
            "labour_status",
            "living_arrangement",
            "nativity",
            "census_region",
            "veteran_status",
            "college_enrolment",
        ] {
            if let Some(value) = text(name) {
                person.flags.insert(value.to_owned());
            }
        }
        if let Some(language) = text("language_at_home") {
            person.flags.insert(format!("lang_{language}"));
        }
        let age = number("age");
        // Children in the household are one's own to raise only in some households: others may be brothers, sisters
        // or grandchildren.
        let own = matches!(text("living_arrangement"), Some("with_spouse" | "with_unmarried_partner"));
        if text("children_at_home") == Some("yes") && own && age.is_none_or(|age| (20..65).contains(&age)) {
            person.flag("kids");
        }
        if let Some(age) = age {
            person.age(age);
        }
        person.household(number("household_size"));
        person.temperament(&number);
        person.work(text("occupation"), text("labour_status"), age);
        person.place(text("city"), text("county"), text("state"), turn);
        person.lists(facts, turn);
        person
    }

    /// Whether a condition of the grammar holds.
    pub fn is(&self, flag: &str) -> bool {
        self.flags.contains(flag)
    }

    /// The words for a slot.
    pub fn values(&self, slot: &str) -> Option<&Vec<String>> {
        self.values.get(slot)
    }

    fn flag(&mut self, flag: &str) {
        self.flags.insert(flag.to_owned());
    }

    fn set(&mut self, slot: &'static str, value: impl Into<String>) {
        self.values.insert(slot, vec![value.into()]);
    }

    fn age(&mut self, age: i64) {
        self.set("age", age.to_string());
        self.flag(match age {
            ..=24 => "a18",
            25..=34 => "a25",
            35..=44 => "a35",
            45..=54 => "a45",
            55..=64 => "a55",
            65..=74 => "a65",
            75..=84 => "a75",
            _ => "a85",
        });
        self.flag(match age {
            ..=34 => "young",
            35..=54 => "mid",
            55..=64 => "late",
            _ => "old",
        });
        if age >= 80 {
            self.flag("frail");
        }
        // Where a decade is worth saying at all: "in her thirties".
        let decade = match age {
            20..=29 => "twenties",
            30..=39 => "thirties",
            40..=49 => "forties",
            50..=59 => "fifties",
            60..=69 => "sixties",
            70..=79 => "seventies",
            80..=89 => "eighties",
            90..=99 => "nineties",
            _ => return,
        };
        let part = match age % 10 {
            0..=2 => "early ",
            3..=6 => "middle ",
            _ => "late ",
        };
        self.set("decade", format!("{part}{decade}"));
    }

    fn household(&mut self, size: Option<i64>) {
        let words = ["two", "three", "four", "five", "six"];
        if let Some(word) = size.and_then(|s| words.get(usize::try_from(s).ok()?.checked_sub(2)?)) {
            self.set("household", *word);
        }
    }

    fn temperament(&mut self, number: &dyn Fn(&str) -> Option<i64>) {
        let mut traits: Vec<(i64, String)> =
            ["openness", "conscientiousness", "extraversion", "agreeableness", "neuroticism"]
                .iter()
                .filter_map(|name| number(name).map(|score| (name, score)))
                .filter(|(_, score)| *score >= 55 || *score <= 44)
                .map(|(name, score)| {
                    let end = if score >= 55 { "hi" } else { "lo" };
                    ((score - 50).abs(), format!("{}_{end}", &name[..1]))
                })
                .collect();
        traits.sort_by_key(|(distance, _)| -distance);
        for (slot, known, (_, name)) in [("trait_first", "has_trait1"), ("trait_second", "has_trait2")]
            .into_iter()
            .zip(&traits)
            .map(|((slot, known), name)| (slot, known, name))
        {
            self.set(slot, format!("@t_{name}"));
            self.flag(known);
        }
        for (_, name) in traits {
            self.flags.insert(name);
        }
    }

    fn work(&mut self, occupation: Option<&str>, labour: Option<&str>, age: Option<i64>) {
        let known = occupation.filter(|o| *o != "not_in_workforce");
        match (known, labour) {
            (_, Some("unemployed")) => self.flag("seeking"),
            (_, Some("not_in_labor_force")) => self.flag("no_job"),
            (None, Some("armed_forces")) => {
                self.flag("job");
                self.set("job", "service member");
                self.set("duty", "@d_military_specific");
            }
            (Some(code), _) => {
                self.flag("job");
                match OCCUPATIONS.get(code) {
                    Some((phrase, group)) => {
                        self.set("job", *phrase);
                        self.set("duty", format!("@d_{group}"));
                        self.flags.insert(format!("g_{group}"));
                    }
                    // A title of another vintage: its own words.
                    None => self.set("job", code.replace('_', " ")),
                }
            }
            (None, _) if occupation == Some("not_in_workforce") => self.flag("no_job"),
            _ => {}
        }
        if self.is("no_job") {
            self.flag(if age.is_some_and(|age| age >= 65) { "retired" } else { "at_home" });
        }
        if self.is("public_college") || self.is("private_college") {
            self.flag("student");
        }
    }

    fn place(&mut self, city: Option<&str>, county: Option<&str>, state: Option<&str>, turn: u64) {
        if let Some(city) = city {
            self.set("city", city);
        }
        if let Some(county) = county {
            self.set("county", county);
        }
        let Some(code) = state else { return };
        self.flags.insert(format!("st_{code}"));
        match PLACES.get(code) {
            Some(place) => {
                for (slot, words) in ["state", "food", "land", "pastime", "weather"].into_iter().zip(place) {
                    let mut words: Vec<String> = words.split("; ").map(str::to_owned).collect();
                    rotate(&mut words, turn);
                    self.values.insert(slot, words);
                }
            }
            None => self.set("state", code),
        }
    }

    fn lists(&mut self, facts: &Map<String, Value>, turn: u64) {
        let strings = |name: &str| -> Vec<String> {
            let items = facts.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            items.iter().filter_map(|v| v.as_str().map(str::to_owned)).filter(|v| !v.trim().is_empty()).collect()
        };
        let mut all = Vec::new();
        let mut classes: HashMap<&'static str, Vec<String>> = HashMap::new();
        for hobby in strings("hobbies_and_interests_list") {
            let (class, phrase) = HOBBIES.get(hobby.as_str()).copied().unwrap_or(("other", ""));
            let phrase = if phrase.is_empty() { hobby } else { phrase.to_owned() };
            let slot = match class {
                "sport" => "h_sport",
                "watch" => "h_watch",
                "art" => "h_art",
                "food" => "h_food",
                "travel" => "h_travel",
                "outdoor" => "h_outdoor",
                _ => "h_other",
            };
            classes.entry(slot).or_default().push(phrase.clone());
            all.push(phrase);
        }
        rotate(&mut all, turn);
        for (slot, mut phrases) in classes {
            rotate(&mut phrases, turn);
            self.flag(slot);
            self.values.insert(slot, phrases);
        }
        if !all.is_empty() {
            self.values.insert("hobby", all);
        }
        let mut skills: Vec<String> = strings("skills_and_expertise_list")
            .into_iter()
            .map(|skill| if COMMON_SKILLS.contains(skill.as_str()) { skill.to_lowercase() } else { skill })
            .collect();
        rotate(&mut skills, turn);
        if !skills.is_empty() {
            self.values.insert("skill", skills);
        }
    }
}

fn rotate(list: &mut [String], turn: u64) {
    if !list.is_empty() {
        let by = (turn % list.len() as u64) as usize;
        list.rotate_left(by);
    }
}

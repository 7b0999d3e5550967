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
    /// Begins elsewhere for every kind.
    pub hobbies: Vec<Hobby>,
    /// What is marked in the temperament, as symbols of the grammar, the most marked first.
    pub traits: Vec<&'static str>,
    flags: HashSet<String>,
    values: HashMap<&'static str, Vec<String>>,
}

/// Something a person likes.
#[derive(Debug)]
pub struct Hobby {
    pub class: &'static str,
    /// A noun phrase: "pottery".
    pub phrase: String,
    /// A verb phrase in the third person: "throws pots".
    pub does: String,
}

impl Hobby {
    /// Whether it is of a class, or of one of the classes of a family: sport, art, food, active.
    pub fn is(&self, class: &str) -> bool {
        let active =
            class == "active" && (family(self.class) == "sport" || ["outdoor", "garden"].contains(&self.class));
        self.class == class || family(self.class) == class || active
    }
}

/// The kinds of text that a class of hobbies belongs to.
fn family(class: &str) -> &str {
    match class {
        "team" | "fit" | "play" => "sport",
        "make" | "read" | "screen" | "live" | "music" => "art",
        "cook" | "eat" => "food",
        other => other,
    }
}

/// The occupation's singular noun phrase, and the group whose duties describe it best: mostly its own.
static OCCUPATIONS: LazyLock<HashMap<&'static str, (&'static str, &'static str)>> =
    LazyLock::new(|| three_columns(include_str!("occupations.csv")));
/// The hobby's class, and its noun phrase and verb phrase.
static HOBBIES: LazyLock<HashMap<&'static str, (&'static str, &'static str)>> =
    LazyLock::new(|| three_columns(include_str!("hobbies.csv")));
/// The skill's class, an ability, one that others ask for, or a tool, and its phrase. Others are the names of programs.
static SKILLS: LazyLock<HashMap<&'static str, (&'static str, &'static str)>> =
    LazyLock::new(|| three_columns(include_str!("skills.csv")));
/// The titles with duties of their own.
static TITLES: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("titles.txt").lines().filter_map(|line| line.strip_prefix("@d_")).collect());
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
        let mut person = Person {
            first,
            full,
            pronoun,
            hobbies: Vec::new(),
            traits: Vec::new(),
            flags: HashSet::new(),
            values: HashMap::new(),
        };
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
        let poles = [
            ("openness", "o_hi", "o_lo"),
            ("conscientiousness", "c_hi", "c_lo"),
            ("extraversion", "e_hi", "e_lo"),
            ("agreeableness", "a_hi", "a_lo"),
            ("neuroticism", "n_hi", "n_lo"),
        ];
        let mut traits: Vec<(i64, &'static str)> = poles
            .into_iter()
            .filter_map(|(name, high, low)| number(name).map(|score| (score, high, low)))
            .filter(|(score, ..)| *score >= 55 || *score <= 44)
            .map(|(score, high, low)| ((score - 50).abs(), if score >= 55 { high } else { low }))
            .collect();
        traits.sort_by_key(|(distance, _)| -distance);
        for (_, name) in traits {
            self.flag(name);
            self.traits.push(name);
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
                self.flag("g_military_specific");
            }
            (Some(code), _) => {
                self.flag("job");
                match OCCUPATIONS.get(code) {
                    Some((phrase, group)) => {
                        self.set("job", *phrase);
                        let duties = if TITLES.contains(code) { code } else { group };
                        self.set("duty", format!("@d_{duties}"));
                        self.flags.insert(format!("g_{group}"));
                        self.flags.insert(format!("is_{code}"));
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
        // Some cities are counties of their own: "Norfolk city".
        if let Some(county) = county.filter(|county| {
            !county.ends_with(" city")
                && !county.ends_with(" Municipio")
                && Some(*county) != city
                && state != Some("DC")
        }) {
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
        for hobby in strings("hobbies_and_interests_list") {
            let (class, phrases) = HOBBIES.get(hobby.as_str()).copied().unwrap_or(("other", ""));
            let (phrase, does) = phrases.split_once(',').unwrap_or((phrases, ""));
            let phrase = if phrase.is_empty() { hobby } else { phrase.to_owned() };
            let does = if does.is_empty() { format!("spends time on {phrase}") } else { does.to_owned() };
            self.flags.insert(format!("h_{class}"));
            self.flags.insert(format!("h_{}", family(class)));
            self.hobbies.push(Hobby { class, phrase, does });
        }
        rotate(&mut self.hobbies, turn);
        let (mut skills, mut handy, mut tools) = (Vec::new(), Vec::new(), Vec::new());
        for skill in strings("skills_and_expertise_list") {
            match SKILLS.get(skill.as_str()) {
                Some(("skill", phrase)) => skills.push((*phrase).to_owned()),
                Some(("handy", phrase)) => {
                    skills.push((*phrase).to_owned());
                    handy.push((*phrase).to_owned());
                }
                Some((_, phrase)) => tools.push((*phrase).to_owned()),
                None => tools.push(skill),
            }
        }
        for (slot, mut phrases) in [("skill", skills), ("handy", handy), ("tool", tools)] {
            rotate(&mut phrases, turn);
            if !phrases.is_empty() {
                self.flag(slot);
                self.values.insert(slot, phrases);
            }
        }
    }
}

fn rotate<T>(list: &mut [T], turn: u64) {
    if !list.is_empty() {
        let by = (turn % list.len() as u64) as usize;
        list.rotate_left(by);
    }
}

//! `outline.toml`: what the grammar of a country in a language may ask of a person.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

/// What a folder of grammars says of the columns that its texts are written from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// BCP 47
    pub language: String,
    /// Templates over columns and slots: the first that can be filled is the name in full
    pub full: OneOrMore,
    /// The same for the name by which the person is called later
    pub short: OneOrMore,
    /// What somebody without a name is called; without it nothing is written of them
    #[serde(default)]
    pub nameless: Option<String>,
    /// Conditions that hold for many
    #[serde(default)]
    pub common: Vec<String>,
    /// About one person in how many a condition holds for, where that is not what is guessed
    #[serde(default)]
    pub rarity: HashMap<String, usize>,
    /// Classes of hobbies that go together
    #[serde(default)]
    pub families: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub sex: Option<Sex>,
    #[serde(default)]
    pub pronouns: Option<Pronouns>,
    #[serde(default, rename = "flag")]
    pub flags: Vec<Flag>,
    #[serde(default)]
    pub levels: Vec<Levels>,
    #[serde(default, rename = "slot")]
    pub slots: Vec<Slot>,
    #[serde(default, rename = "lexicon")]
    pub lexicons: Vec<Lexicon>,
    #[serde(default)]
    pub hobbies: Option<Hobbies>,
    #[serde(default, rename = "list")]
    pub lists: Vec<List>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    pub fn all(&self) -> &[String] {
        match self {
            OneOrMore::One(one) => std::slice::from_ref(one),
            OneOrMore::More(more) => more,
        }
    }
}

/// The levels of a column that decide between `<masculine|feminine>`, and which pronouns are meant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sex {
    pub column: String,
    pub female: Vec<String>,
    pub male: Vec<String>,
}

/// Subject, object, possessive, absolute possessive, reflexive; the name stands for one that is empty.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pronouns {
    pub female: [String; 5],
    pub male: [String; 5],
    /// Where the sex is not known
    #[serde(default)]
    pub other: [String; 5],
}

/// A condition of the grammar; of several with one name, one is enough.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Flag {
    pub name: String,
    pub all: Vec<Test>,
}

/// One test of a column, or of another flag. A column without a value passes none but `missing`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Test {
    pub column: Option<String>,
    pub is: Option<Vec<String>>,
    pub not: Option<Vec<String>>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    #[serde(default)]
    pub missing: bool,
    #[serde(default)]
    pub present: bool,
    pub flag: Option<String>,
    pub no_flag: Option<String>,
}

impl Test {
    /// What is wrong with it.
    pub fn fault(&self) -> Option<&'static str> {
        let of_column = self.is.is_some() || self.not.is_some() || self.min.is_some() || self.max.is_some();
        let of_column = of_column || self.missing || self.present;
        let of_flag = self.flag.is_some() || self.no_flag.is_some();
        match (&self.column, of_column, of_flag) {
            (Some(_), true, false) if self.missing && self.present => Some("nothing is missing and present"),
            (Some(_), true, false) | (None, false, true) => None,
            (Some(_), false, _) => Some("a test of a column says what of it: is, not, min, max, missing or present"),
            (None, true, _) => Some("a test needs the column that it is of"),
            (Some(_), true, true) => Some("a test is of a column or of a flag, not of both"),
            (None, false, false) => Some("a test is of a column or of a flag"),
        }
    }
}

/// Every level of a column is a condition: the prefix and the level, with `_` for spaces.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Levels {
    pub column: String,
    #[serde(default)]
    pub prefix: String,
}

/// A column's value, or a template over columns and slots, as a slot.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Slot {
    pub name: String,
    pub column: Option<String>,
    pub value: Option<String>,
    /// Conditions that all hold; `!` negates
    #[serde(default)]
    pub when: Vec<String>,
    #[serde(default)]
    pub no_ending: Vec<String>,
    #[serde(default)]
    pub differs_from: Vec<String>,
}

/// A CSV whose first column has levels of a column, and whose others are slots that it sets.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lexicon {
    pub column: String,
    pub file: String,
    #[serde(default)]
    pub when: Vec<String>,
    /// The slot that takes a level itself which the file lacks
    pub otherwise: Option<String>,
}

/// `hobby,class,phrase,does`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hobbies {
    pub column: String,
    pub file: String,
    /// A verb phrase of `{phrase}`, for those without one
    pub otherwise: String,
    /// Classes that are not done of an evening: `{does}` names none of them
    #[serde(default = "away")]
    pub away: Vec<String>,
}

fn away() -> Vec<String> {
    vec!["travel".into()]
}

/// A list column: `skill,class,phrase`, where the class names the slot.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct List {
    pub column: String,
    pub file: String,
    /// Items of the first class serve the second too
    #[serde(default)]
    pub also: BTreeMap<String, String>,
    /// The slot of items that the file lacks; they are left out without it
    pub otherwise: Option<String>,
}

/// The temperament, and the poles of each of its scales.
pub(crate) const TEMPERAMENT: [(&str, &str, &str); 5] = [
    ("openness", "o_hi", "o_lo"),
    ("conscientiousness", "c_hi", "c_lo"),
    ("extraversion", "e_hi", "e_lo"),
    ("agreeableness", "a_hi", "a_lo"),
    ("neuroticism", "n_hi", "n_lo"),
];

impl Manifest {
    /// Reads `outline.toml`.
    ///
    /// # Errors
    /// What is wrong, with its line.
    pub fn parse(place: &str, text: &str) -> Result<Manifest, String> {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            format!("{place}/outline.toml:{line}: {}", error.message())
        })
    }

    /// The columns that texts are written from.
    pub fn columns(&self) -> Vec<String> {
        let templates = self.full.all().iter().chain(self.short.all());
        let templates = templates.chain(self.slots.iter().filter_map(|s| s.value.as_ref()));
        let named = templates.flat_map(|template| pieces(template).filter_map(|(_, name)| name));
        let mut columns: Vec<&str> = named.filter(|name| !self.slots.iter().any(|s| s.name == *name)).collect();
        columns.extend(self.sex.iter().map(|s| s.column.as_str()));
        columns.extend(self.flags.iter().flat_map(|f| &f.all).filter_map(|t| t.column.as_deref()));
        columns.extend(self.levels.iter().map(|l| l.column.as_str()));
        columns.extend(self.slots.iter().flat_map(|s| s.column.iter().chain(&s.differs_from).map(String::as_str)));
        columns.extend(self.lexicons.iter().map(|l| l.column.as_str()));
        columns.extend(self.hobbies.iter().map(|h| h.column.as_str()));
        columns.extend(self.lists.iter().map(|l| l.column.as_str()));
        columns.extend(TEMPERAMENT.iter().map(|(column, ..)| *column));
        columns.sort_unstable();
        columns.dedup();
        columns.into_iter().map(String::from).collect()
    }
}

/// The pieces of a template: the text before a `{name}`, and the name; what follows the last has none.
pub(crate) fn pieces(template: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut rest = Some(template);
    std::iter::from_fn(move || {
        let text = rest?;
        let found = text.split_once('{').and_then(|(before, after)| {
            let (name, after) = after.split_once('}')?;
            Some((before, name, after))
        });
        match found {
            Some((before, name, after)) => {
                rest = Some(after);
                Some((before, Some(name)))
            }
            None => {
                rest = None;
                Some((text, None))
            }
        }
    })
}

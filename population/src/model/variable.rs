//! Variables and their levels.

use std::hash::{BuildHasher, RandomState};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use arrow_array::builder::StringBuilder;
use arrow_array::{Array, StringArray};
use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result, nearest};

/// The values that a variable can take: a closed, ordered list.
#[derive(Debug, Clone, PartialEq)]
pub enum Levels {
    Text(Names),
    /// All integers from `min` to `max`, both included.
    Integer {
        min: i32,
        max: i32,
    },
}

/// The names of levels, in order: one text with offsets, shared with the columns that people are drawn into. Cheap to clone.
///
/// It is a slice of [`String`]s too, for whoever needs these: they are made when they are first asked for, and stay.
/// [`texts`](Self::texts) and [`text`](Self::text) make none.
#[derive(Clone)]
pub struct Names {
    array: Arc<StringArray>,
    strings: Arc<OnceLock<Box<[String]>>>,
}

impl Names {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.array.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of a level; `None` where there is no such level.
    pub fn text(&self, level: usize) -> Option<&str> {
        (level < self.len()).then(|| self.array.value(level))
    }

    /// All of them, in order.
    pub fn texts(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|level| self.array.value(level))
    }

    /// As the values of dictionary arrays.
    pub(crate) fn array(&self) -> &Arc<StringArray> {
        &self.array
    }
}

impl Deref for Names {
    type Target = [String];

    fn deref(&self) -> &[String] {
        self.strings.get_or_init(|| self.texts().map(String::from).collect())
    }
}

impl PartialEq for Names {
    fn eq(&self, other: &Names) -> bool {
        self.array == other.array
    }
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.texts()).finish()
    }
}

impl<T: AsRef<str>> FromIterator<T> for Names {
    fn from_iter<I: IntoIterator<Item = T>>(names: I) -> Names {
        let array = Arc::new(StringArray::from_iter_values(names));
        Names { array, strings: Arc::default() }
    }
}

impl Serialize for Names {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_seq(self.texts())
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Names, D::Error> {
        deserializer.deserialize_seq(Texts)
    }
}

/// Reads a list of texts into one, and makes no string of any.
struct Texts;

impl<'de> Visitor<'de> for Texts {
    type Value = Names;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of texts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> std::result::Result<Names, A::Error> {
        let mut array = StringBuilder::new();
        while texts.next_element_seed(Text(&mut array))?.is_some() {}
        // What was made room for in vain is given back.
        let mut array = array.finish();
        array.shrink_to_fit();
        Ok(Names { array: Arc::new(array), strings: Arc::default() })
    }
}

/// Puts one text behind others.
struct Text<'a>(&'a mut StringBuilder);

impl<'de> DeserializeSeed<'de> for Text<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Text<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<(), E> {
        self.0.append_value(text);
        Ok(())
    }
}

impl From<Vec<String>> for Names {
    fn from(names: Vec<String>) -> Names {
        names.into_iter().collect()
    }
}

impl<const N: usize> From<[String; N]> for Names {
    fn from(names: [String; N]) -> Names {
        names.into_iter().collect()
    }
}

impl From<Arc<[String]>> for Names {
    fn from(names: Arc<[String]>) -> Names {
        names.iter().collect()
    }
}

/// Where each name is among the levels: numbers by the hash of their names, and no name a second time.
#[derive(Debug)]
struct Index {
    hasher: RandomState,
    /// A level's number and 1, or 0 where there is none: where its hash says, or behind.
    slots: Vec<u32>,
    all_differ: bool,
}

impl Index {
    fn new(names: &StringArray) -> Index {
        let mut index = Index {
            hasher: RandomState::new(),
            slots: vec![0; (names.len() + names.len() / 2).next_power_of_two()],
            all_differ: true,
        };
        for (level, name) in names.iter().flatten().enumerate() {
            match index.look(names, name) {
                Ok(_) => index.all_differ = false,
                Err(slot) => index.slots[slot] = level as u32 + 1,
            }
        }
        index
    }

    /// The level of a name, or the free slot where it would be.
    fn look(&self, names: &StringArray, name: &str) -> std::result::Result<usize, usize> {
        let last = self.slots.len() - 1;
        let mut slot = self.hasher.hash_one(name) as usize & last;
        // There are half as many slots again as names.
        while self.slots[slot] > 0 {
            let level = self.slots[slot] as usize - 1;
            if names.value(level) == name {
                return Ok(level);
            }
            slot = (slot + 1) & last;
        }
        Err(slot)
    }

    fn find(&self, names: &StringArray, name: &str) -> Option<usize> {
        match names.is_empty() {
            true => None,
            false => self.look(names, name).ok(),
        }
    }
}

/// One variable of a country: a name, and a closed, ordered list of levels.
#[derive(Debug, Clone)]
pub struct Variable {
    pub name: String,
    pub description: String,
    pub levels: Levels,
    /// Drawn where other variables need it, never emitted as a column.
    pub hidden: bool,
    /// The level that is emitted as NULL, as an index.
    pub null_level: Option<u16>,
    index: Arc<Index>,
}

/// The most levels a variable may have: codes are 16 bits wide.
pub const MAX_LEVELS: usize = 1 << 16;

impl Variable {
    pub(crate) fn new(
        name: String,
        description: String,
        levels: Levels,
        hidden: bool,
        null_level: Option<u16>,
    ) -> Variable {
        let index = match &levels {
            Levels::Text(names) => Index::new(names.array()),
            Levels::Integer { .. } => Index::new(&StringArray::new_null(0)),
        };
        Variable { name, description, levels, hidden, null_level, index: Arc::new(index) }
    }

    /// Whether no two levels have one name.
    pub(crate) fn levels_differ(&self) -> bool {
        self.index.all_differ
    }

    /// How many levels there are.
    pub fn len(&self) -> usize {
        match &self.levels {
            Levels::Text(names) => names.len(),
            Levels::Integer { min, max } => (max - min + 1) as usize,
        }
    }

    /// Whether there is no level at all; never so in a pack.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of a level, integers in decimal.
    pub fn label(&self, level: usize) -> String {
        match &self.levels {
            Levels::Text(names) => names.array().value(level).to_string(),
            Levels::Integer { min, .. } => (min + level as i32).to_string(),
        }
    }

    /// The index of a level by its name, of integers by their value in decimal.
    pub fn level(&self, label: &str) -> Option<usize> {
        match &self.levels {
            Levels::Text(names) => self.index.find(names.array(), label),
            Levels::Integer { min, max } => {
                let value: i32 = label.trim().parse().ok()?;
                (*min..=*max).contains(&value).then(|| (value - min) as usize)
            }
        }
    }

    /// The error of a label that is no level. The level that is NULL is not offered: no test for equality finds it.
    pub(crate) fn unknown_level(&self, label: &str) -> Error {
        let null = self.null_level.map(usize::from);
        let known = |names: &Names| -> Vec<String> {
            names.texts().enumerate().filter(|(level, _)| Some(*level) != null).map(|(_, n)| n.to_string()).collect()
        };
        let names: Vec<String> = match &self.levels {
            Levels::Text(names) if names.len() <= 60 => known(names),
            Levels::Text(_) => vec![],
            Levels::Integer { min, max } => vec![format!("{min} to {max}")],
        };
        let suggestion = match &self.levels {
            Levels::Text(names) => nearest(label, known(names).iter().map(String::as_str)),
            Levels::Integer { .. } => None,
        };
        Error::UnknownLevel { variable: self.name.clone(), name: label.to_string(), suggestion, available: names }
    }

    /// The levels that a label names: a band of integers, as far as it is within the variable's range, or one level; and
    /// whether the band reaches beyond the range.
    pub(crate) fn named(&self, label: &str) -> Result<(std::ops::Range<usize>, bool)> {
        if let Some(band) = self.band(label) {
            return Ok(band);
        }
        let level = self.level(label).ok_or_else(|| self.unknown_level(label))?;
        Ok((level..level + 1, false))
    }

    /// The levels of a band such as `25-34`, `85+` or `20`. `None` if it is not a band of integers.
    /// The second value says whether the band reaches beyond the variable's range.
    pub(crate) fn band(&self, text: &str) -> Option<(std::ops::Range<usize>, bool)> {
        let Levels::Integer { min, max } = self.levels else {
            return None;
        };
        let (low, high) = parse_band(text)?;
        let high = high.unwrap_or(max);
        if high < min || low > max {
            return Some((0..0, true));
        }
        let straddles = low < min || high > max;
        Some(((low.max(min) - min) as usize..(high.min(max) - min + 1) as usize, straddles))
    }
}

/// `25-34` → (25, Some(34)); `85+` → (85, None); `20` → (20, Some(20)). Negative bounds are written `-5-4`.
pub(crate) fn parse_band(text: &str) -> Option<(i32, Option<i32>)> {
    let text = text.trim();
    if let Some(low) = text.strip_suffix('+') {
        return Some((low.parse().ok()?, None));
    }
    if let Ok(value) = text.parse() {
        return Some((value, Some(value)));
    }
    let dash = text.get(1..)?.find('-')? + 1;
    let (low, high) = (text[..dash].parse().ok()?, text[dash + 1..].parse().ok()?);
    (low <= high).then_some((low, Some(high)))
}

/// Finds a variable by name.
pub(crate) fn find(variables: &[Variable], name: &str) -> Result<usize> {
    variables.iter().position(|v| v.name == name).ok_or_else(|| {
        let visible = || variables.iter().filter(|v| !v.hidden).map(|v| v.name.as_str());
        Error::UnknownVariable {
            name: name.to_string(),
            suggestion: nearest(name, visible()),
            available: visible().map(String::from).collect(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names are texts, and strings for whoever asks for them.
    #[test]
    fn names_are_a_slice_too() {
        let names: Names = ["one", "two", "three"].into_iter().collect();
        let levels = Levels::Text(names.clone());
        let Levels::Text(of) = &levels else { panic!() };
        assert_eq!(
            (of.join(", "), of[..2].join("-"), of.to_vec().len()),
            ("one, two, three".into(), "one-two".into(), 3)
        );
        assert_eq!(of.iter().map(String::as_str).collect::<Vec<_>>(), names.texts().collect::<Vec<_>>());
        assert_eq!((names.text(2), names.text(3), names.is_empty()), (Some("three"), None, false));
        assert_eq!(Levels::Text(names.to_vec().into()), levels);
        let variable = Variable::new("v".into(), String::new(), levels, false, None);
        let found: Vec<Option<usize>> = ["three", "one", "four"].iter().map(|name| variable.level(name)).collect();
        assert_eq!(found, [Some(2), Some(0), None]);
        assert!(variable.levels_differ());
        let twice = Levels::Text(["a", "b", "a"].into_iter().collect());
        assert!(!Variable::new("v".into(), String::new(), twice, false, None).levels_differ());
    }

    #[test]
    fn bands_parse() {
        assert_eq!(parse_band("25-34"), Some((25, Some(34))));
        assert_eq!(parse_band("85+"), Some((85, None)));
        assert_eq!(parse_band("20"), Some((20, Some(20))));
        assert_eq!(parse_band("-5-4"), Some((-5, Some(4))));
        assert_eq!(parse_band("34-25"), None);
        assert_eq!(parse_band("old"), None);
        assert_eq!(parse_band(""), None);
        assert_eq!(parse_band("é-3"), None);
    }

    #[test]
    fn bands_clip_to_the_range() {
        let age = Variable::new("age".into(), String::new(), Levels::Integer { min: 18, max: 100 }, false, None);
        assert_eq!(age.band("0-17"), Some((0..0, true)));
        assert_eq!(age.band("15-19"), Some((0..2, true)));
        assert_eq!(age.band("85+"), Some((67..83, false)));
        assert_eq!(age.level("18"), Some(0));
        assert_eq!(age.level("17"), None);
    }
}

//! The synchronous core: one text of one kind from the facts of one person.

use std::sync::LazyLock;

use populace_udfs::NARRATIVES;
use serde_json::{Map, Value};

use super::grammar::Grammar;
use super::person::Person;

static GRAMMAR: LazyLock<Grammar> = LazyLock::new(|| {
    Grammar::parse(&[
        include_str!("temperament.txt"),
        include_str!("duties.txt"),
        include_str!("titles.txt"),
        include_str!("life.txt"),
        include_str!("professional.txt"),
        include_str!("sports.txt"),
        include_str!("arts.txt"),
        include_str!("travel.txt"),
        include_str!("culinary.txt"),
        include_str!("persona.txt"),
        include_str!("culture.txt"),
        include_str!("skilled.txt"),
        include_str!("leisure.txt"),
        include_str!("career.txt"),
    ])
});

/// Writes the text of a kind from the facts of a person, the same text for the same facts.
///
/// # Errors
/// Where the kind is not one of [`NARRATIVES`].
pub fn write(kind: &str, facts: &Map<String, Value>) -> Result<String, String> {
    let symbol = NARRATIVES
        .iter()
        .find(|k| **k == kind)
        .ok_or_else(|| format!("the outline narrator does not write {kind:?}; it writes {}", NARRATIVES.join(", ")))?;
    let seed = seed(kind, facts);
    GRAMMAR
        .write(symbol, &Person::new(facts, seed >> 32), seed)
        .ok_or_else(|| format!("the facts given are too few for {kind:?}; pass the columns of the row"))
}

/// The key of a text: the person's uuid where it is known, else every fact, and the kind.
fn seed(kind: &str, facts: &Map<String, Value>) -> u64 {
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    hash.add(kind);
    match facts.get("uuid").and_then(Value::as_str) {
        Some(uuid) => hash.add(uuid),
        None => {
            // By name, so that the order of the columns does not matter.
            let mut sorted: Vec<_> = facts.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            for (name, value) in sorted {
                hash.add(name);
                hash.add(&value.to_string());
            }
        }
    }
    hash.0
}

/// FNV-1a, 64 bits.
struct Fnv(u64);

impl Fnv {
    fn add(&mut self, text: &str) {
        for byte in text.bytes().chain([0]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

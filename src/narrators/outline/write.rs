//! The synchronous core: one text of one kind from the facts of one person, by the outline of the person's country.

use std::sync::Arc;

use populace_udfs::{LANGUAGE, language_of};
use serde_json::{Map, Value};

use super::read::Outline;
use crate::packs;

/// Writes the text of a kind from the facts of a person, the same text for the same facts: in the language that the
/// row says (`narrative_language`), or else that of the country.
///
/// # Errors
/// Where the country has no outline, or none in this language, where it has no such kind, or the facts are too few.
pub fn write(kind: &str, facts: &Map<String, Value>) -> Result<String, String> {
    outline(facts)?.write(kind, facts)
}

/// The outline for a person: that of the pack that the row was drawn from, or else of its country, or else the USA's.
fn outline(facts: &Map<String, Value>) -> Result<Arc<Outline>, String> {
    packs::outline(&packs::country_of(facts)?, language_of(facts))
}

/// Columns that say where a row comes from, not who the person is.
const ORIGIN: [&str; 3] = ["pack", "country", LANGUAGE];

/// The key of a text: the person's uuid where it is known, else every fact, and the kind.
pub(super) fn seed(kind: &str, facts: &Map<String, Value>) -> u64 {
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    hash.add(kind);
    match facts.get("uuid").and_then(Value::as_str) {
        Some(uuid) => hash.add(uuid),
        None => {
            // By name, so that the order of the columns does not matter.
            let mut sorted: Vec<_> = facts.iter().filter(|(name, _)| !ORIGIN.contains(&name.as_str())).collect();
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

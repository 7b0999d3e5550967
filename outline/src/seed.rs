//! The key of what is drawn for a text.

use serde_json::{Map, Value};

/// Columns that say where a row comes from, not who the person is.
const ORIGIN: [&str; 3] = ["pack", "country", "narrative_language"];

/// The key of a text: the person's uuid where it is known, else every fact, and the kind.
pub(crate) fn seed(kind: &str, facts: &Map<String, Value>) -> u64 {
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

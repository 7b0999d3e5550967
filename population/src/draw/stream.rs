//! Who is drawn: the keys of all words of a stream.
//!
//! A stream is a pack's name and edition, a seed, the canonical evidence and the margins that it is drawn to. The word of a variable in a row depends on
//! the variable's *name* and the row alone: a table that is fitted anew, a new variable, another order of drawing leave
//! everybody's other words as they are. Evidence is part of the stream: the same seed under other evidence gives other
//! people, not the same ones bent to fit, so that samples of several strata may share a seed and still be independent.

use crate::model::philox;
use crate::pack::Pack;

/// What the hash is of, and of which way to hash it.
const DOMAIN: &str = "populace 2026-11 stream v1";

/// The keys of one stream, of Philox4x32.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Of each variable, by its index.
    pub variables: Vec<[u32; 2]>,
    /// Of each list.
    pub lists: Vec<[u32; 2]>,
    pub uuid: [u32; 2],
    /// Of the case of the evidence.
    pub case: [u32; 2],
}

impl Stream {
    pub fn new(pack: &Pack, seed: u64, canonical: &[u8]) -> Stream {
        let mut hasher = blake3::Hasher::new_derive_key(DOMAIN);
        text(&mut hasher, pack.name());
        hasher.update(&pack.edition().to_le_bytes()).update(&seed.to_le_bytes());
        hasher.update(&(canonical.len() as u64).to_le_bytes()).update(canonical);
        let stream = *hasher.finalize().as_bytes();
        let key = |kind: &str, name: &str| {
            let mut hasher = blake3::Hasher::new_keyed(&stream);
            text(&mut hasher, kind);
            text(&mut hasher, name);
            two_words(&hasher.finalize())
        };
        Stream {
            variables: pack.variables().iter().map(|v| key("variable", &v.name)).collect(),
            lists: pack.list_names().map(|l| key("list", l)).collect(),
            uuid: key("uuid", ""),
            case: key("case", ""),
        }
    }
}

/// What the hash of a person's key is of.
const PERSON: &str = "populace 2026-11 person v1";

/// What a random number of a person is for: numbers for different uses are independent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// A fact that is not known
    Completion,
    /// Where within its level a known fact was drawn
    Abduction,
    /// When the first level of a race arrived, and when the others did
    First,
    Others,
    Items,
    /// Somebody by whom it is decided how others are drawn
    Pilot,
}

/// The random numbers of somebody who is known by a key, not by a row of a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noise([u32; 2]);

impl Noise {
    pub fn new(seed: u64, key: &[u8]) -> Noise {
        let mut hasher = blake3::Hasher::new_derive_key(PERSON);
        Noise(two_words(&hasher.update(&seed.to_le_bytes()).update(key).finalize()))
    }

    /// Four words for a use of a name, as [`named`] has it.
    pub fn block(self, name: [u32; 2], lane: u32, what: Use) -> [u32; 4] {
        philox::block([name[0], name[1], lane, what as u32], self.0)
    }

    /// A waiting time of mean 1.
    pub fn exponential(self, name: [u32; 2], what: Use) -> f64 {
        let [high, low, ..] = self.block(name, 0, what);
        let bits = (u64::from(high) << 32 | u64::from(low)) >> 11;
        -((bits as f64 + 0.5) / (1u64 << 53) as f64).ln()
    }
}

/// Texts as two words.
pub(crate) fn named(texts: &[&str]) -> [u32; 2] {
    let mut hasher = blake3::Hasher::new();
    texts.iter().for_each(|t| text(&mut hasher, t));
    two_words(&hasher.finalize())
}

fn two_words(hash: &blake3::Hash) -> [u32; 2] {
    let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| hash.as_bytes()[at + i]));
    [word(0), word(4)]
}

/// Adds a text, its length first, so that no two lists of texts are the same bytes.
pub(crate) fn text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u32).to_le_bytes()).update(text.as_bytes());
}

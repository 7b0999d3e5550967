//! Who is drawn: the keys of all words of a stream.
//!
//! A stream is a pack's name and edition, a seed and the canonical evidence. The word of a variable in a row depends on
//! the variable's *name* and the row alone: a table that is fitted anew, a new variable, another order of drawing leave
//! everybody's other words as they are. Evidence is part of the stream: the same seed under other evidence gives other
//! people, not the same ones bent to fit, so that samples of several strata may share a seed and still be independent.

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
            let hash = hasher.finalize();
            let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| hash.as_bytes()[at + i]));
            [word(0), word(4)]
        };
        Stream {
            variables: pack.variables().iter().map(|v| key("variable", &v.name)).collect(),
            lists: pack.list_names().map(|l| key("list", l)).collect(),
            uuid: key("uuid", ""),
            case: key("case", ""),
        }
    }
}

/// Adds a text, its length first, so that no two lists of texts are the same bytes.
fn text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u32).to_le_bytes()).update(text.as_bytes());
}

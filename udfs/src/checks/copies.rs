//! Texts that are near-copies of others, by MinHash.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Hash functions; the estimate's standard error is about 1 / √64 = 0.125 of the similarity's range at worst.
const HASHES: usize = 64;

/// Bands of four: two texts of Jaccard similarity s meet in one of them with probability 1 − (1 − s⁴)¹⁶, which is
/// 0.9998 at s = 0.8 and 0.64 at s = 0.5.
const BAND: usize = 4;

/// Words that are looked at together.
const SHINGLE: usize = 3;

/// From this estimated similarity on, a text is a copy.
const COPY: f64 = 0.8;

/// Finds near-copies among texts, by their shingles of three words (Broder 1997, "On the resemblance and containment of
/// documents"; banding as in Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", 3.4).
#[derive(Debug)]
pub struct Copies {
    threshold: f64,
    signatures: Vec<(String, [u32; HASHES])>,
    bands: HashMap<(usize, u64), Vec<u32>>,
}

impl Default for Copies {
    fn default() -> Copies {
        Copies::above(COPY)
    }
}

impl Copies {
    /// Those of at least such a similarity, from 0.5 on.
    pub fn above(threshold: f64) -> Copies {
        Copies { threshold, signatures: vec![], bands: HashMap::new() }
    }

    /// Adds a text; the key and similarity of the earlier text that it nearly copies, if there is one. `masked` are
    /// words that do not count, such as the person's names.
    pub fn add(&mut self, key: &str, text: &str, masked: &[&str]) -> Option<(String, f64)> {
        let signature = signature(text, masked)?;
        let mut best: Option<(usize, f64)> = None;
        for (band, part) in signature.chunks(BAND).enumerate() {
            let mut hasher = DefaultHasher::new();
            part.hash(&mut hasher);
            let bucket = self.bands.entry((band, hasher.finish())).or_default();
            for other in bucket.iter() {
                let equal = self.signatures[*other as usize].1.iter().zip(&signature).filter(|(a, b)| a == b).count();
                let similarity = equal as f64 / HASHES as f64;
                if similarity >= self.threshold && best.is_none_or(|(_, s)| similarity > s) {
                    best = Some((*other as usize, similarity));
                }
            }
            // A crowd of alike texts is told by its first few.
            if bucket.len() < 32 {
                bucket.push(self.signatures.len() as u32);
            }
        }
        self.signatures.push((key.to_string(), signature));
        best.map(|(at, similarity)| (self.signatures[at].0.clone(), similarity))
    }
}

/// The least of each hash function over the shingles; nothing for a text without any.
fn signature(text: &str, masked: &[&str]) -> Option<[u32; HASHES]> {
    let words: Vec<String> = super::words(text)
        .map(|w| if masked.iter().any(|m| m.eq_ignore_ascii_case(w)) { "_".into() } else { w.to_lowercase() })
        .collect();
    let mut least = [u32::MAX; HASHES];
    for shingle in words.windows(SHINGLE) {
        let mut hasher = DefaultHasher::new();
        shingle.hash(&mut hasher);
        let hash = hasher.finish();
        for (i, least) in least.iter_mut().enumerate() {
            // Multiply and shift: a family of hash functions out of one.
            let odd = (2 * i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let mixed = (hash ^ odd.rotate_left(17)).wrapping_mul(odd | 1);
            *least = (*least).min((mixed >> 32) as u32);
        }
    }
    (words.len() >= SHINGLE).then_some(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_found_and_others_left_alone() {
        let mut copies = Copies::default();
        let first = "Ada Moss keeps six hives behind the house in Dayton and sells the honey at the market every May, \
                     when the lines are longest and the jars still warm from the stove.";
        assert_eq!(copies.add("a", first, &["Ada", "Moss"]), None);
        let copy = first.replace("Ada Moss", "Bea Lund").replace("stove", "pot");
        let (of, similarity) = copies.add("b", &copy, &["Bea", "Lund"]).unwrap();
        assert!(of == "a" && similarity >= COPY, "{similarity}");
        let other = "Bea Lund repairs church organs across three counties and drives home with the windows down, \
                     humming whatever the last pipe would not stop playing.";
        assert_eq!(copies.add("c", other, &["Bea", "Lund"]), None);
        assert_eq!(copies.add("d", "two words", &[]), None);
    }
}

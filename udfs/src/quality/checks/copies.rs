//! Texts that are near-copies of others, by MinHash.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::hash::Hasher;

use rustc_hash::{FxHashMap, FxHasher};
use serde_json::{Map, Value};

use super::{Severity, Violation, Wording, names, text_of};

/// Hash functions; the estimate's standard error is about 1 / √64 = 0.125 of the similarity's range at worst.
const HASHES: usize = 64;

/// Bands of four: two texts of Jaccard similarity s meet in one of them with probability 1 − (1 − s⁴)¹⁶, which is
/// 0.9998 at s = 0.8 and 0.64 at s = 0.5.
const BAND: usize = 4;
const BANDS: usize = HASHES / BAND;

/// Words that are looked at together, or characters where words are not parted.
const SHINGLE: (usize, usize) = (3, 6);

/// From this estimated similarity on, a text is a copy.
const COPY: f64 = 0.8;

/// A crowd of alike texts is told by the last few of it.
const CROWD: usize = 32;

/// The last bits of each least hash: two that differ seem alike once in 65,536 times (Li and König 2010, "b-bit minwise
/// hashing").
type Signature = [u16; HASHES];

/// What stands in each band, as one number with the band.
type Bands = [u32; BANDS];

/// A text about a person, as others are compared with it.
#[derive(Debug)]
pub struct Likeness {
    /// Whose text it is
    key: String,
    signature: Signature,
    bands: Bands,
}

impl Likeness {
    /// Nothing for a text that is too short to say.
    pub fn of((text, wording): (&str, &Wording), facts: &Map<String, Value>) -> Option<Likeness> {
        let names = names(facts);
        let signature = signature(text, wording, &names)?;
        let key = text_of(facts, "uuid").map_or_else(|| names.join(" "), String::from);
        Some(Likeness { key, signature, bands: bands(&signature) })
    }
}

/// Finds near-copies among texts, by their shingles of three words (Broder 1997, "On the resemblance and containment of
/// documents"; banding as in Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", 3.4).
#[derive(Debug)]
pub struct Copies {
    threshold: f64,
    /// The most texts that are held
    most: usize,
    held: VecDeque<Held>,
    /// The number of the first text that is held; they are counted from 1
    first: u32,
    /// By band and what stands in it, the number of the latest text that has it
    bands: FxHashMap<u32, u32>,
}

#[derive(Debug)]
struct Held {
    key: String,
    signature: Signature,
    /// For each band, the text before this one that has the same in it, or 0
    before: [u32; BANDS],
}

impl Default for Copies {
    fn default() -> Copies {
        Copies::above(COPY)
    }
}

impl Copies {
    /// Those of at least such a similarity, from 0.5 on.
    pub fn above(threshold: f64) -> Copies {
        Copies { threshold, most: usize::MAX, held: VecDeque::new(), first: 1, bands: FxHashMap::default() }
    }

    /// Those among the latest so many texts, in about 500 bytes for each.
    pub fn among_latest(texts: usize) -> Copies {
        Copies { most: texts.max(1), ..Copies::default() }
    }

    /// Adds a text; the key and similarity of the earlier text that it nearly copies, if there is one. `masked` are
    /// words that do not count, such as the person's names.
    pub fn add(&mut self, key: &str, text: &str, masked: &[&str]) -> Option<(String, f64)> {
        let signature = signature(text, &Wording::of(text), masked)?;
        let bands = bands(&signature);
        let copied = self.nearest(&signature, &bands, "").map(|(held, similarity)| (held.key.clone(), similarity));
        self.hold(key, signature, &bands);
        copied
    }

    /// Whether a text about a person nearly copies one about another. Nobody copies themselves.
    pub fn copied(&self, Likeness { key, signature, bands }: &Likeness) -> Option<Violation> {
        let (held, similarity) = self.nearest(signature, bands, key)?;
        let whose = if held.key.is_empty() { "another person's" } else { held.key.as_str() };
        let detail = format!("nearly the text of {whose} (similarity {similarity:.2})");
        Some(Violation { check: "copy", severity: Severity::Error, detail })
    }

    /// Holds a text about a person, for others to be compared with.
    pub fn note(&mut self, Likeness { key, signature, bands }: &Likeness) {
        if !self.holds(key, signature, bands) {
            self.hold(key, *signature, bands);
        }
    }

    /// The text most like one, of those that are alike enough and not of the same key, and how alike they are.
    fn nearest(&self, signature: &Signature, bands: &Bands, own: &str) -> Option<(&Held, f64)> {
        let mut best: Option<(&Held, f64)> = None;
        for (at, band) in bands.iter().enumerate() {
            let mut next = self.bands.get(band).copied().unwrap_or(0);
            for _ in 0..CROWD {
                let Some(held) = self.held(next) else { break };
                next = held.before[at];
                let equal = held.signature.iter().zip(signature).filter(|(a, b)| a == b).count();
                let similarity = equal as f64 / HASHES as f64;
                let is_other = own.is_empty() || held.key != own;
                // Of equals, the first that was written.
                if is_other && similarity >= self.threshold && best.is_none_or(|(_, s)| similarity >= s) {
                    best = Some((held, similarity));
                }
            }
        }
        best
    }

    /// Whether the latest of the texts that are like this one is this one.
    fn holds(&self, key: &str, signature: &Signature, bands: &Bands) -> bool {
        let latest = self.bands.get(&bands[0]).and_then(|number| self.held(*number));
        latest.is_some_and(|held| held.key == key && held.signature == *signature)
    }

    fn held(&self, number: u32) -> Option<&Held> {
        self.held.get(number.checked_sub(self.first)? as usize)
    }

    fn hold(&mut self, key: &str, signature: Signature, bands: &Bands) {
        while self.held.len() >= self.most
            && let Some(oldest) = self.held.pop_front()
        {
            for band in self::bands(&oldest.signature) {
                if self.bands.get(&band) == Some(&self.first) {
                    self.bands.remove(&band);
                }
            }
            self.first += 1;
        }
        let number = self.first + self.held.len() as u32;
        let mut before = [0; BANDS];
        for (before, band) in before.iter_mut().zip(bands) {
            *before = self.bands.insert(*band, number).unwrap_or(0);
        }
        self.held.push_back(Held { key: key.to_string(), signature, before });
    }
}

fn bands(signature: &Signature) -> Bands {
    let mut bands = [0; BANDS];
    for (at, (band, rows)) in bands.iter_mut().zip(signature.chunks(BAND)).enumerate() {
        let mut hasher = FxHasher::default();
        hasher.write_usize(at);
        rows.iter().for_each(|row| hasher.write_u16(*row));
        *band = hasher.finish() as u32;
    }
    bands
}

/// The least of each hash function over the shingles; nothing for a text without any.
fn signature(text: &str, wording: &Wording, masked: &[&str]) -> Option<Signature> {
    let wording = if wording.is_unparted() {
        let mask = |text: Cow<str>, name: &&str| Cow::Owned(text.replace(*name, " "));
        let text = masked.iter().filter(|name| !name.is_empty()).fold(Cow::Borrowed(text), mask);
        Wording::parted(&text, true)
    } else {
        let masked: Vec<u64> = masked.iter().flat_map(|name| Wording::parted(name, false).into_words()).collect();
        wording.masked(&masked)
    };
    let (mut least, mut any) = ([u32::MAX; HASHES], false);
    for hash in wording.runs(SHINGLE) {
        any = true;
        for (i, least) in least.iter_mut().enumerate() {
            // Multiply and shift: a family of hash functions out of one.
            let odd = (2 * i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let mixed = (hash ^ odd.rotate_left(17)).wrapping_mul(odd | 1);
            *least = (*least).min((mixed >> 32) as u32);
        }
    }
    any.then(|| least.map(|least| least as u16))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FIRST: &str = "Ada Moss keeps six hives behind the house in Dayton and sells the honey at the market every \
                         May, when the lines are longest and the jars still warm from the stove.";

    fn facts(uuid: &str, first: &str, last: &str) -> Map<String, Value> {
        json!({ "uuid": uuid, "first_name": first, "last_name": last }).as_object().unwrap().clone()
    }

    fn likeness(text: &str, facts: &Map<String, Value>) -> Likeness {
        Likeness::of((text, &Wording::of(text)), facts).unwrap()
    }

    /// Holds what is no copy.
    fn check(copies: &mut Copies, text: &str, facts: &Map<String, Value>) -> Option<Violation> {
        let text = likeness(text, facts);
        let copied = copies.copied(&text);
        if copied.is_none() {
            copies.note(&text);
        }
        copied
    }

    #[test]
    fn copies_are_found_and_others_left_alone() {
        let mut copies = Copies::default();
        assert_eq!(copies.add("a", FIRST, &["Ada", "Moss"]), None);
        let copy = FIRST.replace("Ada Moss", "Bea Lund").replace("stove", "pot");
        let (of, similarity) = copies.add("b", &copy, &["Bea", "Lund"]).unwrap();
        assert!(of == "a" && similarity >= COPY, "{similarity}");
        let other = "Bea Lund repairs church organs across three counties and drives home with the windows down, \
                     humming whatever the last pipe would not stop playing.";
        assert_eq!(copies.add("c", other, &["Bea", "Lund"]), None);
        assert_eq!(copies.add("d", "two words", &[]), None);
    }

    #[test]
    fn copies_are_found_where_words_are_not_parted() {
        let mut copies = Copies::default();
        let first = "佐藤葵さんは横浜の病院に勤め、週末は海辺を歩き、帰りに魚を買って妹の家に寄り、二人で夕飯を作る。";
        assert_eq!(copies.add("a", first, &["佐藤", "葵"]), None);
        let copy = first.replace("佐藤葵", "高橋蓮");
        assert_eq!(copies.add("b", &copy, &["高橋", "蓮"]).map(|(of, _)| of).as_deref(), Some("a"));
        let other = "高橋蓮さんは長野で林檎を育て、冬は古い時計を直し、雪の止んだ朝には孫を連れて駅まで歩いて行く。";
        assert_eq!(copies.add("c", other, &["高橋", "蓮"]), None);
    }

    #[test]
    fn nobody_copies_themselves_and_what_is_refused_is_not_held() {
        let mut copies = Copies::default();
        let (ada, bea, cleo) = (facts("a", "Ada", "Moss"), facts("b", "Bea", "Lund"), facts("c", "Cleo", "Day"));
        assert_eq!(check(&mut copies, FIRST, &ada), None);
        assert_eq!(check(&mut copies, FIRST, &ada), None);
        let of_bea = FIRST.replace("Ada Moss", "Bea Lund");
        let copied = check(&mut copies, &of_bea, &bea).unwrap();
        assert_eq!((copied.check, copied.severity), ("copy", Severity::Error));
        assert!(copied.detail.starts_with("nearly the text of a (similarity 1.00"), "{}", copied.detail);
        // Of two alike, the first.
        copies.note(&likeness(&of_bea, &bea));
        let copied = check(&mut copies, &FIRST.replace("Ada Moss", "Cleo Day"), &cleo).unwrap();
        assert!(copied.detail.contains("text of a "), "{}", copied.detail);
    }

    #[test]
    fn the_latest_texts_alone_may_be_held() {
        let mut copies = Copies::among_latest(3);
        let about = |name: &str| facts(name, name, "Moss");
        assert_eq!(check(&mut copies, FIRST, &about("Ada")), None);
        for (name, text) in [
            (
                "Bea",
                "Bea repairs church organs across three counties, and hums what the last pipe would not stop playing.",
            ),
            (
                "Cleo",
                "Cleo runs the night ferry, knows every buoy by its cough, and paints small harbours from memory.",
            ),
        ] {
            assert_eq!(check(&mut copies, text, &about(name)), None);
        }
        assert!(check(&mut copies, &FIRST.replace("Ada", "Dot"), &about("Dot")).is_some());
        let fourth =
            "Eve counts herons for the county, and writes each number on the back of an old ticket to the fair.";
        assert_eq!(check(&mut copies, fourth, &about("Eve")), None);
        // The first was let go for the fourth.
        assert_eq!(check(&mut copies, &FIRST.replace("Ada", "Dot"), &about("Dot")), None);
        assert_eq!((copies.held.len(), copies.bands.len() <= 3 * BANDS), (3, true));
    }
}

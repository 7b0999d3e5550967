//! Texts as numbers, to be compared with others.

use std::hash::Hasher;

use rustc_hash::FxHasher;

use super::words;

/// The words of a text in small letters, or its letters where words are not parted by spaces, each as a number.
#[derive(Debug, Clone)]
pub struct Wording {
    words: Vec<u64>,
    unparted: bool,
}

impl Wording {
    pub fn of(text: &str) -> Wording {
        Wording::parted(text, is_unparted(text))
    }

    /// Of a text whose words are said to be parted by spaces, or not.
    pub(super) fn parted(text: &str, unparted: bool) -> Wording {
        let words = match unparted {
            true => text.chars().filter(|c| c.is_alphanumeric()).map(|c| number([c])).collect(),
            false => words(text).map(|word| number(word.chars())).collect(),
        };
        Wording { words, unparted }
    }

    pub(super) fn is_unparted(&self) -> bool {
        self.unparted
    }

    /// The runs of so many words, or letters, each as a number.
    pub(super) fn runs(&self, (of_words, of_letters): (usize, usize)) -> impl Iterator<Item = u64> {
        let length = if self.unparted { of_letters } else { of_words };
        self.words.windows(length).map(|run| {
            let mut hasher = FxHasher::default();
            run.iter().for_each(|word| hasher.write_u64(*word));
            hasher.finish()
        })
    }

    /// The same text, all words that are also of another as if they were one word.
    pub(super) fn masked(&self, others: &[u64]) -> Wording {
        let mask = |word: &u64| if others.contains(word) { 0 } else { *word };
        Wording { words: self.words.iter().map(mask).collect(), unparted: self.unparted }
    }

    pub(super) fn into_words(self) -> Vec<u64> {
        self.words
    }
}

fn number(word: impl IntoIterator<Item = char>) -> u64 {
    let mut hasher = FxHasher::default();
    for c in word {
        match c.is_ascii() {
            true => hasher.write_u32(c.to_ascii_lowercase().into()),
            false => c.to_lowercase().for_each(|c| hasher.write_u32(c.into())),
        }
    }
    hasher.finish()
}

/// Whether most letters of a text are of scripts that do not part words by spaces: those of Thailand, Laos, Myanmar,
/// Cambodia, Japan and China.
fn is_unparted(text: &str) -> bool {
    let unparted = |c: char| matches!(u32::from(c), 0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x3040..=0x30FF | 0x3400..=0x9FFF);
    let (mut those, mut all) = (0, 0);
    if !text.is_ascii() {
        for c in text.chars().filter(|c| c.is_alphabetic()) {
            all += 1;
            those += usize::from(unparted(c));
        }
    }
    those * 2 > all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_by_their_script() {
        let (english, japanese) = (Wording::of("Ada keeps BEES, and Bees keep Ada."), Wording::of("葵は海辺を歩く。"));
        assert_eq!((english.words.len(), english.unparted), (7, false));
        assert_eq!((japanese.words.len(), japanese.unparted), (7, true));
        let runs: Vec<u64> = english.runs((1, 1)).collect();
        assert!(runs[2] == runs[4] && runs[0] == runs[6] && runs[1] != runs[5]);
        assert_eq!(
            Wording::of("ÉLAN").runs((1, 1)).collect::<Vec<_>>(),
            Wording::of("élan").runs((1, 1)).collect::<Vec<_>>()
        );
        assert_eq!(Wording::of("").runs((3, 6)).count(), 0);
    }
}

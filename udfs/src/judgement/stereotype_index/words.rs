//! The words of a text that may tell something of a person without saying it.

use std::collections::HashSet;

use unicode_segmentation::UnicodeSegmentation;

/// Words that give sex away by grammar alone: pronouns and titles, in the languages of the packs that have them.
const GRAMMAR: [&str; 31] = [
    "he",
    "she",
    "him",
    "her",
    "his",
    "hers",
    "himself",
    "herself",
    "mr",
    "mrs",
    "ms",
    "miss",
    "sir",
    "madam",
    "ma'am",
    "mister",
    "ele",
    "ela",
    "eles",
    "elas",
    "dele",
    "dela",
    "deles",
    "delas",
    "sr",
    "sra",
    "senhor",
    "senhora",
    "彼",
    "彼女",
    "दीदी",
];

/// The words of a text: those of Unicode in small letters, up to an apostrophe, with a letter in them.
pub(crate) fn words(text: &str) -> impl Iterator<Item = String> {
    text.unicode_words().filter_map(|word| {
        let stem = word.split(['\'', '’']).find(|part| part.chars().count() > 1).unwrap_or(word);
        stem.chars().any(char::is_alphabetic).then(|| stem.to_lowercase())
    })
}

/// What is left out of everybody's texts.
pub(crate) struct Ignored(HashSet<String>);

impl Ignored {
    /// Grammar, and words of one's own.
    pub fn new(own: &[String]) -> Ignored {
        let own = own.iter().flat_map(|text| words(text).collect::<Vec<_>>());
        Ignored(GRAMMAR.iter().map(|w| w.to_string()).chain(own).collect())
    }

    /// The different words of a person's text, without the person's names.
    pub fn told(&self, text: &str, names: &HashSet<String>) -> HashSet<String> {
        words(text).filter(|word| !self.0.contains(word) && !names.contains(word)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_by_itself_is_left_out() {
        let names = words("Ada O'Brien").collect();
        let told =
            Ignored::new(&["Knits".into()]).told("Ada O’Brien, 34, knits: she's her mother's 2nd nurse.", &names);
        let mut told: Vec<String> = told.into_iter().collect();
        told.sort();
        assert_eq!(told, ["2nd", "mother", "nurse"]);
    }
}

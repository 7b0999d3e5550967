//! Texts that say what they were told, or what another of the person's texts says, instead of something of their own.
//!
//! They are doubtful, not wrong: a model is asked for such a text once more, and a small one, that can do no better, is
//! not paid for trying on and on.

use std::collections::HashSet;

use super::speech::Speech;
use super::{Severity, Violation, words};

/// Words in a row that a text has of the instructions only by repeating them; characters, where words are not parted.
const RUN: (usize, usize) = (7, 18);

/// Words that are looked at together to compare two texts, or characters.
const SHINGLE: (usize, usize) = (3, 8);

/// From this part on of the shorter text's shingles, it repeats the longer one; of fewer shingles nothing is said.
const REPEATED: f64 = 0.5;
const ENOUGH: usize = 12;

/// What a model is told, by the runs of words in it.
#[derive(Debug, Default, Clone)]
pub struct Instructions {
    runs: HashSet<String>,
}

impl Instructions {
    /// Of all these texts; `language` is the one that they are in, by its code in BCP 47.
    pub fn new<'a>(told: impl IntoIterator<Item = &'a str>, language: &str) -> Instructions {
        let speech = Speech::of(language);
        Instructions { runs: told.into_iter().flat_map(|text| runs(text, speech, RUN)).collect() }
    }

    /// Whether a text repeats some of it.
    pub fn echo(&self, text: &str, language: &str) -> Option<Violation> {
        if self.runs.is_empty() {
            return None;
        }
        let echo = runs(text, Speech::of(language), RUN).find(|run| self.runs.contains(run))?;
        let detail = format!("words of the prompt itself: {echo:?}");
        Some(Violation { check: "prompt_echo", severity: Severity::Warning, detail })
    }
}

/// Whether a text about a person mostly repeats another, of those named.
pub fn repeats<'a>(
    text: &str,
    others: impl IntoIterator<Item = (&'a str, &'a str)>,
    language: &str,
) -> Option<Violation> {
    let shingles = |text: &str| -> HashSet<String> { runs(text, Speech::of(language), SHINGLE).collect() };
    let own = shingles(text);
    others.into_iter().find_map(|(name, other)| {
        let other = shingles(other);
        let least = own.len().min(other.len());
        let share = own.intersection(&other).count() as f64 / least.max(1) as f64;
        (least >= ENOUGH && share >= REPEATED).then(|| {
            let detail = format!("{} % of it stands in {name} word for word", (share * 100.0).round());
            Violation { check: "repeated_text", severity: Severity::Warning, detail }
        })
    })
}

/// The runs of so many words, or characters, in a text.
fn runs(text: &str, speech: Speech, (of_words, of_characters): (usize, usize)) -> impl Iterator<Item = String> + use<> {
    let lower = text.to_lowercase();
    let (parts, length, between): (Vec<String>, _, _) = match speech {
        Speech::Japanese => {
            let characters = lower.chars().filter(|c| c.is_alphanumeric()).map(String::from);
            (characters.collect(), of_characters, "")
        }
        _ => (words(&lower).map(String::from).collect(), of_words, " "),
    };
    (0..(parts.len() + 1).saturating_sub(length)).map(move |at| parts[at..at + length].join(between))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_prompt_are_told_from_ones_own() {
        let told =
            "How this person moves, plays or follows sport, or plainly does not: which activity, where, with whom.";
        let instructions = Instructions::new([told], "en");
        let echo = |text| instructions.echo(text, "en").map(|v| v.check);
        assert_eq!(echo("Ada moves, plays or follows sport, or plainly does not, every week."), Some("prompt_echo"));
        assert_eq!(echo("Ada follows sport on the radio, and plainly does not miss the stadium."), None);
        assert_eq!(echo(""), None);
        let instructions =
            Instructions::new(["その人がどのように体を動かし、スポーツを楽しむかを、具体的に書いてください。"], "ja");
        let echo = |text| instructions.echo(text, "ja").map(|v| v.check);
        assert_eq!(
            echo("田中さんがどのように体を動かし、スポーツを楽しむかを、具体的に書きます。"),
            Some("prompt_echo")
        );
        assert_eq!(echo("田中さんは週末になると近所の公園を走る。"), None);
    }

    #[test]
    fn one_text_is_not_another() {
        let work =
            "Ada Moss runs the night shift of a small hospital in Dayton, and keeps a list of who likes which tea.";
        let others = [("professional_persona", work)];
        let again = format!("{work} She likes it.");
        assert_eq!(repeats(&again, others, "en").map(|v| v.check), Some("repeated_text"));
        let own =
            "On Sundays Ada Moss walks to the river with her sister, who counts the herons and forgets the number.";
        assert_eq!(repeats(own, others, "en"), None);
        // Too short to say.
        assert_eq!(repeats("Ada Moss runs the night shift.", others, "en"), None);
    }
}

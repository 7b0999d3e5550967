//! Texts that say what they were told, or what another of the person's texts says, instead of something of their own.
//!
//! They are doubtful, not wrong: a model is asked for such a text once more, and a small one, that can do no better, is
//! not paid for trying on and on.

use rustc_hash::FxHashSet;

use super::speech::Speech;
use super::{Severity, Violation, Wording, words};

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
    runs: FxHashSet<u64>,
}

impl Instructions {
    /// Of all these texts; `language` is the one that they are in, by its code in BCP 47.
    pub fn new<'a>(told: impl IntoIterator<Item = &'a str>, language: &str) -> Instructions {
        let unparted = Speech::of(language) == Speech::Japanese;
        let runs = |text| Wording::parted(text, unparted).runs(RUN).collect::<Vec<_>>();
        Instructions { runs: told.into_iter().flat_map(runs).collect() }
    }

    /// Whether a text of such wording repeats some of it.
    pub fn echo(&self, text: &str, wording: &Wording) -> Option<Violation> {
        if self.runs.is_empty() {
            return None;
        }
        let at = wording.runs(RUN).position(|run| self.runs.contains(&run))?;
        let echo: String = match wording.is_unparted() {
            true => text.chars().filter(|c| c.is_alphanumeric()).skip(at).take(RUN.1).collect(),
            false => words(text).skip(at).take(RUN.0).collect::<Vec<_>>().join(" "),
        };
        let detail = format!("words of the prompt itself: {echo:?}");
        Some(Violation { check: "prompt_echo", severity: Severity::Warning, detail })
    }
}

/// What two texts are compared by: made once for each, however many it is compared with.
#[derive(Debug, Clone)]
pub struct Shingles(FxHashSet<u64>);

impl Shingles {
    pub fn of(wording: &Wording) -> Shingles {
        Shingles(wording.runs(SHINGLE).collect())
    }

    /// Whether the text about a person mostly repeats another, of those named.
    pub fn repeat<'a>(&self, others: impl IntoIterator<Item = (&'a str, &'a Shingles)>) -> Option<Violation> {
        others.into_iter().find_map(|(name, other)| {
            let least = self.0.len().min(other.0.len());
            let share = self.0.intersection(&other.0).count() as f64 / least.max(1) as f64;
            (least >= ENOUGH && share >= REPEATED).then(|| {
                let detail = format!("{} % of it stands in {name} word for word", (share * 100.0).round());
                Violation { check: "repeated_text", severity: Severity::Warning, detail }
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_prompt_are_told_from_ones_own() {
        let told =
            "How this person moves, plays or follows sport, or plainly does not: which activity, where, with whom.";
        let instructions = Instructions::new([told], "en");
        let echo = |text| instructions.echo(text, &Wording::of(text)).map(|v| v.check);
        assert_eq!(echo("Ada moves, plays or follows sport, or plainly does not, every week."), Some("prompt_echo"));
        assert_eq!(echo("Ada follows sport on the radio, and plainly does not miss the stadium."), None);
        assert_eq!(echo(""), None);
        let instructions =
            Instructions::new(["その人がどのように体を動かし、スポーツを楽しむかを、具体的に書いてください。"], "ja");
        let echo = |text| instructions.echo(text, &Wording::of(text)).map(|v| v.check);
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
        let shingles = |text: &str| Shingles::of(&Wording::of(text));
        let first = shingles(work);
        let others = [("professional_persona", &first)];
        let again = format!("{work} She likes it.");
        assert_eq!(shingles(&again).repeat(others).map(|v| v.check), Some("repeated_text"));
        let own =
            "On Sundays Ada Moss walks to the river with her sister, who counts the herons and forgets the number.";
        assert_eq!(shingles(own).repeat(others), None);
        // Too short to say.
        assert_eq!(shingles("Ada Moss runs the night shift.").repeat(others), None);
    }
}

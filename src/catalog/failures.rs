//! Why calls failed, in so many words for all people.

use std::collections::HashMap;

/// Failures that are told.
const TOLD: usize = 5;

/// How often each failure happened.
#[derive(Debug, Clone, Default)]
pub struct Failures(HashMap<String, u64>);

impl Failures {
    /// Counts an error so many times: what is wrong with each text by itself, and only by the check that it failed.
    pub fn add(&mut self, error: &str, times: u64) {
        for reason in reasons(error) {
            *self.0.entry(reason).or_default() += times;
        }
    }

    /// The commonest ones first, with how often each happened.
    pub fn commonest(&self) -> Vec<(String, u64)> {
        let mut failures: Vec<(String, u64)> = self.0.iter().map(|(reason, count)| (reason.clone(), *count)).collect();
        failures.sort_by(|(a, n), (b, m)| m.cmp(n).then(a.cmp(b)));
        failures.truncate(TOLD);
        failures
    }
}

/// What an error says that it would of other people too. Texts are told as `narrative: check: what of this person`, with
/// semicolons between them.
fn reasons(error: &str) -> Vec<String> {
    let is_name = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let of_text = |text: &str| match text.splitn(3, ": ").collect::<Vec<_>>()[..] {
        [narrative, check, _] if is_name(narrative) && is_name(check) => Some(format!("{narrative}: {check}")),
        _ => None,
    };
    let mut parts = error.split("; ");
    let Some(first) = parts.next().and_then(of_text) else { return vec![error.to_string()] };
    // What is said of a person may have semicolons of its own.
    std::iter::once(first).chain(parts.filter_map(of_text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_by_check() {
        let mut failures = Failures::default();
        failures.add("persona: name_missing: neither Brian nor Howington is named", 1);
        failures
            .add("persona: name_missing: neither Hayley; nor Mansour is named; arts_persona: too_short: 3 words", 2);
        failures.add("the server is overloaded: try again; later", 1);
        failures.add("text: no text came", 4);
        let told: Vec<(String, u64)> = [
            ("text: no text came", 4),
            ("persona: name_missing", 3),
            ("arts_persona: too_short", 2),
            ("the server is overloaded: try again; later", 1),
        ]
        .map(|(reason, count)| (reason.to_string(), count))
        .into();
        assert_eq!(failures.commonest(), told);
    }
}

//! Where a text says that the person lives, beside where that is.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

use super::vocabulary::Vocabulary;
use super::{Severity, Violation, pattern, text_of};

/// A claim of residence: what follows is a name, and perhaps the region that it lies in.
static LIVES: LazyLock<Regex> = LazyLock::new(|| {
    let place = r"[A-Z][\w.'’-]*(?: (?:(?:of|the|de|la|las|los|del|du) )?[A-Z][\w.'’-]*)*";
    pattern(&format!(
        r"\b(?:lives?|living|resides?|residing|is based|is settled|is at home|makes (?:his|her) home)\b(?: [\w'’-]+){{0,6}}? in ({place})(?:, ({place}))?"
    ))
});

pub(super) fn place(text: &str, facts: &Map<String, Value>, vocabulary: &Vocabulary) -> Option<Violation> {
    let own: Vec<&str> = ["city", "county", "state", "country"].iter().filter_map(|n| text_of(facts, n)).collect();
    if own.is_empty() {
        return None;
    }
    let state = text_of(facts, "state");
    let is_own = |place: &str| own.iter().any(|o| *o == place || (o.starts_with(place) && o.ends_with(" County")));
    for claim in LIVES.captures_iter(text) {
        let said: Vec<&str> = claim.iter().skip(1).flatten().map(|m| m.as_str().trim_end_matches('.')).collect();
        let Some(first) = said.first() else { continue };
        let region = said.iter().find_map(|s| vocabulary.region(s));
        if is_own(first) || said.get(1).is_none() && region.is_some_and(|r| Some(r) == state) {
            continue;
        }
        let told = |severity| {
            let detail = format!("the text says {}, the facts {}", said.join(", "), own[..own.len().min(3)].join(", "));
            Some(Violation { check: "another_place", severity, detail })
        };
        match region {
            Some(region) if state.is_some_and(|s| s != region) => return told(Severity::Error),
            // A part of the town may have the name of another town.
            _ if text_of(facts, "city").is_some() && vocabulary.is_city(first) => return told(Severity::Warning),
            _ => {}
        }
    }
    None
}

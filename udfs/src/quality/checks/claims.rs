//! What a text claims of the person, beside what is true.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

use super::vocabulary::{Vocabulary, singular};
use super::{Severity, Violation, has_number, pattern, text_of, words};

static YEARS_OLD: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)(?:\b(\w+)\s+)?\b(\d{1,3})[ -]years?[ -]olds?\b(?:\s+(\w+)(?:\s+(\w+))?)?"));
static AGED: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)\baged (\d{1,3})\b"));
static DECADE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\bin (?:his|her|their) (early|mid|middle|late)?[- ]?(teens|twenties|thirties|forties|fifties|sixties|seventies|eighties|nineties)\b",
    )
});
static AT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\b[Aa]t (\d{2,3}),? ([\w'’-]+)(?: ([\w'’-]+))?(?: ([\w'’-]+))?"));
static AFTER_NAME: LazyLock<Regex> = LazyLock::new(|| pattern(r"([\w'’-]+), (\d{2,3})(?:,| and|;|\.)"));

static INSERTED: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bat (\d{2,3}),? (\w+)"));
static IS_AGE: LazyLock<Regex> = LazyLock::new(|| pattern(r"([\w'’-]+) is (\d{2,3})(?:,|;|\.| and\b)"));

fn is_past(verb: &str) -> bool {
    (verb.len() > 4 && verb.ends_with("ed")) || PAST.contains(&verb)
}

/// Whose age it is instead: those whom a household has, and things.
const OTHERS: [&str; 34] = [
    "son",
    "sons",
    "daughter",
    "daughters",
    "child",
    "children",
    "kid",
    "kids",
    "boy",
    "girl",
    "twins",
    "twin",
    "grandson",
    "granddaughter",
    "grandchild",
    "nephew",
    "niece",
    "brother",
    "sister",
    "mother",
    "father",
    "husband",
    "wife",
    "dog",
    "cat",
    "truck",
    "car",
    "house",
    "bike",
    "oak",
    "recipe",
    "building",
    "tradition",
    "pickup",
];

/// Verbs of what happened at another age.
const PAST: [&str; 24] = [
    "was", "were", "had", "left", "came", "met", "began", "took", "went", "lost", "won", "built", "bought", "became",
    "found", "got", "made", "ran", "saw", "taught", "wrote", "grew", "joined", "fell",
];

pub(super) fn age(text: &str, facts: &Map<String, Value>) -> Option<Violation> {
    let age = facts.get("age")?.as_f64()? as i64;
    // Most texts have no number, and most patterns are of one.
    let said = has_number(text).then(|| number(text, age, facts)).flatten().or_else(|| decade(text, age))?;
    Some(Violation::error("another_age", format!("the text says {said}, the facts {age}")))
}

/// Another age than the person's, in digits.
fn number(text: &str, age: i64, facts: &Map<String, Value>) -> Option<String> {
    let differs = |number: &str| number.parse::<i64>().is_ok_and(|n| n != age);
    let other = |word: Option<regex::Match>| word.is_some_and(|w| OTHERS.contains(&w.as_str().to_lowercase().as_str()));
    for found in YEARS_OLD.captures_iter(text) {
        let owned =
            found.get(1).is_some_and(|w| ["his", "her", "their", "my"].contains(&w.as_str().to_lowercase().as_str()));
        if differs(&found[2]) && !owned && !other(found.get(3)) && !other(found.get(4)) {
            return Some(found[0].trim().into());
        }
    }
    if let Some(found) = AGED.captures_iter(text).find(|f| differs(&f[1])) {
        return Some(found[0].into());
    }
    let names: Vec<&str> = ["first_name", "last_name"].iter().filter_map(|n| text_of(facts, n)).collect();
    let is_name = |word: &str| {
        let word = word.trim_end_matches("'s").trim_end_matches("’s");
        names.iter().any(|n| n.eq_ignore_ascii_case(word) || n.split([' ', '-']).any(|p| p.eq_ignore_ascii_case(word)))
    };
    for found in AFTER_NAME.captures_iter(text) {
        if is_name(&found[1]) && differs(&found[2]) {
            return Some(found[0].trim_end_matches([',', ';', '.']).into());
        }
    }
    for found in AT.captures_iter(text) {
        let next: Vec<&str> = (2..=4).filter_map(|i| Some(found.get(i)?.as_str())).collect();
        let person = next.first().is_some_and(|w| is_name(w) || ["she", "he"].contains(w));
        // What the person did, or does: the first word that is no name.
        let verb = next.iter().skip(1).find(|w| !is_name(w)).copied().unwrap_or_default();
        if person && !is_past(verb) && differs(&found[1]) {
            return Some(format!("at {}", &found[1]));
        }
    }
    for found in INSERTED.captures_iter(text) {
        let present = (found[2].ends_with('s') || found[2].ends_with("ing")) && !is_past(&found[2]);
        if present && differs(&found[1]) {
            return Some(format!("at {}", &found[1]));
        }
    }
    for found in IS_AGE.captures_iter(text) {
        if (is_name(&found[1]) || ["She", "He", "she", "he"].contains(&&found[1])) && differs(&found[2]) {
            return Some(format!("is {}", &found[2]));
        }
    }
    None
}

/// Another decade of a life than the person's.
fn decade(text: &str, age: i64) -> Option<String> {
    for found in DECADE.captures_iter(text) {
        const NAMES: [&str; 9] =
            ["teens", "twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties"];
        let decade = NAMES.iter().position(|n| found[2].eq_ignore_ascii_case(n)).unwrap_or(0) as i64 + 1;
        // Something that happened in another decade of a life is in the past tense; the person is, in the present.
        let before = text[..found.get(0).map_or(0, |m| m.start())].trim_end();
        let present = before.ends_with(',') || before.ends_with(" is") || before.ends_with(" now");
        if present && age / 10 != decade {
            return Some(found[0].into());
        }
    }
    None
}

static WHO: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:is|as|remains) an? (?:[\w-]+ ){0,3}?(woman|man|mother|father|grandmother|grandfather|widow|widower|lady|gentleman|mom|dad)\b",
    )
});

pub(super) fn sex((text, said): (&str, &[&str]), facts: &Map<String, Value>) -> Option<Violation> {
    let female = match text_of(facts, "sex")? {
        sex if sex.eq_ignore_ascii_case("female") => true,
        sex if sex.eq_ignore_ascii_case("male") => false,
        _ => return None,
    };
    // There are people whose surname is He.
    let names = ["first_name", "middle_name", "last_name"].iter().filter_map(|n| text_of(facts, n));
    let names: Vec<&str> = names.flat_map(words).collect();
    let says = |of: [&str; 4]| said.iter().any(|w| of.iter().any(|p| p.eq_ignore_ascii_case(w)) && !names.contains(w));
    let (she, he) = (["she", "her", "hers", "herself"], ["he", "him", "his", "himself"]);
    let (own, other) = if female { (she, he) } else { (he, she) };
    // Somebody else may be meant where the text speaks of the person by the right pronoun.
    if says(own) {
        return None;
    }
    if says(other) {
        let detail = format!("the text says {} of {}", other[0], if female { "a woman" } else { "a man" });
        return Some(Violation::error("another_sex", detail));
    }
    let women = ["woman", "mother", "grandmother", "widow", "lady", "mom"];
    let noun = WHO.captures_iter(text).map(|c| c[1].to_lowercase()).find(|n| women.contains(&n.as_str()) != female)?;
    Some(Violation::error("another_sex", format!("the text calls the person a {noun}")))
}

static JOB: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b(?:works?|working|employed|practices|living|earns [\w ]{1,20}) as (?:an?|the) ((?:[\w'-]+ ){0,4}[\w-]+)",
    )
});
static IS: LazyLock<Regex> = LazyLock::new(|| pattern(r"([\w'’-]+),? (?:is|remains) an? ((?:[\w'-]+ ){0,3}[\w-]+)"));

pub(super) fn job(text: &str, facts: &Map<String, Value>, vocabulary: &Vocabulary) -> Option<Violation> {
    let title = text_of(facts, "occupation")?;
    let own = || title.split('_').flat_map(|w| [Some(w.to_lowercase()), singular(w)]).flatten();
    let names: Vec<&str> = ["first_name", "last_name"].iter().filter_map(|n| text_of(facts, n)).collect();
    let of_person = IS
        .captures_iter(text)
        .filter(|c| names.iter().any(|n| n.eq_ignore_ascii_case(&c[1])) || ["She", "He"].contains(&&c[1]));
    let claims = JOB.captures_iter(text).map(|c| c[1].to_string()).chain(of_person.map(|c| c[2].to_string()));
    for claim in claims {
        // The claim ends where something else is said: "a nurse in Dayton who was a lawyer", "a lawyer's daughter".
        const ENDS: [&str; 13] =
            ["in", "at", "who", "and", "around", "with", "for", "of", "from", "on", "to", "whose", "but"];
        let said: Vec<String> = claim
            .split_whitespace()
            .take_while(|w| !ENDS.contains(w) && !w.contains(['\'', '’']))
            .flat_map(words)
            .map(str::to_lowercase)
            .collect();
        let alike =
            |o: &String, w: &String| o == w || o.chars().zip(w.chars()).take_while(|(a, b)| a == b).count() >= 4;
        let own_job = said.iter().any(|w| own().any(|o| alike(&o, w)));
        if let Some(job) = said.iter().find(|w| vocabulary.is_job(w))
            && !own_job
        {
            let detail = format!("the text says {job}, the facts {}", title.replace('_', " "));
            // The same job goes by many names.
            return Some(Violation { check: "another_job", severity: Severity::Warning, detail });
        }
    }
    None
}

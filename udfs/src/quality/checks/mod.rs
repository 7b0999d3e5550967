//! Checks of what is written about a person: against the facts, against good sense, and against other texts.
//!
//! Deterministic, and wary: a text is accused of what it plainly says. English texts are checked in full. Portuguese,
//! Japanese and Hindi ones are checked for what they say of the person by name (`speech.rs`), others by what needs no
//! words of the language. A Japanese text is measured in characters. That a text is in another language than it should
//! be is told by whatlang, but for Hindi in Latin letters, which it knows nothing of: there this check is left out.

mod claims;
mod columns;
mod copies;
mod echoes;
mod place;
mod speech;
mod vocabulary;
mod wording;

use std::fmt;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};
use whatlang::Detector;

use speech::Speech;

pub(crate) use columns::Columns;
pub use copies::{Copies, Likeness};
pub use echoes::{Instructions, Shingles};
pub use vocabulary::Vocabulary;
pub use wording::Wording;

/// How grave a violation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The text cannot stand
    Error,
    /// The text is doubtful
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The name of the check
    pub check: &'static str,
    pub severity: Severity,
    pub detail: String,
}

impl Violation {
    fn error(check: &'static str, detail: String) -> Violation {
        Violation { check, severity: Severity::Error, detail }
    }
}

/// Checks one text of a kind about one person. `facts` are by column name, as a narrator is given them.
pub fn check_text(text: &str, facts: &Map<String, Value>, vocabulary: &Vocabulary) -> Vec<Violation> {
    let text = text.trim();
    if text.is_empty() {
        return vec![Violation::error("blank", "the text is blank".into())];
    }
    let (mut found, speech) = (vec![], vocabulary.speech());
    if let Some(phrase) = REFUSAL.find(text).or_else(|| speech.refusal()?.find(text)) {
        found.push(Violation::error("refusal", format!("the model speaks of itself: {:?}", phrase.as_str())));
    }
    match speech.length(text) {
        (length, unit, least, _) if length < least => {
            found.push(Violation::error("too_short", format!("{length} {unit}")));
        }
        (length, unit, _, most) if length > most => {
            found.push(Violation::error("too_long", format!("{length} {unit}")));
        }
        _ => {}
    }
    let words: Vec<&str> = words(text).collect();
    found.extend(name((text, &words), facts, speech));
    if speech == Speech::English {
        found.extend(claims::age(text, facts));
        found.extend(claims::sex((text, &words), facts));
        found.extend(claims::job(text, facts, vocabulary));
        found.extend(place::place(text, facts, vocabulary));
    } else {
        let names = names(facts);
        found.extend(speech.age(text, facts, &names));
        found.extend(is_female(facts).and_then(|female| speech.sex(text, female, &names)));
    }
    if let Some(named) = speech.personality().and_then(|names| names.find(text)) {
        found
            .push(Violation::error("trait_named", format!("a scale of personality by its name: {:?}", named.as_str())));
    }
    found.extend(language((text, &words), vocabulary));
    found.extend(contact(text));
    found
}

/// Words from which a language can be told, or characters where words are not parted, and how sure that has to be.
const TELLING: (usize, usize) = (10, 40);
const SURE: f64 = 0.95;

/// Languages that a model may slip into. Of those that are written in the letters of others there are many more, which
/// take as long to tell apart as all else that is checked.
static DETECTOR: LazyLock<Detector> = LazyLock::new(|| {
    use whatlang::Lang::*;
    let alike =
        vec![Eng, Spa, Por, Fra, Deu, Ita, Nld, Pol, Tur, Vie, Ind, Swe, Rus, Ukr, Ara, Pes, Urd, Hin, Mar, Heb];
    let own_script = [Cmn, Jpn, Kor, Tha, Ell, Ben, Tam, Tel, Guj, Pan, Kan, Mal];
    Detector::with_allowlist(alike.into_iter().chain(own_script).collect())
});

/// The part of an English text's words that those which no other language has are at least: there are about twice as
/// many.
const ENGLISH_PART: usize = 8;

fn is_plainly_english(words: &[&str]) -> bool {
    // Words that no English text is without.
    let telling = |word: &&&str| {
        matches!(
            **word,
            "the"
                | "of"
                | "and"
                | "to"
                | "with"
                | "for"
                | "his"
                | "her"
                | "from"
                | "that"
                | "she"
                | "who"
                | "their"
                | "through"
                | "while"
                | "where"
        )
    };
    words.iter().filter(telling).count() * ENGLISH_PART >= words.len()
}

fn language((text, words): (&str, &[&str]), vocabulary: &Vocabulary) -> Option<Violation> {
    let wanted = vocabulary.language()?;
    // To detect it takes as long as all else that is checked.
    if wanted == whatlang::Lang::Eng && is_plainly_english(words) {
        return None;
    }
    let enough = text.split_whitespace().count() >= TELLING.0
        || text.chars().filter(|c| c.is_alphabetic() && !c.is_ascii()).count() >= TELLING.1;
    let told = DETECTOR.detect(text).filter(|_| enough)?;
    (told.lang() != wanted && told.is_reliable() && told.confidence() >= SURE).then(|| {
        let detail = format!("the text is in {}, not in {}", told.lang().eng_name(), wanted.eng_name());
        Violation::error("wrong_language", detail)
    })
}

static REFUSAL: LazyLock<Regex> = LazyLock::new(|| {
    let said = r"(?i)\bas an ai\b|\b(?:large )?language model\b|\bi(?:'m| am) (?:sorry|unable)\b|\bi can(?:'t|not) (?:help|assist|fulfill|comply|write|create|provide)\b";
    pattern(said)
});

/// A pattern that is known to be one.
fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap_or_else(|e| unreachable!("{text}: {e}"))
}

/// Columns with names of a person, in whatever script.
const NAMES: [&str; 5] = ["first_name", "last_name", "given_name", "family_name", "surname"];

/// The names that a text may call a person by.
fn names(facts: &Map<String, Value>) -> Vec<&str> {
    let is_name =
        |column: &str| NAMES.iter().any(|n| column == *n || column.strip_prefix(n).is_some_and(|r| r.starts_with('_')));
    let names = facts.iter().filter(|(column, _)| is_name(column)).filter_map(|(_, name)| name.as_str());
    names.map(str::trim).filter(|name| !name.is_empty()).collect()
}

/// Whether the facts are of a woman, in the languages of the countries.
fn is_female(facts: &Map<String, Value>) -> Option<bool> {
    match text_of(facts, "sex")?.to_lowercase().as_str() {
        "female" | "f" | "feminino" | "mulher" | "女" | "女性" | "महिला" | "स्त्री" => {
            Some(true)
        }
        "male" | "m" | "masculino" | "homem" | "男" | "男性" | "पुरुष" => Some(false),
        _ => None,
    }
}

fn text_of<'a>(facts: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    facts.get(name)?.as_str().filter(|t| !t.is_empty())
}

/// Either name will do: a text may say Mr. Tucker throughout. As it is written: Day is a name, and a day is not.
/// Where words are not parted by spaces, or letters are joined by marks, the name is looked for within words; one that is
/// in another script than the text cannot be looked for.
fn name((text, words): (&str, &[&str]), facts: &Map<String, Value>, speech: Speech) -> Option<Violation> {
    if speech != Speech::English {
        let wanted: Vec<&str> = match speech {
            Speech::Japanese | Speech::Hindi => names(facts).into_iter().filter(|n| !n.is_ascii()).collect(),
            _ => names(facts),
        };
        let within = |name: &&str| match speech {
            Speech::Japanese | Speech::Hindi => text.contains(name),
            _ => words.contains(name) || (!name.chars().all(char::is_alphanumeric) && text.contains(name)),
        };
        let missing = !wanted.is_empty() && !wanted.iter().any(within);
        return missing.then(|| Violation::error("name_missing", format!("neither {} is named", wanted.join(" nor "))));
    }
    let names: Vec<&str> = ["first_name", "last_name"].iter().filter_map(|n| text_of(facts, n)).collect();
    let there = names.iter().any(|n| words.contains(n) || (n.contains([' ', '-', '\'']) && text.contains(n)));
    (!names.is_empty() && !there)
        .then(|| Violation::error("name_missing", format!("neither {} is named", names.join(" nor "))))
}

/// The words of a text, without what is appended to names.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '-')).filter(|w| !w.is_empty())
}

/// Whether a text has a digit of any script.
fn has_number(text: &str) -> bool {
    text.chars().any(char::is_numeric)
}

/// What there is no contact without.
#[derive(Clone, Copy)]
enum Needs {
    At,
    Number,
    Nothing,
}

static CONTACT: LazyLock<Vec<(&str, Needs, Regex)>> = LazyLock::new(|| {
    [
        ("an e-mail address", Needs::At, r"(?i)\b[a-z0-9._%+-]+@[a-z0-9.-]+\.[a-z]{2,}\b"),
        ("a phone number", Needs::Number, r"(?:\(0?\d{1,3}\) ?|0\d{1,3}[ -])\d{3,5}-\d{4}"),
        ("an identity number", Needs::Number, r"\d{3}\.\d{3}\.\d{3}-\d{2}"),
        ("a phone number", Needs::Number, r"(?:\+\d{1,3}[ .-]?)?(?:\(\d{3}\) ?|\b\d{3}[ .-])\d{3}[ .-]\d{4}\b"),
        ("an identity number", Needs::Number, r"\b\d{3}-\d{2}-\d{4}\b"),
        ("an address on the web", Needs::Nothing, r"(?i)\bhttps?://|\bwww\.[a-z0-9-]+\."),
        ("a street address", Needs::Number, r"\b\d{1,5} (?:[NSEW]\. )?(?:[A-Z][\w.]+ ){1,3}(?:Street|Avenue|Road|Drive|Lane|Boulevard|Court|St\.|Ave\.|Rd\.|Blvd\.)"),
        ("a number that identifies", Needs::Number, r"\b[A-Z]{0,3}\d{7,}\b"),
        ("a handle", Needs::At, r"(?:^|\s)@[A-Za-z0-9_]{3,}"),
    ]
    .map(|(what, needs, text)| (what, needs, pattern(text)))
    .into()
});

fn contact(text: &str) -> Option<Violation> {
    let (at, number) = (text.contains('@'), has_number(text));
    let may = |needs: &Needs| match needs {
        Needs::At => at,
        Needs::Number => number,
        Needs::Nothing => true,
    };
    let mut may_be = CONTACT.iter().filter(|(_, needs, _)| may(needs));
    let (what, found) = may_be.find_map(|(what, _, p)| Some((what, p.find(text)?)))?;
    Some(Violation::error("contact_data", format!("{what}: {}", found.as_str().trim())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(text: &str) -> Vec<&'static str> {
        let facts = json!({ "first_name": "Ada", "last_name": "Moss", "age": 40, "sex": "Female",
                            "occupation": "registered_nurses" });
        let titles = ["registered_nurses", "electricians", "lawyers", "retail_salespersons"];
        let vocabulary = Vocabulary::new(titles.iter().copied());
        check_text(text, facts.as_object().unwrap(), &vocabulary).into_iter().map(|v| v.check).collect()
    }

    #[test]
    fn sound_texts_pass() {
        for text in [
            "Ada Moss, 40, is a nurse in Dayton who keeps bees and sells the honey in May.",
            "At 22, Ada moved to Ohio; she is 40 years old now and works as a registered nurse.",
            "Ada drives her 12-year-old son to practice in a 15-year-old truck after her shift.",
            "Moss, who is in her early forties, married an electrician; he rewired the house.",
            "Ada's father was a lawyer, and at age 9 she read his books under the desk.",
            "Ada has an openness about money that her neighbours in Dayton do not expect of her.",
            "Since 1995 Ada has walked 10000 steps a day, 365 days a year, with 2 dogs.",
        ] {
            assert_eq!(found(text), Vec::<&str>::new(), "{text}");
        }
    }

    #[test]
    fn a_surname_is_no_pronoun() {
        let facts = json!({ "first_name": "Joy", "last_name": "He", "sex": "Female" });
        let found = |text| check_text(text, facts.as_object().unwrap(), &Vocabulary::default()).len();
        assert_eq!(found("Joy He keeps bees behind the house, and sells the honey in May."), 0);
        assert_eq!(found("Joy keeps bees behind his house, and sells the honey in May."), 1);
    }

    #[test]
    fn each_check_finds_what_it_is_for() {
        for (check, text) in [
            ("blank", "  \n"),
            ("refusal", "As an AI language model, I cannot describe Ada in any such way."),
            ("too_short", "Ada keeps bees."),
            ("name_missing", "She keeps bees behind the house and sells the honey in May."),
            ("another_age", "Ada Moss, 52, keeps bees behind the house and sells the honey."),
            ("another_age", "Ada is a 52-year-old nurse who keeps bees behind the house."),
            ("another_age", "At 52, Ada keeps bees behind the house and sells the honey."),
            ("another_age", "Ada, in her late sixties, keeps bees behind the house."),
            ("another_age", "Ada keeps bees, is 52 years old, and sells the honey in May."),
            ("another_sex", "Ada keeps bees behind his house, and he sells the honey in May."),
            ("another_sex", "Ada is a quiet man from Dayton with bees behind the house."),
            ("another_job", "Ada works as an electrician in Dayton and keeps bees behind the house."),
            ("another_job", "Ada is a busy lawyer in Dayton with bees behind the house."),
            ("trait_named", "Ada Moss shows a high level of openness at work, and keeps bees behind the house."),
            ("trait_named", "Her agreeableness makes Ada the one whom neighbours in Dayton ask about bees."),
            ("contact_data", "Write to Ada at ada.moss@example.com about the honey in May."),
            ("contact_data", "Call Ada at (555) 123-4567 about the honey that she sells."),
            ("contact_data", "Ada Moss lives at 12 Maple Street in Dayton and keeps bees."),
        ] {
            assert!(found(text).contains(&check), "{check}: {text}: {:?}", found(text));
        }
        let long = "Ada keeps bees. ".repeat(100);
        assert!(found(&long).contains(&"too_long"));
    }
}

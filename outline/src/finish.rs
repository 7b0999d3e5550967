//! What a draft lacks of a text: English articles, capitals, single spaces.

/// Stands for the indefinite article until its noun is known.
pub(crate) const ARTICLE: char = '\u{1}';
/// Enclose what comes from the facts while a text is being written, so that its skeleton can be told.
pub(crate) const FACT: char = '\u{2}';
pub(crate) const END: char = '\u{3}';
/// Stands for a comma, unless the clause ends there anyway: after the state in "in Salem, Oregon, and".
pub(crate) const COMMA: char = '\u{4}';

/// Whether sentences begin with a capital.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    Cased,
    Uncased,
}

impl Script {
    /// Of a language, by its code in BCP 47. Those that are written without capitals write foreign names as they are.
    pub fn of(language: &str) -> Script {
        let mut parts = language.split(['-', '_']);
        let first = parts.next().unwrap_or_default().to_lowercase();
        let told = parts.find(|part| part.len() == 4).map(str::to_lowercase);
        const UNCASED: [&str; 26] = [
            "ja", "zh", "ko", "th", "lo", "my", "km", "hi", "mr", "ne", "bn", "as", "pa", "gu", "or", "ta", "te", "kn",
            "ml", "si", "ar", "fa", "ur", "he", "ka", "am",
        ];
        match told.as_deref() {
            Some("latn" | "cyrl" | "grek") => Script::Cased,
            Some(_) => Script::Uncased,
            None if UNCASED.contains(&first.as_str()) => Script::Uncased,
            None => Script::Cased,
        }
    }
}

/// What no space stands before.
const CLOSING: [char; 11] = [',', '.', ';', ':', '。', '、', '，', '।', '！', '？', '॥'];

/// Articles before their nouns, one space between words, capitals at the start of sentences.
pub(crate) fn finish(text: &str, script: Script) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut start = true;
    for (at, c) in text.char_indices() {
        match c {
            FACT | END => {}
            COMMA => {
                if text[at + 1..].trim_start_matches([FACT, END]).starts_with(' ') {
                    out.push(',');
                }
            }
            ARTICLE => {
                let word = text[at + 1..].trim_start_matches([' ', FACT, END]);
                let article = if begins_with_vowel_sound(word) { "an" } else { "a" };
                let mut article = article.to_owned();
                if start {
                    article.replace_range(0..1, "A");
                    start = false;
                }
                out.push_str(&article);
            }
            ' ' => {
                let next = text[at + 1..].chars().find(|c| !matches!(*c, FACT | END));
                if !out.is_empty() && !out.ends_with(' ') && next.is_some_and(|c| !CLOSING.contains(&c)) {
                    out.push(' ');
                }
            }
            _ => {
                if start && script == Script::Cased && c.is_alphabetic() {
                    out.extend(c.to_uppercase());
                    start = false;
                } else {
                    out.push(c);
                    start &= !c.is_alphanumeric();
                }
                // A full stop ends a sentence where a space and a lower-case letter or an article follow.
                let stop = c == '.' && text[at + 1..].trim_start_matches(END).starts_with(' ');
                start |= stop || matches!(c, '。' | '।' | '！' | '？');
            }
        }
    }
    out.trim_end().to_owned()
}

/// Whether English puts "an" before the word.
fn begins_with_vowel_sound(word: &str) -> bool {
    let word: String = word.chars().take_while(|c| c.is_alphanumeric()).collect();
    let lower = word.to_lowercase();
    if word.len() > 1
        && word.chars().any(char::is_uppercase)
        && word.chars().all(|c| c.is_uppercase() || c.is_ascii_digit())
    {
        // Spelt letter by letter: an MRI scan, a UV lamp.
        return word.starts_with(['A', 'E', 'F', 'H', 'I', 'L', 'M', 'N', 'O', 'R', 'S', 'X']);
    }
    if ["hour", "honest", "honor", "heir", "x"].iter().any(|p| lower.starts_with(p)) {
        return true;
    }
    if ["uni", "use", "usu", "uti", "ute", "eu", "one", "once", "ura"].iter().any(|p| lower.starts_with(p)) {
        return lower.starts_with("unin") || lower.starts_with("unim");
    }
    if lower.starts_with(|c: char| c.is_ascii_digit()) {
        return lower.starts_with('8') || lower == "11" || lower == "18";
    }
    lower.starts_with(['a', 'e', 'i', 'o', 'u'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn articles_follow_the_sound() {
        for (text, expected) in [
            ("\u{1} MRI technologist", "An MRI technologist"),
            ("is \u{1} usher", "Is an usher"),
            ("is \u{1} university dean", "Is a university dean"),
            ("is \u{1} hourly job", "Is an hourly job"),
            ("is \u{1} 82 and \u{1} 11", "Is an 82 and an 11"),
            ("is \u{1} sailor. she sails", "Is a sailor. She sails"),
        ] {
            assert_eq!(finish(text, Script::Cased), expected);
        }
    }

    #[test]
    fn sentences_end_in_every_script() {
        for (language, text, expected) in [
            ("pt", "ela é ótima . álvaro  ri .", "Ela é ótima. Álvaro ri."),
            ("hi-Latn", "woh ghar par hai. subah uthta hai.", "Woh ghar par hai. Subah uthta hai."),
            ("ja", "彼は走る 。iPhoneを使う。", "彼は走る。iPhoneを使う。"),
            ("hi", "वह गाती है । वह  खाती है।", "वह गाती है। वह खाती है।"),
        ] {
            assert_eq!(finish(text, Script::of(language)), expected);
        }
        assert_eq!(finish("is done。so it is।yes", Script::Cased), "Is done。So it is।Yes");
    }
}

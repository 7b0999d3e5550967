//! Lists that are written as text: `['a', "b's"]` as Python prints them, `["a", null]` as JSON has them.

use std::iter::Peekable;
use std::str::CharIndices;

/// The items of a list that is written as text; `None` for `None` and `null`.
///
/// # Errors
/// If the text is no list of texts and numbers; the message says where.
pub(super) fn parse_list(text: &str) -> Result<Vec<Option<String>>, String> {
    let mut list = List { text, rest: text.char_indices().peekable() };
    let items = list.items()?;
    match list.next_visible() {
        None => Ok(items),
        Some((at, found)) => Err(list.expected("nothing after the list", at, Some(found))),
    }
}

struct List<'a> {
    text: &'a str,
    rest: Peekable<CharIndices<'a>>,
}

impl List<'_> {
    fn items(&mut self) -> Result<Vec<Option<String>>, String> {
        match self.next_visible() {
            Some((_, '[')) => {}
            found => return Err(self.expected("a list in [ ]", 0, found.map(|f| f.1))),
        }
        let mut items = Vec::new();
        loop {
            let (at, first) = match self.next_visible() {
                Some((_, ']')) => return Ok(items),
                Some(found) => found,
                None => return Err(self.expected("]", self.text.len(), None)),
            };
            items.push(match first {
                '\'' | '"' => Some(self.quoted(first)?),
                first if first.is_alphanumeric() || first == '-' => self.bare(at, first)?,
                found => return Err(self.expected("a text in quotes", at, Some(found))),
            });
            match self.next_visible() {
                Some((_, ',')) => {}
                Some((_, ']')) => return Ok(items),
                Some((at, found)) => return Err(self.expected(", or ]", at, Some(found))),
                None => return Err(self.expected("]", self.text.len(), None)),
            }
        }
    }

    fn next_visible(&mut self) -> Option<(usize, char)> {
        self.rest.by_ref().find(|(_, c)| !c.is_whitespace())
    }

    /// A number, or the word for nothing.
    fn bare(&mut self, at: usize, first: char) -> Result<Option<String>, String> {
        let mut word = String::from(first);
        while let Some((_, c)) = self.rest.next_if(|(_, c)| c.is_alphanumeric() || "+-._".contains(*c)) {
            word.push(c);
        }
        match word.as_str() {
            "None" | "null" => Ok(None),
            "True" | "true" | "False" | "false" => Ok(Some(word.to_lowercase())),
            number if number.parse::<f64>().is_ok() => Ok(Some(word)),
            _ => Err(self.expected("a text in quotes", at, Some(first))),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let mut text = String::new();
        loop {
            match self.rest.next() {
                None => return Err(self.expected("the closing quote", self.text.len(), None)),
                Some((_, c)) if c == quote => return Ok(text),
                Some((at, '\\')) => self.escaped(at, &mut text)?,
                Some((_, c)) => text.push(c),
            }
        }
    }

    fn escaped(&mut self, at: usize, text: &mut String) -> Result<(), String> {
        let Some((_, c)) = self.rest.next() else {
            return Err(self.expected("the closing quote", self.text.len(), None));
        };
        match c {
            'n' => text.push('\n'),
            't' => text.push('\t'),
            'r' => text.push('\r'),
            'b' => text.push('\u{8}'),
            'f' => text.push('\u{c}'),
            'x' => text.push(self.character(at, 2)?),
            'u' => text.push(self.character(at, 4)?),
            'U' => text.push(self.character(at, 8)?),
            '\\' | '\'' | '"' | '/' => text.push(c),
            // Python keeps what it does not know.
            c => text.extend(['\\', c]),
        }
        Ok(())
    }

    /// A character by its number, of so many hexadecimal digits; JSON writes the rarer ones as two.
    fn character(&mut self, at: usize, digits: usize) -> Result<char, String> {
        let first = self.number(at, digits)?;
        let number = match first {
            0xD800..0xDC00 if digits == 4 => {
                let second = match (self.rest.next(), self.rest.next()) {
                    (Some((_, '\\')), Some((_, 'u'))) => self.number(at, 4)?,
                    _ => return Err(self.expected("the second half of a character", at, Some('\\'))),
                };
                0x10000 + ((first - 0xD800) << 10) + second.saturating_sub(0xDC00)
            }
            number => number,
        };
        char::from_u32(number).ok_or_else(|| self.expected("a character's number", at, Some('\\')))
    }

    fn number(&mut self, at: usize, digits: usize) -> Result<u32, String> {
        let mut number = 0;
        for _ in 0..digits {
            let digit = self.rest.next().and_then(|(_, c)| c.to_digit(16));
            let digit = digit.ok_or_else(|| self.expected("hexadecimal digits", at, Some('\\')))?;
            number = number << 4 | digit;
        }
        Ok(number)
    }

    fn expected(&self, what: &str, at: usize, found: Option<char>) -> String {
        let place = self.text[..at.min(self.text.len())].chars().count() + 1;
        match found {
            Some(found) => format!("expected {what} at character {place}, found {found}"),
            None => format!("expected {what} at character {place}, where the text ends"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<String> {
        parse_list(text).unwrap().into_iter().map(|item| item.unwrap_or("NULL".into())).collect()
    }

    #[test]
    fn lists_of_python_and_json_are_read() {
        assert_eq!(list("['beekeeping', 'chess']"), ["beekeeping", "chess"]);
        assert_eq!(list(r#"["a b's", 'he said "no"', 'it\'s']"#), ["a b's", "he said \"no\"", "it's"]);
        assert_eq!(list(" [ 'a' ,\n 'b', ] "), ["a", "b"]);
        assert_eq!(list("[]"), Vec::<String>::new());
        assert_eq!(list("[None, null, 3, -1.5]"), ["NULL", "NULL", "3", "-1.5"]);
        assert_eq!(list(r"['tab\there', 'caf\xe9', '\u4e2d', 'a\d']"), ["tab\there", "café", "中", "a\\d"]);
        assert_eq!(list(r#"["\ud83d\udc1d", "🐝"]"#), ["🐝", "🐝"]);
        assert_eq!(list("['लोक संगीत', '茶道']"), ["लोक संगीत", "茶道"]);
    }

    #[test]
    fn what_is_no_list_is_refused_with_its_place() {
        for (text, says) in [
            ("", "a list in [ ] at character 1, where the text ends"),
            ("beekeeping, chess", "a list in [ ]"),
            ("['a', 'b'", "] at character 10"),
            ("['a' 'b']", ", or ] at character 6, found '"),
            ("['a", "closing quote"),
            ("['a'] more", "nothing after the list"),
            ("[bees]", "a text in quotes at character 2"),
            (r"['\xz1']", "hexadecimal"),
            (r"['\ud83d']", "second half"),
            ("[['a']]", "a text in quotes"),
        ] {
            let error = parse_list(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}

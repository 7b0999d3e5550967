//! `unaccent(text)`: a text in small letters and without diacritics, for comparisons that ignore both.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_macros::user_doc;
use unicode_normalization::UnicodeNormalization;

use crate::types::plain;

const NAME: &str = "unaccent";

#[user_doc(
    doc_section(label = "String Functions"),
    description = "A text in small letters and without diacritics: `São Paulo` and `SAO PAULO` are both `sao paulo`. Letters that a mark does not make are spelt out (`ß` is `ss`, `ø` is `o`). The vowel signs of Hindi and the voicing marks of Japanese stay: they are no diacritics.",
    syntax_example = "unaccent(text)",
    sql_example = "SELECT first_name, municipality FROM brazil WHERE unaccent(municipality) LIKE 'sao%'",
    argument(name = "text", description = "A text.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Unaccent {
    signature: Signature,
}

impl Unaccent {
    pub fn new() -> Unaccent {
        Unaccent { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Unaccent {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        match kinds {
            [kind @ DataType::Dictionary(keys, _)] if is_text(kind) => {
                Ok(DataType::Dictionary(keys.clone(), Box::new(DataType::Utf8)))
            }
            [kind] if is_text(kind) || kind.is_null() => Ok(DataType::Utf8),
            [kind] => plan_err!("{NAME} takes a text, {kind} is not"),
            _ => plan_err!("{NAME} takes one text"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.into_iter().next() {
            Some(ColumnarValue::Array(texts)) => Ok(ColumnarValue::Array(unaccented(&texts)?)),
            Some(ColumnarValue::Scalar(text)) => {
                let texts = unaccented(&text.to_array()?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&texts, 0)?))
            }
            None => exec_err!("{NAME} takes one text"),
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn is_text(kind: &DataType) -> bool {
    matches!(plain(kind), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Each text once: of coded ones, those that the codes stand for.
fn unaccented(texts: &ArrayRef) -> Result<ArrayRef> {
    if let Some(coded) = texts.as_any_dictionary_opt() {
        return Ok(coded.with_values(unaccented(coded.values())?));
    }
    let texts = cast(texts, &DataType::Utf8)?;
    Ok(Arc::new(texts.as_string::<i32>().iter().map(|t| t.map(fold)).collect::<StringArray>()))
}

/// A text in small letters and without diacritics.
fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let bare = text.to_lowercase();
    let bare = bare.nfd().filter(|c| !is_diacritic(*c));
    let mut folded = String::with_capacity(text.len());
    // Composed again: what is left of marks belongs to its letter.
    for letter in bare.nfc() {
        match spelt(letter) {
            Some(spelt) => folded.push_str(spelt),
            None => folded.push(letter),
        }
    }
    folded
}

/// The blocks of combining diacritical marks. Marks of other scripts are part of how a word is written.
fn is_diacritic(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Letters that have a mark within, or are two letters written as one.
fn spelt(letter: char) -> Option<&'static str> {
    Some(match letter {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'đ' | 'ð' => "d",
        'ħ' => "h",
        'ı' => "i",
        'ł' => "l",
        'þ' => "th",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_go_and_letters_stay() {
        for (text, expected) in [
            ("São Paulo", "sao paulo"),
            ("Sa\u{303}o", "sao"),
            ("CONCEIÇÃO", "conceicao"),
            ("İzmir", "izmir"),
            ("Łódź", "lodz"),
            ("Straße", "strasse"),
            ("Zoë", "zoe"),
            ("हिन्दी", "हिन्दी"),
            ("がぎ", "がぎ"),
            ("서울", "서울"),
            ("", ""),
        ] {
            assert_eq!(fold(text), expected, "{text}");
        }
    }
}

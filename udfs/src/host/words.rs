//! Texts as words; how depends on the language.

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use lance_tokenizer::{
    AsciiFoldingFilter, IcuTokenizer, Language, LowerCaser, RemoveLongFilter, SimpleTokenizer, Stemmer, StopWordFilter,
    TextAnalyzer,
};

use crate::host::language::languages_of;

/// Letters by which a language is told.
const SAMPLED_LETTERS: usize = 4000;

/// Longer words are left out, in bytes; the limit of Lance's own indexes.
pub const LONGEST_WORD: usize = 40;

/// How the texts of a language are taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// At all that is neither letter nor digit; in lower case, stemmed by the language's Snowball algorithm, without its
    /// stop words and accents
    Stemmed(Language),
    /// By the rules and dictionaries of ICU, in lower case: for languages that do not part their words by spaces, and
    /// those without a stemmer
    Segmented,
}

/// Languages with a stemmer: in ISO 639-1, in ISO 639-3, in English.
const STEMMED: [(&str, &str, &str, Language); 18] = [
    ("ar", "ara", "arabic", Language::Arabic),
    ("da", "dan", "danish", Language::Danish),
    ("de", "deu", "german", Language::German),
    ("el", "ell", "greek", Language::Greek),
    ("en", "eng", "english", Language::English),
    ("es", "spa", "spanish", Language::Spanish),
    ("fi", "fin", "finnish", Language::Finnish),
    ("fr", "fra", "french", Language::French),
    ("hu", "hun", "hungarian", Language::Hungarian),
    ("it", "ita", "italian", Language::Italian),
    ("nl", "nld", "dutch", Language::Dutch),
    ("no", "nob", "norwegian", Language::Norwegian),
    ("pt", "por", "portuguese", Language::Portuguese),
    ("ro", "ron", "romanian", Language::Romanian),
    ("ru", "rus", "russian", Language::Russian),
    ("sv", "swe", "swedish", Language::Swedish),
    ("ta", "tam", "tamil", Language::Tamil),
    ("tr", "tur", "turkish", Language::Turkish),
];

/// Some of the languages without one.
const SEGMENTED: [(&str, &str); 8] = [
    ("hi", "hindi"),
    ("id", "indonesian"),
    ("ja", "japanese"),
    ("ko", "korean"),
    ("ms", "malay"),
    ("th", "thai"),
    ("vi", "vietnamese"),
    ("zh", "chinese"),
];

impl Words {
    /// How the texts of some rows are taken apart: by the language that the first row says, or else the one that the first
    /// texts are plainly in. The first `columns` of the batch are texts, those after them what `telling` names, as
    /// [`languages_of`] has it.
    ///
    /// # Errors
    /// If a column is no text.
    pub fn of_rows(
        rows: &RecordBatch,
        columns: usize,
        telling: &[String],
        language: impl Fn(&str) -> Option<String>,
    ) -> Result<Words> {
        let told = languages_of(telling, &rows.columns()[columns..], rows.num_rows(), language)?;
        if let Some(words) = told.into_iter().flatten().find_map(|language| Words::of(&language)) {
            return Ok(words);
        }
        let mut sample = String::new();
        for column in &rows.columns()[..columns] {
            let texts = cast(column, &DataType::Utf8)?;
            for text in texts.as_string::<i32>().iter().flatten() {
                if sample.len() >= SAMPLED_LETTERS {
                    break;
                }
                sample.push_str(text);
                sample.push('\n');
            }
        }
        Ok(Words::told(&sample))
    }

    /// By the language's name in English or its IETF tag, `portuguese`, `pt` or `pt-BR`; `None` for what is neither.
    pub fn of(language: &str) -> Option<Words> {
        let language = language.to_lowercase();
        let code = language.split(['-', '_']).next().unwrap_or_default();
        if let Some((.., of)) = STEMMED.iter().find(|(two, three, name, _)| [two, three, name].contains(&&code)) {
            return Some(Words::Stemmed(*of));
        }
        let is_code = matches!(code.len(), 2 | 3) && code.bytes().all(|b| b.is_ascii_lowercase());
        (is_code || SEGMENTED.iter().any(|(_, name)| *name == code)).then_some(Words::Segmented)
    }

    /// The languages that have names here.
    pub fn names() -> Vec<&'static str> {
        let mut names: Vec<&str> = STEMMED.iter().map(|(_, _, name, _)| *name).collect();
        names.extend(SEGMENTED.iter().map(|(_, name)| *name));
        names.sort_unstable();
        names
    }

    /// By the language that a text is plainly in; ICU's rules do where it is not plain.
    pub fn told(text: &str) -> Words {
        let told = whatlang::detect(text).filter(|i| i.is_reliable());
        told.and_then(|i| Words::of(i.lang().code())).unwrap_or(Words::Segmented)
    }

    pub(crate) fn analyzer(self) -> TextAnalyzer {
        match self {
            Words::Segmented => {
                TextAnalyzer::builder(IcuTokenizer::default()).dynamic().filter_dynamic(LowerCaser).build()
            }
            Words::Stemmed(language) => {
                let words = TextAnalyzer::builder(SimpleTokenizer::default())
                    .dynamic()
                    .filter_dynamic(RemoveLongFilter::limit(LONGEST_WORD))
                    .filter_dynamic(LowerCaser)
                    .filter_dynamic(Stemmer::new(language));
                let words = match StopWordFilter::new(language) {
                    Some(stop_words) => words.filter_dynamic(stop_words),
                    None => words,
                };
                words.filter_dynamic(AsciiFoldingFilter).build()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, StringArray};
    use lance_tokenizer::TokenStream;

    use super::*;
    use crate::host::facts::LANGUAGE;

    fn words(language: &str, text: &str) -> Vec<String> {
        let mut analyzer = Words::of(language).unwrap().analyzer();
        let mut found = vec![];
        analyzer.token_stream(text).process(&mut |token| found.push(token.text.clone()));
        found
    }

    #[test]
    fn words_of_many_languages() {
        assert_eq!(words("en", "The beekeepers' HIVES, and the bees"), ["beekeep", "hive", "bee"]);
        assert_eq!(words("pt-BR", "Os cozinheiros e a cozinheira"), words("portuguese", "cozinheiro cozinheiras"));
        assert_eq!(words("ja", "東京の大工です。"), ["東京", "の", "大工", "です"]);
        // Vowel signs are letters, and stay.
        assert_eq!(words("hindi", "वह किसान है।"), ["वह", "किसान", "है"]);
        assert_eq!(words("zh", "他是一名教师"), ["他是", "一名", "教师"]);
        assert_eq!(words("ms", "Dia menternak lebah."), ["dia", "menternak", "lebah"]);
        assert_eq!(Words::of("klingonese"), None);
    }

    #[test]
    fn rows_say_what_language_they_are_in() {
        let rows = |language: Option<&str>, pack: &str| {
            let text = "She keeps six hives behind the house and sells the honey at the market every May.";
            let columns = [("persona", Some(text)), (LANGUAGE, language), ("pack", Some(pack))];
            let columns = columns.map(|(name, text)| (name, Arc::new(StringArray::from(vec![text])) as ArrayRef, true));
            RecordBatch::try_from_iter_with_nullable(columns).unwrap()
        };
        let telling = [LANGUAGE, "pack"].map(String::from);
        let of = |language, pack| {
            let of_pack = |pack: &str| (pack == "brazil").then(|| "pt".to_string());
            Words::of_rows(&rows(language, pack), 1, &telling, of_pack).unwrap()
        };
        assert_eq!(of(Some("hi-Latn"), "brazil@1"), Words::Segmented);
        assert_eq!(of(None, "brazil@1"), Words::Stemmed(Language::Portuguese));
        // Nobody knows the pack, and then the text tells.
        assert_eq!(of(None, "atlantis@1"), Words::Stemmed(Language::English));
    }

    #[test]
    fn languages_are_told() {
        let told = Words::told("She keeps six hives behind the house and sells the honey at the market every May.");
        assert_eq!(told, Words::Stemmed(Language::English));
        assert_eq!(Words::told("彼女は家の裏で蜂を飼い、毎年五月に市場で蜂蜜を売っています。"), Words::Segmented);
        assert_eq!(Words::told("xyz"), Words::Segmented);
    }
}

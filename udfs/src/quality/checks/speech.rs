//! What the languages of texts other than English claim of a person, and how long their texts are.
//!
//! Only what is said of the person by name is held against a text: "Ana, de 40 anos", 「佐藤さんは40歳」, "40 वर्षीय आशा".
//! A pronoun is evidence in Japanese alone (彼は, 彼女は); in Portuguese things have a sex too, and in Hindi pronouns have
//! none. Jobs and places are looked for in English alone: what they are called elsewhere, the pack does not say.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

use super::{Violation, pattern};

/// The language that a text is checked in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Speech {
    /// Also where nobody says which
    #[default]
    English,
    Portuguese,
    Japanese,
    /// In Devanagari
    Hindi,
    /// Hindi in Latin letters, often with English among it: what tells languages apart takes it for another, so that
    /// nothing is held against its language
    HindiLatin,
    /// Another one: only what needs no words of it is checked
    Other,
}

impl Speech {
    /// By a code in BCP 47.
    pub fn of(code: &str) -> Speech {
        let code = code.to_lowercase().replace('_', "-");
        match code.split('-').next().unwrap_or_default() {
            "en" => Speech::English,
            "pt" => Speech::Portuguese,
            "ja" => Speech::Japanese,
            "hi" if code.contains("latn") => Speech::HindiLatin,
            "hi" => Speech::Hindi,
            _ => Speech::Other,
        }
    }

    /// What a text is measured in, and how much of it a text of any kind has at least and at most: words, but
    /// characters where words are not parted by spaces, of which two and a half stand for a word.
    pub fn length(self, text: &str) -> (usize, &'static str, usize, usize) {
        match self {
            Speech::Japanese => (text.chars().filter(|c| !c.is_whitespace()).count(), "characters", 15, 650),
            _ => (text.split_whitespace().count(), "words", 6, 260),
        }
    }

    /// The names of the scales of personality, which are facts for a writer and no words for a text; those that are
    /// words of every day besides are left out, or looked for as scales alone.
    pub fn personality(self) -> Option<&'static Regex> {
        static ENGLISH: LazyLock<Regex> = LazyLock::new(|| {
            pattern(
                r"(?i)\b(?:conscientiousness|agreeableness|extraversion|extroversion|neuroticism|openness to experience|big five|t-scores?)\b|\b(?:high|low|higher|lower|average|strong|level of|sense of|degree of) (?:in )?openness\b",
            )
        });
        static PORTUGUESE: LazyLock<Regex> = LazyLock::new(|| {
            pattern(
                r"(?i)\bconscienciosidade\b|\bneuroticismo\b|\bextroversão\b|\bextraversão\b|\babertura à experiência\b|\bbig five\b",
            )
        });
        static JAPANESE: LazyLock<Regex> =
            LazyLock::new(|| pattern(r"神経症傾向|開放性|誠実性|調和性|外向性|ビッグファイブ|Tスコア"));
        match self {
            Speech::English | Speech::HindiLatin => Some(&ENGLISH),
            Speech::Portuguese => Some(&PORTUGUESE),
            Speech::Japanese => Some(&JAPANESE),
            Speech::Hindi | Speech::Other => None,
        }
    }

    /// What a model says that will not write; English in any language.
    pub fn refusal(self) -> Option<&'static Regex> {
        static PORTUGUESE: LazyLock<Regex> = LazyLock::new(|| {
            pattern(
                r"(?i)\bcomo uma? (?:ia|intelig[êe]ncia artificial)\b|\bmodelo de linguagem\b|\b(?:desculpe|sinto muito|lamento), mas\b|\bn[ãa]o posso (?:ajudar|atender|escrever|criar|fornecer)\b",
            )
        });
        static JAPANESE: LazyLock<Regex> = LazyLock::new(|| {
            pattern(
                r"言語モデル|AIとして|AIアシスタント|申し訳(?:ありません|ございません)|お(?:答え|手伝い)(?:でき|することはでき)ません",
            )
        });
        static HINDI: LazyLock<Regex> = LazyLock::new(|| {
            pattern(r"भाषा मॉडल|एआई (?:मॉडल|सहायक)|(?:माफ़?|क्षमा) (?:कीजिए|करें|कीजिएगा)|मदद नहीं कर (?:सकता|सकती)")
        });
        static HINDI_LATIN: LazyLock<Regex> = LazyLock::new(|| {
            pattern(
                r"(?i)\bmaaf (?:kijiye|kijie|karein|karen)\b|\bmadad nahi(?:n|ń)? kar sak(?:ta|ti)\b|\bai (?:model|assistant)\b",
            )
        });
        match self {
            Speech::English | Speech::Other => None,
            Speech::Portuguese => Some(&PORTUGUESE),
            Speech::Japanese => Some(&JAPANESE),
            Speech::Hindi => Some(&HINDI),
            Speech::HindiLatin => Some(&HINDI_LATIN),
        }
    }

    /// The years that a text gives the person, by name, where they are not those of the facts.
    pub fn age(self, text: &str, facts: &Map<String, Value>, names: &[&str]) -> Option<Violation> {
        let age = facts.get("age")?.as_f64()? as i64;
        let years = self.years()?;
        for found in years.captures_iter(text) {
            let (whole, number) = (found.get(0)?, digits(&found[1])?);
            let (before, after) = (&text[..whole.start()], &text[whole.end()..]);
            if number != age && (self.named_before(before, after, names) || self.names_after(after, names)) {
                let said = whole.as_str().trim();
                return Some(Violation::error("another_age", format!("the text says {said}, the facts {age}")));
            }
        }
        None
    }

    fn years(self) -> Option<&'static Regex> {
        static PORTUGUESE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)(\d{1,3}) anos\b"));
        static JAPANESE: LazyLock<Regex> = LazyLock::new(|| pattern(r"([0-9０-９]{1,3})\s*[歳才]"));
        static HINDI: LazyLock<Regex> = LazyLock::new(|| pattern(r"([0-9०-९]{1,3})\s*-?\s*(?:वर्षीया?|साल|वर्ष|बरस)"));
        static HINDI_LATIN: LazyLock<Regex> =
            LazyLock::new(|| pattern(r"(?i)\b(\d{1,3})[ -]?(?:saal|sal|varsh(?:iya|iy)?|baras|years?)\b"));
        match self {
            Speech::English | Speech::Other => None,
            Speech::Portuguese => Some(&PORTUGUESE),
            Speech::Japanese => Some(&JAPANESE),
            Speech::Hindi => Some(&HINDI),
            Speech::HindiLatin => Some(&HINDI_LATIN),
        }
    }

    /// Whether the name stands right before the years, and they are an age: "Ana, de", "Ana tem", 「佐藤さんは」.
    fn named_before(self, before: &str, after: &str, names: &[&str]) -> bool {
        let links: &[&str] = match self {
            Speech::Portuguese => &["tem", "completou", "com", "de", "aos", "(", ","],
            Speech::Japanese => &["現在", "今年", "さん", "氏", "は", "、", "，", "（", "("],
            Speech::Hindi => &["की उम्र", "की आयु", "अब", ",", "("],
            Speech::HindiLatin => &["ki umar", "ki umr", "ki age", "ab", ",", "("],
            _ => return false,
        };
        let mut rest = before.trim_end();
        while let Some(shorter) = links.iter().find_map(|link| rest.strip_suffix(link)) {
            rest = shorter.trim_end();
        }
        if rest.len() == before.trim_end().len() && self != Speech::Hindi && self != Speech::HindiLatin {
            return false;
        }
        let after = after.trim_start();
        // Years that something took, or at which something happened: not how old the person is.
        let elsewhere = match self {
            Speech::Portuguese => after.starts_with("de ") || after.starts_with("atr") || before.ends_with("há "),
            Speech::Japanese => {
                let past = ["から", "で", "の時", "の頃", "のとき", "のころ", "まで", "に", "頃", "ごろ", "年"];
                past.iter().any(|p| after.starts_with(p))
            }
            _ => {
                let age = ["के है", "की है", "का है", "के हैं", "की हैं", "ke hai", "ki hai", "ka hai", "है", "hai", ",", ")"];
                !age.iter().any(|p| after.starts_with(p))
            }
        };
        !elsewhere && names.iter().any(|name| rest.ends_with(name))
    }

    /// Whether the name stands right after the years: 「40歳の佐藤さん」, "40 वर्षीय आशा".
    fn names_after(self, after: &str, names: &[&str]) -> bool {
        let links: &[&str] = match self {
            Speech::Portuguese => &[","],
            Speech::Japanese => &["の", "、", "になる", "を迎えた", "を迎える"],
            Speech::Hindi => &["के", "की", "का", "उम्र", ","],
            Speech::HindiLatin => &["ke", "ki", "ka", "umar", "umr", "old", ","],
            _ => return false,
        };
        let mut rest = after.trim_start();
        while let Some(shorter) = links.iter().find_map(|link| rest.strip_prefix(link)) {
            rest = shorter.trim_start();
        }
        names.iter().any(|name| rest.starts_with(name))
    }

    /// A noun, or a pronoun where those have but one sex, that is not the person's.
    pub fn sex(self, text: &str, female: bool, names: &[&str]) -> Option<Violation> {
        static PORTUGUESE: LazyLock<Regex> = LazyLock::new(|| {
            pattern(
                r"(?i)\b(?:é|como|continua sendo) (?:uma?) (?:[\w-]+ ){0,2}?(homem|mulher|senhora?|viúv[oa]|av[ôó]|pai|mãe|moça|moço|rapaz)\b",
            )
        });
        static JAPANESE: LazyLock<Regex> = LazyLock::new(|| pattern(r"[歳才]の(男性|女性)|(彼女|彼)は"));
        static HINDI: LazyLock<Regex> =
            LazyLock::new(|| pattern(r"(?:एक|वर्षीया?) (?:\S+ )?(महिला|औरत|स्त्री|पुरुष|आदमी|विधवा|विधुर)"));
        static HINDI_LATIN: LazyLock<Regex> =
            LazyLock::new(|| pattern(r"(?i)\bek (?:[\w-]+ )?(mahila|aurat|stree|purush|aadmi|vidhwa|vidhur)\b"));
        const MEN: [&str; 14] = [
            "homem",
            "senhor",
            "viúvo",
            "avô",
            "pai",
            "moço",
            "rapaz",
            "男性",
            "彼",
            "पुरुष",
            "आदमी",
            "विधुर",
            "purush",
            "aadmi",
        ];
        let nouns = match self {
            Speech::Portuguese => &PORTUGUESE,
            Speech::Japanese => &JAPANESE,
            Speech::Hindi => &HINDI,
            Speech::HindiLatin => &HINDI_LATIN,
            _ => return None,
        };
        let mut said = nouns.captures_iter(text).filter_map(|c| Some(c.iter().skip(1).flatten().next()?.as_str()));
        // Somebody else may be meant where the text has the right word too.
        let of_woman = |word: &str| {
            let word = word.to_lowercase();
            !MEN.contains(&word.as_str()) && word != "vidhur"
        };
        let words: Vec<&str> = said.by_ref().filter(|word| !names.contains(word)).collect();
        let other = words.iter().find(|word| of_woman(word) != female)?;
        let own = words.iter().any(|word| of_woman(word) == female);
        (!own).then(|| Violation::error("another_sex", format!("the text calls the person {other}")))
    }
}

/// A number in the digits of any of these scripts.
fn digits(text: &str) -> Option<i64> {
    let value = |c: char| match c {
        '０'..='９' => Some(c as u32 - '０' as u32),
        '०'..='९' => Some(c as u32 - '०' as u32),
        c => c.to_digit(10),
    };
    text.chars().try_fold(0, |sum: i64, c| Some(sum * 10 + i64::from(value(c)?)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Vocabulary, check_text};
    use super::*;

    fn found(language: &str, facts: &Value, text: &str) -> Vec<&'static str> {
        let vocabulary = Vocabulary::default().in_language(Some(language));
        check_text(text, facts.as_object().unwrap(), &vocabulary).into_iter().map(|v| v.check).collect()
    }

    fn ana() -> Value {
        json!({ "first_name": "Ana", "last_name": "de Sá", "age": 40, "sex": "Feminino", "occupation": "Enfermeiros" })
    }

    fn aoi() -> Value {
        json!({ "first_name": "葵", "last_name": "佐藤", "age": 40, "sex": "女" })
    }

    fn asha() -> Value {
        json!({ "first_name": "आशा", "last_name": "वर्मा", "age": 40, "sex": "Female" })
    }

    fn asha_latin() -> Value {
        json!({ "first_name": "Asha", "last_name": "Verma", "age": 40, "sex": "Female" })
    }

    #[test]
    fn sound_texts_pass() {
        for text in [
            "Ana, de 40 anos, trabalha há 52 anos na mesma rua onde nasceu a avó, em Salvador.",
            "Aos 22 anos mudou-se para a capital; hoje Ana tem 40 anos e cuida de três filhos.",
            "Ana tem 15 anos de experiência como enfermeira e ele, o marido, dirige um táxi em Recife.",
            "O filho de 12 anos de Ana joga bola, e o café que ela coa de manhã, ele toma com leite.",
            "Dona de Sá faz moqueca aos domingos e é um exemplo para as colegas do hospital onde trabalha.",
            "Ana mora no Porto; lives in Chicago é o título do disco que ela mais ouve aos sábados.",
        ] {
            assert_eq!(found("pt", &ana(), text), Vec::<&str>::new(), "{text}");
        }
        for text in [
            "佐藤葵さんは40歳で、横浜の病院に勤める看護師。週末は家族と一緒に海辺を歩き、帰りに魚を買う。",
            "葵は20歳から陶芸を続けている。40歳の佐藤さんにとって、土に触れる時間は何よりの楽しみだ。",
            "佐藤さんには12歳の息子がいて、彼の野球の試合には必ず弁当を作って応援に行く。彼女は朝に強い。",
            "葵さんは看護師。",
        ] {
            let found = found("ja", &aoi(), text);
            let short = text.chars().count() < 15;
            assert_eq!(found, if short { vec!["too_short"] } else { vec![] }, "{text}");
        }
        for text in [
            "आशा वर्मा 40 साल की हैं और जयपुर के एक अस्पताल में नर्स हैं। वे सुबह जल्दी उठती हैं।",
            "४० वर्षीय आशा पिछले 15 साल से पढ़ा रही हैं और शाम को बच्चों के साथ छत पर बैठती हैं।",
            "आशा 12 साल से उसी मोहल्ले में रहती हैं और उनका 15 साल का बेटा क्रिकेट खेलता है।",
            "आशा ने 22 साल की उम्र में पढ़ाई पूरी की और फिर गाँव लौटकर स्कूल में पढ़ाने लगीं।",
        ] {
            assert_eq!(found("hi", &asha(), text), Vec::<&str>::new(), "{text}");
        }
        // Names in Latin letters cannot be looked for in Devanagari.
        assert_eq!(found("hi", &asha_latin(), "आशा वर्मा 40 साल की हैं और जयपुर के एक अस्पताल में नर्स हैं।"), Vec::<&str>::new());
        for text in [
            "Asha Verma 40 saal ki hain aur Jaipur ke ek hospital mein nurse hain, subah jaldi uthti hain.",
            "Asha 15 saal se padha rahi hain aur shaam ko bachchon ke saath chhat par baithti hain.",
            "40 saal ki Asha weekend par apni saheliyon ke saath bazaar jaati hain aur chai peeti hain.",
        ] {
            assert_eq!(found("hi-Latn", &asha_latin(), text), Vec::<&str>::new(), "{text}");
        }
    }

    #[test]
    fn planted_faults_are_found() {
        for (language, facts, check, text) in [
            ("pt", ana(), "another_age", "Ana, de 52 anos, cuida de abelhas e vende o mel na feira aos sábados."),
            ("pt", ana(), "another_age", "Ana tem 52 anos e cuida de abelhas atrás da casa onde nasceu."),
            ("pt", ana(), "another_sex", "Ana é um homem calado que cuida de abelhas atrás da casa onde nasceu."),
            ("pt", ana(), "name_missing", "Ela cuida de abelhas atrás da casa e vende o mel na feira aos sábados."),
            ("pt", ana(), "too_short", "Ana cuida de abelhas."),
            ("pt", ana(), "refusal", "Sinto muito, mas não posso ajudar com a descrição de Ana nem de ninguém."),
            ("pt", ana(), "refusal", "Como uma IA, não tenho lembranças de Ana nem da casa onde ela nasceu."),
            (
                "pt",
                ana(),
                "wrong_language",
                "Ana keeps bees behind the house and sells the honey in May to the neighbors.",
            ),
            (
                "pt",
                ana(),
                "contact_data",
                "Ligue para Ana no (71) 98877-1234 e pergunte pelo mel que ela vende na feira.",
            ),
            ("pt", ana(), "contact_data", "O CPF de Ana é 123.456.789-09, e ela cuida de abelhas atrás da casa."),
            ("ja", aoi(), "another_age", "佐藤葵さんは52歳。横浜の病院に勤め、週末は海辺を歩き、帰りに魚を買う。"),
            ("ja", aoi(), "another_age", "５２歳の佐藤さんは横浜の病院に勤め、週末は海辺を歩き、帰りに魚を買う。"),
            ("ja", aoi(), "another_sex", "葵は横浜の病院に勤める。彼は週末になると海辺を歩き、帰りに魚を買う。"),
            ("ja", aoi(), "another_sex", "佐藤葵、40歳の男性。横浜の病院に勤め、週末は海辺を歩いて過ごしている。"),
            ("ja", aoi(), "name_missing", "横浜の病院に勤める看護師で、週末は家族と海辺を歩き、帰りに魚を買う。"),
            ("ja", aoi(), "too_short", "葵は看護師だ。"),
            ("ja", aoi(), "refusal", "申し訳ありませんが、佐藤葵さんについての文章を書くことはできません。"),
            (
                "ja",
                aoi(),
                "wrong_language",
                "葵 keeps bees behind the house and sells the honey in May to all of the neighbors.",
            ),
            ("hi", asha(), "another_age", "आशा 52 साल की हैं और जयपुर के एक अस्पताल में नर्स हैं, सुबह जल्दी उठती हैं।"),
            ("hi", asha(), "another_age", "५२ वर्षीय आशा पिछले कई बरसों से गाँव के स्कूल में पढ़ा रही हैं।"),
            ("hi", asha(), "another_sex", "आशा एक शांत आदमी हैं और जयपुर के एक अस्पताल में बरसों से काम करते हैं।"),
            ("hi", asha(), "name_missing", "वे जयपुर के एक अस्पताल में नर्स हैं और सुबह जल्दी उठती हैं।"),
            ("hi", asha(), "refusal", "माफ़ कीजिए, मैं आशा के बारे में कुछ नहीं लिख सकता, यह मेरे बस में नहीं।"),
            (
                "hi",
                asha(),
                "wrong_language",
                "Asha and आशा keeps bees behind the house and sells the honey in May to the neighbors.",
            ),
            ("hi-Latn", asha_latin(), "another_age", "Asha 52 saal ki hain aur Jaipur ke ek hospital mein nurse hain."),
            (
                "hi-Latn",
                asha_latin(),
                "another_age",
                "52 saal ki Asha Jaipur ke ek hospital mein nurse hain aur khush hain.",
            ),
            (
                "hi-Latn",
                asha_latin(),
                "another_sex",
                "Asha ek shaant aadmi hain jo Jaipur ke hospital mein kaam karte hain.",
            ),
            (
                "hi-Latn",
                asha_latin(),
                "name_missing",
                "Woh Jaipur ke ek hospital mein nurse hain aur subah jaldi uthti hain.",
            ),
            (
                "fr",
                asha_latin(),
                "wrong_language",
                "Asha keeps bees behind the house and sells the honey in May to the neighbors.",
            ),
        ] {
            let found = found(language, &facts, text);
            assert!(found.contains(&check), "{language}, {check}: {text}: {found:?}");
        }
        let long = "葵は海辺を歩き、帰りに魚を買うのが好きだ。".repeat(40);
        assert!(found("ja", &aoi(), &long).contains(&"too_long"));
    }
}

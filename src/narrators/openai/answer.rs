//! What comes back from a server: read tolerantly, believed sparingly.

use async_openai::error::OpenAIError;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::prompts::Rendered;
use crate::servers::{Answer, Server, clip, words_of};

/// A chat completion, as far as servers agree on one. Nothing is required, nothing is a closed list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Completion {
    choices: Vec<Choice>,
    usage: Option<Usage>,
    error: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Choice {
    message: Message,
    finish_reason: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    content: Option<Value>,
    refusal: Option<Value>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
struct Usage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
}

impl Completion {
    pub fn finish_reason(&self) -> Option<String> {
        self.choices.first()?.finish_reason.as_ref()?.as_str().filter(|r| !r.is_empty()).map(String::from)
    }

    /// Whether the answer ends at a limit of tokens, rather than at its end.
    pub fn is_cut(&self) -> bool {
        matches!(self.finish_reason().as_deref(), Some("length" | "max_tokens"))
    }

    /// The text of the answer.
    ///
    /// # Errors
    /// If the model refused, or said nothing.
    pub fn text(&self) -> Result<String, String> {
        if let Some(error) = &self.error {
            return Err(format!("the server answered with an error: {}", message(error)));
        }
        let Some(choice) = self.choices.first() else { return Err("the answer has no choices".into()) };
        if let Some(Value::String(refusal)) = &choice.message.refusal
            && !refusal.trim().is_empty()
        {
            return Err(format!("the model refused: {}", clip(refusal)));
        }
        if self.finish_reason().as_deref() == Some("content_filter") {
            return Err("the server's content filter withheld the answer".into());
        }
        let text = match &choice.message.content {
            Some(Value::String(text)) => text.clone(),
            // Some servers answer in parts.
            Some(Value::Array(parts)) => parts.iter().filter_map(|p| p.get("text")?.as_str()).collect(),
            _ => String::new(),
        };
        match without_reasoning(&text).trim() {
            "" => Err("the answer is empty".into()),
            text => Ok(text.to_string()),
        }
    }
}

impl Answer for Completion {
    async fn ask(server: &Server, body: Value) -> Result<Completion, OpenAIError> {
        server.api.chat().create_byot(body).await
    }

    fn told(&self) -> (Option<u64>, Option<u64>) {
        self.usage.map_or((None, None), |usage| (usage.prompt_tokens, usage.completion_tokens))
    }

    fn letters(&self) -> usize {
        let content = self.choices.first().and_then(|c| c.message.content.as_ref());
        content.map_or(0, |c| c.as_str().map_or_else(|| c.to_string().len(), str::len))
    }

    fn with_errors(self, said: impl Fn(&str) -> String) -> Completion {
        let error = self.error.map(|error| Value::String(said(&words_of(&error))));
        Completion { error, ..self }
    }
}

/// The texts of a whole answer, one a key.
///
/// # Errors
/// If one is missing.
pub(super) fn texts(answer: &str, asked: &Rendered) -> Result<Map<String, Value>, String> {
    let (texts, missing) = read(answer, asked, false)?;
    match missing.into_iter().next() {
        Some((key, complaint)) => Err(format!("{key}: {complaint}")),
        None => Ok(texts),
    }
}

/// Texts by their keys, and what is wrong with those that are not there.
pub(super) type Found = (Map<String, Value>, Vec<(String, String)>);

/// The texts that an answer has, though it be cut off in the middle of one. Scores are read all or none.
///
/// # Errors
/// If the answer is no JSON object, or a refusal.
pub(super) fn read(answer: &str, asked: &Rendered, cut: bool) -> Result<Found, String> {
    const CUT: &str = "the answer was cut off at the limit of tokens";
    if refusal(answer, asked.free) {
        return Err(format!("the model refused: {}", clip(answer)));
    }
    let found = if cut { whole_members(answer) } else { object(answer) };
    let Some(object) = found else {
        return match (asked.free, &asked.keys[..]) {
            _ if cut => Err(CUT.into()),
            (true, [key]) => Ok((Map::from_iter([(key.clone(), Value::String(answer.trim().into()))]), vec![])),
            _ => Err(format!("the answer is no JSON object: {}", clip(answer))),
        };
    };
    let (mut texts, mut missing) = (Map::new(), vec![]);
    for key in &asked.keys {
        let found = object.iter().find(|(k, _)| k.trim().eq_ignore_ascii_case(key));
        if asked.scores {
            let score = match found {
                Some((_, Value::Number(score))) => score.as_f64().filter(|s| s.fract() == 0.0).map(|s| s as i64),
                Some((_, Value::String(text))) => text.trim().parse().ok(),
                _ => None,
            };
            let Some(score) = score.filter(|s| (1..=5).contains(s)) else {
                return Err(format!("the answer has no score from 1 to 5 for `{key}`"));
            };
            texts.insert(key.clone(), Value::String(score.to_string()));
            continue;
        }
        match found {
            Some((_, Value::String(text))) if refusal(text, asked.free) => {
                missing.push((key.clone(), format!("the model refused: {}", clip(text))));
            }
            Some((_, Value::String(text))) if !text.trim().is_empty() => {
                texts.insert(key.clone(), Value::String(text.trim().into()));
            }
            _ if cut => missing.push((key.clone(), CUT.into())),
            _ => missing.push((key.clone(), "the answer has no such text".into())),
        }
    }
    Ok((texts, missing))
}

/// The members of a JSON object that are there from end to end, where it breaks off.
fn whole_members(answer: &str) -> Option<Map<String, Value>> {
    let text = &answer[answer.find('{')?..];
    let ends = text.char_indices().rev().filter(|(_, c)| *c == '"').map(|(at, _)| &text[..=at]);
    ends.filter_map(|whole| object(&format!("{whole}}}"))).next()
}

/// The JSON object in an answer: alone, in a fence, or with words around it.
fn object(answer: &str) -> Option<Map<String, Value>> {
    let (start, end) = (answer.find('{')?, answer.rfind('}')?);
    let text = answer.get(start..=end)?;
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Some(object),
        // Line breaks within strings are the commonest slip.
        _ => match serde_json::from_str(&text.replace('\n', " ")) {
            Ok(Value::Object(object)) => Some(object),
            _ => None,
        },
    }
}

/// An answer without the reasoning that some models put before it.
fn without_reasoning(text: &str) -> String {
    let mut text = text.to_string();
    for (open, close) in [("<think>", "</think>"), ("<thinking>", "</thinking>"), ("<reasoning>", "</reasoning>")] {
        while let Some(end) = text.find(close) {
            let start = text[..end].find(open).unwrap_or(0);
            text.replace_range(start..end + close.len(), "");
        }
        if let Some(start) = text.find(open) {
            text.truncate(start);
        }
    }
    text
}

/// Whether a model declines instead of writing. Portraits are in the third person and never begin in these ways; a
/// text of the caller's own kind may be anyone's, so that only plain refusals count.
fn refusal(text: &str, free: bool) -> bool {
    let start: String = text.trim_start().chars().take(80).collect::<String>().to_lowercase().replace('’', "'");
    let plain = [
        "i'm sorry, but i ca",
        "i am sorry, but i ca",
        "sorry, but i ca",
        "as an ai",
        "i'm unable to",
        "i am unable to",
    ];
    let helping = ["help", "assist", "fulfill", "comply", "write th", "create th"];
    let cannot = ["i cannot ", "i can't "].iter().find_map(|cannot| start.strip_prefix(cannot));
    let declines = plain.iter().any(|d| start.starts_with(d))
        || cannot.is_some_and(|what| helping.iter().any(|w| what.starts_with(w)));
    declines || (!free && ["i'm sorry", "i am sorry", "i cannot", "i can't"].iter().any(|d| start.starts_with(d)))
}

/// A server's own words on an error, wherever it put them: as much as is told.
pub(super) fn message(error: &Value) -> String {
    clip(&words_of(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(keys: &[&str], free: bool) -> Rendered {
        let keys = keys.iter().map(|k| k.to_string()).collect();
        let (system, user) = (String::new(), String::new());
        Rendered { system, user, keys, free, own: None, scores: false, words: 0, step: None }
    }

    fn completion(json: Value) -> Completion {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn answers_of_many_servers_are_read() {
        use serde_json::json;
        let text = |json| completion(json).text();
        assert_eq!(text(json!({"choices": [{"message": {"content": "a"}, "finish_reason": ""}]})).unwrap(), "a");
        let parts = json!({"choices": [{"message": {"content": [{"type": "text", "text": "a"}, {"text": "b"}]}}]});
        assert_eq!(text(parts).unwrap(), "ab");
        let reasoned = json!({"choices": [{"message": {"content": "<think>hm {\"x\": 1}</think>\n{\"y\": 2}"}}]});
        assert_eq!(text(reasoned).unwrap(), "{\"y\": 2}");
        let unopened = json!({"choices": [{"message": {"content": "hm</think>b"}, "finish_reason": "eos"}]});
        assert_eq!(text(unopened).unwrap(), "b");
        assert!(text(json!({})).unwrap_err().contains("no choices"));
        assert!(text(json!({"choices": [{}]})).unwrap_err().contains("empty"));
        assert!(text(json!({"error": {"message": "busy"}})).unwrap_err().contains("busy"));
        let refused = json!({"choices": [{"message": {"content": null, "refusal": "No."}}]});
        assert!(text(refused).unwrap_err().contains("refused: No."));
    }

    #[test]
    fn of_an_answer_that_breaks_off_the_whole_texts_are_kept() {
        let cut = serde_json::json!({"choices": [{"message": {"content": "a"}, "finish_reason": "length"}]});
        assert!(completion(cut).is_cut());
        let asked = asked(&["a", "b", "c"], false);
        let (texts, missing) = read("{\"a\": \"One.\", \"b\": \"He said \\\"two\\\", and", &asked, true).unwrap();
        assert_eq!(Value::Object(texts), serde_json::json!({"a": "One."}));
        assert_eq!(missing[0].1, "the answer was cut off at the limit of tokens");
        assert_eq!(missing.len(), 2);
        for nothing in ["", "{", "{\"a", "{\"a\"", "{\"a\": \"One", "One"] {
            assert!(
                read(nothing, &asked, true).is_ok_and(|(t, m)| t.is_empty() && m.len() == 3)
                    || read(nothing, &asked, true).unwrap_err().contains("cut off"),
                "{nothing}"
            );
        }
    }

    #[test]
    fn texts_are_found_in_fences_and_among_words() {
        let asked = asked(&["persona"], false);
        let found = |answer: &str| texts(answer, &asked).map(|t| t["persona"].as_str().unwrap().to_string());
        assert_eq!(found("{\"persona\": \" Ada. \"}").unwrap(), "Ada.");
        assert_eq!(found("Here it is:\n```json\n{\"Persona\": \"Ada.\", \"more\": 1}\n```").unwrap(), "Ada.");
        assert_eq!(found("{\"persona\": \"Ada\nMoss.\"}").unwrap(), "Ada Moss.");
        assert!(found("{\"persona\": \"\"}").unwrap_err().contains("no such text"));
        assert!(found("{\"persona\": 3}").unwrap_err().contains("no such text"));
        assert!(found("Ada keeps bees.").unwrap_err().contains("no JSON object"));
        assert!(found("I’m sorry, but I can't help with that.").unwrap_err().contains("refused"));
        assert!(found("{\"persona\": \"I cannot write this.\"}").unwrap_err().contains("refused"));
    }

    #[test]
    fn a_template_may_be_answered_by_the_text_alone() {
        let asked = asked(&["text"], true);
        assert_eq!(texts("Bees! #honey", &asked).unwrap()["text"], "Bees! #honey");
        assert_eq!(texts("{\"text\": \"Bees!\"}", &asked).unwrap()["text"], "Bees!");
        assert_eq!(texts("I can't wait for Friday!", &asked).unwrap()["text"], "I can't wait for Friday!");
        assert!(texts("I'm sorry, but I can't help with that.", &asked).unwrap_err().contains("refused"));
    }
}

//! A provider's batches: a file of requests is handed over, and one with the answers fetched when they are done.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::Completion;
use crate::servers::{Answer, Failure, Server, clip, words_of};

/// What every request of a batch is sent to, as the provider writes it.
const ENDPOINT: &str = "/v1/chat/completions";

/// Pages of a hundred batches that one is looked for on.
const PAGES: usize = 100;

/// How a batch stands, as far as providers agree on it. Nothing is required, nothing is a closed list.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Standing {
    pub id: String,
    pub status: String,
    output_file_id: Option<String>,
    error_file_id: Option<String>,
    request_counts: Counts,
    errors: Option<Value>,
    metadata: Option<Map<String, Value>>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
struct Counts {
    completed: u64,
    failed: u64,
}

impl Standing {
    /// Of a batch that the provider knows nothing of any more.
    pub fn gone() -> Standing {
        Standing { status: "cancelled".into(), ..Standing::default() }
    }

    pub fn ended(&self) -> bool {
        matches!(self.status.as_str(), "completed" | "failed" | "expired" | "cancelled")
    }

    /// Why the provider took none of it, if it did not.
    pub fn refused(&self) -> Option<String> {
        let said = || match self.errors.as_ref().and_then(|e| e.get("data")?.get(0)) {
            Some(first) => words_of(first),
            None => "it does not say why".into(),
        };
        (self.status == "failed").then(said)
    }

    /// Requests that are done with, well or not.
    pub fn done(&self) -> u64 {
        self.request_counts.completed + self.request_counts.failed
    }
}

#[derive(Deserialize)]
struct Listed {
    data: Vec<Standing>,
    /// Whether there are older ones
    #[serde(default)]
    has_more: bool,
}

/// A line of a file of answers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    custom_id: String,
    response: Option<Response>,
    error: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Response {
    status_code: u16,
    body: Value,
}

impl Line {
    /// What it says, in as many words as it does.
    fn answer(self) -> Result<Completion, String> {
        match (self.response, self.error) {
            (Some(Response { status_code: 200, body }), _) => {
                serde_json::from_value(body).map_err(|e| format!("the answer is nonsense: {e}"))
            }
            (Some(Response { status_code, body }), _) => {
                Err(format!("answered {status_code}: {}", words_of(body.get("error").unwrap_or(&body))))
            }
            (None, Some(error)) => Err(words_of(&error)),
            (None, None) => Err("the line has no answer".into()),
        }
    }
}

/// One request of a batch, as a line of its file.
pub(super) fn line(id: &str, body: &Value) -> Vec<u8> {
    let mut line = json!({ "custom_id": id, "method": "POST", "url": ENDPOINT, "body": body }).to_string().into_bytes();
    line.push(b'\n');
    line
}

impl Server {
    /// Hands a file of requests over, which is to be answered within a day. It goes by a name of ours, by which it is
    /// found again where the answer to this is lost.
    ///
    /// # Errors
    /// What the server said instead.
    pub(super) async fn submit(&self, name: &str, lines: &[u8]) -> Result<Standing, Failure> {
        let (kind, form) = form(name, lines);
        let file: Value = self.read(self.at("files", Some((kind, form))).await?)?;
        let Some(file) = file["id"].as_str() else {
            return Err(Failure::answer(format!("{} does not say what it calls the file", self.shown())));
        };
        let batch = json!({
            "input_file_id": file,
            "endpoint": ENDPOINT,
            "completion_window": "24h",
            "metadata": { "populace": name },
        });
        let sent = ("application/json".to_string(), batch.to_string().into_bytes());
        self.read(self.at("batches", Some(sent)).await?)
    }

    /// How a batch stands.
    ///
    /// # Errors
    /// What the server said instead.
    pub(super) async fn standing(&self, id: &str) -> Result<Standing, Failure> {
        self.read(self.at(&format!("batches/{id}"), None).await?)
    }

    /// The batch that goes by a name of ours, among the newest: one that was handed over long before is not looked for.
    ///
    /// # Errors
    /// What the server said instead.
    pub(super) async fn named(&self, name: &str) -> Result<Option<Standing>, Failure> {
        let is = |s: &Standing| s.metadata.as_ref().is_some_and(|m| m.get("populace").is_some_and(|n| n == name));
        let mut after = String::new();
        for _ in 0..PAGES {
            let Listed { data, has_more } = self.read(self.at(&format!("batches?limit=100{after}"), None).await?)?;
            let last = data.last().map(|s| s.id.clone());
            if let Some(found) = data.into_iter().find(is) {
                return Ok(Some(found));
            }
            match last {
                Some(last) if has_more => after = format!("&after={last}"),
                _ => break,
            }
        }
        Ok(None)
    }

    /// The answers of a batch that has ended, by the names of the requests; those that the provider did not get to are
    /// left out.
    ///
    /// # Errors
    /// What the server said instead.
    pub(super) async fn answers(&self, batch: &Standing) -> Result<Vec<(String, Result<Completion, String>)>, Failure> {
        let mut answers = vec![];
        for file in [&batch.output_file_id, &batch.error_file_id].into_iter().flatten() {
            let content = self.at(&format!("files/{file}/content"), None).await?;
            for line in content.split(|b| *b == b'\n').filter(|l| !l.trim_ascii().is_empty()) {
                // A line that cannot be read says nothing of which request it answers: that one has none.
                if let Ok(line) = serde_json::from_slice::<Line>(line) {
                    let (name, bare) = (line.custom_id.clone(), |said: &str| self.without_secrets(said));
                    let answer = line.answer().map(|a| a.with_errors(bare)).map_err(|said| clip(&bare(&said)));
                    answers.push((name, answer));
                }
            }
        }
        Ok(answers)
    }

    fn read<T: serde::de::DeserializeOwned>(&self, body: Vec<u8>) -> Result<T, Failure> {
        serde_json::from_slice(&body).map_err(|e| Failure::answer(format!("{} answers nonsense: {e}", self.shown())))
    }
}

/// A form with the file, as RFC 7578 has it: the type, and the body.
fn form(name: &str, lines: &[u8]) -> (String, Vec<u8>) {
    let boundary = format!("populace-{name}");
    let part = |disposition: &str| format!("--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n");
    let head = part("name=\"purpose\"") + "\r\nbatch\r\n";
    let file = part(&format!("name=\"file\"; filename=\"{name}.jsonl\"")) + "Content-Type: application/jsonl\r\n\r\n";
    let end = format!("\r\n--{boundary}--\r\n");
    let body = [head.as_bytes(), file.as_bytes(), lines, end.as_bytes()].concat();
    (format!("multipart/form-data; boundary={boundary}"), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_tolerantly() {
        let answer = |line: Value| serde_json::from_value::<Line>(line).unwrap().answer();
        let body = json!({ "choices": [{ "message": { "content": "yes" } }] });
        let good = json!({ "custom_id": "a", "response": { "status_code": 200, "body": body }, "error": null });
        assert_eq!(answer(good).unwrap().text().unwrap(), "yes");
        let refused = json!({ "response": { "status_code": 400, "body": { "error": { "message": "too long" } } } });
        assert_eq!(answer(refused).unwrap_err(), "answered 400: too long");
        let expired = json!({ "response": null, "error": { "code": "batch_expired", "message": "not in time" } });
        assert_eq!(answer(expired).unwrap_err(), "not in time");
        let standing: Standing = serde_json::from_value(json!({ "id": "b", "status": "validating" })).unwrap();
        assert!(!standing.ended() && standing.done() == 0);
        let failed = json!({ "status": "failed", "errors": { "data": [{ "message": "line 1 is no JSON" }] } });
        let failed: Standing = serde_json::from_value(failed).unwrap();
        assert_eq!(failed.refused().as_deref(), Some("line 1 is no JSON"));
    }

    #[test]
    fn a_form_holds_the_file_as_it_is() {
        let (kind, body) = form("n", b"{}\n");
        assert_eq!(kind, "multipart/form-data; boundary=populace-n");
        let text = String::from_utf8(body).unwrap();
        assert!(text.contains("name=\"purpose\"\r\n\r\nbatch\r\n--populace-n\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\n{}\n\r\n--populace-n--\r\n"), "{text}");
    }
}

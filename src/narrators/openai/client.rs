//! Requests to an OpenAI-compatible server: bounded in number and time, tried again where that may help.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_openai::Client as Api;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use backon::{ExponentialBuilder, Retryable};
use serde_json::{Value, json};

use super::answer::{Completion, clip, message};
use super::health::Health;
use super::limits::{Budget, Gate, Limits, Pace};
use super::prices::Price;
use super::prompts::Rendered;

const DEFAULT_BASE: &str = "https://api.openai.com/v1";

/// The longest wait that a server may ask for; beyond it the run had better stop.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// Where and how to ask.
#[derive(Clone)]
pub struct Endpoint {
    pub base: String,
    pub model: String,
    key: String,
    /// Requests in flight at once
    pub concurrency: usize,
    /// Of one request, answer included
    pub timeout: Duration,
    /// Requests for one answer, the first included
    pub attempts: usize,
    /// The first wait before another attempt; each further one is twice as long
    pub backoff: Duration,
    pub temperature: Option<f64>,
    pub limits: Limits,
    pub price: Option<Price>,
    /// How long a server that answered before may fail everyone until the run stops
    pub patience: Duration,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = if self.key.is_empty() { "none" } else { "[secret]" };
        write!(f, "Endpoint {{ base: {:?}, model: {:?}, key: {key} }}", self.base, self.model)
    }
}

impl Endpoint {
    /// A model behind `OPENAI_BASE_URL`, by default OpenAI's own, with the key in `OPENAI_API_KEY`, or in the file that
    /// `OPENAI_API_KEY_FILE` names.
    ///
    /// # Errors
    /// If OpenAI's own server is meant and there is no key, or the key or the address cannot be one.
    pub fn from_environment(model: &str) -> Result<Endpoint, String> {
        let variable = |name| std::env::var(name).map(|v: String| v.trim().to_string()).unwrap_or_default();
        let base = match variable("OPENAI_BASE_URL").trim_end_matches('/') {
            "" => DEFAULT_BASE.to_string(),
            base => base.to_string(),
        };
        let key = match (variable("OPENAI_API_KEY"), variable("OPENAI_API_KEY_FILE")) {
            (key, file) if key.is_empty() && !file.is_empty() => key_in(Path::new(&file))?,
            (key, _) => key,
        };
        Endpoint::new(&base, model, &key)
    }

    pub(super) fn new(base: &str, model: &str, key: &str) -> Result<Endpoint, String> {
        if model.is_empty() {
            return Err("openai: names no model; write openai:MODEL".into());
        }
        match reqwest::Url::parse(base) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {}
            _ => {
                return Err(format!(
                    "OPENAI_BASE_URL is no address of a server: {base}; as in http://localhost:8000/v1"
                ));
            }
        }
        if key.is_empty() && base == DEFAULT_BASE {
            return Err(format!(
                "{base} needs a key: set OPENAI_API_KEY, or set OPENAI_BASE_URL to a server that needs none"
            ));
        }
        if !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("OPENAI_API_KEY holds spaces or other characters that no key has".into());
        }
        Ok(Endpoint {
            base: base.into(),
            model: model.into(),
            key: key.into(),
            concurrency: 16,
            timeout: Duration::from_secs(120),
            attempts: 5,
            backoff: Duration::from_millis(500),
            temperature: None,
            limits: Limits::default(),
            price: None,
            patience: Duration::from_secs(180),
        })
    }
}

/// The key in a file that nobody but its owner may read.
fn key_in(file: &Path) -> Result<String, String> {
    let wrong = |what: String| format!("OPENAI_API_KEY_FILE, {}: {what}", file.display());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(file).map_err(|e| wrong(e.to_string()))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(wrong("others may read it; chmod 600 it first".into()));
        }
    }
    let key = std::fs::read_to_string(file).map_err(|e| wrong(e.to_string()))?;
    Ok(key.trim().to_string())
}

/// Why there is no answer.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub message: String,
    /// Whether another attempt may succeed
    pub passing: bool,
    /// How long the server asks to be left alone
    pub wait: Option<Duration>,
    /// Whether the endpoint as a whole is of no use, rather than this one answer
    pub outage: bool,
    /// Whether it is the server that failed, or has too much to do, rather than the model
    pub server: bool,
    /// Whether the server turned down how it was asked, rather than what
    pub unsupported: bool,
    /// Requests sent
    pub attempts: u32,
}

impl Failure {
    /// An answer that is of no use: another attempt may bring a better one.
    pub fn answer(message: String) -> Failure {
        Failure { message, passing: true, wait: None, outage: false, server: false, unsupported: false, attempts: 0 }
    }

    /// One that no attempt mends.
    pub fn lasting(message: String) -> Failure {
        Failure { passing: false, ..Failure::answer(message) }
    }

    fn outage(message: String, passing: bool) -> Failure {
        Failure { passing, outage: true, server: passing, ..Failure::answer(message) }
    }
}

/// What a server said instead of an answer.
#[derive(Debug, thiserror::Error)]
#[error("{status}")]
struct Refused {
    status: u16,
    wait: Option<Duration>,
    body: String,
}

/// Sends requests.
pub(super) struct Client {
    endpoint: Endpoint,
    api: Api<OpenAIConfig>,
    gate: Gate,
    pace: Pace,
    budget: Budget,
    health: Health,
    /// What the server was found not to take; each is left out from then on
    no_schema: AtomicBool,
    no_json: AtomicBool,
    no_seed: AtomicBool,
    no_temperature: AtomicBool,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.endpoint.fmt(f)
    }
}

impl Client {
    /// # Errors
    /// If there is no way to speak TLS.
    pub fn new(endpoint: Endpoint) -> Result<Client, String> {
        // Another library may have chosen a provider already; then that one does.
        _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10).min(endpoint.timeout))
            .timeout(endpoint.timeout)
            .build()
            .map_err(|e| format!("no HTTP client: {}", causes(&e)))?;
        let key = if endpoint.key.is_empty() { "none" } else { &endpoint.key };
        let config = OpenAIConfig::new().with_api_base(&endpoint.base).with_api_key(key);
        let sender = http.clone();
        let service = tower::service_fn(move |request: HttpRequestFactory| send(sender.clone(), request));
        let api = Api::build(http, config).with_http_service(service);
        let (gate, pace) = (Gate::new(endpoint.concurrency), Pace::new(&endpoint.limits));
        let budget = Budget::new(endpoint.limits);
        let health = Health::new(endpoint.patience, endpoint.backoff * 10);
        let [no_schema, no_json, no_seed, no_temperature] = std::array::from_fn(|_| AtomicBool::new(false));
        Ok(Client { endpoint, api, gate, pace, budget, health, no_schema, no_json, no_seed, no_temperature })
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Asks until `accept` takes the answer, an attempt cannot help, or there have been enough; counts the `attempts`.
    /// What was wrong with an answer is told with the next attempt.
    ///
    /// # Errors
    /// The last failure.
    pub async fn ask<T>(
        &self,
        asked: &Rendered,
        seed: u32,
        attempts: &AtomicU32,
        accept: impl FnMut(Completion) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let (accept, complaint) = (Mutex::new(accept), Mutex::new(None::<String>));
        let attempt = || async {
            let attempt = attempts.fetch_add(1, Ordering::Relaxed);
            let last = complaint.lock().unwrap_or_else(PoisonError::into_inner).take();
            // An answer that was of no use would come again from the same seed.
            let completion = self.request(asked, seed.wrapping_add(attempt), last.as_deref()).await?;
            let mut accept = accept.lock().unwrap_or_else(PoisonError::into_inner);
            let accepted = accept(completion);
            if let Err(failure) = &accepted {
                *complaint.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure.message.clone());
            }
            accepted
        };
        let policy = ExponentialBuilder::default()
            .with_min_delay(self.endpoint.backoff)
            .with_max_delay(Duration::from_secs(30))
            .with_max_times(self.endpoint.attempts.saturating_sub(1))
            .with_jitter();
        attempt
            .retry(policy)
            .when(|f: &Failure| f.passing)
            .adjust(|f, pause| pause.map(|p| f.wait.map_or(p, |w| w.max(p))))
            .await
    }

    /// One answer; where the server turns down a parameter, it is left out and the request sent again. While the server
    /// fails everyone, requests wait for it, within the endpoint's patience.
    async fn request(&self, asked: &Rendered, seed: u32, complaint: Option<&str>) -> Result<Completion, Failure> {
        let mut forms = 0;
        while forms < 4 {
            self.health.wait().await.map_err(|message| Failure::outage(message, false))?;
            self.pace.turn(asked.tokens()).await;
            let slot = self.gate.enter().await;
            self.budget.take().map_err(|limit| Failure::outage(limit, false))?;
            let sent = self.body(asked, seed, complaint);
            match self.api.chat().create_byot::<_, Value>(sent.clone()).await {
                Ok(answer) => {
                    self.health.answered();
                    slot.answered();
                    let completion: Completion = serde_json::from_value(answer)
                        .map_err(|e| Failure::answer(format!("{} answers nonsense: {e}", self.endpoint.base)))?;
                    let (asked, answered) = (completion.prompt_tokens(), completion.completion_tokens());
                    let (asked, answered) = (asked.unwrap_or(0), answered.unwrap_or(0));
                    self.budget.spend(asked + answered, self.endpoint.price.map(|p| p.of(asked, answered)));
                    return Ok(completion);
                }
                Err(error) => {
                    let failure = self.explain(error);
                    if failure.server {
                        slot.turned_away();
                        if self.health.failed(&failure.message) {
                            continue;
                        }
                    }
                    if !(failure.unsupported && self.leave_out(&sent, &failure.message)) {
                        return Err(failure);
                    }
                    forms += 1;
                }
            }
        }
        Err(Failure::lasting(format!("{} takes no form of request that is known", self.endpoint.base)))
    }

    fn body(&self, asked: &Rendered, seed: u32, complaint: Option<&str>) -> Value {
        let off = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        let mut body = json!({
            "model": self.endpoint.model,
            "messages": [{ "role": "system", "content": asked.system }, { "role": "user", "content": asked.user }],
            "stream": false,
        });
        if let (Some(complaint), Some(messages)) = (complaint, body["messages"].as_array_mut()) {
            let again =
                format!("An earlier answer to this could not be used: {complaint}. Mind that, and write it anew.");
            messages.push(json!({ "role": "user", "content": again }));
        }
        if !off(&self.no_schema) {
            let schema = json!({ "name": "texts", "strict": true, "schema": asked.schema() });
            body["response_format"] = json!({ "type": "json_schema", "json_schema": schema });
        } else if !off(&self.no_json) {
            body["response_format"] = json!({ "type": "json_object" });
        }
        if !off(&self.no_seed) {
            body["seed"] = json!(seed & i32::MAX as u32);
        }
        if let (Some(temperature), false) = (self.endpoint.temperature, off(&self.no_temperature)) {
            body["temperature"] = json!(temperature);
        }
        body
    }

    /// Notes which parameter a server turned down; false if it cannot be told, or was not sent.
    fn leave_out(&self, sent: &Value, complaint: &str) -> bool {
        let complaint = complaint.to_lowercase();
        let about = |words: &[&str]| words.iter().any(|w| complaint.contains(w));
        let flag = if about(&["temperature"]) && sent.get("temperature").is_some() {
            &self.no_temperature
        } else if about(&["seed"]) && sent.get("seed").is_some() {
            &self.no_seed
        } else if about(&["response_format", "json_schema", "json_object", "schema", "response format", "grammar"]) {
            match sent.get("response_format").and_then(|f| f.get("type")?.as_str()) {
                Some("json_schema") => &self.no_schema,
                Some(_) => &self.no_json,
                None => return false,
            }
        } else {
            return false;
        };
        flag.store(true, Ordering::Relaxed);
        true
    }

    fn explain(&self, error: OpenAIError) -> Failure {
        let Endpoint { base, model, timeout, .. } = &self.endpoint;
        match error {
            OpenAIError::Boxed(error) => match error.downcast::<Refused>() {
                Ok(refused) => self.refused(&refused),
                Err(error) => Failure::answer(self.without_key(&format!("{base}: {error}"))),
            },
            OpenAIError::Reqwest(error) if error.is_timeout() && !error.is_connect() => Failure {
                server: true,
                ..Failure::answer(format!("{base} gave no answer within {} s", timeout.as_secs_f64()))
            },
            OpenAIError::Reqwest(error) if error.is_connect() => Failure::outage(
                format!("{base} cannot be reached: {}; OPENAI_BASE_URL says which server is asked", causes(&error)),
                true,
            ),
            OpenAIError::Reqwest(error) => {
                Failure { server: true, ..Failure::answer(format!("{base}: {}", causes(&error))) }
            }
            OpenAIError::JSONDeserialize(_, body) => {
                let body = self.without_key(&clip(&body));
                Failure::answer(format!("{base} answers nonsense for a model such as {model}: {body}"))
            }
            error => Failure::answer(self.without_key(&format!("{base}: {error}"))),
        }
    }

    fn refused(&self, Refused { status, wait, body }: &Refused) -> Failure {
        let Endpoint { base, model, .. } = &self.endpoint;
        let said = match serde_json::from_str::<Value>(body) {
            Ok(body) => message(body.get("error").unwrap_or(&body)),
            Err(_) => clip(body),
        };
        let said = self.without_key(&said);
        let quota = body.contains("insufficient_quota") || body.contains("billing_hard_limit");
        match status {
            401 | 403 => {
                Failure::outage(format!("{base} refuses the key ({status}: {said}): set OPENAI_API_KEY"), false)
            }
            404 => Failure::outage(
                format!("{base} has no model {model} ({status}: {said}); OPENAI_BASE_URL says which server is asked"),
                false,
            ),
            402 | 429 if quota || *status == 402 => {
                Failure::outage(format!("{base} wants to be paid first ({status}: {said})"), false)
            }
            408 | 409 | 425 | 429 | 500..=599 => {
                let long = wait.is_some_and(|w| w > LONGEST_WAIT);
                let message = format!("{base} answers {status}: {said}");
                Failure { wait: *wait, passing: !long, outage: long, server: true, ..Failure::answer(message) }
            }
            400 | 422 => Failure { unsupported: true, ..Failure::lasting(format!("{base} answers {status}: {said}")) },
            _ => Failure::lasting(format!("{base} answers {status}: {said}")),
        }
    }

    /// Servers repeat the key in what they say of it.
    fn without_key(&self, text: &str) -> String {
        if self.endpoint.key.is_empty() { text.into() } else { text.replace(&self.endpoint.key, "[key]") }
    }
}

/// Sends one request; a status other than success is an error with what the server said.
async fn send(http: reqwest::Client, request: HttpRequestFactory) -> Result<reqwest::Response, OpenAIError> {
    let response = http.execute(request.build().await?).await.map_err(OpenAIError::Reqwest)?;
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status().as_u16();
    let wait = response.headers().get("retry-after").and_then(|w| wait(w.to_str().ok()?));
    let mut body = response.text().await.unwrap_or_default();
    body.truncate(body.floor_char_boundary(4096));
    Err(OpenAIError::Boxed(Box::new(Refused { status, wait, body })))
}

/// `Retry-After`: seconds, or a date.
fn wait(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = chrono::DateTime::parse_from_rfc2822(text).ok()?;
    (at.to_utc() - chrono::Utc::now()).to_std().ok()
}

/// An error with what caused it: reqwest's own text says only that something failed.
fn causes(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_checked_before_it_is_asked() {
        let message = |base, model, key| Endpoint::new(base, model, key).unwrap_err();
        assert!(message(DEFAULT_BASE, "m", "").contains("set OPENAI_API_KEY"));
        assert!(message("localhost:8000", "m", "").contains("http://localhost:8000/v1"));
        assert!(message("http://localhost/v1", "", "").contains("openai:MODEL"));
        assert!(message("http://localhost/v1", "m", "two words").contains("no key has"));
        let endpoint = Endpoint::new("http://localhost/v1", "m", "sk-very-secret").unwrap();
        assert!(!format!("{endpoint:?} {:?}", Client::new(endpoint.clone()).unwrap()).contains("very-secret"));
    }

    #[test]
    #[cfg(unix)]
    fn a_key_in_a_file_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        assert!(key_in(&file).unwrap_err().contains("OPENAI_API_KEY_FILE"));
        std::fs::write(&file, "sk-very-secret\n").unwrap();
        let mode = |mode| std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        mode(0o644);
        let error = key_in(&file).unwrap_err();
        assert!(error.contains("chmod 600") && !error.contains("very-secret"), "{error}");
        mode(0o600);
        assert_eq!(key_in(&file).unwrap(), "sk-very-secret");
    }

    #[test]
    fn waits_are_seconds_or_dates() {
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("-3"), None);
        assert!(wait("Wed, 21 Oct 2099 07:28:00 GMT").unwrap() > Duration::from_secs(1_000_000));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), None);
    }
}

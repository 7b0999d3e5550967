//! One OpenAI-compatible server: what it is sent, and what it says instead of an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_openai::Client as Api;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::endpoint::{Address, Endpoint};
use super::gate::Gate;
use super::health::Health;
use super::limits::{Budget, Pace, Usage};

/// What OpenAI calls the limit of an answer; it was `max_tokens` once, and is so at other servers still.
pub(crate) const NEW_LIMIT: &str = "max_completion_tokens";

/// The longest wait that a server may ask for; beyond it the run had better stop.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// What is read of an answer, of a file of answers, and of what a server says instead, in bytes.
const ANSWER: usize = 16 << 20;
const FILE: usize = 1 << 30;
const SAID: usize = 64 << 10;

/// What a server answers, as far as servers agree on it.
pub(crate) trait Answer: DeserializeOwned + Send + 'static {
    /// Asks for one, by the interface that it belongs to.
    fn ask(server: &Server, body: Value) -> impl Future<Output = Result<Self, OpenAIError>> + Send;

    /// Tokens of what was asked and of the answer, as far as the server tells them.
    fn told(&self) -> (Option<u64>, Option<u64>);

    /// Of the answer.
    fn letters(&self) -> usize;

    /// The same, with what it says of an error in other words.
    fn with_errors(self, said: impl Fn(&str) -> String) -> Self;
}

/// Why there is no answer.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub message: String,
    /// Whether another attempt may succeed
    pub passing: bool,
    /// How long the server asks to be left alone
    pub wait: Option<Duration>,
    /// Whether the endpoint as a whole is of no use, rather than this one answer
    pub outage: bool,
    /// Whether that is the fault of the one server that was asked
    pub of_server: bool,
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
        let [outage, of_server, server, unsupported] = [false; 4];
        Failure { message, passing: true, wait: None, outage, of_server, server, unsupported, attempts: 0 }
    }

    /// One that no attempt mends.
    pub fn lasting(message: String) -> Failure {
        Failure { passing: false, ..Failure::answer(message) }
    }

    pub fn outage(message: String, passing: bool) -> Failure {
        Failure { passing, outage: true, of_server: true, server: passing, ..Failure::answer(message) }
    }
}

/// Why there is no response to read.
#[derive(Debug, thiserror::Error)]
enum Silence {
    /// The server said something else instead
    #[error("{status}")]
    Refused {
        status: u16,
        wait: Option<Duration>,
        /// Where it would have the request sent
        elsewhere: bool,
        body: String,
    },
    #[error("{0}")]
    Http(reqwest::Error),
    /// It is longer than what would be read, in bytes
    #[error("more than {0} bytes")]
    TooLong(usize),
    #[error("{0}")]
    Nonsense(String),
}

impl Silence {
    /// Whether nothing can have been done for the request that is to be paid.
    fn is_free(&self) -> bool {
        match self {
            Silence::Refused { .. } => true,
            Silence::Http(error) => error.is_connect() || error.is_builder(),
            Silence::TooLong(_) | Silence::Nonsense(_) => false,
        }
    }
}

/// A server that is asked for a model.
pub(crate) struct Server {
    address: Address,
    pub endpoint: Arc<Endpoint>,
    /// For answers; what it sends and reads goes through [`exchange`]
    pub api: Api<OpenAIConfig>,
    http: reqwest::Client,
    gate: Gate,
    pub health: Health,
    /// Requests that are at it, or wait for their turn
    load: AtomicUsize,
    /// What the server was found not to take; each is left out from then on
    pub no_schema: AtomicBool,
    pub no_json: AtomicBool,
    pub no_seed: AtomicBool,
    pub no_temperature: AtomicBool,
    pub no_dimensions: AtomicBool,
    pub no_documents: AtomicBool,
    /// Whether it knows the limit of an answer by its older name alone
    pub old_limit: AtomicBool,
}

/// A request among those that a server has to do, until dropped.
struct Load<'a>(&'a AtomicUsize);

impl Drop for Load<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Which parameters, that some servers turn down, a request has.
#[derive(Debug, Clone, Copy)]
struct Sent {
    schema: bool,
    json: bool,
    seed: bool,
    temperature: bool,
    dimensions: bool,
    documents: bool,
    new_limit: bool,
}

impl Sent {
    fn of(body: &Value) -> Sent {
        let has = |name: &str| body.get(name).is_some();
        let form = body.get("response_format").and_then(|f| f.get("type")?.as_str());
        Sent {
            schema: form == Some("json_schema"),
            json: form.is_some_and(|f| f != "json_schema"),
            seed: has("seed"),
            temperature: has("temperature"),
            dimensions: has("dimensions"),
            documents: has("documents"),
            new_limit: has(NEW_LIMIT),
        }
    }
}

impl Server {
    pub fn new(address: Address, endpoint: Arc<Endpoint>, http: &reqwest::Client) -> Server {
        // Its part of the requests in flight.
        let weights: f64 = endpoint.addresses.iter().map(|a| a.weight).sum();
        let part = (endpoint.concurrency as f64 * address.weight / weights).ceil() as usize;
        let (gate, health) = (Gate::new(part), Health::new(endpoint.patience, endpoint.backoff * 10));
        let [no_schema, no_json, no_seed, no_temperature, no_dimensions, no_documents, old_limit] =
            std::array::from_fn(|_| AtomicBool::new(false));
        let load = AtomicUsize::new(0);
        let http = http.clone();
        let api = api(&address, &http, endpoint.timeout);
        Server {
            address,
            endpoint,
            api,
            http,
            gate,
            health,
            load,
            no_schema,
            no_json,
            no_seed,
            no_temperature,
            no_dimensions,
            no_documents,
            old_limit,
        }
    }

    /// How much it has to do, for its weight.
    pub fn load(&self) -> f64 {
        (self.load.load(Ordering::Relaxed) + 1) as f64 / self.address.weight
    }

    /// One answer, and what it took; where the server turns down a parameter, it is left out and the request sent again.
    /// While the server fails everyone, requests wait for it, within the endpoint's patience; where `elsewhere` they are
    /// served, there is no answer, and nothing was sent. `count` hears of each request before it is sent.
    ///
    /// # Errors
    /// What the server said instead, or that a limit is reached.
    pub async fn request<A: Answer>(
        &self,
        (tokens, body): (u64, &(dyn Fn(&Server) -> Value + Send + Sync)),
        (pace, budget, expected): (&Pace, &Arc<Budget>, Usage),
        elsewhere: bool,
        count: &(dyn Fn() + Sync),
    ) -> Result<Option<(A, Usage)>, Failure> {
        self.load.fetch_add(1, Ordering::Relaxed);
        let _load = Load(&self.load);
        let mut forms = 0;
        while forms < 5 {
            self.health.wait().await.map_err(|message| Failure::outage(message, false))?;
            pace.turn(tokens).await;
            // Made before there is a place for it, so that no place waits for it.
            let body = body(self);
            let sent = Sent::of(&body);
            let slot = self.gate.enter().await;
            if elsewhere && !self.health.is_up() {
                return Ok(None);
            }
            let reserved = budget.reserve(expected, self.endpoint.price).await;
            let reserved = reserved.map_err(|limit| Failure { of_server: false, ..Failure::outage(limit, false) })?;
            count();
            match self.answer::<A>(body).await {
                Ok(answer) => {
                    self.health.answered();
                    slot.answered();
                    let usage = reserved.settle(answer.told(), answer.letters());
                    return Ok(Some((answer, usage)));
                }
                Err(silence) => {
                    if silence.is_free() {
                        reserved.release();
                    }
                    let failure = self.explain(silence);
                    if failure.server {
                        slot.turned_away();
                        if self.health.failed(&failure.message) && !elsewhere {
                            continue;
                        }
                    }
                    if !(failure.unsupported && self.leave_out(sent, &failure.message)) {
                        return Err(failure);
                    }
                    forms += 1;
                }
            }
        }
        Err(Failure::lasting(format!("{} takes no form of request that is known", self.shown())))
    }

    async fn answer<A: Answer>(&self, body: Value) -> Result<A, Silence> {
        let answer = A::ask(self, body).await.map_err(|error| match error {
            OpenAIError::Boxed(error) => match error.downcast::<Silence>() {
                Ok(silence) => *silence,
                Err(other) => Silence::Nonsense(other.to_string()),
            },
            OpenAIError::Reqwest(error) => Silence::Http(error.without_url()),
            OpenAIError::JSONDeserialize(_, said) => Silence::Nonsense(said),
            other => Silence::Nonsense(other.to_string()),
        });
        Ok(answer?.with_errors(|said| self.address.without_secrets(said)))
    }

    /// What it answers to a body that is sent to a path which is not of OpenAI's interface.
    pub async fn post<A: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<A, OpenAIError> {
        let sent = Some(("application/json".to_string(), body.to_string().into_bytes()));
        let said = exchange(&self.http, &self.address, (path, sent), self.endpoint.timeout, ANSWER).await;
        let said = said.map_err(|silence| OpenAIError::Boxed(Box::new(silence)))?;
        let nonsense = |e| OpenAIError::JSONDeserialize(e, String::from_utf8_lossy(&said).into_owned());
        serde_json::from_slice(&said).map_err(nonsense)
    }

    /// What the server is called where people read it.
    pub fn shown(&self) -> &str {
        &self.address.shown
    }

    pub fn without_secrets(&self, said: &str) -> String {
        self.address.without_secrets(said)
    }

    /// What it says at a path, which is no request for an answer: it is sent as it is, of a type, or something is only
    /// asked for.
    ///
    /// # Errors
    /// What it said instead.
    pub async fn at(&self, path: &str, sent: Option<(String, Vec<u8>)>) -> Result<Vec<u8>, Failure> {
        // Files are large.
        let said = exchange(&self.http, &self.address, (path, sent), self.endpoint.timeout * 5, FILE).await;
        said.map_err(|silence| match silence {
            Silence::Refused { status: status @ (404 | 405 | 501), .. } => {
                let base = self.shown();
                let message = format!("{base} has no {path} ({status}): leave --batch out where there are no batches");
                Failure { unsupported: true, ..Failure::outage(message, false) }
            }
            silence => self.explain(silence),
        })
    }

    /// Notes which parameter a server turned down; false if it cannot be told, or was not sent.
    fn leave_out(&self, sent: Sent, complaint: &str) -> bool {
        let complaint = complaint.to_lowercase();
        let about = |words: &[&str]| words.iter().any(|w| complaint.contains(w));
        let flag = if about(&["texts", "documents"]) && sent.documents {
            &self.no_documents
        } else if about(&["dimensions"]) && sent.dimensions {
            &self.no_dimensions
        } else if about(&["temperature"]) && sent.temperature {
            &self.no_temperature
        } else if about(&[NEW_LIMIT]) && sent.new_limit {
            &self.old_limit
        } else if about(&["seed"]) && sent.seed {
            &self.no_seed
        } else if about(&["response_format", "json_schema", "json_object", "schema", "response format", "grammar"]) {
            match (sent.schema, sent.json) {
                (true, _) => &self.no_schema,
                (_, true) => &self.no_json,
                _ => return false,
            }
        } else {
            return false;
        };
        flag.store(true, Ordering::Relaxed);
        true
    }

    fn explain(&self, silence: Silence) -> Failure {
        let (base, Endpoint { model, timeout, .. }) = (self.shown(), self.endpoint.as_ref());
        match silence {
            Silence::Refused { elsewhere: true, status, .. } => Failure::outage(
                format!(
                    "{base} answers {status}: it sends requests elsewhere, which they do not follow; name the address \
                     that is meant with OPENAI_BASE_URL"
                ),
                false,
            ),
            Silence::Refused { status, wait, body, .. } => self.refused(status, wait, &body),
            Silence::Http(error) if error.is_timeout() && !error.is_connect() => Failure {
                server: true,
                ..Failure::answer(format!("{base} gave no answer within {} s", timeout.as_secs_f64()))
            },
            Silence::Http(error) if error.is_connect() => Failure::outage(
                format!(
                    "{base} cannot be reached: {}; OPENAI_BASE_URL says which server is asked",
                    self.address.without_secrets(&causes(&error))
                ),
                true,
            ),
            Silence::Http(error) => {
                let message = format!("{base}: {}", self.address.without_secrets(&causes(&error)));
                Failure { server: true, ..Failure::answer(message) }
            }
            Silence::TooLong(most) => {
                Failure::answer(format!("{base} answers more than {} MiB, which nobody reads", most >> 20))
            }
            Silence::Nonsense(body) => {
                let body = clip(&self.address.without_secrets(&body));
                Failure::answer(format!("{base} answers nonsense for a model such as {model}: {body}"))
            }
        }
    }

    /// `body` has no secrets in it.
    fn refused(&self, status: u16, wait: Option<Duration>, body: &str) -> Failure {
        let (base, Endpoint { model, .. }) = (self.shown(), self.endpoint.as_ref());
        let said = match serde_json::from_str::<Value>(body) {
            // What was escaped is not any more.
            Ok(body) => self.address.without_secrets(&words_of(body.get("error").unwrap_or(&body))),
            Err(_) => body.to_string(),
        };
        let said = clip(&said);
        let quota = body.contains("insufficient_quota") || body.contains("billing_hard_limit");
        match status {
            401 | 403 => {
                Failure::outage(format!("{base} refuses the key ({status}: {said}): set OPENAI_API_KEY"), false)
            }
            404 => Failure::outage(
                format!("{base} has no model {model} ({status}: {said}); OPENAI_BASE_URL says which server is asked"),
                false,
            ),
            402 | 429 if quota || status == 402 => {
                Failure::outage(format!("{base} wants to be paid first ({status}: {said})"), false)
            }
            408 | 409 | 425 | 429 | 500..=599 => {
                let long = wait.is_some_and(|w| w > LONGEST_WAIT);
                let message = format!("{base} answers {status}: {said}");
                Failure {
                    wait,
                    passing: !long,
                    outage: long,
                    of_server: true,
                    server: true,
                    ..Failure::answer(message)
                }
            }
            400 | 422 => Failure { unsupported: true, ..Failure::lasting(format!("{base} answers {status}: {said}")) },
            _ => Failure::lasting(format!("{base} answers {status}: {said}")),
        }
    }
}

/// A client of the interface whose requests go where the address says, and whose answers are read up to a bound.
fn api(address: &Address, http: &reqwest::Client, timeout: Duration) -> Api<OpenAIConfig> {
    let (to, sender) = (address.clone(), http.clone());
    let service = tower::service_fn(move |request: HttpRequestFactory| {
        let (to, sender) = (to.clone(), sender.clone());
        async move {
            let request = request.build().await?;
            let body = request.body().and_then(|body| body.as_bytes()).unwrap_or_default().to_vec();
            // Where it goes below the address.
            let path = request.url().path().trim_start_matches('/');
            let sent = (path, Some(("application/json".to_string(), body)));
            let said = exchange(&sender, &to, sent, timeout, ANSWER).await;
            let said = said.map_err(|silence| OpenAIError::Boxed(Box::new(silence)))?;
            Ok::<_, OpenAIError>(reqwest::Response::from(http::Response::new(said)))
        }
    });
    // By itself it would take address and key from the environment: where requests go is said here only.
    let nowhere = OpenAIConfig::new().with_api_base("http://address").with_api_key("");
    Api::build(http.clone(), nowhere).with_http_service(service)
}

/// Sends something to a path, or asks for what is there; what is read of the answer is bounded.
async fn exchange(
    http: &reqwest::Client,
    address: &Address,
    (path, sent): (&str, Option<(String, Vec<u8>)>),
    timeout: Duration,
    most: usize,
) -> Result<Vec<u8>, Silence> {
    let url = address.at(path);
    let mut request = match sent {
        Some((kind, body)) => http.post(url).header("content-type", kind).body(body),
        None => http.get(url),
    };
    if !address.key.is_empty() {
        request = request.bearer_auth(&address.key);
    }
    let response = request.timeout(timeout).send().await.map_err(|e| Silence::Http(e.without_url()))?;
    let status = response.status();
    if status.is_success() {
        return read(response, most).await?.ok_or(Silence::TooLong(most));
    }
    let wait = response.headers().get("retry-after").and_then(|w| wait(w.to_str().ok()?));
    // What is beyond it says nothing more.
    let body = read(response, SAID).await.unwrap_or_default().unwrap_or_default();
    let body = address.without_secrets(&String::from_utf8_lossy(&body));
    Err(Silence::Refused { status: status.as_u16(), wait, elsewhere: status.is_redirection(), body })
}

/// The body of a response; nothing where it is longer than so many bytes.
async fn read(mut response: reqwest::Response, most: usize) -> Result<Option<Vec<u8>>, Silence> {
    let mut body = vec![];
    while let Some(chunk) = response.chunk().await.map_err(|e| Silence::Http(e.without_url()))? {
        if body.len() + chunk.len() > most {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
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
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

/// A server's own words on an error, wherever it put them.
pub(crate) fn words_of(error: &Value) -> String {
    match error {
        Value::String(text) => text.clone(),
        other => match other.get("message").or_else(|| other.get("error")).or_else(|| other.get("detail")) {
            Some(inner) => words_of(inner),
            None => other.to_string(),
        },
    }
}

/// The beginning of a text, on one line.
pub(crate) fn clip(text: &str) -> String {
    let line: Vec<&str> = text.split_whitespace().collect();
    let line = line.join(" ");
    match line.char_indices().nth(160) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

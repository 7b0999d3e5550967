//! Vectors of a model behind an OpenAI-compatible server: OpenAI, Text Embeddings Inference, vLLM, Ollama and the like.
//!
//! Each answer is in the catalogue before its vectors are anywhere; a text that was answered is not asked about again.

mod answer;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use backon::Retryable;
use datafusion::common::{DataFusionError, Result};
use futures::{StreamExt, stream};
use populace_udfs::{Embedder, Estimate, Outage, Purpose};
use serde_json::{Value, json};

use self::answer::Embeddings;
use super::models;
use crate::catalog::{Call, Catalog};
use crate::servers::{
    Activities, Activity, Endpoint, Failure, ModelContext, OpenCatalog, Pool, RequestOptions, Server, Usage, as_told,
};

/// Texts in a request: what Text Embeddings Inference takes by default, and others do too.
const TOGETHER: usize = 32;

/// How long is waited for the vectors that somebody else asks for before they are looked for again, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// What a model is asked for whose dimension nobody knows.
const PROBE: &str = "a person";

/// What OpenAI's own models have, beside those that fastembed knows.
const DIMENSIONS: [(&str, usize); 3] =
    [("text-embedding-3-small", 1536), ("text-embedding-3-large", 3072), ("text-embedding-ada-002", 1536)];

/// Makes vectors by a model behind servers, for a statement.
#[derive(Clone)]
pub(super) struct OpenAi {
    model: Arc<Model>,
    activity: Arc<Activity>,
    statements: Arc<Activities>,
}

struct Model {
    /// `openai:MODEL`, and `@N` after it where the dimension is declared
    name: String,
    pool: Pool,
    catalog: OpenCatalog,
    /// As the server is told
    declared: Option<usize>,
    dimension: usize,
    /// What stands before a query, and before a passage
    marks: (&'static str, &'static str),
}

impl fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenAi {{ name: {:?}, dimension: {} }}", self.model.name, self.model.dimension)
    }
}

/// The model, and the dimension that is declared after an `@`.
fn parts(spec: &str) -> (&str, Option<usize>) {
    match spec.rsplit_once('@').and_then(|(model, number)| Some((model, number.parse().ok().filter(|n| *n > 0)?))) {
        Some((model, dimension)) => (model, Some(dimension)),
        None => (spec, None),
    }
}

/// The dimension that a model is known to have.
fn known_dimension(model: &str) -> Option<usize> {
    let of_openai = DIMENSIONS.iter().find(|(name, _)| *name == model).map(|(_, dimension)| *dimension);
    of_openai.or_else(|| Some(models::find(untagged(model))?.info.dim))
}

/// A model without what Ollama has after its name: `nomic-embed-text:latest`.
fn untagged(model: &str) -> &str {
    model.split(':').next().unwrap_or(model)
}

impl OpenAi {
    /// Finds out where the model is and how long its vectors are: as it is declared, or known of the model; else by the
    /// vector of a text, which is asked for once and kept.
    ///
    /// # Errors
    /// If there is no such server or key, or it does not answer.
    pub fn open(spec: &str, context: &ModelContext) -> Result<OpenAi, String> {
        let (model, declared) = parts(spec);
        let of = |dimension: usize| -> Result<OpenAi, String> {
            let model = Model {
                name: format!("openai:{spec}"),
                pool: Pool::new(Endpoint::of(model, &context.asking)?)?,
                catalog: context.catalog.clone(),
                declared,
                dimension,
                marks: models::marks(untagged(model)),
            };
            let (activity, statements) = (context.session.clone(), context.statements.clone());
            Ok(OpenAi { model: Arc::new(model), activity, statements })
        };
        match declared.or_else(|| known_dimension(model)) {
            Some(dimension) => of(dimension),
            None => {
                let probing = of(0)?;
                let vectors = at_once(probing.vectors(vec![PROBE.into()]))?.map_err(|f| f.message)?;
                of(vectors.first().map_or(0, Vec::len))
            }
        }
    }

    fn ledger(&self) -> Result<Arc<Catalog>, Failure> {
        (self.model.catalog)().map_err(|e| Failure::outage(e, false))
    }

    /// What a vector depends on: the model and whose it is, the length that is asked for, the text.
    fn key(&self, text: &str) -> [u8; 32] {
        let endpoint = self.model.pool.endpoint();
        let declared = self.model.declared.map(|d| d.to_string()).unwrap_or_default();
        let mut hasher = blake3::Hasher::new();
        for part in ["vector", &endpoint.model, &endpoint.provider(), &declared, text] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        *hasher.finalize().as_bytes()
    }

    /// The vectors of different texts, in their order: those at hand, and the others from the server, or by whoever asks
    /// for them already. Where one request fails, no further ones are sent, and what is on its way is waited for and kept.
    async fn vectors(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        let catalog = self.ledger()?;
        let keys: Vec<[u8; 32]> = texts.iter().map(|text| self.key(text)).collect();
        let mut vectors = catalog.vectors(&keys).map_err(|e| Failure::outage(e.to_string(), false))?;
        let fits = |vector: &Vec<f32>| self.model.dimension == 0 || vector.len() == self.model.dimension;
        let mut missing: Vec<usize> = (0..texts.len()).filter(|at| !vectors[*at].as_ref().is_some_and(fits)).collect();
        let mut pause = PAUSES.0;
        while !missing.is_empty() {
            let wanted = missing.iter().map(|at| keys[*at]).collect();
            let claimed = catalog.claim_vectors(wanted, self.model.dimension).await;
            let claimed = claimed.map_err(|e| Failure::outage(e.to_string(), false))?;
            for (at, vector) in claimed.known {
                vectors[missing[at]] = Some(vector);
            }
            let ours: Vec<usize> = claimed.ours.iter().map(|at| missing[*at]).collect();
            for (at, vector) in self.ask_all(&texts, &keys, &ours, &catalog).await? {
                vectors[at] = Some(vector);
            }
            // What others ask for is waited for with nothing claimed, so that nobody waits for us meanwhile.
            drop(claimed.claim);
            missing = claimed.taken.iter().map(|at| missing[*at]).collect();
            if !missing.is_empty() {
                tokio::time::sleep(pause).await;
                pause = (pause * 3 / 2).min(PAUSES.1);
            }
        }
        Ok(vectors.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// The vectors of the texts at these places, as many requests at once as the endpoint stands.
    async fn ask_all(
        &self,
        texts: &[String],
        keys: &[[u8; 32]],
        places: &[usize],
        catalog: &Catalog,
    ) -> Result<Vec<(usize, Vec<f32>)>, Failure> {
        let failed = AtomicBool::new(false);
        let asked = places.chunks(TOGETHER).map(|places| {
            let of: Vec<(&str, [u8; 32])> = places.iter().map(|at| (texts[*at].as_str(), keys[*at])).collect();
            let failed = &failed;
            async move {
                if failed.load(Ordering::Relaxed) {
                    return None;
                }
                let answered = self.ask(&of, catalog).await;
                failed.fetch_or(answered.is_err(), Ordering::Relaxed);
                Some((places, answered))
            }
        });
        let asked: Vec<_> = asked.collect();
        let mut answers = stream::iter(asked).buffer_unordered(self.model.pool.endpoint().concurrency);
        let (mut vectors, mut failure) = (Vec::with_capacity(places.len()), None);
        while let Some(answer) = answers.next().await {
            match answer {
                Some((places, Ok(answered))) => vectors.extend(places.iter().copied().zip(answered)),
                Some((_, Err(error))) => _ = failure.get_or_insert(error),
                None => {}
            }
        }
        failure.map_or(Ok(vectors), Err)
    }

    /// The vectors of the texts of one request, which are in the catalogue when this returns.
    async fn ask(&self, texts: &[(&str, [u8; 32])], catalog: &Catalog) -> Result<Vec<Vec<f32>>, Failure> {
        let (endpoint, started) = (self.model.pool.endpoint(), Instant::now());
        let letters: usize = texts.iter().map(|(text, _)| text.len()).sum();
        let expected = Usage::expected((tokens(letters as u64), 0));
        let (attempts, taken) = (AtomicU32::new(0), Mutex::new(None::<Usage>));
        let body = |server: &Server| self.body(server, texts);
        let attempt = || async {
            let request = self.model.pool.request::<Embeddings>(
                &self.activity.budget,
                (expected.prompt, expected),
                &body,
                &attempts,
            );
            let (answer, usage) = request.await?;
            let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
            *taken = Some(taken.map_or(usage, |before| before.plus(usage)));
            answer.vectors(texts.len(), self.model.dimension).map_err(|said| {
                let hint = match said.length {
                    Some(length) => format!("; --embedder openai:{}@{length} declares it", endpoint.model),
                    None => String::new(),
                };
                let message = format!("{} as {} answers: {}{hint}", self.model.name, shown(endpoint), said.message);
                // A model whose vectors have another length has it the next time too.
                Failure { passing: said.length.is_none(), ..Failure::answer(message) }
            })
        };
        let answered = attempt.retry(self.model.pool.policy()).when(|f: &Failure| f.passing).adjust(as_told).await;
        let attempts = attempts.into_inner();
        let taken = taken.into_inner().unwrap_or_else(PoisonError::into_inner);
        // What was not sent is no call.
        if attempts > 0 {
            let call = Call {
                key: texts.first().map_or([0; 32], |(_, key)| *key),
                run: self.activity.run(),
                model: endpoint.model.clone(),
                texts: "vectors".into(),
                letters: letters as u64,
                answer: None,
                error: answered.as_ref().err().map(|failure| failure.message.clone()),
                finish_reason: None,
                prompt_tokens: taken.map(|u| u.prompt),
                completion_tokens: taken.map(|u| u.completion),
                estimated: taken.is_some_and(|u| u.estimated),
                attempts,
                cost_usd: endpoint.price.map(|p| taken.map_or(0.0, |u| p.of(u.prompt, u.completion))),
                latency_ms: started.elapsed().as_millis() as u64,
            };
            self.activity.count(&call);
            let vectors = answered.as_ref().map_or_else(
                |_| vec![],
                |vectors| texts.iter().map(|(_, key)| *key).zip(vectors.iter().cloned()).collect(),
            );
            let recorded = catalog.record_vectors(call, vectors).await;
            // Vectors that cannot be kept are paid for again: the run had better stop.
            recorded.map_err(|e| Failure::outage(e.to_string(), false))?;
        }
        answered
    }

    fn body(&self, server: &Server, texts: &[(&str, [u8; 32])]) -> Value {
        // An empty text is refused by some.
        let input: Vec<&str> = texts.iter().map(|(text, _)| if text.is_empty() { " " } else { *text }).collect();
        let mut body = json!({ "model": server.endpoint.model, "input": input });
        if let (Some(dimension), false) = (self.model.declared, server.no_dimensions.load(Ordering::Relaxed)) {
            body["dimensions"] = json!(dimension);
        }
        body
    }
}

/// Tokens of so many letters, about.
fn tokens(letters: u64) -> u64 {
    letters.div_ceil(4)
}

/// The servers of an endpoint, for people.
fn shown(endpoint: &Endpoint) -> String {
    endpoint.addresses.iter().map(|a| a.shown.as_str()).collect::<Vec<_>>().join(", ")
}

/// Adds what so many texts of so many tokens in all would take; nothing is looked up and nobody asked.
///
/// # Errors
/// If there is no such server or key, or the file of prices is at fault.
pub(super) fn estimate(
    spec: &str,
    asking: &RequestOptions,
    (texts, tokens): (u64, u64),
    estimate: &mut Estimate,
) -> Result<(), String> {
    let endpoint = Endpoint::of(parts(spec).0, asking)?;
    estimate.calls += texts.div_ceil(TOGETHER as u64);
    estimate.prompt_tokens += tokens;
    if let Some(price) = endpoint.price {
        *estimate.cost_usd.get_or_insert(0.0) += price.of(tokens, 0);
    }
    Ok(())
}

/// Waits for something where nothing can be awaited, as a statement is planned, on whatever runtime or none.
fn at_once<T: Send>(work: impl Future<Output = T> + Send) -> Result<T, String> {
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(runtime.map_err(|e| format!("no runtime to ask a server on: {e}"))?.block_on(work))
    };
    let done = std::thread::scope(|scope| scope.spawn(work).join());
    done.unwrap_or_else(|_| Err("asking a server was broken off".into()))
}

#[async_trait]
impl Embedder for OpenAi {
    fn name(&self) -> &str {
        &self.model.name
    }

    fn dimension(&self) -> usize {
        self.model.dimension
    }

    async fn embed(&self, texts: Vec<String>, purpose: Purpose) -> Result<Vec<Vec<f32>>> {
        let (query, passage) = self.model.marks;
        let mark = match purpose {
            Purpose::Query => query,
            Purpose::Passage => passage,
        };
        let (mut places, mut distinct) = (HashMap::new(), vec![]);
        for text in &texts {
            places.entry(text.as_str()).or_insert_with(|| {
                distinct.push(format!("{mark}{text}"));
                distinct.len() - 1
            });
        }
        let vectors = self.vectors(distinct).await.map_err(|failure| match failure.outage {
            true => DataFusionError::External(Box::new(Outage(failure.message))),
            false => DataFusionError::Execution(failure.message),
        })?;
        Ok(texts.iter().map(|text| vectors[places[text.as_str()]].clone()).collect())
    }

    fn for_statement(&self, statement: &str) -> Option<Arc<dyn Embedder>> {
        let activity = self.statements.get(statement)?;
        Some(Arc::new(OpenAi { activity, ..self.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_models_and_dimensions() {
        assert_eq!(parts("text-embedding-3-small@512"), ("text-embedding-3-small", Some(512)));
        assert_eq!(parts("intfloat/multilingual-e5-small"), ("intfloat/multilingual-e5-small", None));
        for whole in ["m@sha", "m@", "m@0", "m@-3"] {
            assert_eq!(parts(whole), (whole, None));
        }
        assert_eq!(known_dimension("text-embedding-3-large"), Some(3072));
        assert_eq!(known_dimension("intfloat/multilingual-e5-small"), Some(384));
        assert_eq!(known_dimension("nomic-embed-text:latest"), None);
        assert_eq!(known_dimension("stub"), None);
    }
}

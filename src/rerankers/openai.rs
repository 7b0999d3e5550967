//! Rerankers behind a server: Text Embeddings Inference, vLLM, and those that speak as Jina and Cohere do.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use async_openai::error::OpenAIError;
use async_trait::async_trait;
use backon::Retryable;
use datafusion::common::{DataFusionError, Result};
use populace_udfs::{Outage, Reranker};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::catalog::Call;
use crate::servers::{Activity, Answer, Endpoint, Failure, ModelContext, Pool, Server, Usage, as_told};

/// A model that reads queries and texts, for a statement.
#[derive(Clone)]
pub(super) struct OpenAi {
    name: String,
    pool: Arc<Pool>,
    context: ModelContext,
    activity: Arc<Activity>,
}

impl fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenAi {{ name: {:?} }}", self.name)
    }
}

impl OpenAi {
    /// # Errors
    /// If there is no such server or key, or money is limited and the price is not known.
    pub fn open(model: &str, context: &ModelContext) -> Result<OpenAi, String> {
        let pool = Arc::new(Pool::new(Endpoint::of(model, &context.asking)?)?);
        let (context, activity) = (context.clone(), context.session.clone());
        Ok(OpenAi { name: format!("openai:{model}"), pool, context, activity })
    }

    async fn ask(&self, query: &str, texts: &[String]) -> Result<Vec<f32>, Failure> {
        let (endpoint, started) = (self.pool.endpoint(), Instant::now());
        // The query is read with every text; a token is some four letters.
        let letters = texts.iter().map(|text| text.len() + query.len()).sum::<usize>() as u64;
        let expected = Usage::expected((letters.div_ceil(4), 0));
        let attempts = AtomicU32::new(0);
        let body = |server: &Server| {
            // What one sort calls texts is documents elsewhere.
            let named = if server.no_documents.load(Ordering::Relaxed) { "texts" } else { "documents" };
            json!({ "model": server.endpoint.model, "query": query, named: texts })
        };
        let attempt = || async {
            let bounds = (expected.prompt, expected);
            let (answer, usage) =
                self.pool.request::<Reranking>(&self.activity.budget, bounds, &body, &attempts).await?;
            let said = |message: String| Failure::answer(format!("{} answers {message}", self.name));
            Ok((answer.scores(texts.len()).map_err(said)?, usage))
        };
        let answered = attempt.retry(self.pool.policy()).when(|f: &Failure| f.passing).adjust(as_told).await;
        let attempts = attempts.into_inner();
        // What was not sent is no call.
        if attempts > 0 {
            let usage = answered.as_ref().ok().map(|(_, usage)| *usage);
            let call = Call {
                key: *blake3::hash(query.as_bytes()).as_bytes(),
                run: self.activity.run(),
                model: endpoint.model.clone(),
                texts: "scores".into(),
                letters,
                answer: None,
                error: answered.as_ref().err().map(|failure| failure.message.clone()),
                finish_reason: None,
                prompt_tokens: usage.map(|u| u.prompt),
                completion_tokens: usage.map(|u| u.completion),
                estimated: usage.is_some_and(|u| u.estimated),
                attempts,
                cost_usd: endpoint.price.map(|p| usage.map_or(0.0, |u| p.of(u.prompt, u.completion))),
                latency_ms: started.elapsed().as_millis() as u64,
            };
            self.activity.count(&call);
            let catalog = (self.context.catalog)().map_err(|e| Failure::outage(e, false))?;
            let recorded = catalog.record_vectors(call, vec![]).await;
            recorded.map_err(|e| Failure::outage(e.to_string(), false))?;
        }
        answered.map(|(scores, _)| scores)
    }
}

#[async_trait]
impl Reranker for OpenAi {
    fn name(&self) -> &str {
        &self.name
    }

    async fn scores(&self, query: &str, texts: Vec<String>) -> Result<Vec<f32>> {
        self.ask(query, &texts).await.map_err(|failure| match failure.outage {
            true => DataFusionError::External(Box::new(Outage(failure.message))),
            false => DataFusionError::Execution(failure.message),
        })
    }

    fn for_statement(&self, statement: &str) -> Option<Arc<dyn Reranker>> {
        let activity = self.context.statements.get(statement)?;
        Some(Arc::new(OpenAi { activity, ..self.clone() }))
    }
}

/// What servers answer to `/rerank`: a list of scores, or one within an object.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Reranking {
    List(Vec<Score>),
    Within {
        results: Vec<Score>,
        #[serde(default)]
        usage: Tokens,
    },
}

#[derive(Debug, Deserialize)]
struct Score {
    index: usize,
    #[serde(alias = "relevance_score")]
    score: f32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tokens {
    prompt_tokens: Option<u64>,
    total_tokens: Option<u64>,
}

impl Reranking {
    /// The scores of so many texts, in the order of these.
    ///
    /// # Errors
    /// If one has none, or one that is no number.
    fn scores(self, texts: usize) -> Result<Vec<f32>, String> {
        let found = match self {
            Reranking::List(found) => found,
            Reranking::Within { results, .. } => results,
        };
        let mut scores = vec![None; texts];
        for Score { index, score } in found {
            if let Some(place) = scores.get_mut(index) {
                *place = Some(score).filter(|score| score.is_finite());
            }
        }
        let count = scores.iter().flatten().count();
        let scores: Option<Vec<f32>> = scores.into_iter().collect();
        scores.ok_or_else(|| format!("{count} scores of {texts} texts"))
    }
}

impl Answer for Reranking {
    async fn ask(server: &Server, body: Value) -> Result<Reranking, OpenAIError> {
        server.post("rerank", &body).await
    }

    fn told(&self) -> (Option<u64>, Option<u64>) {
        match self {
            Reranking::Within { usage, .. } => (usage.prompt_tokens.or(usage.total_tokens), Some(0)),
            Reranking::List(_) => (None, Some(0)),
        }
    }

    fn letters(&self) -> usize {
        0
    }

    fn with_errors(self, _: impl Fn(&str) -> String) -> Reranking {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_come_in_the_order_of_texts() {
        let scores = |answer: Value, texts| serde_json::from_value::<Reranking>(answer).unwrap().scores(texts);
        let list = json!([{ "index": 1, "score": 0.5 }, { "index": 0, "score": -2 }]);
        assert_eq!(scores(list.clone(), 2).unwrap(), [-2.0, 0.5]);
        assert_eq!(scores(list, 3).unwrap_err(), "2 scores of 3 texts");
        let within = json!({ "results": [{ "index": 0, "relevance_score": 0.25, "document": { "text": "a" } }] });
        assert_eq!(scores(within, 1).unwrap(), [0.25]);
        assert!(serde_json::from_value::<Reranking>(json!({ "error": "busy" })).is_err());
    }
}

//! Vectors as servers answer them: read tolerantly, believed sparingly.

use async_openai::error::OpenAIError;
use serde::Deserialize;
use serde_json::Value;

use crate::servers::{Answer, Server, clip, words_of};

/// An answer to `/v1/embeddings`, as far as servers agree on it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Embeddings {
    data: Vec<Entry>,
    usage: Option<Tokens>,
    error: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    index: Option<usize>,
    /// `null` where it is no number
    embedding: Vec<Option<f32>>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
struct Tokens {
    prompt_tokens: Option<u64>,
    total_tokens: Option<u64>,
}

impl Answer for Embeddings {
    async fn ask(server: &Server, body: Value) -> Result<Embeddings, OpenAIError> {
        server.api.embeddings().create_byot(body).await
    }

    fn told(&self) -> (Option<u64>, Option<u64>) {
        (self.usage.and_then(|usage| usage.prompt_tokens.or(usage.total_tokens)), Some(0))
    }

    fn letters(&self) -> usize {
        0
    }

    fn with_errors(self, said: impl Fn(&str) -> String) -> Embeddings {
        let error = self.error.map(|error| Value::String(said(&words_of(&error))));
        Embeddings { error, ..self }
    }
}

/// What is wrong with an answer.
#[derive(Debug, PartialEq)]
pub(super) struct Wrong {
    pub message: String,
    /// What the vectors have, where that is it
    pub length: Option<usize>,
}

impl From<String> for Wrong {
    fn from(message: String) -> Wrong {
        Wrong { message, length: None }
    }
}

impl Embeddings {
    /// The vectors of so many texts, in the order of these, scaled to unit length; of a dimension, if it is not 0.
    ///
    /// # Errors
    /// If there are more or fewer, or one is of another length, of none, or has a number that is none.
    pub fn vectors(self, texts: usize, dimension: usize) -> Result<Vec<Vec<f32>>, Wrong> {
        if let Some(error) = &self.error {
            return Err(format!("an error: {}", clip(&words_of(error))).into());
        }
        if self.data.len() != texts {
            return Err(format!("{} vectors of {texts} texts", self.data.len()).into());
        }
        let mut vectors: Vec<Option<Vec<f32>>> = vec![None; texts];
        let dimension = if dimension == 0 { self.data.first().map_or(0, |e| e.embedding.len()) } else { dimension };
        for (at, Entry { index, embedding }) in self.data.into_iter().enumerate() {
            let Some(place) = vectors.get_mut(index.unwrap_or(at)).filter(|place| place.is_none()) else {
                return Err("two vectors of one text, and none of another".to_string().into());
            };
            if embedding.len() != dimension || dimension == 0 {
                let (length, wanted) = (embedding.len(), format!("where {dimension} are expected"));
                let message = format!("a vector of {length} numbers, {wanted}");
                return Err(Wrong { message, length: Some(length).filter(|length| *length > 0) });
            }
            let numbers: Option<Vec<f32>> = embedding.into_iter().map(|x| x.filter(|x| x.is_finite())).collect();
            let Some(mut vector) = numbers else {
                return Err("a vector with something in it that is no number".to_string().into());
            };
            let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            if length == 0.0 {
                return Err("a vector of zeros, which is near nothing".to_string().into());
            }
            vector.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
            *place = Some(vector);
        }
        Ok(vectors.into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn vectors(answer: Value, texts: usize, dimension: usize) -> Result<Vec<Vec<f32>>, Wrong> {
        serde_json::from_value::<Embeddings>(answer).unwrap().vectors(texts, dimension)
    }

    #[test]
    fn vectors_come_in_the_order_of_texts_and_of_unit_length() {
        let answer = json!({ "data": [{ "index": 1, "embedding": [0, 2] }, { "index": 0, "embedding": [3, 4] }] });
        assert_eq!(vectors(answer.clone(), 2, 2).unwrap(), [[0.6, 0.8], [0.0, 1.0]]);
        assert_eq!(vectors(answer, 2, 0).unwrap().len(), 2);
        let unnumbered = json!({ "data": [{ "embedding": [5.0] }, { "embedding": [-1e-3] }] });
        assert_eq!(vectors(unnumbered, 2, 1).unwrap(), [[1.0], [-1.0]]);
    }

    #[test]
    fn what_is_no_vector_of_each_text_is_refused() {
        let of = |embedding: Value| json!({ "data": [{ "index": 0, "embedding": embedding }] });
        for (answer, texts, says) in [
            (of(json!([1.0, 2.0])), 2, "1 vectors of 2 texts"),
            (json!({}), 1, "0 vectors of 1 texts"),
            (json!({ "error": { "message": "busy" } }), 1, "an error: busy"),
            (of(json!([1.0, null])), 1, "no number"),
            (of(json!([1e300, 1.0])), 1, "no number"),
            (of(json!([0.0, 0.0])), 1, "zeros"),
            (of(json!([])), 1, "a vector of 0 numbers"),
        ] {
            let wrong = vectors(answer, texts, 2).unwrap_err();
            assert!(wrong.message.contains(says) && wrong.length.is_none(), "{wrong:?}");
        }
        let twice = json!({ "data": [{ "index": 0, "embedding": [1, 0] }, { "index": 0, "embedding": [1, 0] }] });
        assert!(vectors(twice, 2, 2).unwrap_err().message.contains("two vectors of one text"));
        let shorter = vectors(of(json!([1.0])), 1, 2).unwrap_err();
        assert_eq!(
            (shorter.message.as_str(), shorter.length),
            ("a vector of 1 numbers, where 2 are expected", Some(1))
        );
    }
}

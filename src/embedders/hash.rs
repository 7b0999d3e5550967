//! An embedder without a model.

use async_trait::async_trait;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result};
use populace_udfs::{Embedder, Purpose};
use rustc_hash::FxHashMap;

/// Vectors from the hashes of words: texts that share words are near, and that is all it knows. It is no substitute
/// for a model; it serves tests, and tables whose vectors nobody will search.
#[derive(Debug)]
pub struct Hash;

const DIMENSION: usize = 384;

#[async_trait]
impl Embedder for Hash {
    fn name(&self) -> &str {
        "hash"
    }

    fn dimension(&self) -> usize {
        DIMENSION
    }

    async fn embed(&self, texts: Vec<String>, _: Purpose) -> Result<Vec<Vec<f32>>> {
        // Others need the threads of the runtime meanwhile.
        let vectors = SpawnedTask::spawn_blocking(move || {
            let mut places = Places::default();
            texts.iter().map(|t| vector(t, &mut places)).collect()
        });
        vectors.join_unwind().await.map_err(|e| DataFusionError::External(e.into()))
    }
}

/// Where words stand, and with which sign: most come again.
type Places<'a> = FxHashMap<&'a str, (usize, f32)>;

/// The signed hashing trick (Weinberger et al. 2009) over lower-case words, scaled to unit length.
fn vector<'a>(text: &'a str, places: &mut Places<'a>) -> Vec<f32> {
    let mut vector = vec![0.0f32; DIMENSION];
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
        let (place, sign) = *places.entry(word).or_insert_with(|| place(word));
        vector[place] += sign;
    }
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length == 0.0 {
        // A text without words still gets a vector of unit length.
        vector[0] = 1.0;
    } else {
        vector.iter_mut().for_each(|x| *x /= length);
    }
    vector
}

fn place(word: &str) -> (usize, f32) {
    let hash = blake3::hash(word.to_lowercase().as_bytes());
    let [low, high, sign, ..] = hash.as_bytes();
    (usize::from(u16::from_le_bytes([*low, *high])) % DIMENSION, if sign & 1 == 0 { 1.0 } else { -1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_have_unit_length_and_shared_words_are_near() {
        let vector = |text| vector(text, &mut Places::default());
        let dot = |a: &'static str, b| vector(a).iter().zip(vector(b)).map(|(x, y)| x * y).sum::<f32>();
        for text in ["", "keeps bees", "…", "Keeps bees in Vermont"] {
            assert!((dot(text, text) - 1.0).abs() < 1e-5, "{text}");
        }
        assert!(dot("keeps bees", "Bees, she keeps.") > dot("keeps bees", "drives a truck"));
    }
}

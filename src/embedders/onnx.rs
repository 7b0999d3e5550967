//! multilingual-e5-small (Wang et al. 2024, "Multilingual E5 Text Embeddings") through ONNX Runtime.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};

use async_trait::async_trait;
use datafusion::common::{DataFusionError, Result};
use fastembed::{
    InitOptionsUserDefined, Pooling, QuantizationMode, TextEmbedding, TokenizerFiles, UserDefinedEmbeddingModel,
};
use populace_udfs::{Embedder, Purpose};
use tokio::sync::oneshot;

const DIMENSION: usize = 384;
/// Texts that go through the model together. Larger batches are no faster on a CPU, and hold far more memory.
const BATCH: usize = 16;
/// Tokens of a text that the model sees: some 1,000 characters of English, longer than the narratives are.
const MAX_TOKENS: usize = 256;

/// multilingual-e5-small. It is loaded on a thread of its own when the first text comes, and stays there: calls from
/// async code wait without blocking a worker.
#[derive(Debug)]
pub struct MultilingualE5 {
    name: String,
    library: PathBuf,
    folder: PathBuf,
    thread: OnceLock<Sender<Job>>,
}

struct Job {
    texts: Vec<String>,
    answer: oneshot::Sender<Result<Vec<Vec<f32>>, String>>,
}

impl MultilingualE5 {
    /// Finds the model and the runtime below `models`, without loading them.
    ///
    /// # Errors
    /// If one of them is not there.
    pub fn open(models: &Path) -> Result<MultilingualE5, String> {
        let folder = models.join("multilingual-e5-small");
        let library = std::env::var_os("ORT_DYLIB_PATH").map_or_else(
            || models.join("onnxruntime").join(format!("libonnxruntime.{}", std::env::consts::DLL_EXTENSION)),
            PathBuf::from,
        );
        // Loading a library that is not there would end in a panic far from here.
        for file in [&library, &folder.join("model.onnx"), &folder.join("tokenizer.json")] {
            if !file.is_file() {
                return Err(format!(
                    "no embedding model ({} is missing): run `make setup` or scripts/setup.sh, or set POPULACE_MODELS",
                    file.display()
                ));
            }
        }
        let marker = std::fs::read_to_string(folder.join("MODEL")).unwrap_or_default();
        let marker: serde_json::Value = serde_json::from_str(&marker).unwrap_or_default();
        let name = marker["name"].as_str().unwrap_or("multilingual-e5-small").to_string();
        Ok(MultilingualE5 { name, library, folder, thread: OnceLock::new() })
    }

    fn thread(&self) -> &Sender<Job> {
        self.thread.get_or_init(|| {
            let (sender, receiver) = channel();
            let (library, folder) = (self.library.clone(), self.folder.clone());
            let work = move || serve(&receiver, &library, &folder);
            // Should no thread be had, the receiver is dropped and every call says that the model has stopped.
            _ = std::thread::Builder::new().name("embedder".into()).spawn(work);
            sender
        })
    }
}

fn serve(jobs: &Receiver<Job>, library: &Path, folder: &Path) {
    let mut model = None;
    for job in jobs {
        let model = match &mut model {
            Some(model) => model,
            None => match load(library, folder) {
                Ok(loaded) => model.insert(loaded),
                Err(error) => {
                    _ = job.answer.send(Err(error));
                    continue;
                }
            },
        };
        // Whoever asked may be gone, a cancelled statement; then the answer goes nowhere.
        let vectors = embed(model, &job.texts, &job.answer);
        _ = job.answer.send(vectors);
    }
}

fn load(library: &Path, folder: &Path) -> Result<TextEmbedding, String> {
    ort::init_from(library).map_err(|e| format!("{}: {e}", library.display()))?;
    let read =
        |name: &str| std::fs::read(folder.join(name)).map_err(|e| format!("{}: {e}", folder.join(name).display()));
    let tokenizer = TokenizerFiles {
        tokenizer_file: read("tokenizer.json")?,
        config_file: read("config.json")?,
        special_tokens_map_file: read("special_tokens_map.json")?,
        tokenizer_config_file: read("tokenizer_config.json")?,
    };
    let model = UserDefinedEmbeddingModel::new(read("model.onnx")?, tokenizer)
        .with_pooling(Pooling::Mean)
        .with_quantization(QuantizationMode::None);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let options = InitOptionsUserDefined::new().with_max_length(MAX_TOKENS).with_intra_threads(threads);
    TextEmbedding::try_new_from_user_defined(model, options).map_err(|e| format!("{}: {e}", folder.display()))
}

/// Equal texts once, texts of like length together, so that little is padded; vectors in the order of the texts.
fn embed(
    model: &mut TextEmbedding,
    texts: &[String],
    asked: &oneshot::Sender<Result<Vec<Vec<f32>>, String>>,
) -> Result<Vec<Vec<f32>>, String> {
    let mut distinct: Vec<&str> = texts.iter().map(String::as_str).collect();
    distinct.sort_unstable_by_key(|t| (t.len(), *t));
    distinct.dedup();
    let mut vectors = std::collections::HashMap::with_capacity(distinct.len());
    for batch in distinct.chunks(BATCH) {
        if asked.is_closed() {
            return Err("nobody waits for these vectors any more".into());
        }
        let embedded = model.embed(batch, Some(BATCH)).map_err(|e| e.to_string())?;
        vectors.extend(batch.iter().copied().zip(embedded));
    }
    texts
        .iter()
        .map(|t| vectors.get(t.as_str()).cloned().ok_or_else(|| "the model left a text out".to_string()))
        .collect()
}

#[async_trait]
impl Embedder for MultilingualE5 {
    fn name(&self) -> &str {
        &self.name
    }

    fn dimension(&self) -> usize {
        DIMENSION
    }

    async fn embed(&self, texts: Vec<String>, purpose: Purpose) -> Result<Vec<Vec<f32>>> {
        if texts.is_empty() {
            return Ok(vec![]);
        }
        // The model was trained with these marks before its texts.
        let mark = match purpose {
            Purpose::Query => "query: ",
            Purpose::Passage => "passage: ",
        };
        let texts = texts.into_iter().map(|t| format!("{mark}{t}")).collect();
        let (answer, answered) = oneshot::channel();
        let stopped = || DataFusionError::Execution("the embedding model has stopped".into());
        self.thread().send(Job { texts, answer }).map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?.map_err(DataFusionError::Execution)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_model_says_what_to_run() {
        let folder = tempfile::tempdir().unwrap();
        let error = MultilingualE5::open(folder.path()).unwrap_err();
        assert!(error.contains("run `make setup`") && !error.contains('\n'), "{error}");
    }

    #[tokio::test]
    async fn meaning_is_near_and_order_is_kept() {
        let model = match MultilingualE5::open(&crate::embedders::models()) {
            Ok(model) => model,
            Err(error) if std::env::var_os("POPULACE_REQUIRE_MODELS").is_some() => panic!("{error}"),
            Err(error) => return eprintln!("SKIPPED, no embedding model: {error}"),
        };
        let texts = [
            "She repairs old clocks and sells them at the flea market.",
            "He has kept bees behind the barn for thirty years.",
            "He has kept bees behind the barn for thirty years.",
            "They drive a lorry between the port and the warehouse.",
        ];
        let passages = model.embed(texts.map(String::from).to_vec(), Purpose::Passage).await.unwrap();
        assert_eq!(passages.len(), 4);
        assert_eq!(passages[1], passages[2]);
        let query = model.embed(vec!["a retired beekeeper".into()], Purpose::Query).await.unwrap();
        let near = |p: &Vec<f32>| p.iter().zip(&query[0]).map(|(a, b)| a * b).sum::<f32>();
        assert!((near(&query[0]) - 1.0).abs() < 1e-3);
        assert!(near(&passages[1]) > near(&passages[0]) && near(&passages[1]) > near(&passages[3]));
    }
}

//! multilingual-e5-small (Wang et al. 2024, "Multilingual E5 Text Embeddings") through ONNX Runtime.

use std::cmp::Reverse;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use datafusion::common::{DataFusionError, Result};
use fastembed::{
    InitOptionsUserDefined, Pooling, QuantizationMode, TextEmbedding, TokenizerFiles, UserDefinedEmbeddingModel,
};
use populace_udfs::{Embedder, Purpose};
use rustc_hash::FxHashMap;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

const DIMENSION: usize = 384;
/// Tokens of a text that the model sees: some 1,000 characters of English, longer than the narratives are.
const MAX_TOKENS: usize = 256;
/// Sessions at most, on machines with many cores: each holds the model in memory.
const SESSIONS: usize = 16;
/// Texts that are worth one more session, which takes a second to load.
const WORTH: usize = 16;

/// multilingual-e5-small. A text goes through the model alone, on one thread: an 8-bit model scales its activations by
/// all that is in a batch, so that in company the vector would depend on the others. There are as many sessions as
/// cores, each on a thread of its own, loaded when there are texts for it: calls from async code wait without blocking a
/// worker.
#[derive(Debug)]
pub struct MultilingualE5 {
    name: String,
    files: Arc<Files>,
    tasks: Sender<Task>,
    /// What the sessions take their texts from, one by one
    queue: Arc<Mutex<Receiver<Task>>>,
    sessions: Mutex<usize>,
}

#[derive(Debug)]
struct Files {
    library: PathBuf,
    folder: PathBuf,
}

/// A text, its place among those that were asked for together, and where its vector goes.
struct Task {
    text: String,
    place: usize,
    answer: UnboundedSender<(usize, Result<Vec<f32>, String>)>,
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
        let files = Arc::new(Files { library, folder });
        let (tasks, queue) = channel();
        Ok(MultilingualE5 { name, files, tasks, queue: Arc::new(Mutex::new(queue)), sessions: Mutex::new(0) })
    }

    /// Starts sessions, so that there are enough for so many texts, or as many as cores.
    ///
    /// # Errors
    /// If there is none, and no thread for one.
    fn start(&self, texts: usize) -> Result<(), String> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let wanted = texts.div_ceil(WORTH).min(cores).min(SESSIONS);
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        while *sessions < wanted {
            let (queue, files) = (self.queue.clone(), self.files.clone());
            match std::thread::Builder::new().name("embedder".into()).spawn(move || serve(&queue, &files)) {
                Ok(_) => *sessions += 1,
                Err(error) if *sessions == 0 => return Err(format!("no thread for the embedding model: {error}")),
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// Vectors of different texts, in their order. The longest are embedded first, so that all cores end together.
    async fn vectors(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, String> {
        let mut places: Vec<usize> = (0..texts.len()).collect();
        places.sort_unstable_by_key(|p| Reverse(texts[*p].len()));
        self.start(texts.len())?;
        let stopped = || "the embedding model has stopped".to_string();
        let (answer, mut answers) = unbounded_channel();
        for place in places {
            let task = Task { text: texts[place].clone(), place, answer: answer.clone() };
            self.tasks.send(task).map_err(|_| stopped())?;
        }
        drop(answer);
        let mut vectors = vec![vec![]; texts.len()];
        for _ in 0..texts.len() {
            let (place, vector) = answers.recv().await.ok_or_else(stopped)?;
            vectors[place] = vector?;
        }
        Ok(vectors)
    }
}

/// Embeds texts until there is nobody who could ask.
fn serve(queue: &Mutex<Receiver<Task>>, files: &Files) {
    let mut session = None;
    loop {
        // One waits for a text, the others for their turn.
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Task { text, place, answer }) = next else { return };
        // A cancelled statement waits for nothing any more.
        if answer.is_closed() {
            continue;
        }
        let vector = match &mut session {
            Some(session) => embed(session, &text),
            None => files.load().and_then(|loaded| embed(session.insert(loaded), &text)),
        };
        _ = answer.send((place, vector));
    }
}

fn embed(session: &mut TextEmbedding, text: &str) -> Result<Vec<f32>, String> {
    let vectors = session.embed([text], Some(1)).map_err(|e| e.to_string())?;
    vectors.into_iter().next().ok_or_else(|| "the model left a text out".to_string())
}

impl Files {
    /// A session of one thread.
    fn load(&self) -> Result<TextEmbedding, String> {
        let Files { library, folder } = self;
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
        let options = InitOptionsUserDefined::new().with_max_length(MAX_TOKENS).with_intra_threads(1);
        TextEmbedding::try_new_from_user_defined(model, options).map_err(|e| format!("{}: {e}", folder.display()))
    }
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
        // The model was trained with these marks before its texts.
        let mark = match purpose {
            Purpose::Query => "query: ",
            Purpose::Passage => "passage: ",
        };
        let mut places = FxHashMap::default();
        let mut distinct = vec![];
        for text in &texts {
            places.entry(text.as_str()).or_insert_with(|| {
                distinct.push(format!("{mark}{text}"));
                distinct.len() - 1
            });
        }
        let vectors = self.vectors(&distinct).await.map_err(DataFusionError::Execution)?;
        Ok(texts.iter().map(|t| vectors[places[t.as_str()]].clone()).collect())
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

    fn installed() -> Option<MultilingualE5> {
        match MultilingualE5::open(&crate::embedders::models()) {
            Ok(model) => Some(model),
            Err(error) if std::env::var_os("POPULACE_REQUIRE_MODELS").is_some() => panic!("{error}"),
            Err(error) => {
                eprintln!("SKIPPED, no embedding model: {error}");
                None
            }
        }
    }

    #[tokio::test]
    async fn a_text_has_one_vector_whoever_comes_with_it() {
        let (Some(model), Some(another)) = (installed(), installed()) else { return };
        let long = "He has kept bees behind the barn since he came back from the sea, and sells honey. ".repeat(9);
        // Enough for several sessions.
        let texts: Vec<String> = (0..40)
            .map(|n| if n % 8 == 0 { format!("{n}. {long}") } else { format!("She mends clock {n}.") })
            .collect();
        let bits = |vectors: Vec<Vec<f32>>| -> Vec<Vec<u32>> {
            vectors.into_iter().map(|v| v.into_iter().map(f32::to_bits).collect()).collect()
        };
        for purpose in [Purpose::Passage, Purpose::Query] {
            let together = bits(model.embed(texts.clone(), purpose).await.unwrap());
            let backwards = texts.iter().rev().cloned().collect();
            let backwards = bits(model.embed(backwards, purpose).await.unwrap());
            assert!(together.iter().eq(backwards.iter().rev()));
            for place in [0, 1, 7, 39] {
                let alone = another.embed(vec![texts[place].clone()], purpose).await.unwrap();
                assert_eq!(bits(alone), [together[place].clone()], "{}", texts[place]);
            }
            let few = bits(another.embed(texts[7..9].to_vec(), purpose).await.unwrap());
            assert_eq!(few, together[7..9]);
        }
    }

    #[tokio::test]
    async fn meaning_is_near_and_order_is_kept() {
        let Some(model) = installed() else { return };
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

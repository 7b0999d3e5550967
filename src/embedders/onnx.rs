//! The models of fastembed, through ONNX Runtime.

use std::cmp::Reverse;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use datafusion::common::{DataFusionError, Result};
use fastembed::{InitOptionsUserDefined, TextEmbedding, TextInitOptions, TokenizerFiles, UserDefinedEmbeddingModel};
use populace_udfs::{Embedder, Purpose};
use rustc_hash::FxHashMap;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::DEFAULT;
use super::models::Known;

/// Tokens of a text that the model sees: some 1,000 characters of English, longer than the narratives are.
const MAX_TOKENS: usize = 256;
/// Sessions at most, on machines with many cores: each holds the model in memory.
const SESSIONS: usize = 16;
/// Texts that are worth one more session, which takes a second to load.
const WORTH: usize = 16;

/// What the hub calls them, and a folder too.
const TOKENIZER: [&str; 4] = ["tokenizer.json", "config.json", "special_tokens_map.json", "tokenizer_config.json"];

/// A model. A text goes through it alone, on one thread: an 8-bit model scales its activations by all that is in a batch,
/// so that in company the vector would depend on the others. There are as many sessions as cores, each on a thread of
/// its own, loaded when there are texts for it: calls from async code wait without blocking a worker.
#[derive(Debug)]
pub struct Onnx {
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
    known: Known,
    /// Where the model is, or would be found
    folder: PathBuf,
    /// Where the hub's files are kept, if that is where it comes from
    hub: Option<PathBuf>,
}

/// A text, its place among those that were asked for together, and where its vector goes.
struct Task {
    text: String,
    place: usize,
    answer: UnboundedSender<(usize, Result<Vec<f32>, String>)>,
}

impl Onnx {
    /// Finds a model in a folder, by default the one of its name below `models`, and the runtime below `models`, without
    /// loading them. A model that is not there will be fetched from the hub, unless a folder was named.
    ///
    /// # Errors
    /// If the runtime is missing, or the model is and cannot come from the hub.
    pub(super) fn open(models: &Path, known: Known, folder: Option<PathBuf>) -> Result<Onnx, String> {
        let library = std::env::var_os("ORT_DYLIB_PATH").map_or_else(
            || models.join("onnxruntime").join(format!("libonnxruntime.{}", std::env::consts::DLL_EXTENSION)),
            PathBuf::from,
        );
        let named = folder.is_some();
        // The model that `make setup` installs is not fetched again unasked.
        let installed = named || known.name == DEFAULT;
        let folder = folder.unwrap_or_else(|| models.join(&known.name));
        let missing = known.files().chain(TOKENIZER).map(|file| folder.join(file)).find(|file| !file.is_file());
        let hub = missing.is_some().then(|| models.join("hub")).filter(|_| !installed);
        // Loading a library that is not there would end in a panic far from here.
        let without_runtime = Some(library.clone()).filter(|library| !library.is_file());
        if let (true, None, Some(file)) = (named, &without_runtime, &missing) {
            return Err(format!("no embedding model {} ({} is missing)", known.name, file.display()));
        }
        if let Some(file) = without_runtime.or(missing.filter(|_| installed)) {
            return Err(format!(
                "no embedding model ({} is missing): run `make setup` or scripts/setup.sh, or set POPULACE_MODELS",
                file.display()
            ));
        }
        let marker = std::fs::read_to_string(folder.join("MODEL")).unwrap_or_default();
        let marker: serde_json::Value = serde_json::from_str(&marker).unwrap_or_default();
        let name = marker["name"].as_str().filter(|_| hub.is_none()).unwrap_or(&known.name).to_string();
        let files = Arc::new(Files { library, known, folder, hub });
        let (tasks, queue) = channel();
        Ok(Onnx { name, files, tasks, queue: Arc::new(Mutex::new(queue)), sessions: Mutex::new(0) })
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
        ort::init_from(&self.library).map_err(|e| format!("{}: {e}", self.library.display()))?;
        match &self.hub {
            Some(cache) => self.fetched(cache),
            None => self.read_folder(),
        }
    }

    fn read_folder(&self) -> Result<TextEmbedding, String> {
        let Files { known, folder, .. } = self;
        let read =
            |name: &str| std::fs::read(folder.join(name)).map_err(|e| format!("{}: {e}", folder.join(name).display()));
        let [tokenizer, config, special, tokenizer_config] = TOKENIZER;
        let tokenizer = TokenizerFiles {
            tokenizer_file: read(tokenizer)?,
            config_file: read(config)?,
            special_tokens_map_file: read(special)?,
            tokenizer_config_file: read(tokenizer_config)?,
        };
        let mut files = known.files();
        let graph = files.next().unwrap_or("model.onnx");
        let mut model = UserDefinedEmbeddingModel::new(read(graph)?, tokenizer)
            .with_quantization(TextEmbedding::get_quantization_mode(&known.info.model));
        model.pooling = TextEmbedding::get_default_pooling_method(&known.info.model);
        model.output_key = known.info.output_key.clone();
        for weights in files {
            model = model.with_external_initializer(weights.into(), read(weights)?);
        }
        let options = InitOptionsUserDefined::new().with_max_length(MAX_TOKENS).with_intra_threads(1);
        TextEmbedding::try_new_from_user_defined(model, options).map_err(|e| format!("{}: {e}", folder.display()))
    }

    /// From the hub's cache, and from the hub what is not there.
    fn fetched(&self, cache: &Path) -> Result<TextEmbedding, String> {
        // One session fetches; the others find what it fetched.
        static FETCHING: Mutex<()> = Mutex::new(());
        let _fetching = FETCHING.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { name, info } = &self.known;
        let options = TextInitOptions::new(info.model.clone())
            .with_cache_dir(cache.into())
            .with_max_length(MAX_TOKENS)
            .with_intra_threads(1)
            .with_show_download_progress(false);
        TextEmbedding::try_new(options).map_err(|error| {
            let paths = std::iter::once(&info.model_file).chain(&info.additional_files).map(String::as_str);
            let files: Vec<&str> = paths.chain(TOKENIZER).collect();
            format!(
                "the embedding model {name} is not in {folder}, and the hub does not give it ({}). Where another machine \
                 reaches it, download {} of https://huggingface.co/{} into {folder}, without folders below",
                causes(&error),
                files.join(", "),
                info.model_code,
                folder = self.folder.display(),
            )
        })
    }
}

/// An error with what caused it.
fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[async_trait]
impl Embedder for Onnx {
    fn name(&self) -> &str {
        &self.name
    }

    fn dimension(&self) -> usize {
        self.files.known.info.dim
    }

    async fn embed(&self, texts: Vec<String>, purpose: Purpose) -> Result<Vec<Vec<f32>>> {
        let (query, passage) = self.files.known.marks();
        let mark = match purpose {
            Purpose::Query => query,
            Purpose::Passage => passage,
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
    use crate::embedders::models::find;

    #[test]
    fn a_missing_model_says_what_to_run() {
        let folder = tempfile::tempdir().unwrap();
        let error = Onnx::open(folder.path(), find(DEFAULT).unwrap(), None).unwrap_err();
        assert!(error.contains("run `make setup`") && !error.contains('\n'), "{error}");
    }

    fn installed() -> Option<Onnx> {
        match Onnx::open(&crate::embedders::folder(), find(DEFAULT).unwrap(), None) {
            Ok(model) => Some(model),
            Err(error) if std::env::var_os("POPULACE_REQUIRE_MODELS").is_some() => panic!("{error}"),
            Err(error) => {
                eprintln!("SKIPPED, no embedding model: {error}");
                None
            }
        }
    }

    #[tokio::test]
    async fn a_model_in_a_named_folder_is_read_from_there() {
        let Some(model) = installed() else { return };
        let folder = model.files.folder.to_string_lossy().into_owned();
        let named = crate::embedders::open(Some(&folder), None).unwrap();
        assert_eq!((named.name(), named.dimension()), (model.name(), 384));
        let stored = crate::embedders::open(Some(model.name()), None).unwrap();
        assert_eq!(stored.name(), model.name());
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

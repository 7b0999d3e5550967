//! The rerankers of fastembed, through ONNX Runtime.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result};
use fastembed::{
    OnnxSource, RerankInitOptions, RerankInitOptionsUserDefined, RerankerModelInfo, TextRerank, TokenizerFiles,
    UserDefinedRerankingModel,
};
use populace_udfs::Reranker;

/// Tokens of a query and a text that the model sees.
const MAX_TOKENS: usize = 512;

/// What the hub calls them, and a folder too.
const TOKENIZER: [&str; 4] = ["tokenizer.json", "config.json", "special_tokens_map.json", "tokenizer_config.json"];

/// A model, loaded when it is first asked.
pub(super) struct Onnx {
    name: String,
    files: Files,
    session: Arc<Mutex<Option<TextRerank>>>,
}

#[derive(Debug, Clone)]
struct Files {
    library: PathBuf,
    info: RerankerModelInfo,
    /// Where the model is, or would be found
    folder: PathBuf,
    /// Where the hub's files are kept, if that is where it comes from
    hub: Option<PathBuf>,
}

impl fmt::Debug for Onnx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.files.fmt(f)
    }
}

impl Onnx {
    /// Finds a model in a folder, and the runtime below `models`, without loading them. One that is not there will be
    /// fetched from the hub, unless the folder was `named`.
    ///
    /// # Errors
    /// If the runtime is missing, or the model is not in a folder that was named.
    pub fn open(models: &Path, info: RerankerModelInfo, folder: PathBuf, named: bool) -> Result<Onnx, String> {
        let library = std::env::var_os("ORT_DYLIB_PATH").map_or_else(
            || models.join("onnxruntime").join(format!("libonnxruntime.{}", std::env::consts::DLL_EXTENSION)),
            PathBuf::from,
        );
        let name = info.model_code.rsplit('/').next().unwrap_or_default().to_lowercase();
        let missing = files(&info).chain(TOKENIZER).map(|file| folder.join(file)).find(|file| !file.is_file());
        if let (true, Some(file)) = (named, &missing) {
            return Err(format!("no reranker {name} ({} is missing)", file.display()));
        }
        // Loading a library that is not there would end in a panic far from here.
        if !library.is_file() {
            return Err(format!(
                "no reranker {name} ({} is missing): run `make setup` or scripts/setup.sh, or set POPULACE_MODELS",
                library.display()
            ));
        }
        let hub = missing.map(|_| models.join("hub"));
        Ok(Onnx { name, files: Files { library, info, folder, hub }, session: Arc::default() })
    }
}

/// The model's own files, as they are called in a folder.
fn files(info: &RerankerModelInfo) -> impl Iterator<Item = &str> {
    let paths = std::iter::once(&info.model_file).chain(&info.additional_files);
    paths.map(|path| path.rsplit('/').next().unwrap_or(path))
}

impl Files {
    fn load(&self) -> Result<TextRerank, String> {
        ort::init_from(&self.library).map_err(|e| format!("{}: {e}", self.library.display()))?;
        let Files { info, folder, .. } = self;
        if let Some(hub) = &self.hub {
            let options = RerankInitOptions::new(info.model.clone())
                .with_cache_dir(hub.clone())
                .with_max_length(MAX_TOKENS)
                .with_show_download_progress(false);
            return TextRerank::try_new(options).map_err(|error| {
                let wanted: Vec<&str> = files(info).chain(TOKENIZER).collect();
                format!(
                    "the reranker is not in {0}, and the hub does not give it ({error}). Where another machine reaches it, \
                     download {1} of https://huggingface.co/{2} into {0}, without folders below",
                    folder.display(),
                    wanted.join(", "),
                    info.model_code,
                )
            });
        }
        let read =
            |name: &str| std::fs::read(folder.join(name)).map_err(|e| format!("{}: {e}", folder.join(name).display()));
        let [tokenizer, config, special, tokenizer_config] = TOKENIZER;
        let tokenizer = TokenizerFiles {
            tokenizer_file: read(tokenizer)?,
            config_file: read(config)?,
            special_tokens_map_file: read(special)?,
            tokenizer_config_file: read(tokenizer_config)?,
        };
        // From its file, beside which further weights lie.
        let graph = OnnxSource::File(folder.join(files(info).next().unwrap_or("model.onnx")));
        let options = RerankInitOptionsUserDefined::new().with_max_length(MAX_TOKENS);
        TextRerank::try_new_from_user_defined(UserDefinedRerankingModel::new(graph, tokenizer), options)
            .map_err(|e| format!("{}: {e}", folder.display()))
    }
}

#[async_trait]
impl Reranker for Onnx {
    fn name(&self) -> &str {
        &self.name
    }

    async fn scores(&self, query: &str, texts: Vec<String>) -> Result<Vec<f32>> {
        let (session, files, query) = (self.session.clone(), self.files.clone(), query.to_string());
        // Others need the threads of the runtime meanwhile.
        let scores = SpawnedTask::spawn_blocking(move || {
            let mut session = session.lock().unwrap_or_else(PoisonError::into_inner);
            let model = match &mut *session {
                Some(model) => model,
                None => session.insert(files.load()?),
            };
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let found = model.rerank(query.as_str(), texts.as_slice(), false, None).map_err(|e| e.to_string())?;
            let mut scores = vec![f32::NAN; texts.len()];
            for result in found {
                if let Some(score) = scores.get_mut(result.index) {
                    *score = result.score;
                }
            }
            Ok::<_, String>(scores)
        });
        let scores = scores.join_unwind().await.map_err(|e| DataFusionError::External(e.into()))?;
        scores.map_err(DataFusionError::Execution)
    }
}

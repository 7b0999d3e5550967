//! What puts the people found in the order of a query, by reading both together.

mod onnx;
mod openai;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fastembed::TextRerank;
use populace_population::there_are;
use populace_udfs::Reranker;

use crate::servers::ModelContext;

/// The model where none is named: for texts in many languages.
pub const DEFAULT: &str = "bge-reranker-v2-m3";

/// What the name of a model behind a server begins with.
const SERVER: &str = "openai:";

/// Whether a reranker, by its name, is a model behind a server, which may have to be paid.
pub fn asks(name: &str) -> bool {
    name.starts_with(SERVER)
}

/// Whether a reranker is named by the folder that it is in.
pub fn is_folder(name: &str) -> bool {
    name.contains(std::path::MAIN_SEPARATOR) && Path::new(name).is_dir()
}

/// Opens a reranker: one that fastembed knows, by its name (`bge-reranker-v2-m3`) or code, a folder with the files of one,
/// or a model behind a server (`openai:MODEL`). A model of fastembed is looked for below `models`, loaded when first used,
/// and fetched from the hub where it is in no folder.
///
/// # Errors
/// If there is no such reranker, or its server has no key.
pub fn open(name: &str, models: &Path, context: &ModelContext) -> Result<Arc<dyn Reranker>, String> {
    if let Some(model) = name.strip_prefix(SERVER) {
        return Ok(Arc::new(openai::OpenAi::open(model, context)?));
    }
    let (folder, wanted) = match is_folder(name) {
        true => {
            let path = Path::new(name).canonicalize().map_err(|e| format!("{name}: {e}"))?;
            let own = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (Some(path), own)
        }
        false => (None, name.to_string()),
    };
    let bare = |code: &str| code.rsplit('/').next().unwrap_or_default().to_lowercase();
    let all = TextRerank::list_supported_models();
    let Some(info) = all.iter().find(|info| bare(&info.model_code) == bare(&wanted)) else {
        let names: Vec<String> =
            all.iter().map(|info| bare(&info.model_code)).chain(["openai:MODEL".to_string()]).collect();
        return Err(format!("unknown reranker `{wanted}`{}", there_are(&wanted, &names)));
    };
    let place: PathBuf = folder.clone().unwrap_or_else(|| models.join(bare(&info.model_code)));
    Ok(Arc::new(onnx::Onnx::open(models, info.clone(), place, folder.is_some())?))
}

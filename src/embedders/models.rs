//! The models that fastembed knows, by name, and what each wants before its texts.

use fastembed::{EmbeddingModel, ModelInfo, TextEmbedding};

/// A model that can be asked for by name.
#[derive(Debug)]
pub(super) struct Known {
    /// As stored with a table: `bge-m3`, and `-q` or `-q4` after it where the weights are quantised
    pub name: String,
    pub info: ModelInfo<EmbeddingModel>,
}

/// All of them, those with whole weights first.
pub(super) fn all() -> Vec<Known> {
    let mut all: Vec<Known> =
        TextEmbedding::list_supported_models().into_iter().map(|info| Known { name: name(&info), info }).collect();
    all.sort_by_key(|known| (known.is_quantised(), known.name.clone()));
    all
}

/// The model of a name, of a code as the hub has it (`BAAI/bge-m3`), or of a part of a name that no other has
/// (`e5-base`, `embeddinggemma`).
pub(super) fn find(wanted: &str) -> Option<Known> {
    let mut all = all();
    let (lower, whole) = (wanted.to_lowercase(), letters(wanted));
    let bare = letters(wanted.rsplit('/').next().unwrap_or_default());
    let part = |known: &Known| {
        let is_part = known.name.ends_with(&format!("-{lower}")) || known.name.starts_with(&format!("{lower}-"));
        is_part && !known.is_quantised()
    };
    let at = all
        .iter()
        .position(|known| letters(&known.info.model_code) == whole)
        .or_else(|| all.iter().position(|known| letters(&known.name) == bare))
        .or_else(|| {
            let mut parts = (0..all.len()).filter(|at| part(&all[*at]));
            parts.next().filter(|_| parts.next().is_none())
        })?;
    Some(all.swap_remove(at))
}

impl Known {
    fn is_quantised(&self) -> bool {
        self.name.ends_with("-q") || self.name.ends_with("-q4")
    }

    /// What stands before a query, and before a passage.
    pub fn marks(&self) -> (&'static str, &'static str) {
        marks(&self.name)
    }

    /// The model's own files, as they are called in a folder.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let paths = std::iter::once(&self.info.model_file).chain(&self.info.additional_files);
        paths.map(|path| path.rsplit('/').next().unwrap_or(path))
    }
}

/// What stands before a query, and before a passage, as the card of a model says, which is known by its name or its code.
pub(super) fn marks(model: &str) -> (&'static str, &'static str) {
    let name = model.rsplit('/').next().unwrap_or_default().to_lowercase();
    let is = |families: &[&str]| families.iter().any(|f| name.starts_with(f));
    if is(&["multilingual-e5", "e5-"]) && name.contains("instruct") {
        ("Instruct: Given a search query, retrieve passages that answer it\nQuery: ", "")
    } else if is(&["multilingual-e5", "e5-"]) {
        ("query: ", "passage: ")
    } else if is(&["nomic-embed-text", "modernbert-embed"]) {
        ("search_query: ", "search_document: ")
    } else if is(&["embeddinggemma"]) {
        ("task: search result | query: ", "title: none | text: ")
    } else if is(&["bge-small-zh", "bge-large-zh"]) {
        ("为这个句子生成表示以用于检索相关文章：", "")
    } else if is(&["bge-small-en", "bge-base-en", "bge-large-en", "mxbai-embed", "snowflake-arctic-embed"]) {
        ("Represent this sentence for searching relevant passages: ", "")
    } else {
        ("", "")
    }
}

/// The last part of the code without what tells how it is packed.
fn name(info: &ModelInfo<EmbeddingModel>) -> String {
    let last = info.model_code.rsplit('/').next().unwrap_or_default().to_lowercase();
    let bare = last.trim_end_matches("-onnx-q").trim_end_matches("-onnx");
    // Two models may have one code, and differ in their files.
    let variant = format!("{:?}", info.model);
    match variant.strip_suffix('Q').map(|_| "-q").or(variant.strip_suffix("Q4").map(|_| "-q4")) {
        Some(weights) => format!("{bare}{weights}"),
        None => bare.to_string(),
    }
}

/// Names are told apart by their letters and digits.
fn letters(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_has_a_name_that_finds_it() {
        let names: std::collections::BTreeSet<String> = all().into_iter().map(|known| known.name).collect();
        assert_eq!(names.len(), TextEmbedding::list_supported_models().len());
        for name in names {
            assert_eq!(find(&name).unwrap().name, name);
        }
    }

    #[test]
    fn models_are_found_by_codes_and_short_names() {
        for (wanted, name) in [
            ("e5-base", "multilingual-e5-base"),
            ("E5-small", "multilingual-e5-small"),
            ("BAAI/bge-m3", "bge-m3"),
            ("bge-m3", "bge-m3"),
            ("EmbeddingGemma", "embeddinggemma-300m"),
            ("google/embeddinggemma-300m", "embeddinggemma-300m"),
            ("Qdrant/bge-base-en-v1.5-onnx-Q", "bge-base-en-v1.5-q"),
            ("sentence-transformers/all-MiniLM-L6-v2", "all-minilm-l6-v2"),
        ] {
            assert_eq!(find(wanted).map(|known| known.name).as_deref(), Some(name), "{wanted}");
        }
        // There are two of them.
        assert!(find("bge-small").is_none() && find("e5-giant").is_none() && find("").is_none());
    }

    #[test]
    fn texts_are_marked_as_the_family_wants_it() {
        let marks = |name| find(name).unwrap().marks();
        assert_eq!(marks("e5-large"), ("query: ", "passage: "));
        assert_eq!(marks("nomic-embed-text-v1.5-q"), ("search_query: ", "search_document: "));
        assert_eq!(marks("embeddinggemma-300m-q4"), ("task: search result | query: ", "title: none | text: "));
        assert!(marks("bge-small-en-v1.5").0.starts_with("Represent this sentence"));
        assert_eq!((marks("bge-m3"), marks("all-mpnet-base-v2")), (("", ""), ("", "")));
        // Behind a server there are others, by their codes.
        assert_eq!(super::marks("intfloat/e5-base-v2"), ("query: ", "passage: "));
        assert!(super::marks("intfloat/multilingual-e5-large-instruct").0.starts_with("Instruct: "));
        assert_eq!(super::marks("text-embedding-3-small"), ("", ""));
    }
}

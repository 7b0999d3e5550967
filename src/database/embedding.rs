//! Vectors of narratives, made where rows are written.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, FixedSizeListBuilder, Float32Builder};
use datafusion::common::{Result, exec_err};
use populace_udfs::{Embedder, Purpose};

/// The vectors of some columns of text; each distinct text is embedded once, NULL has no vector.
///
/// # Errors
/// If the embedder fails, or does not keep its promise of one vector a text.
pub(super) async fn embed_columns(embedder: &dyn Embedder, columns: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut texts: Vec<String> = Vec::new();
    for column in columns {
        for text in column.as_string::<i32>().iter().flatten() {
            places.entry(text).or_insert_with(|| {
                texts.push(text.to_string());
                texts.len() - 1
            });
        }
    }
    let asked = texts.len();
    let vectors = if asked == 0 { Vec::new() } else { embedder.embed(texts, Purpose::Passage).await? };
    let dimension = embedder.dimension();
    if vectors.len() != asked || vectors.iter().any(|v| v.len() != dimension) {
        return exec_err!("the embedder {} did not return {asked} vectors of {dimension} numbers", embedder.name());
    }
    let build = |column: &ArrayRef| {
        let numbers = Float32Builder::with_capacity(column.len() * dimension);
        let mut builder = FixedSizeListBuilder::with_capacity(numbers, dimension as i32, column.len());
        for text in column.as_string::<i32>() {
            match text {
                Some(text) => builder.values().append_slice(&vectors[places[text]]),
                None => builder.values().append_nulls(dimension),
            }
            builder.append(text.is_some());
        }
        Arc::new(builder.finish()) as ArrayRef
    };
    Ok(columns.iter().map(build).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedders::Hash;
    use datafusion::arrow::array::StringArray;

    #[tokio::test]
    async fn equal_texts_have_equal_vectors_and_null_has_none() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a nurse"), None, Some("a nurse"), Some("a cook")]));
        let vectors = embed_columns(&Hash, &[texts]).await.unwrap();
        let vectors = vectors[0].as_fixed_size_list();
        assert!(vectors.is_null(1));
        assert_eq!(&vectors.value(0), &vectors.value(2));
        assert_ne!(&vectors.value(0), &vectors.value(3));
    }
}

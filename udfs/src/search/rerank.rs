//! The rows found, in the order of a reranker.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::execution::TaskContext;

use super::Search;
use super::rank::Hit;
use crate::host::reranker::{Reranker, for_statement};
use crate::host::table_search::SearchRows;

/// Rows that a reranker reads at least: what the search itself has too far down is not beyond its reach.
pub(super) const DEEP: usize = 50;

/// What a search is reranked by.
#[derive(Debug)]
pub(super) struct Rerank {
    pub by: Arc<dyn Reranker>,
    /// The columns that it reads
    pub texts: Vec<String>,
    /// Rows that are shown of those it reads
    pub k: usize,
}

impl Search {
    /// The rows by what a reranker says of their texts and of the fact that matched, where one is asked; the best of them.
    pub(super) async fn reranked(
        &self,
        rows: &dyn SearchRows,
        mut hits: Vec<Hit>,
        task: &TaskContext,
    ) -> Result<Vec<Hit>> {
        let Some(Rerank { by, texts, k }) = &self.rerank else { return Ok(hits) };
        if hits.is_empty() {
            return Ok(hits);
        }
        let ids: Vec<u64> = hits.iter().map(|hit| hit.row).collect();
        let facts = hits.iter().map(|hit| hit.fact.as_ref().map(|fact| fact.0.to_string()));
        let mut told: Vec<Vec<String>> = facts.map(|fact| fact.into_iter().collect()).collect();
        for column in rows.take(&ids, texts).await?.columns() {
            let column = cast(column, &DataType::Utf8)?;
            for (told, text) in told.iter_mut().zip(column.as_string::<i32>()) {
                told.extend(text.map(String::from));
            }
        }
        let told: Vec<String> = told.iter().map(|parts| parts.join("\n")).collect();
        // People with equal texts are read once.
        let (mut places, mut distinct) = (HashMap::new(), vec![]);
        for text in &told {
            places.entry(text.as_str()).or_insert_with(|| {
                distinct.push(text.clone());
                distinct.len() - 1
            });
        }
        let wanted = distinct.len();
        let reranker = for_statement(by, task.session_config().options());
        let scores = reranker.scores(&self.wanted, distinct).await?;
        if scores.len() != wanted || scores.iter().any(|score| !score.is_finite()) {
            return exec_err!("the reranker {} did not return a score of each of {wanted} texts", by.name());
        }
        for (hit, text) in hits.iter_mut().zip(&told) {
            hit.score = scores[places[text.as_str()]];
        }
        hits.sort_by(|a, b| b.score.total_cmp(&a.score));
        hits.truncate(*k);
        Ok(hits)
    }
}

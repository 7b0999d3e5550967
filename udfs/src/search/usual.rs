//! Similarities of texts in several languages, made comparable.
//!
//! Texts in the language of the query are nearer to it than others whatever they say, so that they alone would be found.
//! Each similarity is less what texts of its language usually have, and more what is usual over the languages (the means of
//! languages are what sets their vectors apart: Libovický, Rosa and Fraser, "On the Language Neutrality of Pre-trained
//! Multilingual Representations", 2020).

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;
use datafusion::common::{Result, exec_err};
use futures::TryStreamExt;

use super::Search;
use super::run::{USUAL, vectors_of};
use crate::host::language::languages_of;
use crate::host::table_search::{SearchRows, whole_table};
use crate::nodes::relation_function::{Input, PlannedHere};
use crate::scalars::cosine_similarity::similarity;

/// What is added to the similarities of each language, where there are several.
#[derive(Debug)]
pub(super) struct UsualByLanguage {
    telling: Vec<String>,
    /// Of each target
    added: Vec<HashMap<Option<Arc<str>>, f32>>,
}

impl Search {
    /// What is usual of the table that is searched, whatever the condition; nothing where all is in one language.
    pub(super) async fn usual(
        &self,
        input: &Input,
        rows: &dyn SearchRows,
        targets: &[Option<Vec<f32>>],
    ) -> Result<Option<UsualByLanguage>> {
        let telling = self.telling();
        if telling.is_empty() {
            return Ok(None);
        }
        let whole = match &input.planned {
            Some(PlannedHere { logical, state }) => {
                whole_table(self.populace.search.as_deref(), logical, state).await?
            }
            None => None,
        };
        let rows = whole.as_deref().unwrap_or(rows);
        let mut some: HashMap<Option<Arc<str>>, Vec<u64>> = HashMap::new();
        let mut batches = rows.scan(&telling).await?;
        while let Some(batch) = batches.try_next().await? {
            let Some(numbers) = batch.columns().last().and_then(|c| c.as_primitive_opt::<UInt64Type>()) else {
                return exec_err!("the rows of a search have no numbers");
            };
            let languages =
                languages_of(&telling, batch.columns(), batch.num_rows(), |said| self.populace.packs.language(said))?;
            for (language, number) in languages.into_iter().zip(numbers.values()) {
                let rows = some.entry(language).or_default();
                if rows.len() < USUAL {
                    rows.push(*number);
                }
            }
        }
        if some.len() < 2 {
            return Ok(None);
        }
        let mut added = vec![];
        for (column, target) in self.vectors.iter().zip(targets) {
            let mut means: HashMap<Option<Arc<str>>, f32> = HashMap::new();
            for (language, some) in &some {
                let taken = rows.take(some, std::slice::from_ref(column)).await?;
                let vectors = vectors_of(taken.column(0))?.into_iter().flatten();
                let near: Vec<f32> = vectors.filter_map(|vector| similarity(&vector, target.as_ref()?)).collect();
                if !near.is_empty() {
                    means.insert(language.clone(), near.iter().sum::<f32>() / near.len() as f32);
                }
            }
            let over_all = means.values().sum::<f32>() / means.len().max(1) as f32;
            means.values_mut().for_each(|mean| *mean = over_all - *mean);
            added.push(means);
        }
        Ok(Some(UsualByLanguage { telling, added }))
    }

    /// Similarities of rows to each target, and what those have at most that a ranking leaves out, made comparable.
    pub(super) async fn corrected(
        &self,
        rows: &dyn SearchRows,
        usual: &UsualByLanguage,
        scores: &mut HashMap<u64, Vec<Option<f32>>>,
        bounds: &mut [Option<f32>],
    ) -> Result<()> {
        if scores.is_empty() {
            return Ok(());
        }
        let numbers: Vec<u64> = scores.keys().copied().collect();
        let taken = rows.take(&numbers, &usual.telling).await?;
        let languages =
            languages_of(&usual.telling, taken.columns(), numbers.len(), |said| self.populace.packs.language(said))?;
        for (number, language) in numbers.iter().zip(&languages) {
            for (score, added) in scores.get_mut(number).into_iter().flatten().zip(&usual.added) {
                if let (Some(score), Some(added)) = (score, added.get(language)) {
                    *score += added;
                }
            }
        }
        for (bound, added) in bounds.iter_mut().zip(&usual.added) {
            if let Some(bound) = bound {
                *bound += added.values().copied().fold(0.0, f32::max);
            }
        }
        Ok(())
    }
}

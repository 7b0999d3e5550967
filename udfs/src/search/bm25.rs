//! BM25 over all the texts of some rows (Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and
//! Beyond"), with the constants of Lance's full-text indexes and of Lucene.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, UInt64Type};
use datafusion::common::{DataFusionError, Result, exec_err};
use futures::{StreamExt, TryStreamExt, stream};
use lance_tokenizer::TokenStream;

use crate::host::table_search::{SearchRows, TextQuery};
use crate::host::words::Words;

/// How soon more of a word in a text count for little, and how much a text's length counts.
const K1: f64 = 1.2;
const B: f64 = 0.75;

/// The rows with words of a query in some columns, for each column, best first. The statistics are those of the rows
/// given. `telling` are the columns that say what language a row's texts are in, and `language` the language of a pack.
pub(super) async fn scan(
    rows: &dyn SearchRows,
    columns: &[String],
    telling: &[String],
    query: &TextQuery,
    language: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Vec<(u64, f32)>>> {
    let read: Vec<String> = columns.iter().chain(telling).cloned().collect();
    let mut batches = rows.scan(&read).await?;
    let mut first = None;
    while let Some(batch) = batches.try_next().await? {
        if batch.num_rows() > 0 {
            first = Some(batch);
            break;
        }
    }
    let Some(first) = first else { return Ok(vec![vec![]; columns.len()]) };
    let words = match query.words {
        Some(words) => words,
        None => Words::of_rows(&first, columns.len(), telling, language)?,
    };
    let terms = Arc::new(Terms::of(&query.text, words));
    if terms.0.is_empty() {
        return exec_err!("there is no word to search for in `{}`: such words as “the” are in every text", query.text);
    }
    let count = columns.len();
    let counted = stream::iter([Ok(first)]).chain(batches).map_ok(|batch| {
        let terms = terms.clone();
        async move {
            let counting = tokio::task::spawn_blocking(move || count_words(&batch, count, &terms, words));
            counting.await.map_err(|e| DataFusionError::External(e.into()))?
        }
    });
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let parts: Vec<Vec<Column>> = counted.try_buffered(threads).try_collect().await?;
    let mut merged: Vec<Column> = (0..count).map(|_| Column::new(terms.0.len())).collect();
    for part in parts {
        for (all, column) in merged.iter_mut().zip(part) {
            all.add(column);
        }
    }
    Ok(merged.into_iter().map(Column::scored).collect())
}

/// The words of a query, once each, with their numbers.
struct Terms(HashMap<String, usize>);

impl Terms {
    fn of(query: &str, words: Words) -> Terms {
        let mut terms = HashMap::new();
        words.analyzer().token_stream(query).process(&mut |token| {
            let next = terms.len();
            terms.entry(token.text.clone()).or_insert(next);
        });
        Terms(terms)
    }
}

/// A text with words of the query.
struct MatchingText {
    row: u64,
    words: u32,
    /// Of each word of the query, how many
    counts: Vec<u32>,
}

/// What is known of a column's texts.
struct Column {
    texts: u64,
    words: u64,
    /// Of each word of the query, how many texts have it
    containing: Vec<u64>,
    found: Vec<MatchingText>,
}

fn count_words(batch: &RecordBatch, columns: usize, terms: &Terms, words: Words) -> Result<Vec<Column>> {
    let Some(ids) = batch.columns().last().and_then(|c| c.as_primitive_opt::<UInt64Type>()) else {
        return exec_err!("the rows of a search have no numbers");
    };
    let mut analyzer = words.analyzer();
    let mut count = |column: &ArrayRef| {
        let mut counted = Column::new(terms.0.len());
        let texts = cast(column, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>();
        let mut counts = vec![0u32; terms.0.len()];
        for at in (0..texts.len()).filter(|at| texts.is_valid(*at)) {
            let mut length = 0;
            counts.fill(0);
            analyzer.token_stream(texts.value(at)).process(&mut |token| {
                length += 1;
                if let Some(term) = terms.0.get(&token.text) {
                    counts[*term] += 1;
                }
            });
            counted.texts += 1;
            counted.words += u64::from(length);
            if counts.iter().any(|c| *c > 0) {
                counted.containing.iter_mut().zip(&counts).for_each(|(n, c)| *n += u64::from(*c > 0));
                counted.found.push(MatchingText { row: ids.value(at), words: length, counts: counts.clone() });
            }
        }
        Ok(counted)
    };
    batch.columns()[..columns].iter().map(&mut count).collect()
}

impl Column {
    fn new(terms: usize) -> Column {
        Column { texts: 0, words: 0, containing: vec![0; terms], found: vec![] }
    }

    fn add(&mut self, other: Column) {
        self.texts += other.texts;
        self.words += other.words;
        self.containing.iter_mut().zip(other.containing).for_each(|(a, b)| *a += b);
        self.found.extend(other.found);
    }

    fn scored(self) -> Vec<(u64, f32)> {
        let texts = self.texts as f64;
        let mean = self.words as f64 / texts;
        let rarity = |n: &u64| ((texts - *n as f64 + 0.5) / (*n as f64 + 0.5) + 1.0).ln();
        let rarities: Vec<f64> = self.containing.iter().map(rarity).collect();
        let score = |found: &MatchingText| {
            let length = K1 * (1.0 - B + B * f64::from(found.words) / mean);
            let of =
                |(count, rarity): (&u32, &f64)| rarity * (K1 + 1.0) * f64::from(*count) / (f64::from(*count) + length);
            found.counts.iter().zip(&rarities).map(of).sum::<f64>() as f32
        };
        let mut scored: Vec<(u64, f32)> = self.found.iter().map(|f| (f.row, score(f))).collect();
        super::rank::sort(&mut scored);
        scored
    }
}

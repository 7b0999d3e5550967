//! Indexes of the tables: made, found, brought up to date, dropped.
//!
//! Lance commits an index as a new version of its table: one that was half built when its process died is files that no
//! version names, which nobody reads and which the next clean-up of the table removes.

mod probes;

use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use lance::dataset::Dataset;
use lance::index::{DatasetIndexExt, IndexDescription};
use lance_index::IndexType;
use lance_index::optimize::OptimizeOptions;
use lance_index::scalar::inverted::tokenizer::Language;
use lance_index::scalar::{BuiltinIndexType, InvertedIndexParams, ScalarIndexParams};
use populace_population::there_are;
use populace_udfs::{LONGEST_WORD, TELLING, Words};

use super::versions::plain;
use super::{Database, TableWriter, embedding_column, has_key, keys};

pub(super) use probes::Probes;

/// Rows below which vectors get no index.
pub(crate) const LEAST_VECTORS: usize = 100_000;

/// An index is brought up to date by a statement that writes once a tenth of the table is not in it, or so many rows:
/// those are searched one by one until then, and each time makes the index one part more.
const BEHIND: u64 = 50_000;

/// The index of a large table's keys, which statements that write people make.
const KEYS: &str = "uuid_key";

/// Rows by whose texts a language is told.
const SAMPLE: usize = 100;

/// Memory for building an index of words, in MiB.
const MEMORY: u64 = 1024;

/// What an index is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nearest vectors
    Vector,
    /// Words of texts
    Text,
    /// Values in order: equality and ranges
    Btree,
    /// Few distinct values: equality
    Bitmap,
}

impl Kind {
    pub const ALL: [(&'static str, Kind); 4] =
        [("vector", Kind::Vector), ("text", Kind::Text), ("btree", Kind::Btree), ("bitmap", Kind::Bitmap)];

    pub fn name(self) -> &'static str {
        Kind::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    fn told(of: &dyn IndexDescription) -> Option<Kind> {
        match of.index_type() {
            "Inverted" => Some(Kind::Text),
            "BTree" => Some(Kind::Btree),
            "Bitmap" => Some(Kind::Bitmap),
            other if other.starts_with("IVF_") || other == "Vector" => Some(Kind::Vector),
            _ => None,
        }
    }

    /// The index of this kind on a column, if there is one.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub(super) async fn on(self, dataset: &Dataset, column: &str) -> Result<Option<Index>> {
        let found = indexes(dataset).await?;
        Ok(found.into_iter().find(|i| i.kind == self && i.columns.iter().any(|c| c == column)))
    }
}

/// An index of a table.
#[derive(Debug, Clone)]
pub struct Index {
    pub name: String,
    pub kind: Kind,
    pub columns: Vec<String>,
    pub rows_indexed: u64,
    /// Rows that searches look at one by one
    pub rows_not_indexed: u64,
    pub bytes: Option<u64>,
    /// What it was told: its language, or how it looks for vectors
    pub detail: String,
    words: Option<Words>,
}

impl Index {
    /// How an index of words takes texts apart.
    pub(super) fn words(&self) -> Option<Words> {
        self.words
    }

    /// Whether enough is missing to bring it up to date.
    fn is_due(&self) -> bool {
        let missing = self.rows_not_indexed;
        missing >= BEHIND || missing * 10 > self.rows_indexed + missing
    }
}

/// The indexes of a version of a table; those of Lance's own are left out.
pub(super) async fn indexes(dataset: &Dataset) -> Result<Vec<Index>> {
    let described = dataset.describe_indices(None).await?;
    if described.is_empty() {
        return Ok(vec![]);
    }
    let rows = dataset.count_rows(None).await? as u64;
    let mut found = vec![];
    for index in described {
        let Some(kind) = Kind::told(index.as_ref()) else { continue };
        let field = |id: &u32| dataset.schema().field_by_id(*id as i32).map(|f| f.name.clone());
        let details: serde_json::Value =
            index.details().ok().and_then(|d| serde_json::from_str(&d).ok()).unwrap_or_default();
        let text = |key: &str| details[key].as_str().unwrap_or_default().to_lowercase();
        let words = match (kind, text("base_tokenizer").as_str()) {
            (Kind::Text, "icu") => Some(Words::Segmented),
            (Kind::Text, _) => Words::of(&text("language")),
            _ => None,
        };
        let detail = match (kind, words) {
            (Kind::Vector, _) => {
                let how = Probes::kept(dataset, index.name()).map(|p| format!(", {p}")).unwrap_or_default();
                format!("{}{how}", index.index_type().to_lowercase())
            }
            (_, Some(Words::Segmented)) => "words by ICU".into(),
            (_, Some(Words::Stemmed(_))) => text("language"),
            _ => String::new(),
        };
        let rows_indexed = index.rows_indexed().min(rows);
        found.push(Index {
            name: index.name().to_string(),
            kind,
            columns: index.field_ids().iter().filter_map(field).collect(),
            rows_indexed,
            rows_not_indexed: rows - rows_indexed,
            bytes: index.total_size_bytes(),
            detail,
            words,
        });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

impl Database {
    /// The indexes of a table's newest version.
    ///
    /// # Errors
    /// If there is no such table, or it cannot be read.
    pub async fn indexes(&self, table: &str) -> Result<Vec<Index>> {
        indexes(&self.newest(table).await?.dataset).await
    }
}

impl TableWriter<'_> {
    /// Makes an index of a column; a narrative stands for its vectors where those are to be indexed. Without a name it
    /// is called after the column and its kind. Other writers wait until it is done.
    ///
    /// # Errors
    /// If there is no such column, an index of this kind cannot be made of it, there is one of this name, or the table
    /// cannot be written.
    pub async fn create_index(&self, name: Option<&str>, kind: Kind, column: &str) -> Result<Index> {
        let (mut dataset, table) = (self.newest().await?, self.name());
        let column = indexed_column(&dataset, table, kind, column)?;
        let name = name.map_or_else(|| format!("{column}_{}", kind.name()), String::from);
        let there = indexes(&dataset).await?;
        if let Some(index) = there.iter().find(|i| i.name == name || (i.kind == kind && i.columns == [column.clone()]))
        {
            return exec_err!("the table {table} has such an index already: {}", index.name);
        }
        let failed = |e: lance::Error| {
            let why = plain(&e);
            exec_datafusion_err!("the index of {column} cannot be made: {why}")
        };
        match kind {
            Kind::Vector => {
                let rows = dataset.count_rows(None).await?;
                if rows < LEAST_VECTORS {
                    return exec_err!(
                        "{table} has {rows} rows: below {LEAST_VECTORS}, vectors need no index. A search compares all of \
                         them, which takes milliseconds and misses nobody; an index would miss some"
                    );
                }
                probes::build(self.database, &mut dataset, &name, &column).await?;
            }
            Kind::Text => {
                let params = text_params(words_of(&dataset, &column).await?);
                let of = [column.as_str()];
                let made = dataset.create_index(&of, IndexType::Inverted, Some(name.clone()), &params, false);
                made.await.map_err(failed)?;
            }
            Kind::Btree | Kind::Bitmap => {
                let (kind, built_in) = match kind {
                    Kind::Bitmap => (IndexType::Bitmap, BuiltinIndexType::Bitmap),
                    _ => (IndexType::BTree, BuiltinIndexType::BTree),
                };
                let params = ScalarIndexParams::for_builtin(built_in);
                dataset.create_index(&[&column], kind, Some(name.clone()), &params, false).await.map_err(failed)?;
            }
        }
        self.sync().await?;
        let made = indexes(&dataset).await?.into_iter().find(|i| i.name == name);
        made.map_or_else(|| exec_err!("the index {name} of {table} is not there after it was made"), Ok)
    }

    /// Drops an index.
    ///
    /// # Errors
    /// If there is none of this name, or the table cannot be written.
    pub async fn drop_index(&self, name: &str) -> Result<()> {
        let (mut dataset, table) = (self.newest().await?, self.name());
        let names: Vec<String> = indexes(&dataset).await?.into_iter().map(|i| i.name).collect();
        if !names.iter().any(|n| n == name) {
            return exec_err!("the table {table} has no index {name}{}", there_are(name, &names));
        }
        dataset.drop_index(name).await?;
        Probes::forget(&mut dataset, name).await
    }

    /// Brings the indexes of a table up to date, each by itself: those that are far behind, or all that are behind.
    /// Gives what could not be, and why.
    ///
    /// # Errors
    /// If there is no such table, or it cannot be read.
    pub async fn refresh_indexes(&self, all: bool) -> Result<Vec<(String, String)>> {
        let mut failed = vec![];
        for index in indexes(&self.newest().await?).await? {
            if index.rows_not_indexed == 0 || !(all || index.is_due()) {
                continue;
            }
            let mut dataset = self.newest().await?;
            let options = OptimizeOptions::default().index_names(vec![index.name.clone()]);
            if let Err(error) = dataset.optimize_indices(&options).await {
                failed.push((index.name, plain(&error)));
            }
        }
        Ok(failed)
    }

    /// The same after rows were written, where nothing that fails is the statement's failure.
    pub(super) async fn keep_indexes(&self) {
        // In a box, as what it awaits is deeper than the compiler likes.
        let refresh = Box::pin(async {
            let dataset = self.newest().await?;
            let there = indexes(&dataset).await?;
            if wants_keys(&dataset, &there).await? {
                self.create_index(Some(KEYS), Kind::Btree, "uuid").await?;
            }
            match there.iter().any(Index::is_due) {
                true => self.refresh_indexes(false).await,
                false => Ok(vec![]),
            }
        });
        let failed = match refresh.await {
            Ok(failed) => failed,
            Err(error) => vec![("the indexes".into(), crate::error::message(&error))],
        };
        for (index, why) in failed {
            self.database.notice(format!("{index} of {} could not be brought up to date: {why}", self.name()));
        }
    }
}

/// Whether a table has grown so large that its people are to be looked up by an index.
async fn wants_keys(dataset: &Dataset, there: &[Index]) -> Result<bool> {
    let keyed = has_key(&Schema::from(dataset.schema())) && keys::readable(dataset);
    let indexed = there.iter().any(|i| i.kind == Kind::Btree && i.columns == ["uuid"]);
    Ok(keyed && !indexed && dataset.count_rows(None).await? >= keys::MANY)
}

/// The column that an index is made of.
fn indexed_column(dataset: &Dataset, table: &str, kind: Kind, column: &str) -> Result<String> {
    let schema = Schema::from(dataset.schema());
    let vectors = embedding_column(column);
    let is_vector =
        |kind: &DataType| matches!(kind, DataType::FixedSizeList(item, _) if *item.data_type() == DataType::Float32);
    let name = match kind {
        Kind::Vector if schema.column_with_name(&vectors).is_some() => vectors,
        _ => column.to_string(),
    };
    let Some((_, field)) = schema.column_with_name(&name) else {
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        return exec_err!("the table {table} has no column {column}{}", there_are(column, &names));
    };
    let of = field.data_type();
    let text = |kind: &DataType| matches!(kind, DataType::Utf8 | DataType::LargeUtf8);
    let fits = match kind {
        Kind::Vector => is_vector(of),
        Kind::Text => text(of),
        Kind::Btree | Kind::Bitmap => {
            let coded = matches!(of, DataType::Dictionary(_, values) if text(values));
            of.is_primitive() || *of == DataType::Boolean || text(of) || coded
        }
    };
    match fits {
        true => Ok(name),
        false => exec_err!("{name} is {of}, of which no {} index can be made", kind.name()),
    }
}

fn text_params(words: Words) -> InvertedIndexParams {
    let params = match words {
        Words::Stemmed(language) => InvertedIndexParams::new("simple".into(), language),
        Words::Segmented => InvertedIndexParams::new("icu".into(), Language::English)
            .stem(false)
            .remove_stop_words(false)
            .ascii_folding(false)
            .max_token_length(None),
    };
    let params = match words {
        Words::Stemmed(_) => params.max_token_length(Some(LONGEST_WORD)),
        Words::Segmented => params,
    };
    params.with_position(false).memory_limit_mb(MEMORY)
}

/// How the texts of a column are taken apart, as its first rows tell.
async fn words_of(dataset: &Dataset, column: &str) -> Result<Words> {
    let telling = TELLING.into_iter().filter(|name| dataset.schema().field(name).is_some());
    let telling: Vec<String> = telling.map(String::from).collect();
    let columns: Vec<&str> = [column].into_iter().chain(telling.iter().map(String::as_str)).collect();
    let mut scan = dataset.scan();
    scan.project(&columns)?.limit(Some(SAMPLE as i64), None)?;
    let rows = scan.try_into_batch().await?;
    let places = columns.iter().map(|name| rows.schema().index_of(name)).collect::<Result<Vec<_>, _>>()?;
    let rows = rows.project(&places)?;
    Words::of_rows(&rows, 1, &telling, crate::packs::language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_falls_behind_by_shares_and_by_numbers() {
        let index = |rows_indexed, rows_not_indexed| Index {
            name: "x".into(),
            kind: Kind::Text,
            columns: vec![],
            rows_indexed,
            rows_not_indexed,
            bytes: None,
            detail: String::new(),
            words: None,
        };
        assert!(!index(1000, 0).is_due());
        assert!(!index(1000, 100).is_due());
        assert!(index(1000, 200).is_due());
        assert!(index(10_000_000, 60_000).is_due());
    }
}

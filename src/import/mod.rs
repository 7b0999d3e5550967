//! Rows of files into tables: the published Nemotron-Personas as they are, and any Parquet, CSV or JSON.
//!
//! Files are read a few thousand rows at a time, on a thread of their own, while what was read before is embedded and
//! committed. CSV and JSON are read twice: first for the types that all their values agree on, and for what is broken,
//! so that nothing is written of a file that cannot be read to its end.

mod convert;
mod csv;
mod json;
mod kinds;
mod lance;
mod levels;
mod lists;
mod parquet;
mod plan;
mod source;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray, new_null_array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::{RecordBatchReceiverStream, RecordBatchStreamAdapter};
use futures::stream;
use populace_population::there_are;
use populace_udfs::Estimate;

use self::convert::{Place, is_text};
use self::levels::Recoding;
use self::plan::{COUNTRY, Plan, ours, plan};
use self::source::{Reading, Source, files};
use crate::database::{
    self, Append, Appended, CreateTable, Database, Shape, embedded_narrative, is_narrative, texts_of,
};
use crate::packs;

pub use self::levels::{UnknownValue, UnknownValues, Unmapped, ValueMap, listed};
pub use self::source::{Format, OnError};

/// Rows of each file whose texts are counted before they are embedded.
const SAMPLE: usize = 1_000;

/// Batches that wait while one is written.
const QUEUE: usize = 2;

/// Files that are to go into a table.
#[derive(Debug, Clone, Default)]
pub struct Import {
    /// Files, and folders of files
    pub files: Vec<PathBuf>,
    pub table: String,
    /// What all of them are; by their names without it
    pub format: Option<Format>,
    /// What stands between the columns of CSV; whatever the first line has most of without it
    pub delimiter: Option<u8>,
    /// Columns by their names in the files, and in the table
    pub map: Vec<(String, String)>,
    /// Columns of the files that are left out
    pub skip: Vec<String>,
    /// Columns of the files that are text in a new table, whatever they look like
    pub as_text: Vec<String>,
    /// Columns of a new table that are narratives, beside those that are known
    pub narratives: Vec<String>,
    /// Narratives of a new table that get vectors; all of them without it
    pub embed: Option<Vec<String>>,
    /// Who wrote the narratives, where the files do not say it
    pub narrator: Option<String>,
    /// Where the rows are from, where the files do not say it: a dataset by its name or address, whom it is owed to
    pub source: Option<String>,
    /// Their licence, likewise: cc-by-4.0
    pub licence: Option<String>,
    /// The country whose people the rows are, by name or by the path of its pack: values of columns that are called like
    /// its variables are to be levels of these, and the table knows whose people it has
    pub country: Option<String>,
    /// Which levels values stand for
    pub map_values: Vec<ValueMap>,
    pub unmapped: Unmapped,
    pub on_error: OnError,
}

/// What became of the files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    pub files: usize,
    pub appended: Appended,
    /// Broken values that are NULL now
    pub nulled: u64,
    /// Values that are NULL now as they are no levels of the country's variables
    pub unmapped: u64,
    /// Whether rows can be told from each other, so that the same import again would write none twice
    pub keyed: bool,
}

/// An import that was planned: which column goes where, and how many rows there are.
#[derive(Debug)]
pub struct Prepared {
    import: Import,
    sources: Vec<Source>,
    plan: Plan,
    /// The narratives that the table has vectors of, where it is there already
    embedded: Option<BTreeSet<String>>,
    recoding: Recoding,
    unknown: Vec<UnknownValues>,
}

/// Reads what the files hold, and plans where it goes. Nothing is written.
///
/// # Errors
/// If a file is not there, broken, or does not fit the table; the message has the file, the column and the row.
pub async fn prepare(database: &Database, import: Import) -> Result<Prepared> {
    let schema = database.schema(&import.table).await?;
    let planned = tokio::task::spawn_blocking(move || {
        let reading = Reading { delimiter: import.delimiter, on_error: import.on_error };
        let sources = files(&import.files, import.format)?
            .iter()
            .map(|path| Source::open(path, import.format, reading))
            .collect::<Result<Vec<_>>>()?;
        let plan = plan(&import, &sources, schema.as_ref())?;
        if let Some(table) = &schema {
            agree(&import, table)?;
        }
        let recoding = Recoding::of(&import)?;
        recoding.check(&plan)?;
        let unknown = recoding.unknown(&sources, &plan, reading)?;
        let embedded = schema.map(|schema| {
            let fields = schema.fields().iter();
            fields.filter_map(|field| embedded_narrative(field)).map(String::from).collect()
        });
        Ok(Prepared { import, sources, plan, embedded, recoding, unknown })
    });
    planned.await.map_err(|e| DataFusionError::External(e.into()))?
}

/// Refuses what is asked of a new table where the one that is there is another. What it is already may be said again,
/// so that an import that was interrupted goes on by the same command.
///
/// # Errors
/// With what the table has.
fn agree(import: &Import, table: &Schema) -> Result<()> {
    let there = |what: String| exec_err!("the table {} is there already: {what}", import.table);
    for theirs in &import.as_text {
        let Some(field) = ours(import, theirs).and_then(|name| table.field_with_name(name).ok()) else { continue };
        if !is_text(field.data_type()) {
            return there(format!(
                "its column {} holds {}; leave out --as-text {theirs}",
                field.name(),
                field.data_type()
            ));
        }
    }
    for name in &import.narratives {
        if !table.field_with_name(name).is_ok_and(is_narrative) {
            return there(format!("its column {name} is no narrative; leave out --narratives {name}"));
        }
    }
    let Some(embed) = &import.embed else { return Ok(()) };
    let vectors: BTreeSet<&str> = table.fields().iter().filter_map(|f| embedded_narrative(f)).collect();
    match (embed.iter().map(String::as_str).collect::<BTreeSet<_>>() == vectors, vectors.is_empty()) {
        (true, _) => Ok(()),
        (false, true) => there("it has no vectors; leave out --embed, or say --no-embeddings".into()),
        (false, false) => {
            let vectors = vectors.into_iter().collect::<Vec<_>>().join(",");
            there(format!(
                "it has vectors of {vectors}; leave out --embed and --no-embeddings, or say --embed {vectors}"
            ))
        }
    }
}

impl Prepared {
    /// The rows of all files.
    pub fn rows(&self) -> u64 {
        self.sources.iter().map(|s| s.rows).sum()
    }

    pub fn files(&self) -> usize {
        self.sources.len()
    }

    /// For each column of the table that is filled: its name, its type, and the columns of the files that it is made of.
    pub fn columns(&self) -> Vec<(String, String, Vec<String>)> {
        let fields = self.plan.schema.fields().iter().enumerate();
        let of = |at: usize| {
            let files = self.sources.iter().zip(&self.plan.files);
            let mut names: Vec<String> = files.filter_map(|(s, f)| Some(s.fields[f[at]?].name().clone())).collect();
            names.dedup();
            names
        };
        fields.map(|(at, f)| (f.name().clone(), f.data_type().to_string(), of(at))).collect()
    }

    /// Whether rows can be told from each other, so that the same import again would write none twice.
    pub fn is_keyed(&self) -> bool {
        self.plan.schema.column_with_name("uuid").is_some()
    }

    /// The values that are no levels of the country's variables, and not mapped to any.
    pub fn unknown(&self) -> &[UnknownValues] {
        &self.unknown
    }

    /// Whether the table is there already.
    pub fn exists(&self) -> bool {
        self.embedded.is_some()
    }

    /// What the vectors of the texts would take of a model behind a server, by the first rows of each file; `None` where
    /// nobody is asked. Texts that are equal, and rows that are in the table already, are counted as well.
    ///
    /// # Errors
    /// If there is no such server or key, the file of prices is at fault, or a file cannot be read.
    pub fn estimate(&self, database: &Database) -> Result<Option<Estimate>> {
        let embedded = |field: &Field| match (&self.embedded, &self.import.embed) {
            (Some(of_table), _) => of_table.contains(field.name()),
            (None, Some(names)) => names.contains(field.name()),
            (None, None) => is_narrative(field) || self.plan.narratives.contains(field.name()),
        };
        let fields = self.plan.schema.fields().iter().enumerate();
        let columns: Vec<usize> = fields.filter(|(_, field)| embedded(field)).map(|(at, _)| at).collect();
        let reading = Reading { delimiter: self.import.delimiter, on_error: self.import.on_error };
        let (mut texts, mut bytes, mut sampled) = (0.0, 0.0, false);
        for (source, places) in self.sources.iter().zip(&self.plan.files) {
            let places: Vec<usize> = columns.iter().filter_map(|at| places[*at]).collect();
            if places.is_empty() {
                continue;
            }
            let (mut rows, mut of_rows, mut of_bytes) = (0, 0, 0);
            for batch in source.read(&places, reading)? {
                let batch = batch?;
                let batch = batch.slice(0, batch.num_rows().min(SAMPLE - rows));
                let (more, of_these) = texts_of(&batch)?;
                (of_rows, of_bytes) = (of_rows + more, of_bytes + of_these);
                rows += batch.num_rows();
                if rows == SAMPLE {
                    break;
                }
            }
            let scale = if rows == 0 { 0.0 } else { source.rows as f64 / rows as f64 };
            sampled |= source.rows > rows as u64;
            texts += of_rows as f64 * scale;
            bytes += of_bytes as f64 * scale;
        }
        let mut estimate = Estimate { sampled, ..Estimate::default() };
        let asked = database.embedder().estimate(texts.round() as u64, bytes.round() as u64, &mut estimate)?;
        Ok(asked.then_some(estimate))
    }

    /// Writes the rows, committed as they go; people who are in the table already are left out. `progress` hears how
    /// many rows are done with.
    ///
    /// # Errors
    /// If values are no levels of the country's variables and that is not allowed, a value does not fit its column, or
    /// the table cannot be written. What is committed stays, and the same import
    /// goes on from there; a table that was made for it and got no row is gone again.
    pub async fn run(self, database: &Arc<Database>, progress: impl Fn(u64) + Sync) -> Result<Imported> {
        let (keyed, exists) = (self.is_keyed(), self.exists());
        let Prepared { import, sources, plan, recoding, unknown, .. } = self;
        recoding.refuse(&unknown)?;
        let (table, schema) = (import.table.clone(), plan.schema.clone());
        if let Some(unknown) = import.embed.iter().flatten().find(|e| schema.column_with_name(e).is_none()) {
            let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
            return exec_err!("--embed: no column becomes `{unknown}`{}", there_are(unknown, &names));
        }
        if !exists {
            let embed = import.embed.as_ref().is_none_or(|e| !e.is_empty());
            let narratives = plan.narratives.clone();
            let pack = sources
                .first()
                .and_then(|s| s.pack.clone())
                .filter(|p| sources.iter().all(|s| s.pack.as_ref() == Some(p)));
            let vectors = import.embed.clone();
            let pack = recoding.pack().or(pack);
            let own = import.country.as_deref().filter(|country| packs::path::is_path(country));
            let pack_path = own.map(packs::path::absolute);
            let options =
                CreateTable { embed, narratives, vectors, pack, pack_path, ..CreateTable::new(Shape::of(&schema)) };
            let none = Box::pin(RecordBatchStreamAdapter::new(schema.clone(), stream::empty()));
            Box::pin(database.create_table(&table, none, options)).await?;
        }
        database.add_sources(&table, &told(&import, &sources)).await?;
        let nulled: Arc<AtomicU64> = Arc::default();
        let (narrator, count) = (import.narrator.clone(), sources.len());
        let place = Place { file: String::new(), on_error: import.on_error, new: !exists, nulled: nulled.clone() };
        let texts = database
            .schema(&table)
            .await?
            .map_or(0, |s| s.fields().iter().filter(|f| embedded_narrative(f).is_some()).count());
        let recoding = Arc::new(recoding);
        let rows = rows(import, sources, plan, (place, recoding.clone()), together(texts));
        let committed = AtomicBool::new(false);
        let noted = |a: Appended| committed.store(a.written > 0, Ordering::Relaxed);
        let append = Append { narrator: narrator.as_deref(), progress: &noted, ready: &progress, ..Append::default() };
        let appended = Box::pin(database.append(&table, rows, append)).await;
        if appended.is_err() && !exists && !committed.into_inner() {
            // What went wrong first is what matters. Rows that others wrote meanwhile stay.
            if let Ok(writer) = database.write(&table).await {
                _ = writer.drop_if_empty().await;
            }
        }
        let (nulled, unmapped) = (nulled.load(Ordering::Relaxed), recoding.nulled.load(Ordering::Relaxed));
        Ok(Imported { files: count, appended: appended?, nulled, unmapped, keyed })
    }
}

/// Where the rows are from: what is said of the import goes before what its files say.
fn told(import: &Import, files: &[Source]) -> Vec<database::Source> {
    if import.source.is_some() || import.licence.is_some() {
        return vec![database::Source { source: import.source.clone(), licence: import.licence.clone() }];
    }
    files.iter().flat_map(|file| file.from.clone()).collect()
}

/// Texts that are embedded together at the least: fewer are not embedded faster, and more are waited for.
const TEXTS: usize = 256;

/// Rows that are handed on together where so many texts of each are embedded: as many as tell often enough how far it is.
fn together(texts: usize) -> usize {
    if texts == 0 { usize::MAX } else { TEXTS.div_ceil(texts) }
}

/// The rows of all files as the table has them, read ahead on a thread of their own.
fn rows(
    import: Import,
    sources: Vec<Source>,
    plan: Plan,
    (place, recoding): (Place, Arc<Recoding>),
    most: usize,
) -> SendableRecordBatchStream {
    let mut builder = RecordBatchReceiverStream::builder(plan.schema.clone(), QUEUE);
    let sender = builder.tx();
    builder.spawn_blocking(move || {
        let reading = Reading { delimiter: import.delimiter, on_error: import.on_error };
        for (source, places) in sources.iter().zip(&plan.files) {
            let place = Place { file: source.path.display().to_string(), ..place.clone() };
            let columns: Vec<usize> = places.iter().flatten().copied().collect();
            let mut row = 0;
            for batch in source.read(&columns, reading)? {
                let batch = batch?;
                let typed = typed((&place, &recoding), source, &plan.schema, places, &batch, row)?;
                row += batch.num_rows() as u64;
                for at in (0..typed.num_rows()).step_by(most) {
                    let slice = typed.slice(at, most.min(typed.num_rows() - at));
                    if sender.blocking_send(Ok(slice)).is_err() {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    });
    builder.build()
}

/// A batch of a file as the table has it; columns that the file has not are NULL, but the country that was named.
fn typed(
    (place, recoding): (&Place, &Recoding),
    source: &Source,
    schema: &SchemaRef,
    places: &[Option<usize>],
    batch: &RecordBatch,
    first: u64,
) -> Result<RecordBatch> {
    let mut read = batch.columns().iter();
    let column = |(field, at): (&Arc<Field>, &Option<usize>)| -> Result<ArrayRef> {
        match at.and_then(|at| Some((at, read.next()?))) {
            Some((at, column)) => {
                let levels = recoding.recode(field.name(), column)?;
                place.convert(levels.as_ref().unwrap_or(column), source.fields[at].name(), field.data_type(), first)
            }
            None if field.name() == COUNTRY && recoding.country().is_some() => {
                let country = StringArray::from(vec![recoding.country(); batch.num_rows()]);
                Ok(cast(&country, field.data_type())?)
            }
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        }
    };
    let columns = schema.fields().iter().zip(places).map(column).collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

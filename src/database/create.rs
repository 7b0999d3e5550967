//! Making a table, and what a killed process left of it.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatchIterator;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use lance::dataset::{Dataset, WriteMode, WriteParams};
use populace_udfs::narrative_field;

use super::append::{Twins, cannot_write};
use super::shape::{CODES, PACK_PATH, Shape, embedded_narrative, is_narrative, no_key};
use super::{Append, Appended, Database, VIEW, check_name};
use crate::packs;

impl Database {
    /// Makes a table of rows. It is there as a whole or, if anything fails, not at all; so is the one it replaces.
    ///
    /// # Errors
    /// If the table exists and is not to be replaced, or cannot be written.
    pub async fn create_table(
        &self,
        table: &str,
        rows: SendableRecordBatchStream,
        options: CreateTable,
    ) -> Result<Appended> {
        check_name(table)?;
        if table == VIEW {
            return exec_err!("{VIEW} is the view over all tables: choose another name");
        }
        let lock = self.lock(table).await?;
        let path = self.path(table);
        self.sweep(table);
        if path.exists() && !options.replace {
            return exec_err!("the table {table} exists already; CREATE OR REPLACE TABLE replaces it");
        }
        let marked = |f: &Arc<Field>| match options.narratives.contains(f.name()) && *f.data_type() == DataType::Utf8 {
            true => narrative_field(f.name()),
            false => f.as_ref().clone(),
        };
        let given = Schema::new(rows.schema().fields().iter().map(marked).collect::<Vec<_>>());
        let bare = options.shape.schema(&given, None, options.pack.as_deref());
        let narrated = bare.fields().iter().any(|f| is_narrative(f));
        let embedder = if narrated && options.embed { Some(self.embedder().get()?) } else { None };
        let mut schema = options.shape.schema(&given, embedder.as_deref(), options.pack.as_deref());
        if let Some(only) = &options.vectors {
            let kept = |f: &&Arc<Field>| embedded_narrative(f).is_none_or(|n| only.iter().any(|o| o == n));
            let fields: Vec<_> = schema.fields().iter().filter(kept).cloned().collect();
            schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
        }
        if let Some(path) = &options.pack_path {
            let mut metadata = schema.metadata().clone();
            metadata.insert(PACK_PATH.into(), path.clone());
            metadata.extend(packs::harmonised::to_keep(path).map(|codes| (CODES.to_string(), codes)));
            schema = Arc::new(Schema::new_with_metadata(schema.fields().clone(), metadata));
        }
        let beside = self.root().join("tables").join(format!(".{table}.{}.new", uuid::Uuid::now_v7()));
        let made = async {
            let params = WriteParams { mode: WriteMode::Create, ..Default::default() };
            let empty = RecordBatchIterator::new(Vec::new(), schema);
            Dataset::write(empty, beside.to_string_lossy().as_ref(), Some(params)).await.map_err(cannot_write)?;
            let append =
                Append { run: options.run.as_deref(), narrator: options.narrator.as_deref(), ..Append::default() };
            let writer = self.writer(&beside, table, &append, Twins::Kept).await?;
            let appended = self.append_at_once(&beside, writer, rows, &append, &lock).await?;
            if appended.repeated > 0 {
                self.load(&beside, None).await?.update_schema_metadata(no_key()).await.map_err(cannot_write)?;
            }
            // The old table goes when the new one is in its place.
            let made = |e| exec_datafusion_err!("cannot make the table {table}: {e}");
            let old = if path.exists() { Some(self.set_aside(table).map_err(made)?) } else { None };
            if let Err(error) = std::fs::rename(&beside, &path) {
                _ = old.map(|old| std::fs::rename(old, &path));
                return Err(made(error));
            }
            _ = old.map(std::fs::remove_dir_all);
            Ok(appended)
        };
        let made = made.await;
        if made.is_err() {
            _ = std::fs::remove_dir_all(&beside);
        }
        made
    }

    /// Removes what a process that was killed left of making or dropping a table; whoever does either holds its lock.
    fn sweep(&self, table: &str) {
        let Ok(entries) = std::fs::read_dir(self.root().join("tables")) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let rest = name.strip_prefix(&format!(".{table}.")).and_then(|r| r.split_once('.'));
            if rest.is_some_and(|(_, end)| end == "new" || end == "dropped") {
                _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// How a table is made.
#[derive(Debug, Clone)]
pub struct CreateTable {
    pub shape: Shape,
    pub replace: bool,
    /// Whether narratives get columns of vectors
    pub embed: bool,
    /// The narratives that get them, where not all do
    pub vectors: Option<Vec<String>>,
    /// Columns of texts beside the known narratives that are narratives too
    pub narratives: Vec<String>,
    /// The pack that its people are drawn from, kept with the table
    pub pack: Option<String>,
    /// Where that pack lies, if it is one of the user's own
    pub pack_path: Option<String>,
    /// As in [`Append`]
    pub run: Option<String>,
    /// As in [`Append`]
    pub narrator: Option<String>,
}

impl CreateTable {
    pub fn new(shape: Shape) -> CreateTable {
        CreateTable {
            shape,
            replace: false,
            embed: true,
            vectors: None,
            narratives: vec![],
            pack: None,
            pack_path: None,
            run: None,
            narrator: None,
        }
    }
}

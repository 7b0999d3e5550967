//! Making a table.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::SystemTime;

use datafusion::arrow::array::RecordBatchIterator;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::common::{Result, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use lance::dataset::{Dataset, WriteMode, WriteParams};
use populace_udfs::narrative_field;

use super::append::{Twins, cannot_write};
use super::durable::sync_since;
use super::keys::MANY;
use super::shape::{CODES, PACK_PATH, Shape, check_columns, embedded_narrative, is_narrative, no_key, with_writer};
use super::{Append, Appended, Database, SampleOf, StoredTable, VIEW, check_name, in_catalog, whole};
use crate::catalog::{Named, OnExisting};
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
        let _name = self.lock_name(table).await?;
        self.sweep();
        if let Some(there) = self.snapshot(table).await.unwrap_or_default()
            && options.if_there == IfThere::Keep
        {
            let columns: HashSet<&String> = there.dataset.schema().fields.iter().map(|f| &f.name).collect();
            if rows.schema().fields().iter().all(|f| columns.contains(f.name())) {
                return Ok(Appended::default());
            }
        }
        if self.find(table)?.is_some() && options.if_there != IfThere::Replace {
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
        if let Some(narrator) = &options.narrator {
            let field = |field: &FieldRef| match options.written.contains(field.name()) {
                true => {
                    let said = with_writer(field, narrator);
                    let metadata = field.metadata().clone().into_iter().chain(said).collect();
                    Arc::new(field.as_ref().clone().with_metadata(metadata))
                }
                false => field.clone(),
            };
            let fields: Vec<FieldRef> = schema.fields().iter().map(field).collect();
            schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
        }
        if let Some(path) = &options.pack_path {
            let mut metadata = schema.metadata().clone();
            metadata.insert(PACK_PATH.into(), path.clone());
            metadata.extend(packs::harmonised::to_keep(path).map(|codes| (CODES.to_string(), codes)));
            schema = Arc::new(Schema::new_with_metadata(schema.fields().clone(), metadata));
        }
        if let Some(said) = options.sample.as_ref().and_then(SampleOf::metadata) {
            let metadata = schema.metadata().clone().into_iter().chain([said]).collect();
            schema = Arc::new(Schema::new_with_metadata(schema.fields().clone(), metadata));
        }
        check_columns(schema.fields().iter().map(AsRef::as_ref))?;
        let id = uuid::Uuid::now_v7().simple().to_string();
        let catalog = self.catalog()?;
        // Locked before anybody sees it, so that nobody takes it for one that was left behind.
        let lock = self.lock(&id).await?;
        catalog.begin_table(&id, table, &format!("{id}.lance")).map_err(in_catalog)?;
        let stored = match catalog.table_by_id(&id).map_err(in_catalog)? {
            Some(entry) => self.stored(entry),
            None => return exec_err!("the catalogue does not know the table {table} that it took up"),
        };
        let since = SystemTime::now();
        let made = async {
            let params = WriteParams { mode: WriteMode::Create, ..Default::default() };
            let (empty, place) = (RecordBatchIterator::new(Vec::new(), schema), stored.path.to_string_lossy());
            let dataset = Dataset::write(empty, place.as_ref(), Some(params)).await.map_err(cannot_write)?;
            let append = Append {
                run: options.run.as_deref(),
                narrator: options.narrator.as_deref(),
                embedded: &options.embedded,
                ..Append::default()
            };
            let writer = self.row_writer(&dataset, table, &append, Twins::Kept).await?;
            let appended = self.append_at_once(dataset, writer, rows, &append).await?;
            if appended.repeated > 0 {
                self.load(&stored.path, None).await?.update_schema_metadata(no_key()).await.map_err(cannot_write)?;
            }
            sync_since(&stored.path, since).await.map_err(|e| self.cannot_be_written(&e))?;
            if let Err(why) = whole::check(&stored.path, since).await {
                return exec_err!("the table {table} cannot be written: the disk took a part of it alone ({why})");
            }
            self.publish(&stored, options.if_there).await?;
            Ok(appended)
        };
        let made = made.await;
        if made.is_err() {
            _ = std::fs::remove_dir_all(&stored.path);
            _ = catalog.forget_table(&id);
        }
        drop(lock);
        match &made {
            Ok(appended) if appended.written >= MANY as u64 => {
                if let Ok(table) = self.write_again(&stored).await {
                    table.keep_indexes().await;
                }
            }
            Ok(_) => {}
            Err(_) => self.shared.locks.forget(&id),
        }
        made
    }

    /// Gives a new table its name, between two commits of whoever writes the one that it replaces.
    async fn publish(&self, table: &StoredTable, if_there: IfThere) -> Result<()> {
        let replaced = match (if_there, self.find(&table.name)?) {
            (IfThere::Replace, Some(_)) => Some(self.write(&table.name).await?),
            _ => None,
        };
        let on_existing = if replaced.is_some() { OnExisting::Replace } else { OnExisting::Fail };
        match self.catalog()?.publish_table(&table.id, on_existing).map_err(in_catalog)? {
            Named::Done => Ok(()),
            Named::Taken(_) => exec_err!("a table {} was made meanwhile", table.name),
            Named::Gone => exec_err!("the table {} was removed while it was made", table.name),
        }
    }
}

/// What a new table does where there is one of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfThere {
    Fail,
    Replace,
    /// The one that is there is as good, if it has the columns
    Keep,
}

/// How a table is made.
#[derive(Debug, Clone)]
pub struct CreateTable {
    pub shape: Shape,
    pub if_there: IfThere,
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
    /// The columns whose texts it writes
    pub written: Vec<String>,
    /// As in [`Append`]
    pub embedded: Vec<String>,
    /// Whose people its rows are, where they are all another table's
    pub sample: Option<SampleOf>,
}

impl CreateTable {
    pub fn new(shape: Shape) -> CreateTable {
        CreateTable {
            shape,
            if_there: IfThere::Fail,
            embed: true,
            vectors: None,
            narratives: vec![],
            pack: None,
            pack_path: None,
            run: None,
            narrator: None,
            written: vec![],
            embedded: vec![],
            sample: None,
        }
    }
}

//! The database directory, and all that is done with Lance.
//!
//! ```text
//! populace-data/
//!   VERSION               the version of this layout
//!   catalog.sqlite        tables by name, runs, and the answers of models
//!   tables/ID.lance       the files of a table
//!   locks/                who writes and who reads a table
//!   tmp/                  rows that statements hold and that do not fit into memory
//! ```

mod append;
mod change;
mod column_cache;
mod columns;
mod create;
mod durable;
mod elsewhere;
mod embedder;
mod embedding;
mod harmonised;
mod indexes;
mod keys;
mod layout;
mod locks;
mod memory;
mod panel;
mod patch;
mod rewrite;
mod sample;
mod schema;
mod search;
mod shape;
mod sources;
mod strip_metadata;
mod summary;
mod system_schema;
mod table;
mod vectors;
mod versions;
mod whole;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use datafusion::arrow::datatypes::Schema;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use datafusion::execution::runtime_env::RuntimeEnv;
use lance::dataset::Dataset;
use lance::dataset::builder::DatasetBuilder;
use lance::session::Session;

use self::column_cache::ColumnCache;
use self::locks::{ANY, Locks, ReadLease};
use self::vectors::VectorCache;
use crate::catalog::{self, Catalog, TableEntry};

pub use append::{Append, Appended};
pub use change::Replaced;
pub(crate) use change::counted;
pub use create::{CreateTable, IfThere};
pub(crate) use elsewhere::Elsewhere;
pub use embedder::EmbedderChoice;
pub(crate) use embedder::{BYTES_OF_TOKEN, texts_of};
pub(crate) use harmonised::{Harmonised, VIEW};
pub use indexes::{Index, Kind as IndexKind};
pub use keys::KeySet;
pub use memory::MemoryShare;
pub use panel::panel_design;
pub use rewrite::Changed;
pub use sample::{SampleOf, sample_of};
pub use schema::Tables;
pub use search::LanceSearch;
use shape::has_key;
pub(crate) use shape::{PACK, PROVENANCE, embedded_by, embedded_narrative, is_narrative, plain_field};
pub use shape::{Shape, embedding_column};
pub(crate) use sources::{SOURCES, sources_in};
pub use sources::{Source, sources_of};
pub(crate) use strip_metadata::late_columns;
pub use summary::TableSummary;
pub use system_schema::SystemSchema;
pub use table::Table;
pub(crate) use table::{ROW_ADDRESS, Unreadable};
pub use versions::{At, Step, Version};
pub use writer::TableWriter;

/// The version of the directory's layout that this program reads and writes.
const LAYOUT: u32 = 2;

/// Bytes that Lance may keep of indexes and of what it knows of files; its own defaults are 6 and 1 GiB.
const INDEX_CACHE: usize = 1 << 30;
const METADATA_CACHE: usize = 256 << 20;

/// A table: what it is known by, what it is called, and where its files are. The name is that of the moment.
#[derive(Debug, Clone)]
pub(crate) struct StoredTable {
    pub id: String,
    pub name: String,
    path: PathBuf,
}

/// One version of a table, whose files stay until this is dropped, whatever becomes of the table.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub table: StoredTable,
    pub dataset: Arc<Dataset>,
    /// Nothing where the database cannot be written: then nobody removes files either
    _lease: Option<Arc<ReadLease>>,
}

/// A database directory, for a session or a statement. Nothing is read before a statement asks for it, nothing is made
/// before one writes.
#[derive(Debug, Clone)]
pub struct Database {
    shared: Arc<Shared>,
    notices: Notices,
    embedder: EmbedderChoice,
    /// What its statements may hold of the memory of all
    memory: Option<MemoryShare>,
}

/// What all sessions of the process share of a database.
#[derive(Debug)]
struct Shared {
    root: PathBuf,
    catalog: OnceLock<Arc<Catalog>>,
    locks: Locks,
    /// Lance's caches, shared by all tables
    session: OnceLock<Arc<Session>>,
    vectors: VectorCache,
    columns: ColumnCache,
    /// Bytes that statements may hold
    memory: u64,
    runtime: OnceLock<Arc<RuntimeEnv>>,
}

/// What there is to say beside rows, each thing once until it is asked for.
#[derive(Debug, Clone, Default)]
pub struct Notices(Arc<Mutex<Vec<String>>>);

impl Notices {
    /// What was said since this was last asked.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn say(&self, text: String) {
        let mut notices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !notices.contains(&text) {
            notices.push(text);
        }
    }
}

impl Database {
    /// Opens a database; one of an older layout is brought to this one.
    ///
    /// # Errors
    /// If the path is there and is no database directory, or one of a newer version, or of an older one and cannot be
    /// written.
    pub fn open(root: impl Into<PathBuf>, embedder: EmbedderChoice) -> Result<Arc<Database>> {
        Database::open_within(root, embedder, None)
    }

    /// The same, whose statements may hold so many bytes together; without a number, three fifths of the machine's
    /// memory. Sorts and groups that need more go to the disk, what cannot ends with an error.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_within(
        root: impl Into<PathBuf>,
        embedder: EmbedderChoice,
        memory: Option<u64>,
    ) -> Result<Arc<Database>> {
        let root = root.into();
        let layout = layout::of(&root)?;
        let shared = Shared {
            locks: Locks::new(root.join("locks")),
            root,
            catalog: OnceLock::new(),
            session: OnceLock::new(),
            vectors: VectorCache::default(),
            columns: ColumnCache::default(),
            memory: memory.unwrap_or_else(memory::default_limit),
            runtime: OnceLock::new(),
        };
        let shared = Arc::new(shared);
        let database = Arc::new(Database { shared, notices: Notices::default(), embedder, memory: None });
        if layout.is_some_and(|layout| layout < LAYOUT) {
            database.migrate()?;
        }
        Ok(database)
    }

    /// The same database for another session, whose notices are its own; its statements hold what this says of the
    /// memory of all.
    pub fn session(&self, memory: Option<MemoryShare>) -> Database {
        Database { memory, ..self.with_notices(Notices::default()) }
    }

    /// The bytes that all statements may hold together.
    pub fn memory(&self) -> u64 {
        self.shared.memory
    }

    /// So many bytes of the memory of all statements, for some of them.
    ///
    /// # Errors
    /// If there is no folder for rows that do not fit into memory.
    pub fn memory_share(&self, bytes: u64) -> Result<MemoryShare> {
        MemoryShare::of(self.runtime()?.as_ref(), bytes)
    }

    /// The same database, with another place for what there is to say.
    pub(crate) fn with_notices(&self, notices: Notices) -> Database {
        Database { notices, ..self.clone() }
    }

    /// The same database, whose columns of vectors are filled by another embedder.
    pub(crate) fn with_embedder(&self, embedder: EmbedderChoice) -> Database {
        Database { embedder, ..self.clone() }
    }

    /// The memory and the room on the disk that its statements have.
    ///
    /// # Errors
    /// If there is no folder for rows that do not fit into memory.
    pub(crate) fn runtime_of_statements(&self) -> Result<Arc<RuntimeEnv>> {
        self.memory.as_ref().map_or_else(|| self.runtime(), |share| Ok(share.runtime()))
    }

    /// The memory and the room on the disk that all sessions of the process share.
    ///
    /// # Errors
    /// If there is no folder for rows that do not fit into memory.
    pub(crate) fn runtime(&self) -> Result<Arc<RuntimeEnv>> {
        if let Some(runtime) = self.shared.runtime.get() {
            return Ok(runtime.clone());
        }
        let runtime = memory::runtime(&self.shared.root, self.shared.memory)?;
        Ok(self.shared.runtime.get_or_init(|| runtime).clone())
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.shared.root
    }

    /// What fills the embedding columns.
    pub fn embedder(&self) -> &EmbedderChoice {
        &self.embedder
    }

    /// Makes the directory where it is not there yet.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn create(&self) -> Result<()> {
        layout::create(&self.shared.root).map_err(|e| self.cannot_be_written(&e))
    }

    fn cannot_be_written(&self, error: &io::Error) -> DataFusionError {
        exec_datafusion_err!("cannot write the database {}: {error}", self.shared.root.display())
    }

    /// The catalogue, made where it is not there yet.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn catalog(&self) -> Result<Arc<Catalog>> {
        if let Some(catalog) = self.shared.catalog.get() {
            return Ok(catalog.clone());
        }
        self.create()?;
        let catalog = match Catalog::open(&self.shared.root) {
            // What is there can be read.
            Err(error @ catalog::Error::ReadOnly(..)) if layout::is_read_only(&self.shared.root) => {
                Catalog::open_read_only(&self.shared.root).map_err(|_| in_catalog(error))?
            }
            opened => opened.map_err(in_catalog)?,
        };
        Ok(self.shared.catalog.get_or_init(|| Arc::new(catalog)).clone())
    }

    /// The catalogue, if there is one.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn existing_catalog(&self) -> Result<Option<Arc<Catalog>>> {
        match self.shared.root.join("catalog.sqlite").exists() {
            true => self.catalog().map(Some),
            false => Ok(None),
        }
    }

    /// The names of the tables, in order.
    pub fn tables(&self) -> Vec<String> {
        let entries = self.existing_catalog().and_then(|catalog| match catalog {
            Some(catalog) => catalog.tables().map_err(in_catalog),
            None => Ok(vec![]),
        });
        match entries {
            Ok(entries) => entries.into_iter().map(|table| table.name).collect(),
            Err(error) => {
                self.notice(crate::error::message(&error));
                vec![]
            }
        }
    }

    /// The table of a name, if there is one.
    pub(crate) fn find(&self, name: &str) -> Result<Option<StoredTable>> {
        let Some(catalog) = self.existing_catalog()? else { return Ok(None) };
        Ok(catalog.table(name).map_err(in_catalog)?.map(|entry| self.stored(entry)))
    }

    /// A table that is to be there.
    pub(crate) fn existing(&self, name: &str) -> Result<StoredTable> {
        match self.find(name)? {
            Some(table) => Ok(table),
            None => exec_err!("there is no table {name}"),
        }
    }

    fn stored(&self, entry: TableEntry) -> StoredTable {
        StoredTable { path: self.folder().join(entry.folder), id: entry.id, name: entry.name }
    }

    /// Where the files of the tables are.
    fn folder(&self) -> PathBuf {
        self.shared.root.join("tables")
    }

    fn lance_session(&self) -> Arc<Session> {
        let new = || Arc::new(Session::new(INDEX_CACHE, METADATA_CACHE, Arc::default()));
        self.shared.session.get_or_init(new).clone()
    }

    /// What statements had to say beside their rows, since this was last asked.
    pub fn take_notices(&self) -> Vec<String> {
        self.notices.take()
    }

    pub(crate) fn notices(&self) -> &Notices {
        &self.notices
    }

    /// Says something beside a statement's rows.
    pub fn notice(&self, text: String) {
        self.notices.say(text);
    }

    /// Says how many people a statement left out.
    pub fn notice_skipped(&self, people: u64, table: &str) {
        match people {
            0 => {}
            1 => self.notice(format!("1 person was in {table} already: skipped")),
            _ => self.notice(format!("{people} people were in {table} already: skipped")),
        }
    }

    /// The newest version of a table; `None` if there is no such table.
    pub(crate) async fn snapshot(&self, name: &str) -> Result<Option<Snapshot>> {
        match self.find(name)? {
            Some(table) => self.snapshot_at(table, None).await.map(Some),
            None => Ok(None),
        }
    }

    /// The newest version of a table that is to be there.
    async fn newest(&self, name: &str) -> Result<Snapshot> {
        self.snapshot_at(self.existing(name)?, None).await
    }

    async fn snapshot_at(&self, table: StoredTable, version: Option<u64>) -> Result<Snapshot> {
        // Until it is known which version it is, none of them goes.
        let any = self.shared.locks.read(&table.id, ANY);
        let dataset = Arc::new(self.load(&table.path, version).await.map_err(|e| unreadable(&table.name, e))?);
        let lease = match any {
            Ok(_) => self.shared.locks.read(&table.id, dataset.version().version).ok(),
            Err(_) => None,
        };
        Ok(Snapshot { table, dataset, _lease: lease })
    }

    async fn load(&self, path: &Path, version: Option<u64>) -> Result<Dataset> {
        let mut builder = DatasetBuilder::from_uri(path.to_string_lossy()).with_session(self.lance_session());
        if let Some(version) = version {
            builder = builder.with_version(version);
        }
        Ok(builder.load().await?)
    }

    /// What a table's columns are, with the table's metadata; `None` if there is no such table.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn schema(&self, table: &str) -> Result<Option<Schema>> {
        Ok(self.snapshot(table).await?.map(|s| Schema::from(s.dataset.schema())))
    }

    /// Whether a table's rows are people with a key; not where there is no such table.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn has_key(&self, table: &str) -> Result<bool> {
        Ok(self.schema(table).await?.is_some_and(|schema| has_key(&schema)))
    }

    /// The names of a table's columns; `None` if there is no such table.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn columns(&self, table: &str) -> Result<Option<Vec<String>>> {
        let snapshot = self.snapshot(table).await?;
        Ok(snapshot.map(|s| s.dataset.schema().fields.iter().map(|f| f.name.clone()).collect()))
    }
}

/// A table that is there by its name and whose files cannot be read.
fn unreadable(name: &str, error: DataFusionError) -> DataFusionError {
    let why = crate::error::message(&error);
    exec_datafusion_err!("the table {name} cannot be read: {why}; DROP TABLE {name} removes it")
}

fn in_catalog(error: catalog::Error) -> DataFusionError {
    DataFusionError::Execution(error.to_string())
}

/// Table names become the names of directories.
fn check_name(table: &str) -> Result<()> {
    let sound = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    if table.is_empty() || table.len() > 100 || !table.chars().all(sound) {
        return exec_err!("{table:?} is no name for a table: use letters, digits, _ and -");
    }
    Ok(())
}

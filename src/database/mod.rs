//! The database directory, and all that is done with Lance.
//!
//! ```text
//! populace-data/
//!   VERSION               the version of this layout
//!   catalog.sqlite        runs, and the answers of models
//!   tables/NAME.lance     a table
//!   tables/.NAME.lock     held while the table is written
//! ```

mod append;
mod bare;
mod change;
mod columns;
mod create;
mod elsewhere;
mod embedding;
mod harmonised;
mod index_table;
mod indexes;
mod numbered;
mod schema;
mod search;
mod shape;
mod sources;
mod table;
mod vectors;
mod versions;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use lance::dataset::Dataset;
use lance::dataset::builder::DatasetBuilder;
use lance::session::Session;
use populace_udfs::Embedder;

use self::vectors::VectorCache;

pub use append::{Append, Appended, Uuids};
pub(crate) use bare::late_columns;
pub use change::Replaced;
pub(crate) use change::counted;
pub use create::CreateTable;
pub(crate) use elsewhere::Elsewhere;
pub(crate) use harmonised::{Harmonised, VIEW};
pub use index_table::Own;
pub use indexes::{Index, Kind as IndexKind};
pub use schema::Tables;
pub use search::LanceSearch;
pub(crate) use shape::{PACK, PROVENANCE, embedded_narrative, is_narrative, plain_field};
pub use shape::{Shape, embedding_column};
pub(crate) use sources::{SOURCES, sources_in};
pub use sources::{Source, sources_of};
pub use table::Table;
pub use versions::{At, Step, Version};

/// The version of the directory's layout that this program reads and writes.
const LAYOUT: u32 = 1;

/// Bytes that Lance may keep of indexes and of what it knows of files; its own defaults are 6 and 1 GiB.
const INDEX_CACHE: usize = 1 << 30;
const METADATA_CACHE: usize = 256 << 20;

/// What fills the embedding columns.
#[derive(Debug, Clone)]
pub struct EmbedderChoice {
    name: Option<String>,
    opened: Arc<OnceLock<Arc<dyn Embedder>>>,
}

impl EmbedderChoice {
    /// An embedder by name, opened when first needed; without a name, the default one.
    pub fn named(name: Option<String>) -> EmbedderChoice {
        EmbedderChoice { name, opened: Arc::default() }
    }

    /// # Errors
    /// If there is no such embedder, or its model is not installed.
    pub fn get(&self) -> Result<Arc<dyn Embedder>> {
        if let Some(embedder) = self.opened.get() {
            return Ok(embedder.clone());
        }
        let embedder = crate::embedders::open(self.name.as_deref()).map_err(DataFusionError::Execution)?;
        Ok(self.opened.get_or_init(|| embedder).clone())
    }
}

/// Keeps other writers of a table waiting; unlocked when dropped, and when the process dies.
#[derive(Debug)]
pub struct WriteLock(#[expect(dead_code, reason = "held, not read")] File);

/// A database directory. Nothing is read before a statement asks for it, nothing is made before one writes.
#[derive(Debug)]
pub struct Database {
    root: PathBuf,
    embedder: EmbedderChoice,
    /// Lance's caches, shared by all tables
    session: Mutex<Option<Arc<Session>>>,
    vectors: VectorCache,
    notices: Mutex<Vec<String>>,
}

impl Database {
    /// # Errors
    /// If the path is there and is no database directory, or one of a newer version.
    pub fn open(root: impl Into<PathBuf>, embedder: EmbedderChoice) -> Result<Arc<Database>> {
        let root = root.into();
        let version = root.join("VERSION");
        match fs::read_to_string(&version) {
            Ok(text) => match text.trim().parse::<u32>() {
                Ok(found) if found <= LAYOUT => {}
                Ok(found) => {
                    return exec_err!(
                        "{} was made by a newer version of populace (layout {found}, this one knows {LAYOUT}): update populace",
                        root.display()
                    );
                }
                Err(_) => return exec_err!("{} does not hold a version; is this a database?", version.display()),
            },
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                // A directory that does not exist yet, or is empty, becomes a database when first written.
                if let Ok(mut entries) = fs::read_dir(&root)
                    && entries.next().is_some()
                {
                    return exec_err!(
                        "{} is no populace database (it has files, but no VERSION): name another directory with --db",
                        root.display()
                    );
                }
            }
            Err(e) if e.kind() == io::ErrorKind::NotADirectory => {
                return exec_err!("{} is not a directory: name a database directory with --db", root.display());
            }
            Err(e) => return exec_err!("{}: {e}", version.display()),
        }
        Ok(Arc::new(Database {
            root,
            embedder,
            session: Mutex::default(),
            vectors: VectorCache::default(),
            notices: Mutex::default(),
        }))
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
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
        let make = || {
            fs::create_dir_all(self.root.join("tables"))?;
            let version = self.root.join("VERSION");
            if !version.exists() {
                fs::write(version, format!("{LAYOUT}\n"))?;
            }
            Ok::<_, io::Error>(())
        };
        make().map_err(|e| exec_datafusion_err!("cannot write the database {}: {e}", self.root.display()))
    }

    /// The names of the tables, in order.
    pub fn tables(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.root.join("tables")) else { return Vec::new() };
        let mut names: Vec<String> = entries
            .filter_map(|e| e.ok()?.file_name().into_string().ok())
            .filter_map(|n| Some(n.strip_suffix(".lance").filter(|n| !n.starts_with('.'))?.to_string()))
            .collect();
        names.sort();
        names
    }

    fn path(&self, table: &str) -> PathBuf {
        self.root.join("tables").join(format!("{table}.lance"))
    }

    fn lance_session(&self) -> Arc<Session> {
        let new = || Arc::new(Session::new(INDEX_CACHE, METADATA_CACHE, Arc::default()));
        self.session.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(new).clone()
    }

    /// What statements had to say beside their rows, since this was last asked.
    pub fn take_notices(&self) -> Vec<String> {
        std::mem::take(&mut self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Says something beside a statement's rows.
    pub fn notice(&self, text: String) {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).push(text);
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
    async fn dataset(&self, table: &str) -> Result<Option<Dataset>> {
        if check_name(table).is_err() || !self.path(table).is_dir() {
            return Ok(None);
        }
        self.load(&self.path(table), None).await.map(Some)
    }

    /// The newest version of a table that is to be there.
    async fn newest(&self, table: &str) -> Result<Dataset> {
        match self.dataset(table).await? {
            Some(dataset) => Ok(dataset),
            None => exec_err!("there is no table {table}"),
        }
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
        Ok(self.dataset(table).await?.map(|d| Schema::from(d.schema())))
    }

    /// The names of a table's columns; `None` if there is no such table.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn columns(&self, table: &str) -> Result<Option<Vec<String>>> {
        let dataset = self.dataset(table).await?;
        Ok(dataset.map(|d| d.schema().fields.iter().map(|f| f.name.clone()).collect()))
    }

    /// Waits until no other process or task writes the table, and keeps them waiting until dropped.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn lock(&self, table: &str) -> Result<WriteLock> {
        check_name(table)?;
        self.create()?;
        let path = self.root.join("tables").join(format!(".{table}.lock"));
        let lock = move || {
            let file = File::options().create(true).truncate(false).write(true).open(&path)?;
            file.lock()?;
            Ok::<_, io::Error>(file)
        };
        let locked = tokio::task::spawn_blocking(lock).await.map_err(|e| DataFusionError::External(e.into()))?;
        locked
            .map(WriteLock)
            .map_err(|e| exec_datafusion_err!("cannot write the database {}: {e}", self.root.display()))
    }

    /// Removes a table and its history.
    ///
    /// # Errors
    /// If its files cannot be removed.
    pub fn drop_table(&self, table: &str) -> Result<()> {
        check_name(table)?;
        self.set_aside(table)
            .and_then(fs::remove_dir_all)
            .map_err(|e| exec_datafusion_err!("cannot drop the table {table}: {e}"))
    }

    /// Renames a table out of sight: a reader meets it whole, or not at all.
    fn set_aside(&self, table: &str) -> io::Result<PathBuf> {
        // Lance's caches know files by their paths, which a new table of this name will use again.
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let aside = self.root.join("tables").join(format!(".{table}.{}.dropped", uuid::Uuid::now_v7()));
        fs::rename(self.path(table), &aside)?;
        Ok(aside)
    }
}

/// Whether a table's rows are people with a key.
fn has_key(schema: &Schema) -> bool {
    schema.field_with_name("uuid").is_ok_and(|f| *f.data_type() == DataType::Utf8)
}

/// Table names become the names of directories.
fn check_name(table: &str) -> Result<()> {
    let sound = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    if table.is_empty() || table.len() > 100 || !table.chars().all(sound) {
        return exec_err!("{table:?} is no name for a table: use letters, digits, _ and -");
    }
    Ok(())
}

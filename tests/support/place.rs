//! A database with files beside it, whose tables are read from some and written to others.
#![allow(dead_code, reason = "not every test has a use for each")]

use std::path::{Path, PathBuf};

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::util::display::array_value_to_string;
use futures::TryStreamExt;
use populace::database::{Database, EmbedderChoice};
use populace::engine::{Engine, Options, message};
use populace::export::{Card, Export, Exported, Format as Out, export};
use populace::import::{Import, Imported, prepare};

pub struct Place {
    pub folder: tempfile::TempDir,
    pub engine: Engine,
}

impl Place {
    pub fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let embedder = EmbedderChoice::named(Some("hash".into()));
        let database = Database::open(folder.path().join("db"), embedder).unwrap();
        Place { engine: Engine::new(database, Options::default()).unwrap(), folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub async fn sql(&self, sql: &str) -> Vec<String> {
        let mut rows = vec![];
        for statement in self.engine.parse(sql).unwrap() {
            let batches: Vec<RecordBatch> = match self.engine.run(statement).await {
                Ok(rows) => rows.try_collect().await.unwrap_or_else(|e| panic!("{sql}: {}", message(&e))),
                Err(e) => panic!("{sql}: {}", message(&e)),
            };
            for batch in batches {
                for row in 0..batch.num_rows() {
                    let value = |c: &ArrayRef| match c.is_null(row) {
                        true => "NULL".into(),
                        false => array_value_to_string(c, row).unwrap(),
                    };
                    rows.push(batch.columns().iter().map(value).collect::<Vec<String>>().join(" | "));
                }
            }
        }
        rows
    }

    pub async fn import(&self, import: Import) -> Result<Imported, String> {
        let run = async {
            let prepared = prepare(self.engine.database(), import).await?;
            prepared.run(self.engine.database(), |_| {}).await
        };
        run.await.map_err(|e| message(&e))
    }

    pub async fn export(&self, wanted: Export) -> Result<Exported, String> {
        export(&self.engine, &wanted, |_| {}).await.map_err(|e| message(&e))
    }
}

pub fn into(table: &str, files: &[&Path]) -> Import {
    Import { files: files.iter().map(PathBuf::from).collect(), table: table.into(), ..Import::default() }
}

pub fn out(from: &str, to: &Path, format: Out) -> Export {
    Export {
        from: from.into(),
        to: to.into(),
        format,
        vectors: false,
        run_details: false,
        rows_per_file: None,
        template: None,
        user_template: None,
        overwrite: false,
        card: Card::default(),
    }
}

//! Every file of `tests/slt` runs against a fresh database of its own, with the embedder that needs no model.

#[path = "datafusion/mod.rs"]
mod datafusion_files;

use std::path::Path;

use datafusion::arrow::util::display::array_value_to_string;
use futures::TryStreamExt;
use populace::database::{Database, EmbedderChoice};
use populace::engine::{Engine, Options, message};
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};

struct Populace {
    engine: Engine,
    _directory: tempfile::TempDir,
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Failure(String);

impl From<datafusion::error::DataFusionError> for Failure {
    fn from(error: datafusion::error::DataFusionError) -> Failure {
        Failure(message(&error))
    }
}

#[async_trait::async_trait]
impl AsyncDB for Populace {
    type Error = Failure;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Failure> {
        let (mut rows, mut columns) = (Vec::new(), 0);
        for statement in self.engine.parse(sql)? {
            let batches: Vec<_> = self.engine.run(statement).await?.try_collect().await?;
            for batch in batches {
                columns = batch.num_columns();
                let text = |c, row| array_value_to_string(batch.column(c), row).map_err(|e| Failure(e.to_string()));
                let null = |c: usize, row| batch.column(c).is_null(row);
                for row in 0..batch.num_rows() {
                    let value = |c| if null(c, row) { Ok("NULL".to_string()) } else { text(c, row) };
                    rows.push((0..columns).map(value).collect::<Result<Vec<_>, _>>()?);
                }
            }
        }
        Ok(match columns {
            0 => DBOutput::StatementComplete(0),
            n => DBOutput::Rows { types: vec![DefaultColumnType::Any; n], rows },
        })
    }

    fn engine_name(&self) -> &str {
        "populace"
    }

    async fn shutdown(&mut self) {}
}

fn session(options: Options) -> Populace {
    let directory = tempfile::tempdir().unwrap();
    let embedder = EmbedderChoice::named(Some("hash".into()));
    let database = Database::open(directory.path(), embedder).unwrap();
    Populace { engine: Engine::new(database, options).unwrap(), _directory: directory }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_statements() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let mut runner = Runner::new(|| async { Ok(session(Options::default())) });
        runner.run_file_async(&file).await.unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    }
}

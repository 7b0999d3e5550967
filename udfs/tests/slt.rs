//! Runs `tests/slt/*.slt` on a plain DataFusion session with the plugin and a tiny country.

use std::path::Path;
use std::sync::Arc;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use async_trait::async_trait;
use datafusion::common::DataFusionError;
use datafusion::prelude::SessionContext;
use populace_udfs::{Embedder, Populace, Purpose, register, rewrite};
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};

/// Counts the letters a, b and c.
#[derive(Debug)]
struct Letters;

#[async_trait]
impl Embedder for Letters {
    fn name(&self) -> &str {
        "letters"
    }

    fn dimension(&self) -> usize {
        3
    }

    async fn embed(&self, texts: Vec<String>, _: Purpose) -> Result<Vec<Vec<f32>>, DataFusionError> {
        let count = |text: &String, letter: char| text.chars().filter(|c| *c == letter).count() as f32;
        Ok(texts.iter().map(|t| ['a', 'b', 'c'].map(|l| count(t, l)).to_vec()).collect())
    }
}

struct Session(SessionContext);

impl Session {
    fn new() -> Session {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packs/tiny");
        let pack = populace_population::compile(&dir).unwrap().pack;
        let context = SessionContext::new();
        register(&context, Populace::new().with_pack(pack).with_embedder(Arc::new(Letters))).unwrap();
        Session(context)
    }
}

#[async_trait]
impl AsyncDB for Session {
    type Error = DataFusionError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, DataFusionError> {
        let state = self.0.state();
        let mut statement = state.sql_to_statement(sql, &state.config().options().sql_parser.dialect)?;
        if let datafusion::sql::parser::Statement::Statement(statement) = &mut statement {
            rewrite(statement);
        }
        let plan = state.statement_to_plan(statement).await?;
        let frame = self.0.execute_logical_plan(plan).await?;
        let types = vec![DefaultColumnType::Any; frame.schema().fields().len()];
        let options = FormatOptions::default().with_null("NULL");
        let mut rows = vec![];
        for batch in frame.collect().await? {
            let columns =
                batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options)).collect::<Result<Vec<_>, _>>()?;
            rows.extend((0..batch.num_rows()).map(|r| columns.iter().map(|c| c.value(r).to_string()).collect()));
        }
        Ok(DBOutput::Rows { types, rows })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "datafusion"
    }
}

#[test]
fn statements() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt");
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let mut runner = Runner::new(|| async { Ok(Session::new()) });
        runtime.block_on(runner.run_file_async(&file)).unwrap_or_else(|e| panic!("{}", e.display(true)));
    }
}

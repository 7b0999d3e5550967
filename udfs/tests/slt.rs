//! Runs `tests/slt/*.slt` on a plain DataFusion session with the plugin and a tiny country.

#[path = "support/session.rs"]
mod session;

use async_trait::async_trait;
use datafusion::common::DataFusionError;
use datafusion::prelude::SessionContext;
use populace_udfs::register;
use session::{Greeter, files, planned, populace, shown};
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};

struct Session(SessionContext);

impl Session {
    fn new() -> Session {
        let context = SessionContext::new();
        register(&context, populace(Greeter { counts: true, ..Greeter::default() })).unwrap();
        Session(context)
    }
}

#[async_trait]
impl AsyncDB for Session {
    type Error = DataFusionError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, DataFusionError> {
        let frame = planned(&self.0, sql).await?;
        let types = vec![DefaultColumnType::Any; frame.schema().fields().len()];
        Ok(DBOutput::Rows { types, rows: shown(&frame.collect().await?)? })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "datafusion"
    }
}

#[test]
fn statements() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for file in files() {
        let mut runner = Runner::new(|| async { Ok(Session::new()) });
        runtime.block_on(runner.run_file_async(&file)).unwrap_or_else(|e| panic!("{}", e.display(true)));
    }
}

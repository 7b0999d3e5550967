//! Finishing a statement whose process ended.

use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::execution::SendableRecordBatchStream;

use crate::catalog::{Run, Status};
use crate::engine::{Engine, Statement};

/// Finishes the statement of a run; nothing is to be done where its one commit was made, and only not noted any more.
///
/// # Errors
/// If another process is at it, if it would not do the same again, or if it fails.
pub async fn resume(engine: &Engine, run: &Run, sql: &str) -> Result<Option<SendableRecordBatchStream>> {
    let database = engine.database();
    let has_key = database.has_key(&run.table).await?;
    // In one commit, or in as many as it takes.
    let at_once = !(has_key && engine.parse(sql)?.iter().any(Statement::appends));
    if !at_once && let Some(why) = &run.once {
        return plan_err!(
            "run {} cannot be taken up: {why}, and what is there would be written again as something else; look at \
             what it wrote, and run the statement for the rest",
            run.id
        );
    }
    if at_once && database.tables().contains(&run.table) {
        let catalog = engine.catalog()?;
        let failed = |e: crate::catalog::Error| DataFusionError::Execution(e.to_string());
        // From here on nobody else takes it up.
        catalog.start(run).map_err(failed)?;
        let versions = database.versions(&run.table).await?;
        if let Some(made) = versions.iter().find(|v| v.run.as_ref() == Some(&run.id)) {
            let people = if run.done > 0 { run.done } else { made.rows.unwrap_or(0) };
            catalog.end(&run.id, people, Status::Done, None).map_err(failed)?;
            return Ok(None);
        }
    }
    engine.resume(run, sql).await.map(Some)
}

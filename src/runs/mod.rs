//! Runs: people drawn and written to a table in chunks, so that a run that dies is finished by running it again.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{AsArray, BooleanArray, RecordBatch, StringArray};
use datafusion::arrow::compute::{concat_batches, filter_record_batch};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;
use futures::{TryStreamExt, stream};
use populace_udfs::{Narrator, narrate, narrated};

use crate::catalog::{Catalog, Run};
use crate::database::{CreateTable, Database, Shape};
use crate::engine::Engine;
use crate::packs;

/// People who are committed together: what a run that is killed loses at most.
const CHUNK: usize = 500;

/// Finishes a run: draws its people, leaves out those in the table, and writes the others. `progress` hears how many
/// of the run's people are in the table.
///
/// # Errors
/// If the draw is refused or the table cannot be written; people committed before stay.
pub async fn run(engine: &Engine, catalog: &Catalog, run: &Run, progress: impl FnMut(u64)) -> Result<u64> {
    let failed = |e: crate::catalog::Error| DataFusionError::Execution(e.to_string());
    if run.pack != pack_id(&run.country)? {
        return plan_err!(
            "run {} drew from {}, this program has {}: the same seed gives other people now",
            run.id,
            run.pack,
            pack_id(&run.country)?
        );
    }
    // Refused before anything is noted or written.
    let narrator = narrator(run)?;
    let people = draw(engine, run).await?;
    catalog.start(run).map_err(failed)?;
    match write(engine.database(), catalog, run, narrator.as_deref(), people, progress).await {
        Ok(written) => {
            catalog.progress(&run.id, run.count, "done", None).map_err(failed)?;
            Ok(written)
        }
        Err(error) => {
            let text = crate::engine::message(&error);
            catalog.progress(&run.id, run.done, "failed", Some(&text)).map_err(failed)?;
            Err(error)
        }
    }
}

/// The identifier of a country's pack.
///
/// # Errors
/// If there is no such country.
pub fn pack_id(country: &str) -> Result<String> {
    match packs::open(country) {
        Some(pack) => Ok(pack.map_err(|e| DataFusionError::Plan(e.to_string()))?.id()),
        None => {
            let hint = populace_population::nearest(country, packs::NAMES);
            let hint = hint.map_or(String::new(), |h| format!("; did you mean {h}?"));
            plan_err!("unknown country {country}{hint} There are: {}", packs::NAMES.join(", "))
        }
    }
}

/// What writes a run's narratives; nothing where it is `none`.
fn narrator(run: &Run) -> Result<Option<Arc<dyn Narrator>>> {
    match run.narrator.as_str() {
        "none" => Ok(None),
        name => crate::narrators::open(name).map(Some).map_err(DataFusionError::Plan),
    }
}

async fn draw(engine: &Engine, run: &Run) -> Result<SendableRecordBatchStream> {
    let given = match &run.given {
        Some(text) => format!(", given => {}", expression(text)?),
        None => String::new(),
    };
    let sql = format!("SELECT * FROM sample_persona('{}', {}, seed => {}{given})", run.country, run.count, run.seed);
    let Some(statement) = engine.parse(&sql)?.pop() else { return plan_err!("no statement") };
    engine.run(statement).await
}

/// One expression, whole: nothing that would end it and begin something else.
fn expression(text: &str) -> Result<String> {
    let parsed = Parser::new(&GenericDialect {}).try_with_sql(text).and_then(|mut parser| {
        let expr = parser.parse_expr()?;
        parser.expect_token(&Token::EOF)?;
        Ok(expr)
    });
    match parsed {
        Ok(expr) => Ok(expr.to_string()),
        Err(error) => plan_err!("given: {error}"),
    }
}

async fn write(
    database: &Arc<Database>,
    catalog: &Catalog,
    run: &Run,
    narrator: Option<&dyn Narrator>,
    mut people: SendableRecordBatchStream,
    mut progress: impl FnMut(u64),
) -> Result<u64> {
    let known = database.uuids(&run.table).await?;
    let kinds = narrator.map(|n| n.kinds()).unwrap_or_default();
    let with_run = match narrator {
        Some(_) => with_provenance(&narrated(&people.schema(), &kinds)),
        None => with_provenance(&people.schema()),
    };
    if !database.tables().contains(&run.table) {
        let empty = Box::pin(RecordBatchStreamAdapter::new(with_run.clone(), stream::empty()));
        let options =
            CreateTable { shape: Shape::Persona, replace: false, embed: run.embed, pack: Some(run.pack.clone()) };
        database.create_table(&run.table, empty, options).await?;
    }
    let (mut waiting, mut rows, mut written, mut there) = (Vec::new(), 0, 0, 0);
    let mut chunk = 0u64;
    loop {
        let batch = people.try_next().await?;
        let last = batch.is_none();
        if let Some(batch) = batch {
            let Some(uuid) = batch.column_by_name("uuid").and_then(|c| c.as_string_opt::<i32>()) else {
                return plan_err!("the draw has no uuid");
            };
            let new: BooleanArray = uuid.iter().map(|u| u.map(|u| !known.contains(u))).collect();
            there += (batch.num_rows() - new.true_count()) as u64;
            let new = filter_record_batch(&batch, &new)?;
            rows += new.num_rows();
            waiting.push(new);
        }
        while rows >= CHUNK || (last && rows > 0) {
            let all = concat_batches(&people.schema(), &waiting)?;
            let size = rows.min(CHUNK);
            let mut now = all.slice(0, size);
            // Only those who are not in the table yet are written up.
            if let Some(narrator) = narrator {
                now = narrate(narrator, &kinds, &now).await?;
            }
            let now = provenance(&now, &with_run, run)?;
            waiting = vec![all.slice(size, rows - size)];
            rows -= size;
            let properties = HashMap::from([
                ("populace:run".to_string(), run.id.clone()),
                ("populace:chunk".to_string(), chunk.to_string()),
            ]);
            let one = Box::pin(RecordBatchStreamAdapter::new(with_run.clone(), stream::iter([Ok(now)])));
            let appended = database.append(&run.table, one, properties).await?;
            chunk += 1;
            written += appended.written;
            there += appended.written + appended.skipped;
            let noted = catalog.progress(&run.id, there, "running", None);
            noted.map_err(|e| DataFusionError::Execution(e.to_string()))?;
            progress(there);
        }
        if last {
            return Ok(written);
        }
    }
}

fn with_provenance(people: &Schema) -> Arc<Schema> {
    let fields = people.fields().iter().cloned();
    Arc::new(Schema::new(fields.chain([Arc::new(Field::new("run_id", DataType::Utf8, true))]).collect::<Vec<_>>()))
}

fn provenance(people: &RecordBatch, schema: &Arc<Schema>, run: &Run) -> Result<RecordBatch> {
    let mut columns = people.columns().to_vec();
    columns.push(Arc::new(StringArray::from(vec![run.id.as_str(); people.num_rows()])));
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_one_expression() {
        assert_eq!(expression("age >= 65").unwrap(), "age >= 65");
        assert!(expression("true) AS x; DROP TABLE usa; --").is_err());
        assert!(expression("").is_err());
    }
}

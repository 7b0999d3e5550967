//! `populace index`.

use clap::Args;

use super::output::Format;
use super::{DatabaseArguments, Failure};
use crate::engine::{Engine, Options};
use crate::sql::{quoted_name, quoted_text};

#[derive(Debug, Args)]
pub(super) struct IndexArguments {
    /// The table of people
    table: String,
    /// Index the words of a narrative, for text_search and hybrid_search; may be repeated
    #[arg(long, value_name = "COLUMN")]
    text: Vec<String>,
    /// Index the vectors of a narrative, in tables of 100,000 rows and more; may be repeated
    #[arg(long, value_name = "COLUMN")]
    vector: Vec<String>,
    /// Index a column by order, for equality and ranges in WHERE; may be repeated
    #[arg(long, value_name = "COLUMN")]
    btree: Vec<String>,
    /// Index a column of few distinct values, for equality in WHERE; may be repeated
    #[arg(long, value_name = "COLUMN")]
    bitmap: Vec<String>,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub(super) fn run(arguments: &IndexArguments, database: &DatabaseArguments) -> Result<(), Failure> {
    let engine = Engine::new(database.open()?, Options::default())?;
    let table = quoted_name(&arguments.table);
    let IndexArguments { text, vector, btree, bitmap, .. } = arguments;
    super::runtime()?.block_on(async {
        let kinds = [("text", text), ("vector", vector), ("btree", btree), ("bitmap", bitmap)];
        for (kind, columns) in kinds {
            for column in columns {
                let column = quoted_name(column);
                let sql = format!("CREATE INDEX ON {table} USING {kind} ({column})");
                for statement in engine.parse(&sql)? {
                    drop(engine.run(statement).await?);
                }
            }
        }
        let name = arguments.table.as_str();
        engine.database().indexes(name).await?;
        let failed = engine.database().write(name).await?.refresh_indexes(true).await?;
        let state = format!(
            "SELECT index_name, kind, columns, rows_indexed, rows_not_indexed, state, detail FROM populace.indexes \
             WHERE table_name = {}",
            quoted_text(name)
        );
        super::sql::run_all(&engine, &state, arguments.format).await?;
        match failed.first() {
            Some((index, why)) => Err(Failure(format!("{index} could not be brought up to date: {why}"))),
            None => Ok(()),
        }
    })
}

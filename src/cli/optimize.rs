//! `populace optimize`.

use std::io::{self, Write};
use std::time::Duration;

use clap::Args;

use super::{DatabaseArguments, Failure};
use crate::engine::{Engine, Options, message};

#[derive(Debug, Args)]
pub(super) struct OptimizeArguments {
    /// The table; all of them without this
    table: Option<String>,
    /// Versions that are younger are kept, as are those with a tag and the newest
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    keep_days: u32,
}

pub(super) fn run(arguments: OptimizeArguments, database: &DatabaseArguments) -> Result<(), Failure> {
    let engine = Engine::new(database.open()?, Options::default())?;
    let tables = match arguments.table {
        Some(table) => vec![table],
        None => engine.database().tables(),
    };
    let keep = Duration::from_secs(u64::from(arguments.keep_days) * 24 * 60 * 60);
    let out = &mut io::stdout();
    let mut failed = 0;
    super::runtime()?.block_on(async {
        for table in &tables {
            writeln!(out, "{table}")?;
            // One that cannot be read keeps no other from being put in shape.
            let steps = match Box::pin(engine.optimize(table, keep)).await {
                Ok(steps) => steps,
                Err(error) if tables.len() > 1 => {
                    failed += 1;
                    writeln!(out, "  failed: {}", message(&error))?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            for step in steps {
                failed += usize::from(step.done.is_err());
                let done = step.done.unwrap_or_else(|why| format!("failed: {why}"));
                writeln!(out, "  {:9} {done}", step.name)?;
            }
        }
        match engine.database().remove_dropped(keep)? {
            0 => {}
            1 => writeln!(out, "1 dropped table removed")?,
            removed => writeln!(out, "{removed} dropped tables removed")?,
        }
        Ok::<_, Failure>(())
    })?;
    match failed {
        0 => Ok(()),
        1 => Err(Failure("a step failed".into())),
        _ => Err(Failure(format!("{failed} steps failed"))),
    }
}

//! `populace report`.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use super::{DatabaseArguments, Failure};
use crate::engine::{self, Access, Engine};
use crate::report::{self, Options};

#[derive(Debug, Args)]
pub(super) struct ReportArguments {
    /// The table of people
    table: String,
    /// The file that is written; `-` is standard output. TABLE.html without it
    #[arg(long, short = 'o', value_name = "FILE")]
    out: Option<PathBuf>,
    /// The country that the table is held against, by name, or a pack of one's own by its path; that of its people
    /// without it
    #[arg(long, value_name = "NAME")]
    country: Option<String>,
    /// The people that it is about, of the table and of the country: "age >= 18 AND state IN ('CA', 'TX')"
    #[arg(long, value_name = "PREDICATE")]
    given: Option<String>,
    /// The column that says how many people a row stands for, or `none`; sampling_weight or weight without it, where the
    /// table has such a column
    #[arg(long, value_name = "COLUMN")]
    weights: Option<String>,
    /// What stands at its head; the table's name without it
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// How many people are shown with their texts
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(0..=100))]
    people: u32,
    /// Shows other people
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

pub(super) fn run(arguments: ReportArguments, database: &DatabaseArguments) -> Result<(), Failure> {
    let ReportArguments { table, out, country, given, weights, title, people, seed } = arguments;
    let out = out.unwrap_or_else(|| PathBuf::from(format!("{table}.html")));
    let packs = country.iter().cloned().collect();
    let options = Options { table, country, given, weights, title, people, seed };
    let engine =
        Engine::new(database.open()?, engine::Options { packs, access: Access::read(), ..engine::Options::default() })?;
    let html = super::runtime()?.block_on_or(report::write(&engine, &options), "interrupted; no report was written")?;
    if out.as_os_str() == "-" {
        return Ok(io::stdout().lock().write_all(html.as_bytes())?);
    }
    std::fs::write(&out, html).map_err(|e| Failure(format!("{}: {e}", out.display())))?;
    eprintln!("{}", out.display());
    Ok(())
}

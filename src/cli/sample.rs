//! `populace sample`.

use clap::Args;

use super::output::Format;
use super::{DatabaseArguments, Failure};
use crate::engine::{Engine, Options};
use crate::sql::{expression_text, quoted_name};

#[derive(Debug, Args)]
pub(super) struct SampleArguments {
    /// The table of people
    table: String,
    /// How many people
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    size: u64,
    /// What the sample is stratified by, parted by commas: state,sex
    #[arg(long, value_name = "COLUMNS")]
    strata: String,
    /// How many of each stratum: in proportion to its people, as many of each, or by the spread of --study-variable
    #[arg(long, value_parser = ["proportional", "equal", "neyman"], default_value = "proportional")]
    allocation: String,
    /// The number whose mean is to be known best, for neyman
    #[arg(long, value_name = "COLUMN", required_if_eq("allocation", "neyman"))]
    study_variable: Option<String>,
    /// How many people of every stratum at least: one, or two for neyman, where it is not said; with 0 strata may be left out
    #[arg(long, value_name = "N")]
    min_per_stratum: Option<u64>,
    /// What becomes of strata with too few people: an error, all there are, or others in their place
    #[arg(long, value_parser = ["error", "take_all", "redistribute"], default_value = "error")]
    on_short: String,
    /// Takes the same people every time; without it a fresh one is taken, and said
    #[arg(long)]
    seed: Option<u64>,
    /// Take only people of whom this holds, as in SQL: "age >= 65"
    #[arg(long, value_name = "EXPRESSION")]
    r#where: Option<String>,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub(super) fn run(arguments: SampleArguments, database: &DatabaseArguments) -> Result<(), Failure> {
    let fresh = || {
        let seed = populace_udfs::fresh_seed();
        eprintln!("seed {seed}");
        seed
    };
    let sql = statement(&arguments, arguments.seed.unwrap_or_else(fresh)).map_err(Failure)?;
    let engine = Engine::new(database.open()?, Options::default())?;
    super::runtime()?.block_on(super::sql::run_all(&engine, &sql, arguments.format))
}

/// The statement that takes the sample.
fn statement(arguments: &SampleArguments, seed: u64) -> Result<String, String> {
    let table = quoted_name(&arguments.table);
    let from = match &arguments.r#where {
        Some(predicate) => {
            let predicate = expression_text(predicate).map_err(|e| format!("--where: {predicate}: {e}"))?;
            format!("(SELECT * FROM {table} WHERE {predicate})")
        }
        None => table,
    };
    let study_variable = match &arguments.study_variable {
        Some(column) => format!(", study_variable => {}", quoted_name(column)),
        None => String::new(),
    };
    let least = arguments.min_per_stratum.map_or(String::new(), |n| format!(", min_per_stratum => {n}"));
    let SampleArguments { size, allocation, on_short, .. } = arguments;
    let strata: Vec<String> = arguments.strata.split(',').map(|name| quoted_name(name.trim())).collect();
    let strata = strata.join(", ");
    Ok(format!(
        "SELECT * FROM stratified_sample({from}, {size}, strata => ({strata}), allocation => '{allocation}'\
         {study_variable}{least}, on_short => '{on_short}', seed => {seed})"
    ))
}

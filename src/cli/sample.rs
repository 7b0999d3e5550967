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
    /// What the sample is stratified by, columns and expressions parted by commas: "state,sex,age_band(age, 30, 60)"
    #[arg(long, value_name = "EXPRESSIONS")]
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
    /// Keep the sample in a new table
    #[arg(long, value_name = "TABLE")]
    into: Option<String>,
    /// Only these columns of it, parted by commas: first_name,state,sampling_weight
    #[arg(long, value_name = "COLUMNS")]
    columns: Option<String>,
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
    let strata: Vec<String> = parts(&arguments.strata).into_iter().map(stratum).collect::<Result<_, _>>()?;
    let strata = strata.join(", ");
    let columns = match &arguments.columns {
        Some(columns) => columns.split(',').map(|name| quoted_name(name.trim())).collect::<Vec<_>>().join(", "),
        None => "*".into(),
    };
    let into = arguments.into.as_ref().map_or(String::new(), |into| format!("CREATE TABLE {} AS ", quoted_name(into)));
    Ok(format!(
        "{into}SELECT {columns} FROM stratified_sample({from}, {size}, strata => ({strata}), allocation => '{allocation}'\
         {study_variable}{least}, on_short => '{on_short}', seed => {seed})"
    ))
}

/// The parts of a list between those commas that are in no parentheses and no quotes.
fn parts(list: &str) -> Vec<&str> {
    let (mut parts, mut from, mut depth, mut quote) = (vec![], 0, 0usize, None);
    for (at, letter) in list.char_indices() {
        match (quote, letter) {
            (Some(open), letter) if open == letter => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(letter),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                parts.push(list[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(list[from..].trim());
    parts
}

/// A stratum in SQL: a column by its name as it is, or an expression.
fn stratum(part: &str) -> Result<String, String> {
    match part.chars().any(|c| "('\"+-*/%<>=|:".contains(c)) {
        true => expression_text(part).map_err(|e| format!("--strata: {part}: {e}")),
        false => Ok(quoted_name(part)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strata_are_columns_and_expressions() {
        let list = "census_region, Sex,age_band(age, 30, 45, 60),coalesce(city, 'a, (b')";
        let strata: Vec<String> = parts(list).into_iter().map(|part| stratum(part).unwrap()).collect();
        assert_eq!(strata[0].trim_matches('"'), "census_region");
        assert_eq!(strata[1], "\"Sex\"");
        assert_eq!(strata[2..], ["age_band(age, 30, 45, 60)", "coalesce(city, 'a, (b')"]);
        assert!(stratum("age_band(age").unwrap_err().starts_with("--strata: age_band(age"));
    }
}

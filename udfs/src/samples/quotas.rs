//! A table of quotas: what each stratum is asked for.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast};
use futures::StreamExt;
use populace_population::did_you_mean;

use super::allocation::{OnShort, Stratum};
use super::strata::Strata;

/// The column with the numbers, where the table names its columns as the strata are named.
const QUOTA: &str = "quota";

/// The quotas of one stratum cannot be more than this.
const MOST_ROWS: f64 = 1e12;

/// Brings a table of quotas into the form of one column for each element of the strata and one with the quota: found by
/// name, if all are, or else by place.
pub(crate) fn plan(function: &str, table: LogicalPlan, strata: &[(String, DataType)]) -> Result<LogicalPlan> {
    let columns = table.schema().columns();
    let named = |name: &str| columns.iter().position(|c| c.name == name);
    let wanted = strata.iter().map(|(name, _)| name.as_str()).chain([QUOTA]);
    let places: Vec<usize> = match wanted.map(named).collect::<Option<Vec<_>>>() {
        Some(places) => places,
        None if columns.len() == strata.len() + 1 => (0..columns.len()).collect(),
        None => {
            let names: Vec<&str> = strata.iter().map(|(name, _)| name.as_str()).collect();
            return plan_err!(
                "{function}: a table of quotas has a column for each element of `strata` and one with the quota, \
                 here {}, {QUOTA}; this one has: {}",
                names.join(", "),
                columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ")
            );
        }
    };
    let Some((quota, values)) = places.split_last() else { return plan_err!("{function}: a table without columns") };
    let kind = table.schema().field(*quota).data_type();
    if !kind.is_numeric() {
        return plan_err!("{function}: quotas are numbers, the column `{}` is {kind}", columns[*quota].name);
    }
    let column = |at: &usize| Expr::Column(columns[*at].clone());
    let values = values.iter().zip(strata).map(|(at, (_, kind))| cast(column(at), kind.clone()));
    let all = values.chain([cast(column(quota), DataType::Float64)]);
    let all = all.enumerate().map(|(i, e)| e.alias(format!("column_{i}"))).collect::<Vec<_>>();
    LogicalPlanBuilder::from(table).project(all)?.build()
}

/// Quotas, as they were read.
pub(crate) struct Quotas {
    function: &'static str,
    /// The quota of each stratum, in the order of their numbers
    quotas: Vec<u64>,
    /// The strata that have one
    strata: Strata,
    /// Their values, a batch at a time
    values: Vec<Vec<ArrayRef>>,
}

impl Quotas {
    /// Reads a table in the form of [`plan`].
    pub async fn read(function: &'static str, mut rows: SendableRecordBatchStream) -> Result<Quotas> {
        let width = rows.schema().fields().len() - 1;
        let kinds = rows.schema();
        let strata = Strata::new(kinds.fields().iter().take(width).map(|f| f.data_type()))?;
        let mut read = Quotas { function, quotas: vec![], strata, values: vec![] };
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            let (values, quotas) = batch.columns().split_at(width);
            let numbers = read.strata.numbers(values, batch.num_rows())?;
            let quotas = quotas.first().map(|q| q.as_primitive::<Float64Type>());
            for (row, number) in numbers.into_iter().enumerate() {
                read.add(number, quotas.filter(|q| q.is_valid(row)).map(|q| q.value(row)))?;
            }
            read.values.push(values.to_vec());
        }
        Ok(read)
    }

    fn add(&mut self, number: usize, quota: Option<f64>) -> Result<()> {
        let function = self.function;
        let label = || self.strata.labels().map(|labels| labels[number].clone());
        if number < self.quotas.len() {
            return exec_err!("{function}: the stratum `{}` has two quotas", label()?);
        }
        match quota {
            Some(quota) if quota.fract() == 0.0 && (0.0..=MOST_ROWS).contains(&quota) => self.quotas.push(quota as u64),
            other => {
                let told = other.map_or("NULL".to_string(), |q| q.to_string());
                return exec_err!("{function}: a quota is a whole number from 0, that of `{}` is {told}", label()?);
            }
        }
        Ok(())
    }

    pub fn total(&self) -> u64 {
        self.quotas.iter().fold(0, |total, quota| total.saturating_add(*quota))
    }

    /// Gives each stratum its quota. Strata that are asked for and have no rows come after all others.
    pub fn assign(&self, known: &mut Strata, strata: &mut Vec<Stratum>, on_short: OnShort) -> Result<()> {
        let mut places: Vec<Option<usize>> = vec![];
        for values in &self.values {
            places.extend(known.known(values, values.first().map_or(0, |v| v.len()))?);
        }
        for ((quota, place), label) in self.quotas.iter().zip(places).zip(self.strata.labels()?) {
            match place {
                Some(place) => strata[place].quota = *quota,
                None if *quota == 0 => {}
                None if on_short == OnShort::Error => {
                    let hint = did_you_mean(&label, strata.iter().map(|s| s.label.as_str()));
                    let function = self.function;
                    return exec_err!(
                        "{function}: the table has no rows of the stratum `{label}`, whose quota is {quota}{hint}"
                    );
                }
                None => strata.push(Stratum { label, quota: *quota, ..Stratum::default() }),
            }
        }
        Ok(())
    }
}

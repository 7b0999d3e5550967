//! `given => …` of functions that hold a table beside a country: the people, and the rows, that it is about.

use std::sync::Arc;

use datafusion::common::{Result, plan_datafusion_err};
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Value as SqlValue};
use populace_population::{Analysis, Expected, Figure, Pack, Sampler};

use crate::call::arguments::value_of_a_row;
use crate::call::arguments::{Arguments, without_tables};
use crate::call::given;
use crate::host::packs::population_error;

/// A country's people, or those of them of whom a predicate holds.
#[derive(Debug, Clone)]
pub(crate) struct Domain {
    pub pack: Arc<Pack>,
    /// The predicate in SQL, and what tells the shares of the people of whom it holds
    given: Option<(String, Arc<Sampler>)>,
}

impl Domain {
    /// Takes the argument `given`, and leaves out the rows of the table of which it does not hold.
    ///
    /// # Errors
    /// If it holds of nobody, or names what the country or the table has not.
    pub fn plan(
        function: &str,
        arguments: &mut Arguments,
        input: LogicalPlan,
        pack: Arc<Pack>,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<(LogicalPlan, Domain)> {
        let Some(sql) = arguments.take("given") else { return Ok((input, Domain { pack, given: None })) };
        let sql = match sql {
            SqlExpr::Value(value) => match value.value {
                SqlValue::SingleQuotedString(text) => given::parse(function, &text)?,
                other => SqlExpr::value(other),
            },
            sql => sql,
        };
        let text = sql.to_string();
        let predicate = given::plan(function, without_tables(sql.clone()), &pack, context)?;
        let sampler = Sampler::given(pack.clone(), 0, &predicate).map_err(population_error)?;
        let of_rows = value_of_a_row(function, "given", sql, &input, context).map_err(|e| {
            plan_datafusion_err!("{}; `given` is asked of the rows of the table as well", e.strip_backtrace())
        })?;
        let rows = LogicalPlanBuilder::from(input).filter(of_rows)?.build()?;
        Ok((rows, Domain { pack, given: Some((text, Arc::new(sampler))) }))
    }

    /// The predicate in SQL.
    pub fn text(&self) -> Option<&str> {
        self.given.as_ref().map(|(text, _)| text.as_str())
    }

    /// The joint distribution of some variables among these people; as [`Analysis::joint`].
    pub fn joint(&self, columns: &[(&str, &[u16])]) -> Result<Vec<f64>> {
        let shares = match &self.given {
            None => Analysis::of(&self.pack).joint(columns),
            Some((_, sampler)) => sampler.joint(columns),
        };
        shares.map_err(population_error)
    }

    /// What is expected of the cells of figures among these people.
    pub fn expected(&self, figures: &[&Figure]) -> Vec<std::result::Result<Arc<Expected>, String>> {
        match &self.given {
            None => {
                let expected = Analysis::of(&self.pack).expected(figures).into_iter();
                expected.map(|e| e.map_err(|e| e.to_string())).collect()
            }
            Some((_, sampler)) => {
                figures.iter().map(|figure| within(&self.pack, sampler, figure).map(Arc::new)).collect()
            }
        }
    }

    /// Whether the figures' own shares are of these people.
    pub fn is_everybody(&self) -> bool {
        self.given.is_none()
    }
}

/// The shares of a sampler's people in the cells of a figure.
fn within(pack: &Pack, sampler: &Sampler, figure: &Figure) -> std::result::Result<Expected, String> {
    let error = |e: populace_population::Error| e.to_string();
    // Levels without a label have one of their own.
    const NONE: u16 = u16::MAX;
    let mut of_levels: Vec<Vec<u16>> = vec![];
    for column in &figure.columns {
        let labels = pack.labels_of_levels(column).map_err(error)?;
        of_levels.push(labels.into_iter().map(|label| label.unwrap_or(NONE)).collect());
    }
    let columns: Vec<(&str, &[u16])> =
        figure.columns.iter().zip(&of_levels).map(|(c, labels)| (c.variable.as_str(), labels.as_slice())).collect();
    let joint = sampler.joint(&columns).map_err(error)?;
    // Shares have their labels numbered by their first appearance among the levels.
    let mut orders: Vec<Vec<u16>> = vec![];
    for labels in &of_levels {
        let mut order: Vec<u16> = vec![];
        for label in labels {
            if !order.contains(label) {
                order.push(*label);
            }
        }
        orders.push(order);
    }
    let mut labelled = 0.0;
    for (at, share) in joint.iter().enumerate() {
        let mut rest = at;
        let all = orders.iter().rev().all(|order| {
            let label = order[rest % order.len()];
            rest /= order.len();
            label != NONE
        });
        labelled += if all { *share } else { 0.0 };
    }
    let (codes, values) = figure.cells().map_err(error)?;
    let share = |cell: usize| -> Option<f64> {
        let mut at = 0;
        for (order, codes) in orders.iter().zip(&codes) {
            at = at * order.len() + order.iter().position(|label| *label == codes[cell])?;
        }
        joint.get(at).copied()
    };
    let cells: Vec<f64> = (0..values.len()).map(|cell| share(cell).unwrap_or(0.0)).collect();
    let elsewhere = (labelled - cells.iter().sum::<f64>()).max(0.0);
    Ok(Expected { cells, elsewhere })
}

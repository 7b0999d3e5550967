//! Strata that a table and a country both have: combinations of expressions over one variable each.

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::{cast as cast_array, take};
use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{Expr, LogicalPlan, cast};
use datafusion::sql::sqlparser::ast::Expr as SqlExpr;
use populace_population::{Levels, Pack, Variable, there_are};

use crate::call::arguments::{expression, fold, value_of_a_row, without_tables};
use crate::call::given;
use crate::call::names::{by_name, expression_name};
use crate::judgement::domain::Domain;
use crate::samples::strata::Strata;
use crate::types::plain;

/// One expression, on a table and on the levels of the variable that it is over.
#[derive(Debug, Clone)]
struct StratumExpression {
    name: String,
    variable: String,
    on_table: Expr,
    kind: DataType,
    /// What the expression can be, in the order of the levels
    values: ArrayRef,
    /// Which of these each level has
    of_levels: Vec<u16>,
}

/// The combinations of some expressions.
#[derive(Debug, Clone)]
pub(crate) struct CountryStrata {
    elements: Vec<StratumExpression>,
}

impl CountryStrata {
    /// Plans expressions against a table and a country.
    pub fn plan(
        function: &str,
        argument: &str,
        expressions: Vec<SqlExpr>,
        input: &LogicalPlan,
        pack: &Pack,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<CountryStrata> {
        if expressions.is_empty() {
            return plan_err!("{function}: `{argument}` names nothing; name columns, as in {argument} => (state, sex)");
        }
        let mut elements: Vec<StratumExpression> = vec![];
        for sql in expressions {
            let text = sql.to_string();
            let mut element = StratumExpression::plan(function, argument, sql, input, pack, context)?;
            if let Some(other) = elements.iter().find(|e| e.variable == element.variable) {
                return plan_err!(
                    "{function}: `{argument}`: `{}` and `{text}` are both over `{}`; make one expression of them",
                    other.name,
                    element.variable
                );
            }
            if elements.iter().any(|e| e.name == element.name) {
                element.name = text;
            }
            elements.push(element);
        }
        Ok(CountryStrata { elements })
    }

    /// Their names and types.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &DataType)> {
        self.elements.iter().map(|e| (e.name.as_str(), &e.kind))
    }

    /// Their names with commas between them.
    pub fn text(&self) -> String {
        self.elements.iter().map(|e| e.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The expressions over the table, of these types.
    pub fn on_table(&self) -> impl Iterator<Item = Expr> {
        self.elements.iter().map(|e| e.on_table.clone())
    }

    /// The strata of a country's people, by number, with the share of the people in each.
    pub fn of_country(&self, domain: &Domain) -> Result<(Strata, Vec<f64>)> {
        let joint: Vec<(&str, &[u16])> =
            self.elements.iter().map(|e| (e.variable.as_str(), e.of_levels.as_slice())).collect();
        let joint = domain.joint(&joint)?;
        let inhabited: Vec<usize> = (0..joint.len()).filter(|cell| joint[*cell] > 0.0).collect();
        let mut columns = vec![];
        let mut stride = joint.len();
        for element in &self.elements {
            stride /= element.values.len().max(1);
            let value = |cell: &usize| (cell / stride.max(1) % element.values.len().max(1)) as u32;
            columns.push(take(&element.values, &UInt32Array::from_iter_values(inhabited.iter().map(value)), None)?);
        }
        let mut strata = Strata::new(self.elements.iter().map(|e| &e.kind))?;
        strata.numbers(&columns, inhabited.len())?;
        Ok((strata, inhabited.into_iter().map(|cell| joint[cell]).collect()))
    }

    /// For each stratum in these columns, a predicate over the country's variables that holds of its people; none where
    /// the country has no such people.
    pub fn predicates(&self, pack: &Pack, values: &[ArrayRef]) -> Result<Vec<Option<String>>> {
        let rows = values.first().map_or(0, |v| v.len());
        let mut predicates: Vec<Option<Vec<String>>> = vec![Some(vec![]); rows];
        for (element, values) in self.elements.iter().zip(values) {
            let mut known = Strata::new([&element.kind])?;
            known.numbers(std::slice::from_ref(&element.values), element.values.len())?;
            let Some(variable) = pack.variable(&element.variable) else { continue };
            let of_label = |label: u16| {
                let levels = element.of_levels.iter().enumerate().filter(move |(_, l)| **l == label);
                predicate(variable, &levels.map(|(level, _)| level).collect::<Vec<_>>())
            };
            let texts: Vec<Option<String>> = (0..element.values.len()).map(|label| of_label(label as u16)).collect();
            for (row, label) in known.known(std::slice::from_ref(values), rows)?.into_iter().enumerate() {
                match label {
                    None => predicates[row] = None,
                    Some(label) => {
                        if let Some(parts) = &mut predicates[row] {
                            parts.extend(texts[label].clone());
                        }
                    }
                }
            }
        }
        let joined = |parts: Vec<String>| if parts.is_empty() { "true".into() } else { parts.join(" AND ") };
        Ok(predicates.into_iter().map(|parts| parts.map(joined)).collect())
    }
}

impl StratumExpression {
    fn plan(
        function: &str,
        argument: &str,
        sql: SqlExpr,
        input: &LogicalPlan,
        pack: &Pack,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<StratumExpression> {
        let sql = by_name(sql);
        let text = sql.to_string();
        let on_table = value_of_a_row(function, argument, sql.clone(), input, context)?;
        let mut names: Vec<String> = on_table.column_refs().into_iter().map(|c| c.name.clone()).collect();
        names.sort_unstable();
        names.dedup();
        let [variable] = &names[..] else {
            let over = if names.is_empty() { "no column".into() } else { names.join(" and ") };
            return plan_err!(
                "{function}: `{argument}`: `{text}` is over {over}; each expression is over one variable, and several \
                 expressions in parentheses part people by each"
            );
        };
        let Some(variable) = pack.variables().iter().find(|v| !v.hidden && v.name == *variable) else {
            let names: Vec<&str> = pack.variables().iter().filter(|v| !v.hidden).map(|v| v.name.as_str()).collect();
            let hint = there_are(variable, &names);
            return plan_err!("{function}: `{argument}`: `{}` has no variable `{variable}`{hint}", pack.name());
        };
        let name = expression_name(&sql);
        let schema = std::sync::Arc::new(given::schema(pack)?);
        let on_levels = fold(expression(function, argument, without_tables(sql), &schema, context)?, &schema)?;
        let values = given::on_levels(function, argument, &on_levels, &[variable])?;
        let kind = plain(values.data_type());
        let values = cast_array(&values, &kind)?;
        let mut numbers = Strata::new([&kind])?;
        let of_levels = numbers.numbers(std::slice::from_ref(&values), values.len())?;
        let first = (0..numbers.len()).filter_map(|label| of_levels.iter().position(|l| *l == label));
        let values = take(&values, &UInt32Array::from_iter_values(first.map(|level| level as u32)), None)?;
        let of_levels = of_levels.into_iter().map(|label| label as u16).collect();
        let on_table = cast(on_table, kind.clone());
        Ok(StratumExpression { name, variable: variable.name.clone(), on_table, kind, values, of_levels })
    }
}

/// That a variable has one of these levels, in SQL; nothing where that says nothing.
fn predicate(variable: &Variable, levels: &[usize]) -> Option<String> {
    if levels.len() == variable.len() {
        return None;
    }
    let name = &variable.name;
    let null = variable.null_level.map(usize::from);
    let mut parts: Vec<String> = vec![];
    let known: Vec<usize> = levels.iter().copied().filter(|l| Some(*l) != null).collect();
    match &variable.levels {
        Levels::Text(_) => {
            let quoted = |level: &usize| format!("'{}'", variable.label(*level).replace('\'', "''"));
            match &known[..] {
                [] => {}
                [one] => parts.push(format!("{name} = {}", quoted(one))),
                many => {
                    parts.push(format!("{name} IN ({})", many.iter().map(quoted).collect::<Vec<_>>().join(", ")));
                }
            }
        }
        Levels::Integer { min, .. } => {
            let mut from = 0;
            while from < known.len() {
                let mut to = from;
                while to + 1 < known.len() && known[to + 1] == known[to] + 1 {
                    to += 1;
                }
                let number = |at: usize| i64::from(*min) + known[at] as i64;
                parts.push(match from == to {
                    true => format!("{name} = {}", number(from)),
                    false => format!("{name} BETWEEN {} AND {}", number(from), number(to)),
                });
                from = to + 1;
            }
        }
    }
    if levels.len() > known.len() {
        parts.push(format!("{name} IS NULL"));
    }
    match parts.len() {
        0 | 1 => parts.pop(),
        _ => Some(format!("({})", parts.join(" OR "))),
    }
}

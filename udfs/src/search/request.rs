//! What a statement asks of a search.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::{ExprSchema, Result, plan_err};
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::sql::sqlparser::ast::Expr as SqlExpr;
use populace_population::there_are;

use super::facts::{fact_columns, is_fact};
use super::rank::Fusion;
use super::rerank::{DEEP, Rerank};
use super::{By, Search};
use crate::call::arguments::{Arguments, expression};
use crate::call::names::by_name;
use crate::host::Populace;
use crate::host::words::Words;
use crate::nodes::relation_function::relation;
use crate::types::plain;

/// The narrative that is searched where none is named.
const DEFAULT: &str = "persona";

/// Plans one search.
pub(super) fn plan(
    function: &'static str,
    by: By,
    mut arguments: Arguments,
    populace: &Arc<Populace>,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let input = arguments.table("table", context)?;
    let mut names = HashSet::new();
    if let Some(twice) = input.schema().fields().iter().find(|f| !names.insert(f.name())) {
        return plan_err!("{function}: two columns are called `{}`; name them apart in a subquery", twice.name());
    }
    let wanted = arguments.required_text(if by == By::Person { "uuid" } else { "query" }, context)?;
    let k = arguments.integer("k", 1..=1_000_000, context)?.unwrap_or(10) as usize;
    let columns = match arguments.columns("column", context)? {
        Some(columns) => columns,
        // Facts are known of people without texts too.
        None if by == By::Facts && vector_column(function, &input, DEFAULT).is_err() => vec![],
        None => vec![DEFAULT.into()],
    };
    if let Some(twice) = columns.iter().enumerate().find(|(i, c)| columns[..*i].contains(c)) {
        return plan_err!("{function}: `column` names `{}` twice", twice.1);
    }
    let vectors = match by {
        By::Words => vec![],
        _ => columns.iter().map(|c| vector_column(function, &input, c)).collect::<Result<_>>()?,
    };
    let texts = match by {
        By::Words | By::Both => columns.iter().map(|c| text_column(function, &input, c)).collect::<Result<_>>()?,
        _ => vec![],
    };
    let facts = match by {
        By::Facts => facts(function, &mut arguments, &input, context)?,
        _ => vec![],
    };
    if by == By::Facts && facts.is_empty() && vectors.is_empty() {
        return plan_err!("{function}: the table has neither words about people nor vectors of texts to search");
    }
    let is_list = |name: &String| {
        let field = input.schema().fields().iter().find(|f| f.name() == name);
        field.is_some_and(|f| !is_text(f.data_type()))
    };
    let is_list = facts.iter().map(is_list).collect();
    if by == By::Person && !input.schema().fields().iter().any(|f| f.name() == "uuid" && is_text(f.data_type())) {
        return plan_err!("{function}: the table has no column `uuid` to know people by");
    }
    let fusion = match arguments.numbers("weights", context)? {
        None => Fusion::Best,
        Some(weights) => Fusion::Weighted(shares(function, &weights, &columns)?),
    };
    let filter = match arguments.take("where") {
        Some(sql) => Some(expression(function, "where", sql, input.schema(), context)?),
        None => None,
    };
    let quotas = quotas(function, &mut arguments, &input, context)?;
    let diversity = arguments.fraction("diversity", context)?.map(|d| d as f32);
    let words = match arguments.text("language", context)? {
        None => None,
        Some(language) => match Words::of(&language) {
            Some(words) => Some(words),
            None => {
                let hint = there_are(&language, &Words::names());
                return plan_err!("{function}: unknown `language`, `{language}`{hint}, or a code such as 'pt'");
            }
        },
    };
    if matches!(by, By::Meaning | By::Both | By::Facts) && populace.embedder.is_none() {
        return plan_err!("{function}: this session has no embedder");
    }
    let rerank = match arguments.text("rerank", context)? {
        Some(_) if diversity.is_some() => {
            return plan_err!("{function}: `rerank` orders by one score, `diversity` by many: take one of them");
        }
        Some(name) => {
            let texts = match columns.is_empty() {
                true => vec![DEFAULT.to_string()],
                false => columns.clone(),
            };
            let texts = texts.iter().map(|c| text_column(function, &input, c)).collect::<Result<_>>()?;
            Some(Rerank { by: populace.rerankers.get(&name)?, texts, k })
        }
        None => None,
    };
    let k = if rerank.is_some() { k.max(DEEP) } else { k };
    let pool = match diversity {
        Some(_) => Some(vector_column(function, &input, columns.first().map_or(DEFAULT, String::as_str))?),
        None => None,
    };
    let condition = filter.as_ref().map(ToString::to_string);
    let search = Search {
        function,
        by,
        table: input.schema().inner().clone(),
        condition,
        wanted,
        k,
        columns,
        vectors,
        texts,
        words,
        facts,
        is_list,
        fusion,
        quotas,
        pool,
        diversity,
        rerank,
        populace: populace.clone(),
    };
    for added in search.added() {
        if search.table.column_with_name(added.name()).is_some() {
            let name = added.name();
            return plan_err!("{function}: the table has a column `{name}` already; leave it out with a subquery");
        }
    }
    let mut inputs = vec![];
    let uuid = input.schema().columns().into_iter().find(|c| c.name == "uuid").map(Expr::Column);
    let where_ = |filter: Option<Expr>| match filter {
        Some(filter) => LogicalPlanBuilder::from(input.clone()).filter(filter)?.build(),
        None => Ok(input.clone()),
    };
    match uuid {
        Some(uuid) if by == By::Person => {
            let others = uuid.clone().not_eq(lit(search.wanted.as_str()));
            inputs.push(where_(conjunction(filter.into_iter().chain([others])))?);
            let person = where_(Some(uuid.eq(lit(search.wanted.as_str()))))?;
            let all = input.schema().columns();
            let vectors = search.vectors.iter().filter_map(|name| all.iter().find(|c| c.name == *name));
            let vectors = vectors.cloned().map(Expr::Column).collect::<Vec<_>>();
            inputs.push(LogicalPlanBuilder::from(person).project(vectors)?.build()?);
        }
        _ => inputs.push(where_(filter)?),
    }
    relation(search, inputs, None)
}

/// The columns whose values are held against the query: those that are named, or all that tell of people.
fn facts(
    function: &str,
    arguments: &mut Arguments,
    input: &LogicalPlan,
    context: &mut dyn RelationPlannerContext,
) -> Result<Vec<String>> {
    let fields = input.schema().fields();
    let Some(named) = arguments.columns("facts", context)? else {
        return Ok(fact_columns(fields));
    };
    for name in &named {
        match fields.iter().find(|f| f.name() == name) {
            Some(field) if is_fact(field.data_type()) => {}
            Some(field) => {
                return plan_err!("{function}: `facts`: `{name}` is {}, where words are wanted", field.data_type());
            }
            None => {
                let known: Vec<&str> =
                    fields.iter().filter(|f| is_fact(f.data_type())).map(|f| f.name().as_str()).collect();
                return plan_err!("{function}: the table has no column `{name}`{}", there_are(name, &known));
            }
        }
    }
    Ok(named)
}

pub(super) fn is_text(kind: &DataType) -> bool {
    matches!(plain(kind), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// A vector column by its own name, or by that of the narrative it belongs to.
pub(crate) fn vector_column(function: &str, input: &LogicalPlan, name: &str) -> Result<String> {
    let is_vector =
        |f: &Field| matches!(f.data_type(), DataType::FixedSizeList(item, _) if item.data_type().is_floating());
    let vectors: Vec<&str> =
        input.schema().fields().iter().filter(|f| is_vector(f)).map(|f| f.name().as_str()).collect();
    let full = format!("{name}_embedding");
    if let Some(found) = vectors.iter().find(|v| **v == name || **v == full) {
        return Ok(found.to_string());
    }
    if vectors.is_empty() {
        return plan_err!("{function}: the table has no column of vectors to search; a table of narratives has them");
    }
    let short: Vec<&str> = vectors.iter().map(|v| v.strip_suffix("_embedding").unwrap_or(v)).collect();
    plan_err!("{function}: no vectors of `{name}`{}", there_are(name, &short))
}

/// A column of texts by its name, or by that of its vectors.
pub(crate) fn text_column(function: &str, input: &LogicalPlan, name: &str) -> Result<String> {
    let name = name.strip_suffix("_embedding").unwrap_or(name);
    let fields = input.schema().fields();
    match fields.iter().find(|f| f.name() == name) {
        Some(field) if is_text(field.data_type()) => Ok(name.to_string()),
        Some(field) => plan_err!("{function}: `{name}` is {}, where texts are wanted", field.data_type()),
        None => {
            let texts: Vec<&str> =
                fields.iter().filter(|f| is_text(f.data_type())).map(|f| f.name().as_str()).collect();
            plan_err!("{function}: the table has no column `{name}`{}", there_are(name, &texts))
        }
    }
}

/// Weights, one for each column, as parts of 1.
fn shares(function: &str, weights: &[f64], columns: &[String]) -> Result<Vec<f32>> {
    let sum: f64 = weights.iter().sum();
    if weights.len() != columns.len() {
        return plan_err!("{function}: {} `weights` for {} columns", weights.len(), columns.len());
    }
    if weights.iter().any(|w| !w.is_finite() || *w < 0.0) || sum <= 0.0 {
        return plan_err!("{function}: `weights` are not negative, and not all 0");
    }
    Ok(weights.iter().map(|w| (w / sum) as f32).collect())
}

/// `max_per => (column, n)`, or several such.
fn quotas(
    function: &str,
    arguments: &mut Arguments,
    input: &LogicalPlan,
    context: &mut dyn RelationPlannerContext,
) -> Result<Vec<(String, usize)>> {
    let Some(sql) = arguments.take("max_per") else { return Ok(vec![]) };
    let text = sql.to_string();
    let tuple = |sql: SqlExpr| match sql {
        SqlExpr::Nested(inner) => match *inner {
            SqlExpr::Tuple(elements) => Some(elements),
            _ => None,
        },
        SqlExpr::Tuple(elements) => Some(elements),
        _ => None,
    };
    let mut pairs = vec![];
    match tuple(sql) {
        Some(elements) if elements.iter().all(|e| matches!(e, SqlExpr::Tuple(_) | SqlExpr::Nested(_))) => {
            pairs.extend(elements.into_iter().filter_map(tuple));
        }
        Some(elements) => pairs.push(elements),
        None => {}
    }
    let mut quotas = vec![];
    for pair in pairs {
        let Ok([column, most]) = <[SqlExpr; 2]>::try_from(pair) else {
            return plan_err!(
                "{function}: `max_per` is a column and a number, as in max_per => (city, 1); `{text}` is not"
            );
        };
        let column = by_name(column);
        let name = column.to_string();
        let Expr::Column(column) = expression(function, "max_per", column, input.schema(), context)? else {
            return plan_err!("{function}: `max_per` names a column; compute `{name}` in a subquery");
        };
        let kind = input.schema().field_from_column(&column)?.data_type();
        if plain(kind).is_nested() {
            return plan_err!("{function}: `max_per`: `{name}` is {kind}, where one value is wanted");
        }
        let most = arguments.integer_of("max_per", most, 1..=1_000_000, context)?;
        quotas.push((column.name, most as usize));
    }
    if quotas.is_empty() {
        return plan_err!(
            "{function}: `max_per` is a column and a number, as in max_per => (city, 1); `{text}` is not"
        );
    }
    Ok(quotas)
}

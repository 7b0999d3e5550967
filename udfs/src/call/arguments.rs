//! The arguments of table functions: positional and named, as constants, predicates or relations.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue, SchemaError, plan_datafusion_err, plan_err};
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Operator, binary_expr, cast, lit};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectName, ObjectNamePart, TableFactor,
    TableFunctionArgs, Value as SqlValue, visit_expressions, visit_expressions_mut,
};
use populace_population::{Value, there_are};

use crate::call::names::{by_name, column_name};
use crate::types::plain;

/// More people than have ever lived; a count beyond it is a slip.
pub(crate) const MAX_COUNT: i128 = 1_000_000_000_000;

/// The arguments of one call, by name.
#[derive(Debug)]
pub(crate) struct Arguments {
    function: &'static str,
    given: HashMap<&'static str, SqlExpr>,
}

impl Arguments {
    /// Sorts the arguments of a call. The first `positional` names may come without their names, in this order.
    pub fn new(
        function: &'static str,
        args: Vec<FunctionArg>,
        names: &[&'static str],
        positional: usize,
    ) -> Result<Arguments> {
        let mut given = HashMap::new();
        let mut next = 0;
        for arg in args {
            let (name, value) = match arg {
                FunctionArg::Named { name, arg, .. } => (Some(name.value), arg),
                FunctionArg::ExprNamed { name: SqlExpr::Identifier(name), arg, .. } => (Some(name.value), arg),
                FunctionArg::ExprNamed { name, .. } => return plan_err!("{function}: `{name}` is no argument's name"),
                FunctionArg::Unnamed(arg) => (None, arg),
            };
            let FunctionArgExpr::Expr(value) = value else {
                return plan_err!("{function}: `{value}` is no value for an argument");
            };
            let known = match &name {
                Some(name) => names.iter().find(|n| n.eq_ignore_ascii_case(name)),
                None if next < positional => names.get(next),
                None => {
                    return plan_err!(
                        "{function}: too many arguments without a name; the further ones are {}",
                        names[positional..].iter().map(|n| format!("{n} => …")).collect::<Vec<_>>().join(", ")
                    );
                }
            };
            let Some(known) = known else {
                let name = name.unwrap_or_default();
                return plan_err!("{function}: unknown argument `{name}`{}", there_are(&name, names));
            };
            next += usize::from(name.is_none());
            if given.insert(*known, value).is_some() {
                return plan_err!("{function}: the argument `{known}` is given twice");
            }
        }
        Ok(Arguments { function, given })
    }

    pub fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// Whether one of these arguments has a parameter, such as `$1`, in it.
    pub fn have_parameters(&self, names: &[&str]) -> bool {
        let has = |sql: &SqlExpr| {
            let mut found = false;
            let _: ControlFlow<()> = visit_expressions(sql, |expr| {
                found |= matches!(expr, SqlExpr::Value(value) if matches!(value.value, SqlValue::Placeholder(_)));
                ControlFlow::Continue(())
            });
            found
        };
        names.iter().any(|name| self.given.get(name).is_some_and(has))
    }

    /// An expression over no columns, perhaps with parameters.
    ///
    /// # Errors
    /// If it is none.
    pub fn expression(&mut self, name: &str, context: &mut dyn RelationPlannerContext) -> Result<Option<Expr>> {
        match self.take(name) {
            Some(sql) => expression(self.function, name, sql, &DFSchema::empty(), context).map(Some),
            None => Ok(None),
        }
    }

    pub fn take(&mut self, name: &str) -> Option<SqlExpr> {
        self.given.remove(name)
    }

    /// The rows of a table, or of a query in parentheses.
    pub fn table(&mut self, name: &str, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
        match self.take(name) {
            Some(table) => {
                let text = table.to_string();
                let named = matches!(table, SqlExpr::Identifier(_) | SqlExpr::CompoundIdentifier(_));
                let relation = relation(table).map_err(|e| self.explain(name, e))?;
                context.plan(relation).map_err(|e| match named && e.strip_backtrace().contains("not found") {
                    // Only tables that stand where relations do are looked up before a statement is planned.
                    true => plan_datafusion_err!(
                        "{}: `{name}`: there is no table `{text}`, or this session does not look tables up that are \
                         arguments: write (SELECT * FROM {text}), or have populace_udfs::rewrite do so",
                        self.function
                    ),
                    false => e,
                })
            }
            None => {
                plan_err!("{}: the argument `{name}` is missing: a table, or a query in parentheses", self.function)
            }
        }
    }

    /// That an error is of an argument.
    fn explain(&self, name: &str, error: DataFusionError) -> DataFusionError {
        match error {
            DataFusionError::Plan(why) => plan_datafusion_err!("{}: `{name}`: {why}", self.function),
            other => other,
        }
    }

    /// A constant, folded; `None` if the argument is not given or NULL.
    fn constant(
        &mut self,
        name: &'static str,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<Option<ScalarValue>> {
        match self.take(name) {
            Some(sql) => self.constant_of(name, sql, context),
            None => Ok(None),
        }
    }

    fn constant_of(
        &self,
        name: &'static str,
        sql: SqlExpr,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<Option<ScalarValue>> {
        let text = sql.to_string();
        let schema = DFSchema::empty();
        let wrong = |why: String| plan_err!("{}: `{name}` must be a constant, `{text}` is not{why}", self.function);
        let expr = match context.sql_to_expr(sql, &schema) {
            Ok(expr) => expr,
            Err(error) => return wrong(format!(" ({})", error.strip_backtrace())),
        };
        match fold(expr, &Arc::new(schema))? {
            Expr::Literal(value, _) if value.is_null() => Ok(None),
            Expr::Literal(value, _) => Ok(Some(value)),
            _ => wrong(String::new()),
        }
    }

    /// A constant within an argument, as a value of a country's variable.
    pub fn value_of(
        &self,
        name: &'static str,
        sql: SqlExpr,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<Value> {
        let Some(value) = self.constant_of(name, sql, context)? else { return Ok(Value::Null) };
        match crate::call::given::value_of(&value) {
            Some(value) => Ok(value),
            None => plan_err!("{}: `{name}`: {value} is neither a text nor a number", self.function),
        }
    }

    pub fn text(&mut self, name: &'static str, context: &mut dyn RelationPlannerContext) -> Result<Option<String>> {
        match self.constant(name, context)? {
            None => Ok(None),
            Some(value) => self.text_of(name, &value).map(Some),
        }
    }

    fn text_of(&self, name: &'static str, value: &ScalarValue) -> Result<String> {
        match value.try_as_str() {
            Some(Some(text)) => Ok(text.to_string()),
            _ => plan_err!("{}: `{name}` must be a text, {value} is not", self.function),
        }
    }

    /// The constants of an argument that is one, or several in parentheses; at least one.
    fn constants(
        &mut self,
        name: &'static str,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<Option<Vec<ScalarValue>>> {
        let elements = match self.take(name) {
            None => return Ok(None),
            Some(SqlExpr::Tuple(elements)) => elements,
            Some(SqlExpr::Nested(element)) => vec![*element],
            Some(element) => vec![element],
        };
        let mut values = vec![];
        for element in elements {
            match self.constant_of(name, element, context)? {
                Some(value) => values.push(value),
                None => return plan_err!("{}: `{name}` has a NULL", self.function),
            }
        }
        match values.is_empty() {
            true => plan_err!("{}: `{name}` has nothing in its parentheses", self.function),
            false => Ok(Some(values)),
        }
    }

    /// The name of a column, as such or as a text, or several in parentheses.
    pub fn columns(
        &mut self,
        name: &'static str,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<Option<Vec<String>>> {
        let Some(sql) = self.take(name) else { return Ok(None) };
        let mut names = vec![];
        for element in elements(sql) {
            let text = element.to_string();
            let named = match column_name(&element) {
                Some(named) => Some(named),
                None => match self.constant_of(name, element, context) {
                    Ok(Some(value)) => value.try_as_str().flatten().map(String::from),
                    _ => None,
                },
            };
            let Some(named) = named else {
                return plan_err!(
                    "{}: `{name}` names columns, as in {name} => persona or {name} => (persona, background): `{text}` is \
                     none",
                    self.function
                );
            };
            names.push(named);
        }
        match names.is_empty() {
            true => plan_err!("{}: `{name}` has nothing in its parentheses", self.function),
            false => Ok(Some(names)),
        }
    }

    /// A number, or several in parentheses.
    pub fn numbers(
        &mut self,
        name: &'static str,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<Option<Vec<f64>>> {
        let Some(values) = self.constants(name, context)? else { return Ok(None) };
        values.iter().map(|v| self.number_of(name, v)).collect::<Result<_>>().map(Some)
    }

    fn number_of(&self, name: &'static str, value: &ScalarValue) -> Result<f64> {
        match number(value)? {
            Some(number) => Ok(number),
            None => plan_err!("{}: `{name}` must be a number, {value} is not", self.function),
        }
    }

    /// A number from 0 to 1.
    pub fn fraction(&mut self, name: &'static str, context: &mut dyn RelationPlannerContext) -> Result<Option<f64>> {
        let Some(value) = self.constant(name, context)? else { return Ok(None) };
        match self.number_of(name, &value)? {
            fraction if (0.0..=1.0).contains(&fraction) => Ok(Some(fraction)),
            _ => plan_err!("{}: `{name}` must be a number from 0 to 1, {value} is not", self.function),
        }
    }

    pub fn required_text(&mut self, name: &'static str, context: &mut dyn RelationPlannerContext) -> Result<String> {
        match self.text(name, context)? {
            Some(text) => Ok(text),
            None => plan_err!("{}: the argument `{name}` is missing", self.function),
        }
    }

    /// One of a few words.
    pub fn choice<T: Copy>(
        &mut self,
        name: &'static str,
        choices: &[(&str, T)],
        context: &mut dyn RelationPlannerContext,
    ) -> Result<Option<T>> {
        let Some(text) = self.text(name, context)? else { return Ok(None) };
        match choices.iter().find(|(choice, _)| choice.eq_ignore_ascii_case(&text)) {
            Some((_, chosen)) => Ok(Some(*chosen)),
            None => {
                let words: Vec<&str> = choices.iter().map(|(choice, _)| *choice).collect();
                plan_err!("{}: unknown `{name}`, `{text}`{}", self.function, there_are(&text, &words))
            }
        }
    }

    /// A whole number within a range.
    pub fn integer(
        &mut self,
        name: &'static str,
        range: std::ops::RangeInclusive<i128>,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<Option<i128>> {
        match self.constant(name, context)? {
            Some(value) => self.whole(name, &value, range).map(Some),
            None => Ok(None),
        }
    }

    /// A whole number within a range, as a part of an argument.
    pub fn integer_of(
        &self,
        name: &'static str,
        sql: SqlExpr,
        range: std::ops::RangeInclusive<i128>,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<i128> {
        let value = self.constant_of(name, sql, context)?.unwrap_or(ScalarValue::Null);
        self.whole(name, &value, range)
    }

    fn whole(&self, name: &'static str, value: &ScalarValue, range: std::ops::RangeInclusive<i128>) -> Result<i128> {
        whole(self.function, name, value, range)
    }

    /// A number between 0 and 1.
    pub fn share(&mut self, name: &'static str, context: &mut dyn RelationPlannerContext) -> Result<Option<f64>> {
        let Some(value) = self.constant(name, context)? else { return Ok(None) };
        match finite(&value)? {
            Some(share) if share > 0.0 && share < 1.0 => Ok(Some(share)),
            _ => plan_err!("{}: `{name}` must be a number between 0 and 1, {value} is not", self.function),
        }
    }

    /// A number.
    pub fn number(&mut self, name: &'static str, context: &mut dyn RelationPlannerContext) -> Result<Option<f64>> {
        let Some(value) = self.constant(name, context)? else { return Ok(None) };
        match finite(&value)? {
            Some(number) => Ok(Some(number)),
            None => plan_err!("{}: `{name}` must be a number, {value} is not", self.function),
        }
    }
}

/// A value that is a whole number within a range.
///
/// # Errors
/// If it is none.
pub(crate) fn whole(
    function: &str,
    name: &str,
    value: &ScalarValue,
    range: std::ops::RangeInclusive<i128>,
) -> Result<i128> {
    let number: Option<i128> = match value {
        ScalarValue::Float64(Some(x)) if x.fract() == 0.0 && x.abs() < 1e15 => Some(*x as i128),
        value if value.data_type().is_integer() => value.to_string().parse().ok(),
        ScalarValue::Decimal128(Some(x), _, 0) => Some(*x),
        _ => None,
    };
    match number {
        Some(number) if range.contains(&number) => Ok(number),
        _ => plan_err!(
            "{function}: `{name}` must be a whole number from {} to {}, {value} is not",
            range.start(),
            range.end()
        ),
    }
}

/// A constant as a number, if it is one.
fn number(value: &ScalarValue) -> Result<Option<f64>> {
    Ok(match value.data_type().is_numeric() {
        true => match value.cast_to(&DataType::Float64)? {
            ScalarValue::Float64(number) => number,
            _ => None,
        },
        false => None,
    })
}

fn finite(value: &ScalarValue) -> Result<Option<f64>> {
    Ok(number(value)?.filter(|number| number.is_finite()))
}

/// A table's name, a call of a table function or a query in parentheses, given as an argument, as a relation.
pub(crate) fn relation(sql: SqlExpr) -> Result<TableFactor> {
    let named = |parts: Vec<ObjectNamePart>, args: Option<TableFunctionArgs>| TableFactor::Table {
        name: ObjectName(parts),
        alias: None,
        args,
        with_hints: vec![],
        version: None,
        with_ordinality: false,
        partitions: vec![],
        json_path: None,
        sample: None,
        index_hints: vec![],
    };
    match sql {
        SqlExpr::Identifier(name) => Ok(named(vec![ObjectNamePart::Identifier(name)], None)),
        SqlExpr::CompoundIdentifier(names) => {
            Ok(named(names.into_iter().map(ObjectNamePart::Identifier).collect(), None))
        }
        SqlExpr::Function(call) => match call.args {
            FunctionArguments::List(list) => {
                Ok(named(call.name.0, Some(TableFunctionArgs { args: list.args, settings: None })))
            }
            _ => plan_err!("`{}` is called without arguments", call.name),
        },
        SqlExpr::Subquery(query) => {
            Ok(TableFactor::Derived { lateral: false, subquery: query, alias: None, sample: None })
        }
        SqlExpr::Nested(inner) => relation(*inner),
        other => plan_err!("`{other}` is neither a table, nor a call of a table function, nor a query in parentheses"),
    }
}

/// An expression without the names of tables before its columns, for where the columns are those of a country.
pub(crate) fn without_tables(mut sql: SqlExpr) -> SqlExpr {
    let _: ControlFlow<()> = visit_expressions_mut(&mut sql, |expr| {
        if let SqlExpr::CompoundIdentifier(names) = expr
            && let Some(last) = names.pop()
        {
            *expr = SqlExpr::Identifier(last);
        }
        ControlFlow::Continue(())
    });
    sql
}

/// That an expression has no column of another table of the statement, and, where it is not asked of rows, no query.
///
/// # Errors
/// If it has.
pub(crate) fn of_one_relation(function: &str, name: &str, text: &str, expr: &Expr, queries: bool) -> Result<()> {
    let mut found = None;
    expr.apply(|e| {
        found = match e {
            Expr::OuterReferenceColumn(_, column) => Some(format!("`{column}` is a column of another table")),
            Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) | Expr::SetComparison(_) if !queries => {
                Some("it has a query in it".to_string())
            }
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        Ok(TreeNodeRecursion::Stop)
    })?;
    match found {
        None => Ok(()),
        Some(why) => plan_err!(
            "{function}: `{name}`: `{text}`: {why}, and a function is called once, not for each row of others; write the \
             values, or join with its rows"
        ),
    }
}

/// An argument that is an expression over the columns of a relation.
pub(crate) fn expression(
    function: &str,
    name: &str,
    sql: SqlExpr,
    schema: &DFSchema,
    context: &mut dyn RelationPlannerContext,
) -> Result<Expr> {
    let text = sql.to_string();
    let expr = context.sql_to_expr(sql, schema).map_err(|error| {
        if let DataFusionError::SchemaError(schema_error, _) = error.find_root()
            && let SchemaError::FieldNotFound { field, .. } = schema_error.as_ref()
        {
            let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
            let hint = there_are(&field.name, &names);
            return plan_datafusion_err!("{function}: `{name}`: the table has no column `{}`{hint}", field.name);
        }
        plan_datafusion_err!("{function}: `{name}`: `{text}`: {}", error.strip_backtrace())
    })?;
    of_one_relation(function, name, &text, &expr, true)?;
    Ok(expr)
}

/// Coerces and simplifies an expression; constants become literals.
pub(crate) fn fold(expr: Expr, schema: &Arc<DFSchema>) -> Result<Expr> {
    let context = SimplifyContext::builder().with_schema(schema.clone()).with_current_time().build();
    let simplifier = ExprSimplifier::new(context);
    let expr = simplifier.coerce(expr, schema)?;
    simplifier.simplify(expr)
}

/// The expressions of an argument: one, or several in parentheses.
pub(crate) fn elements(sql: SqlExpr) -> Vec<SqlExpr> {
    match sql {
        SqlExpr::Tuple(elements) => elements,
        SqlExpr::Nested(element) => elements(*element),
        element => vec![element],
    }
}

/// An expression that a row has one value of, the same whenever it is asked. A text by itself is the name of a column.
pub(crate) fn value_of_a_row(
    function: &str,
    argument: &str,
    sql: SqlExpr,
    input: &LogicalPlan,
    context: &mut dyn RelationPlannerContext,
) -> Result<Expr> {
    let sql = by_name(sql);
    let text = sql.to_string();
    let expr = expression(function, argument, sql, input.schema(), context)?;
    let mut of_rows = true;
    expr.apply(|e| {
        of_rows &= !matches!(
            e,
            Expr::AggregateFunction(_)
                | Expr::WindowFunction(_)
                | Expr::ScalarSubquery(_)
                | Expr::InSubquery(_)
                | Expr::Exists(_)
                | Expr::OuterReferenceColumn(..)
                | Expr::Unnest(_)
        );
        Ok(TreeNodeRecursion::Continue)
    })?;
    if !of_rows {
        return plan_err!("{function}: `{argument}`: `{text}` is not made of one row alone; compute it in a subquery");
    }
    if expr.is_volatile() {
        return plan_err!(
            "{function}: `{argument}`: `{text}` may change whenever it is asked; keep it in a table first"
        );
    }
    let kind = expr.get_type(input.schema())?;
    if plain(&kind).is_nested() {
        let what = if text.starts_with('(') { "several values".to_string() } else { kind.to_string() };
        return plan_err!("{function}: `{argument}`: `{text}` is {what}, where one value is wanted");
    }
    Ok(expr)
}

/// What tells groups of rows apart: one expression as a text, or several in parentheses as their combination, `Male, 30
/// to 44`. NULL where one of them is.
pub(crate) fn combination(
    function: &str,
    argument: &str,
    sql: SqlExpr,
    input: &LogicalPlan,
    context: &mut dyn RelationPlannerContext,
) -> Result<Expr> {
    let texts = elements(sql).into_iter().map(|element| {
        let value = value_of_a_row(function, argument, element, input, context)?;
        Ok(cast(value, DataType::Utf8))
    });
    let join =
        |a: Expr, b: Expr| binary_expr(binary_expr(a, Operator::StringConcat, lit(", ")), Operator::StringConcat, b);
    match texts.collect::<Result<Vec<_>>>()?.into_iter().reduce(join) {
        Some(expr) => Ok(expr),
        None => plan_err!("{function}: `{argument}` has nothing in its parentheses"),
    }
}

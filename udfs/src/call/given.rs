//! `given => …`: an SQL expression over a country's variables, as evidence for the network.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch, StringArray};
use arrow::compute::{cast, take};
use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result, ScalarValue, plan_datafusion_err, plan_err};
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::expr::{Between, BinaryExpr, InList, Like};
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{Expr, Operator};
use datafusion::physical_expr::create_physical_expr;
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Value as SqlValue};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::unparser::Unparser;
use populace_population::{Comparison, Levels, Pack, Predicate, Value, Variable, there_are};

use crate::call::arguments::{fold, of_one_relation};

/// Plans a predicate against the variables of a pack. A text is parsed as an expression first.
pub(crate) fn plan(
    function: &str,
    sql: SqlExpr,
    pack: &Pack,
    context: &mut dyn RelationPlannerContext,
) -> Result<Predicate> {
    let (expr, schema) = expression(function, sql, pack, context)?;
    predicate(function, expr, &schema, pack)
}

/// A predicate as an expression over the variables of a pack, perhaps with parameters.
pub(crate) fn expression(
    function: &str,
    sql: SqlExpr,
    pack: &Pack,
    context: &mut dyn RelationPlannerContext,
) -> Result<(Expr, Arc<DFSchema>)> {
    let sql = match sql {
        SqlExpr::Value(value) => match value.value {
            SqlValue::SingleQuotedString(text) => parse(function, &text)?,
            other => SqlExpr::value(other),
        },
        sql => sql,
    };
    let schema = Arc::new(schema(pack)?);
    let text = sql.to_string();
    let expr = context.sql_to_expr(sql, &schema).map_err(|e| explain(function, pack, e))?;
    of_one_relation(function, "given", &text, &expr, false)?;
    Ok((expr.infer_placeholder_types(&schema)?.0, schema))
}

/// The evidence that an expression without parameters is.
///
/// # Errors
/// If a draw cannot be conditioned on it.
pub(crate) fn predicate(function: &str, expr: Expr, schema: &Arc<DFSchema>, pack: &Pack) -> Result<Predicate> {
    let expr = fold(expr, schema).map_err(|e| plan_datafusion_err!("{function}: `given`: {}", e.strip_backtrace()))?;
    Given { function, pack, schema }.predicate(&expr, 0)
}

/// Parses an expression from a text, as the command line has it.
pub(crate) fn parse(function: &str, text: &str) -> Result<SqlExpr> {
    let wrong = |e: String| plan_datafusion_err!("{function}: `given` is no SQL expression: {e}");
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(text).map_err(|e| wrong(e.to_string()))?;
    let expr = parser.parse_expr().map_err(|e| wrong(e.to_string()))?;
    match parser.peek_token().token {
        datafusion::sql::sqlparser::tokenizer::Token::EOF => Ok(expr),
        token => Err(wrong(format!("it goes on after its end, at `{token}`"))),
    }
}

/// The columns that a predicate may name: the visible variables, text as plain text.
pub(crate) fn schema(pack: &Pack) -> Result<DFSchema> {
    let visible = pack.variables().iter().filter(|v| !v.hidden);
    let fields = visible.map(|v| arrow::datatypes::Field::new(&v.name, kind(v), v.null_level.is_some()));
    DFSchema::try_from(arrow::datatypes::Schema::new(fields.collect::<Vec<_>>()))
}

fn kind(variable: &Variable) -> DataType {
    match variable.levels {
        Levels::Text(_) => DataType::Utf8,
        Levels::Integer { .. } => DataType::Int32,
    }
}

/// An unknown column is told in the words of the pack.
fn explain(
    function: &str,
    pack: &Pack,
    error: datafusion::common::DataFusionError,
) -> datafusion::common::DataFusionError {
    use datafusion::common::{DataFusionError, SchemaError};
    let DataFusionError::SchemaError(schema_error, _) = error.find_root() else {
        return plan_datafusion_err!("{function}: `given`: {}", error.strip_backtrace());
    };
    let SchemaError::FieldNotFound { field, .. } = schema_error.as_ref() else {
        return plan_datafusion_err!("{function}: `given`: {schema_error}");
    };
    let name = &field.name;
    if pack.list_names().any(|l| l == name) {
        return plan_datafusion_err!(
            "{function}: `{name}` is a list: a draw cannot be conditioned on it; filter the rows with WHERE"
        );
    }
    let names: Vec<&str> = pack.variables().iter().filter(|v| !v.hidden).map(|v| v.name.as_str()).collect();
    plan_datafusion_err!("{function}: `{}` has no variable `{name}`{}", pack.name(), there_are(name, &names))
}

struct Given<'a> {
    function: &'a str,
    pack: &'a Pack,
    /// The columns that the predicate may name
    schema: &'a Arc<DFSchema>,
}

/// The operands of a chain of one operator, in order: chains are long, expressions hardly ever deep.
fn chain(expr: &Expr, of: Operator) -> Vec<&Expr> {
    let (mut operands, mut open) = (vec![], vec![expr]);
    while let Some(expr) = open.pop() {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if *op == of => open.extend([&**right, &**left]),
            other => operands.push(other),
        }
    }
    operands
}

/// An expression over several variables is asked of up to as many combinations of their levels.
const MAX_COMBINATIONS: usize = 1 << 22;

/// Deeper expressions are refused before they can exhaust the stack.
const MAX_DEPTH: usize = 200;

impl Given<'_> {
    fn predicate(&self, expr: &Expr, depth: usize) -> Result<Predicate> {
        if depth > MAX_DEPTH {
            return plan_err!("{}: `given` nests deeper than {MAX_DEPTH}", self.function);
        }
        let next = |e: &Expr| self.predicate(e, depth + 1);
        if let Some(predicate) = self.test(expr) {
            return Ok(predicate);
        }
        match expr {
            Expr::BinaryExpr(BinaryExpr { op: Operator::And, .. }) => {
                Ok(Predicate::And(chain(expr, Operator::And).into_iter().map(next).collect::<Result<_>>()?))
            }
            Expr::BinaryExpr(BinaryExpr { op: Operator::Or, .. }) => {
                Ok(Predicate::Or(chain(expr, Operator::Or).into_iter().map(next).collect::<Result<_>>()?))
            }
            Expr::Not(inner) => Ok(Predicate::Not(Box::new(next(inner)?))),
            Expr::Literal(ScalarValue::Boolean(truth), _) => Ok(Predicate::Literal(*truth)),
            Expr::Literal(value, _) if value.is_null() => Ok(Predicate::Literal(None)),
            expr => self.by_levels(expr),
        }
    }

    /// The tests that the population crate knows itself; it names slips in levels.
    fn test(&self, expr: &Expr) -> Option<Predicate> {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                let op = comparison(*op)?;
                if let (Some(left), Some(right)) = (column(left), column(right)) {
                    return Some(Predicate::CompareVariables { left, op, right });
                }
                if let (Some(variable), Some(value)) = (column(left), literal(right)) {
                    return Some(Predicate::Compare { variable, op, value });
                }
                let (variable, value) = (column(right)?, literal(left)?);
                Some(Predicate::Compare { variable, op: mirrored(op), value })
            }
            Expr::InList(InList { expr, list, negated }) => {
                let values = list.iter().map(literal).collect::<Option<Vec<_>>>()?;
                Some(Predicate::In { variable: column(expr)?, values, negated: *negated })
            }
            Expr::Between(Between { expr, negated, low, high }) => Some(Predicate::Between {
                variable: column(expr)?,
                low: literal(low)?,
                high: literal(high)?,
                negated: *negated,
            }),
            Expr::Like(Like { negated, expr, pattern, escape_char, case_insensitive }) => {
                let Value::Text(pattern) = literal(pattern)? else { return None };
                let variable = column(expr)?;
                Some(Predicate::Like {
                    variable,
                    pattern,
                    negated: *negated,
                    case_insensitive: *case_insensitive,
                    escape: *escape_char,
                })
            }
            Expr::IsNull(inner) => Some(Predicate::IsNull { variable: column(inner)?, negated: false }),
            Expr::IsNotNull(inner) => Some(Predicate::IsNull { variable: column(inner)?, negated: true }),
            _ => None,
        }
    }

    /// Any other expression, by asking it of every combination of the levels of its variables.
    fn by_levels(&self, expr: &Expr) -> Result<Predicate> {
        let mut names: Vec<&str> = expr.column_refs().into_iter().map(|c: &Column| c.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            return plan_err!("{}: `given` must be true or false, `{expr}` is neither", self.function);
        }
        if expr.is_volatile() {
            return plan_err!(
                "{}: `given`: `{expr}` is another each time it is asked; only what is constant can be given",
                self.function
            );
        }
        let variable = |name: &&str| {
            let found = self.pack.variables().iter().find(|v| v.name == **name);
            found.ok_or_else(|| plan_datafusion_err!("{}: `given`: no variable `{name}`", self.function))
        };
        let variables = names.iter().map(variable).collect::<Result<Vec<&Variable>>>()?;
        let combinations: u128 = variables.iter().map(|v| v.len() as u128).product();
        if combinations > MAX_COMBINATIONS as u128 {
            return plan_err!(
                "{}: `given`: `{expr}` ties together {}, which have {combinations} combinations of levels; at most \
                 {MAX_COMBINATIONS} can be asked",
                self.function,
                names.join(", ")
            );
        }
        let answers = self.answers(expr, &variables)?;
        let variables = names.into_iter().map(String::from).collect();
        let told = as_written(expr, self.schema);
        let sql = Unparser::default().with_pretty(true).expr_to_sql(&told);
        let text = sql.map_or_else(|_| told.to_string(), |sql| sql.to_string());
        Ok(Predicate::Table { variables, answers: answers.into(), text })
    }

    /// What the expression says of each combination of levels; the last variable runs fastest.
    fn answers(&self, expr: &Expr, variables: &[&Variable]) -> Result<Vec<Option<bool>>> {
        let answers = on_levels(self.function, "given", expr, variables)?;
        if !matches!(answers.data_type(), DataType::Boolean | DataType::Null) {
            return plan_err!("{}: `given` must be true or false, `{expr}` is neither", self.function);
        }
        let answers = cast(&answers, &DataType::Boolean)?;
        Ok(answers.as_boolean().iter().collect())
    }
}

/// An expression as a person writes it: without the casts that planning puts around columns, and would put there again.
fn as_written(expr: &Expr, schema: &Arc<DFSchema>) -> Expr {
    let bare = expr.clone().transform(|expr| match expr {
        Expr::Cast(cast) if matches!(*cast.expr, Expr::Column(_)) => Ok(Transformed::yes(*cast.expr)),
        expr => Ok(Transformed::no(expr)),
    });
    match bare {
        Ok(bare) if fold(bare.data.clone(), schema).is_ok_and(|again| again == *expr) => bare.data,
        _ => expr.clone(),
    }
}

/// What an expression is for each combination of the levels of some variables, the last of which runs fastest; the level
/// that is emitted as NULL is asked as NULL.
pub(crate) fn on_levels(function: &str, argument: &str, expr: &Expr, variables: &[&Variable]) -> Result<ArrayRef> {
    let combinations: usize = variables.iter().map(|v| v.len()).product();
    let (mut fields, mut columns, mut inner) = (vec![], vec![], combinations);
    for variable in variables {
        inner /= variable.len();
        let each = (0..combinations).map(|at| (at / inner % variable.len()) as i32);
        columns.push(take(&levels(variable), &Int32Array::from_iter_values(each), None)?);
        fields.push(arrow::datatypes::Field::new(&variable.name, kind(variable), true));
    }
    let schema = Arc::new(arrow::datatypes::Schema::new(fields));
    let physical = create_physical_expr(expr, &DFSchema::try_from(schema.clone())?, &ExecutionProps::new())
        .map_err(|e| plan_datafusion_err!("{function}: `{argument}`: {}", e.strip_backtrace()))?;
    let batch = RecordBatch::try_new(schema, columns)?;
    let values = physical.evaluate(&batch).and_then(|a| a.into_array(batch.num_rows()));
    values.map_err(|e| plan_datafusion_err!("{function}: `{argument}`: `{expr}` fails: {}", e.strip_backtrace()))
}

/// The levels of a variable as values, with NULL for the one that is emitted as that.
fn levels(variable: &Variable) -> ArrayRef {
    let null = variable.null_level.map(usize::from);
    let levels = 0..variable.len();
    match variable.levels {
        Levels::Text(_) => {
            Arc::new(levels.map(|l| (Some(l) != null).then(|| variable.label(l))).collect::<StringArray>())
        }
        Levels::Integer { min, .. } => {
            Arc::new(levels.map(|l| (Some(l) != null).then_some(min + l as i32)).collect::<Int32Array>())
        }
    }
}

fn comparison(op: Operator) -> Option<Comparison> {
    Some(match op {
        Operator::Eq => Comparison::Eq,
        Operator::NotEq => Comparison::NotEq,
        Operator::Lt => Comparison::Lt,
        Operator::LtEq => Comparison::LtEq,
        Operator::Gt => Comparison::Gt,
        Operator::GtEq => Comparison::GtEq,
        _ => return None,
    })
}

fn mirrored(op: Comparison) -> Comparison {
    match op {
        Comparison::Lt => Comparison::Gt,
        Comparison::LtEq => Comparison::GtEq,
        Comparison::Gt => Comparison::Lt,
        Comparison::GtEq => Comparison::LtEq,
        op => op,
    }
}

fn column(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Column(column) => Some(column.name.clone()),
        _ => None,
    }
}

fn literal(expr: &Expr) -> Option<Value> {
    match expr {
        Expr::Literal(value, _) => value_of(value),
        _ => None,
    }
}

/// A constant, as the population crate has it; `None` where no variable has values of its kind.
pub(crate) fn value_of(value: &ScalarValue) -> Option<Value> {
    if value.is_null() {
        return Some(Value::Null);
    }
    if let Some(Some(text)) = value.try_as_str() {
        return Some(Value::Text(text.into()));
    }
    match value {
        ScalarValue::Float64(Some(x)) => Some(Value::Number(*x)),
        ScalarValue::Float32(Some(x)) => Some(Value::Number(f64::from(*x))),
        value if value.data_type().is_integer() => value.to_string().parse().ok().map(Value::Integer),
        _ => None,
    }
}

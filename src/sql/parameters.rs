//! Prepared statements: kept as they were parsed, with values put in the place of `$1`, so that each goes the way of the
//! statement that one would have typed.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::common::{Result, plan_err};
use datafusion::sql::sqlparser::ast::{
    Array, CastKind, DataType, Expr, FunctionArg, FunctionArgExpr, Ident, LimitClause, ObjectNamePart, Query,
    Statement, TableFactor, UnaryOperator, Value, ValueWithSpan, Visit, VisitMut, Visitor, VisitorMut,
};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::{ByName, Kind, Statement as SqlStatement, refuse_unsupported};

/// A value for a parameter, from whoever does not write SQL.
#[derive(Debug, Clone, PartialEq)]
pub enum Parameter {
    Null,
    Boolean(bool),
    /// As SQL writes numbers: `-2.5e3`
    Number(String),
    Text(String),
    List(Vec<Parameter>),
    /// One of a type that SQL does not see from how it is written
    Typed(Box<Parameter>, DataType),
}

impl Parameter {
    fn expression(&self) -> Expr {
        let value = |value: Value| Expr::Value(value.with_empty_span());
        match self {
            Parameter::Null => value(Value::Null),
            Parameter::Boolean(truth) => value(Value::Boolean(*truth)),
            Parameter::Number(number) => match number.strip_prefix('-') {
                Some(digits) => {
                    let expr = Box::new(value(Value::Number(digits.into(), false)));
                    Expr::UnaryOp { op: UnaryOperator::Minus, expr }
                }
                None => value(Value::Number(number.clone(), false)),
            },
            Parameter::Text(text) => value(Value::SingleQuotedString(text.clone())),
            Parameter::List(items) => {
                Expr::Array(Array { elem: items.iter().map(Parameter::expression).collect(), named: true })
            }
            Parameter::Typed(value, kind) => Expr::Cast {
                kind: CastKind::Cast,
                expr: Box::new(value.expression()),
                data_type: kind.clone(),
                array: false,
                format: None,
            },
        }
    }
}

impl SqlStatement {
    /// How many values it takes: the highest number of its parameters.
    pub(crate) fn parameters(&self) -> usize {
        let Kind::Sql { statement, .. } = &self.kind else { return 0 };
        let mut statement = statement.clone();
        let Some(inner) = super::explained(&mut statement) else { return 0 };
        let mut places = Places::default();
        let _: ControlFlow<()> = Visit::visit(inner, &mut places);
        places.numbers.last().copied().unwrap_or(0)
    }

    /// The same with numbers for parameters that are written as question marks, in the order in which they stand.
    pub(crate) fn numbered(mut self) -> SqlStatement {
        if let Kind::Sql { statement, .. } = &mut self.kind
            && let Some(inner) = super::explained(statement)
        {
            let mut marks = Marks::default();
            let _: ControlFlow<()> = Visit::visit(inner, &mut marks);
            marks.0.sort_by_key(|span| span.start);
            let _: ControlFlow<()> = VisitMut::visit(inner, &mut marks);
        }
        self
    }

    /// The types that are written beside parameters, or follow from where they stand, with their places from 0.
    pub(crate) fn parameter_types(&self) -> Vec<(usize, arrow::datatypes::DataType)> {
        let Kind::Sql { statement, .. } = &self.kind else { return vec![] };
        let mut statement = statement.clone();
        let Some(inner) = super::explained(&mut statement) else { return vec![] };
        let mut written = Written::default();
        let _: ControlFlow<()> = Visit::visit(inner, &mut written);
        written.found
    }

    /// The same with its parameters numbered anew, without gaps, and the number that each had, less one.
    pub(crate) fn renumbered(mut self) -> (SqlStatement, Vec<usize>) {
        let mut uses = vec![];
        if let Kind::Sql { statement, .. } = &mut self.kind
            && let Some(inner) = super::explained(statement)
        {
            let mut places = Places::default();
            let _: ControlFlow<()> = Visit::visit(inner, &mut places);
            uses = places.numbers.into_iter().map(|number| number - 1).collect();
            let _: ControlFlow<()> = VisitMut::visit(inner, &mut Renumber(&uses));
        }
        (self, uses)
    }

    /// Values that may stand in the place of arguments of table functions, where a statement is to be planned before it
    /// has any, with their places from 0: such a call has columns by its arguments.
    pub(crate) fn parameters_of_calls(&self) -> Vec<(usize, Parameter)> {
        let Kind::Sql { statement, .. } = &self.kind else { return vec![] };
        let mut statement = statement.clone();
        let Some(inner) = super::explained(&mut statement) else { return vec![] };
        let mut written = Written { calls_alone: true, ..Written::default() };
        let _: ControlFlow<()> = Visit::visit(inner, &mut written);
        let value = |kind| match kind {
            arrow::datatypes::DataType::Utf8 => Parameter::Text("usa".into()),
            _ => Parameter::Number("1".into()),
        };
        written.found.into_iter().map(|(at, kind)| (at, value(kind))).collect()
    }

    /// The statement with these values in the place of `$1`, `$2` and so on.
    ///
    /// # Errors
    /// If it takes more or fewer, or none at all.
    pub fn with_parameters(self, values: &[Parameter]) -> Result<SqlStatement> {
        if values.is_empty() {
            return Ok(self);
        }
        let SqlStatement { kind, position } = self;
        let Kind::Sql { mut statement, mut by_name } = kind else {
            return plan_err!("this statement takes no parameters");
        };
        let Some(inner) = super::explained(&mut statement) else {
            return plan_err!("this statement takes no parameters");
        };
        let values = values.iter().map(Parameter::expression).collect();
        (*inner, by_name) = Prepared::new(inner.clone(), by_name, vec![])?.with("the statement", values)?;
        Ok(SqlStatement { kind: Kind::Sql { statement, by_name }, position })
    }

    /// The statement with these values in the place of `$name`, each wherever its name stands.
    ///
    /// # Errors
    /// If a parameter has no value, a value no parameter, or the statement takes none at all.
    pub fn with_named_parameters(mut self, values: Vec<(String, Parameter)>) -> Result<SqlStatement> {
        let mut names = Names { known: values.iter().map(|(name, _)| name.clone()).collect(), ..Names::default() };
        if let Kind::Sql { statement, .. } = &mut self.kind
            && let Some(inner) = super::explained(statement)
        {
            let _: ControlFlow<()> = VisitMut::visit(inner, &mut names);
        }
        if let Some(name) = names.unknown {
            return plan_err!("the parameter ${name} has no value");
        }
        if let Some(name) = names.known.iter().find(|name| !names.used.contains(name)) {
            return plan_err!("the statement has no parameter ${name}");
        }
        let value = |name: &String| values.iter().find(|(of, _)| of == name).map(|(_, value)| value.clone());
        let values: Vec<Parameter> = names.used.iter().filter_map(value).collect();
        self.with_parameters(&values)
    }
}

/// Parameters by their names, which become numbers in the order in which they are first met.
#[derive(Default)]
struct Names {
    known: Vec<String>,
    used: Vec<String>,
    /// One that has no value
    unknown: Option<String>,
}

impl VisitorMut for Names {
    type Break = ();

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<()> {
        if let Value::Placeholder(mark) = &mut value.value {
            let name = mark.trim_start_matches('$').to_string();
            if !self.known.contains(&name) {
                self.unknown.get_or_insert(name);
                return ControlFlow::Continue(());
            }
            let at = self.used.iter().position(|used| *used == name).unwrap_or_else(|| {
                self.used.push(name);
                self.used.len() - 1
            });
            *mark = format!("${}", at + 1);
        }
        ControlFlow::Continue(())
    }
}

/// Where the question marks are that stand for values.
#[derive(Default)]
struct Marks(Vec<Span>);

impl Visitor for Marks {
    type Break = ();

    fn pre_visit_value(&mut self, value: &ValueWithSpan) -> ControlFlow<()> {
        if matches!(&value.value, Value::Placeholder(mark) if mark == "?") {
            self.0.push(value.span);
        }
        ControlFlow::Continue(())
    }
}

impl VisitorMut for Marks {
    type Break = ();

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<()> {
        if let Value::Placeholder(mark) = &mut value.value
            && mark == "?"
            && let Some(at) = self.0.iter().position(|span| *span == value.span)
        {
            *mark = format!("${}", at + 1);
        }
        ControlFlow::Continue(())
    }
}

/// A statement with places for values.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    statement: Statement,
    by_name: Option<ByName>,
    /// Types of the parameters, where they were said
    types: Vec<DataType>,
    /// How many values it takes
    takes: usize,
}

impl Prepared {
    /// # Errors
    /// If the statement is none that takes values, or its parameters are not `$1`, `$2` and so on.
    pub fn new(statement: Statement, by_name: Option<ByName>, types: Vec<DataType>) -> Result<Prepared> {
        match &statement {
            Statement::Query(_)
            | Statement::Insert(_)
            | Statement::Update(_)
            | Statement::Delete(_)
            | Statement::CreateTable(_) => {}
            Statement::Explain { statement, .. } => {
                Prepared::new(statement.as_ref().clone(), by_name, types.clone())?;
            }
            other => {
                let what = other.to_string();
                let what = what.split_whitespace().next().unwrap_or_default();
                return plan_err!(
                    "{what} cannot be prepared: SELECT, INSERT, REPLACE, UPDATE, DELETE and CREATE TABLE AS can"
                );
            }
        }
        refuse_unsupported(&statement)?;
        let mut places = Places::default();
        let _: ControlFlow<()> = Visit::visit(&statement, &mut places);
        if let Some(other) = places.unknown {
            return plan_err!("a parameter is $1, $2 and so on, not {other}");
        }
        let takes = places.numbers.last().copied().unwrap_or(0);
        if let Some(left_out) = (1..=takes).find(|n| !places.numbers.contains(n)) {
            return plan_err!("the statement has ${takes} and not ${left_out}");
        }
        if !types.is_empty() && types.len() != takes {
            return plan_err!("{} types are named for {takes} parameters", types.len());
        }
        Ok(Prepared { statement, by_name, types, takes })
    }

    /// The statement with these values.
    ///
    /// # Errors
    /// If there are more or fewer than it takes, or one is no constant.
    pub fn with(&self, name: &str, values: Vec<Expr>) -> Result<(Statement, Option<ByName>)> {
        if values.len() != self.takes {
            return plan_err!("{name} takes {} values, and {} are given", self.takes, values.len());
        }
        if let Some(other) = values.iter().find(|v| !is_constant(v)) {
            return plan_err!("EXECUTE takes constants, which {other} is not");
        }
        let types = self.types.iter().map(Some).chain(std::iter::repeat(None));
        let values = values.into_iter().zip(types).map(|(value, kind)| typed(value, kind)).collect();
        let mut statement = self.statement.clone();
        let _: ControlFlow<()> = VisitMut::visit(&mut statement, &mut PutIn(values));
        Ok((statement, self.by_name))
    }
}

/// The values of EXECUTE, and the name of what it executes.
///
/// # Errors
/// If it is no plain EXECUTE.
pub(crate) fn execution(statement: &Statement) -> Result<Option<(String, Vec<Expr>)>> {
    let Statement::Execute { name, parameters, immediate, into, using, output, default, .. } = statement else {
        return Ok(None);
    };
    let plain = !immediate && into.is_empty() && !output && !default && (using.is_empty() || parameters.is_empty());
    match name {
        Some(name) if plain => {
            let values = parameters.iter().cloned().chain(using.iter().map(|u| u.expr.clone()));
            let name = match name.0.last().and_then(ObjectNamePart::as_ident) {
                Some(Ident { value, quote_style: None, .. }) => value.to_lowercase(),
                Some(quoted) => quoted.value.clone(),
                None => name.to_string(),
            };
            Ok(Some((name, values.collect())))
        }
        _ => plan_err!("EXECUTE takes the name of a prepared statement, and values: EXECUTE p (1, 'a')"),
    }
}

#[derive(Default)]
struct Places {
    numbers: BTreeSet<usize>,
    unknown: Option<String>,
}

fn number(placeholder: &str) -> Option<usize> {
    placeholder.strip_prefix('$')?.parse().ok().filter(|n| (1..=65_535).contains(n))
}

impl Visitor for Places {
    type Break = ();

    fn pre_visit_value(&mut self, value: &ValueWithSpan) -> ControlFlow<()> {
        if let Value::Placeholder(text) = &value.value {
            match number(text) {
                Some(number) => _ = self.numbers.insert(number),
                None => self.unknown = Some(text.clone()),
            }
        }
        ControlFlow::Continue(())
    }
}

/// Parameters with the types that are written beside them.
#[derive(Default)]
struct Written {
    found: Vec<(usize, arrow::datatypes::DataType)>,
    /// Whether those alone are wanted that are arguments of table functions
    calls_alone: bool,
}

impl Written {
    fn note(&mut self, expr: &Expr, kind: arrow::datatypes::DataType) {
        if let Expr::Value(value) = expr
            && let Value::Placeholder(text) = &value.value
            && let Some(number) = number(text)
        {
            self.found.push((number - 1, kind));
        }
    }
}

impl Visitor for Written {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if !self.calls_alone
            && let Expr::Cast { expr, data_type, .. } = expr
            && let Some(kind) = plain_type(data_type)
        {
            self.note(expr, kind);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if !self.calls_alone
            && let Some(LimitClause::LimitOffset { limit, offset, .. }) = &query.limit_clause
        {
            limit.iter().for_each(|limit| self.note(limit, arrow::datatypes::DataType::Int64));
            offset.iter().for_each(|offset| self.note(&offset.value, arrow::datatypes::DataType::Int64));
        }
        ControlFlow::Continue(())
    }

    /// A table function's own arguments are texts and numbers: the first is what it is of, others are how many.
    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { args: Some(arguments), .. } = table {
            for (at, argument) in arguments.args.iter().enumerate() {
                let kind = if at == 0 { arrow::datatypes::DataType::Utf8 } else { arrow::datatypes::DataType::Int64 };
                match argument {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
                    | FunctionArg::Named { arg: FunctionArgExpr::Expr(expr), .. }
                    | FunctionArg::ExprNamed { arg: FunctionArgExpr::Expr(expr), .. } => self.note(expr, kind),
                    _ => {}
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// A type of SQL that a client may send a value of.
fn plain_type(kind: &DataType) -> Option<arrow::datatypes::DataType> {
    use arrow::datatypes::{DataType as Plain, TimeUnit};
    Some(match kind {
        DataType::Boolean | DataType::Bool => Plain::Boolean,
        DataType::SmallInt(_) | DataType::Int2(_) => Plain::Int16,
        DataType::Int(_) | DataType::Integer(_) | DataType::Int4(_) => Plain::Int32,
        DataType::BigInt(_) | DataType::Int8(_) => Plain::Int64,
        DataType::Real | DataType::Float4 => Plain::Float32,
        DataType::Double(_) | DataType::DoublePrecision | DataType::Float8 => Plain::Float64,
        DataType::Text | DataType::Varchar(_) | DataType::Char(_) | DataType::CharacterVarying(_) => Plain::Utf8,
        DataType::Date => Plain::Date32,
        DataType::Timestamp(..) => Plain::Timestamp(TimeUnit::Microsecond, None),
        _ => return None,
    })
}

/// Gives parameters the numbers that they have among those that are used.
struct Renumber<'a>(&'a [usize]);

impl VisitorMut for Renumber<'_> {
    type Break = ();

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<()> {
        if let Value::Placeholder(text) = &mut value.value
            && let Some(at) = number(text).and_then(|number| self.0.iter().position(|used| used + 1 == number))
        {
            *text = format!("${}", at + 1);
        }
        ControlFlow::Continue(())
    }
}

struct PutIn(Vec<Expr>);

impl VisitorMut for PutIn {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Value(value) = expr
            && let Value::Placeholder(text) = &value.value
            && let Some(given) = number(text).and_then(|n| self.0.get(n - 1))
        {
            *expr = given.clone();
        }
        ControlFlow::Continue(())
    }

    /// Where a value alone may stand, as in `LIMIT` of a sample.
    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<()> {
        if let Value::Placeholder(text) = &value.value
            && let Some(Expr::Value(given)) = number(text).and_then(|n| self.0.get(n - 1))
        {
            *value = given.clone();
        }
        ControlFlow::Continue(())
    }
}

/// A value that is of no row: nothing that names a column, a table or a function.
fn is_constant(value: &Expr) -> bool {
    match value {
        Expr::Value(value) => !matches!(value.value, Value::Placeholder(_)),
        Expr::TypedString(_) => true,
        Expr::Interval(interval) => is_constant(&interval.value),
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => is_constant(inner),
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus | UnaryOperator::Not, expr } => {
            is_constant(expr)
        }
        Expr::Array(array) => array.elem.iter().all(is_constant),
        Expr::Tuple(values) => values.iter().all(is_constant),
        _ => false,
    }
}

/// A value of the type that its parameter has.
fn typed(value: Expr, kind: Option<&DataType>) -> Expr {
    let Some(kind) = kind else { return value };
    let is_it = match &value {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => {
                let whole = text.parse::<i64>().is_ok();
                let double = matches!(kind, DataType::Double(_) | DataType::DoublePrecision);
                whole && matches!(kind, DataType::Int(_) | DataType::Integer(_) | DataType::BigInt(_))
                    || !whole && double
            }
            Value::SingleQuotedString(_) => matches!(kind, DataType::Varchar(_) | DataType::Text | DataType::String(_)),
            Value::Boolean(_) => matches!(kind, DataType::Boolean | DataType::Bool),
            _ => false,
        },
        _ => false,
    };
    match is_it {
        true => value,
        false => Expr::Cast {
            kind: CastKind::Cast,
            expr: Box::new(value),
            data_type: kind.clone(),
            array: false,
            format: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    fn prepared(sql: &str, types: &str) -> Result<Prepared> {
        let parse = |sql: &str| Parser::parse_sql(&GenericDialect {}, sql).unwrap().remove(0);
        let Statement::Prepare { data_types, statement, .. } = parse(&format!("PREPARE p {types} AS {sql}")) else {
            panic!("{sql}")
        };
        Prepared::new(*statement, None, data_types)
    }

    fn executed(sql: &str, types: &str, values: &str) -> Result<String> {
        let execute = Parser::parse_sql(&GenericDialect {}, &format!("EXECUTE p ({values})")).unwrap().remove(0);
        let (name, values) = execution(&execute)?.unwrap();
        Ok(prepared(sql, types)?.with(&name, values)?.0.to_string())
    }

    #[test]
    fn values_stand_where_parameters_stood() {
        for (sql, types, values, expected) in [
            ("SELECT $1, $2 || $1", "", "'a''b', NULL", "SELECT 'a''b', NULL || 'a''b'"),
            ("UPDATE t SET a = $2 WHERE b = $1", "", "-1, 2.5", "UPDATE t SET a = 2.5 WHERE b = -1"),
            (
                "INSERT INTO t SELECT * FROM f('usa', $1) LIMIT $2",
                "",
                "5, 3",
                "INSERT INTO t SELECT * FROM f('usa', 5) LIMIT 3",
            ),
            ("DELETE FROM t WHERE a IN ($1, $2)", "", "1, 2", "DELETE FROM t WHERE a IN (1, 2)"),
            ("SELECT $1", "(DATE)", "'2026-01-02'", "SELECT CAST('2026-01-02' AS DATE)"),
            ("SELECT $1", "(INT)", "7", "SELECT 7"),
        ] {
            assert_eq!(executed(sql, types, values).unwrap(), expected);
        }
    }

    #[test]
    fn values_of_programs_stand_as_constants() {
        let bound = |sql: &str, values: &[Parameter]| {
            let statement = crate::sql::parse(sql, 50).unwrap().remove(0);
            let Kind::Sql { statement, .. } = statement.with_parameters(values).map_err(|e| e.to_string())?.kind else {
                panic!("{sql}")
            };
            Ok::<_, String>(statement.to_string())
        };
        let text = Parameter::Text("it's; DROP TABLE t --".into());
        let (number, list) = (Parameter::Number("-2.5".into()), Parameter::List(vec![Parameter::Null]));
        assert_eq!(
            bound("SELECT $1, $2, $3", &[text, number, list]).unwrap(),
            "SELECT 'it''s; DROP TABLE t --', -2.5, ARRAY[NULL]"
        );
        let one = [Parameter::Number("5".into())];
        let sampled = bound("EXPLAIN SELECT * FROM sample_persona('usa', $1)", &one).unwrap();
        assert!(sampled.ends_with("sample_persona('usa', 5)"), "{sampled}");
        assert!(bound("SELECT $1, $2", &one).unwrap_err().contains("takes 2 values, and 1 are given"));
        assert!(bound("OPTIMIZE t", &one).is_err());
    }

    #[test]
    fn values_are_put_in_by_name() {
        let bound = |sql: &str, values: &[(&str, &str)]| {
            let values = values.iter().map(|(name, number)| (name.to_string(), Parameter::Number(number.to_string())));
            let statement = crate::sql::parse(sql, 50).unwrap().remove(0).with_named_parameters(values.collect());
            statement.map(|statement| statement.to_string()).map_err(|e| e.to_string())
        };
        let both = [("low", "1"), ("high", "2")];
        assert_eq!(bound("SELECT $high, $low, $high", &both).unwrap(), "SELECT 2, 1, 2");
        assert_eq!(bound("SELECT 1", &[]).unwrap(), "SELECT 1");
        assert!(bound("SELECT $high", &both).unwrap_err().contains("no parameter $low"));
        assert!(bound("SELECT $x", &[]).unwrap_err().contains("$x has no value"));
        assert!(bound("OPTIMIZE t", &both).unwrap_err().contains("no parameter $low"));
    }

    #[test]
    fn slips_are_told() {
        let told = |sql, types, values| executed(sql, types, values).unwrap_err().to_string();
        assert!(told("SELECT $1", "", "1, 2").contains("p takes 1 values, and 2 are given"));
        assert!(told("SELECT $1", "", "age").contains("EXECUTE takes constants, which age is not"));
        assert!(told("SELECT $1", "", "(SELECT 1)").contains("EXECUTE takes constants"));
        assert!(told("SELECT $2", "", "1, 2").contains("has $2 and not $1"));
        assert!(told("SELECT $x", "", "1").contains("not $x"));
        assert!(told("SELECT $1", "(INT, INT)", "1").contains("2 types are named for 1"));
        assert!(told("DROP TABLE t", "", "").contains("DROP cannot be prepared"));
    }
}

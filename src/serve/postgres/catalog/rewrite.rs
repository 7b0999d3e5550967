//! What clients ask of the system's own tables, as statements that the engine knows.
//!
//! Many of those tables are empty here and always will be: there are no triggers, policies or sequences. A query that
//! reads of one has no rows, whatever else it computes of them, and is replaced by one that has none: so most of what
//! only PostgreSQL knows never reaches the planner.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, GroupByExpr, Ident, JoinOperator, ObjectName, ObjectNamePart, Query,
    Select, SelectItem, SetExpr, SetOperator, Statement, TableFactor, TableWithJoins, Value, VisitMut, VisitorMut,
};

use super::tables;

/// Rewrites a statement.
pub(super) fn rewrite(statement: &mut Statement) {
    let mut rewrite = Rewrite::default();
    let _: ControlFlow<()> = VisitMut::visit(statement, &mut rewrite);
}

#[derive(Default)]
struct Rewrite {
    /// Queries that WITH has named and that have no rows
    empty: BTreeSet<String>,
}

fn parts(name: &ObjectName) -> Vec<String> {
    let part = |p: &ObjectNamePart| {
        let ident = p.as_ident()?;
        Some(if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() })
    };
    name.0.iter().filter_map(part).collect()
}

fn object(parts: &[&str]) -> ObjectName {
    ObjectName(parts.iter().map(|part| ObjectNamePart::Identifier(Ident::new(*part))).collect())
}

/// The name that a table of the system has in our schema, if a name is one of its.
fn system_name(name: &ObjectName) -> Option<String> {
    let parts = parts(name);
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let parts = match &parts[..] {
        ["populace" | "datafusion", rest @ ..] if !rest.is_empty() => rest,
        all => all,
    };
    match parts {
        ["pg_catalog", table] => Some((*table).to_string()),
        ["information_schema", table] => {
            let own = format!("information_{table}");
            tables::is_known(&own).then_some(own)
        }
        [table] if tables::is_known(table) && table.starts_with("pg_") => Some((*table).to_string()),
        _ => None,
    }
}

impl Rewrite {
    fn relation_is_empty(&self, relation: &TableFactor) -> bool {
        match relation {
            TableFactor::Table { name, .. } => match system_name(name) {
                Some(system) => tables::is_empty(&system),
                None => matches!(&parts(name)[..], [one] if self.empty.contains(one)),
            },
            TableFactor::Derived { subquery, .. } => self.is_empty(subquery),
            TableFactor::NestedJoin { table_with_joins, .. } => self.join_is_empty(table_with_joins),
            _ => false,
        }
    }

    fn join_is_empty(&self, join: &TableWithJoins) -> bool {
        let mut empty = self.relation_is_empty(&join.relation);
        for joined in &join.joins {
            let of_both = matches!(
                joined.join_operator,
                JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_)
            );
            let keeps_right = matches!(
                joined.join_operator,
                JoinOperator::Right(_) | JoinOperator::RightOuter(_) | JoinOperator::FullOuter(_)
            );
            let right = self.relation_is_empty(&joined.relation);
            empty = match (of_both, keeps_right) {
                (true, _) => empty || right,
                (_, true) => empty && right,
                _ => empty,
            };
        }
        empty
    }

    fn select_is_empty(&self, select: &Select) -> bool {
        let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty());
        // Over no rows, these still tell of one.
        let aggregates = select.projection.iter().any(|item| match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => is_aggregate(expr),
            _ => false,
        });
        (grouped || !aggregates) && select.from.iter().any(|from| self.join_is_empty(from))
    }

    fn body_is_empty(&self, body: &SetExpr) -> bool {
        match body {
            SetExpr::Select(select) => self.select_is_empty(select),
            SetExpr::Query(query) => self.is_empty(query),
            SetExpr::SetOperation { op, left, right, .. } => match op {
                SetOperator::Union => self.body_is_empty(left) && self.body_is_empty(right),
                SetOperator::Intersect => self.body_is_empty(left) || self.body_is_empty(right),
                SetOperator::Except | SetOperator::Minus => self.body_is_empty(left),
            },
            _ => false,
        }
    }

    fn is_empty(&self, query: &Query) -> bool {
        self.body_is_empty(&query.body)
    }

    /// Replaces the parts of a UNION that have no rows, and a body that has none.
    fn simplify(&self, body: &mut SetExpr) {
        if self.body_is_empty(body) {
            if let Some(select) = first_select(body).and_then(nothing) {
                *body = select;
            }
        } else if let SetExpr::SetOperation { left, right, .. } = body {
            self.simplify(left);
            self.simplify(right);
        }
    }
}

fn first_select(body: &SetExpr) -> Option<&Select> {
    match body {
        SetExpr::Select(select) => Some(select),
        SetExpr::Query(query) => first_select(&query.body),
        SetExpr::SetOperation { left, .. } => first_select(left),
        _ => None,
    }
}

fn is_aggregate(expr: &Expr) -> bool {
    match expr {
        Expr::Function(function) => {
            let names = parts(&function.name);
            let aggregates =
                ["count", "max", "min", "sum", "avg", "string_agg", "array_agg", "bool_or", "bool_and", "json_agg"];
            names.last().is_some_and(|name| aggregates.contains(&name.as_str()))
                || match &function.args {
                    FunctionArguments::List(list) => list.args.iter().any(
                        |arg| matches!(arg, FunctionArg::Unnamed(FunctionArgExpr::Expr(inner)) if is_aggregate(inner)),
                    ),
                    _ => false,
                }
        }
        Expr::Cast { expr, .. } | Expr::Nested(expr) => is_aggregate(expr),
        _ => false,
    }
}

/// A query without rows whose columns are called like those of another.
fn nothing(select: &Select) -> Option<SetExpr> {
    let name = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { alias, .. } => alias.value.clone(),
        SelectItem::UnnamedExpr(expr) => called(expr),
        _ => "?column?".into(),
    };
    let mut names: Vec<String> = vec![];
    for item in &select.projection {
        names.push(distinct(name(item), &names));
    }
    let column = |name: &String| format!("CAST(NULL AS VARCHAR) AS {}", crate::sql::quoted_name(name));
    let columns: Vec<String> = names.iter().map(column).collect();
    let query = crate::sql::query(&format!("SELECT {} WHERE false", columns.join(", "))).ok()?;
    Some(*query.body)
}

/// A name that none of these is: the engine has no two columns of one name.
fn distinct(name: String, names: &[String]) -> String {
    match (2..).map(|n| format!("{name} {n}")).find(|other| !names.contains(other)) {
        Some(other) if names.contains(&name) => other,
        _ => name,
    }
}

/// Names the second and later expressions that would be called alike.
fn name_apart(select: &mut Select) {
    let mut names: Vec<String> = vec![];
    for item in &mut select.projection {
        let (name, expr) = match item {
            SelectItem::ExprWithAlias { alias, .. } => (alias.value.clone(), None),
            SelectItem::UnnamedExpr(expr) => (called(expr), Some(expr.clone())),
            _ => continue,
        };
        let apart = distinct(name.clone(), &names);
        if let Some(expr) = expr
            && apart != name
            && !matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
        {
            *item = SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', apart.clone()) };
        }
        names.push(apart);
    }
}

/// A subquery whose one value is that of the one row that it finds, which the engine wants to be told.
fn of_one_row(query: &mut Query) {
    if query.limit_clause.is_some() || query.with.is_some() {
        return;
    }
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    if select.from.is_empty() || select.distinct.is_some() {
        return;
    }
    let expr = match &mut select.projection[..] {
        [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] if !is_aggregate(expr) => expr,
        _ => return,
    };
    let is_truth = matches!(expr, Expr::BinaryOp { op, .. } if matches!(op, BinaryOperator::Eq | BinaryOperator::NotEq
        | BinaryOperator::Lt | BinaryOperator::LtEq | BinaryOperator::Gt | BinaryOperator::GtEq
        | BinaryOperator::And | BinaryOperator::Or));
    *expr = call(if is_truth { "bool_or" } else { "max" }, vec![expr.clone()]);
    query.order_by = None;
}

fn called(expr: &Expr) -> String {
    match expr {
        Expr::Identifier(ident) => ident.value.clone(),
        Expr::CompoundIdentifier(idents) => idents.last().map(|i| i.value.clone()).unwrap_or_default(),
        Expr::Function(function) => parts(&function.name).pop().unwrap_or_default(),
        Expr::Cast { expr, .. } | Expr::Nested(expr) => called(expr),
        _ => "?column?".into(),
    }
}

impl VisitorMut for Rewrite {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let Some(with) = &query.with {
            for cte in &with.cte_tables {
                if self.is_empty(&cte.query) {
                    self.empty.insert(cte.alias.name.value.to_lowercase());
                }
            }
        }
        if self.is_empty(query) {
            // What it is sorted by has gone with its columns.
            query.with = None;
            query.order_by = None;
            query.limit_clause = None;
        }
        self.simplify(&mut query.body);
        if let SetExpr::Select(select) = query.body.as_mut() {
            name_apart(select);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, name: &mut ObjectName) -> ControlFlow<()> {
        if let Some(system) = system_name(name) {
            *name = object(&["pg_catalog", &system]);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let null = || Expr::Value(Value::Null.with_empty_span());
        let truth = |truth: bool| Expr::Value(Value::Boolean(truth).with_empty_span());
        match expr {
            Expr::Subquery(query) if self.is_empty(query) => *expr = null(),
            Expr::Subquery(query) => of_one_row(query),
            Expr::Exists { subquery, negated } if self.is_empty(subquery) => *expr = truth(*negated),
            // ARRAY(SELECT …)
            Expr::Function(Function { args: FunctionArguments::Subquery(_), .. }) => *expr = null(),
            // Of lists of the system, that of schemas alone is asked how long it is.
            Expr::Function(function)
                if parts(&function.name).last().is_some_and(|name| name == "array_upper" || name == "array_lower") =>
            {
                *expr = Expr::Value(Value::Number("1".into(), false).with_empty_span());
            }
            // Lists of the system's tables, of privileges and options, are none here.
            Expr::Function(function)
                if parts(&function.name).last().is_some_and(|name| name == "array_to_string")
                    && matches!(&function.args, FunctionArguments::List(list)
                        if !matches!(list.args.first(), Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Array(_)))))) =>
            {
                *expr = Expr::Cast {
                    kind: CastKind::Cast,
                    expr: Box::new(null()),
                    data_type: DataType::Text,
                    array: false,
                    format: None,
                };
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Collate { expr: inner, .. } => {
                let inner = std::mem::replace(inner.as_mut(), Expr::Value(Value::Null.with_empty_span()));
                *expr = inner;
            }
            Expr::Function(function) => {
                if let [schema, name] = &parts(&function.name)[..]
                    && ["pg_catalog", "information_schema"].contains(&schema.as_str())
                {
                    function.name = object(&[name.as_str()]);
                }
            }
            // The engine knows a backslash alone.
            Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
                if let Some(escape) = escape_char.take() {
                    let text = |text: &str| Expr::Value(Value::SingleQuotedString(text.into()).with_empty_span());
                    match &escape.value {
                        Value::SingleQuotedString(mark) if mark != "\\" && !mark.is_empty() => {
                            **pattern = call("replace", vec![pattern.as_ref().clone(), text(mark), text("\\")]);
                        }
                        _ => {}
                    }
                }
            }
            Expr::BinaryOp { op, .. } => {
                if let BinaryOperator::PGCustomBinaryOperator(parts) = op
                    && let Some(plain) = parts.last().and_then(|name| operator(name))
                {
                    *op = plain;
                }
            }
            Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => {
                if let Some(list) = listed(left, right, false) {
                    *expr = list;
                }
            }
            Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } => {
                if let Some(list) = listed(left, right, true) {
                    *expr = list;
                }
            }
            Expr::Cast { expr: inner, data_type, kind, .. } => {
                if let Some(cast) = cast(inner, data_type, kind) {
                    *expr = cast;
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn operator(name: &str) -> Option<BinaryOperator> {
    Some(match name {
        "~" => BinaryOperator::PGRegexMatch,
        "~*" => BinaryOperator::PGRegexIMatch,
        "!~" => BinaryOperator::PGRegexNotMatch,
        "!~*" => BinaryOperator::PGRegexNotIMatch,
        "=" => BinaryOperator::Eq,
        "<>" => BinaryOperator::NotEq,
        "<" => BinaryOperator::Lt,
        "<=" => BinaryOperator::LtEq,
        ">" => BinaryOperator::Gt,
        ">=" => BinaryOperator::GtEq,
        "+" => BinaryOperator::Plus,
        "-" => BinaryOperator::Minus,
        "||" => BinaryOperator::StringConcat,
        _ => return None,
    })
}

/// `x = ANY (…)` and `x <> ALL (…)` as a list, or as a look into an array.
fn listed(left: &Expr, right: &Expr, negated: bool) -> Option<Expr> {
    let mut array = right;
    while let Expr::Nested(inner) | Expr::Cast { expr: inner, .. } = array {
        array = inner;
    }
    match array {
        Expr::Array(array) => Some(Expr::InList { expr: Box::new(left.clone()), list: array.elem.clone(), negated }),
        Expr::Subquery(_) => None,
        _ => {
            let found = call("array_has", vec![right.clone(), left.clone()]);
            Some(match negated {
                true => {
                    Expr::UnaryOp { op: datafusion::sql::sqlparser::ast::UnaryOperator::Not, expr: Box::new(found) }
                }
                false => found,
            })
        }
    }
}

fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let args = arguments.into_iter().map(|a| FunctionArg::Unnamed(FunctionArgExpr::Expr(a))).collect();
    Expr::Function(Function {
        name: object(&[name]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: vec![] }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    })
}

/// A cast to one of the types that only PostgreSQL has.
fn cast(inner: &Expr, kind: &DataType, how: &CastKind) -> Option<Expr> {
    if let DataType::Array(ArrayElemTypeDef::SquareBracket(element, length)) = kind {
        let Expr::Cast { data_type, .. } = cast(inner, element, how)? else { return None };
        return Some(Expr::Cast {
            kind: how.clone(),
            expr: Box::new(inner.clone()),
            data_type: DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(data_type), *length)),
            array: false,
            format: None,
        });
    }
    let name = match kind {
        DataType::Regclass => "regclass".to_string(),
        DataType::Custom(name, _) => parts(name).pop()?,
        _ => return None,
    };
    let to = |kind: DataType| {
        Some(Expr::Cast {
            kind: how.clone(),
            expr: Box::new(inner.clone()),
            data_type: kind,
            array: false,
            format: None,
        })
    };
    match name.as_str() {
        "regclass" | "regtype" => Some(call(&format!("pg_{name}"), vec![inner.clone()])),
        "regproc" | "regprocedure" | "regoper" | "regoperator" | "regnamespace" | "regrole" | "name" | "text"
        | "char" | "cstring" | "int2vector" | "oidvector" | "pg_node_tree" | "inet" | "jsonb" | "json" | "varchar"
        | "bpchar" => to(DataType::Text),
        "oid" | "xid" | "cid" | "int8" => to(DataType::BigInt(None)),
        "int4" => to(DataType::Integer(None)),
        "int2" => to(DataType::SmallInt(None)),
        "float8" => to(DataType::DoublePrecision),
        "float4" => to(DataType::Real),
        "bool" => to(DataType::Boolean),
        _ => None,
    }
}

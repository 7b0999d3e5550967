//! What columns are called that a query gives no name: as PostgreSQL calls them, by how they are written. What a query
//! is called within the engine stays: tables that are made of it, and other protocols, have its names.

use std::sync::Arc;

use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use datafusion::sql::parser::Statement as Sql;
use datafusion::sql::sqlparser::ast::{
    AccessExpr, DataType, Expr, Ident, ObjectNamePart, Query, SelectItem, SetExpr, Statement as Ast, TrimWhereField,
    Value,
};

use super::types;
use crate::sql::{Kind, Statement};

/// What PostgreSQL calls what has no name.
const NAMELESS: &str = "?column?";

/// The names of a query's columns, as far as they follow from its text; none for those that are called as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Of the first columns
    first: Vec<Option<String>>,
    /// Of the last ones, where there is a `*` between
    last: Option<Vec<Option<String>>>,
}

impl Names {
    /// The names of a statement's columns.
    pub fn of(statement: &Statement) -> Names {
        match &statement.kind {
            Kind::Sql { statement, .. } => match statement.as_ref() {
                Sql::Statement(statement) => match statement.as_ref() {
                    Ast::Query(query) => of_query(query),
                    _ => Names::default(),
                },
                _ => Names::default(),
            },
            _ => Names::default(),
        }
    }

    /// A schema with these names.
    pub fn told(&self, schema: SchemaRef) -> SchemaRef {
        let last = self.last.as_deref().unwrap_or_default();
        let fields = schema.fields();
        let known = self.first.len() + last.len();
        // What is unnested into several columns is not known beforehand.
        let fits = if self.last.is_some() { known <= fields.len() } else { known == fields.len() };
        if !fits || self.first.iter().chain(last).all(Option::is_none) {
            return schema;
        }
        let between = std::iter::repeat_n(&None, fields.len() - known);
        let names = self.first.iter().chain(between).chain(last);
        let called = |(field, name): (&FieldRef, &Option<String>)| match name {
            Some(name) if name != field.name() => Arc::new(Field::clone(field).with_name(name)),
            _ => field.clone(),
        };
        let fields: Vec<FieldRef> = fields.iter().zip(names).map(called).collect();
        Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
    }
}

fn of_query(query: &Query) -> Names {
    if !query.pipe_operators.is_empty() {
        return Names::default();
    }
    let mut body = query.body.as_ref();
    let select = loop {
        body = match body {
            SetExpr::Select(select) => break select,
            SetExpr::SetOperation { left, .. } => left,
            SetExpr::Query(query) => return of_query(query),
            _ => return Names::default(),
        };
    };
    let mut names = Names::default();
    for item in &select.projection {
        let name = match item {
            // A column, which its table may call otherwise than it is written here.
            SelectItem::UnnamedExpr(Expr::Identifier(_)) | SelectItem::ExprWithAlias { .. } => None,
            SelectItem::UnnamedExpr(expr) => Some(called(expr).map_or_else(|| NAMELESS.to_string(), Called::name)),
            // What stands between two of them has no place that is known, and is called as the engine calls it.
            _ => {
                names.last = Some(vec![]);
                continue;
            }
        };
        names.last.as_mut().unwrap_or(&mut names.first).push(name);
    }
    names
}

/// What an expression is called.
enum Called {
    /// By what it is: a column, a function
    Itself(String),
    /// By its type, or as a CASE, where nothing within it has a name
    Else(String),
}

impl Called {
    fn name(self) -> String {
        match self {
            Called::Itself(name) | Called::Else(name) => name,
        }
    }
}

fn itself(name: &str) -> Option<Called> {
    Some(Called::Itself(name.into()))
}

fn folded(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

/// The rules are those of PostgreSQL's `FigureColname`.
fn called(expr: &Expr) -> Option<Called> {
    match expr {
        Expr::Identifier(ident) => Some(Called::Itself(folded(ident))),
        Expr::CompoundIdentifier(parts) => Some(Called::Itself(folded(parts.last()?))),
        Expr::CompoundFieldAccess { root, access_chain } => {
            let field = access_chain.iter().rev().find_map(|access| match access {
                AccessExpr::Dot(field) => Some(field),
                AccessExpr::Subscript(_) => None,
            });
            called(field.unwrap_or(root))
        }
        Expr::Function(function) => {
            let name = function.name.0.last().and_then(ObjectNamePart::as_ident)?;
            Some(Called::Itself(folded(name)))
        }
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => called(inner),
        Expr::Cast { expr, data_type, .. } => match called(expr) {
            Some(Called::Itself(name)) => Some(Called::Itself(name)),
            _ => Some(Called::Else(type_name(data_type))),
        },
        Expr::TypedString(text) => Some(Called::Else(type_name(&text.data_type))),
        Expr::Interval(_) => Some(Called::Else("interval".into())),
        Expr::Value(value) if matches!(value.value, Value::Boolean(_)) => Some(Called::Else("bool".into())),
        Expr::Case { else_result, .. } => match else_result.as_deref().and_then(called) {
            Some(Called::Itself(name)) => Some(Called::Itself(name)),
            _ => Some(Called::Else("case".into())),
        },
        Expr::Subquery(query) => match of_one(query)? {
            SelectItem::ExprWithAlias { alias, .. } => Some(Called::Itself(folded(alias))),
            SelectItem::UnnamedExpr(expr) => called(expr),
            _ => None,
        },
        Expr::Exists { .. } => itself("exists"),
        Expr::Array(_) => itself("array"),
        Expr::Tuple(_) => itself("row"),
        Expr::Struct { .. } => itself("struct"),
        Expr::Map(_) => itself("map"),
        Expr::Named { name, .. } => Some(Called::Itself(folded(name))),
        Expr::Extract { .. } => itself("extract"),
        Expr::Ceil { .. } => itself("ceil"),
        Expr::Floor { .. } => itself("floor"),
        Expr::Position { .. } => itself("position"),
        Expr::Substring { shorthand, .. } => itself(if *shorthand { "substr" } else { "substring" }),
        Expr::Overlay { .. } => itself("overlay"),
        Expr::Trim { trim_where, .. } => itself(match trim_where {
            Some(TrimWhereField::Leading) => "ltrim",
            Some(TrimWhereField::Trailing) => "rtrim",
            Some(TrimWhereField::Both) | None => "btrim",
        }),
        Expr::AtTimeZone { .. } => itself("timezone"),
        _ => None,
    }
}

/// What the only column of a subquery is made of.
fn of_one(query: &Query) -> Option<&SelectItem> {
    match query.body.as_ref() {
        SetExpr::Select(select) => select.projection.first(),
        SetExpr::Query(query) => of_one(query),
        _ => None,
    }
}

/// The name of a type in `pg_type`, or as it is written where it has none.
fn type_name(kind: &DataType) -> String {
    let written = kind.to_string().to_lowercase();
    let written = written.trim_end_matches("[]");
    // Without lengths and the like, which may stand within: `timestamp(3) with time zone`.
    let plain = match (written.split_once('('), written.rsplit_once(')')) {
        (Some((before, _)), Some((_, after))) => before.to_string() + after,
        _ => written.to_string(),
    };
    let plain = plain.trim();
    let same = match plain {
        "int" => "integer",
        "tinyint" => "smallint",
        "double" | "float" => "double precision",
        "decimal" | "dec" => "numeric",
        "string" => "text",
        "char" => "character",
        "char varying" | "nvarchar" => "character varying",
        other => other,
    };
    let known = types::TYPES.iter().find(|t| t.sql == same).or_else(|| types::TYPES.iter().find(|t| t.name == same));
    known.map_or_else(|| same.to_string(), |t| t.name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::DataType as Plain;

    fn told(sql: &str, columns: &[&str]) -> Vec<String> {
        let statement = crate::sql::parse(sql, 50).unwrap().remove(0);
        let fields: Vec<Field> = columns.iter().map(|name| Field::new(*name, Plain::Utf8, true)).collect();
        let told = Names::of(&statement).told(Arc::new(Schema::new(fields)));
        told.fields().iter().map(|field| field.name().clone()).collect()
    }

    #[test]
    fn expressions_are_called_by_what_they_are() {
        for (written, name) in [
            ("1 + a", "?column?"),
            ("lower(a)", "lower"),
            ("pg_catalog.format_type(1, 2)", "format_type"),
            ("a::varchar(3)", "a"),
            ("'1'::varchar(3)", "varchar"),
            ("'1'::decimal(10, 2)", "numeric"),
            ("'1'::timestamp(3) with time zone", "timestamptz"),
            ("'{1}'::int[]", "int4"),
            ("'a'::char(3)", "bpchar"),
            ("CASE WHEN a THEN 1 ELSE 2 END", "case"),
            ("CASE WHEN a THEN 1 ELSE 2 END::int", "int4"),
            ("(SELECT max(b) AS m FROM t)", "m"),
            ("a['b']", "a"),
            ("$1", "?column?"),
            ("EXISTS (SELECT 1)", "exists"),
            ("EXTRACT(year FROM a)", "extract"),
            ("a IN (SELECT 1)", "?column?"),
            ("t.\"Age\"", "Age"),
            ("t.Age", "age"),
        ] {
            assert_eq!(told(&format!("SELECT {written} FROM t"), &["x"]), [name], "{written}");
        }
    }

    #[test]
    fn columns_keep_their_places_beside_a_star() {
        assert_eq!(
            told("SELECT 1, *, 2, b FROM t", &["x", "a", "b", "y", "b"]),
            ["?column?", "a", "b", "?column?", "b"]
        );
        // What stands between two of them may be any.
        assert_eq!(told("SELECT t.*, 1, u.*, 2 FROM t, u", &["a", "x", "b", "y"]), ["a", "x", "b", "?column?"]);
        // One that becomes several is none that is known.
        assert_eq!(told("SELECT unnest(a), 1 FROM t", &["a", "b", "c"]), ["a", "b", "c"]);
        assert_eq!(told("SELECT count(*), 1 FROM t", &["a", "b"]), ["count", "?column?"]);
    }
}

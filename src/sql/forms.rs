//! Forms of statements that DataFusion's planner does not know, as syntax trees that it does; and those that it refuses,
//! with what to write instead.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::common::{Result, TableReference, plan_err};
use datafusion::sql::parser::Statement as Sql;
use datafusion::sql::sqlparser::ast::{
    Expr, FromTable, FunctionArg, FunctionArgExpr, Ident, ObjectName, ObjectNamePart, ObjectType, OrderByKind, Query,
    Statement, TableFactor, Value, Visit, VisitMut, Visitor, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;

use crate::error::{Error, ErrorKind};

/// What SHOW TABLES asks for: the tables and views of the database, not the figures of every country.
const OWN_TABLES: &str = "SELECT table_name, table_type FROM information_schema.tables
    WHERE table_catalog <> 'census' AND table_schema NOT IN ('information_schema', 'populace') ORDER BY table_name";

/// Whether a statement is SHOW TABLES, without a condition on them.
pub(crate) fn is_show_tables(statement: &Statement) -> bool {
    matches!(statement, Statement::ShowTables { .. }) && statement.to_string() == "SHOW TABLES"
}

/// SHOW TABLES as a query.
///
/// # Errors
/// None; it is parsed.
pub(crate) fn own_tables() -> Result<Statement> {
    query(OWN_TABLES).map(Statement::Query)
}

/// One query.
///
/// # Errors
/// If the text is none.
pub(crate) fn query(sql: &str) -> Result<Box<Query>> {
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(sql)?;
    let query = parser.parse_query()?;
    parser.expect_token(&Token::EOF)?;
    Ok(query)
}

/// What a statement changes that has no plan, and of which tables: ALTER TABLE, CREATE INDEX and DROP INDEX.
pub(crate) fn changes_tables(statement: &Statement) -> Option<(&'static str, Vec<String>)> {
    let name = |name: &ObjectName| last(name).map(|n| n.value.clone()).into_iter().collect();
    match statement {
        Statement::AlterTable(alter) => Some(("ALTER TABLE", name(&alter.name))),
        Statement::CreateIndex(create) => Some(("CREATE INDEX", name(&create.table_name))),
        Statement::Drop { object_type: ObjectType::Index, table, .. } => {
            Some(("DROP INDEX", table.as_ref().map(name).unwrap_or_default()))
        }
        _ => None,
    }
}

/// The tables among what a statement names: not the functions that it calls in the place of one, unless there is a table of
/// that name in it too. What is read by a call is seen in the plan.
pub(crate) fn named_tables(mut names: Vec<TableReference>, statement: &mut Sql) -> Vec<TableReference> {
    #[derive(Default)]
    struct Named {
        called: BTreeSet<String>,
        alone: BTreeSet<String>,
    }

    impl Visitor for Named {
        type Break = ();

        fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
            let (name, is_called) = match factor {
                TableFactor::Table { name, args, .. } => (name, args.is_some()),
                TableFactor::Function { name, .. } => (name, true),
                _ => return ControlFlow::Continue(()),
            };
            if let ([ObjectNamePart::Identifier(_)], Some(name)) = (&name.0[..], last(name)) {
                let name = if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() };
                if is_called { &mut self.called } else { &mut self.alone }.insert(name);
            }
            ControlFlow::Continue(())
        }
    }

    let mut found = Named::default();
    if let Some(inner) = explained(statement) {
        let _: ControlFlow<()> = Visit::visit(inner, &mut found);
        names.retain(|name| {
            let is_bare = name.schema().is_none() && name.catalog().is_none();
            !is_bare || !found.called.contains(name.table()) || found.alone.contains(name.table())
        });
    }
    names
}

/// The statement as sqlparser has it; that which EXPLAIN explains.
pub(crate) fn explained(statement: &mut Sql) -> Option<&mut Statement> {
    match statement {
        Sql::Statement(statement) => Some(statement),
        Sql::Explain(explain) => explained(&mut explain.statement),
        Sql::CreateExternalTable(_) | Sql::CopyTo(_) | Sql::Reset(_) => None,
    }
}

/// Refuses a table that would be made anywhere but in the database.
///
/// # Errors
/// If a CREATE TABLE names another schema or catalogue.
pub(crate) fn check_place(statement: &Statement) -> Result<()> {
    let Statement::CreateTable(create) = statement else { return Ok(()) };
    let parts: Vec<String> = create.name.0.iter().filter_map(|p| Some(p.as_ident()?.value.to_lowercase())).collect();
    match parts.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_] | ["public", _] | ["datafusion", "public", _] => Ok(()),
        [.., table] => {
            plan_err!("tables are made in the database itself, not in {}: write CREATE TABLE {table}", create.name)
        }
        [] => Ok(()),
    }
}

/// Whether a statement stores rows of a query.
pub(crate) fn writes_people(statement: &Statement) -> bool {
    match statement {
        Statement::Insert(insert) => insert.source.is_some(),
        Statement::CreateTable(create) => create.query.is_some(),
        _ => false,
    }
}

/// A statement that is well known and not run here, with what to write instead.
struct Unsupported {
    what: &'static str,
    hint: String,
}

/// Refuses what is known of other databases and not run here.
///
/// # Errors
/// If the statement has any of it; with what to write instead.
pub(crate) fn refuse_unsupported(statement: &Statement) -> Result<()> {
    match unsupported(statement) {
        Some(Unsupported { what, hint }) => {
            Err(Error::new(ErrorKind::Unsupported, format!("{what} is not supported")).hint(hint).into())
        }
        None => Ok(()),
    }
}

fn unsupported(statement: &Statement) -> Option<Unsupported> {
    match statement {
        Statement::Update(update) if update.from.is_some() || !update.table.joins.is_empty() => {
            let table = &update.table.relation;
            Some(Unsupported {
                what: "UPDATE … FROM",
                hint: format!(
                    "take the value from a subquery, UPDATE {table} SET a = (SELECT s.a FROM s WHERE s.uuid = \
                     {table}.uuid) WHERE uuid IN (SELECT uuid FROM s), or write whole rows anew with REPLACE INTO"
                ),
            })
        }
        Statement::Merge(_) => Some(Unsupported {
            what: "MERGE",
            hint: "REPLACE INTO t BY NAME SELECT … writes people anew by their uuid, and adds those that are not there"
                .into(),
        }),
        Statement::Call(call) => {
            Some(Unsupported { what: "CALL", hint: format!("there is no procedure {}", call.name) })
        }
        statement => OrderByAll::of(statement).then(|| Unsupported {
            what: "ORDER BY ALL",
            hint: "name the columns, or their places: ORDER BY 1, 2".into(),
        }),
    }
}

/// Looks for `ORDER BY ALL`, which is parsed as a column of that name.
struct OrderByAll;

impl OrderByAll {
    fn of(statement: &Statement) -> bool {
        struct Found(bool);
        impl Visitor for Found {
            type Break = ();
            fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
                if let Some(order) = &query.order_by {
                    self.0 |= match &order.kind {
                        OrderByKind::All(_) => true,
                        OrderByKind::Expressions(by) => matches!(
                            &by[..],
                            [one] if matches!(&one.expr, Expr::Identifier(Ident { value, quote_style: None, .. })
                                if value.eq_ignore_ascii_case("all"))
                        ),
                    };
                }
                if self.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
        }
        let mut found = Found(false);
        let _: ControlFlow<()> = Visit::visit(statement, &mut found);
        found.0
    }
}

/// `DELETE FROM usa AS u WHERE u.age > 30` and the like UPDATE without the alias, which the planner drops but for the
/// columns that are qualified with it.
pub(crate) fn without_aliases(statement: &mut Statement) {
    let tables = match statement {
        Statement::Delete(delete) => match &mut delete.from {
            FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables) => tables.first_mut(),
        },
        Statement::Update(update) => Some(&mut update.table),
        _ => None,
    };
    let Some(TableFactor::Table { name, alias, .. }) = tables.map(|t| &mut t.relation) else { return };
    let Some(removed) = alias.take() else { return };
    let Some(ObjectNamePart::Identifier(table)) = name.0.last().cloned() else { return };
    struct Unalias {
        alias: Ident,
        table: Ident,
    }
    impl VisitorMut for Unalias {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Expr::CompoundIdentifier(parts) = expr
                && parts.len() == 2
                && parts[0] == self.alias
            {
                parts[0] = self.table.clone();
            }
            ControlFlow::Continue(())
        }
    }
    let _: ControlFlow<()> = VisitMut::visit(statement, &mut Unalias { alias: removed.name, table });
}

/// `at_version('usa', 3)`, wherever a table may stand, as the table `"usa@3"`; and `versions(usa)` with the table's name
/// as the text that it takes.
pub(crate) fn versions_as_tables(statement: &mut Statement) {
    struct Versions;
    impl VisitorMut for Versions {
        type Break = ();
        fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
            let TableFactor::Table { name, args, .. } = factor else { return ControlFlow::Continue(()) };
            let Some(given) = args else { return ControlFlow::Continue(()) };
            if last(name).is_some_and(|n| n.value.eq_ignore_ascii_case("at_version"))
                && let [table, version] = &given.args[..]
                && let Some(table) = table_name(table)
                && let Some(Value::Number(version, _) | Value::SingleQuotedString(version)) = literal(version)
            {
                let table = ObjectNamePart::Identifier(Ident::with_quote('"', format!("{table}@{version}")));
                name.0.pop();
                name.0.push(table);
                *args = None;
            } else if name.to_string().eq_ignore_ascii_case("versions")
                && let [table] = &mut given.args[..]
                && let Some(named) = table_name(table)
            {
                let text = Expr::Value(Value::SingleQuotedString(named).into());
                *table = FunctionArg::Unnamed(FunctionArgExpr::Expr(text));
            }
            ControlFlow::Continue(())
        }
    }
    let _: ControlFlow<()> = VisitMut::visit(statement, &mut Versions);
}

fn last(name: &ObjectName) -> Option<&Ident> {
    name.0.last().and_then(ObjectNamePart::as_ident)
}

/// A table that is an argument, by its name or as a text.
fn table_name(argument: &FunctionArg) -> Option<String> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(name))) => Some(match name.quote_style {
            Some(_) => name.value.clone(),
            None => name.value.to_lowercase(),
        }),
        argument => match literal(argument)? {
            Value::SingleQuotedString(name) => Some(name.clone()),
            _ => None,
        },
    }
}

fn literal(argument: &FunctionArg) -> Option<&Value> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))) => Some(&value.value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(sql: &str) -> Statement {
        Parser::parse_sql(&GenericDialect {}, sql).unwrap().remove(0)
    }

    #[test]
    fn aliases_of_changed_tables_give_way_to_their_names() {
        let turned = |sql| {
            let mut statement = parsed(sql);
            without_aliases(&mut statement);
            statement.to_string()
        };
        assert_eq!(turned("DELETE FROM usa AS u WHERE u.age > 30"), "DELETE FROM usa WHERE usa.age > 30");
        assert_eq!(turned("UPDATE usa AS u SET age = u.age + 1"), "UPDATE usa SET age = usa.age + 1");
    }

    #[test]
    fn a_version_becomes_a_table() {
        for (sql, expected) in [
            ("SELECT 1 FROM at_version('usa', 3) AS t", "SELECT 1 FROM \"usa@3\" AS t"),
            ("SELECT 1 FROM at_version(Usa, 'v1'), versions(usa)", "SELECT 1 FROM \"usa@v1\", versions('usa')"),
            ("SELECT 1 FROM public.at_version('usa', 3)", "SELECT 1 FROM public.\"usa@3\""),
            ("SELECT 1 FROM at_version('usa', 'a\"; DROP TABLE u')", "SELECT 1 FROM \"usa@a\"\"; DROP TABLE u\""),
        ] {
            let mut statement = parsed(sql);
            versions_as_tables(&mut statement);
            assert_eq!(statement.to_string(), expected);
        }
    }

    #[test]
    fn what_other_databases_have_is_told_with_what_to_write() {
        let told = |sql| unsupported(&parsed(sql)).map(|u| format!("{}: {}", u.what, u.hint)).unwrap_or_default();
        let update = told("UPDATE panel SET a = s.a FROM s WHERE s.uuid = panel.uuid");
        assert!(update.starts_with("UPDATE … FROM") && update.contains("UPDATE panel SET a = (SELECT"), "{update}");
        let merge = told("MERGE INTO t USING s ON t.uuid = s.uuid WHEN MATCHED THEN UPDATE SET a = 1");
        assert!(merge.contains("REPLACE INTO"), "{merge}");
        assert!(told("SELECT * FROM (SELECT 1 ORDER BY ALL) AS t").starts_with("ORDER BY ALL"));
        for fine in ["SELECT \"all\" FROM t ORDER BY \"all\"", "SELECT a FROM t ORDER BY a", "UPDATE t SET a = 1"] {
            assert_eq!(told(fine), "");
        }
    }
}

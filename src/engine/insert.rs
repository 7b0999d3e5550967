//! The columns of an INSERT.

use std::collections::BTreeSet;

use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::{DataFusionError, Result};
use datafusion::sql::TableReference;
use datafusion::sql::parser::Statement as Sql;
use datafusion::sql::sqlparser::ast::{Ident, Insert, ObjectName, Query, SetExpr, Statement, TableFactor, TableObject};
use populace_population::did_you_mean;

use super::Engine;
use crate::database::{Table, plain_field};
use crate::error::{Error, ErrorKind};
use crate::packs;
use crate::sql::{self, Access, ByName, Missing, Needs};

/// The condition that a person was drawn under.
const GIVEN: &str = "given";

impl Engine {
    /// Gives an INSERT the names of its query's columns: BY NAME, or where it names none and the query has not all
    /// columns of the table, as a query of people has no vectors. Columns that the table lacks are told, added or left
    /// out, as the statement says; EXPLAIN adds none.
    pub(super) async fn name_columns(
        &self,
        insert: &mut Insert,
        by_name: Option<ByName>,
        explains: bool,
        access: &Access,
    ) -> Result<()> {
        let (TableObject::TableName(name), Some(source)) = (&insert.table, &mut insert.source) else { return Ok(()) };
        let unnamed = insert.columns.is_empty() && matches!(*source.body, SetExpr::Select(_));
        if by_name.is_none() && !unnamed {
            return Ok(());
        }
        let reference = TableReference::parse_str(&name.to_string());
        let provider = self.context.table_provider(reference).await?;
        let table = provider.schema();
        let state = self.context.state();
        let query = Statement::Query(source.clone());
        let query = state.statement_to_plan(Sql::Statement(Box::new(query))).await?;
        let fields = query.schema().fields();
        let (known, unknown): (Vec<_>, Vec<_>) =
            fields.iter().partition(|f| table.column_with_name(f.name()).is_some());
        let quoted = |f: &FieldRef| ObjectName::from(vec![Ident::with_quote('"', f.name().as_str())]);
        match by_name.map(|by| by.missing) {
            Some(Missing::Refused) if !unknown.is_empty() => {
                let unknown: Vec<&str> = unknown.iter().map(|f| f.name().as_str()).collect();
                Err(no_columns(&name.to_string(), &unknown, table.fields().iter().map(|f| f.name().as_str())))
            }
            Some(missing) => {
                let mut named: Vec<ObjectName> = known.iter().copied().map(quoted).collect();
                if !unknown.is_empty() {
                    if missing == Missing::Added && !explains {
                        let mut needs = Needs::of_plan(&query, self.narrator_name())?;
                        (needs.write, needs.ddl) = (Some("INSERT"), Some("ADD COLUMN"));
                        access.check(&needs, self.narrator_name())?;
                        self.add_columns(&name.to_string(), &unknown).await?;
                        named = fields.iter().map(quoted).collect();
                    } else {
                        leave_out(source, &known)?;
                    }
                }
                insert.columns = named;
                Ok(())
            }
            // Tables that were made before people said under which condition they were drawn.
            None if matches!(&unknown[..], [one] if one.name() == GIVEN)
                && table.column_with_name("row_index").is_some() =>
            {
                leave_out(source, &known)?;
                insert.columns = known.into_iter().map(quoted).collect();
                if !explains {
                    self.database.notice(format!(
                        "{name} was made before people had a column {GIVEN}, which is left out: \
                         ALTER TABLE {name} ADD COLUMN {GIVEN} TEXT keeps it from now on"
                    ));
                }
                Ok(())
            }
            // By name also where all are there in their order: the table may have more columns by the time it is written.
            None if unknown.is_empty()
                && (fields.len() != table.fields().len()
                    || fields.iter().zip(table.fields()).all(|(given, there)| given.name() == there.name())) =>
            {
                insert.columns = fields.iter().map(quoted).collect();
                Ok(())
            }
            None => Ok(()),
        }
    }

    async fn add_columns(&self, name: &str, columns: &[&FieldRef]) -> Result<()> {
        let provider = self.context.table_provider(TableReference::parse_str(name)).await?;
        let Some(table) = provider.downcast_ref::<Table>() else {
            let text = format!("{name} gets no columns: it is no table of the database");
            return Err(Error::new(ErrorKind::Usage, text).into());
        };
        let table = table.writable()?;
        let own: BTreeSet<String> =
            (self.common.templates)().map_err(DataFusionError::Execution)?.into_iter().map(|(name, _)| name).collect();
        let writer = self.database.write(table).await?;
        for column in columns {
            let narrative = packs::is_narrative(column.name()) || own.contains(column.name());
            let field = plain_field(column.name(), column.data_type());
            writer.add_column(field, narrative).await?;
        }
        Ok(())
    }
}

/// What is said of columns that a table lacks: all of them at once.
fn no_columns<'a>(table: &str, unknown: &[&str], columns: impl Iterator<Item = &'a str>) -> DataFusionError {
    let ways = "INSERT INTO … BY NAME ON MISSING COLUMNS ADD adds what is missing, … DROP leaves it out";
    let message = match unknown {
        [one] => format!("the table {table} has no column {one}{}", did_you_mean(one, columns)),
        several => format!("the table {table} has no columns {}", several.join(", ")),
    };
    Error::new(ErrorKind::NotFound, message).hint(ways).into()
}

/// A query with some of its columns alone.
fn leave_out(source: &mut Box<Query>, known: &[&FieldRef]) -> Result<()> {
    let columns: Vec<String> = known.iter().map(|f| sql::quoted_name(f.name())).collect();
    if columns.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, "the table has none of the columns of the query").into());
    }
    let whole = sql::query(&format!("SELECT {} FROM (SELECT 1) AS rows_of_query", columns.join(", ")))?;
    let inner = std::mem::replace(source, whole);
    if let SetExpr::Select(select) = source.body.as_mut()
        && let Some(from) = select.from.first_mut()
        && let TableFactor::Derived { subquery, .. } = &mut from.relation
    {
        *subquery = inner;
    }
    Ok(())
}

//! CREATE INDEX and DROP INDEX, which DataFusion does not run.

use datafusion::common::{Result, plan_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::sql::TableReference;
use datafusion::sql::sqlparser::ast::{CreateIndex, Expr, ObjectName, ObjectNamePart, ObjectType, Statement};
use populace_population::there_are;

use super::Engine;
use super::alter::folded;
use crate::database::{IndexKind, Table, counted};

impl Engine {
    /// Runs a statement about indexes; `None` for any other.
    pub(super) async fn index(&self, statement: &Statement) -> Result<Option<SendableRecordBatchStream>> {
        match statement {
            Statement::CreateIndex(create) => Box::pin(self.create_index(create)).await.map(Some),
            Statement::Drop { object_type: ObjectType::Index, if_exists, names, table, .. } => {
                for name in names {
                    Box::pin(self.drop_index(name, table.as_ref(), *if_exists)).await?;
                }
                counted(0).map(Some)
            }
            _ => Ok(None),
        }
    }

    async fn create_index(&self, create: &CreateIndex) -> Result<SendableRecordBatchStream> {
        let names: Vec<&str> = IndexKind::ALL.iter().map(|(name, _)| *name).collect();
        let kind = match &create.using {
            None => IndexKind::Btree,
            Some(using) => {
                let using = using.to_string().to_lowercase();
                match IndexKind::ALL.iter().find(|(name, _)| *name == using) {
                    Some((_, kind)) => *kind,
                    None => return plan_err!("there are no indexes USING {using}{}", there_are(&using, &names)),
                }
            }
        };
        let other =
            create.unique || create.predicate.is_some() || !create.include.is_empty() || !create.with.is_empty();
        if other {
            return plan_err!("an index is made as in CREATE INDEX ON usa USING text (persona), without anything else");
        }
        let [column] = &create.columns[..] else {
            return plan_err!("an index is made of one column; make one for each");
        };
        let column = match &column.column.expr {
            Expr::Identifier(name) => folded(name),
            other => return plan_err!("an index is made of a column, which {other} is not"),
        };
        let table = create.table_name.to_string();
        let provider = self.context.table_provider(TableReference::parse_str(&table)).await?;
        let Some(of) = provider.downcast_ref::<Table>() else {
            return plan_err!("{table} gets no index: it is no table of the database");
        };
        let table = of.writable()?;
        let name = create.name.as_ref().map(last);
        let writer = self.database.write(table).await?;
        if let (true, Some(name)) = (create.if_not_exists, &name)
            && self.database.indexes(table).await?.iter().any(|i| i.name == *name)
        {
            return counted(0);
        }
        let made = writer.create_index(name.as_deref(), kind, &column).await?;
        counted(made.rows_indexed)
    }

    /// `DROP INDEX name`, `DROP INDEX table.name` or `DROP INDEX name ON table`.
    async fn drop_index(&self, name: &ObjectName, table: Option<&ObjectName>, if_exists: bool) -> Result<()> {
        let index = last(name);
        let table = match (table, &name.0[..]) {
            (Some(table), _) => Some(last(table)),
            (None, [ObjectNamePart::Identifier(table), _]) => Some(folded(table)),
            _ => None,
        };
        let (mut of, mut all) = (vec![], vec![]);
        for candidate in self.database.tables().into_iter().filter(|t| table.as_ref().is_none_or(|of| of == t)) {
            for found in self.database.indexes(&candidate).await? {
                if found.name == index {
                    of.push(candidate.clone());
                }
                all.push(found.name);
            }
        }
        match &of[..] {
            [table] => self.database.write(table).await?.drop_index(&index).await,
            [] if if_exists => Ok(()),
            [] => plan_err!("there is no index {index}{}", there_are(&index, &all)),
            several => {
                let first = &several[0];
                plan_err!("{} have an index {index}: write DROP INDEX {first}.{index}", several.join(" and "))
            }
        }
    }
}

/// The last part of a name.
fn last(name: &ObjectName) -> String {
    match name.0.last() {
        Some(ObjectNamePart::Identifier(name)) => folded(name),
        _ => name.to_string(),
    }
}

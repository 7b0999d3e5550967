//! ALTER TABLE, which DataFusion does not plan.

use datafusion::arrow::datatypes::Field;
use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::sql::TableReference;
use datafusion::sql::sqlparser::ast::{
    AlterTable, AlterTableOperation, DataType, Ident, ObjectNamePart, RenameTableNameKind,
};

use super::Engine;
use crate::database::{Table, counted, plain_field};
use crate::packs;

impl Engine {
    pub(super) async fn alter(&self, alter: &AlterTable) -> Result<SendableRecordBatchStream> {
        let name = alter.name.to_string();
        let provider = self.context.table_provider(TableReference::parse_str(&name)).await?;
        let Some(table) = provider.downcast_ref::<Table>() else {
            return plan_err!("{name} cannot be altered: it is no table of the database");
        };
        let name = table.writable()?;
        let database = &self.database;
        let writer = database.write(name).await?;
        let has = |column: &Ident| provider.schema().column_with_name(&folded(column)).is_some();
        for operation in &alter.operations {
            match operation {
                AlterTableOperation::AddColumn { if_not_exists: true, column_def, .. } if has(&column_def.name) => {}
                AlterTableOperation::AddColumn { column_def, .. } => {
                    if !column_def.options.is_empty() {
                        return plan_err!(
                            "ADD COLUMN takes a name and a type; new columns are NULL until UPDATE sets them"
                        );
                    }
                    let column = folded(&column_def.name);
                    let own = (self.common.templates)().map_err(DataFusionError::Execution)?;
                    let narrative = packs::is_narrative(&column) || own.iter().any(|(n, _)| *n == column);
                    let field = self.field(&column, &column_def.data_type).await?;
                    writer.add_column(field, narrative).await?;
                }
                AlterTableOperation::DropColumn { column_names, if_exists, .. } => {
                    for column in column_names.iter().filter(|c| !*if_exists || has(c)) {
                        writer.drop_column(&folded(column)).await?;
                    }
                }
                AlterTableOperation::RenameColumn { old_column_name, new_column_name } => {
                    let (from, to) = (folded(old_column_name), folded(new_column_name));
                    writer.rename_column(&from, &to).await?;
                }
                AlterTableOperation::RenameTable { table_name } => {
                    let (RenameTableNameKind::As(to) | RenameTableNameKind::To(to)) = table_name;
                    let [ObjectNamePart::Identifier(to)] = &to.0[..] else {
                        return plan_err!("a table's new name is a name alone, in the same database");
                    };
                    let to = folded(to);
                    if self.tables.session_type(&to).is_some() {
                        return plan_err!("{to} is a view or an external table of this session: choose another name");
                    }
                    if alter.operations.len() > 1 {
                        return plan_err!("RENAME TO stands alone in a statement");
                    }
                    writer.rename(&to)?;
                    return counted(0);
                }
                other => {
                    return plan_err!(
                        "ALTER TABLE knows RENAME TO, ADD COLUMN, DROP COLUMN and RENAME COLUMN, not {other}"
                    );
                }
            }
        }
        counted(0)
    }

    /// A column by its name and its type in SQL.
    async fn field(&self, name: &str, kind: &DataType) -> Result<Field> {
        let typed = self.context.sql(&format!("SELECT CAST(NULL AS {kind})")).await?;
        Ok(plain_field(name, typed.schema().field(0).data_type()))
    }
}

/// A name as the planner reads it: small letters where it is not quoted.
pub(super) fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

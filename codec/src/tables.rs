//! Tables in memory, with their rows.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::{Constraint, Constraints, Result, TableReference, plan_datafusion_err, plan_err};
use datafusion::datasource::MemTable;
use datafusion_proto::physical_plan::from_proto::parse_record_batches;
use datafusion_proto::physical_plan::to_proto::serialize_record_batches;

use crate::messages::{Key, Memory, numbers, places};

/// The rows and keys of a table in memory; `None` where it is none. The order that its rows are said to have is left out.
///
/// # Errors
/// If it is written to at this moment.
pub(crate) fn memory(table: &dyn TableProvider, name: &TableReference) -> Result<Option<Memory>> {
    let Some(table) = table.downcast_ref::<MemTable>() else { return Ok(None) };
    let mut partitions = vec![];
    for partition in &table.batches {
        let rows = partition.try_read();
        let rows =
            rows.map_err(|_| plan_datafusion_err!("the table {name} is written to at this moment: try again"))?;
        partitions.push(serialize_record_batches(&rows)?);
    }
    let key = |constraint: &Constraint| match constraint {
        Constraint::PrimaryKey(columns) => Key { primary: true, columns: numbers(columns) },
        Constraint::Unique(columns) => Key { primary: false, columns: numbers(columns) },
    };
    let keys = table.constraints().into_iter().flat_map(|constraints| constraints.iter()).map(key).collect();
    Ok(Some(Memory { partitions, keys }))
}

/// The table in memory that was written so.
///
/// # Errors
/// If its rows have another schema, or a key is of a column that it has not.
pub(crate) fn read_memory(memory: Memory, name: &TableReference, schema: SchemaRef) -> Result<Arc<dyn TableProvider>> {
    let rows = |partition: &Vec<u8>| -> Result<Vec<RecordBatch>> { parse_record_batches(partition) };
    let partitions = memory.partitions.iter().map(rows).collect::<Result<Vec<_>>>()?;
    let key = |Key { primary, columns }: Key| {
        let columns = places(columns)?;
        match columns.iter().find(|at| **at >= schema.fields().len()) {
            Some(at) => plan_err!("the table {name} has no column {at} to be a key"),
            None if primary => Ok(Constraint::PrimaryKey(columns)),
            None => Ok(Constraint::Unique(columns)),
        }
    };
    let keys = memory.keys.into_iter().map(key).collect::<Result<Vec<_>>>()?;
    let table = MemTable::try_new(schema.clone(), partitions)?;
    Ok(Arc::new(table.with_constraints(Constraints::new_unverified(keys))))
}

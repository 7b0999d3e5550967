//! `populace tables`.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use clap::Args;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream;

use super::fit::Expanded;
use super::output::{Format, Shown, print};
use super::{DatabaseArguments, Failure};
use crate::database::TableSummary;

#[derive(Debug, Args)]
pub(super) struct TablesArguments {
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub(super) fn run(arguments: &TablesArguments, database: &DatabaseArguments) -> Result<(), Failure> {
    let database = database.open()?;
    super::runtime()?.block_on(async {
        let tables = database.summaries().await?;
        database.take_notices().iter().for_each(|notice| eprintln!("{notice}"));
        let rows = batch(&tables, arguments.format)?;
        let rows = RecordBatchStreamAdapter::new(rows.schema(), stream::iter([Ok(rows)]));
        print(Box::pin(rows), arguments.format, Shown::on_stdout(Expanded::Off), &mut std::io::stdout()).await
    })
}

fn batch(tables: &[TableSummary], format: Format) -> Result<RecordBatch, Failure> {
    let text = |of: &dyn Fn(&TableSummary) -> String| -> ArrayRef {
        Arc::new(tables.iter().map(|table| Some(of(table))).collect::<StringArray>())
    };
    let number = |of: &dyn Fn(&TableSummary) -> u64| -> ArrayRef {
        Arc::new(tables.iter().map(|table| Some(of(table))).collect::<UInt64Array>())
    };
    // Programs count bytes.
    let size: (&str, ArrayRef) = match format {
        Format::Table => ("size", text(&|table| size(table.bytes))),
        _ => ("bytes", number(&|table| table.bytes)),
    };
    let country: StringArray = tables.iter().map(|table| table.country.as_deref()).collect();
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("table", text(&|table| table.name.clone()), false),
        ("rows", number(&|table| table.rows), false),
        ("country", Arc::new(country) as ArrayRef, true),
        (size.0, size.1, false),
    ])?)
}

/// A number of bytes as people read it.
fn size(bytes: u64) -> String {
    let units = ["kB", "MB", "GB", "TB"];
    let mut number = bytes as f64;
    let mut unit = "B";
    for next in units {
        if number < 999.5 {
            break;
        }
        (number, unit) = (number / 1000.0, next);
    }
    match number < 9.95 && unit != "B" {
        true => format!("{number:.1} {unit}"),
        false => format!("{number:.0} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_short() {
        for (bytes, says) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (9_949_999, "9.9 MB"),
            (12_345_678, "12 MB"),
            (999_600, "1.0 MB"),
        ] {
            assert_eq!(size(bytes), says);
        }
    }
}

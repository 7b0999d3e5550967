//! Margins as results of queries, and what is drawn to them, for the tests of these.
#![allow(dead_code)]

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow_schema::{Field, Schema};
use populace_population::{Margins, Pack};

pub fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields: Vec<Field> = columns.iter().map(|(n, a)| Field::new(*n, a.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, a)| a).collect()).unwrap()
}

/// A result with texts in its first columns and numbers in the last.
pub fn cells(names: &[&str], rows: &[(&[Option<&str>], f64)]) -> RecordBatch {
    let column =
        |at: usize| -> ArrayRef { Arc::new(StringArray::from_iter(rows.iter().map(|(labels, _)| labels[at]))) };
    let mut columns: Vec<(&str, ArrayRef)> = names.iter().enumerate().map(|(at, name)| (*name, column(at))).collect();
    columns.push(("share", Arc::new(Float64Array::from_iter_values(rows.iter().map(|(_, x)| *x)))));
    batch(columns)
}

pub fn read(pack: &Arc<Pack>, batch: RecordBatch) -> Margins {
    Margins::read(pack, &[batch]).unwrap()
}

pub fn wrong(pack: &Arc<Pack>, batch: RecordBatch) -> String {
    Margins::read(pack, &[batch]).unwrap_err().to_string()
}

pub fn close(what: &str, a: &[f64], b: &[f64], within: f64) {
    assert_eq!(a.len(), b.len());
    let gap = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(gap <= within, "{what}: off by {gap:e}");
}

/// A chi-square of counts against shares, rare cells pooled.
pub fn agree(what: &str, counts: &[f64], shares: &[f64]) {
    let total: f64 = counts.iter().sum();
    let (mut chi, mut df, mut rare) = (0.0, -1.0f64, (0.0, 0.0));
    for (count, share) in counts.iter().zip(shares) {
        let expected = share * total;
        assert!(expected > 0.0 || *count == 0.0, "{what}: {count} people where nobody is");
        if expected >= 8.0 {
            chi += (count - expected).powi(2) / expected;
            df += 1.0;
        } else {
            rare = (rare.0 + count, rare.1 + expected);
        }
    }
    if rare.1 >= 8.0 {
        chi += (rare.0 - rare.1).powi(2) / rare.1;
        df += 1.0;
    }
    let df = df.max(1.0);
    assert!(chi < df + 5.0 * (2.0 * df).sqrt() + 5.0, "{what}: chi-square {chi} at {df} degrees of freedom");
}

//! Random questions to the shipped packs, for the tests of what can be asked.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, RecordBatch};
use populace_population::{Comparison, Levels, Pack, Predicate, Value, Variable};

/// The shipped packs, by name.
pub fn packs() -> Vec<(String, Arc<Pack>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets");
    let mut found: Vec<(String, PathBuf)> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|dir| (dir.file_name().unwrap().to_string_lossy().into_owned(), dir))
        .map(|(name, dir)| (name.clone(), dir.join(format!("{name}.pack"))))
        .filter(|(_, file)| file.exists())
        .collect();
    found.sort();
    found.into_iter().map(|(name, file)| (name, Pack::open(&file).unwrap())).collect()
}

/// Numbers that look random, the same on any machine (SplitMix64; Steele, Lea and Flood 2014).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    /// Some of these, in random order.
    pub fn some<T: Clone>(&mut self, of: &[T], count: usize) -> Vec<T> {
        let mut rest = of.to_vec();
        (0..count.min(of.len())).map(|_| rest.swap_remove(self.below(rest.len()))).collect()
    }
}

/// The variables that people are shown with.
pub fn visible(pack: &Pack) -> Vec<Variable> {
    let schema = pack.schema();
    pack.variables().iter().filter(|v| schema.column_with_name(&v.name).is_some()).cloned().collect()
}

/// `variable = level`, or IS NULL.
pub fn fact(variable: &Variable, level: usize) -> Predicate {
    if variable.null_level == Some(level as u16) {
        return Predicate::IsNull { variable: variable.name.clone(), negated: false };
    }
    let value = match &variable.levels {
        Levels::Text(names) => Value::Text(names[level].clone()),
        Levels::Integer { min, .. } => Value::Integer(i64::from(*min) + level as i64),
    };
    Predicate::Compare { variable: variable.name.clone(), op: Comparison::Eq, value }
}

/// What a row of a draw says of a variable.
pub fn fact_of(batch: &RecordBatch, row: usize, variable: &Variable) -> Predicate {
    let column = batch.column_by_name(&variable.name).unwrap();
    if column.is_null(row) {
        return Predicate::IsNull { variable: variable.name.clone(), negated: false };
    }
    let level = match &variable.levels {
        Levels::Text(_) => column.as_dictionary::<Int32Type>().keys().value(row) as usize,
        Levels::Integer { min, .. } => (column.as_primitive::<Int32Type>().value(row) - min) as usize,
    };
    fact(variable, level)
}

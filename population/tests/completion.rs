//! Rows completed from what is known of them: as `given` draws, row by row.

mod support;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{Field, Schema};
use populace_population::{Completion, Levels, OnImpossible, Pack, Predicate, Sampler};
use support::questions::{fact_of, packs, visible};

fn pack(name: &str) -> Arc<Pack> {
    packs().into_iter().find(|(n, _)| n == name).unwrap().1
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields: Vec<Field> = columns.iter().map(|(n, a)| Field::new(*n, a.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, a)| a).collect()).unwrap()
}

fn keys(rows: usize) -> Vec<Vec<u8>> {
    (0..rows as u64).map(|k| k.to_le_bytes().to_vec()).collect()
}

fn only(people: &RecordBatch, names: &[&str]) -> RecordBatch {
    let at: Vec<usize> = names.iter().map(|n| people.schema().index_of(n).unwrap()).collect();
    people.project(&at).unwrap()
}

/// How often each level is there; NULL is the level that is NULL.
fn counts(pack: &Pack, batch: &RecordBatch, name: &str) -> Vec<f64> {
    let (variable, column) = (pack.variable(name).unwrap(), batch.column_by_name(name).unwrap());
    let mut counts = vec![0.0; variable.len()];
    for row in 0..batch.num_rows() {
        let level = match (&variable.levels, column.is_null(row)) {
            (_, true) => usize::from(variable.null_level.unwrap()),
            (Levels::Text(_), _) => column.as_dictionary::<Int32Type>().keys().value(row) as usize,
            (Levels::Integer { min, .. }, _) => (column.as_primitive::<Int32Type>().value(row) - min) as usize,
        };
        counts[level] += 1.0;
    }
    counts
}

/// Two samples of one distribution: chi-square of homogeneity, rare levels pooled.
fn alike(what: &str, a: &[f64], b: &[f64]) {
    let (mut chi, mut df, mut rare) = (0.0, 0.0f64, (0.0, 0.0));
    for (x, y) in a.iter().zip(b) {
        if x + y >= 20.0 {
            chi += (x - y).powi(2) / (x + y);
            df += 1.0;
        } else {
            rare = (rare.0 + x, rare.1 + y);
        }
    }
    if rare.0 + rare.1 >= 20.0 {
        chi += (rare.0 - rare.1).powi(2) / (rare.0 + rare.1);
        df += 1.0;
    }
    assert!(chi < df + 5.0 * (2.0 * df).sqrt() + 5.0, "{what}: chi-square {chi} at {df} degrees of freedom");
}

/// In every country, under some facts of somebody: every column is distributed as under `given`.
#[test]
fn completions_are_distributed_as_given() {
    const ROWS: usize = 4_000;
    for (name, pack) in packs() {
        let people = Sampler::new(pack.clone(), 11).draw(0..3, None).unwrap();
        let visible = visible(&pack);
        for (row, step) in [(0, 9), (1, 6), (2, 5)] {
            let stated: Vec<_> = visible.iter().skip(row).step_by(step).collect();
            let given = Predicate::And(stated.iter().map(|v| fact_of(&people, row, v)).collect());
            let Ok(sampler) = Sampler::given(pack.clone(), 5, &given) else { continue };
            let drawn = sampler.draw(0..ROWS as u64, None).unwrap();
            let names: Vec<&str> = stated.iter().map(|v| v.name.as_str()).collect();
            let rows = only(&sampler.draw(0..ROWS as u64, None).unwrap(), &names);
            let completion = Completion::new(pack.clone(), 1, OnImpossible::Error).nulls_are_known(true);
            let completed = completion.complete(&rows, &keys(ROWS)).unwrap();
            for v in &visible {
                let (a, b) = (counts(&pack, &drawn, &v.name), counts(&pack, &completed, &v.name));
                alike(&format!("{name}: {} given {given}", v.name), &a, &b);
            }
        }
    }
}

/// Whatever is known, what is stated stays; the same row and key give the same person, wherever they stand.
#[test]
fn patterns_are_mixed() {
    let usa = pack("usa");
    let people = batch(vec![
        ("age", Arc::new(Int64Array::from(vec![Some(30), None, None, Some(81), None]))),
        ("sex", Arc::new(StringArray::from(vec![None, Some("Male"), None, Some("Female"), Some("Male")]))),
        ("city", Arc::new(StringArray::from(vec![None, None, None, Some("Chicago"), None]))),
        ("industry", Arc::new(StringArray::new_null(5))),
        ("shoe_size", Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5]))),
    ]);
    let completion = Completion::new(usa.clone(), 3, OnImpossible::Error);
    let whole = completion.complete(&people, &keys(5)).unwrap();
    assert_eq!(whole.schema(), completion.schema());
    let age = whole.column_by_name("age").unwrap().as_primitive::<Int32Type>();
    assert_eq!((age.value(0), age.value(3), age.null_count()), (30, 81, 0));
    for row in 0..5 {
        let one = completion.complete(&people.slice(row, 1), &keys(5)[row..=row]).unwrap();
        assert_eq!(one, whole.slice(row, 1), "row {row}");
    }
    assert_ne!(Completion::new(usa.clone(), 4, OnImpossible::Error).complete(&people, &keys(5)).unwrap(), whole);
    // NULL is nobody's industry only where it is known to be.
    let known = completion.nulls_are_known(true).complete(&people, &keys(5)).unwrap();
    assert_eq!(known.column_by_name("industry").unwrap().null_count(), 5);
    // A person as drawn is complete.
    let drawn = Sampler::new(usa.clone(), 1).draw(0..500, None).unwrap();
    let same = Completion::new(usa, 3, OnImpossible::Error).nulls_are_known(true).complete(&drawn, &keys(500)).unwrap();
    for (at, field) in same.schema().fields().iter().enumerate() {
        assert_eq!(same.column(at), drawn.column_by_name(field.name()).unwrap(), "{}", field.name());
    }
}

/// Facts that hardly anything is told apart by: who a row is does not depend on the others of a batch or of those before.
#[test]
fn rows_are_nothing_to_each_other() {
    let facts: [(&str, &[&str]); 3] = [
        ("india", &["sex", "occupation_division", "number_of_languages", "household_size", "television"]),
        ("brazil", &["maternal_surname", "last_name", "sex", "occupation", "living_arrangement"]),
        ("japan", &["occupation", "region", "age", "openness", "conscientiousness"]),
    ];
    for (country, names) in facts {
        let pack = pack(country);
        let people = only(&Sampler::new(pack.clone(), 8).draw(0..60, None).unwrap(), names);
        let completion = || Completion::new(pack.clone(), 1, OnImpossible::Error).nulls_are_known(true);
        let whole = completion().complete(&people, &keys(60)).unwrap();
        for name in names {
            let (stated, completed) = (people.column_by_name(name).unwrap(), whole.column_by_name(name).unwrap());
            assert_eq!(stated, completed, "{country}: {name}");
        }
        let parts = completion();
        for from in (0..60).step_by(20).rev() {
            let part = parts.complete(&people.slice(from, 20), &keys(60)[from..from + 20]).unwrap();
            assert_eq!(part, whole.slice(from, 20), "{country}: from {from}");
        }
    }
}

#[test]
fn rows_that_nobody_is() {
    let usa = pack("usa");
    let people = batch(vec![
        ("state", Arc::new(StringArray::from(vec!["TX", "TX"]))),
        ("city", Arc::new(StringArray::from(vec![None, Some("Chicago")]))),
    ]);
    let message = Completion::new(usa.clone(), 1, OnImpossible::Error).complete(&people, &keys(2)).unwrap_err();
    assert!(message.to_string().contains("row 1") && message.to_string().contains("'Chicago'"), "{message}");
    let left = Completion::new(usa.clone(), 1, OnImpossible::Null).complete(&people, &keys(2)).unwrap();
    let nulls = |name: &str, row: usize| left.column_by_name(name).unwrap().is_null(row);
    assert!(!nulls("sex", 0) && nulls("sex", 1) && !nulls("city", 1) && !nulls("state", 1));
    let message = Completion::new(usa, 1, OnImpossible::Error).complete(&people, &keys(1)).unwrap_err();
    assert!(message.to_string().contains("2 rows and 1 keys"), "{message}");
}

/// Facts of two people, put together: a row is possible if and only if somebody can be drawn under them.
#[test]
fn mixtures_of_people() {
    let (mut possible, mut impossible) = (0, 0);
    for (name, pack) in packs() {
        let people = Sampler::new(pack.clone(), 8).draw(0..120, None).unwrap();
        let facts: Vec<String> = visible(&pack).into_iter().map(|v| v.name).collect();
        let completion = Completion::new(pack.clone(), 1, OnImpossible::Null).nulls_are_known(true);
        for at in 0..60 {
            let fact = |n: usize| facts[(7 * at + 5 * n + n * n) % facts.len()].as_str();
            let mut names: Vec<&str> = (0..6).map(fact).collect();
            names.sort_unstable();
            names.dedup();
            let of = |n: usize| 2 * at + n % 2;
            let columns =
                names.iter().enumerate().map(|(n, name)| (*name, people.column_by_name(name).unwrap().slice(of(n), 1)));
            let columns: Vec<(&str, ArrayRef)> = columns.collect();
            let parts = names
                .iter()
                .enumerate()
                .map(|(n, name)| fact_of(&people, of(n), pack.variable(name).unwrap()))
                .collect();
            let given = Predicate::And(parts);
            let drawn = match Sampler::given(pack.clone(), 1, &given) {
                Ok(_) => true,
                Err(populace_population::Error::Impossible { .. }) => false,
                Err(error) => panic!("{name}: {given}: {error}"),
            };
            let completed = completion.complete(&batch(columns), &keys(1)).unwrap();
            let complete = completed.column_by_name("age").unwrap().null_count() == 0
                && completed.column_by_name("sex").unwrap().null_count() == 0;
            // Where both facts are known, nothing is told by them.
            if !(names.contains(&"age") && names.contains(&"sex")) {
                assert_eq!(complete, drawn, "{name}: {given}");
            }
            if drawn { possible += 1 } else { impossible += 1 }
        }
    }
    assert!(possible > 20 && impossible > 20, "{possible} possible, {impossible} impossible");
}

/// Five given facts, with the values of the population: told, and far from slow.
#[test]
fn many_rows_with_five_facts() {
    let usa = pack("usa");
    let people = Sampler::new(usa.clone(), 8).draw(0..40_000, None).unwrap();
    let people = only(&people, &["age", "sex", "state", "race_ethnicity", "education_level"]);
    let completion = Completion::new(usa, 1, OnImpossible::Error);
    for _ in 0..2 {
        let start = std::time::Instant::now();
        completion.complete(&people, &keys(40_000)).unwrap();
        println!("{:.0} rows a second", 40_000.0 / start.elapsed().as_secs_f64());
    }
    // Where the facts of hardly two people agree, each has a posterior of their own.
    let some = only(
        &Sampler::new(pack("usa"), 8).draw(0..4_000, None).unwrap(),
        &["age", "sex", "marital_status", "city", "labour_status"],
    );
    let start = std::time::Instant::now();
    completion.complete(&some, &keys(4_000)).unwrap();
    println!("{:.0} rows a second, from the middle", 4_000.0 / start.elapsed().as_secs_f64());
}

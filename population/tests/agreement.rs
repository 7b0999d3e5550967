//! On the shipped packs: what inference says is what is drawn.

mod support;

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, RecordBatch};
use populace_population::{Levels, Predicate, Sampler, Variable};
use support::questions::{Random, fact_of, packs, visible};

/// The level of each row; the null level where it is NULL.
fn levels(batch: &RecordBatch, variable: &Variable) -> Vec<usize> {
    let column = batch.column_by_name(&variable.name).unwrap();
    let level = |row: usize| match &variable.levels {
        _ if column.is_null(row) => usize::from(variable.null_level.unwrap()),
        Levels::Text(_) => column.as_dictionary::<Int32Type>().keys().value(row) as usize,
        Levels::Integer { min, .. } => (column.as_primitive::<Int32Type>().value(row) - min) as usize,
    };
    (0..batch.num_rows()).map(level).collect()
}

/// P(evidence) and the conditioned draw against the filtered draw, for facts, ORs of facts and tests between variables.
/// Differences of more than 6 standard errors are errors: a false alarm in 2e-9 of some 50,000 comparisons.
#[test]
fn conditioned_is_filtered() {
    const ROWS: usize = 120_000;
    for (country, pack) in packs() {
        let variables = visible(&pack);
        let people = Sampler::new(pack.clone(), 77).draw(0..ROWS as u64, None).unwrap();
        let drawn: HashMap<&str, Vec<usize>> =
            variables.iter().map(|v| (v.name.as_str(), levels(&people, v))).collect();
        let mut random = Random(country.len() as u64);
        let mut asked = 0;
        for round in 0.. {
            if asked == 12 {
                break;
            }
            let count = 1 + random.below(3);
            let any = round % 3 == 0 && count > 1;
            let of = random.some(&variables, count);
            let rows: Vec<usize> = of.iter().map(|_| random.below(ROWS)).collect();
            let facts = of.iter().zip(&rows).map(|(v, r)| fact_of(&people, *r, v)).collect();
            let given = if any { Predicate::Or(facts) } else { Predicate::And(facts) };
            let met = |row: usize| {
                let mut holds =
                    of.iter().zip(&rows).map(|(v, r)| drawn[v.name.as_str()][row] == drawn[v.name.as_str()][*r]);
                if any { holds.any(|h| h) } else { holds.all(|h| h) }
            };
            let within: Vec<usize> = (0..ROWS).filter(|row| met(*row)).collect();
            if within.len() < 1_000 {
                continue;
            }
            asked += 1;
            let sampler = Sampler::given(pack.clone(), 78, &given).unwrap();
            let (share, p) = (within.len() as f64 / ROWS as f64, sampler.probability());
            assert!((pack.probability(&given).unwrap() / p - 1.0).abs() < 1e-9, "{country}: {given}");
            let error = (p * (1.0 - p) / ROWS as f64).sqrt();
            assert!((share - p).abs() <= 6.0 * error + 1e-9, "{country}: {given}: {share} of the drawn, P = {p}");
            let count = within.len();
            let conditioned = sampler.draw(0..count as u64, None).unwrap();
            for variable in &variables {
                let mut counts: HashMap<usize, (f64, f64)> = HashMap::new();
                within.iter().for_each(|row| counts.entry(drawn[variable.name.as_str()][*row]).or_default().0 += 1.0);
                levels(&conditioned, variable).into_iter().for_each(|level| counts.entry(level).or_default().1 += 1.0);
                for (level, (a, b)) in counts {
                    let error = (a + b).sqrt();
                    assert!(
                        (a - b).abs() <= 6.0 * error + 3.0,
                        "{country}: {given}: {} = {}: {a} filtered, {b} conditioned",
                        variable.name,
                        variable.label(level)
                    );
                }
            }
        }
    }
}

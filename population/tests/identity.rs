//! Who somebody is: by the pack's name and edition, the seed, the evidence and the row, and nothing else.

mod support;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{Array, RecordBatch};
use populace_population::{Comparison, Pack, Predicate, Sampler, Value, equals};
use std::sync::Arc;
use support::questions::{Random, packs, visible};
use support::{Node, Small};

fn column(batch: &RecordBatch, name: &str) -> arrow_array::ArrayRef {
    batch.column_by_name(name).unwrap().clone()
}

fn small(last: Vec<Vec<u32>>, more: bool) -> Arc<Pack> {
    let node = |levels, parents: Vec<usize>, weights| Node { levels, parents, weights };
    let mut nodes = vec![
        node(3, vec![], vec![vec![1, 2, 3]]),
        node(2, vec![0], vec![vec![1, 1], vec![1, 2], vec![3, 1]]),
        node(4, vec![], last),
    ];
    if more {
        nodes.push(node(2, vec![2], vec![vec![1, 1]; 4]));
    }
    Small { nodes }.pack()
}

/// A node that is fitted anew, and a new node, leave everybody's other facts and names alone.
#[test]
fn what_is_fitted_anew_leaves_the_rest_alone() {
    let old = Sampler::new(small(vec![vec![1, 1, 1, 1]], false), 9).draw(0..5_000, None).unwrap();
    for (weights, more) in [(vec![vec![5, 1, 1, 1]], false), (vec![vec![1, 1, 1, 1]], true)] {
        let new = Sampler::new(small(weights, more), 9).draw(0..5_000, None).unwrap();
        for name in ["uuid", "x0", "x1", "row_index", "seed"] {
            assert_eq!(&column(&old, name), &column(&new, name), "{name}");
        }
        assert_eq!(column(&old, "x2") == column(&new, "x2"), more);
    }
    // Nor does it matter to those drawn under evidence that has nothing to do with it.
    let given = equals("x0", "v1");
    let under = |pack| Sampler::given(pack, 9, &given).unwrap().draw(0..1_000, None).unwrap();
    let (old, new) = (under(small(vec![vec![1, 1, 1, 1]], false)), under(small(vec![vec![5, 1, 1, 1]], true)));
    for name in ["uuid", "x0", "x1", "given"] {
        assert_eq!(&column(&old, name), &column(&new, name), "{name}");
    }
}

/// Any rows, in any order, are those of the range; also where evidence is split into cases.
#[test]
fn rows_are_drawn_one_by_one() {
    for (name, pack) in packs() {
        let facts: Vec<Predicate> = visible(&pack)
            .iter()
            .filter(|v| v.len() > 2)
            .take(9)
            .step_by(3)
            .map(|v| support::questions::fact(v, 1))
            .collect();
        let mut samplers = vec![Sampler::new(pack.clone(), 4)];
        samplers.extend(Sampler::given(pack.clone(), 4, &Predicate::Or(facts)));
        for sampler in samplers {
            let whole = sampler.draw(0..3_000, None).unwrap();
            let mut random = Random(3);
            let indices: Vec<u64> = (0..2_500).map(|_| random.below(3_000) as u64).collect();
            let some = sampler.rows(&indices, None).unwrap();
            for (at, row) in indices.iter().enumerate().step_by(83) {
                assert_eq!(some.slice(at, 1), whole.slice(*row as usize, 1), "{name}, row {row}");
            }
            assert_eq!(column(&some, "row_index").as_primitive::<UInt64Type>().values(), &indices[..]);
        }
    }
}

/// The column `given` is the same for all spellings of a condition, and NULL without one.
#[test]
fn given_is_canonical() {
    let (_, usa) = packs().into_iter().find(|(name, _)| name == "usa").unwrap();
    let compare = |op, value| Predicate::Compare { variable: "age".into(), op, value: Value::Integer(value) };
    let old = compare(Comparison::GtEq, 65);
    let spellings = [
        old.clone(),
        Predicate::And(vec![old.clone(), Predicate::Or(vec![compare(Comparison::GtEq, 40), equals("sex", "Male")])]),
        Predicate::And(vec![old.clone(), compare(Comparison::GtEq, 60)]),
        Predicate::Not(Box::new(compare(Comparison::Lt, 65))),
        Predicate::Between {
            variable: "age".into(),
            low: Value::Integer(65),
            high: Value::Integer(999),
            negated: false,
        },
        Predicate::Or(vec![
            Predicate::And(vec![old.clone(), equals("sex", "Male")]),
            Predicate::And(vec![old.clone(), Predicate::Not(Box::new(equals("sex", "Male")))]),
        ]),
        Predicate::And(vec![
            old.clone(),
            Predicate::Table {
                variables: vec!["sex".into()],
                answers: vec![Some(true), Some(true)].into(),
                text: "upper(sex) <> ''".into(),
            },
        ]),
    ];
    let of = |p: &Predicate| Sampler::given(usa.clone(), 1, p).unwrap();
    let first = of(&old).draw(0..50, None).unwrap();
    for spelling in &spellings {
        let sampler = of(spelling);
        assert_eq!(sampler.given_predicate().unwrap().to_string(), "age >= 65");
        assert_eq!(sampler.draw(0..50, None).unwrap(), first, "{spelling}");
    }
    assert_eq!(column(&Sampler::new(usa, 1).draw(0..50, None).unwrap(), "given").null_count(), 50);
}

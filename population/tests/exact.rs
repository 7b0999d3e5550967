//! Exact inference against brute-force enumeration, over random small networks and random predicates.

mod support;

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, RecordBatch};
use populace_population::{Comparison, Error, Predicate, Sampler, Value};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use support::questions::Random;
use support::{Node, Small};

fn network() -> impl Strategy<Value = Small> {
    prop::collection::vec((2usize..=4, any::<[bool; 4]>(), prop::collection::vec(0u32..6, 1024)), 2..=5).prop_map(
        |specs| {
            let mut nodes: Vec<Node> = vec![];
            for (v, (levels, links, mut weights)) in specs.into_iter().enumerate() {
                let parents: Vec<usize> = (0..v).filter(|p| links[p % 4]).collect();
                let configs: usize = parents.iter().map(|p| nodes[*p].levels).product();
                weights.resize(configs * levels, 1);
                let mut rows: Vec<Vec<u32>> = weights.chunks(levels).take(configs).map(<[u32]>::to_vec).collect();
                // A row without weight says nothing: give it its first level.
                rows.iter_mut().filter(|r| r.iter().all(|w| *w == 0)).for_each(|r| r[0] = 1);
                nodes.push(Node { levels, parents, weights: rows });
            }
            Small { nodes }
        },
    )
}

/// A predicate as a test of a whole configuration, beside the one given to the sampler.
#[derive(Debug, Clone)]
enum Test {
    Compare(usize, usize, Comparison),
    In(usize, Vec<usize>, bool),
    Between(usize, usize, usize, bool),
    Like(usize, bool),
    Null(usize, bool),
    Variables(usize, Comparison, usize),
    Table(usize, usize, u16),
    And(Vec<Test>),
    Or(Vec<Test>),
    Not(Box<Test>),
}

fn test() -> impl Strategy<Value = Test> {
    let op = prop::sample::select(vec![
        Comparison::Eq,
        Comparison::NotEq,
        Comparison::Lt,
        Comparison::LtEq,
        Comparison::Gt,
        Comparison::GtEq,
    ]);
    let atom = prop_oneof![
        (0usize..5, 0usize..4, 0usize..4, any::<bool>()).prop_map(|(v, l, h, n)| Test::Between(v, l, h, n)),
        (0usize..5, any::<bool>()).prop_map(|(v, n)| Test::Like(v, n)),
        (0usize..5, any::<bool>()).prop_map(|(v, n)| Test::Null(v, n)),
        (0usize..5, op.clone(), 0usize..5).prop_map(|(v, op, w)| Test::Variables(v, op, w)),
        (0usize..5, 0usize..5, any::<u16>()).prop_map(|(v, w, bits)| Test::Table(v, w, bits)),
        (0usize..5, 0usize..4, op).prop_map(|(v, l, op)| Test::Compare(v, l, op)),
        (0usize..5, prop::collection::vec(0usize..4, 0..3), any::<bool>()).prop_map(|(v, l, n)| Test::In(v, l, n)),
    ];
    atom.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Test::And),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Test::Or),
            inner.prop_map(|t| Test::Not(Box::new(t))),
        ]
    })
}

impl Test {
    /// Folds variables and levels into the ranges of a network.
    fn fit(&self, small: &Small) -> Test {
        let v = |v: &usize| v % small.nodes.len();
        match self {
            Test::Compare(x, l, op) => Test::Compare(v(x), l % small.nodes[v(x)].levels, *op),
            Test::In(x, ls, n) => Test::In(v(x), ls.iter().map(|l| l % small.nodes[v(x)].levels).collect(), *n),
            Test::Between(x, l, h, n) => {
                let fold = |l: &usize| l % small.nodes[v(x)].levels;
                Test::Between(v(x), fold(l), fold(h), *n)
            }
            Test::Like(x, n) => Test::Like(v(x) / 2 * 2, *n),
            Test::Null(x, n) => Test::Null(v(x), *n),
            // Two of a kind: texts or integers.
            Test::Variables(x, op, y) => {
                let pair = if v(x) % 2 == v(y) % 2 { v(y) } else { v(x) };
                Test::Variables(v(x), *op, pair)
            }
            Test::Table(x, y, bits) => {
                let other = if v(x) == v(y) { (v(x) + 1) % small.nodes.len() } else { v(y) };
                Test::Table(v(x), other, *bits)
            }
            Test::And(parts) => Test::And(parts.iter().map(|p| p.fit(small)).collect()),
            Test::Or(parts) => Test::Or(parts.iter().map(|p| p.fit(small)).collect()),
            Test::Not(inner) => Test::Not(Box::new(inner.fit(small))),
        }
    }

    fn holds(&self, levels: &[usize]) -> bool {
        match self {
            Test::Compare(v, l, op) => match op {
                Comparison::Eq => levels[*v] == *l,
                Comparison::NotEq => levels[*v] != *l,
                Comparison::Lt => levels[*v] < *l,
                Comparison::LtEq => levels[*v] <= *l,
                Comparison::Gt => levels[*v] > *l,
                Comparison::GtEq => levels[*v] >= *l,
            },
            Test::In(v, ls, negated) => ls.contains(&levels[*v]) != *negated,
            Test::Between(v, l, h, n) => ((*l..=*h).contains(&levels[*v])) != *n,
            Test::Like(v, n) => (levels[*v] == 1) != *n,
            Test::Null(_, n) => *n,
            Test::Variables(v, op, w) => match op {
                Comparison::Eq => levels[*v] == levels[*w],
                Comparison::NotEq => levels[*v] != levels[*w],
                Comparison::Lt => levels[*v] < levels[*w],
                Comparison::LtEq => levels[*v] <= levels[*w],
                Comparison::Gt => levels[*v] > levels[*w],
                Comparison::GtEq => levels[*v] >= levels[*w],
            },
            Test::Table(v, w, bits) => bits >> (levels[*v] * 4 + levels[*w]) & 1 == 1,
            Test::And(parts) => parts.iter().all(|p| p.holds(levels)),
            Test::Or(parts) => parts.iter().any(|p| p.holds(levels)),
            Test::Not(inner) => !inner.holds(levels),
        }
    }

    fn predicate(&self, small: &Small) -> Predicate {
        let value = |v: usize, l: usize| match Small::is_integer(v) {
            true => Value::Integer(l as i64),
            false => Value::Text(Small::label(v, l)),
        };
        match self {
            Test::Compare(v, l, op) => Predicate::Compare { variable: format!("x{v}"), op: *op, value: value(*v, *l) },
            Test::In(v, ls, negated) => Predicate::In {
                variable: format!("x{v}"),
                values: ls.iter().map(|l| value(*v, *l)).collect(),
                negated: *negated,
            },
            Test::Between(v, l, h, negated) => Predicate::Between {
                variable: format!("x{v}"),
                low: value(*v, *l),
                high: value(*v, *h),
                negated: *negated,
            },
            Test::Like(v, negated) => Predicate::Like {
                variable: format!("x{v}"),
                pattern: "_!1%".into(),
                negated: *negated,
                case_insensitive: false,
                escape: Some('!'),
            },
            Test::Null(v, negated) => Predicate::IsNull { variable: format!("x{v}"), negated: *negated },
            Test::Variables(v, op, w) => {
                Predicate::CompareVariables { left: format!("x{v}"), op: *op, right: format!("x{w}") }
            }
            Test::Table(v, w, bits) => {
                let of = |a: usize| (0..small.nodes[*w].levels).map(move |b| Some(bits >> (a * 4 + b) & 1 == 1));
                Predicate::Table {
                    variables: vec![format!("x{v}"), format!("x{w}")],
                    answers: (0..small.nodes[*v].levels).flat_map(of).collect(),
                    text: format!("f(x{v}, x{w})"),
                }
            }
            Test::And(parts) => Predicate::And(parts.iter().map(|p| p.predicate(small)).collect()),
            Test::Or(parts) => Predicate::Or(parts.iter().map(|p| p.predicate(small)).collect()),
            Test::Not(inner) => Predicate::Not(Box::new(inner.predicate(small))),
        }
    }
}

/// The levels of the first `variables` variables, row by row.
fn rows(batch: &RecordBatch, variables: usize) -> Vec<Vec<usize>> {
    let mut columns: Vec<Vec<usize>> = vec![];
    for v in 0..variables {
        let column = batch.column_by_name(&format!("x{v}")).unwrap();
        columns.push(match Small::is_integer(v) {
            true => column.as_primitive::<Int32Type>().values().iter().map(|x| *x as usize).collect(),
            false => column.as_dictionary::<Int32Type>().keys().values().iter().map(|x| *x as usize).collect(),
        });
    }
    (0..batch.num_rows()).map(|r| columns.iter().map(|c| c[r]).collect()).collect()
}

/// The same in other words: De Morgan's laws, parts shuffled, doubled, implied and wrapped, IN as ORs, BETWEEN as two.
fn respelt(p: &Predicate, random: &mut Random) -> Predicate {
    let not = |p: Predicate| Predicate::Not(Box::new(p));
    let compare = |variable: &String, op, value: &Value| Predicate::Compare {
        variable: variable.clone(),
        op,
        value: value.clone(),
    };
    let said = match p {
        Predicate::And(parts) | Predicate::Or(parts) => {
            let both = matches!(p, Predicate::And(_));
            let mut all: Vec<Predicate> = random.some(parts, parts.len()).iter().map(|p| respelt(p, random)).collect();
            if random.below(2) == 0 {
                let again = respelt(&parts[random.below(parts.len())], random);
                // A part that follows from another one in an AND, or that another one follows from in an OR.
                let other = respelt(&parts[0], random);
                all.push(if both { Predicate::Or(vec![again, other]) } else { Predicate::And(vec![again, other]) });
            }
            match (both, random.below(2)) {
                (true, 0) => Predicate::And(all),
                (false, 0) => Predicate::Or(all),
                (true, _) => not(Predicate::Or(all.into_iter().map(not).collect())),
                (false, _) => not(Predicate::And(all.into_iter().map(not).collect())),
            }
        }
        Predicate::Not(inner) => not(respelt(inner, random)),
        Predicate::In { variable, values, negated } if !values.is_empty() && random.below(2) == 0 => {
            let any = Predicate::Or(values.iter().map(|v| compare(variable, Comparison::Eq, v)).collect());
            if *negated { not(any) } else { any }
        }
        Predicate::Between { variable, low, high, negated } if random.below(2) == 0 => {
            let within = vec![compare(variable, Comparison::LtEq, high), compare(variable, Comparison::GtEq, low)];
            if *negated { not(Predicate::And(within)) } else { Predicate::And(within) }
        }
        Predicate::Compare { variable, op: Comparison::NotEq, value } => not(compare(variable, Comparison::Eq, value)),
        p => p.clone(),
    };
    match random.below(4) {
        0 => Predicate::And(vec![said, Predicate::Literal(Some(true))]),
        1 => Predicate::Or(vec![Predicate::Literal(Some(false)), said]),
        _ => said,
    }
}

const ROWS: u64 = 20_000;

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, rng_seed: RngSeed::Fixed(20_26), ..ProptestConfig::default() })]

    /// P(evidence) to 1e-7 of itself (thresholds are rounded to 2^-32), and the drawn distribution within 5.5 standard errors in
    /// every cell: a false alarm in 4e-8 of the cells, so in about 1 of 2,000 choices of the seed above.
    #[test]
    fn agrees_with_enumeration((small, test) in (network(), test())) {
        let test = test.fit(&small);
        let posterior: Vec<(Vec<usize>, f64)> = small.enumerate().into_iter().filter(|(levels, _)| test.holds(levels)).collect();
        let probability: f64 = posterior.iter().map(|(_, p)| p).sum();
        let pack = small.pack();
        prop_assert!((pack.probability(&test.predicate(&small)).unwrap() - probability).abs() <= 1e-7 * probability);
        match Sampler::given(pack, 7, &test.predicate(&small)) {
            Err(Error::Impossible { predicates }) => {
                prop_assert_eq!(probability, 0.0);
                prop_assert!(!predicates.is_empty());
            }
            Err(e) => prop_assert!(false, "{e}"),
            Ok(sampler) => {
                prop_assert!((sampler.probability() - probability).abs() <= 1e-7 * probability);
                let mut counts: HashMap<Vec<usize>, f64> = HashMap::new();
                for row in rows(&sampler.draw(0..ROWS, None).unwrap(), small.nodes.len()) {
                    prop_assert!(test.holds(&row), "{row:?} was drawn");
                    *counts.entry(row).or_default() += 1.0;
                }
                for (levels, p) in posterior {
                    let p = p / probability;
                    let expected = p * ROWS as f64;
                    let error = (counts.get(&levels).copied().unwrap_or(0.0) - expected).abs();
                    prop_assert!(error <= 5.5 * (expected * (1.0 - p)).sqrt() + 1.5, "{levels:?}: {error} off {expected}");
                }
            }
        }
    }

    /// One meaning, one population: a predicate taken apart and put together otherwise draws the same people, and so does
    /// its canonical form.
    #[test]
    fn one_spelling_is_as_good_as_another((small, test, salt) in (network(), test(), any::<u64>())) {
        let test = test.fit(&small);
        let pack = small.pack();
        let predicate = test.predicate(&small);
        let Ok(sampler) = Sampler::given(pack.clone(), 13, &predicate) else { return Ok(()) };
        let whole = sampler.draw(0..200, None).unwrap();
        for round in 0..4 {
            let other = respelt(&predicate, &mut Random(salt ^ round));
            let drawn = Sampler::given(pack.clone(), 13, &other).unwrap().draw(0..200, None).unwrap();
            prop_assert_eq!(&drawn, &whole, "{} against {}", predicate, other);
        }
        if let Some(given) = sampler.given_predicate() {
            let drawn = Sampler::given(pack, 13, given).unwrap().draw(0..200, None).unwrap();
            prop_assert_eq!(&drawn, &whole, "{} against its canonical form {}", predicate, given);
        }
    }

    /// Whatever the number of threads, the batches, the projection: the same rows.
    #[test]
    fn rows_are_a_function_of_their_index((small, test, cut) in (network(), test(), 1u64..9_000)) {
        let test = test.fit(&small);
        let pack = small.pack();
        let Ok(sampler) = Sampler::given(pack, 11, &test.predicate(&small)) else { return Ok(()) };
        let whole = sampler.draw(0..9_000, None).unwrap();
        for threads in [1, 2, 16] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            prop_assert_eq!(&pool.install(|| sampler.draw(0..9_000, None)).unwrap(), &whole);
        }
        let parts = [sampler.draw(0..cut, None).unwrap(), sampler.draw(cut..9_000, None).unwrap()];
        for (from, part) in [0, cut as usize].into_iter().zip(&parts) {
            prop_assert_eq!(part, &whole.slice(from, part.num_rows()));
        }
        let last = whole.num_columns() - 1;
        let some = sampler.draw(cut..9_000, Some(&[1, 0, last])).unwrap();
        prop_assert_eq!(some.column(0).to_data(), whole.slice(cut as usize, some.num_rows()).column(1).to_data());
    }
}

/// A chain of three rare events, one in a billion together.
#[test]
fn rare_evidence_is_drawn_directly() {
    let rare = |parents: Vec<usize>, configs: usize| Node { levels: 2, parents, weights: vec![vec![999, 1]; configs] };
    let small = Small { nodes: vec![rare(vec![], 1), rare(vec![0], 2), rare(vec![1], 2)] };
    let all = Test::And((0..3).map(|v| Test::Compare(v, 1, Comparison::Eq)).collect());
    let sampler = Sampler::given(small.pack(), 3, &all.predicate(&small)).unwrap();
    assert!((sampler.probability() / 1e-9 - 1.0).abs() < 1e-5);
    let batch = sampler.draw(0..100_000, None).unwrap();
    assert!(rows(&batch, 3).iter().all(|r| r == &[1, 1, 1]));
}

/// Predicates that mean the same draw the same people; other evidence draws others.
#[test]
fn equal_evidence_equal_people() {
    let node =
        |parents: Vec<usize>, configs: usize| Node { levels: 4, parents, weights: vec![vec![1, 2, 3, 4]; configs] };
    let pack = Small { nodes: vec![node(vec![], 1), node(vec![0], 4)] }.pack();
    let draw = |p: &Predicate| Sampler::given(pack.clone(), 5, p).unwrap().draw(0..100, None).unwrap();
    let between =
        Predicate::Between { variable: "x1".into(), low: Value::Integer(1), high: Value::Integer(2), negated: false };
    let listed =
        Predicate::In { variable: "x1".into(), values: vec![Value::Integer(2), Value::Integer(1)], negated: false };
    let always = Predicate::Or(vec![
        Predicate::IsNull { variable: "x0".into(), negated: true },
        Predicate::IsNull { variable: "x0".into(), negated: false },
    ]);
    assert_eq!(draw(&between), draw(&listed));
    assert_eq!(draw(&between), draw(&Predicate::And(vec![always.clone(), between.clone()])));
    assert_eq!(draw(&always), Sampler::new(pack.clone(), 5).draw(0..100, None).unwrap());
    let first = |b: &RecordBatch| b.column(0).as_string::<i32>().value(0).to_string();
    assert_ne!(first(&draw(&between)), first(&draw(&always)));
}

#[test]
fn contradictions_are_named() {
    let node = |parents: Vec<usize>, weights: Vec<Vec<u32>>| Node { levels: 2, parents, weights };
    // x1 = 1 never goes with x0 = v0.
    let small = Small {
        nodes: vec![
            node(vec![], vec![vec![1, 1]]),
            node(vec![0], vec![vec![1, 0], vec![1, 1]]),
            node(vec![], vec![vec![1, 1]]),
        ],
    };
    let is = |v: usize, l: usize| Test::Compare(v, l, Comparison::Eq).predicate(&small);
    let all = Predicate::And(vec![is(2, 0), is(0, 0), is(1, 1)]);
    let error = Sampler::given(small.pack(), 1, &all).unwrap_err().to_string();
    assert!(error.contains("x0 = 'v0'; x1 = 1"), "{error}");
    assert!(!error.contains("x2"), "{error}");
}

/// A level that nobody has goes with no level of a parent, and is no one's.
#[test]
fn a_level_that_nobody_has() {
    let node = |levels, parents: Vec<usize>, weights| Node { levels, parents, weights };
    let small = Small {
        nodes: vec![
            node(2, vec![], vec![vec![1, 3]]),
            node(3, vec![0], vec![vec![1, 0, 0], vec![0, 1, 0]]),
            node(2, vec![1], vec![vec![1, 1], vec![3, 1], vec![1, 1]]),
        ],
    };
    let is = Test::Compare(2, 0, Comparison::Eq).predicate(&small);
    let sampler = Sampler::given(small.pack(), 1, &is).unwrap();
    assert!((sampler.probability() - (0.25 * 0.5 + 0.75 * 0.75)).abs() < 1e-8);
    assert!(rows(&sampler.draw(0..1_000, None).unwrap(), 3).iter().all(|r| r[0] == r[1] && r[2] == 0));
}

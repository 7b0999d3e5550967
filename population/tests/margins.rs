//! Draws to margins: against enumeration and iterative proportional fitting over all configurations of random small
//! networks, what margins mean, and what is wrong with them.

mod support;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use populace_population::{Comparison, Error, Margins, Pack, Predicate, Sampler, Value, equals};
use support::margins::{agree, batch, cells, close, read, wrong};
use support::questions::Random;
use support::{Node, Small};

fn network(random: &mut Random) -> Small {
    let mut nodes: Vec<Node> = vec![];
    for v in 0..3 + random.below(3) {
        let levels = 2 + random.below(3);
        let parents: Vec<usize> = (0..v).filter(|_| random.below(2) == 0).collect();
        let configs: usize = parents.iter().map(|p| nodes[*p].levels).product();
        let mut row = || {
            let mut row: Vec<u32> = (0..levels).map(|_| random.below(6) as u32).collect();
            if row.iter().all(|w| *w == 0) {
                row[0] = 1;
            }
            row
        };
        nodes.push(Node { levels, parents, weights: (0..configs).map(|_| row()).collect() });
    }
    Small { nodes }
}

/// The whole joint distribution of those whom a sampler draws, over the configurations in order.
fn whole(sampler: &Sampler, small: &Small) -> Vec<f64> {
    let names: Vec<String> = (0..small.nodes.len()).map(|v| format!("x{v}")).collect();
    let labels: Vec<Vec<u16>> = small.nodes.iter().map(|node| (0..node.levels as u16).collect()).collect();
    let columns: Vec<(&str, &[u16])> = names.iter().zip(&labels).map(|(n, l)| (n.as_str(), &l[..])).collect();
    sampler.joint(&columns).unwrap()
}

/// What a distribution has in the cells of a margin.
fn sums(small: &Small, of: &[usize], configs: &[Vec<usize>], shares: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; of.iter().map(|v| small.nodes[*v].levels).product()];
    for (config, share) in configs.iter().zip(shares) {
        sums[of.iter().fold(0, |cell, v| cell * small.nodes[*v].levels + config[*v])] += share;
    }
    sums
}

/// Several margins as one result, NULL where a row is not over a column.
fn sets(small: &Small, margins: &[(Vec<usize>, Vec<f64>)]) -> RecordBatch {
    let mut used: Vec<usize> = margins.iter().flat_map(|(of, _)| of.clone()).collect();
    used.sort_unstable();
    used.dedup();
    let mut rows: Vec<(Vec<Option<String>>, f64)> = vec![];
    for (of, shares) in margins {
        for (cell, share) in shares.iter().enumerate() {
            let (mut rest, mut row) = (cell, vec![None; used.len()]);
            for v in of.iter().rev() {
                let at = used.iter().position(|u| u == v).unwrap();
                row[at] = Some(Small::label(*v, rest % small.nodes[*v].levels));
                rest /= small.nodes[*v].levels;
            }
            rows.push((row, *share));
        }
    }
    let names: Vec<String> = used.iter().map(|v| format!("x{v}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let labels: Vec<Vec<Option<&str>>> =
        rows.iter().map(|(row, _)| row.iter().map(Option::as_deref).collect()).collect();
    let rows: Vec<(&[Option<&str>], f64)> = labels.iter().zip(&rows).map(|(l, (_, share))| (&l[..], *share)).collect();
    cells(&names, &rows)
}

fn divergence(q: &[f64], p: &[f64]) -> f64 {
    q.iter().zip(p).filter(|(q, _)| **q > 0.0).map(|(q, p)| q * (q / p).ln()).sum()
}

/// Over random networks, evidence and margins: the margins are met, everything else is distributed as it was given the
/// margins' variables, the divergence is Pythagorean (Csiszár 1975), and people are drawn so.
#[test]
fn the_nearest_distribution_that_meets_the_margins() {
    let mut random = Random(7);
    let mut done = 0;
    let wanted = if std::env::var_os("POPULACE_LONG").is_some() { 2_000 } else { 60 };
    while done < wanted {
        let small = network(&mut random);
        let (count, pack) = (small.nodes.len(), small.pack());
        let configs: Vec<Vec<usize>> = small.enumerate().into_iter().map(|(levels, _)| levels).collect();
        let given = match random.below(3) {
            0 => None,
            1 => Some(equals("x0", "v0")),
            _ => Some(Predicate::Or(vec![
                equals("x0", "v1"),
                Predicate::Compare { variable: "x1".into(), op: Comparison::Eq, value: Value::Integer(0) },
                equals("x2", "v0"),
            ])),
        };
        let before = match &given {
            None => Ok(Sampler::new(pack.clone(), 3)),
            Some(given) => Sampler::given(pack.clone(), 3, given),
        };
        let Ok(before) = before else { continue };
        let p = whole(&before, &small);
        // Margins that somebody has: those of another distribution of the same people.
        let mut other: Vec<f64> = p.iter().map(|p| p * (1.0 + random.below(9) as f64)).collect();
        let total: f64 = other.iter().sum();
        other.iter_mut().for_each(|q| *q /= total);
        let margins: Vec<(Vec<usize>, Vec<f64>)> = (0..1 + random.below(3))
            .map(|_| {
                let mut of = random.some(&(0..count).collect::<Vec<_>>(), 2);
                of.truncate(1 + random.below(2));
                of.sort_unstable();
                (of.clone(), sums(&small, &of, &configs, &other))
            })
            .collect();
        let mut once = margins.clone();
        once.sort_by(|a, b| a.0.cmp(&b.0));
        once.dedup_by(|a, b| a.0 == b.0);
        let read = read(&pack, sets(&small, &once));
        let sampler = Sampler::to_margins(3, given.as_ref(), &read).unwrap();
        let q = whole(&sampler, &small);
        for (of, shares) in &once {
            close("a margin", &sums(&small, of, &configs, &q), shares, 1e-9);
        }
        let mut union: Vec<usize> = once.iter().flat_map(|(of, _)| of.clone()).collect();
        union.sort_unstable();
        union.dedup();
        let (of_p, of_q) = (sums(&small, &union, &configs, &p), sums(&small, &union, &configs, &q));
        let cell = |config: &[usize]| union.iter().fold(0, |cell, v| cell * small.nodes[*v].levels + config[*v]);
        for ((config, p), q) in configs.iter().zip(&p).zip(&q) {
            let at = cell(config);
            assert!((q * of_p[at] - p * of_q[at]).abs() < 1e-9, "given the margins' variables all is as it was");
        }
        let (to_other, to_nearest) = (divergence(&other, &q), divergence(&q, &p));
        assert!((divergence(&other, &p) - to_other - to_nearest).abs() < 1e-7, "Pythagoras");
        let people = sampler.draw(0..4_000, None).unwrap();
        let mut counts = vec![0.0; configs.len()];
        let columns: Vec<Vec<usize>> = (0..count)
            .map(|v| {
                let column = people.column_by_name(&format!("x{v}")).unwrap();
                match Small::is_integer(v) {
                    true => column.as_primitive::<Int32Type>().values().iter().map(|x| *x as usize).collect(),
                    false => column.as_dictionary::<Int32Type>().keys().values().iter().map(|x| *x as usize).collect(),
                }
            })
            .collect();
        (0..people.num_rows()).for_each(|row| {
            counts[columns.iter().enumerate().fold(0, |at, (v, c)| at * small.nodes[v].levels + c[row])] += 1.0;
        });
        agree("people", &counts, &q);
        done += 1;
    }
}

fn three() -> (Small, Arc<Pack>) {
    let node = |levels, parents: Vec<usize>, weights| Node { levels, parents, weights };
    let small = Small {
        nodes: vec![
            node(2, vec![], vec![vec![3, 1]]),
            node(6, vec![0], vec![vec![1, 2, 3, 4, 5, 6], vec![4, 0, 1, 1, 1, 1]]),
            node(2, vec![1], vec![vec![1, 1], vec![1, 2], vec![1, 3], vec![1, 4], vec![5, 1], vec![6, 1]]),
        ],
    };
    let pack = small.pack();
    (small, pack)
}

fn first_uuid(sampler: &Sampler) -> String {
    sampler.draw(0..1, None).unwrap().column(0).as_string::<i32>().value(0).to_string()
}

/// Order of rows and columns, counts or shares, spellings of bands, and what says nothing or follows make no difference.
#[test]
fn margins_that_mean_the_same_draw_the_same_people() {
    let (_, pack) = three();
    let rows = |n: f64| {
        [
            (&[Some("v0"), Some("0-2")][..], 20.0 / n),
            (&[Some("v0"), Some("3+")], 30.0 / n),
            (&[Some("v1"), Some("3-5")], 50.0 / n),
        ]
    };
    let spelt = rows(1.0);
    let of = |batch: RecordBatch| read(&pack, batch);
    let first = of(cells(&["x0", "x1"], &spelt));
    let turned: Vec<(&[Option<&str>], f64)> = spelt.iter().rev().copied().collect();
    let with_none: Vec<(&[Option<&str>], f64)> =
        spelt.iter().copied().chain([(&[Some("v1"), Some("0-2")][..], 0.0)]).collect();
    let implied: Vec<(&[Option<&str>], f64)> =
        spelt.iter().copied().chain([(&[Some("v0"), None][..], 7.0), (&[Some("v1"), None], 7.0)]).collect();
    let everybody: Vec<(&[Option<&str>], f64)> =
        spelt.iter().copied().chain([(&[None, Some("0-2")][..], 0.2), (&[None, Some("3+")], 0.8)]).collect();
    let others = [
        cells(&["x0", "x1"], &everybody),
        cells(&["x0", "x1"], &rows(100.0)),
        cells(&["x0", "x1"], &turned),
        cells(&["x0", "x1"], &with_none),
        cells(&["x0", "x1"], &implied),
        cells(&["x0", "x1"], &rows(3.0)).project(&[2, 1, 0]).unwrap(),
    ];
    let drawn = |margins: &Margins| Sampler::to_margins(5, None, margins).unwrap().draw(0..200, None).unwrap();
    let people = drawn(&first);
    // Part of every uuid of those who are drawn to them: not to be changed.
    assert_eq!(first.id(), "x0, x1@f24856cdbf90dbb6");
    assert_eq!(people.column(0).as_string::<i32>().value(0), "f4d3957012c2ea2698f76dd2ebfb7822");
    for other in others {
        let other = of(other);
        assert_eq!(other.id(), first.id());
        assert_eq!(drawn(&other), people);
    }
    // Two batches, and integers as numbers.
    let split = cells(&["x0", "x1"], &spelt);
    let both = Margins::read(&pack, &[split.slice(0, 1), split.slice(1, 2)]).unwrap();
    assert_eq!(both.id(), first.id());
    let numbers: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![0, 1, 2, 3, 4, 5])),
        Arc::new(Int32Array::from(vec![0, 1, 2, 3, 4, 5])),
        Arc::new(Float64Array::from(vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0])),
        Arc::new(StringArray::from(vec!["0", "1", "2", "3", "4", "5+"])),
    ];
    let ids: Vec<String> = numbers
        .into_iter()
        .map(|x1| {
            of(batch(vec![("x1", x1), ("people", Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5, 6])) as ArrayRef)]))
                .id()
                .to_string()
        })
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0] && id.starts_with("x1@")), "{ids:?}");
    // A column with one band says nothing beside another.
    let trivial = [(&[Some("v0"), Some("0-5")][..], 1.0), (&[Some("v1"), Some("0-5")], 3.0)];
    let twice: Vec<(&[Option<&str>], f64)> =
        trivial.iter().copied().chain([(&[Some("v0"), None][..], 0.25), (&[Some("v1"), None], 0.75)]).collect();
    let once = of(cells(&["x0"], &[(&[Some("v0")], 1.0), (&[Some("v1")], 3.0)]));
    assert_eq!(of(cells(&["x0", "x1"], &trivial)).id(), once.id());
    assert_eq!(of(cells(&["x0", "x1"], &twice)).id(), once.id());
    // Others differ, and one band that is everybody says nothing.
    let plain = Sampler::new(pack.clone(), 5);
    assert_ne!(first_uuid(&plain), first_uuid(&Sampler::to_margins(5, None, &first).unwrap()));
    let nothing = of(cells(&["x1"], &[(&[Some("0-5")], 12.0)]));
    assert!(nothing.is_empty());
    assert_eq!(
        Sampler::to_margins(5, None, &nothing).unwrap().draw(0..50, None).unwrap(),
        plain.draw(0..50, None).unwrap()
    );
}

/// A row says by itself that it was drawn to margins, and any part of the rows is as in the whole.
#[test]
fn rows_say_how_they_were_drawn() {
    let (_, pack) = three();
    let margins = read(&pack, cells(&["x1"], &[(&[Some("0-3")], 1.0), (&[Some("4")], 2.0), (&[Some("5")], 1.0)]));
    let old = Predicate::Compare { variable: "x1".into(), op: Comparison::GtEq, value: Value::Integer(2) };
    let sampler = Sampler::to_margins(5, Some(&old), &margins).unwrap();
    let text = format!("x1 >= 2, margins => '{}'", margins.id());
    assert_eq!(sampler.given_text().unwrap(), text);
    assert!(margins.id().starts_with("x1@") && margins.id().len() == 19, "{}", margins.id());
    let people = sampler.draw(0..5_000, None).unwrap();
    let given = people.column_by_name("given").unwrap().as_dictionary::<Int32Type>().clone();
    assert_eq!(given.values().as_string::<i32>().value(0), text);
    assert_eq!(sampler.margins().unwrap().variables(), [["x1"]]);
    assert!((sampler.probability() - Sampler::given(pack.clone(), 5, &old).unwrap().probability()).abs() < 1e-12);
    for (from, to) in [(0, 1), (1, 700), (700, 2_049), (2_049, 5_000)] {
        assert_eq!(sampler.draw(from..to, None).unwrap(), people.slice(from as usize, (to - from) as usize));
    }
    let some = sampler.rows(&[4_999, 3, 2_048], None).unwrap();
    assert_eq!(some.slice(2, 1), people.slice(2_048, 1));
    let everybody = Sampler::to_margins(5, None, &margins).unwrap();
    assert_eq!(everybody.given_text().unwrap(), format!("margins => '{}'", margins.id()));
    assert!(everybody.given_predicate().is_none());
    assert_ne!(first_uuid(&everybody), first_uuid(&sampler));
}

/// Figures that were rounded to some digits are brought together, and it is said by how much; what rounding does not explain
/// is refused.
#[test]
fn rounded_figures_are_brought_together() {
    let (_, pack) = three();
    let by = |first: [f64; 4], second: [f64; 2]| {
        cells(
            &["x0", "x1"],
            &[
                (&[Some("v0"), Some("0-2")], first[0]),
                (&[Some("v0"), Some("3-5")], first[1]),
                (&[Some("v1"), Some("0-2")], first[2]),
                (&[Some("v1"), Some("3-5")], first[3]),
                (&[None, Some("0-2")], second[0]),
                (&[None, Some("3-5")], second[1]),
            ],
        )
    };
    let young = |margins: &Margins| {
        let people = Sampler::to_margins(5, None, margins).unwrap().draw(0..100_000, None).unwrap();
        let ages = people.column_by_name("x1").unwrap().as_primitive::<Int32Type>().clone();
        ages.values().iter().filter(|x| **x < 3).count() as f64 / 1e5
    };
    // 0.4873 against 0.4874, as four digits have it; and as counts to the hundred, which do not add up to the same total.
    let shares = read(&pack, by([0.2436, 0.2437, 0.2437, 0.2690], [0.4874, 0.5126]));
    let counts = read(&pack, by([24_400.0, 24_300.0, 24_400.0, 26_900.0], [48_700.0, 51_200.0]));
    for margins in [&shares, &counts] {
        let [notice] = margins.notices() else { panic!("{:?}", margins.notices()) };
        assert!(notice.contains("over x0, x1 and over x1 differ as rounded figures do, most in x1"), "{notice}");
        assert_eq!(margins.variables(), [["x0", "x1"]]);
        assert!((young(margins) - 0.4875).abs() < 0.006);
    }
    assert!(
        shares.notices()[0].contains("a share of 0.487300 and of 0.487400, off by 1.0e-4"),
        "{:?}",
        shares.notices()
    );
    // Those of equal digits meet half-way, and the order in which they are given makes no difference.
    let turned = by([0.2436, 0.2437, 0.2437, 0.2690], [0.4874, 0.5126]);
    let turned = in_order(&turned, &[5, 3, 1, 4, 0, 2]);
    assert_eq!(read(&pack, turned).id(), shares.id());
    // More digits weigh more: nearly all of what six have stands.
    let finer = read(&pack, by([0.24360, 0.24371, 0.24370, 0.26899], [0.4874, 0.5126]));
    assert_eq!(finer.notices().len(), 1);
    // Agreement needs no notice, nor does it change who is drawn.
    assert!(read(&pack, by([0.25, 0.25, 0.25, 0.25], [0.5, 0.5])).notices().is_empty());
    // As much of a gap with more digits than would leave it, and a larger one with fewer.
    for (first, second) in [
        ([0.243_601, 0.243_701, 0.243_699, 0.268_999], [0.487_501, 0.512_499]),
        ([0.25, 0.25, 0.25, 0.25], [0.51, 0.49]),
    ] {
        let error = Margins::read(&pack, &[by(first, second)]).unwrap_err();
        assert!(matches!(error, Error::ContradictoryMargins { sweeps: 0, .. }), "{error}");
        assert!(error.to_string().contains("more than rounding explains"), "{error}");
    }
    // Halves, thirds and sixths of floating point.
    let sixths = read(&pack, by([1.0 / 3.0, 1.0 / 6.0, 1.0 / 3.0, 1.0 / 6.0], [0.666_667, 0.333_333]));
    assert_eq!(sixths.notices().len(), 1, "{:?}", sixths.notices());
}

/// Some rows of a batch, in this order.
fn in_order(batch: &RecordBatch, rows: &[usize]) -> RecordBatch {
    let parts: Vec<RecordBatch> = rows.iter().map(|row| batch.slice(*row, 1)).collect();
    let columns = (0..batch.num_columns()).map(|at| {
        let column: Vec<&dyn arrow_array::Array> = parts.iter().map(|p| p.column(at).as_ref()).collect();
        match column[0].data_type() {
            arrow_schema::DataType::Float64 => {
                let of = column.iter().map(|c| c.as_primitive::<arrow_array::types::Float64Type>().value(0));
                Arc::new(Float64Array::from_iter_values(of)) as ArrayRef
            }
            _ => {
                let of = column.iter().map(|c| (!c.is_null(0)).then(|| c.as_string::<i32>().value(0)));
                Arc::new(StringArray::from_iter(of)) as ArrayRef
            }
        }
    });
    RecordBatch::try_new(batch.schema(), columns.collect()).unwrap()
}

#[test]
fn what_cannot_be_met_is_named() {
    let (_, pack) = three();
    // Nobody with v1 has 1.
    let margins =
        read(&pack, cells(&["x0", "x1"], &[(&[Some("v0"), Some("0")], 0.75), (&[Some("v1"), Some("1")], 0.25)]));
    let error = Sampler::to_margins(1, None, &margins).unwrap_err().to_string();
    assert_eq!(
        error,
        "the margin over x0, x1 cannot be met: nobody in this population is in x0 = 'v1' AND x1 = 1 (share asked 0.25, \
         possible 0). Leave out the rows of these cells"
    );
    let margins = read(&pack, cells(&["x1"], &[(&[Some("0-2")], 0.75), (&[Some("3-5")], 0.25)]));
    let old = Predicate::Compare { variable: "x1".into(), op: Comparison::GtEq, value: Value::Integer(4) };
    let error = Sampler::to_margins(1, Some(&old), &margins).unwrap_err().to_string();
    assert!(error.contains("nobody who satisfies x1 >= 4 is in x1 <= 2 (share asked 0.75, possible 0)"), "{error}");
    let nobody = Predicate::And(vec![equals("x0", "v0"), equals("x0", "v1")]);
    let error = Sampler::to_margins(1, Some(&nobody), &margins).unwrap_err();
    assert!(matches!(error, Error::Impossible { .. }), "{error}");
    // Two margins that speak of the same people.
    let error = wrong(
        &pack,
        cells(
            &["x0", "x1", "x2"],
            &[
                (&[Some("v0"), Some("0-2"), None], 3.0),
                (&[Some("v1"), Some("3-5"), None], 1.0),
                (&[None, Some("0-1"), Some("v0")], 6.0),
                (&[None, Some("2"), Some("v1")], 0.5),
                (&[None, Some("3-5"), Some("v1")], 3.5),
            ],
        ),
    );
    assert_eq!(
        error,
        "the margins contradict each other: the margin over x0, x1 asks a share of 0.75 of x1 <= 2, and the margin over \
         x1, x2 one of 0.65, off by 1.000e-1. Make them agree, as counts of the same people do, or leave one out. That is more \
         than rounding explains by the digits that they are written with, or than 0.001: round both alike, or have coarser \
         bands that both agree on"
    );
    // Three that agree in pairs, and that nobody can meet: each pair always differs.
    let copy = |parents: Vec<usize>, configs| Node { levels: 2, parents, weights: vec![vec![1, 1]; configs] };
    let small = Small { nodes: vec![copy(vec![], 1), copy(vec![0], 2), copy(vec![1], 2)] };
    let pack = small.pack();
    let [x, y, z] = [("v0", "v1"), ("0", "1"), ("v0", "v1")].map(|(a, b)| (Some(a), Some(b)));
    let rows: Vec<([Option<&str>; 3], f64)> = vec![
        ([x.0, y.1, None], 1.0),
        ([x.1, y.0, None], 1.0),
        ([None, y.0, z.1], 1.0),
        ([None, y.1, z.0], 1.0),
        ([x.0, None, z.1], 0.9),
        ([x.1, None, z.0], 0.9),
        ([x.0, None, z.0], 0.1),
        ([x.1, None, z.1], 0.1),
    ];
    let rows: Vec<(&[Option<&str>], f64)> = rows.iter().map(|(row, x)| (&row[..], *x)).collect();
    let margins = read(&pack, cells(&["x0", "x1", "x2"], &rows));
    let error = Sampler::to_margins(1, None, &margins).unwrap_err();
    let error = error.to_string();
    assert!(
        error.starts_with("the margin over x0, x2 cannot be met: nobody whom the other margins leave is in"),
        "{error}"
    );
    // As before, with a little of everything: nothing is empty, and no fit meets all three.
    let rows: Vec<([Option<&str>; 3], f64)> = [(0, 1), (1, 2), (0, 2)]
        .into_iter()
        .flat_map(|(one, other)| {
            let label = |v: usize, level: usize| if v == 1 { ["0", "1"][level] } else { ["v0", "v1"][level] };
            (0..4).map(move |cell| {
                let mut row = [None; 3];
                (row[one], row[other]) = (Some(label(one, cell / 2)), Some(label(other, cell % 2)));
                (row, if cell / 2 == cell % 2 { 0.05 } else { 0.45 })
            })
        })
        .collect();
    let rows: Vec<(&[Option<&str>], f64)> = rows.iter().map(|(row, x)| (&row[..], *x)).collect();
    let margins = read(&pack, cells(&["x0", "x1", "x2"], &rows));
    let error = Sampler::to_margins(1, None, &margins).unwrap_err();
    assert!(matches!(&error, Error::ContradictoryMargins { sweeps, .. } if *sweeps > 0), "{error}");
}

#[test]
fn what_is_wrong_with_a_query_is_said() {
    let (_, pack) = three();
    let share = || -> ArrayRef { Arc::new(Float64Array::from(vec![1.0, 2.0])) };
    let text = |a: &str, b: &str| -> ArrayRef { Arc::new(StringArray::from(vec![a, b])) };
    let x1 = |a: &str, b: &str| batch(vec![("x1", text(a, b)), ("share", share())]);
    let faults: Vec<(RecordBatch, &str)> = vec![
        (x1("0-2", "2-5"), "margins, the one over x1: 2-5 overlaps 0-2 in `x1`: a margin has each level in one band"),
        (
            x1("0-2", "0-2"),
            "margins, row 2: the cell 0-2 of the margin over x1 is there twice, first in row 1: add them up",
        ),
        (
            x1("0-2", "3-9"),
            "margins, row 2, column `x1`: the band 3-9 reaches beyond `x1`, which goes from 0 to 5: leave out who is not in the country's people, and split the band",
        ),
        (x1("0-2", "many"), "margins, row 2, column `x1`: unknown level of `x1`: `many`. There are: 0 to 5"),
        (
            batch(vec![("x0", text("v0", "v7")), ("share", share())]),
            "margins, row 2, column `x0`: unknown level of `x0`: `v7`; did you mean `v0`? There are: v0, v1",
        ),
        (
            batch(vec![("x9", text("v0", "v1")), ("share", share())]),
            "unknown variable: `x9`; did you mean `x0`? There are: x0, x1, x2",
        ),
        (
            batch(vec![("x0", text("v0", "v1"))]),
            "margins, the query: no column has the shares: select one of numbers beside the variables, such as count(*) AS people",
        ),
        (
            batch(vec![("x0", text("v0", "v1")), ("people", share()), ("weight", share())]),
            "margins, the query: `people` and `weight` are no variables: one column has the shares",
        ),
        (
            batch(vec![("share", share())]),
            "margins, the query: no column is a variable of small. There are: x0, x1, x2",
        ),
        (
            cells(&["x0"], &[(&[Some("v0")], -1.0)]),
            "margins, row 1, column `share`: a share is a finite number of 0 or more, and not -1",
        ),
        (
            cells(&["x0"], &[(&[Some("v0")], f64::NAN)]),
            "margins, row 1, column `share`: a share is a finite number of 0 or more, and not NaN",
        ),
        (
            cells(&["x0"], &[(&[Some("v0")], 0.0)]),
            "margins, the one over x0: its shares sum to 0, so that nobody can be drawn",
        ),
        (
            cells(&["x0"], &[(&[Some("v0")], 1.0), (&[None], 3.0)]),
            "margins, row 2: all its columns are NULL, so that it is of no margin: leave the grand total out",
        ),
        (x1("0", "1").slice(0, 0), "margins, the query: it has no rows"),
        (
            batch(vec![("x0", share()), ("share", share())]),
            "margins, column `x0`: it holds Float64, and texts are wanted; cast it to VARCHAR",
        ),
        (
            batch(vec![("x1", Arc::new(Float64Array::from(vec![1.0, 2.5])) as ArrayRef), ("share", share())]),
            "margins, row 2, column `x1`: unknown level of `x1`: `2.5`. There are: 0 to 5",
        ),
        (
            batch(vec![("x1", Arc::new(Int64Array::from(vec![1, i64::MAX])) as ArrayRef), ("share", share())]),
            "margins, row 2, column `x1`: unknown level of `x1`: `9223372036854775807`. There are: 0 to 5",
        ),
    ];
    for (batch, message) in faults {
        assert_eq!(wrong(&pack, batch), message);
    }
    assert_eq!(Margins::read(&pack, &[]).unwrap_err().to_string(), "margins, the query: it has no rows");
}

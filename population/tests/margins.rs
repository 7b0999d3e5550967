//! Draws to margins: against enumeration and iterative proportional fitting over all configurations of random small
//! networks, and in shipped countries against the margins and what is inferred.

mod support;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{Field, Schema};
use populace_population::{Comparison, Error, Levels, Margins, Pack, Predicate, Sampler, Value, equals};
use support::questions::{Random, fact_of, packs, visible};
use support::{Node, Small};

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields: Vec<Field> = columns.iter().map(|(n, a)| Field::new(*n, a.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, a)| a).collect()).unwrap()
}

/// A result with texts in its first columns and numbers in the last.
fn cells(names: &[&str], rows: &[(&[Option<&str>], f64)]) -> RecordBatch {
    let column =
        |at: usize| -> ArrayRef { Arc::new(StringArray::from_iter(rows.iter().map(|(labels, _)| labels[at]))) };
    let mut columns: Vec<(&str, ArrayRef)> = names.iter().enumerate().map(|(at, name)| (*name, column(at))).collect();
    columns.push(("share", Arc::new(Float64Array::from_iter_values(rows.iter().map(|(_, x)| *x)))));
    batch(columns)
}

fn read(pack: &Arc<Pack>, batch: RecordBatch) -> Margins {
    Margins::read(pack, &[batch]).unwrap()
}

fn wrong(pack: &Arc<Pack>, batch: RecordBatch) -> String {
    Margins::read(pack, &[batch]).unwrap_err().to_string()
}

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

fn close(what: &str, a: &[f64], b: &[f64], within: f64) {
    assert_eq!(a.len(), b.len());
    let gap = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(gap <= within, "{what}: off by {gap:e}");
}

/// A chi-square of counts against shares, rare cells pooled.
fn agree(what: &str, counts: &[f64], shares: &[f64]) {
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
         x1, x2 one of 0.65, off by 1.000e-1. Make them agree, as counts of the same people do, or leave one out"
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

fn shipped(name: &str) -> Arc<Pack> {
    packs().into_iter().find(|(n, _)| n == name).unwrap().1
}

/// NULL is no value where people are shown with it: its name is asked for, and taken.
#[test]
fn the_level_that_is_null_goes_by_its_name() {
    let usa = shipped("usa");
    let grouped = cells(
        &["sex", "veteran_status"],
        &[
            (&[Some("Male"), Some("veteran")], 1.0),
            (&[Some("Male"), None], 1.0),
            (&[Some("Female"), Some("nonveteran")], 2.0),
        ],
    );
    assert_eq!(
        wrong(&usa, grouped),
        "margins, row 2, column `veteran_status`: NULL may be the level none, or say that the row is of another margin: write \
         COALESCE(veteran_status, 'none') below the GROUP BY, or leave the column out"
    );
    for rows in [vec![(&[Some("veteran")][..], 1.0), (&[None], 2.0)], vec![(&[None][..], 2.0)]] {
        assert!(wrong(&usa, cells(&["veteran_status"], &rows)).contains("COALESCE"));
    }
    let rows = [
        (&[Some("veteran"), None][..], 0.1),
        (&[Some("nonveteran"), None], 0.8),
        (&[Some("none"), None], 0.1),
        (&[None, Some("Male")], 0.5),
        (&[None, Some("Female")], 0.5),
    ];
    let margins = read(&usa, cells(&["veteran_status", "sex"], &rows));
    assert_eq!(margins.variables(), [["sex"], ["veteran_status"]]);
    let people = Sampler::to_margins(1, None, &margins).unwrap().draw(0..10_000, None).unwrap();
    let nulls = people.column_by_name("veteran_status").unwrap().null_count() as f64;
    agree("nobody's service", &[nulls, 10_000.0 - nulls], &[0.1, 0.9]);
    let hidden = wrong(&usa, cells(&["marital_detail"], &[(&[Some("widowed")], 1.0)]));
    assert!(hidden.contains("column `marital_detail`: it is hidden"), "{hidden}");
    let list = wrong(&usa, cells(&["hobbies_and_interests_list"], &[(&[Some("reading")], 1.0)]));
    assert!(list.contains("column `hobbies_and_interests_list`: it is a list"), "{list}");
}

fn level_of(column: &dyn Array, variable: &populace_population::Variable, row: usize) -> usize {
    match (&variable.levels, column.is_null(row)) {
        (_, true) => usize::from(variable.null_level.unwrap()),
        (Levels::Text(_), _) => column.as_dictionary::<Int32Type>().keys().value(row) as usize,
        (Levels::Integer { min, .. }, _) => (column.as_primitive::<Int32Type>().value(row) - min) as usize,
    }
}

/// People of a shipped country drawn to margins: these are met, and every variable is distributed as inferred.
fn drawn_to(sampler: &Sampler, batch: &RecordBatch, sets: &[&[&str]]) {
    let pack = sampler.pack();
    let people = sampler.draw(0..20_000, None).unwrap();
    let mut refused = vec![];
    for variable in visible(pack).iter().filter(|v| v.len() < 3_000) {
        let shares = match sampler.marginal(&variable.name) {
            Err(Error::TooMuchMemory { .. }) => {
                refused.push(variable.name.clone());
                continue;
            }
            shares => shares.unwrap(),
        };
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        let column = people.column_by_name(&variable.name).unwrap();
        let mut counts = vec![0.0; variable.len()];
        (0..people.num_rows()).for_each(|row| counts[level_of(column, variable, row)] += 1.0);
        agree(&format!("{} {}", pack.name(), variable.name), &counts, &shares);
    }
    assert!(refused.len() <= 3, "{}: {refused:?}", pack.name());
    // The margins themselves, cell by cell, to 1e-9.
    let amounts = batch.column_by_name("share").unwrap().as_primitive::<arrow_array::types::Float64Type>().clone();
    for set in sets {
        let columns: Vec<_> =
            set.iter().map(|name| batch.column_by_name(name).unwrap().as_string::<i32>().clone()).collect();
        let others = batch.schema();
        let others: Vec<_> =
            others.fields().iter().filter(|f| f.name() != "share" && !set.contains(&f.name().as_str())).collect();
        let of: Vec<usize> = (0..batch.num_rows())
            .filter(|row| columns.iter().all(|c| !c.is_null(*row)))
            .filter(|row| others.iter().all(|f| batch.column_by_name(f.name()).unwrap().is_null(*row)))
            .collect();
        let total: f64 = of.iter().map(|row| amounts.value(*row)).sum();
        for row in of {
            let labels: Vec<Vec<u16>> = columns
                .iter()
                .zip(*set)
                .map(|(column, name)| {
                    let (variable, label) = (pack.variable(name).unwrap(), column.value(row));
                    let within = |level: usize| match (&variable.levels, label.split_once('-'), label.strip_suffix('+'))
                    {
                        (Levels::Text(_), _, _) => variable.label(level) == label,
                        (_, Some((low, high)), _) => (low.parse::<i32>().unwrap()..=high.parse().unwrap())
                            .contains(&variable.label(level).parse().unwrap()),
                        (_, _, Some(low)) => variable.label(level).parse::<i32>().unwrap() >= low.parse().unwrap(),
                        _ => variable.label(level) == label,
                    };
                    (0..variable.len()).map(|level| u16::from(within(level))).collect()
                })
                .collect();
            // Labels are numbered by their first appearance: the cell asked for is that of the label 1.
            let joint =
                sampler.joint(&set.iter().copied().zip(labels.iter().map(|l| &l[..])).collect::<Vec<_>>()).unwrap();
            let cell = labels.iter().fold(0, |cell, labels| cell * 2 + usize::from(labels[0] == 0));
            let gap = (joint[cell] - amounts.value(row) / total).abs();
            assert!(gap < 1e-9, "{set:?}, row {row}: off by {gap:e}");
        }
    }
}

/// The USA to the ages of another year and to regions by sex, and those of 65 and over to other marital statuses.
#[test]
fn another_year_of_the_usa() {
    let usa = shipped("usa");
    let ages = ["18-24", "25-34", "35-44", "45-54", "55-64", "65-74", "75-84", "85+"];
    let shares = [30.2, 45.1, 43.0, 40.2, 41.8, 35.0, 19.9, 6.8];
    let mut rows: Vec<([Option<&str>; 3], f64)> =
        ages.iter().zip(shares).map(|(age, n)| ([Some(*age), None, None], n)).collect();
    for (state, men, women) in [("CA", 40.0, 38.0), ("TX", 33.0, 35.0), ("NY", 20.0, 22.0), ("AK", 1.5, 1.0)] {
        rows.push(([None, Some("Male"), Some(state)], men));
        rows.push(([None, Some("Female"), Some(state)], women));
    }
    let rows: Vec<(&[Option<&str>], f64)> = rows.iter().map(|(row, n)| (&row[..], *n)).collect();
    let batch = cells(&["age", "sex", "state"], &rows);
    let margins = read(&usa, batch.clone());
    assert!(margins.id().starts_with("age; sex, state@"), "{}", margins.id());
    let started = std::time::Instant::now();
    let sampler = Sampler::to_margins(42, None, &margins).unwrap();
    println!("USA by age, and sex and state: {:?}, {:?}", started.elapsed(), sampler.plan());
    drawn_to(&sampler, &batch, &[&["age"], &["sex", "state"]]);

    let old = Predicate::Compare { variable: "age".into(), op: Comparison::GtEq, value: Value::Integer(65) };
    let statuses =
        [("never_married", 0.1), ("married_present", 0.5), ("separated", 0.05), ("divorced", 0.15), ("widowed", 0.2)];
    let rows: Vec<([Option<&str>; 1], f64)> = statuses.iter().map(|(name, n)| ([Some(*name)], *n)).collect();
    let rows: Vec<(&[Option<&str>], f64)> = rows.iter().map(|(row, n)| (&row[..], *n)).collect();
    let batch = cells(&["marital_status"], &rows);
    let sampler = Sampler::to_margins(42, Some(&old), &read(&usa, batch.clone())).unwrap();
    drawn_to(&sampler, &batch, &[&["marital_status"]]);
    // Evidence that is split into cases, and what somebody is like by what is known of them.
    let either = Predicate::Or(vec![old, equals("education_level", "graduate"), equals("state", "CA")]);
    let sampler = Sampler::to_margins(42, Some(&either), &read(&usa, batch.clone())).unwrap();
    drawn_to(&sampler, &batch, &[&["marital_status"]]);
    let people = sampler.draw(0..50, None).unwrap();
    for row in 0..50 {
        let facts: Vec<Predicate> = visible(&usa)
            .iter()
            .filter(|v| ["age", "education_level", "state"].contains(&v.name.as_str()))
            .map(|v| fact_of(&people, row, v))
            .collect();
        assert!(usa.probability(&Predicate::And([facts, vec![either.clone()]].concat())).unwrap() > 0.0);
    }
}

/// Two margins of other countries: one over bands or levels of a variable, and one over two variables together.
#[test]
fn other_countries_by_other_sets() {
    let sets: [(&str, &[&str], [&str; 3]); 3] = [
        ("japan", &["20-39", "40-64", "65+"], ["age", "region", "sex"]),
        ("india", &[], ["zone", "religion", "sex"]),
        ("singapore", &[], ["ethnicity", "dwelling_type", "sex"]),
    ];
    for (name, bands, of) in sets {
        let pack = shipped(name);
        let labels = of.map(|name| {
            let variable = pack.variable(name).unwrap();
            (0..variable.len()).map(|level| variable.label(level)).collect::<Vec<_>>()
        });
        let bands: Vec<&str> =
            if bands.is_empty() { labels[0].iter().map(String::as_str).collect() } else { bands.to_vec() };
        let mut random = Random(8);
        let mut of_all = |pack: &Pack, name: &str, label: &str| {
            let variable = pack.variable(name).unwrap();
            let p = variable.level(label).map_or(0.3, |level| pack.marginal(name).unwrap()[level]);
            p * (1.0 + random.below(3) as f64)
        };
        let mut rows: Vec<([Option<&str>; 3], f64)> =
            bands.iter().map(|band| ([Some(*band), None, None], of_all(&pack, of[0], band))).collect();
        for one in &labels[1] {
            for other in &labels[2] {
                rows.push(([None, Some(one), Some(other)], of_all(&pack, of[1], one)));
            }
        }
        let rows: Vec<(&[Option<&str>], f64)> = rows.iter().map(|(row, x)| (&row[..], *x)).collect();
        let batch = cells(&of, &rows);
        let sampler = Sampler::to_margins(2020, None, &read(&pack, batch.clone())).unwrap();
        drawn_to(&sampler, &batch, &[&of[..1], &of[1..]]);
    }
}

/// What takes too much is refused before it is taken.
#[test]
fn what_is_too_much_is_refused() {
    let refused = |country: &str, of: [&str; 2], count: usize| {
        let pack = shipped(country);
        let labels =
            of.map(|name| (0..count).map(|level| pack.variable(name).unwrap().label(level)).collect::<Vec<_>>());
        let rows: Vec<[Option<&str>; 2]> =
            labels[0].iter().zip(&labels[1]).map(|(a, b)| [Some(a.as_str()), Some(b.as_str())]).collect();
        let rows: Vec<(&[Option<&str>], f64)> = rows.iter().map(|row| (&row[..], 1.0)).collect();
        let margins = Margins::read(&pack, &[cells(&of, &rows)]);
        margins.and_then(|margins| Sampler::to_margins(1, None, &margins)).unwrap_err().to_string()
    };
    assert_eq!(
        refused("usa", ["zipcode", "last_name"], 2_100),
        "margins, the one over last_name, zipcode: it has 4414201 cells, more than 4194304: have fewer variables, or coarser bands"
    );
    let error = refused("india", ["occupation", "first_name"], 1_500);
    assert!(error.starts_with("margins, those over first_name, occupation: to draw to them needs "), "{error}");
    assert!(error.contains(" bytes, more than the bound of 268435456; what costs most is "), "{error}");
}

/// A country tilted by one variable alone has the margins of this tilt, and no other distribution that has them is as near:
/// margins over other variables of it change nothing. In every country, over random variables.
#[test]
fn margins_of_a_tilt_are_the_tilt() {
    let only = std::env::var("POPULACE_PACK").ok();
    for (name, pack) in packs().into_iter().filter(|(n, _)| only.as_ref().is_none_or(|o| o == n)) {
        let mut random = Random(name.len() as u64);
        let few: Vec<_> = visible(&pack).into_iter().filter(|v| v.len() <= 2_000).collect();
        for _ in 0..4 {
            let of = random.some(&few, 4);
            let by_label = |v: usize| (0..of[v].len()).map(|level| of[v].label(level)).collect::<Vec<_>>();
            let labels: Vec<Vec<String>> = (0..4).map(by_label).collect();
            let finest: Vec<Vec<u16>> = of.iter().map(|v| (0..v.len() as u16).collect()).collect();
            if of[1].len() * of[2].len() > 1 << 20 {
                continue;
            }
            let first = pack.marginal(&of[0].name).unwrap();
            let tilted: Vec<f64> = first.iter().map(|p| p * (1.0 + random.below(4) as f64)).collect();
            let rows: Vec<[Option<&str>; 3]> = labels[0].iter().map(|l| [Some(l.as_str()), None, None]).collect();
            let rows: Vec<(&[Option<&str>], f64)> = rows.iter().zip(&tilted).map(|(row, x)| (&row[..1], *x)).collect();
            let one = Sampler::to_margins(1, None, &read(&pack, cells(&[&of[0].name], &rows))).unwrap();
            let pair = one.joint(&[(&of[1].name, &finest[1]), (&of[2].name, &finest[2])]);
            let total: f64 = tilted.iter().sum();
            let mut rows: Vec<([Option<&str>; 3], f64)> =
                labels[0].iter().zip(&tilted).map(|(l, x)| ([Some(l.as_str()), None, None], x / total)).collect();
            let (wide, width) = (labels[1].as_slice(), of[2].len());
            match &pair {
                Ok(pair) => {
                    let cell =
                        |at: usize| [None, Some(wide[at / width].as_str()), Some(labels[2][at % width].as_str())];
                    rows.extend(pair.iter().enumerate().filter(|(_, x)| **x > 0.0).map(|(at, x)| (cell(at), *x)));
                }
                Err(Error::TooMuchMemory { .. }) => {
                    // Too much for both together, but not for each.
                    let of_1 = one.marginal(&of[1].name).unwrap();
                    let of_2 = one.marginal(&of[2].name).unwrap();
                    rows.extend(wide.iter().zip(of_1).map(|(l, x)| ([None, Some(l.as_str()), None], x)));
                    rows.extend(labels[2].iter().zip(of_2).map(|(l, x)| ([None, None, Some(l.as_str())], x)));
                }
                Err(error) => panic!("{error}"),
            }
            let rows: Vec<(&[Option<&str>], f64)> = rows.iter().map(|(row, x)| (&row[..], *x)).collect();
            let margins = read(&pack, cells(&[&of[0].name, &of[1].name, &of[2].name], &rows));
            let started = std::time::Instant::now();
            let all = Sampler::to_margins(1, None, &margins);
            let (took, plan) = (started.elapsed(), all.as_ref().map(Sampler::plan));
            println!("{name}: {}, {} cells: {took:?}, {plan:?}", margins.id(), rows.len());
            let all = all.unwrap();
            for variable in &of {
                let (a, b) = (all.marginal(&variable.name).unwrap(), one.marginal(&variable.name).unwrap());
                close(&format!("{name}, {}: {}", margins.id(), variable.name), &a, &b, 2e-9);
            }
        }
    }
}

/// Every variable of every country may have a margin of its own.
#[test]
fn every_variable_has_margins() {
    let only = std::env::var("POPULACE_PACK").ok();
    let mut refused = vec![];
    for (name, pack) in packs().into_iter().filter(|(n, _)| only.as_ref().is_none_or(|o| o == n)) {
        let mut random = Random(5);
        for variable in visible(&pack) {
            let Ok(marginal) = pack.marginal(&variable.name) else { continue };
            let shares: Vec<f64> = marginal.iter().map(|p| p * (1.0 + random.below(4) as f64)).collect();
            let labels: Vec<String> = (0..variable.len()).map(|level| variable.label(level)).collect();
            let rows: Vec<[Option<&str>; 1]> = labels.iter().map(|l| [Some(l.as_str())]).collect();
            let rows: Vec<(&[Option<&str>], f64)> = rows.iter().zip(&shares).map(|(row, x)| (&row[..], *x)).collect();
            let margins = read(&pack, cells(&[&variable.name], &rows));
            let started = std::time::Instant::now();
            let sampler = Sampler::to_margins(1, None, &margins);
            let took = started.elapsed();
            println!(
                "{name}: {}, {} levels: {took:?} {:?}",
                variable.name,
                labels.len(),
                sampler.as_ref().map(|s| s.plan().map(|p| p.bytes)).map_err(|e| e.to_string())
            );
            if let Err(error) = sampler {
                refused.push(format!("{name}: {}: {error}", variable.name));
            }
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

/// A variable and what is a function of it, in margins of their own and in one.
#[test]
fn margins_over_views_of_one_variable() {
    let usa = shipped("usa");
    let states = usa.marginal("state").unwrap();
    let labels = |name: &str| {
        let variable = usa.variable(name).unwrap();
        (0..variable.len()).map(|level| variable.label(level)).collect::<Vec<_>>()
    };
    let (state, region, status) = (labels("state"), labels("census_region"), labels("marital_status"));
    let tilted: Vec<f64> = states.iter().enumerate().map(|(at, p)| p * (1 + at % 3) as f64).collect();
    let rows: Vec<[Option<&str>; 3]> = state.iter().map(|l| [Some(l.as_str()), None, None]).collect();
    let rows: Vec<(&[Option<&str>], f64)> = rows.iter().zip(&tilted).map(|(row, x)| (&row[..1], *x)).collect();
    let one = Sampler::to_margins(1, None, &read(&usa, cells(&["state"], &rows))).unwrap();
    let finest = |labels: &[String]| (0..labels.len() as u16).collect::<Vec<_>>();
    let (regions, statuses) = (finest(&region), finest(&status));
    let pair = one.joint(&[("census_region", &regions), ("marital_status", &statuses)]).unwrap();
    let both = one.joint(&[("state", &finest(&state)), ("census_region", &regions)]).unwrap();
    let total: f64 = tilted.iter().sum();
    let label = |of: &[String], at: usize| -> Option<String> { Some(of[at].clone()) };
    let mut rows: Vec<([Option<String>; 3], f64)> =
        tilted.iter().enumerate().map(|(at, x)| ([label(&state, at), None, None], x / total)).collect();
    let cell = |at: usize| [None, label(&region, at / status.len()), label(&status, at % status.len())];
    rows.extend(pair.iter().enumerate().map(|(at, x)| (cell(at), *x)));
    let drawn = |rows: &[([Option<String>; 3], f64)]| {
        let rows: Vec<([Option<&str>; 3], f64)> =
            rows.iter().map(|(row, x)| (std::array::from_fn(|at| row[at].as_deref()), *x)).collect();
        let rows: Vec<(&[Option<&str>], f64)> = rows.iter().map(|(row, x)| (&row[..], *x)).collect();
        Sampler::to_margins(1, None, &read(&usa, cells(&["state", "census_region", "marital_status"], &rows)))
    };
    let apart = drawn(&rows).unwrap();
    // One margin over both, of which the one over the states follows.
    let cell = |at: usize| [label(&state, at / region.len()), label(&region, at % region.len()), None];
    rows.extend(both.iter().enumerate().map(|(at, x)| (cell(at), *x)));
    let together = drawn(&rows).unwrap();
    for sampler in [apart, together] {
        for name in ["state", "census_region", "marital_status", "sex", "race_ethnicity", "county"] {
            close(name, &sampler.marginal(name).unwrap(), &one.marginal(name).unwrap(), 2e-9);
        }
    }
    // A state goes with one region: nobody is of another.
    let wrong = [([Some("CA".to_string()), Some("south".to_string()), None], 1.0)];
    let error = drawn(&wrong).unwrap_err().to_string();
    assert!(error.contains("nobody in this population is in census_region = 'south' AND state = 'CA'"), "{error}");
}

/// Margins of too many cells together for one table are fitted by elimination: counties, ages and occupations of the USA, as
/// they would be were its men three times as many.
#[test]
fn margins_of_many_cells_together() {
    let usa = shipped("usa");
    let men = read(&usa, cells(&["sex"], &[(&[Some("Male")], 3.0), (&[Some("Female")], 1.0)]));
    let men = Sampler::to_margins(1, None, &men).unwrap();
    let of = ["county", "age", "occupation"];
    let labels = of.map(|name| {
        let variable = usa.variable(name).unwrap();
        (0..variable.len()).map(|level| variable.label(level)).collect::<Vec<_>>()
    });
    let mut rows: Vec<([Option<&str>; 4], f64)> =
        vec![([None, None, None, Some("Male")], 0.75), ([None, None, None, Some("Female")], 0.25)];
    for (at, name) in of.iter().enumerate() {
        for (label, share) in labels[at].iter().zip(men.marginal(name).unwrap()) {
            let mut row = [None; 4];
            row[at] = Some(label.as_str());
            rows.push((row, share));
        }
    }
    let rows: Vec<(&[Option<&str>], f64)> = rows.iter().map(|(row, x)| (&row[..], *x)).collect();
    let margins = read(&usa, cells(&["county", "age", "occupation", "sex"], &rows));
    let started = std::time::Instant::now();
    let sampler = Sampler::to_margins(1, None, &margins).unwrap();
    println!("{}: {:?}, {:?}", margins.id(), started.elapsed(), sampler.plan());
    for name in ["county", "age", "occupation", "sex", "marital_status", "education_level", "state"] {
        close(name, &sampler.marginal(name).unwrap(), &men.marginal(name).unwrap(), 1e-8);
    }
}

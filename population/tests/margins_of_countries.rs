//! Draws of shipped countries to margins: against the margins themselves, what is inferred, and tilts that are known.

mod support;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, RecordBatch};
use populace_population::{Comparison, Error, Levels, Margins, Pack, Predicate, Sampler, Value, equals};
use support::margins::{agree, cells, close, read, wrong};
use support::questions::{Random, fact_of, packs, visible};

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

/// Variables whose own margin takes more than the bound: 741 occupations with all that they hang on.
const TOO_LARGE: [(&str, &str); 1] = [("japan", "occupation")];

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
            let known = TOO_LARGE.contains(&(name.as_str(), variable.name.as_str()));
            if known && sampler.as_ref().is_err_and(|e| e.to_string().contains("more than the bound")) {
                continue;
            }
            assert!(!known, "{name}: {} has its margin now: it is too large no more", variable.name);
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

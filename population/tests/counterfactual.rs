//! Twins: the same people with something otherwise, and those alone who depend on it changed.

mod support;

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray, StringViewArray};
use arrow_schema::{DataType, Field, Schema};
use populace_population::{Counterfactual, Levels, Pack, Sampler, Value, interventional};
use proptest::prelude::*;
use support::questions::{Random, packs};
use support::{Node, Small};

fn pack(name: &str) -> Arc<Pack> {
    packs().into_iter().find(|(n, _)| n == name).unwrap().1
}

fn set(name: &str, value: &str) -> Vec<(String, Value)> {
    vec![(name.into(), Value::Text(value.into()))]
}

fn keep(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| n.to_string()).collect()
}

fn without(batch: &RecordBatch, names: &[&str]) -> RecordBatch {
    let schema = batch.schema();
    let kept: Vec<usize> =
        (0..schema.fields().len()).filter(|i| !names.contains(&schema.field(*i).name().as_str())).collect();
    batch.project(&kept).unwrap()
}

/// The level of each row; the level that is NULL for NULL.
fn levels(pack: &Pack, batch: &RecordBatch, name: &str) -> Vec<usize> {
    let (variable, column) = (pack.variable(name).unwrap(), batch.column_by_name(name).unwrap());
    let of = |row: usize| match (&variable.levels, column.is_null(row)) {
        (_, true) => usize::from(variable.null_level.unwrap()),
        (Levels::Text(_), _) => column.as_dictionary::<Int32Type>().keys().value(row) as usize,
        (Levels::Integer { min, .. }, _) => (column.as_primitive::<Int32Type>().value(row) - min) as usize,
    };
    (0..batch.num_rows()).map(of).collect()
}

/// Pearson's test, with rare levels pooled: five standard deviations of its approximately normal statistic.
fn agrees(what: &str, seen: &[usize], expected: &[f64]) {
    let rows = seen.len() as f64;
    let mut counts = vec![0.0; expected.len()];
    seen.iter().for_each(|l| counts[*l] += 1.0);
    let (mut chi, mut df, mut rare) = (0.0, -1.0f64, (0.0, 0.0));
    for (count, p) in counts.iter().zip(expected) {
        match p * rows >= 10.0 {
            true => {
                chi += (count - p * rows).powi(2) / (p * rows);
                df += 1.0;
            }
            false => rare = (rare.0 + count, rare.1 + p * rows),
        }
    }
    if rare.1 >= 10.0 {
        chi += (rare.0 - rare.1).powi(2) / rare.1;
        df += 1.0;
    }
    assert!(
        df < 1.0 || chi < df + 5.0 * (2.0 * df).sqrt() + 5.0,
        "{what}: chi-square {chi} at {df} degrees of freedom"
    );
}

/// What does not depend on what is set is equal in all pairs, and whoever has the value already is the very same.
#[test]
fn only_descendants_differ() {
    let usa = pack("usa");
    let twins = Counterfactual::new(usa.clone(), &set("sex", "Male"), &[]).unwrap();
    let affected: Vec<String> = twins.affected().into_iter().map(String::from).collect();
    assert!(affected.contains(&"age".into()) && affected.contains(&"first_name".into()), "{affected:?}");
    let people = Sampler::new(usa.clone(), 1).draw(0..10_000, None).unwrap();
    let male = levels(&usa, &people, "sex");
    // By their own words, and by what is stated of them alone.
    for people in [people.clone(), without(&people, &["seed", "row_index"])] {
        let batch = twins.twins(&people).unwrap();
        assert_eq!(batch.schema(), twins.schema());
        assert_eq!(batch.num_rows(), 10_000);
        let mut changed = vec![];
        for field in people.schema().fields() {
            let (before, after) =
                (people.column_by_name(field.name()).unwrap(), batch.column_by_name(field.name()).unwrap());
            if ["uuid", "seed", "row_index", "given", "sex"].contains(&field.name().as_str()) {
                continue;
            }
            let differ: Vec<usize> = (0..10_000).filter(|r| before.slice(*r, 1) != after.slice(*r, 1)).collect();
            assert!(differ.iter().all(|r| usa.variable("sex").unwrap().label(male[*r]) != "Male"), "{}", field.name());
            if !differ.is_empty() {
                assert!(affected.contains(field.name()), "{} differs", field.name());
                changed.push(field.name().clone());
            }
        }
        assert!(changed.contains(&"first_name".into()) && changed.contains(&"age".into()), "{changed:?}");
        assert!(levels(&usa, &batch, "sex").iter().all(|l| usa.variable("sex").unwrap().label(*l) == "Male"));
        assert_eq!(batch.column_by_name("twin_of"), people.column_by_name("uuid"));
        assert_eq!(batch.column_by_name("seed").unwrap().null_count(), 10_000);
        // Neither the order of rows nor the batch makes a difference, nor the order of columns.
        assert_eq!(twins.twins(&people.slice(700, 90)).unwrap(), batch.slice(700, 90));
        let schema = people.schema();
        let reversed: Vec<usize> = (0..schema.fields().len()).rev().collect();
        assert_eq!(twins.twins(&people.project(&reversed).unwrap().slice(5, 50)).unwrap(), batch.slice(5, 50));
    }
}

#[test]
fn what_is_kept_stays() {
    let usa = pack("usa");
    let people = Sampler::new(usa.clone(), 2).draw(0..2_000, None).unwrap();
    let kept = ["age", "marital_status", "occupation"];
    let some = Counterfactual::new(usa.clone(), &set("sex", "Female"), &keep(&kept)).unwrap();
    assert!(kept.iter().all(|k| !some.affected().contains(k)));
    let all = Counterfactual::new(usa, &set("sex", "Female"), &[]).unwrap();
    let (some, all) = (some.twins(&people).unwrap(), all.twins(&people).unwrap());
    for name in kept {
        assert_eq!(some.column_by_name(name), people.column_by_name(name), "{name}");
        assert_ne!(all.column_by_name(name), people.column_by_name(name), "{name}");
    }
    assert_ne!(some.column_by_name("uuid"), all.column_by_name("uuid"));
}

/// Twins of a sample of the population are a sample of P(Y | do(X)), whether their words are known or not.
#[test]
fn twins_are_drawn_from_the_intervened_network() {
    let usa = pack("usa");
    let people = Sampler::new(usa.clone(), 3).draw(0..20_000, None).unwrap();
    let few = ["uuid", "age", "sex", "state", "marital_status", "occupation"];
    let schema = people.schema();
    let others: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).filter(|n| !few.contains(n)).collect();
    let samples = [people.clone(), without(&people, &["seed", "row_index"]), without(&people, &others)];
    for (name, value) in [("sex", "Male"), ("state", "CA"), ("marital_status", "widowed"), ("age", "40")] {
        let mut set = set(name, value);
        set.iter_mut().filter(|(n, _)| n == "age").for_each(|(_, v)| *v = Value::Integer(40));
        let twins = Counterfactual::new(usa.clone(), &set, &[]).unwrap();
        let batches: Vec<RecordBatch> = samples.iter().map(|s| twins.twins(s).unwrap()).collect();
        for variable in [
            "age",
            "race_ethnicity",
            "marital_status",
            "education_level",
            "labour_status",
            "first_name",
            "household_size",
        ] {
            let expected = interventional(&usa, &set, variable).unwrap();
            for (at, batch) in batches.iter().enumerate() {
                agrees(&format!("{variable} | do({name}), sample {at}"), &levels(&usa, batch, variable), &expected);
            }
        }
    }
}

/// Of two people of one sex and state, the older one has the twin who is not younger.
#[test]
fn integers_keep_their_order() {
    let usa = pack("usa");
    let people = Sampler::new(usa.clone(), 4).draw(0..20_000, None).unwrap();
    let batch = Counterfactual::new(usa.clone(), &set("sex", "Male"), &[]).unwrap().twins(&people).unwrap();
    let (before, after) = (levels(&usa, &people, "age"), levels(&usa, &batch, "age"));
    let (sex, state) = (levels(&usa, &people, "sex"), levels(&usa, &people, "state"));
    let mut groups: HashMap<(usize, usize), Vec<(usize, usize)>> = HashMap::new();
    for row in 0..before.len() {
        groups.entry((sex[row], state[row])).or_default().push((before[row], after[row]));
    }
    for group in groups.values_mut() {
        group.sort();
        for pair in group.windows(2).filter(|p| p[0].0 < p[1].0) {
            assert!(pair[0].1 <= pair[1].1, "{pair:?}");
        }
    }
}

/// In every country, by their own words or by what is stated, whatever is set.
#[test]
fn every_country_has_twins() {
    for (name, pack) in packs() {
        let people = Sampler::new(pack.clone(), 5).draw(0..300, None).unwrap();
        let mut random = Random(7);
        let visible = support::questions::visible(&pack);
        for variable in random.some(&visible, 6) {
            let value = match &variable.levels {
                Levels::Text(names) if variable.null_level != Some(0) => Value::Text(names[0].clone()),
                Levels::Text(_) => Value::Null,
                Levels::Integer { min, .. } => Value::Integer(i64::from(*min)),
            };
            let twins = Counterfactual::new(pack.clone(), &[(variable.name.clone(), value)], &[]).unwrap();
            for people in [people.clone(), without(&people, &["seed"])] {
                match twins.twins(&people) {
                    Ok(batch) => {
                        for v in &visible {
                            if v.name != variable.name && !twins.affected().contains(&v.name.as_str()) {
                                assert_eq!(batch.column_by_name(&v.name), people.column_by_name(&v.name), "{name}");
                            }
                        }
                    }
                    // Some values are nobody's with the rest of somebody's facts.
                    Err(e) => assert!(e.to_string().contains("has no twin"), "{name}: {e}"),
                }
            }
        }
    }
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields: Vec<Field> = columns.iter().map(|(n, a)| Field::new(*n, a.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, a)| a).collect()).unwrap()
}

/// Rows from elsewhere, with few columns of other kinds, and NULLs.
#[test]
fn rows_from_elsewhere() {
    let usa = pack("usa");
    let people = batch(vec![
        ("height", Arc::new(Int64Array::from(vec![Some(180), None, None]))),
        ("state", Arc::new(StringViewArray::from(vec![Some("TX"), None, Some("NY")]))),
        ("age", Arc::new(Int64Array::from(vec![Some(30), Some(70), None]))),
        ("sex", Arc::new(StringArray::from(vec!["Female", "Female", "Male"]))),
        ("uuid", Arc::new(StringArray::from(vec!["a", "b", "c"]))),
    ]);
    let twins = Counterfactual::new(usa.clone(), &set("sex", "Male"), &keep(&["age"])).unwrap();
    let made = twins.twins(&people).unwrap();
    assert_eq!(made, twins.twins(&people).unwrap());
    let age = made.column_by_name("age").unwrap().as_primitive::<Int32Type>();
    assert_eq!((age.value(0), age.value(1)), (30, 70));
    let label = |name: &str, row: usize| usa.variable(name).unwrap().label(levels(&usa, &made, name)[row]);
    assert_eq!((label("state", 0).as_str(), label("state", 2).as_str()), ("TX", "NY"));
    assert_eq!(made.column_by_name("state").unwrap().null_count(), 0);
    assert_eq!(
        made.column_by_name("pack").unwrap().data_type(),
        usa.schema().field_with_name("pack").unwrap().data_type()
    );
    // An empty batch has no twins, and nobody is asked for.
    assert_eq!(twins.twins(&people.slice(0, 0)).unwrap().num_rows(), 0);
}

#[test]
fn errors_say_what_was_wrong() {
    let usa = pack("usa");
    let new = |set: &[(String, Value)], k: &[&str]| {
        Counterfactual::new(usa.clone(), set, &keep(k)).map(|_| ()).unwrap_err().to_string()
    };
    assert!(new(&set("sexe", "Male"), &[]).contains("did you mean `sex`"));
    assert!(new(&set("sex", "Mael"), &[]).contains("did you mean `Male`"));
    assert!(new(&set("sex", "Male"), &["agee"]).contains("did you mean `age`"));
    assert!(new(&set("sex", "Male"), &["sex"]).contains("kept as well"));
    assert!(new(&[set("sex", "Male"), set("sex", "Female")].concat(), &[]).contains("twice"));
    let list = usa.list_names().next().unwrap();
    assert!(new(&set(list, "x"), &[]).contains("list") && new(&[], &[list]).contains("list"));
    assert!(new(&set("age", "x"), &[]).contains("an integer"));
    assert!(new(&[("sex".into(), Value::Null)], &[]).contains("never NULL"));
    let twins = Counterfactual::new(usa.clone(), &set("sex", "Male"), &[]).unwrap();
    let fault = |columns| twins.twins(&batch(columns)).unwrap_err().to_string();
    let one = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
    assert!(fault(vec![("sex", one("Male"))]).contains("`uuid`"));
    let message = fault(vec![("uuid", one("a")), ("state", one("TX")), ("city", one("Boise"))]);
    assert!(message.contains("person `a`") && message.contains("state = 'TX'"), "{message}");
    assert!(fault(vec![("uuid", one("a")), ("age", one("old"))]).contains("column `age`"));
    assert!(fault(vec![("uuid", one("a")), ("state", one("Texas"))]).contains("unknown level of `state`: `Texas`"));
    assert!(fault(vec![("uuid", Arc::new(StringArray::from(vec![None::<&str>])))]).contains("row 0"));
    assert!(interventional(&usa, &set("sex", "Male"), "agee").unwrap_err().to_string().contains("`age`"));
    assert_eq!(*usa.schema().field_with_name("uuid").unwrap().data_type(), DataType::Utf8);
}

/// Weights like these that add up to 64, so that thresholds of 32 bits have their shares to the last bit.
fn dyadic(weights: &[u32]) -> Vec<u32> {
    let sum: u32 = weights.iter().sum();
    let mut scaled: Vec<u32> = weights.iter().map(|w| (w * 64 / sum).max(1)).collect();
    let rest = 64 - scaled.iter().skip(1).sum::<u32>();
    scaled[0] = rest;
    scaled
}

fn network() -> impl Strategy<Value = Small> {
    // Weights without zeros: all that can be set can be met.
    prop::collection::vec((2usize..=4, any::<[bool; 4]>(), prop::collection::vec(1u32..7, 1024)), 2..=5).prop_map(
        |specs| {
            let mut nodes: Vec<Node> = vec![];
            for (v, (levels, links, weights)) in specs.into_iter().enumerate() {
                let parents: Vec<usize> = (0..v).filter(|p| links[p % 4]).collect();
                let configs: usize = parents.iter().map(|p| nodes[*p].levels).product();
                let row = |c: usize| (0..levels).map(|l| weights[(c * levels + l) % 1024]).collect::<Vec<u32>>();
                let weights = (0..configs).map(|c| dyadic(&row(c))).collect();
                nodes.push(Node { levels, parents, weights });
            }
            Small { nodes }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// P(Y | do(X)) by the engine and by enumeration of the network without the arrows into X.
    #[test]
    fn interventions_agree_with_enumeration(small in network(), at in 0usize..5, level in 0usize..4) {
        let pack = small.pack();
        let x = at % small.nodes.len();
        let level = level % small.nodes[x].levels;
        let value = match Small::is_integer(x) {
            true => Value::Integer(level as i64),
            false => Value::Text(Small::label(x, level)),
        };
        let set = [(format!("x{x}"), value)];
        let mut cut = small.clone();
        cut.nodes[x].parents = vec![];
        cut.nodes[x].weights = vec![(0..small.nodes[x].levels).map(|l| u32::from(l == level)).collect()];
        let people = Sampler::new(pack.clone(), 1).draw(0..2_000, None).unwrap();
        let twins = Counterfactual::new(pack.clone(), &set, &[]).unwrap();
        let batches = [twins.twins(&people).unwrap(), twins.twins(&without(&people, &["seed", "x1"])).unwrap()];
        for (y, node) in small.nodes.iter().enumerate() {
            let mut expected = vec![0.0; node.levels];
            cut.enumerate().into_iter().for_each(|(levels, p)| expected[levels[y]] += p);
            let name = format!("x{y}");
            let got = interventional(&pack, &set, &name).unwrap();
            for (g, e) in got.iter().zip(&expected) {
                prop_assert!((g - e).abs() < 1e-9, "{name}: {got:?}, {expected:?}");
            }
            for batch in &batches {
                agrees(&name, &levels(&pack, batch, &name), &got);
            }
        }
    }
}

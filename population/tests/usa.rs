//! The pack of the USA: its network has its figures, and what cannot be is refused.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use populace_population::{Comparison, Error, Pack, Predicate, Sampler, Value, equals};

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/usa")
}

fn pack() -> Arc<Pack> {
    Pack::open(&dir().join("usa.pack")).unwrap()
}

/// A figure is met by the compiled network too, not only by the table that was raked: by exact inference, cell by cell.
#[test]
fn the_network_reproduces_a_figure() {
    let pack = pack();
    let widowed = |sex: &str, low: i64, high: i64| {
        Predicate::And(vec![
            equals("marital_status", "widowed"),
            equals("sex", sex),
            equals("state", "OH"),
            between(low, high),
        ])
    };
    let group = |sex: &str, low: i64, high: i64| {
        Predicate::And(vec![equals("sex", sex), equals("state", "OH"), between(low, high)])
    };
    let share = |sex, low, high| {
        pack.probability(&widowed(sex, low, high)).unwrap() / pack.probability(&group(sex, low, high)).unwrap()
    };
    let figure = pack.figures().iter().find(|f| f.name == "marital_age_sex_state").unwrap().batch().unwrap();
    let text = |name: &str, row: usize| {
        use arrow_array::cast::AsArray;
        let column = figure.column_by_name(name).unwrap().as_dictionary::<arrow_array::types::Int32Type>();
        column.values().as_string::<i32>().value(column.keys().value(row) as usize).to_string()
    };
    use arrow_array::cast::AsArray;
    let counts = figure.column(figure.num_columns() - 1).as_primitive::<arrow_array::types::Float64Type>().values();
    let mut checked = 0;
    let age = figure.schema().fields().iter().find(|f| f.name().starts_with("age")).unwrap().name().clone();
    let marital = figure.schema().fields().iter().find(|f| f.name().starts_with("marital")).unwrap().name().clone();
    for (band, low, high) in [("65-74", 65, 74), ("75-84", 75, 84)] {
        for sex in ["Female", "Male"] {
            let rows: Vec<usize> = (0..figure.num_rows())
                .filter(|r| text("sex", *r) == sex && text("state", *r) == "OH" && text(&age, *r) == band)
                .collect();
            let total: f64 = rows.iter().map(|r| counts[*r]).sum();
            let widowed: f64 = rows.iter().filter(|r| text(&marital, **r) == "widowed").map(|r| counts[*r]).sum();
            assert!(widowed > 0.0);
            assert!((share(sex, low, high) - widowed / total).abs() < 1e-6, "{sex} {band}");
            checked += 1;
        }
    }
    assert_eq!(checked, 4);
}

fn between(low: i64, high: i64) -> Predicate {
    Predicate::Between { variable: "age".into(), low: Value::Integer(low), high: Value::Integer(high), negated: false }
}

/// Structural zeros hold in the compiled network.
#[test]
fn what_cannot_be_is_refused() {
    let pack = pack();
    let at_most = |age| Predicate::Compare { variable: "age".into(), op: Comparison::LtEq, value: Value::Integer(age) };
    for impossible in [
        vec![at_most(19), equals("education_level", "graduate")],
        vec![equals("labour_status", "not_in_labor_force"), equals("occupation", "registered_nurses")],
        vec![equals("education_level", "high_school"), equals("bachelors_field", "stem")],
        vec![
            equals("living_arrangement", "lives_alone"),
            Predicate::Compare { variable: "household_size".into(), op: Comparison::Gt, value: Value::Integer(1) },
        ],
    ] {
        let given = Predicate::And(impossible);
        assert!(matches!(Sampler::given(pack.clone(), 1, &given), Err(Error::Impossible { .. })), "{given}");
    }
}

/// A part that is impossible alone is named alone, and a level that is NULL is asked for by IS NULL.
#[test]
fn the_smallest_contradiction_is_named() {
    let pack = pack();
    let young = Predicate::Compare { variable: "age".into(), op: Comparison::Lt, value: Value::Integer(20) };
    let nobody = Predicate::In { variable: "sex".into(), values: vec![], negated: false };
    for parts in [
        vec![young.clone(), equals("education_level", "graduate"), nobody.clone()],
        vec![nobody, young.clone(), equals("education_level", "graduate")],
    ] {
        let error = Sampler::given(pack.clone(), 1, &Predicate::And(parts)).unwrap_err().to_string();
        assert_eq!(error, "nobody in this population satisfies sex IN ()");
    }
    let parts = vec![equals("sex", "Male"), young, equals("state", "OH"), equals("education_level", "graduate")];
    match Sampler::given(pack.clone(), 1, &Predicate::And(parts)) {
        Err(Error::Impossible { predicates }) => {
            assert_eq!(predicates, ["age < 20", "education_level = 'graduate'"]);
        }
        other => panic!("{other:?}"),
    }
    let error = pack.probability(&equals("occupation_group", "none")).unwrap_err().to_string();
    assert!(error.contains("occupation_group IS NULL"), "{error}");
}

//! Drawing people of the USA, all facts and names, to Arrow: plain, and under evidence from common to very rare.
//!
//! `cargo bench -p populace-population`

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use populace_population::{Comparison, Pack, Predicate, Sampler, Value, equals};

const ROWS: u64 = 65_536;

fn file() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/usa/usa.pack")
}

fn at_least(age: i64) -> Predicate {
    Predicate::Compare { variable: "age".into(), op: Comparison::GtEq, value: Value::Integer(age) }
}

fn evidence() -> Vec<(&'static str, Option<Predicate>)> {
    let retired = at_least(65);
    let wyoming = Predicate::And(vec![equals("state", "WY"), at_least(90)]);
    let judge = Predicate::And(vec![
        equals("state", "WY"),
        equals("sex", "Female"),
        at_least(75),
        Predicate::Like {
            variable: "occupation".into(),
            pattern: "%judge%".into(),
            negated: false,
            case_insensitive: false,
            escape: None,
        },
    ]);
    vec![
        ("everybody", None),
        ("65 and over", Some(retired)),
        ("Wyoming, 90 and over", Some(wyoming)),
        ("Wyoming, judges, women, 75 and over", Some(judge)),
    ]
}

fn draw(c: &mut Criterion) {
    let bytes = std::fs::read(file()).expect("the compiled pack of the USA");
    c.bench_function("load the pack and draw one person", |b| {
        b.iter(|| {
            let pack = Pack::from_bytes(black_box(&bytes)).expect("a sound pack");
            Sampler::new(pack, 1).draw(0..1, None).expect("one person")
        });
    });
    let pack = Pack::from_bytes(&bytes).expect("a sound pack");
    let mut group = c.benchmark_group("draw all facts");
    group.throughput(Throughput::Elements(ROWS));
    for (name, given) in evidence() {
        let sampler = sampler(&pack, given.as_ref());
        let name = format!("{name} (P = {:.1e})", sampler.probability());
        let mut from = 0;
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| {
                from += ROWS;
                sampler.draw(from..from + ROWS, None).expect("a batch")
            });
        });
    }
    group.finish();
    let mut group = c.benchmark_group("prepare evidence");
    for (name, given) in evidence() {
        if let Some(given) = given {
            group.bench_function(BenchmarkId::from_parameter(name), |b| b.iter(|| sampler(&pack, Some(&given))));
        }
    }
    group.finish();
}

fn sampler(pack: &Arc<Pack>, given: Option<&Predicate>) -> Sampler {
    match given {
        Some(given) => Sampler::given(pack.clone(), 1, given).expect("possible evidence"),
        None => Sampler::new(pack.clone(), 1),
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(4)).warm_up_time(Duration::from_secs(1)).sample_size(20);
    targets = draw
}
criterion_main!(benches);

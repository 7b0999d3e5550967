//! How fast people are drawn and completed: `cargo run --release -p populace-population --example speed -- FILE.pack…`.
//! For each pack: its size and the memory that it takes, the median of the times to load it, and for draws of all columns
//! and completions the best rate of some runs: from five facts; with `POPULACE_LONG=1`, each of 20 sets of five at random.
//! `NODRAW=1` leaves the draws out. `RAYON_NUM_THREADS` sets the number of threads.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::RecordBatch;
use populace_population::{Completion, OnImpossible, Pack, Sampler, permuted};

const BATCH: u64 = 65_536;
/// Age, sex, a place, education and occupation, by what packs call them.
const STATED: [&[&str]; 5] =
    [&["age"], &["sex"], &["state", "prefecture", "planning_area", "uf"], &["education"], &["occupation"]];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("| pack | file MB | memory MB | with guides MB | loaded ms | rows/s | completed rows/s, first | then |");
    println!("|---|---|---|---|---|---|---|---|");
    for file in std::env::args().skip(1) {
        let before = resident();
        let pack = Pack::open(file.as_ref())?;
        let memory = resident() - before;
        let mut times = vec![];
        for _ in 0..9 {
            let started = Instant::now();
            let loaded = Pack::open(file.as_ref())?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
            drop(loaded);
        }
        times.sort_by(f64::total_cmp);
        let sampler = Sampler::new(pack.clone(), 1);
        let before = resident();
        sampler.draw(0..4096, Some(&(0..sampler.schema().fields().len()).collect::<Vec<_>>()))?;
        let guided = memory + resident() - before;
        let drawn = best(if std::env::var_os("NODRAW").is_some() { 0 } else { 5 }, 16 * BATCH, |run| {
            for batch in 0..16 {
                let from = (run * 16 + batch) * BATCH;
                sampler.draw(from..from + BATCH, None)?;
            }
            Ok(())
        })?;
        let completion = Completion::new(pack.clone(), 1, OnImpossible::Error).nulls_are_known(true);
        let rows = 20_000;
        let complete = |run: u64| {
            let people = stated(&pack, &sampler.draw(run * rows..(run + 1) * rows, None)?)?;
            let keys: Vec<Vec<u8>> = (0..rows).map(|key| (run * rows + key).to_le_bytes().to_vec()).collect();
            completion.complete(&people, &keys)?;
            Ok(())
        };
        let (first, then) = (best(1, rows, complete)?, best(3, rows, |run| complete(run + 1))?);
        let rows = 2_000;
        let people = sampler.draw(0..rows, None)?;
        let keys: Vec<Vec<u8>> = (0..rows).map(|key| key.to_le_bytes().to_vec()).collect();
        let mut random = vec![];
        let patterns = if std::env::var_os("POPULACE_LONG").is_some() { 20 } else { 0 };
        for pattern in 0..patterns {
            let schema = people.schema();
            let facts = (1..schema.fields().len() - 5).filter(|c| !schema.field(*c).data_type().is_nested());
            let facts: Vec<usize> = facts.collect();
            // Five of them, the same whenever it is run.
            let mut of = (0..5).map(|n| facts[permuted(pattern * 5 + n, 1) as usize % facts.len()]).collect::<Vec<_>>();
            of.sort_unstable();
            of.dedup();
            let known = people.project(&of)?;
            let completion = Completion::new(pack.clone(), 1, OnImpossible::Error).nulls_are_known(true);
            random.push(best(1, rows, |_| completion.complete(&known, &keys).map(drop).map_err(Into::into))?);
            let names: Vec<&str> = of.iter().map(|c| schema.field(*c).name().as_str()).collect();
            eprintln!("{:.0} rows/s: {}", random[random.len() - 1], names.join(", "));
        }
        println!(
            "| {} | {:.1} | {memory:.1} | {guided:.1} | {:.1} | {drawn:.0} | {first:.0} | {then:.0} |",
            pack.name(),
            std::fs::metadata(Path::new(&file))?.len() as f64 / 1e6,
            times[times.len() / 2],
        );
    }
    Ok(())
}

/// Rows a second in the best of some runs.
fn best(
    runs: u64,
    rows: u64,
    run: impl Fn(u64) -> Result<(), Box<dyn std::error::Error>>,
) -> Result<f64, Box<dyn std::error::Error>> {
    let mut best: f64 = 0.0;
    for number in 0..runs {
        let started = Instant::now();
        run(number)?;
        best = best.max(rows as f64 / started.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// People of whom only some facts are known.
fn stated(pack: &Arc<Pack>, people: &RecordBatch) -> Result<RecordBatch, Box<dyn std::error::Error>> {
    let schema = pack.schema();
    let column = |names: &[&str]| {
        let exact = schema.fields().iter().position(|f| names.contains(&f.name().as_str()));
        exact.or_else(|| schema.fields().iter().position(|f| names.iter().any(|n| f.name().starts_with(n))))
    };
    let columns: Vec<usize> = STATED.iter().filter_map(|names| column(names)).collect();
    Ok(people.project(&columns)?)
}

/// Megabytes of memory that the process holds, where the system tells.
fn resident() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0.0) * 4096.0 / 1e6
}

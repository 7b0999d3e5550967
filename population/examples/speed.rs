//! How fast people are drawn and completed: `cargo run --release -p populace-population --example speed -- FILE.pack…`.
//! For each pack: its size and the memory that it takes, the median of the times to load it, and for draws of all columns
//! and completions from five facts the best rate of some runs. With `PATTERNS=40` instead, for so many sets of five facts at
//! random, always the same ones: how many rows are completed in a second, from the
//! second row on, and how long the first row takes; slowest first.
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
    if let Some(patterns) = std::env::var("PATTERNS").ok().and_then(|n| n.parse().ok()) {
        return std::env::args().skip(1).try_for_each(|file| random(&file, patterns));
    }
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
        println!(
            "| {} | {:.1} | {memory:.1} | {guided:.1} | {:.1} | {drawn:.0} | {first:.0} | {then:.0} |",
            pack.name(),
            std::fs::metadata(Path::new(&file))?.len() as f64 / 1e6,
            times[times.len() / 2],
        );
    }
    Ok(())
}

/// Times completions of rows of which five facts are known, any five that people have.
fn random(file: &str, patterns: u128) -> Result<(), Box<dyn std::error::Error>> {
    const PEOPLE: u64 = 20_000;
    const BATCH: u64 = 500;
    const SECONDS: f64 = 1.0;
    let pack = Pack::open(file.as_ref())?;
    let people = Sampler::new(pack.clone(), 1).draw(0..PEOPLE, None)?;
    let keys: Vec<Vec<u8>> = (0..PEOPLE).map(|key| key.to_le_bytes().to_vec()).collect();
    let schema = people.schema();
    let facts = pack.variables().iter().filter_map(|v| schema.index_of(&v.name).ok());
    let facts: Vec<usize> = facts.filter(|c| !schema.field(*c).data_type().is_nested()).collect();
    let mut rates = vec![];
    for pattern in 0..patterns {
        let mut of: Vec<usize> = vec![];
        for fact in (0..).map(|n| facts[permuted(pattern * 1000 + n, 1) as usize % facts.len()]) {
            if !of.contains(&fact) {
                of.push(fact);
            }
            if of.len() == 5.min(facts.len()) {
                break;
            }
        }
        let known = people.project(&of)?;
        let completion = Completion::new(pack.clone(), 1, OnImpossible::Error).nulls_are_known(true);
        // What the first row takes is mostly the plan for all that have the same facts known.
        let started = Instant::now();
        completion.complete(&known.slice(0, 1), &keys[..1])?;
        let first = started.elapsed().as_secs_f64() * 1e3;
        let (started, before) = (Instant::now(), cpu());
        let mut done = 0;
        while done < PEOPLE && started.elapsed().as_secs_f64() < SECONDS {
            let batch = BATCH.min(PEOPLE - done) as usize;
            completion.complete(&known.slice(done as usize, batch), &keys[done as usize..done as usize + batch])?;
            done += batch as u64;
        }
        let rate = done as f64 / started.elapsed().as_secs_f64();
        let each = (cpu() - before) / done as f64 * 1e6;
        let names: Vec<&str> = of.iter().map(|c| schema.field(*c).name().as_str()).collect();
        rates.push((rate, each, first, names.join(", ")));
    }
    rates.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (rate, each, first, names) in &rates {
        println!("{}: {rate:.0} rows/s, {each:.0} us of processor each, the first {first:.0} ms: {names}", pack.name());
    }
    if let Some((median, ..)) = rates.get(rates.len() / 2) {
        println!("{}: median {median:.0}, least {:.0} rows/s", pack.name(), rates[0].0);
    }
    Ok(())
}

/// Seconds of processor that the process has taken, where the system tells.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let times = stat.rsplit(')').next().unwrap_or_default().split(' ').skip(12).take(2);
    times.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
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

//! Draws people from a compiled pack and prints them: `cargo run --release -p populace-population --example draw --
//! datasets/usa/usa.pack 3 --given state=WY --columns sex,age`. With a count of 100,000 or more it prints the rate
//! instead; with `--csv`, the rows as CSV, however many. `RAYON_NUM_THREADS` sets the number of threads.

use std::path::PathBuf;
use std::time::Instant;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use populace_population::{Pack, Predicate, Sampler, equals};

const USAGE: &str = "usage: draw FILE.pack COUNT [SEED] [--given COLUMN=LEVEL]... [--columns A,B,...] [--csv]";
const BATCH: u64 = 65_536;

struct Options {
    file: PathBuf,
    count: u64,
    seed: u64,
    /// All of these must hold.
    given: Vec<Predicate>,
    columns: Option<Vec<String>>,
    csv: bool,
}

fn options() -> Result<Options, Box<dyn std::error::Error>> {
    let (mut given, mut columns, mut csv, mut rest) = (vec![], None, false, vec![]);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--given" => {
                let text = args.next().ok_or(USAGE)?;
                let (column, level) = text.split_once('=').ok_or("--given takes COLUMN=LEVEL")?;
                given.push(equals(column, level));
            }
            "--columns" => columns = Some(args.next().ok_or(USAGE)?.split(',').map(str::to_string).collect()),
            "--csv" => csv = true,
            option if option.starts_with("--") => return Err(format!("unknown option {option}; {USAGE}").into()),
            _ => rest.push(arg),
        }
    }
    let (file, count, seed) = match &rest[..] {
        [file, count] => (file.into(), count.parse()?, 1),
        [file, count, seed] => (file.into(), count.parse()?, seed.parse()?),
        _ => return Err(USAGE.into()),
    };
    Ok(Options { file, count, seed, given, columns, csv })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Options { file, count, seed, given, columns, csv } = options()?;
    let start = Instant::now();
    let pack = Pack::open(&file)?;
    let loaded = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let sampler = Sampler::given(pack, seed, &Predicate::And(given))?;
    let prepared = start.elapsed().as_secs_f64();
    let schema = sampler.schema();
    let projection = match &columns {
        Some(names) => Some(names.iter().map(|n| schema.index_of(n)).collect::<Result<Vec<usize>, _>>()?),
        None => None,
    };
    let batches = || {
        let ranges = (0..count).step_by(BATCH as usize).map(|from| from..(from + BATCH).min(count));
        ranges.map(|range| sampler.draw(range, projection.as_deref()))
    };
    if csv {
        return print_csv(batches());
    }
    if count < 100_000 {
        for batch in batches() {
            print(&batch?);
        }
        return Ok(());
    }
    let start = Instant::now();
    for batch in batches() {
        batch?;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "loaded in {:.1} ms; P(evidence) = {:.12e}, prepared in {:.3} ms; {count} rows in {seconds:.3} s: {:.0} rows/s",
        loaded * 1e3,
        sampler.probability(),
        prepared * 1e3,
        count as f64 / seconds
    );
    Ok(())
}

fn print(batch: &RecordBatch) {
    for row in 0..batch.num_rows() {
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            println!("{:28} {}", field.name(), text(column, row));
        }
        println!();
    }
}

fn print_csv<E: std::error::Error + 'static>(
    batches: impl Iterator<Item = Result<RecordBatch, E>>,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut out = csv::Writer::from_writer(std::io::stdout().lock());
    for (at, batch) in batches.enumerate() {
        let batch = batch?;
        if at == 0 {
            out.write_record(batch.schema().fields().iter().map(|f| f.name()))?;
        }
        for row in 0..batch.num_rows() {
            out.write_record(batch.columns().iter().map(|column| text(column, row)))?;
        }
    }
    Ok(out.flush()?)
}

fn text(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return "NULL".into();
    }
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row).into(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row).to_string(),
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            (0..items.len()).map(|i| text(&items, i)).collect::<Vec<_>>().join("; ")
        }
        _ => {
            let column = column.as_dictionary::<Int32Type>();
            column.values().as_string::<i32>().value(column.keys().value(row) as usize).into()
        }
    }
}

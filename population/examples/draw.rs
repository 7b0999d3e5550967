//! Draws people from a compiled pack and prints them: `cargo run --release -p populace-population --example draw --
//! datasets/usa/usa.pack 3`. With a count of 100,000 or more it prints the rate instead.

use std::path::PathBuf;
use std::time::Instant;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, UInt64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use populace_population::{Pack, Sampler};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let file = PathBuf::from(args.next().ok_or("usage: draw FILE.pack COUNT [SEED]")?);
    let count: u64 = args.next().ok_or("usage: draw FILE.pack COUNT [SEED]")?.parse()?;
    let seed = args.next().map_or(Ok(1), |s| s.parse())?;
    let start = Instant::now();
    let pack = Pack::open(&file)?;
    let loaded = start.elapsed();
    let sampler = Sampler::new(pack, seed);
    if count < 100_000 {
        let batch = sampler.draw(0..count, None)?;
        for row in 0..batch.num_rows() {
            for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
                println!("{:28} {}", field.name(), text(column, row));
            }
            println!();
        }
        return Ok(());
    }
    let start = Instant::now();
    for from in (0..count).step_by(65_536) {
        sampler.draw(from..(from + 65_536).min(count), None)?;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("loaded in {loaded:.1?}; {count} rows in {seconds:.2} s: {:.0} rows/s", count as f64 / seconds);
    Ok(())
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

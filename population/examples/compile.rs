//! Compiles a pack's folder and prints how its figures are met, and how far it is from what it was not fitted to:
//! `cargo run -p populace-population --example compile -- datasets/usa`

use std::path::PathBuf;

use populace_population::Analysis;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = PathBuf::from(std::env::args().nth(1).ok_or("usage: compile DIR")?);
    let start = std::time::Instant::now();
    let compiled = populace_population::compile(&dir)?;
    compiled.notices.iter().for_each(|notice| println!("note: {notice}"));
    println!("{:44} {:9} {:8} {:>8} {:>10} {:>10}", "figure", "status", "pass", "binding", "largest", "TVD");
    for figure in compiled.pack.figures() {
        for fit in &figure.fits {
            println!(
                "{:44} {:9} {:8} {:>8} {:10.2e} {:10.2e}",
                figure.name,
                figure.status.to_string(),
                fit.pass,
                fit.binding,
                fit.max_difference,
                fit.total_variation
            );
        }
    }
    if !compiled.pack.holdouts().is_empty() {
        println!("\n{:44} {:>10} {:>10}", "hold-out", "drift", "baseline");
    }
    for (holdout, distance) in compiled.pack.holdouts().iter().zip(Analysis::of(&compiled.pack).holdout_distances()) {
        match distance {
            Ok(Some(d)) => println!("{:44} {:10.4} {:10.4}", holdout.name, d.drift, d.baseline.unwrap_or(f64::NAN)),
            Ok(None) => println!("{:44} no joint shares", holdout.name),
            Err(error) => println!("{:44} {error}", holdout.name),
        }
    }
    let file = dir.join(format!("{}.pack", compiled.pack.name()));
    std::fs::write(&file, &compiled.bytes)?;
    println!(
        "{}: {} bytes, {:.1} s, {}",
        file.display(),
        compiled.bytes.len(),
        start.elapsed().as_secs_f64(),
        compiled.pack.id()
    );
    Ok(())
}

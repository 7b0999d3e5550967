//! Compiles a pack's folder and prints how its figures are met:
//! `cargo run -p populace-population --example compile -- datasets/usa`

use std::path::PathBuf;

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

//! `populace countries`.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use populace_population::{Analysis, Pack, Status, compile};

use super::Failure;
use crate::packs;

#[derive(Debug, Args)]
pub(super) struct CountriesArguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Figures, sources, licences and fit of one country, by name or by the path of its pack
    Show { country: String },
    /// Write a skeleton of a pack, which compiles as it is
    New {
        /// Of the pack, and of its folder: small letters, digits and _
        name: String,
        /// Where the folder is made
        #[arg(long, default_value = ".")]
        dir: PathBuf,
    },
    /// Read and fit a pack's folder, and say everything that is wrong with it, with file and line
    Check { dir: PathBuf },
    /// Write the network of a country as XMLBIF, which pyAgrum, SamIam and others read
    ExportNetwork {
        country: String,
        /// The file that is written; standard output where none is named
        #[arg(long)]
        to: Option<PathBuf>,
    },
    /// Fit a pack's folder and write the compiled pack into it
    Compile { dir: PathBuf },
}

pub(super) fn run(arguments: CountriesArguments) -> Result<(), Failure> {
    let out = &mut io::stdout().lock();
    match arguments.command {
        None => {
            for name in packs::NAMES {
                let pack = open(name)?;
                let people = grouped(pack.population());
                writeln!(out, "{name:12} {}, {}: {people} people ({})", pack.title(), pack.year(), pack.universe())?;
            }
            Ok(())
        }
        Some(Command::Show { country }) => show(&*open(&country)?, out),
        Some(Command::ExportNetwork { country, to }) => {
            let network = Analysis::of(&*open(&country)?).export_network();
            match to {
                Some(file) => {
                    std::fs::write(&file, network).map_err(|e| Failure(format!("{}: {e}", file.display())))?;
                }
                None => out.write_all(network.as_bytes())?,
            }
            Ok(())
        }
        Some(Command::New { name, dir }) => {
            let (folder, files) = packs::skeleton::write(&name, &dir).map_err(Failure)?;
            let folder = folder.display();
            writeln!(out, "{folder}: {}", files.join(", "))?;
            writeln!(out, "populace countries check {folder}      says what is wrong, with file and line")?;
            writeln!(
                out,
                "populace countries compile {folder}    makes it one to draw from: populace generate {folder} …"
            )?;
            Ok(())
        }
        Some(Command::Check { dir }) => {
            let packs::check::Checked { faults: wrong, notices } = packs::check::check(&dir);
            match &wrong[..] {
                [] => {
                    writeln!(out, "{}: nothing is wrong, and all figures are met", dir.display())?;
                    notices.iter().try_for_each(|notice| writeln!(out, "  note: {notice}"))?;
                    Ok(())
                }
                [one] => Err(Failure(format!("{}: {one}", dir.display()))),
                many => {
                    Err(Failure(format!("{}: {} things are wrong\n  {}", dir.display(), many.len(), many.join("\n  "))))
                }
            }
        }
        Some(Command::Compile { dir }) => {
            let compiled = compile(&dir)?;
            let file = dir.join(format!("{}.pack", compiled.pack.name()));
            // Written beside and renamed: whoever reads the pack meets the old one or the new one, whole.
            let beside = file.with_extension("pack.new");
            std::fs::write(&beside, &compiled.bytes)
                .and_then(|()| std::fs::rename(&beside, &file))
                .map_err(|e| Failure(format!("{}: {e}", file.display())))?;
            fits(&compiled.pack, out)?;
            writeln!(out, "{}: {}, {} bytes", file.display(), compiled.pack.id(), compiled.bytes.len())?;
            Ok(())
        }
    }
}

fn open(name: &str) -> Result<std::sync::Arc<Pack>, Failure> {
    match packs::named(name) {
        Some(pack) => Ok(pack?),
        None => Err(Failure(packs::unknown(name))),
    }
}

fn show(pack: &Pack, out: &mut impl Write) -> Result<(), Failure> {
    writeln!(out, "{} ({}), pack {}", pack.title(), pack.year(), pack.id())?;
    writeln!(out, "{}: {} people\n", pack.universe(), grouped(pack.population()))?;
    writeln!(out, "Variables")?;
    for variable in pack.variables().iter().filter(|v| !v.hidden) {
        writeln!(out, "  {:26} {:>6} levels  {}", variable.name, grouped(variable.len() as f64), variable.description)?;
    }
    writeln!(out, "\nFigures")?;
    for figure in pack.figures() {
        writeln!(out, "  {} [{}]: {}", figure.name, figure.status, figure.title)?;
        let table = if figure.table.is_empty() { String::new() } else { format!(", {}", figure.table) };
        writeln!(out, "      source {}{table}, {} cells", figure.source, grouped(figure.len() as f64))?;
    }
    writeln!(out, "\nFit: how far the model is from each figure that its nodes meet")?;
    fits(pack, out)?;
    holdouts(pack, out)?;
    writeln!(out, "\nSources")?;
    for source in pack.sources() {
        writeln!(out, "  {}: {}, {} ({}). {}", source.id, source.agency, source.title, source.year, source.licence)?;
        if let Some(attribution) = &source.attribution {
            writeln!(out, "      {attribution}")?;
        }
    }
    Ok(())
}

/// One line a figure and pass that it binds; a figure that bound an earlier pass alone shows its drift since.
fn fits(pack: &Pack, out: &mut impl Write) -> Result<(), Failure> {
    writeln!(out, "  {:40} {:9} {:6} {:>11} {:>11}", "figure", "status", "pass", "largest", "TVD")?;
    for figure in pack.figures() {
        for fit in &figure.fits {
            let drift = if fit.binding { "" } else { "  (not fitted in this pass)" };
            let status = if figure.status == Status::Official { "official" } else { "estimate" };
            let (largest, tvd) = (fit.max_difference, fit.total_variation);
            writeln!(out, "  {:40} {status:9} {:6} {largest:11.1e} {tvd:11.1e}{drift}", figure.name, fit.pass)?;
        }
    }
    Ok(())
}

/// One line a hold-out: how far the model is from it.
fn holdouts(pack: &Pack, out: &mut impl Write) -> Result<(), Failure> {
    if pack.holdouts().is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\nHold-outs: how far the model is from figures that nothing was fitted to (total variation distance;"
    )?;
    writeln!(out, "margins alone: how far the product of the figure's own margins is from it)")?;
    writeln!(out, "  {:40} {:9} {:>8} {:>11} {:>13}", "figure", "status", "cells", "model", "margins alone")?;
    for (figure, distance) in pack.holdouts().iter().zip(Analysis::of(pack).holdout_distances()) {
        let (name, status, cells) = (&figure.name, figure.status.to_string(), grouped(figure.len() as f64));
        let Some(distance) = distance? else {
            writeln!(out, "  {name:40} {status:9} {cells:>8} it says nothing of joint shares")?;
            continue;
        };
        let baseline = distance.baseline.map_or(String::new(), |baseline| format!("{baseline:.4}"));
        writeln!(out, "  {name:40} {status:9} {cells:>8} {:11.4} {baseline:>13}", distance.drift)?;
    }
    Ok(())
}

/// A whole number with its thousands parted.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn thousands_are_parted() {
        assert_eq!(super::grouped(1.0), "1");
        assert_eq!(super::grouped(269_763_561.0), "269,763,561");
        assert_eq!(super::grouped(1000.0), "1,000");
    }
}

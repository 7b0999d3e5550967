//! `populace export`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};

use super::output::Progress;
use super::{DatabaseArguments, Failure, read_text};
use crate::engine::{Access, Engine, Options};
use crate::export::{Card, Export, Format, export};

#[derive(Debug, Args)]
pub(super) struct ExportArguments {
    /// The table; or a query in parentheses: "(SELECT * FROM usa WHERE age >= 65)"
    #[arg(value_name = "TABLE")]
    from: String,
    /// The folder to write into; or a file, by its ending
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    #[arg(long, default_value = "datasets", value_parser = formats())]
    format: String,
    /// Columns of vectors too, which an import makes anew
    #[arg(long)]
    vectors: bool,
    /// The columns run_id and narrative_error too, and in the card what the runs did: for oneself, not to be published
    #[arg(long)]
    run_details: bool,
    /// Rows of a file, where there are to be several
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    rows_per_file: Option<u64>,
    /// chat: the Jinja template of the system prompt, over the columns; `-` is standard input
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// chat: the template of what a user says then
    #[arg(long, value_name = "FILE")]
    user_template: Option<PathBuf>,
    /// Replace files that are there
    #[arg(long)]
    overwrite: bool,
    /// datasets: what the card is called
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// datasets: the licence of the rows, as Hugging Face has it: cc-by-4.0
    #[arg(long, value_name = "ID")]
    licence: Option<String>,
    /// datasets: the country whose figures the rows are judged by, where they do not say it themselves; a pack of one's own by
    /// its path
    #[arg(long, value_name = "COUNTRY")]
    country: Option<String>,
    /// datasets: the people whom the card judges the rows by, of the rows and of the country: "age >= 18"
    #[arg(long, value_name = "PREDICATE")]
    given: Option<String>,
    /// datasets: the column that says how many people a row stands for, or `none`; sampling_weight or weight without it,
    /// where the rows have such a column
    #[arg(long, value_name = "COLUMN")]
    weights: Option<String>,
}

/// The names of the formats, each with what it is.
fn formats() -> PossibleValuesParser {
    PossibleValuesParser::new(Format::all().map(|(_, name, what)| PossibleValue::new(name).help(what)))
}

pub(super) fn run(arguments: ExportArguments, database: &DatabaseArguments) -> Result<(), Failure> {
    let read = |file: &Option<PathBuf>| file.as_deref().map(read_text).transpose();
    let Some(format) = Format::named(&arguments.format) else {
        return Err(Failure(format!("there is no format {}", arguments.format)));
    };
    let wanted = Export {
        from: arguments.from,
        to: arguments.to,
        format,
        vectors: arguments.vectors,
        run_details: arguments.run_details,
        rows_per_file: arguments.rows_per_file,
        template: read(&arguments.template)?,
        user_template: read(&arguments.user_template)?,
        overwrite: arguments.overwrite,
        card: Card {
            title: arguments.title,
            licence: arguments.licence,
            country: arguments.country,
            given: arguments.given,
            weights: arguments.weights,
        },
    };
    for (given, name) in [(&wanted.template, "--template"), (&wanted.user_template, "--user-template")] {
        if given.is_some() && format != Format::Chat {
            return Err(Failure(format!("{name} is for --format chat")));
        }
    }
    let packs = wanted.card.country.iter().cloned().collect();
    let engine = Engine::new(database.open()?, Options { packs, access: Access::read(), ..Options::default() })?;
    let work = async {
        let progress = Progress::new(None, "rows");
        let exported = Box::pin(export(&engine, &wanted, |done| progress.set(done))).await?;
        progress.end();
        let out = &mut io::stdout();
        let rows = if exported.rows == 1 { "1 row".into() } else { format!("{} rows", exported.rows) };
        for file in &exported.files {
            let bytes = std::fs::metadata(file).map_or(0, |m| m.len());
            writeln!(out, "{} ({bytes} bytes)", shown(file))?;
        }
        writeln!(out, "{rows} written")?;
        Ok::<_, Failure>(())
    };
    super::runtime()?.block_on_or(work, "interrupted; files that were not whole are gone: the same again begins anew")
}

fn shown(file: &Path) -> String {
    file.display().to_string()
}

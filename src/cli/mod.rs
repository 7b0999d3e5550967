//! The command line: what each command takes, and the exit code it ends with.

mod countries;
mod generate;
mod output;
mod prompt;
mod search;
mod sql;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use datafusion::common::DataFusionError;

use crate::database::{Database, EmbedderChoice};
use crate::engine;

/// An embedded database of synthetic people, drawn from official statistics.
#[derive(Debug, Parser)]
#[command(name = "populace", version, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(subcommand)]
    command: Command,
}

/// Which database.
#[derive(Debug, Args)]
struct DatabaseArguments {
    /// The database directory
    #[arg(long, global = true, env = "POPULACE_DB", default_value = "populace-data", value_name = "DIR")]
    db: PathBuf,
    /// What makes vectors of texts: multilingual-e5-small, or hash (words alone, not meaning; for tests)
    #[arg(long, global = true, env = "POPULACE_EMBEDDER", value_name = "NAME")]
    embedder: Option<String>,
}

impl DatabaseArguments {
    fn open(&self) -> Result<Arc<Database>, Failure> {
        Ok(Database::open(&self.db, EmbedderChoice::named(self.embedder.clone()))?)
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Draw people into a table; run again, it finishes what was interrupted
    Generate(generate::GenerateArguments),
    /// Find people by the meaning of a narrative, nearest first
    Search(search::SearchArguments),
    /// The runs of generate: list, show, resume or cancel them
    Runs(generate::RunsArguments),
    /// Run SQL: an argument, a file, what comes on standard input, or a prompt on a terminal
    Sql(sql::SqlArguments),
    /// The countries: their figures, sources, licences and fit; check or compile a pack of one's own
    Countries(countries::CountriesArguments),
}

/// A command's failure, as one message for a person.
#[derive(Debug)]
struct Failure(String);

impl From<DataFusionError> for Failure {
    fn from(error: DataFusionError) -> Failure {
        Failure(engine::message(&error))
    }
}

impl From<populace_population::Error> for Failure {
    fn from(error: populace_population::Error) -> Failure {
        Failure(error.to_string())
    }
}

impl From<crate::catalog::Error> for Failure {
    fn from(error: crate::catalog::Error) -> Failure {
        Failure(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        // Whoever read the output has read enough, as `head` does: that is no failure.
        if error.kind() == io::ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        Failure(error.to_string())
    }
}

impl From<arrow::error::ArrowError> for Failure {
    fn from(error: arrow::error::ArrowError) -> Failure {
        match error {
            arrow::error::ArrowError::IoError(_, error) => error.into(),
            error => Failure(error.to_string()),
        }
    }
}

/// Memory that is set apart for a thread's calls, though hardly ever used: a long chain of ANDs or ORs is planned by
/// functions that call themselves once a link.
const STACK: usize = 256 << 20;

/// A runtime for statements.
fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK).build()
}

/// Runs the program: 0 done, 1 failed, 2 bad usage.
pub fn main() -> ExitCode {
    let program = std::thread::Builder::new().name("populace".into()).stack_size(STACK).spawn(run);
    match program.map(|thread| thread.join()) {
        Ok(Ok(code)) => code,
        // The thread has said why already.
        Ok(Err(_)) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: no thread to run on: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let database = arguments.database;
    let done = match arguments.command {
        Command::Generate(arguments) => generate::generate(arguments, &database),
        Command::Runs(arguments) => generate::runs(arguments, &database),
        Command::Search(arguments) => search::run(arguments, &database),
        Command::Sql(arguments) => sql::run(arguments, &database),
        Command::Countries(arguments) => countries::run(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(message)) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

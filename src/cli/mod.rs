//! The command line: what each command takes, and the exit code it ends with.

mod complete;
mod countries;
mod export;
mod fit;
mod generate;
mod import;
mod index;
mod log;
mod narratives;
mod optimize;
mod options;
#[cfg(feature = "otlp")]
mod otlp;
mod output;
mod prompt;
mod recipes;
mod report;
mod runs;
mod sample;
mod search;
#[cfg(feature = "serve")]
mod serve;
mod signals;
mod sql;
mod tables;
#[cfg(feature = "serve")]
mod tokens;

use std::io::{self, Write};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use datafusion::common::DataFusionError;

use crate::database::{Database, EmbedderChoice};
use crate::engine::{Error, Models};
use crate::servers::{Limits, RequestOptions};

/// An embedded database of synthetic people, drawn from official statistics.
///
/// Without a command it is the prompt of `populace sql`, or runs the statements on standard input.
#[derive(Debug, Parser)]
#[command(name = "populace", version, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Which database.
#[derive(Debug, Args)]
struct DatabaseArguments {
    /// The database directory
    #[arg(long, global = true, env = "POPULACE_DB", default_value = "populace-data", value_name = "DIR")]
    db: PathBuf,
    /// What makes vectors of texts: multilingual-e5-small, another model by its name (e5-base, bge-m3,
    /// embeddinggemma …; fetched from the hub if it is not there), a folder with one, a model of the server at
    /// OPENAI_BASE_URL as openai:MODEL (openai:MODEL@512 for vectors of 512 numbers), or hash (words alone, not meaning;
    /// for tests)
    #[arg(long, global = true, env = "POPULACE_EMBEDDER", value_name = "NAME")]
    embedder: Option<String>,
    /// Memory that statements may hold, such as 4GB; sorts and groups that need more go to the disk. Three fifths of
    /// the machine's without it
    #[arg(long, global = true, env = "POPULACE_MEMORY", value_name = "SIZE", value_parser = size)]
    memory_limit: Option<u64>,
    /// Say on standard error what statements, runs, calls and commits do: error, warn, info, debug, trace, or by part as
    /// in info,lance=warn
    #[arg(long, global = true, env = "POPULACE_LOG", value_name = "LEVEL")]
    log: Option<log::Filter>,
}

impl DatabaseArguments {
    fn open(&self) -> Result<Arc<Database>, Failure> {
        let embedder = EmbedderChoice::named(self.embedder.clone());
        Ok(Database::open_within(&self.db, embedder, self.memory_limit)?)
    }
}

/// A number of bytes, as people write it: `512MB`, `4GiB`, `2g`.
fn size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let scale = match unit.trim_end_matches('b').trim_end_matches('i') {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1_u64 << 40,
        _ => return Err("a size such as 512MB or 4GB".into()),
    };
    match number.parse::<f64>() {
        Ok(number) if number * scale as f64 >= (16 << 20) as f64 => Ok((number * scale as f64) as u64),
        Ok(_) => Err("a size of at least 16MB".into()),
        Err(_) => Err("a size such as 512MB or 4GB".into()),
    }
}

/// How a model is asked.
#[derive(Debug, Args)]
#[command(next_help_heading = "Asking a model")]
struct AskingArguments {
    /// Requests to a model at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=4096))]
    concurrency: u16,
    /// Seconds that a model may take for an answer
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=3600))]
    timeout: u32,
    /// The model's temperature; its own without this
    #[arg(long, value_name = "T", value_parser = temperature)]
    temperature: Option<f64>,
    /// Tokens that an answer may have: a model that rambles is cut off, and asked again; reasoning counts
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_answer_tokens: Option<u32>,
    /// Requests that a model may be sent in a minute
    #[arg(long, value_name = "N")]
    requests_per_minute: Option<NonZeroU32>,
    /// Tokens, of prompts and answers, that a model may take in a minute
    #[arg(long, value_name = "N")]
    tokens_per_minute: Option<NonZeroU32>,
    /// Stop cleanly after so many requests; the run can be resumed
    #[arg(long, value_name = "N")]
    max_calls: Option<u64>,
    /// Stop cleanly after so many tokens
    #[arg(long, value_name = "N")]
    max_tokens: Option<u64>,
    /// Stop cleanly after so many US dollars
    #[arg(long, value_name = "USD", value_parser = dollars)]
    max_cost: Option<f64>,
    /// Stop cleanly after so many seconds
    #[arg(long, value_name = "SECONDS")]
    max_time: Option<u64>,
    /// The servers that share the requests: a TOML file of [[server]] with base, weight, key_variable or key_file;
    /// without it, the one at OPENAI_BASE_URL
    #[arg(long, env = "POPULACE_SERVERS", value_name = "FILE")]
    servers: Option<PathBuf>,
    /// What models cost: a TOML file of [models."NAME"] with prompt and completion, US dollars for a million tokens
    #[arg(long, env = "POPULACE_PRICES", value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Ask anew for what was answered before: answers in the catalogue are those of another day
    #[arg(long)]
    fresh: bool,
}

/// Which models statements may name beside that of `--narrator`.
#[derive(Debug, Args)]
struct ModelsArguments {
    /// Let statements have texts written by these models too, as in narrator => 'openai:x'; openai stands for every
    /// model of the server
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    allow_models: Vec<String>,
}

impl ModelsArguments {
    fn models(&self) -> Models {
        match self.allow_models.is_empty() {
            true => Models::OfSession,
            false => Models::Named(self.allow_models.iter().cloned().collect()),
        }
    }
}

fn dollars(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(d) if (0.0..=1e9).contains(&d) => Ok(d),
        _ => Err("an amount in US dollars".into()),
    }
}

fn temperature(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(t) if (0.0..=2.0).contains(&t) => Ok(t),
        _ => Err("a number from 0 to 2".into()),
    }
}

impl AskingArguments {
    fn asking(&self) -> RequestOptions {
        RequestOptions {
            payer: None,
            concurrency: Some(self.concurrency.into()),
            timeout: Some(Duration::from_secs(self.timeout.into())),
            temperature: self.temperature,
            max_answer_tokens: self.max_answer_tokens,
            limits: Limits {
                requests_per_minute: self.requests_per_minute,
                tokens_per_minute: self.tokens_per_minute,
                calls: self.max_calls,
                tokens: self.max_tokens,
                cost: self.max_cost,
                time: self.max_time.map(Duration::from_secs),
            },
            servers: self.servers.clone(),
            prices: self.prices.clone(),
            fresh: self.fresh.then(|| uuid::Uuid::now_v7().simple().to_string()),
            batch: false,
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Draw people into a table; run again, it finishes what was interrupted
    Generate(generate::GenerateArguments),
    /// Find people by the meaning or the words of a narrative, best first
    Search(search::SearchArguments),
    /// Make indexes of a table; without options, bring those that it has up to date
    Index(index::IndexArguments),
    /// The runs, of generate and of INSERT … SELECT: list, show, resume or cancel them
    Runs(runs::RunsArguments),
    /// Narratives of your own: templates that models write beside the built-in texts
    Narratives(narratives::NarrativesArguments),
    /// Run SQL: an argument, a file, what comes on standard input, or a prompt on a terminal
    Sql(sql::SqlArguments),
    /// The tables: how many rows, whose people, how large
    Tables(tables::TablesArguments),
    /// Draw people from a table by strata, each with the weight that it stands for
    Sample(sample::SampleArguments),
    /// Write one HTML file that shows a table's people beside the country's: charts, fidelity, diversity, persons
    Report(report::ReportArguments),
    /// Write the rows of files into a table: published Nemotron-Personas as they are, any Parquet, CSV or JSON
    Import(import::ImportArguments),
    /// Write a table, or what a query returns, into files for other programs
    Export(export::ExportArguments),
    /// Keep the files of tables in shape: compact them, bring indexes up to date, remove old versions
    Optimize(optimize::OptimizeArguments),
    /// Answer over HTTP: statements, people, searches and runs, for whoever has a token
    #[cfg(feature = "serve")]
    Serve(Box<serve::ServeArguments>),
    /// Answer one client of the Model Context Protocol on standard input and output, as a language model's tools
    #[cfg(feature = "serve")]
    Mcp,
    /// The tokens that let clients of `populace serve` in: make, list or end them
    #[cfg(feature = "serve")]
    Tokens(tokens::TokensArguments),
    /// The recipes: statements for what people do over and over
    Recipes,
    /// Run a recipe
    Recipe(recipes::RecipeArguments),
    /// The countries: their figures, sources, licences and fit; check or compile a pack of one's own
    Countries(countries::CountriesArguments),
}

/// A command's failure, as one message for a person.
#[derive(Debug)]
struct Failure(String);

impl From<DataFusionError> for Failure {
    fn from(error: DataFusionError) -> Failure {
        broken_pipe(&error);
        Failure(Error::from(&error).to_string())
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
        broken_pipe(&error);
        Failure(error.to_string())
    }
}

impl From<arrow::error::ArrowError> for Failure {
    fn from(error: arrow::error::ArrowError) -> Failure {
        broken_pipe(&error);
        Failure(error.to_string())
    }
}

/// Ends the program where whoever read its output has read enough, as `head` does: that is no failure. Writers of
/// tables wrap the error, some as text alone.
fn broken_pipe(error: &(dyn std::error::Error + 'static)) {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) || error.to_string().ends_with("(os error 32)") {
            std::process::exit(0);
        }
        cause = error.source();
    }
}

/// The text of a file; `-` is standard input.
fn read_text(file: &Path) -> Result<String, Failure> {
    if file.as_os_str() != "-" {
        return std::fs::read_to_string(file).map_err(|e| Failure(format!("{}: {e}", file.display())));
    }
    io::read_to_string(io::stdin()).map_err(|e| Failure(format!("standard input: {e}")))
}

/// Memory that is set apart for a thread's calls, though hardly ever used: a long chain of ANDs or ORs is planned by
/// functions that call themselves once a link.
const STACK: usize = 256 << 20;

/// A runtime for statements, which end on Ctrl-C and SIGTERM.
fn runtime() -> io::Result<signals::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK).build();
    runtime.map(signals::Runtime::new)
}

/// Runs the program: 0 done, 1 failed, 2 bad usage, 130 and 143 where SIGINT or SIGTERM ended it.
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
    let parsed = options::told_where_used(Arguments::command()).try_get_matches().and_then(|matches| {
        let arguments = Arguments::from_arg_matches(&matches)?;
        // As psql, duckdb and sqlite3 do it.
        let command = arguments.command.map_or_else(|| sql::SqlArguments::none().map(Command::Sql), Ok)?;
        Ok((arguments.database, command))
    });
    let (database, command) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let _log = match log::start(database.log.as_ref()) {
        Ok(log) => log,
        Err(text) => {
            eprintln!("error: {text}");
            return ExitCode::FAILURE;
        }
    };
    let done = match command {
        Command::Generate(arguments) => generate::generate(arguments, &database),
        Command::Runs(arguments) => runs::run(arguments, &database),
        Command::Search(arguments) => search::run(arguments, &database),
        Command::Index(arguments) => index::run(&arguments, &database),
        Command::Sql(arguments) => sql::run(arguments, &database),
        Command::Tables(arguments) => tables::run(&arguments, &database),
        Command::Narratives(arguments) => narratives::run(arguments, &database),
        Command::Sample(arguments) => sample::run(arguments, &database),
        Command::Report(arguments) => report::run(arguments, &database),
        Command::Import(arguments) => import::run(arguments, &database),
        Command::Export(arguments) => export::run(arguments, &database),
        Command::Optimize(arguments) => optimize::run(arguments, &database),
        #[cfg(feature = "serve")]
        Command::Serve(arguments) => serve::run(*arguments, &database),
        #[cfg(feature = "serve")]
        Command::Mcp => serve::mcp(&database),
        #[cfg(feature = "serve")]
        Command::Tokens(arguments) => tokens::run(arguments, &database),
        Command::Recipes => recipes::list(),
        Command::Recipe(arguments) => recipes::run(arguments, &database),
        Command::Countries(arguments) => countries::run(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(message)) => {
            // Nobody may be reading.
            _ = writeln!(io::stderr(), "error: {message}");
            signals::failed()
        }
    }
}

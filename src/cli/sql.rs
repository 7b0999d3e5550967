//! `populace sql`: statements from an argument, a file, standard input, or the prompt.

use std::convert::Infallible;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser};

use super::fit::Expanded;
use super::output::{Format, Shown, print};
use super::{AskingArguments, DatabaseArguments, Failure, ModelsArguments, read_text};
use crate::engine::{Access, Engine, Files, Options, Statement};
use crate::servers::Asked;

#[derive(Debug, Args)]
pub(super) struct SqlArguments {
    /// Statements, parted by semicolons
    // They may begin with a comment, `-- so`, which is no flag.
    #[arg(allow_hyphen_values = true)]
    statements: Option<String>,
    /// Read the statements from a file; `-` is standard input
    #[arg(short, long, conflicts_with = "statements")]
    file: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Let statements read and write files: CREATE EXTERNAL TABLE, COPY
    #[arg(long)]
    allow_files: bool,
    /// What writes narratives: outline (built in), or a model of the server at OPENAI_BASE_URL as openai:MODEL
    #[arg(long, env = "POPULACE_NARRATOR", default_value = "outline", value_name = "NAME")]
    narrator: String,
    /// End a statement that takes longer; what it has committed stays
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    statement_timeout: Option<Duration>,
    #[command(flatten)]
    models: ModelsArguments,
    #[command(flatten)]
    asking: AskingArguments,
}

/// The arguments by themselves, to be parsed as those of a command line.
#[derive(Debug, Parser)]
struct Alone {
    #[command(flatten)]
    arguments: SqlArguments,
}

impl SqlArguments {
    /// Those of a command line that says nothing: the environment may say something.
    ///
    /// # Errors
    /// If what the environment says is not understood.
    pub fn none() -> Result<SqlArguments, clap::Error> {
        Alone::try_parse_from(["populace"]).map(|alone| alone.arguments)
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|s| (0.001..=1e7).contains(s));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "a number of seconds".into())
}

pub(super) fn run(arguments: SqlArguments, database: &DatabaseArguments) -> Result<(), Failure> {
    let runtime = super::runtime()?;
    let files = if arguments.allow_files { Files::Allowed } else { Files::Forbidden };
    let narrator = Some(arguments.narrator);
    let access = Access { files, models: arguments.models.models(), ..Access::default() };
    let statement_timeout = arguments.statement_timeout;
    let asking = arguments.asking.asking();
    let options = Options { access, narrator, asking, statement_timeout, ..Options::default() };
    let engine = Engine::new(database.open()?, options)?;
    let text = match (arguments.statements, arguments.file) {
        (Some(text), _) => text,
        (None, None) if io::stdin().is_terminal() => {
            return runtime.at_prompt(super::prompt::run(&engine, arguments.format));
        }
        (None, file) => read_text(file.as_deref().unwrap_or(Path::new("-")))?,
    };
    runtime.block_on(run_all(&engine, &text, arguments.format))
}

/// Runs statements and prints their rows. All are parsed before the first runs: a slip in the last leaves nothing half
/// done.
pub(super) async fn run_all(engine: &Engine, text: &str, format: Format) -> Result<(), Failure> {
    let statements = engine.parse(text)?;
    let count = statements.len();
    for (at, statement) in statements.into_iter().enumerate() {
        let line = statement.position.line;
        run_one(engine, statement, format).await.map_err(|Failure(message)| match count {
            1 => Failure(message),
            _ => Failure(format!("statement {} of {count}, line {line}: {message}", at + 1)),
        })?;
    }
    Ok(())
}

async fn run_one(engine: &Engine, statement: Statement, format: Format) -> Result<(), Failure> {
    let engine = engine.for_statement();
    let done = async {
        let rows = engine.run(statement).await?;
        print(rows, format, Shown::on_stdout(Expanded::Off), &mut io::stdout()).await
    };
    // What there is to say of a statement that takes long is said meanwhile.
    let done = tokio::select! {
        done = done => done,
        never = notices(&engine) => match never {},
    };
    engine.take_notices().iter().for_each(|notice| eprintln!("{notice}"));
    let asked = engine.asked();
    told(&mut io::stderr(), &asked)?;
    done?;
    // Rows that nobody wanted any more may have hidden it.
    if let Some(why) = asked.outage {
        return Err(Failure(format!("{} texts are missing: {why}", asked.missing)));
    }
    Ok(())
}

/// Says what there is to say, as it comes; for ever.
async fn notices(engine: &Engine) -> Infallible {
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        engine.take_notices().iter().for_each(|notice| eprintln!("{notice}"));
    }
}

/// What a statement has taken of models, where it asked any.
pub(super) fn told(out: &mut impl Write, asked: &Asked) -> io::Result<()> {
    super::runs::known(out, asked)?;
    match asked.totals.answered + asked.totals.failed {
        0 => Ok(()),
        _ => super::runs::bill(out, &asked.totals),
    }
}

//! `populace runs`.

use std::io::{self, Write};

use clap::{Args, Subcommand};

use super::{AskingArguments, DatabaseArguments, Failure};
use crate::catalog::{Batch, CallTotals, Catalog, Run, Work};
use crate::engine::{Engine, Options};
use crate::runs::{self, Retried};

#[derive(Debug, Args)]
pub(super) struct RunsArguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All that is known of a run; without a name, of the newest
    Show { run: Option<String> },
    /// Finish a run that was interrupted; without a name, the newest
    Resume {
        run: Option<String>,
        /// Let a statement that the run repeats reach files outside of the database, as when it was first run
        #[arg(long)]
        allow_files: bool,
        #[command(flatten)]
        asking: AskingArguments,
    },
    /// Ask again for the texts of a run that failed, and for nothing else; without a name, of the newest
    Retry {
        run: Option<String>,
        /// Only what failed: there is nothing else to retry, `resume` finishes a run
        #[arg(long, required = true)]
        failed: bool,
        #[command(flatten)]
        asking: AskingArguments,
    },
    /// Mark a run as not to be finished; people it wrote stay
    Cancel { run: String },
}

pub(super) fn run(arguments: RunsArguments, database: &DatabaseArguments) -> Result<(), Failure> {
    let opened = database.open()?;
    if !opened.root().join("catalog.sqlite").exists() {
        return match arguments.command {
            None => Ok(()),
            Some(_) => Err(Failure(format!("the database {} has no runs", opened.root().display()))),
        };
    }
    let catalog = Catalog::open(opened.root())?;
    let find = |id: &str| match catalog.run(id)? {
        Some(run) => Ok(run),
        None => Err(Failure(format!("there is no run {id}; `populace runs` lists them"))),
    };
    let newest = |run: Option<String>| match run {
        Some(id) => find(&id),
        None => catalog.runs()?.into_iter().next().ok_or_else(|| Failure("there are no runs yet".into())),
    };
    let out = &mut io::stdout().lock();
    match arguments.command {
        None => {
            for run in catalog.runs()? {
                let what = match &run.work {
                    Work::Generate { pack, count, .. } => format!("{:>9} of {count:<9} {pack}", run.done),
                    Work::Statement(sql) => format!("{:>9} by {}", run.done, short(sql)),
                };
                writeln!(out, "{}  {:9} {what} into {}, {}", run.id, run.status, run.table, run.started)?;
            }
        }
        Some(Command::Show { run }) => {
            let run = newest(run)?;
            show(out, &run, &catalog.calls(&run.id)?, &catalog.batches(&run.id)?)?;
        }
        Some(Command::Resume { run, allow_files, asking }) => {
            let run = match run {
                Some(id) => find(&id)?,
                None => match catalog.runs()?.into_iter().find(|r| r.status.is_open()) {
                    Some(run) => run,
                    None => {
                        writeln!(out, "nothing to resume: every run is done or cancelled")?;
                        return Ok(());
                    }
                },
            };
            super::generate::finish(&run, asking.asking(), None, allow_files, database)?;
        }
        Some(Command::Retry { run, asking, .. }) => {
            let run = newest(run)?;
            let narrator = Some(run.narrator.clone());
            let engine = Engine::new(opened, Options { narrator, asking: asking.asking(), ..Options::default() })?;
            let Retried { people, written, missing } = super::runtime()?.block_on(runs::retry_failed(&engine, &run))?;
            match people {
                0 => writeln!(out, "no text of run {} failed", run.id)?,
                _ => writeln!(
                    out,
                    "{}: {people} people lacked texts, {written} written now, {missing} missing still",
                    run.table
                )?,
            }
        }
        Some(Command::Cancel { run }) => {
            let run = find(&run)?;
            if !catalog.cancel(&run.id)? {
                return Err(Failure(format!("run {} is done", run.id)));
            }
            writeln!(out, "run {} cancelled; the people it wrote stay", run.id)?;
        }
    }
    Ok(())
}

fn show(out: &mut impl Write, run: &Run, calls: &CallTotals, batches: &[Batch]) -> io::Result<()> {
    writeln!(out, "run       {}\nstatus    {}\ntable     {}", run.id, run.status, run.table)?;
    match &run.work {
        Work::Generate { pack, seed, given, count, .. } => {
            writeln!(out, "pack      {pack}\npeople    {} of {count}\nseed      {seed}", run.done)?;
            writeln!(out, "given     {}", given.as_deref().unwrap_or("-"))?;
        }
        Work::Statement(sql) => writeln!(out, "people    {}\nstatement {sql}", run.done)?,
    }
    writeln!(out, "narrator  {}", run.narrator)?;
    if let Some(language) = &run.language {
        writeln!(out, "language  {language}")?;
    }
    if calls.answered + calls.failed > 0 {
        bill(out, calls)?;
    }
    for Batch { provider_id, state, requests, done, .. } in batches {
        let name = provider_id.as_deref().unwrap_or("not handed over yet");
        writeln!(out, "batch     {name}: {done} of {requests} answered, {state}")?;
    }
    writeln!(out, "started   {}\nupdated   {}", run.started, run.updated)?;
    writeln!(out, "error     {}", run.error.as_deref().unwrap_or("-"))
}

/// What the calls of a run took.
pub(super) fn bill(out: &mut impl Write, calls: &CallTotals) -> io::Result<()> {
    let CallTotals { answered, failed, attempts, prompt_tokens, completion_tokens, cost_usd, failures } = calls;
    writeln!(out, "calls     {answered} answered, {failed} failed, {attempts} requests")?;
    writeln!(out, "tokens    {prompt_tokens} asked, {completion_tokens} answered")?;
    if let Some(cost) = cost_usd {
        writeln!(out, "cost      {cost:.4} US dollars")?;
    }
    for (error, count) in failures {
        writeln!(out, "failed    {count} times: {error}")?;
    }
    Ok(())
}

/// The beginning of a statement, on one line.
fn short(sql: &str) -> String {
    let line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

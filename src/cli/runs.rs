//! `populace runs`.

use std::io::{self, Write};

use chrono::NaiveDate;
use clap::{Args, Subcommand};

use super::{AskingArguments, DatabaseArguments, Failure};
use crate::catalog::{Batch, Bounds, CallTotals, Catalog, Forget, Run, Work};
use crate::engine::{Engine, Options};
use crate::runs::{self, Retried};
use crate::servers::{Asked, RequestOptions};

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
    /// End a run, in whatever process it is, or mark it as not to be finished; people it wrote stay
    Cancel { run: String },
    /// Forget answers of models, so that they are asked for again: those of a run, of a model, or of before a day
    Forget(ForgetArguments),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct ForgetArguments {
    /// The answers that this run paid for
    run: Option<String>,
    /// The answers of a model, by its name without `openai:`
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// The answers from before a day: 2026-11-22
    #[arg(long, value_name = "DATE")]
    before: Option<NaiveDate>,
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
                writeln!(out, "{}  {:11} {what} into {}, {}", run.id, run.status, run.table, run.started)?;
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
                        match catalog.runs()?.iter().find_map(|r| Some((&r.id, r.at_work.as_ref()?))) {
                            Some((id, at_work)) => writeln!(out, "nothing to resume: run {id} is at work {at_work}")?,
                            None => writeln!(out, "nothing to resume: every run is done or cancelled")?,
                        }
                        return Ok(());
                    }
                },
            };
            super::generate::finish(&run, kept(asking.asking(), &run), None, allow_files, database)?;
        }
        Some(Command::Retry { run, asking, .. }) => {
            let run = newest(run)?;
            let narrator = Some(run.narrator.clone());
            let asking = RequestOptions { fresh: run.fresh.clone(), ..kept(asking.asking(), &run) };
            let engine = Engine::new(opened, Options { narrator, asking, ..Options::default() })?;
            let Retried { people, written, missing } = super::runtime()?.block_on(runs::retry_failed(&engine, &run))?;
            match (people, &run.work) {
                (0, Work::Statement(_)) => writeln!(
                    out,
                    "no text of run {} failed that its rows tell of; texts in columns of one's own are asked for again \
                     by UPDATE … WHERE they are NULL",
                    run.id
                )?,
                (0, _) => writeln!(out, "no text of run {} failed", run.id)?,
                _ => writeln!(
                    out,
                    "{}: {people} people lacked texts, {written} written now, {missing} missing still",
                    run.table
                )?,
            }
        }
        Some(Command::Forget(ForgetArguments { run, model, before })) => {
            let which = match (run, model, before) {
                (Some(run), ..) => Forget::Run(find(&run)?.id),
                (_, Some(model), _) => Forget::Model(model.strip_prefix("openai:").unwrap_or(&model).into()),
                (_, _, Some(day)) => Forget::Before(day.to_string()),
                // The arguments are one of them.
                (None, None, None) => return Ok(()),
            };
            let (answers, cost) = catalog.forget(&which)?;
            let cost = cost.map_or(String::new(), |cost| format!(", which cost {cost:.4} US dollars"));
            let answers = if answers == 1 { "1 answer".into() } else { format!("{answers} answers") };
            writeln!(out, "{answers} forgotten{cost}")?;
        }
        Some(Command::Cancel { run }) => {
            let run = find(&run)?;
            if !catalog.cancel(&run.id)? {
                return Err(Failure(format!("run {} is done", run.id)));
            }
            match &run.at_work {
                Some(at_work) => {
                    writeln!(out, "run {} cancelled: it ends {at_work} in a moment, and what it wrote stays", run.id)?;
                }
                None => writeln!(out, "run {} cancelled; the people it wrote stay", run.id)?,
            }
        }
    }
    Ok(())
}

/// What is asked for now, within the limits that the run was given where no others are said.
fn kept(asking: RequestOptions, run: &Run) -> RequestOptions {
    RequestOptions { limits: asking.limits.or(run.bounds), ..asking }
}

fn show(out: &mut impl Write, run: &Run, calls: &CallTotals, batches: &[Batch]) -> io::Result<()> {
    let at_work = run.at_work.as_ref().map_or(String::new(), |at_work| format!(" {at_work}"));
    writeln!(out, "run       {}\nstatus    {}{at_work}\ntable     {}", run.id, run.status, run.table)?;
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
    let Bounds { calls: most_calls, tokens, cost_usd } = run.bounds;
    let limits = [
        most_calls.map(|most| format!("{most} calls")),
        tokens.map(|most| format!("{most} tokens")),
        cost_usd.map(|most| format!("{most} US dollars")),
    ];
    if run.bounds.are_set() {
        writeln!(out, "limits    {}", limits.into_iter().flatten().collect::<Vec<_>>().join(", "))?;
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
    let CallTotals { answered, failed, attempts, prompt_tokens, completion_tokens, estimated, cost_usd, failures } =
        calls;
    writeln!(out, "calls     {answered} answered, {failed} failed, {attempts} requests")?;
    let about = if *estimated > 0 { ", estimated: the server does not tell all of them" } else { "" };
    writeln!(out, "tokens    {prompt_tokens} asked, {completion_tokens} answered{about}")?;
    if let Some(cost) = cost_usd {
        writeln!(out, "cost      {cost:.4} US dollars{}", if *estimated > 0 { ", estimated" } else { "" })?;
    }
    for (error, count) in failures {
        writeln!(out, "failed    {count} times: {error}")?;
    }
    Ok(())
}

/// How many answers there were already, and since when.
pub(super) fn known(out: &mut impl Write, asked: &Asked) -> io::Result<()> {
    let Asked { known, days: Some((first, last)), .. } = asked else { return Ok(()) };
    let days = if first == last { first.clone() } else { format!("{first} to {last}") };
    match known {
        1 => writeln!(out, "1 answer was in the catalogue (asked {days}); --fresh asks anew"),
        _ => writeln!(out, "{known} answers were in the catalogue (asked {days}); --fresh asks anew"),
    }
}

/// The beginning of a statement, on one line.
fn short(sql: &str) -> String {
    let line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

//! `populace generate`.

use std::convert::Infallible;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{AskingArguments, DatabaseArguments, Failure};
use crate::catalog::{Run, Work};
use crate::engine::{Access, Engine, Files, Models, Options};
use crate::servers::RequestOptions;
use crate::{packs, runs};

/// Between two lines of progress, where there is no terminal to draw a bar on.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct GenerateArguments {
    /// The country to draw from: by name, or a pack of one's own by the path of its file or folder
    country: String,
    /// How many people of the seed's stream the table is to hold
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    #[arg(required_unless_present = "exactly")]
    count: Option<u64>,
    /// Count only people whose texts all came and passed the checks: others are left out, and more drawn until there are
    /// so many
    #[arg(long)]
    sound: bool,
    /// As `--count N --sound`, which is how it is said now
    #[arg(long, value_name = "N", conflicts_with = "count", hide = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    exactly: Option<u64>,
    /// Draws the same people every time; without it a fresh one is taken, and said
    #[arg(long)]
    seed: Option<u64>,
    /// Draw only people of whom this holds, as in SQL: "age >= 65 AND state = 'VT'"
    #[arg(long, value_name = "EXPRESSION")]
    given: Option<String>,
    /// What writes narratives: outline (built in), a model of the server at OPENAI_BASE_URL as openai:MODEL, or none,
    /// for facts alone
    #[arg(long, env = "POPULACE_NARRATOR", default_value = "outline", value_name = "NAME")]
    narrator: String,
    /// The narratives to write, parted by commas: persona,finance_persona; all that the narrator knows without this
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    narratives: Option<Vec<String>>,
    /// The language of the narratives, where that is not the country's own: hi, hi-Latn
    #[arg(long, value_name = "CODE")]
    language: Option<String>,
    /// A model that scores the texts from 1 to 5, into columns of their own: openai:MODEL
    #[arg(long, value_name = "NAME")]
    judge: Option<String>,
    /// Hand requests to the provider in batches, at half the price: the answers come within a day
    #[arg(long)]
    batch: bool,
    #[command(flatten)]
    asking: AskingArguments,
    /// The table, made where it is not there yet; named like the country without this, and the language if one is named:
    /// india, india_hi
    #[arg(long, value_name = "TABLE")]
    into: Option<String>,
    /// Make a table without columns of vectors
    #[arg(long)]
    no_embeddings: bool,
    /// People who are committed together; without it, those who are ready in some seconds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    chunk: Option<u32>,
    /// Say what it would take, calls, tokens and money, and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn generate(arguments: GenerateArguments, database: &DatabaseArguments) -> Result<(), Failure> {
    let pack = runs::pack_id(&arguments.country)?;
    let name = pack.split('@').next().unwrap_or(&pack).to_string();
    let fresh = || {
        let seed = populace_udfs::fresh_seed();
        eprintln!("seed {seed}");
        seed
    };
    let by_path = packs::path::is_path(&arguments.country);
    let base = if by_path { name } else { arguments.country.clone() };
    let language = arguments.language.iter().map(|code| format!("_{}", code.to_lowercase().replace('-', "_")));
    let named = || base.chars().chain(language.collect::<String>().chars()).collect();
    let table = arguments.into.unwrap_or_else(named);
    let work = Work::Generate {
        country: packs::path::absolute(&arguments.country),
        pack,
        seed: arguments.seed.unwrap_or_else(fresh),
        given: arguments.given,
        count: arguments.exactly.or(arguments.count).unwrap_or_default(),
    };
    let run = Run::new(work, &table, &arguments.narrator, !arguments.no_embeddings);
    let asking = arguments.asking.asking();
    let run = Run {
        fresh: asking.fresh.clone(),
        narratives: arguments.narratives,
        language: arguments.language,
        exactly: arguments.sound || arguments.exactly.is_some(),
        judge: arguments.judge,
        batch: arguments.batch,
        ..run
    };
    let chunk = arguments.chunk.map(|c| c as usize);
    if arguments.dry_run {
        return dry_run(&run, asking, database);
    }
    finish(&run, asking, chunk, false, database)
}

/// A session that asks as the run does.
fn session(
    run: &Run,
    asking: RequestOptions,
    allow_files: bool,
    database: &DatabaseArguments,
) -> Result<Engine, Failure> {
    let narrator = Some(run.narrator.clone()).filter(|n| n != "none");
    let asking = RequestOptions { batch: run.batch, fresh: run.fresh.clone(), ..asking };
    let packs = match &run.work {
        Work::Generate { country, .. } => vec![country.clone()],
        Work::Statement(_) => vec![],
    };
    let files = if allow_files { Files::Allowed } else { Files::Forbidden };
    // A statement that is run again names the models that it was allowed when it was first run.
    let access = Access { files, models: Models::Any, ..Access::default() };
    Ok(Engine::new(database.open()?, Options { access, narrator, asking, packs, ..Options::default() })?)
}

fn dry_run(run: &Run, asking: RequestOptions, database: &DatabaseArguments) -> Result<(), Failure> {
    let engine = session(run, asking, false, database)?;
    let runs::Expected { people, estimate, texts } = super::runtime()?.block_on(runs::estimate(&engine, run))?;
    engine.database().take_notices().iter().for_each(|notice| eprintln!("{notice}"));
    let out = &mut io::stdout();
    writeln!(out, "people    {people} to be written into {} by {}", run.table, run.narrator)?;
    let (own, built_in): (Vec<String>, Vec<String>) = texts.into_iter().partition(|kind| !packs::is_narrative(kind));
    if !own.is_empty() {
        let (names, others) = (own.join(", "), built_in.join(","));
        let others = match (run.narratives.is_some(), others.is_empty()) {
            (false, false) => format!("; --narratives {others} leaves them out"),
            _ => String::new(),
        };
        writeln!(out, "own       {names}: a call for each person, kept by `populace narratives add`{others}")?;
    }
    match estimate {
        Some(estimate) => Ok(super::output::print_estimate(out, &estimate)?),
        None => Ok(writeln!(out, "calls     none: {} asks no model", run.narrator)?),
    }
}

/// Does what is left of a run, and says how far it is.
pub(super) fn finish(
    run: &Run,
    asking: RequestOptions,
    chunk: Option<usize>,
    allow_files: bool,
    database: &DatabaseArguments,
) -> Result<(), Failure> {
    let engine = session(run, asking, allow_files, database)?;
    let runtime = super::runtime()?;
    let interrupted =
        || Failure(format!("interrupted; what is committed stays, and `populace runs resume {}` finishes it", run.id));
    runtime.block_on(async {
        let work = async {
            match &run.work {
                Work::Generate { seed, count, .. } => draw(&engine, run, *seed, *count, chunk).await,
                Work::Statement(sql) => {
                    let Some(rows) = runs::resume(&engine, run, sql).await? else {
                        return Ok(writeln!(io::stdout(), "run {} was done already: that is noted now", run.id)?);
                    };
                    super::output::print(
                        rows,
                        super::output::Format::Table,
                        super::output::Shown::on_stdout(super::fit::Expanded::Off),
                        &mut io::stdout(),
                    )
                    .await?;
                    Ok(super::sql::told(&mut io::stderr(), &engine.asked())?)
                }
            }
        };
        let done = tokio::select! {
            done = work => done,
            () = super::signals::interrupt() => Err(interrupted()),
        };
        engine.database().take_notices().iter().for_each(|notice| eprintln!("{notice}"));
        done
    })
}

/// Says how far the batches of a run are, while it waits for them; for ever.
async fn tell_of_batches(engine: &Engine, run: &Run, bar: Option<&ProgressBar>) -> Infallible {
    let mut said = String::new();
    loop {
        tokio::time::sleep(BETWEEN_LINES).await;
        let batches = match engine.catalog() {
            Ok(catalog) if run.batch => catalog.batches(&run.id).unwrap_or_default(),
            _ => continue,
        };
        let Some(newest) = batches.last() else { continue };
        let name = newest.provider_id.as_deref().unwrap_or("a batch");
        let line = format!("{name}: {} of {} answered, {}", newest.done, newest.requests, newest.state);
        if line != said {
            match bar {
                Some(bar) => bar.println(&line),
                None => _ = writeln!(io::stderr(), "{line}"),
            }
            said = line;
        }
    }
}

async fn draw(engine: &Engine, run: &Run, seed: u64, count: u64, chunk: Option<usize>) -> Result<(), Failure> {
    let bar = io::stderr().is_terminal().then(|| {
        let style =
            ProgressStyle::with_template("{bar:30} {pos}/{len} people, {per_sec}, {eta} left, {elapsed} so far");
        let bar = ProgressBar::new(count).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(500));
        bar
    });
    let said = Mutex::new(Instant::now());
    let progress = |done| match &bar {
        Some(bar) => bar.set_position(done),
        None => {
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            if said.elapsed() >= BETWEEN_LINES || done == count {
                *said = Instant::now();
                // Nobody may be reading: that ends no run.
                _ = writeln!(io::stderr(), "{done} of {count} people");
            }
        }
    };
    let written = tokio::select! {
        written = runs::run(engine, run, chunk, progress) => written?,
        never = tell_of_batches(engine, run, bar.as_ref()) => match never {},
    };
    if let Some(bar) = &bar {
        bar.finish_and_clear();
    }
    let there = count - written.min(count);
    let before = match there {
        0 => String::new(),
        1 => ", 1 was there already".into(),
        _ => format!(", {there} were there already"),
    };
    let people = if written == 1 { "person" } else { "people" };
    let out = &mut io::stdout();
    writeln!(out, "{}: {written} {people} written{before} (seed {seed}, run {})", run.table, run.id)?;
    let calls = engine.catalog()?.calls(&run.id)?;
    super::runs::known(out, &engine.asked())?;
    match calls.answered + calls.failed {
        0 if run.narrator.starts_with("openai:") || engine.database().embedder().asks().is_some() => {
            writeln!(out, "calls     none: every answer was known")?
        }
        0 => {}
        _ => super::runs::bill(out, &calls)?,
    }
    Ok(())
}

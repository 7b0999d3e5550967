//! `populace generate` and `populace runs`.

use std::io::{self, IsTerminal, Write};

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::{DatabaseArguments, Failure};
use crate::catalog::{Catalog, Run};
use crate::engine::{Engine, Files};
use crate::runs;

#[derive(Debug, Args)]
pub(super) struct GenerateArguments {
    /// The country to draw from
    country: String,
    /// How many people of the seed's stream the table is to hold
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    count: u64,
    /// Draws the same people every time; without it a fresh one is taken, and said
    #[arg(long)]
    seed: Option<u32>,
    /// Draw only people of whom this holds, as in SQL: "age >= 65 AND state = 'VT'"
    #[arg(long, value_name = "EXPRESSION")]
    given: Option<String>,
    /// What writes the narratives: outline; or none, for facts alone
    #[arg(long, default_value = "outline")]
    narrator: String,
    /// The table, made where it is not there yet; named like the country without this
    #[arg(long, value_name = "TABLE")]
    into: Option<String>,
    /// Make a table without columns of vectors
    #[arg(long)]
    no_embeddings: bool,
}

#[derive(Debug, Args)]
pub(super) struct RunsArguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All that is known of a run
    Show { run: String },
    /// Finish a run that was interrupted; without a name, the newest
    Resume { run: Option<String> },
    /// Mark a run as not to be finished; people it wrote stay
    Cancel { run: String },
}

pub(super) fn generate(arguments: GenerateArguments, database: &DatabaseArguments) -> Result<(), Failure> {
    let pack = runs::pack_id(&arguments.country)?;
    let id = uuid::Uuid::now_v7().simple().to_string();
    let seed = arguments.seed.map(i64::from).unwrap_or_else(|| {
        let hash = blake3::hash(id.as_bytes());
        let seed = u32::from_le_bytes([hash.as_bytes()[0], hash.as_bytes()[1], hash.as_bytes()[2], hash.as_bytes()[3]]);
        eprintln!("seed {seed}");
        i64::from(seed)
    });
    let run = Run {
        id,
        table: arguments.into.unwrap_or_else(|| arguments.country.clone()),
        country: arguments.country,
        pack,
        seed,
        given: arguments.given,
        narrator: arguments.narrator,
        count: arguments.count,
        embed: !arguments.no_embeddings,
        status: "running".into(),
        done: 0,
        error: None,
        started: String::new(),
        updated: String::new(),
    };
    finish(&run, database)
}

fn finish(run: &Run, database: &DatabaseArguments) -> Result<(), Failure> {
    let database = database.open()?;
    database.create()?;
    let catalog = Catalog::open(database.root())?;
    let engine = Engine::new(database, Files::Forbidden)?;
    let bar = io::stderr().is_terminal().then(|| {
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} people, {per_sec}, {eta} left");
        ProgressBar::new(run.count).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    });
    let progress = |done| match &bar {
        Some(bar) => bar.set_position(done),
        // Nobody may be reading: that ends no run.
        None => _ = writeln!(io::stderr(), "{done} of {} people", run.count),
    };
    let runtime = super::runtime()?;
    let written = runtime.block_on(async {
        tokio::select! {
            written = runs::run(&engine, &catalog, run, progress) => Ok(written?),
            _ = tokio::signal::ctrl_c() => Err(Failure(format!(
                "interrupted; what is committed stays, and `populace runs resume {}` finishes it",
                run.id
            ))),
        }
    })?;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let there = run.count - written.min(run.count);
    let before = if there > 0 { format!(", {there} were there already") } else { String::new() };
    writeln!(io::stdout(), "{}: {written} people written{before} (seed {}, run {})", run.table, run.seed, run.id)?;
    Ok(())
}

pub(super) fn runs(arguments: RunsArguments, database: &DatabaseArguments) -> Result<(), Failure> {
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
    let out = &mut io::stdout().lock();
    match arguments.command {
        None => {
            for r in catalog.runs()? {
                let (id, status, started) = (&r.id, &r.status, &r.started);
                writeln!(
                    out,
                    "{id}  {status:9} {:>9} of {:<9} {} into {}, {started}",
                    r.done, r.count, r.pack, r.table
                )?;
            }
        }
        Some(Command::Show { run }) => {
            let r = find(&run)?;
            writeln!(out, "run       {}\nstatus    {}\npack      {}\ntable     {}", r.id, r.status, r.pack, r.table)?;
            writeln!(out, "people    {} of {}\nseed      {}", r.done, r.count, r.seed)?;
            writeln!(out, "given     {}\nnarrator  {}", r.given.as_deref().unwrap_or("-"), r.narrator)?;
            writeln!(out, "started   {}\nupdated   {}", r.started, r.updated)?;
            writeln!(out, "error     {}", r.error.as_deref().unwrap_or("-"))?;
        }
        Some(Command::Resume { run }) => {
            let run = match run {
                Some(id) => find(&id)?,
                None => {
                    let open = |r: &Run| r.status == "running" || r.status == "failed";
                    match catalog.runs()?.into_iter().find(open) {
                        Some(run) => run,
                        None => {
                            writeln!(out, "nothing to resume: every run is done or cancelled")?;
                            return Ok(());
                        }
                    }
                }
            };
            finish(&run, database)?;
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

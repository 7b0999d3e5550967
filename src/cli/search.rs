//! `populace search`.

use std::io;

use clap::{Args, ValueEnum};

use super::fit::Expanded;
use super::output::{Format, Shown, print};
use super::{AskingArguments, DatabaseArguments, Failure};
use crate::engine::{self, Access, Engine, Models, Options, Search};

/// What people are found by.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum By {
    /// What is known of them (the occupation, the family, each hobby) and what their texts mean: in whatever language
    Facts,
    /// What their texts mean
    Meaning,
    /// The words in their texts
    Words,
    /// Meaning and words: the two rankings fused
    Both,
}

#[derive(Debug, Args)]
pub(super) struct SearchArguments {
    /// Whom to look for: "retired nurse who gardens"
    text: String,
    /// Search among people of whom this holds, as in SQL: "state = 'FL' AND age > 60"
    #[arg(long, value_name = "EXPRESSION")]
    r#where: Option<String>,
    /// How many people
    #[arg(short, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    k: u32,
    /// The table that is searched; all tables of people without it, each by its own indexes, merged by score
    #[arg(long)]
    table: Option<String>,
    /// The narrative that is searched
    #[arg(long, default_value = "persona")]
    column: String,
    #[arg(long, value_enum, default_value_t = By::Facts)]
    by: By,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    asking: AskingArguments,
}

pub(super) fn run(arguments: SearchArguments, database: &DatabaseArguments) -> Result<(), Failure> {
    // The embedder that is named may be asked; nothing else is.
    let access = Access { models: Models::OfSession, ..Access::read() };
    let options = Options { access, asking: arguments.asking.asking(), ..Options::default() };
    let engine = Engine::new(database.open()?, options)?;
    let search = Search {
        text: arguments.text,
        by: match arguments.by {
            By::Facts => engine::By::Facts,
            By::Meaning => engine::By::Meaning,
            By::Words => engine::By::Words,
            By::Both => engine::By::Both,
        },
        table: arguments.table,
        column: arguments.column,
        k: arguments.k as usize,
        predicate: arguments.r#where,
    };
    let column = search.column.clone();
    let shown = ["first_name", "last_name", "age", column.as_str(), "score", "fact"];
    let shown = Shown::on_stdout(Expanded::Off).keeping(&shown);
    let runtime = super::runtime()?;
    runtime.block_on(async { print(engine.search(search).await?, arguments.format, shown, &mut io::stdout()).await })
}

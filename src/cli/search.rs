//! `populace search`.

use std::io;

use clap::{Args, ValueEnum};

use super::fit::Expanded;
use super::output::{Format, Shown, print};
use super::{AskingArguments, DatabaseArguments, Failure};
use crate::engine::{self, Access, Engine, Files, Models, Options, Search};
use crate::rerankers;

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
    /// Have a model read the first 50 found, and order them: bge-reranker-v2-m3 (without a name), another that fastembed
    /// knows, a folder with one, or a model of the server at OPENAI_BASE_URL as openai:MODEL
    #[arg(long, value_name = "MODEL", num_args = 0..=1, default_missing_value = rerankers::DEFAULT)]
    rerank: Option<String>,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    asking: AskingArguments,
}

pub(super) fn run(arguments: SearchArguments, database: &DatabaseArguments) -> Result<(), Failure> {
    // The embedder and the reranker that are named may be asked; nothing else is.
    let models = match &arguments.rerank {
        Some(name) if rerankers::asks(name) => Models::Named([name.clone()].into()),
        _ => Models::OfSession,
    };
    let is_folder = arguments.rerank.as_deref().is_some_and(rerankers::is_folder);
    let files = if is_folder { Files::Allowed } else { Files::Forbidden };
    let access = Access { models, files, ..Access::read() };
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
        rerank: arguments.rerank,
    };
    let column = search.column.clone();
    let shown = ["first_name", "last_name", "age", column.as_str(), "score", "fact"];
    let shown = Shown::on_stdout(Expanded::Off).keeping(&shown);
    let runtime = super::runtime()?;
    runtime.block_on(async { print(engine.search(search).await?, arguments.format, shown, &mut io::stdout()).await })
}

//! `populace recipes` and `populace recipe NAME`.

use std::io::{self, Write};

use clap::Args;

use super::output::Format;
use super::{AskingArguments, DatabaseArguments, Failure, ModelsArguments};
use crate::engine::{Access, Engine, Options};
use crate::recipes::{self, Recipe};

#[derive(Debug, Args)]
pub(super) struct RecipeArguments {
    /// Its name; `populace recipes` lists them
    name: String,
    /// A value for one of its parameters
    #[arg(long = "param", short = 'p', value_name = "NAME=VALUE", value_parser = pair)]
    parameters: Vec<(String, String)>,
    /// Print the statements, and run nothing
    #[arg(long)]
    print: bool,
    /// Say what it is for, and what parameters it has
    #[arg(long, conflicts_with = "print")]
    describe: bool,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// What writes narratives, where the recipe has any written
    #[arg(long, env = "POPULACE_NARRATOR", default_value = "outline", value_name = "NAME")]
    narrator: String,
    #[command(flatten)]
    models: ModelsArguments,
    #[command(flatten)]
    asking: AskingArguments,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) => Ok((name.trim().into(), value.into())),
        None => Err("write NAME=VALUE".into()),
    }
}

pub(super) fn list() -> Result<(), Failure> {
    let (out, recipes) = (&mut io::stdout().lock(), recipes::all());
    let width = recipes.iter().map(|r| r.name.len()).max().unwrap_or(0);
    for recipe in recipes {
        writeln!(out, "{:width$}  {}", recipe.name, recipe.description.lines().next().unwrap_or_default())?;
    }
    writeln!(out, "\n`populace recipe NAME --describe` says more, `populace recipe NAME --param …` runs it")?;
    Ok(())
}

pub(super) fn run(arguments: RecipeArguments, database: &DatabaseArguments) -> Result<(), Failure> {
    let recipe = recipes::find(&arguments.name).map_err(Failure)?;
    if arguments.describe {
        return Ok(describe(&recipe, &mut io::stdout().lock())?);
    }
    let text = recipe.statements(&arguments.parameters).map_err(Failure)?;
    if arguments.print {
        return Ok(writeln!(io::stdout(), "{}", text.trim())?);
    }
    let asking = arguments.asking.asking();
    let access = Access { models: arguments.models.models(), ..Access::default() };
    let options = Options { access, narrator: Some(arguments.narrator), asking, ..Options::default() };
    let engine = Engine::new(database.open()?, options)?;
    super::runtime()?.block_on(super::sql::run_all(&engine, &text, arguments.format))
}

fn describe(recipe: &Recipe, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}: {}\n", recipe.name, recipe.description)?;
    let width = recipe.parameters.iter().map(|p| p.name.len()).max().unwrap_or(0);
    for parameter in &recipe.parameters {
        let default = match &parameter.default {
            Some(default) => format!("{default} without it"),
            None => "must be given".into(),
        };
        writeln!(out, "  --param {:width$}  {} ({default})", parameter.name, parameter.description)?;
    }
    Ok(())
}

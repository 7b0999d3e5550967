//! `populace narratives`.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use populace_population::{did_you_mean, there_are};
use populace_udfs::template_names;

use super::{DatabaseArguments, Failure, read_text};
use crate::catalog::Catalog;
use crate::database::PROVENANCE;
use crate::packs;

#[derive(Debug, Args)]
pub(super) struct NarrativesArguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Keep a template under a name: a text that models write beside the others, with a column and vectors of its own
    Add {
        /// The name of the column: finance_persona
        name: String,
        /// The file with the Jinja template over a person's facts; `-` is standard input
        file: PathBuf,
        /// Put it in the place of the template that has the name now
        #[arg(long)]
        replace: bool,
    },
    /// Print a template
    Show { name: String },
    /// Forget a template; texts written from it stay
    Remove { name: String },
}

pub(super) fn run(arguments: NarrativesArguments, database: &DatabaseArguments) -> Result<(), Failure> {
    let opened = database.open()?;
    let out = &mut io::stdout().lock();
    let known = opened.root().join("catalog.sqlite").exists();
    let catalog = || Ok::<_, Failure>(Catalog::open(opened.root())?);
    let unknown = |name: &str, catalog: &Catalog| {
        let names: Vec<String> = catalog.narratives()?.into_iter().map(|(name, _)| name).collect();
        Err(Failure(format!("there is no narrative `{name}` of your own{}", there_are(name, &names))))
    };
    match arguments.command {
        None => {
            for name in packs::all_kinds() {
                writeln!(out, "{name:28} built in")?;
            }
            let own = if known { catalog()?.narratives()? } else { vec![] };
            for (name, template) in own {
                writeln!(out, "{name:28} {}", template.lines().next().unwrap_or_default())?;
            }
        }
        Some(Command::Add { name, file, replace }) => {
            check_name(&name)?;
            let template = read_text(&file)?;
            for unknown in check_template(&template)? {
                let hint = did_you_mean(&unknown, columns().iter().map(String::as_str));
                eprintln!("note: no country has a column `{unknown}`{hint}");
            }
            opened.create()?;
            let catalog = catalog()?;
            match catalog.narrative(&name)? {
                Some(there) if there != template && !replace => {
                    return Err(Failure(format!(
                        "there is a narrative {name} already: --replace puts this one in its place"
                    )));
                }
                _ => catalog.set_narrative(&name, &template)?,
            }
            writeln!(
                out,
                "{name} is kept: `generate` with a model writes it from now on, as does generate_narrative('{name}') in SQL\n\
                 a table that is there already takes it after ALTER TABLE usa ADD COLUMN {name} VARCHAR"
            )?;
        }
        Some(Command::Show { name }) => {
            let catalog = catalog()?;
            match catalog.narrative(&name)? {
                Some(template) => writeln!(out, "{}", template.trim_end())?,
                None => return unknown(&name, &catalog),
            }
        }
        Some(Command::Remove { name }) => {
            let catalog = catalog()?;
            if !catalog.remove_narrative(&name)? {
                return unknown(&name, &catalog);
            }
            writeln!(out, "{name} is forgotten; texts written from it stay")?;
        }
    }
    Ok(())
}

/// A name becomes a column, beside those that tables of people have.
fn check_name(name: &str) -> Result<(), Failure> {
    let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || name.len() > 60 || !name.chars().all(sound) {
        return Err(Failure(format!("{name:?} is no name for a column: use small letters, digits and _")));
    }
    // What a judge says has columns too.
    let taken = PROVENANCE.contains(&name) || name.ends_with("_embedding") || name.starts_with("judge");
    if taken || packs::is_narrative(name) || columns().iter().any(|c| c == name) {
        return Err(Failure(format!("tables of people have a column {name} of another kind: take another name")));
    }
    Ok(())
}

/// The names in a template that no country has a column for.
fn check_template(template: &str) -> Result<Vec<String>, Failure> {
    if template.trim().is_empty() {
        return Err(Failure("the template is empty".into()));
    }
    let names = template_names(template).map_err(Failure)?;
    if names.is_empty() {
        return Err(Failure(
            "the template names no fact, so that it would be one text for everybody: {{first_name}}, {{age}}, …".into(),
        ));
    }
    let columns = columns();
    Ok(names.into_iter().filter(|n| !columns.contains(n) && !packs::is_narrative(n)).collect())
}

/// The columns of the countries.
fn columns() -> Vec<String> {
    let packs = packs::NAMES.iter().filter_map(|n| packs::open(n)?.ok());
    packs.flat_map(|p| p.schema().fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_columns_that_nobody_has() {
        assert!(check_name("finance_persona").is_ok());
        for taken in ["persona", "age", "narrator", "bio_embedding", "", "2nd", "Bio", "a b"] {
            assert!(check_name(taken).is_err(), "{taken}");
        }
    }

    #[test]
    fn templates_name_facts() {
        assert_eq!(check_template("How {{first_name}}, {{agee}}, saves.").unwrap(), ["agee"]);
        assert!(check_template("{{ age").is_err() && check_template(" ").is_err() && check_template("Hello.").is_err());
    }
}

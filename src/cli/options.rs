//! Options that all commands take, told in the help of those that use them.

use clap::{Arg, Command};

const DB: &str = "db";
const EMBEDDER: &str = "embedder";
const MEMORY: &str = "memory_limit";

/// What commands do not use, by their names and those of the commands above them. What is not named here uses all.
const UNUSED: [(&str, &[&str]); 23] = [
    ("recipes", &[DB, EMBEDDER, MEMORY]),
    ("countries", &[DB, EMBEDDER, MEMORY]),
    ("countries show", &[DB, EMBEDDER, MEMORY]),
    ("countries new", &[DB, EMBEDDER, MEMORY]),
    ("countries check", &[DB, EMBEDDER, MEMORY]),
    ("countries compile", &[DB, EMBEDDER, MEMORY]),
    ("countries export-network", &[DB, EMBEDDER, MEMORY]),
    ("narratives", &[EMBEDDER, MEMORY]),
    ("narratives add", &[EMBEDDER, MEMORY]),
    ("narratives show", &[EMBEDDER, MEMORY]),
    ("narratives remove", &[EMBEDDER, MEMORY]),
    ("tables", &[EMBEDDER, MEMORY]),
    ("index", &[EMBEDDER]),
    ("optimize", &[EMBEDDER]),
    ("report", &[EMBEDDER]),
    ("runs", &[EMBEDDER, MEMORY]),
    ("runs show", &[EMBEDDER, MEMORY]),
    ("runs cancel", &[EMBEDDER, MEMORY]),
    ("runs forget", &[EMBEDDER, MEMORY]),
    ("tokens", &[EMBEDDER, MEMORY]),
    ("tokens add", &[EMBEDDER, MEMORY]),
    ("tokens list", &[EMBEDDER, MEMORY]),
    ("tokens remove", &[EMBEDDER, MEMORY]),
];

/// Hides options in the help of the commands that do not use them. They are taken all the same: who has a shell's alias
/// with `--embedder` in it is not refused.
pub(super) fn told_where_used(command: Command) -> Command {
    let common: Vec<Arg> = command.get_arguments().filter(|arg| arg.is_global_set()).cloned().collect();
    command.mut_subcommands(|sub| told(sub, "", &common))
}

fn told(command: Command, above: &str, common: &[Arg]) -> Command {
    let path = format!("{above}{}", command.get_name());
    let unused = UNUSED.iter().find(|(name, _)| *name == path).map_or(&[][..], |(_, unused)| *unused);
    // A global option is handed down where there is none of its name.
    let hide = |arg: &Arg| arg.clone().hide(unused.contains(&arg.get_id().as_str()));
    let command = command.args(common.iter().map(hide));
    command.mut_subcommands(|sub| told(sub, &format!("{path} "), common))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::super::Arguments;
    use super::*;

    #[test]
    fn help_tells_what_a_command_uses() {
        let mut command = told_where_used(Arguments::command());
        command.build();
        let help = |path: &str| {
            let found = path.split(' ').fold(command.clone(), |c, name| c.find_subcommand(name).unwrap().clone());
            found.clone().render_long_help().to_string()
        };
        for (path, unused) in UNUSED {
            let help = help(path);
            for option in [DB, EMBEDDER, MEMORY] {
                let shown = help.contains(&format!("--{} <", option.replace('_', "-")));
                assert_eq!(shown, !unused.contains(&option), "{path} {option}");
            }
        }
        for path in ["generate", "sql", "search", "import", "sample", "recipe", "runs resume"] {
            assert!(help(path).contains("--embedder <NAME>"), "{path}");
        }
    }

    #[test]
    fn options_are_taken_before_and_after_the_command() {
        for line in ["populace --db x tables --embedder hash", "populace tables --embedder hash --db x"] {
            let matches = told_where_used(Arguments::command()).try_get_matches_from(line.split(' ')).unwrap();
            let arguments = <Arguments as clap::FromArgMatches>::from_arg_matches(&matches).unwrap();
            assert_eq!(arguments.database.db.to_str(), Some("x"), "{line}");
            assert_eq!(arguments.database.embedder.as_deref(), Some("hash"), "{line}");
        }
        assert!(Arguments::try_parse_from(["populace"]).unwrap().command.is_none());
    }
}

//! Reading variables: their levels, from the manifest or from a file.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::manifest::VariableSection;
use super::places::source;
use super::{figure, gather};
use crate::error::{Error, Result};
use crate::model::variable::{Levels, MAX_LEVELS, Variable};

pub(super) fn variable(dir: &Path, section: &VariableSection) -> Result<Variable> {
    let place = format!("pack.toml, variable `{}`", section.name);
    let levels = match (&section.levels, &section.levels_file, section.integers) {
        (Some(levels), None, None) => {
            check_levels(levels, &place)?;
            Levels::Text(levels.clone().into())
        }
        (None, Some(file), None) => {
            let rows = figure::read_levels(dir, file, "level");
            let rows = rows.map_err(|e| of_manifest(e, &format!("variable `{}`", section.name), file))?;
            Levels::Text(levels_of(rows, file)?.into())
        }
        (None, None, Some([min, max])) if min <= max && i64::from(max) - i64::from(min) < MAX_LEVELS as i64 => {
            Levels::Integer { min, max }
        }
        (None, None, Some(_)) => return Err(source(place, "`integers` is [lowest, highest], at most 65,536 of them")),
        _ => return Err(source(place, "give one of `levels`, `levels_file` or `integers`")),
    };
    let mut variable = Variable::new(section.name.clone(), section.description.clone(), levels, section.hidden, None);
    if let Some(null) = &section.null_level {
        let level = variable.level(null).ok_or_else(|| source(&place, variable.unknown_level(null).to_string()))?;
        variable.null_level = Some(level as u16);
    }
    Ok(variable)
}

/// What is wrong with a file that is not there is wrong with what names it.
pub(super) fn of_manifest(error: Error, section: &str, file: &str) -> Error {
    match error {
        Error::Io { source: why, .. } => source(format!("pack.toml, {section}"), format!("{file}: {why}")),
        error => error,
    }
}

/// The levels of a file, each in a row of its own.
pub(super) fn levels_of(rows: Vec<figure::LevelRow>, file: &str) -> Result<Vec<String>> {
    let mut first: HashMap<String, u64> = HashMap::new();
    let mut errors = vec![];
    for row in &rows {
        if let Some(before) = first.insert(row.level.clone(), row.line) {
            let message = format!("level `{}` stands there twice, first in line {before}", row.level);
            errors.push(source(format!("{file}:{}", row.line), message));
        }
        if row.level.is_empty() || row.level.contains('\n') {
            let message = "a level without a name, or with a line break in it";
            errors.push(source(format!("{file}:{}", row.line), message));
        }
    }
    gather(errors)?;
    let levels: Vec<String> = rows.into_iter().map(|row| row.level).collect();
    check_levels(&levels, &format!("{file}:1"))?;
    Ok(levels)
}

fn check_levels(levels: &[String], place: &str) -> Result<()> {
    let mut seen = HashSet::new();
    if levels.is_empty() || levels.len() > MAX_LEVELS {
        return Err(source(place, format!("{} levels; a variable has 1 to {MAX_LEVELS}", levels.len())));
    }
    for level in levels {
        if level.is_empty() || level.contains('\n') {
            return Err(source(place, "a level without a name, or with a line break in it"));
        }
        if !seen.insert(level) {
            return Err(source(place, format!("level `{level}` stands there twice")));
        }
    }
    Ok(())
}

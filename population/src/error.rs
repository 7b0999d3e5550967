//! The errors of this crate. Each names the thing, the place and the remedy.

use std::path::PathBuf;

/// What can go wrong with packs, evidence and draws.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("{path}: {source}", path = .path.display())]
    Io { path: PathBuf, source: std::io::Error },

    /// A pack's sources are wrong; `place` is a file, with a line where one is known.
    #[error("{place}: {message}")]
    Source { place: String, message: String },

    /// Several things are wrong with a pack's sources.
    #[error("{} errors in the pack:\n{}", .0.len(), .0.iter().map(|e| format!("  {e}")).collect::<Vec<_>>().join("\n"))]
    Sources(Vec<Error>),

    /// Figures that no table can meet together.
    #[error(
        "the figures of node `{node}` contradict each other (pass {pass}): after {sweeps} sweeps {figures} still differ \
         from the fitted table by up to {gap:.3e} of the population; worst cell: {cell}. Name a figure `given` columns it \
         shares with the others, restrict it to a pass, or leave one out"
    )]
    Inconsistent { node: String, pass: String, figures: String, gap: f64, cell: String, sweeps: usize },

    #[error("not a compiled country pack: {0}")]
    NotAPack(String),

    #[error("{}", unknown("variable", .name, &[], .suggestion.as_deref(), .available))]
    UnknownVariable { name: String, suggestion: Option<String>, available: Vec<String> },

    #[error("{}", unknown("level", .name, &[.variable.as_str()], .suggestion.as_deref(), .available))]
    UnknownLevel { variable: String, name: String, suggestion: Option<String>, available: Vec<String> },

    #[error("cannot compare `{variable}` ({is}) with {value}")]
    TypeMismatch { variable: String, is: &'static str, value: String },

    /// The evidence has probability zero; `predicates` is a smallest set of its parts that contradict each
    /// other.
    #[error("{}", impossible(.predicates))]
    Impossible { predicates: Vec<String> },

    /// The level that is emitted as NULL was asked for by its name.
    #[error("`{name}` is NULL in `{variable}`: no comparison finds it; write `{variable} IS NULL`")]
    NullLevel { variable: String, name: String },

    #[error("the predicate is nested deeper than {bound}: write lists of values with IN, and fewer brackets")]
    TooDeep { bound: usize },

    /// A test of several variables whose answers do not fit their levels.
    #[error("the table of `{text}` {message}")]
    WrongTable { text: String, message: String },

    /// The plan of an exact answer needs more memory than there may be; `variables` cost most.
    #[error(
        "exact conditioning on this predicate needs {bytes} bytes, more than the bound of {bound}; what costs most is \
         {variables}. Fix one of these to a value, or filter the drawn rows with WHERE"
    )]
    TooMuchMemory { bytes: u128, bound: u64, variables: String },

    #[error(
        "exact conditioning on this predicate needs {cells} cells, more than the bound of {bound}: it ties together {variables}. \
         Use fewer variables within one OR, or filter the drawn rows with WHERE"
    )]
    TooLarge { cells: u128, bound: u64, variables: String },

    #[error("`{variable}` has {levels} levels, and {labels} labels were given for them")]
    Labels { variable: String, levels: usize, labels: usize },

    #[error("`{0}` is a list: a draw cannot be conditioned on it; filter the drawn rows with WHERE")]
    List(String),

    #[error("column {index} is out of range: the schema has {columns} columns")]
    Projection { index: usize, columns: usize },

    #[error("rows {start}..{end}: {message}")]
    Rows { start: u64, end: u64, message: String },

    /// A column of people who were handed over.
    #[error("column `{column}` of the people: {message}")]
    People { column: String, message: String },

    /// The facts of somebody have probability zero; `predicates` is a smallest set of them that contradict each other.
    #[error("{person}: {}. Correct these facts, or leave one out", impossible(.predicates))]
    ImpossiblePerson { person: String, predicates: Vec<String> },

    /// `what` is "set" or "keep".
    #[error("cannot {what} `{name}`: {message}")]
    Intervention { what: &'static str, name: String, message: String },

    /// Nothing is known of a variable for what somebody would be.
    #[error(
        "person `{person}` has no twin: the pack has no distribution of `{variable}` for {of}. Set something else, or keep \
         `{variable}` as it is"
    )]
    NoTwin { person: String, variable: String, of: String },

    /// The query of margins to draw to; `place` is a row or a column of it, or a margin.
    #[error("margins, {place}: {message}")]
    Margins { place: String, message: String },

    /// Nobody is in a cell that is to have somebody: the cells, each with the share that is asked of it.
    #[error("{}", unmet(.margin, .who, .cells))]
    ImpossibleMargin { margin: String, who: String, cells: Vec<(String, f64)> },

    /// Margins that nobody can meet together; `cell` of `margin` is the one furthest off, and `left` its share where the
    /// other margins are met. `sweeps` is 0 where they already differ in what they say of the same people.
    #[error("{}", contradictory(.margin, .cell, *.asked, *.left, .others, *.sweeps))]
    ContradictoryMargins { margin: String, cell: String, asked: f64, left: f64, others: String, sweeps: usize },

    /// Nobody waits for the work any more, or its time is over: see [`Interrupt`](crate::Interrupt).
    #[error("it was given up before it was done")]
    Interrupted,

    #[error("{rows} rows and {keys} keys: each row needs one")]
    Keys { rows: usize, keys: usize },

    #[error(transparent)]
    Arrow(#[from] arrow_schema::ArrowError),
}

/// This crate's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;

fn unknown(what: &str, name: &str, of: &[&str], suggestion: Option<&str>, available: &[String]) -> String {
    let of = of.iter().map(|o| format!(" of `{o}`")).collect::<String>();
    let mut text = format!("unknown {what}{of}: `{name}`");
    if let Some(suggestion) = suggestion {
        text += &format!("; did you mean `{suggestion}`?");
    } else if !available.is_empty() && available.len() <= 60 {
        text.push('.');
    }
    if !available.is_empty() && available.len() <= 60 {
        text += &format!(" There are: {}", available.join(", "));
    }
    text
}

fn impossible(predicates: &[String]) -> String {
    match predicates {
        [one] => format!("nobody in this population satisfies {one}"),
        many => format!("nobody in this population satisfies all of these together: {}", many.join("; ")),
    }
}

/// Cells that a message names.
const SHOWN: usize = 5;

/// A share to six digits.
fn short(share: f64) -> f64 {
    format!("{share:.5e}").parse().unwrap_or(share)
}

fn unmet(margin: &str, who: &str, cells: &[(String, f64)]) -> String {
    let named =
        cells.iter().take(SHOWN).map(|(cell, asked)| format!("{cell} (share asked {}, possible 0)", short(*asked)));
    let named = named.collect::<Vec<_>>().join("; ");
    let more = match cells.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("; and {more} more cells"),
    };
    format!(
        "the margin over {margin} cannot be met: nobody {who} is in {named}{more}. Leave out the rows of these cells"
    )
}

fn contradictory(margin: &str, cell: &str, asked: f64, left: f64, others: &str, sweeps: usize) -> String {
    let gap = (asked - left).abs();
    let (asked, left) = (short(asked), short(left));
    let off = format!("the margin over {margin} asks a share of {asked} of {cell}");
    let remedy = "Make them agree, as counts of the same people do, or leave one out";
    if sweeps == 0 {
        return format!(
            "the margins contradict each other: {off}, and the margin over {others} one of {left}, off by {gap:.3e}. {remedy}. \
             That is more than rounding explains by the digits that they are written with, or than 0.001: round both alike, or \
             have coarser bands that both agree on"
        );
    }
    format!(
        "the margins cannot be met together: {off}, and is left {left}, off by {gap:.3e}, after {sweeps} sweeps that meet the \
         margin over {others}. They contradict each other, or leave somebody out whom the network has. {remedy}"
    )
}

/// The name nearest to `wanted` by edit distance, if one is near enough to be a slip.
pub fn nearest<'a>(wanted: &str, among: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let lower = wanted.to_lowercase();
    let bound = (wanted.chars().count() / 3).max(2);
    among
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= bound)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name.to_string())
}

/// The end of a message about a name that is none of these: ``; did you mean `age`?``, or nothing.
pub fn did_you_mean<'a>(wanted: &str, among: impl IntoIterator<Item = &'a str>) -> String {
    nearest(wanted, among).map_or(String::new(), |name| format!("; did you mean `{name}`?"))
}

/// The end of a message about a name that is none of these few: [`did_you_mean`], and what there is.
pub fn there_are<S: AsRef<str>>(wanted: &str, names: &[S]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match did_you_mean(wanted, names.iter().copied()) {
        _ if names.is_empty() => ". There are none".into(),
        hint if hint.is_empty() => format!(". There are: {}", names.join(", ")),
        hint => format!("{hint} There are: {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_finds_slips_and_nothing_far() {
        assert_eq!(nearest("mariatl_status", ["age", "marital_status"]), Some("marital_status".into()));
        assert_eq!(nearest("AGE", ["age", "sex"]), Some("age".into()));
        assert_eq!(nearest("religion", ["age", "sex"]), None);
        assert_eq!(there_are("agee", &["age", "sex"]), "; did you mean `age`? There are: age, sex");
        assert_eq!(there_are("religion", &["age"]), ". There are: age");
    }
}

//! What went wrong, with a kind that programs can go by; exit codes follow from it, and whatever codes a wire has.

use std::collections::BTreeSet;
use std::fmt;

use datafusion::common::{Column, DataFusionError, SchemaError};
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::Location;
use populace_population::{did_you_mean, there_are};
use populace_udfs::is_table_function;

/// What the text of an error of memory begins with where a share is full, and not all that there is.
pub(crate) const OF_A_SHARE: &str = "the share is full: ";

/// The kinds of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text is no SQL
    Syntax,
    /// It is, and asks for what makes no sense: other types, arguments or values than there may be
    Usage,
    /// Something is named that is not there
    NotFound,
    /// Something is made that is there already
    Exists,
    /// Somebody else changed meanwhile what this would have changed
    Conflict,
    /// The session may not do this
    Permission,
    /// A limit on calls, tokens, cost, memory or time is reached
    Limit,
    /// A server or model cannot be reached
    Unavailable,
    /// Whoever asked for it ended it
    Interrupted,
    /// A file or disk failed
    Io,
    /// It makes sense, and is not supported
    Unsupported,
    /// It failed while it ran, by its data
    Execution,
    /// A fault of the program's own
    Internal,
}

impl ErrorKind {
    /// As programs are told it.
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::Syntax => "syntax",
            ErrorKind::Usage => "usage",
            ErrorKind::NotFound => "not-found",
            ErrorKind::Exists => "exists",
            ErrorKind::Conflict => "conflict",
            ErrorKind::Permission => "permission",
            ErrorKind::Limit => "limit",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::Interrupted => "interrupted",
            ErrorKind::Io => "io",
            ErrorKind::Unsupported => "unsupported",
            ErrorKind::Execution => "execution",
            ErrorKind::Internal => "internal",
        }
    }

    /// What a program that ends with such an error ends with. 2 is for its arguments alone.
    pub fn exit_code(self) -> u8 {
        match self {
            // As shells have it: 128 and SIGINT.
            ErrorKind::Interrupted => 130,
            _ => 1,
        }
    }
}

/// A place in the text of statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// From 1; 0 where it is not known
    pub line: u64,
    /// From 1, in characters
    pub column: u64,
}

impl Position {
    /// A place that sqlparser tells, if it knows it.
    pub fn of(location: Location) -> Option<Position> {
        (location.line > 0).then_some(Position { line: location.line, column: location.column })
    }
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub kind: ErrorKind,
    /// What was wrong, and where
    pub message: String,
    /// What to do
    pub hint: Option<String>,
    /// Where in the text of statements
    pub position: Option<Position>,
}

impl Error {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into(), hint: None, position: None }
    }

    /// The same, with what to do.
    pub fn hint(self, hint: impl Into<String>) -> Error {
        Error { hint: Some(hint.into()), ..self }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(Position { line, column }) = self.position {
            write!(f, " at line {line}, column {column}")?;
        }
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "; {hint}"))
    }
}

impl std::error::Error for Error {}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> DataFusionError {
        DataFusionError::External(Box::new(error))
    }
}

impl From<&DataFusionError> for Error {
    fn from(error: &DataFusionError) -> Error {
        if let Some(known) = known(error) {
            return known;
        }
        let (message, position) = placed(&message(error));
        Error { kind: kind(error), message, hint: None, position }
    }
}

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Error {
        Error::from(&error)
    }
}

/// One of ours, whatever it is wrapped in.
fn known(error: &DataFusionError) -> Option<Error> {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => known(inner),
        DataFusionError::Shared(inner) => known(inner),
        DataFusionError::External(error) => match error.downcast_ref::<Error>() {
            Some(ours) => Some(ours.clone()),
            None => known(error.downcast_ref::<DataFusionError>()?),
        },
        _ => None,
    }
}

fn kind(error: &DataFusionError) -> ErrorKind {
    match error {
        DataFusionError::SQL(..) => ErrorKind::Syntax,
        DataFusionError::SchemaError(error, _) => match error.as_ref() {
            SchemaError::FieldNotFound { .. } => ErrorKind::NotFound,
            SchemaError::AmbiguousReference { .. }
            | SchemaError::DuplicateQualifiedField { .. }
            | SchemaError::DuplicateUnqualifiedField { .. } => ErrorKind::Usage,
        },
        DataFusionError::Plan(_) | DataFusionError::Configuration(_) => ErrorKind::Usage,
        DataFusionError::NotImplemented(_) => ErrorKind::Unsupported,
        DataFusionError::ResourcesExhausted(_) => ErrorKind::Limit,
        DataFusionError::IoError(_) | DataFusionError::ObjectStore(_) => ErrorKind::Io,
        DataFusionError::Internal(_) => ErrorKind::Internal,
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => kind(inner),
        DataFusionError::Shared(inner) => kind(inner),
        DataFusionError::Collection(errors) => errors.first().map_or(ErrorKind::Internal, kind),
        DataFusionError::External(error) => match error.downcast_ref::<DataFusionError>() {
            Some(inner) => kind(inner),
            None if error.is::<std::io::Error>() => ErrorKind::Io,
            None => ErrorKind::Execution,
        },
        _ => ErrorKind::Execution,
    }
}

/// A message less the place that sqlparser writes at its end, and that place.
fn placed(message: &str) -> (String, Option<Position>) {
    let place = || {
        let (before, after) = message.rsplit_once(" at Line: ")?;
        let (line, column) = after.split_once(", Column: ")?;
        let position = Position { line: line.parse().ok()?, column: column.trim_end().parse().ok()? };
        Some((before.to_string(), position))
    };
    match place() {
        Some((message, position)) => (message, Some(position)),
        None => (message.to_string(), None),
    }
}

/// The innermost message of an error, without the names of the layers it came through.
pub fn message(error: &DataFusionError) -> String {
    match error {
        DataFusionError::Plan(text) | DataFusionError::Execution(text) | DataFusionError::NotImplemented(text) => {
            strip(text)
        }
        DataFusionError::SQL(error, _) => match error.as_ref() {
            ParserError::RecursionLimitExceeded => "the statement nests too deep to be parsed".into(),
            other => strip(&other.to_string()),
        },
        DataFusionError::SchemaError(error, _) => match error.as_ref() {
            SchemaError::FieldNotFound { field, valid_fields } => no_column(&field.name, valid_fields),
            SchemaError::AmbiguousReference { field } => ambiguous(&field.name),
            other => strip(&other.to_string()),
        },
        DataFusionError::ResourcesExhausted(text) => {
            let first = text.lines().next().unwrap_or_default();
            match first.strip_prefix(OF_A_SHARE) {
                Some(first) => format!(
                    "your statements hold more in memory than they may together, and cannot go to the disk with it; \
                     a token with a larger --max-memory may more ({first})"
                ),
                None => format!(
                    "the statement holds more in memory than there is for statements, and cannot go to the disk with \
                     it; --memory-limit gives it more ({first})"
                ),
            }
        }
        DataFusionError::Context(context, inner) if context.contains("written before") => {
            format!("{}. {context}", message(inner))
        }
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => message(inner),
        DataFusionError::Shared(inner) => message(inner),
        DataFusionError::Collection(errors) => {
            // One slip may stand in several places.
            let mut said: Vec<String> = vec![];
            for text in errors.iter().map(message) {
                if !said.contains(&text) {
                    said.push(text);
                }
            }
            said.join("\n")
        }
        DataFusionError::External(error) => match error.downcast_ref::<DataFusionError>() {
            Some(inner) => message(inner),
            None => strip(&error.to_string()),
        },
        other => strip(&other.strip_backtrace()),
    }
}

/// Names that are told one by one.
const TOLD: usize = 40;

/// An unknown column, with the nearest of those there are, or those that share a word with it, or all if they are few.
fn no_column(name: &str, columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
    if names.is_empty() {
        return format!("no column `{name}`: there is no table to take it from");
    }
    let hint = did_you_mean(name, names.iter().copied());
    if !hint.is_empty() {
        return format!("no column `{name}`{hint}");
    }
    let wanted = name.to_lowercase();
    let shares_word = |column: &str| {
        let words = || wanted.split('_').filter(|word| word.chars().count() >= 3);
        column.to_lowercase().split('_').any(|own| words().any(|word| own.starts_with(word)))
    };
    // Who looks for a vector says so.
    let alike = names.iter().filter(|n| shares_word(n) && (!n.ends_with("_embedding") || wanted.contains("embedding")));
    let alike: Vec<String> = alike.take(6).map(|n| format!("`{n}`")).collect();
    if !alike.is_empty() {
        return format!("no column `{name}`; perhaps {}?", alike.join(" or "));
    }
    if names.len() <= TOLD {
        return format!("no column `{name}`{}", there_are(name, &names));
    }
    let tables: BTreeSet<Option<&str>> = columns.iter().map(|c| Some(c.relation.as_ref()?.table())).collect();
    match tables.first() {
        Some(Some(table)) if tables.len() == 1 => {
            let called = format!("SELECT * FROM {table}(…)");
            let described = if is_table_function(table) { &called } else { *table };
            format!("no column `{name}`. DESCRIBE {described} tells the {} that there are", names.len())
        }
        _ => format!("no column `{name}` among the {} that there are", names.len()),
    }
}

/// A column that more than one of the tables has.
fn ambiguous(name: &str) -> String {
    format!("more than one table has a column `{name}`: write it with its table, as in t.{name}")
}

/// What DataFusion says of its own errors.
const BUG: [&str; 2] = [
    "This issue was likely caused by a bug in DataFusion's code",
    "This was likely caused by a bug in DataFusion's code",
];

const PREFIXES: [&str; 10] = [
    "Error during planning: ",
    "Execution error: ",
    "External error: ",
    "Query Execution error: ",
    "sql parser error: ",
    "Schema error: ",
    "Internal error: ",
    "Arrow error: ",
    "Optimizer rule 'type_coercion' failed\ncaused by\n",
    "type_coercion\ncaused by\n",
];

fn strip(text: &str) -> String {
    let mut text = text.split("\n\nbacktrace:").next().unwrap_or(text);
    for said in BUG {
        text = text.split(said).next().unwrap_or(text);
    }
    let text = without_sources(text);
    let mut text = text.trim_end();
    while let Some(rest) = PREFIXES.iter().find_map(|p| text.strip_prefix(p)) {
        text = rest;
    }
    match signature(text).or_else(|| unplanned(text)) {
        Some(plain) => plain,
        None => text.to_string(),
    }
}

/// A subquery that DataFusion has no plan for, which it tells by the name of an expression.
fn unplanned(text: &str) -> Option<String> {
    let expression = text.split_once("Physical plan does not support logical expression ")?.1;
    let subquery = ["OuterReferenceColumn(", "ScalarSubquery(", "Exists(", "InSubquery("];
    subquery.iter().any(|known| expression.starts_with(known)).then(|| {
        "a subquery reads columns of the query around it where that is not supported: give it a FROM of its own and \
         compare with its columns, or write it as a join"
            .into()
    })
}

/// A text less the places in sources where Lance and others noticed: `, …/src/io/commit.rs:653:26`. They are of the
/// machine that the program was built on.
fn without_sources(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(".rs:") {
        let start = rest[..at].rfind(|c: char| c.is_whitespace() || c == '(').map_or(0, |i| i + 1);
        let after = &rest[at + 4..];
        let place = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':').len();
        let end = at + 4 + place;
        if place == 0 {
            kept += &rest[..end];
        } else {
            let before = rest[..start].trim_end();
            kept += before.strip_suffix(" at").unwrap_or(before).trim_end_matches([',', '(']).trim_end();
        }
        rest = &rest[end..];
        if place > 0 {
            rest = rest.strip_prefix(')').unwrap_or(rest);
        }
    }
    kept + rest
}

/// A call with other arguments than the function takes, which DataFusion tells with each of its signatures.
fn signature(text: &str) -> Option<String> {
    let between = |text: &'static str| move |all: &str| Some(all.split_once(text)?.1.split_once('\'')?.0.to_string());
    let all = |before: &str, after: &str| -> Vec<String> {
        let parts = text.split(before).skip(1).filter_map(|part| Some(part.split_once(after)?.0.to_string()));
        parts.fold(vec![], |mut all, part| {
            if !all.contains(&part) {
                all.push(part);
            }
            all
        })
    };
    if let Some(call) = between("No function matches the given name and argument types '")(text) {
        let (name, types) = call.split_once('(')?;
        let candidates = text.split_once("Candidate functions:").map_or("", |(_, candidates)| candidates);
        let takes: Vec<&str> = candidates.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let takes = if takes.is_empty() { String::new() } else { format!("; it is {}", takes.join(" or ")) };
        return Some(format!("{name} takes no arguments of the types ({}{takes}", types));
    }
    let name = between("Function '")(text)?;
    let (wanted, given) = (all(" requires ", ", but received "), text.split_once("(DataType: ").map(|(_, rest)| rest));
    if let ([_, ..], Some(given)) = (&wanted[..], given) {
        return Some(format!("{name} takes {}, which {} is not", wanted.join(", "), to_closing(given)));
    }
    let (wanted, given) = (all(" expects ", " arguments but received "), all(" arguments but received ", "."));
    let given = given.first()?.split(|c: char| !c.is_ascii_digit()).next()?;
    (!wanted.is_empty()).then(|| format!("{name} takes {} arguments, and {given} are given", wanted.join(" or ")))
}

/// A text up to the parenthesis that closes what was opened before it.
fn to_closing(text: &str) -> &str {
    let mut open = 1;
    let end = text.find(|c| {
        open += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        open == 0
    });
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_column_is_told_with_what_may_be_meant() {
        let column = |name: &str| Column::new(Some("people"), name);
        let few: Vec<Column> = ["age", "marital_code", "marital_status", "persona_embedding"].map(column).into();
        assert_eq!(no_column("agee", &few), "no column `agee`; did you mean `age`?");
        assert_eq!(no_column("marital", &few), "no column `marital`; perhaps `marital_code` or `marital_status`?");
        assert_eq!(
            no_column("religion", &few[..3]),
            "no column `religion`. There are: age, marital_code, marital_status"
        );
        assert_eq!(no_column("embedding", &few), "no column `embedding`; perhaps `persona_embedding`?");
        let many: Vec<Column> = (0..50).map(|at| column(&format!("column{at}"))).collect();
        assert_eq!(no_column("religion", &many), "no column `religion`. DESCRIBE people tells the 50 that there are");
        let drawn: Vec<Column> = (0..50).map(|at| Column::new(Some("sample_persona"), format!("column{at}"))).collect();
        assert_eq!(
            no_column("religion", &drawn),
            "no column `religion`. DESCRIBE SELECT * FROM sample_persona(…) tells the 50 that there are"
        );
        let two: Vec<Column> = many.iter().cloned().chain([Column::new(Some("places"), "city")]).collect();
        assert_eq!(no_column("religion", &two), "no column `religion` among the 51 that there are");
        assert_eq!(no_column("age", &[]), "no column `age`: there is no table to take it from");
    }

    #[test]
    fn no_message_names_the_machine_that_built_the_program() {
        for (said, told) in [
            (
                "LanceError(IO): not there: /db/t.lance, /home/builder/.cargo/registry/src/x-1/lance-14.0.2/src/io/commit.rs:653:26",
                "LanceError(IO): not there: /db/t.lance",
            ),
            ("a, /x/src/a.rs:1:2, /y/src/b.rs:30:4", "a"),
            ("a (/x/src/a.rs:1:2): b", "a: b"),
            ("the file main.rs: it is broken", "the file main.rs: it is broken"),
            ("Internal error: odd.\nThis issue was likely caused by a bug in DataFusion's code. Please help", "odd."),
        ] {
            assert_eq!(strip(said), told);
        }
    }

    #[test]
    fn arguments_of_other_types_are_told_in_a_line() {
        let sum = "Function 'sum' failed to match any signature, errors: Error during planning: Function 'sum' requires \
            Decimal, but received String (DataType: Utf8).,Error during planning: Function 'sum' requires Int64, but \
            received String (DataType: Utf8)..";
        assert_eq!(strip(sum), "sum takes Decimal, Int64, which Utf8 is not");
        let coded = sum.replace("Utf8)", "Dictionary(Int32, Utf8))");
        assert_eq!(strip(&coded), "sum takes Decimal, Int64, which Dictionary(Int32, Utf8) is not");
        let round = "Function 'round' failed to match any signature, errors: Error during planning: Function 'round' \
            expects 2 arguments but received 3,Error during planning: Function 'round' expects 1 arguments but received 3.";
        assert_eq!(strip(round), "round takes 2 or 1 arguments, and 3 are given");
        let substr = "Internal error: No function matches the given name and argument types 'substr(Int32)'. You might \
            need to add explicit type casts.\n\tCandidate functions:\n\tsubstr(str: Any)\n\tsubstr(str: Any, n: Any)";
        assert_eq!(
            strip(substr),
            "substr takes no arguments of the types (Int32); it is substr(str: Any) or substr(str: Any, n: Any)"
        );
        assert_eq!(strip("Function 'now' is odd"), "Function 'now' is odd");
        let lateral = "This feature is not implemented: Physical plan does not support logical expression \
            OuterReferenceColumn(Field { name: \"age\" }, Column { relation: None, name: \"age\" })";
        assert!(strip(lateral).starts_with("a subquery reads columns of the query around it"));
    }

    #[test]
    fn errors_have_kinds_and_places() {
        let missing: DataFusionError = Error::new(ErrorKind::NotFound, "no table t").hint("there is u").into();
        let error = Error::from(&missing.context("while planning"));
        assert_eq!((error.kind, error.to_string().as_str()), (ErrorKind::NotFound, "no table t; there is u"));
        let error = Error::from(&DataFusionError::Plan("sql parser error: odd at Line: 2, Column: 13".into()));
        assert_eq!((error.message.as_str(), error.position), ("odd", Some(Position { line: 2, column: 13 })));
        assert_eq!(error.to_string(), "odd at line 2, column 13");
        assert_eq!(ErrorKind::Interrupted.exit_code(), 130);
    }

    #[test]
    fn a_slip_in_several_places_is_told_once() {
        let slip = |text: &str| DataFusionError::Plan(text.into());
        let errors =
            DataFusionError::Collection(vec![slip("no column `a`"), slip("no column `b`"), slip("no column `a`")]);
        assert_eq!(message(&errors), "no column `a`\nno column `b`");
    }
}

//! What Tab completes at the prompt, by the place where the cursor is.

use std::collections::BTreeMap;

use populace_udfs::{Function, FunctionKind};
use rustyline::completion::{Completer, Pair};
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper, Highlighter};

use crate::engine::Engine;

const WORDS: &str = "SELECT FROM WHERE GROUP BY ORDER LIMIT INSERT INTO CREATE TABLE DELETE UPDATE EXPLAIN DISTINCT \
                     JOIN USING VALUES HAVING UNION ALL BETWEEN LIKE IS NOT NULL AND OR AS";

/// Words after which a table stands.
const BEFORE_TABLES: [&str; 8] = ["FROM", "JOIN", "INTO", "TABLE", "UPDATE", "DESCRIBE", "OPTIMIZE", "\\D"];

/// The names of a session.
#[derive(Debug, Default, Helper, Highlighter)]
pub(super) struct Names {
    /// Tables, and what else has columns
    tables: Vec<String>,
    columns: Vec<String>,
    functions: Vec<Function>,
    /// The levels of the variables of each country that has been named
    levels: BTreeMap<String, Vec<String>>,
}

impl Names {
    pub async fn of(engine: &Engine) -> Names {
        let mut names = Names { functions: engine.functions(), ..Names::default() };
        names.tables.push(crate::database::VIEW.into());
        for table in engine.database().tables() {
            if let Ok(provider) = engine.context().table_provider(table.as_str()).await {
                names.columns.extend(provider.schema().fields().iter().map(|f| f.name().clone()));
            }
            names.tables.push(table);
        }
        if let Some(Ok(pack)) = crate::packs::open("usa") {
            names.columns.extend(pack.schema().fields().iter().map(|f| f.name().clone()));
            names.tables.extend(pack.figures().iter().map(|f| format!("census.usa.{}", f.name)));
            for variable in pack.variables().iter().filter(|v| !v.hidden) {
                // Those of numbers are no help.
                if let populace_population::Levels::Text(_) = variable.levels {
                    let levels = (0..variable.len()).map(|level| variable.label(level)).collect();
                    names.levels.insert(variable.name.clone(), levels);
                }
            }
        }
        names
    }

    /// Where the word before the cursor begins, and what it may become, whatever its case.
    fn candidates(&self, before: &str) -> (usize, Vec<String>) {
        if let Some((quote, head)) = open_quote(before) {
            return (quote, beginning(self.texts(head), &before[quote..]));
        }
        let part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let start = before.char_indices().rev().take_while(|(_, c)| part(*c)).last().map_or(before.len(), |(i, _)| i);
        let (head, word) = before.split_at(start);
        let last = head.split_whitespace().next_back().unwrap_or_default().to_uppercase();
        if BEFORE_TABLES.contains(&last.as_str()) {
            let functions = self.functions.iter().filter(|f| f.kind == FunctionKind::Table);
            let functions = functions.map(|f| format!("{}(", f.name));
            return (start, beginning(self.tables.iter().cloned().chain(functions), word));
        }
        if word.is_empty() {
            return (start, vec![]);
        }
        let call = open_call(head).and_then(|name| self.functions.iter().find(|f| f.name.eq_ignore_ascii_case(name)));
        let arguments = call.into_iter().flat_map(|f| &f.parameters).map(|p| format!("{p} => "));
        // A table function takes tables by their names.
        let inside = call.is_some_and(|f| f.kind == FunctionKind::Table);
        let tables = self.tables.iter().filter(|_| inside).cloned();
        let functions = self.functions.iter().filter(|f| f.kind != FunctionKind::Table || head.trim().is_empty());
        let functions = functions.map(|f| format!("{}(", f.name));
        let words = WORDS.split_whitespace().map(String::from);
        let names = arguments.chain(tables).chain(self.columns.iter().cloned()).chain(functions).chain(words);
        (start, beginning(names, word))
    }

    /// What a text after `head` may be: a level of the last variable that is named, or a country.
    fn texts(&self, head: &str) -> Vec<String> {
        let clause = head.rsplit(['(', ';']).next().unwrap_or_default();
        let of = |text: &str| {
            let mut words = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).rev();
            words.find_map(|word| self.levels.get(&word.to_lowercase())).cloned()
        };
        // `IN (` begins a parenthesis of its own.
        let listed = head.trim_end_matches(|c| c != '(').trim_end_matches('(').trim_end().to_uppercase();
        let within = if listed.ends_with(" IN") { of(head) } else { of(clause) };
        within.unwrap_or_else(|| crate::packs::NAMES.map(String::from).to_vec())
    }
}

/// Those names that begin so, each once, in order.
fn beginning(names: impl IntoIterator<Item = String>, word: &str) -> Vec<String> {
    let word = word.to_lowercase();
    let mut found: Vec<String> = names.into_iter().filter(|n| n.to_lowercase().starts_with(&word)).collect();
    found.sort();
    found.dedup();
    found
}

/// Where the text begins that the end is within, and what is before its quote.
fn open_quote(text: &str) -> Option<(usize, &str)> {
    let quotes: Vec<usize> = text.match_indices('\'').map(|(at, _)| at).collect();
    let last = quotes.last().filter(|_| quotes.len() % 2 == 1)?;
    Some((last + 1, &text[..*last]))
}

/// The name before the innermost parenthesis that is open.
fn open_call(text: &str) -> Option<&str> {
    let mut depth = 0;
    for (at, letter) in text.char_indices().rev() {
        match letter {
            ')' => depth += 1,
            '(' if depth > 0 => depth -= 1,
            '(' => {
                let head = &text[..at];
                let part = |c: char| c.is_alphanumeric() || c == '_';
                let name = &head[head.trim_end_matches(part).len()..];
                // A parenthesis of a list, as in strata => (state, …), is within its call.
                if !name.is_empty() {
                    return Some(name);
                }
            }
            _ => {}
        }
    }
    None
}

impl Completer for Names {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, found) = self.candidates(&line[..at]);
        Ok((start, found.into_iter().map(|n| Pair { display: n.clone(), replacement: n }).collect()))
    }
}

/// A statement goes on over lines until its semicolon: within one reading, so that what is typed ahead is not lost.
impl Validator for Names {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(if is_whole(context.input()) { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

/// On a further line that is empty, what it waits for: a forgotten semicolon looks like none.
impl Hinter for Names {
    type Hint = String;

    fn hint(&self, line: &str, at: usize, _: &Context<'_>) -> Option<String> {
        (at == line.len() && line.ends_with('\n')).then(|| "...> a semicolon ends the statement".into())
    }
}

/// Whether a text is to be run as it is: a command, or statements with their last semicolon.
fn is_whole(text: &str) -> bool {
    let text = text.trim();
    let command = ["quit", "exit", "help"].contains(&text) || text.starts_with("help ") && !text.contains('\n');
    text.is_empty() || text.starts_with('\\') || text.ends_with(';') || command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names {
            tables: vec!["usa".into(), "census.usa.names".into()],
            columns: vec!["state".into(), "stratum".into(), "neuroticism".into(), "marital_status".into()],
            functions: populace_udfs::functions(),
            levels: [("marital_status".to_string(), vec!["never_married".to_string(), "widowed".into()])].into(),
        }
    }

    #[test]
    fn names_complete_by_their_place() {
        let names = names();
        let all = |before: &str| names.candidates(before).1;
        assert_eq!(names.candidates("SELECT * FROM strat"), (14, vec!["stratified_sample(".to_string()]));
        assert_eq!(all("select * from u"), ["usa"]);
        assert_eq!(all("SELECT * FROM census.usa.n"), ["census.usa.names"]);
        assert_eq!(all("SELECT strat"), ["stratum"]);
        assert_eq!(all("selec"), ["SELECT"]);
        assert_eq!(all("SELECT surv"), ["survey_mean("]);
        assert_eq!(all("SELECT * FROM stratified_sample(us"), ["USING", "usa"]);
        assert_eq!(
            all("SELECT * FROM stratified_sample(usa, 20, st"),
            ["state", "strata => ", "stratum", "study_variable => "]
        );
        assert_eq!(all("SELECT * FROM stratified_sample(usa, 20, strata => (stat"), ["state"]);
        assert_eq!(all("SELECT é st"), ["state", "stratum"]);
        assert!(all("SELECT a = ").is_empty());
    }

    #[test]
    fn texts_complete_to_levels_and_countries() {
        let names = names();
        let text = "SELECT * FROM sample_persona('usa', 5, given => marital_status = 'ne";
        assert_eq!(names.candidates(text), (text.len() - 2, vec!["never_married".to_string()]));
        assert_eq!(names.candidates("SELECT * FROM sample_persona('br").1, ["brazil"]);
        assert_eq!(names.candidates("WHERE marital_status IN ('widowed', 'n").1, ["never_married"]);
    }

    #[test]
    fn lines_before_count() {
        let names = names();
        assert_eq!(names.candidates("SELECT * FROM\nus"), (14, vec!["usa".to_string()]));
        assert_eq!(names.candidates("SELECT * FROM stratified_sample(usa,\n  strata").1, ["strata => "]);
    }
}

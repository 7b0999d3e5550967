//! The prompt of `populace sql`: statements over several lines, a history, completion of names.

use std::convert::Infallible;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Editor, Helper, Highlighter, Hinter};

use super::Failure;
use super::output::{Format, print};
use crate::catalog::Run;
use crate::engine::Engine;

/// After this, a statement says that it is at work.
const SOON: Duration = Duration::from_secs(1);

const HELP: &str = "Statements end with a semicolon and may take several lines. Ctrl-C cancels one that is at work.
  \\d          the tables            \\d TABLE    a table's columns
  \\f          the functions         \\q          leave (or Ctrl-D)
Tab completes the names of tables, columns, countries and functions.";

/// Reads statements until the end of input, and prints their rows and the time they took. A statement that fails ends
/// nothing.
pub(super) async fn run(engine: &Engine, format: Format) -> Result<(), Failure> {
    let wrong = |e: ReadlineError| Failure(e.to_string());
    let mut editor: Editor<Names, DefaultHistory> = Editor::new().map_err(wrong)?;
    editor.set_helper(Some(Names(names(engine).await)));
    let history = history();
    if let Some(history) = &history {
        // The first time there is none.
        _ = editor.load_history(history);
    }
    println!("populace {}. \\? for help, \\q to leave.", env!("CARGO_PKG_VERSION"));
    loop {
        let text = match editor.readline("populace> ") {
            Ok(text) => text,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(wrong(error)),
        };
        let text = text.trim();
        if text.is_empty() {
            continue;
        }
        _ = editor.add_history_entry(text);
        let sql = match text.split_whitespace().collect::<Vec<_>>()[..] {
            ["\\q"] => break,
            ["\\?"] => {
                println!("{HELP}");
                continue;
            }
            ["\\d"] => "SHOW TABLES".to_string(),
            ["\\d", table] => format!("DESCRIBE {}", table.trim_end_matches(';')),
            ["\\f"] => "SELECT DISTINCT routine_name, description FROM information_schema.routines WHERE routine_name ~ 'persona|narrative|semantic|embed|assumed|cosine_similarity' ORDER BY 1".to_string(),
            _ => text.to_string(),
        };
        let start = std::time::Instant::now();
        match statements(engine, &sql, format).await {
            Ok(()) => println!("{:.3} s", start.elapsed().as_secs_f64()),
            Err(Failure(message)) => println!("error: {message}"),
        }
        // A statement may have made a table.
        editor.set_helper(Some(Names(names(engine).await)));
    }
    if let Some(history) = history {
        _ = history.parent().map(std::fs::create_dir_all);
        editor.save_history(&history).map_err(|e| Failure(format!("{}: {e}", history.display())))?;
    }
    Ok(())
}

async fn statements(engine: &Engine, sql: &str, format: Format) -> Result<(), Failure> {
    for statement in engine.parse(sql)? {
        let engine = engine.for_statement();
        let begun = || engine.catalog().ok()?.run(&engine.run_id()?).ok().flatten();
        let waited = async {
            let rows = first(engine.run(statement).await?).await;
            Ok::<_, Failure>(rows)
        };
        // Dropped, a statement stops, and leaves what it has committed.
        let rows = tokio::select! {
            rows = waited => rows?,
            () = super::signals::interrupt() => return Err(cancelled(begun())),
            never = tell(begun) => match never {},
        };
        let out = &mut io::stdout();
        tokio::select! {
            printed = print(rows, format, out) => printed?,
            () = super::signals::interrupt() => return Err(cancelled(begun())),
        }
        for notice in engine.take_notices() {
            println!("{notice}");
        }
        super::sql::told(&mut io::stdout(), &engine.asked())?;
    }
    Ok(())
}

/// Rows whose first have come, or whose first error.
async fn first(mut rows: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let (schema, first) = (rows.schema(), rows.next().await);
    Box::pin(RecordBatchStreamAdapter::new(schema, stream::iter(first).chain(rows)))
}

fn cancelled(run: Option<Run>) -> Failure {
    Failure(match run {
        Some(run) => format!("cancelled; what it committed stays, and `populace runs resume {}` finishes it", run.id),
        None => "cancelled; what it committed stays".into(),
    })
}

/// Tells, on a terminal, how long a statement is at work, and how many people its run has written; for ever.
async fn tell(begun: impl Fn() -> Option<Run>) -> Infallible {
    if !io::stderr().is_terminal() {
        return std::future::pending().await;
    }
    tokio::time::sleep(SOON).await;
    let style = ProgressStyle::with_template("{spinner} {msg}{elapsed} so far, Ctrl-C cancels");
    let bar = ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    let bar = bar.with_finish(ProgressFinish::AndClear);
    bar.enable_steady_tick(Duration::from_millis(200));
    loop {
        if let Some(run) = begun().filter(|run| run.done > 0) {
            bar.set_message(format!("{} people, ", run.done));
        }
        tokio::time::sleep(SOON).await;
    }
}

fn history() -> Option<PathBuf> {
    Some(dirs::data_dir()?.join("populace").join("history"))
}

/// What Tab completes: tables and their columns, countries, functions, and the commonest words of SQL.
async fn names(engine: &Engine) -> Vec<String> {
    let words = "SELECT FROM WHERE GROUP BY ORDER LIMIT INSERT INTO CREATE TABLE DELETE UPDATE EXPLAIN DISTINCT COUNT";
    let mut names: Vec<String> = words.split(' ').map(String::from).collect();
    let functions = [
        "sample_persona(",
        "generate_persona(",
        "generate_narrative(",
        "fact_search(",
        "semantic_search(",
        "text_search(",
        "hybrid_search(",
        "similar_to(",
        "duplicates(",
        "persona_probability(",
        "assumed_independences(",
        "census.usa.",
    ];
    names.extend(functions.map(String::from));
    names.push(crate::database::VIEW.into());
    names.extend(crate::packs::NAMES.map(String::from));
    for table in engine.database().tables() {
        if let Ok(provider) = engine.context().table_provider(table.as_str()).await {
            names.extend(provider.schema().fields().iter().map(|f| f.name().clone()));
        }
        names.push(table);
    }
    if let Some(Ok(pack)) = crate::packs::open("usa") {
        names.extend(pack.schema().fields().iter().map(|f| f.name().clone()));
        names.extend(pack.figures().iter().map(|f| format!("census.usa.{}", f.name)));
    }
    names.sort();
    names.dedup();
    names
}

#[derive(Helper, Hinter, Highlighter)]
struct Names(Vec<String>);

impl Completer for Names {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, found) = complete(&self.0, &line[..at]);
        Ok((start, found.into_iter().map(|n| Pair { display: n.clone(), replacement: n }).collect()))
    }
}

/// Where the word before the cursor begins, and the names that begin with it, whatever their case.
fn complete(names: &[String], before: &str) -> (usize, Vec<String>) {
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let start = before.char_indices().rev().take_while(|(_, c)| part(*c)).last().map_or(before.len(), |(i, _)| i);
    let word = before[start..].to_lowercase();
    if word.is_empty() {
        return (start, vec![]);
    }
    (start, names.iter().filter(|n| n.to_lowercase().starts_with(&word)).cloned().collect())
}

impl Validator for Names {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input().trim();
        let whole = text.is_empty() || text.starts_with('\\') || text.ends_with(';');
        Ok(if whole { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

#[cfg(test)]
mod tests {
    use super::complete;

    #[test]
    fn names_complete_from_where_they_begin() {
        let names = ["sample_persona(".to_string(), "state".into(), "SELECT".into(), "census.usa.names".into()];
        assert_eq!(complete(&names, "SELECT * FROM samp"), (14, vec!["sample_persona(".to_string()]));
        assert_eq!(complete(&names, "sel").1, ["SELECT"]);
        assert_eq!(complete(&names, "FROM census.usa.n"), (5, vec!["census.usa.names".to_string()]));
        assert_eq!(complete(&names, "é st").1, ["state"]);
        assert!(complete(&names, "a = ").1.is_empty());
    }
}

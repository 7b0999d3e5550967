//! The prompt of `populace sql`: statements over several lines, a history, completion of names.

use std::convert::Infallible;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use populace_udfs::{Function, FunctionKind};
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{CompletionType, Config, Editor};

use super::Failure;
use super::complete::Names;
use super::fit::Expanded;
use super::output::{Format, Shown, print};
use crate::catalog::Run;
use crate::engine::Engine;

/// After this, a statement says that it is at work.
const SOON: Duration = Duration::from_secs(1);

const PROMPT: &str = "populace> ";

const HELP: &str = "Statements end with a semicolon and may take several lines. Ctrl-C cancels one that is at work.
  \\d             the tables           \\d TABLE    a table's columns
  \\f             the functions        \\f NAME     what one takes, and an example (or \\h NAME)
  \\x [on|off|auto]  a column a line, with texts whole; auto where not all columns fit
  \\timing        the time of each statement, or not
  \\q             leave (or Ctrl-D, quit, exit)
A table is as wide as the terminal: --format csv, or a name after SELECT, has what is left out.
Tab completes tables after FROM, arguments within calls, levels within quotes, and columns elsewhere.";

/// How statements are run and their rows shown.
struct Settings {
    format: Format,
    expanded: Expanded,
    timing: bool,
}

/// Reads statements until the end of input, and prints their rows and the time they took. A statement that fails ends
/// nothing.
pub(super) async fn run(engine: &Engine, format: Format) -> Result<(), Failure> {
    let wrong = |e: ReadlineError| Failure(e.to_string());
    let config = Config::builder().completion_type(CompletionType::List).build();
    let mut editor: Editor<Names, DefaultHistory> = Editor::with_config(config).map_err(wrong)?;
    editor.set_helper(Some(Names::of(engine).await));
    let history = history();
    if let Some(history) = &history {
        // The first time there is none.
        _ = editor.load_history(history);
    }
    println!("populace {}. \\? for help, \\q to leave.", env!("CARGO_PKG_VERSION"));
    let mut settings = Settings { format, expanded: Expanded::Off, timing: true };
    loop {
        let entered = match editor.readline(PROMPT) {
            Ok(text) => text,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(wrong(error)),
        };
        let entered = entered.trim();
        if entered.is_empty() {
            continue;
        }
        _ = editor.add_history_entry(entered);
        let sql = match entered.trim_end_matches(';').split_whitespace().collect::<Vec<_>>()[..] {
            ["\\q" | "quit" | "exit"] => break,
            ["\\?" | "help"] => {
                println!("{HELP}");
                continue;
            }
            ["\\d"] => "SHOW TABLES".to_string(),
            ["\\d", table] => format!("DESCRIBE {table}"),
            ["\\f" | "\\h"] => {
                list(&engine.functions());
                continue;
            }
            ["\\f" | "\\h" | "help", name] => {
                explain(&engine.functions(), name);
                continue;
            }
            ["\\timing"] => {
                settings.timing = !settings.timing;
                println!("the time of statements is {}", if settings.timing { "told" } else { "not told" });
                continue;
            }
            ["\\x", ref how @ ..] => {
                expand(&mut settings, how);
                continue;
            }
            _ => entered.to_string(),
        };
        let start = std::time::Instant::now();
        match statements(engine, &sql, &settings).await {
            Ok(()) if settings.timing => println!("{:.3} s", start.elapsed().as_secs_f64()),
            Ok(()) => {}
            Err(Failure(message)) => println!("error: {message}"),
        }
        // A statement may have made a table.
        editor.set_helper(Some(Names::of(engine).await));
    }
    if let Some(history) = history {
        _ = history.parent().map(std::fs::create_dir_all);
        editor.save_history(&history).map_err(|e| Failure(format!("{}: {e}", history.display())))?;
    }
    Ok(())
}

/// Switches between a row and a column a line.
fn expand(settings: &mut Settings, how: &[&str]) {
    settings.expanded = match (how, settings.expanded) {
        (["on"], _) | ([], Expanded::Off) => Expanded::On,
        (["auto"], _) => Expanded::Auto,
        (["off"] | [], _) => Expanded::Off,
        _ => return println!("error: \\x takes on, off or auto, not {}", how.join(" ")),
    };
    println!(
        "{}",
        match settings.expanded {
            Expanded::On => "a column a line",
            Expanded::Off => "a row a line",
            Expanded::Auto => "a column a line where not all columns fit",
        }
    );
}

/// The functions by their kinds, each with the beginning of what it is.
fn list(functions: &[Function]) {
    let width = super::fit::terminal_width();
    for kind in FunctionKind::ALL {
        println!("{}", kind.title());
        for function in functions.iter().filter(|f| f.kind == kind) {
            let text = format!("  {:<24}{}", function.name, function.description.trim().replace('\n', " "));
            println!("{}", super::fit::cut(&text, width));
        }
    }
    println!("\\f NAME tells what one takes; docs/functions.md has them all.");
}

/// What a function takes and returns.
fn explain(functions: &[Function], name: &str) {
    let name = name.trim_end_matches(['(', ')']).to_lowercase();
    let Some(function) = functions.iter().find(|f| f.name == name) else {
        let names: Vec<&str> = functions.iter().map(|f| f.name.as_str()).collect();
        return println!("error: no function {name} of populace{}", populace_population::there_are(&name, &names));
    };
    println!("{}\n\n{}", function.syntax, function.description.trim());
    for (argument, what) in &function.arguments {
        println!("  {argument}: {what}");
    }
    if let Some(example) = &function.example {
        println!("\n{example}");
    }
}

async fn statements(engine: &Engine, sql: &str, settings: &Settings) -> Result<(), Failure> {
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
            printed = print(rows, settings.format, Shown::on_stdout(settings.expanded), out) => printed?,
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

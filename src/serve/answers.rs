//! What a statement is answered with, as far as its text tells.

use datafusion::common::Result;

use crate::engine::{Described, Engine};
use crate::sql::{Parameter, Statement};

/// What a statement is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answers {
    Rows,
    /// How many rows it has written, after this
    Counted(&'static str),
    /// That it is done, and whether it writes
    Done(String, bool),
}

impl Answers {
    pub fn of(statement: &Statement, text: &str) -> Answers {
        let mut words = text.split_whitespace().skip_while(|word| word.starts_with("--")).map(str::to_uppercase);
        let first = words.next().unwrap_or_default();
        match statement.name() {
            "query" | "explain" | "execute" => Answers::Rows,
            "insert" => Answers::Counted("INSERT 0"),
            "update" => Answers::Counted("UPDATE"),
            "delete" => Answers::Counted("DELETE"),
            "create table" if statement.is_of_query() => Answers::Counted("SELECT"),
            "statement" if ["SHOW", "DESCRIBE", "DESC"].contains(&first.as_str()) => Answers::Rows,
            "prepare" | "set" | "reset" => Answers::Done(first, false),
            _ => {
                let second = words.find(|word| !["OR", "REPLACE", "TEMP", "TEMPORARY"].contains(&word.as_str()));
                let two = ["CREATE", "DROP", "ALTER", "RESTORE", "UNDROP"].contains(&first.as_str());
                Answers::Done(if two { format!("{first} {}", second.unwrap_or_default()) } else { first }, true)
            }
        }
    }

    pub fn writes(&self) -> bool {
        matches!(self, Answers::Counted(_) | Answers::Done(_, true))
    }
}

/// What its rows and parameters are like, before it runs. `stand_ins` are values in the place of parameters, for where it
/// cannot be planned without any.
///
/// # Errors
/// As [`Engine::describe`], of the statement without values.
pub(super) async fn described(engine: &Engine, statement: &Statement, stand_ins: Vec<Parameter>) -> Result<Described> {
    let first = match engine.describe(statement.clone()).await {
        Ok(described) => return Ok(described),
        Err(error) => error,
    };
    // A type may have to be known: then it is that of a text. A call that is planned by its arguments has some.
    let mut of_calls = stand_ins.clone();
    statement.parameters_of_calls().into_iter().for_each(|(at, value)| {
        if let Some(place) = of_calls.get_mut(at) {
            *place = value;
        }
    });
    for values in [stand_ins, of_calls] {
        if let Ok(described) = engine.describe(statement.clone().with_parameters(&values)?).await {
            return Ok(described);
        }
    }
    Err(first)
}

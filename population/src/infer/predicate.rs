//! Boolean predicates over variables, with SQL's three-valued logic.

use std::fmt::{self, Display};
use std::sync::Arc;

use crate::infer::resolve::MAX_DEPTH;

/// A constant in a predicate.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Text(String),
    Integer(i64),
    Number(f64),
    Null,
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Eq,
    NotEq,
    Lt,
    LtEq,
    Gt,
    GtEq,
}

/// What a draw is conditioned on: any boolean combination of tests of variables against constants. A row qualifies
/// where the whole is true; false and unknown do not qualify, as in a WHERE clause.
#[derive(Debug, Clone, PartialEq)]
pub enum Predicate {
    /// A constant truth value; `None` is unknown, as NULL is in SQL.
    Literal(Option<bool>),
    Compare {
        variable: String,
        op: Comparison,
        value: Value,
    },
    In {
        variable: String,
        values: Vec<Value>,
        negated: bool,
    },
    Between {
        variable: String,
        low: Value,
        high: Value,
        negated: bool,
    },
    Like {
        variable: String,
        pattern: String,
        negated: bool,
        case_insensitive: bool,
        escape: Option<char>,
    },
    IsNull {
        variable: String,
        negated: bool,
    },
    /// A test of two variables against each other, texts as texts and integers as numbers; unknown where one is NULL.
    CompareVariables {
        left: String,
        op: Comparison,
        right: String,
    },
    /// A test of several variables that was worked out for every combination of their levels: the last variable's
    /// levels run fastest. At most 4,194,304 combinations; `text` is its SQL.
    Table {
        variables: Vec<String>,
        answers: Arc<[Option<bool>]>,
        text: String,
    },
    And(Vec<Predicate>),
    Or(Vec<Predicate>),
    Not(Box<Predicate>),
}

impl Predicate {
    /// The parts that must all hold, with nested ANDs and negated ORs taken apart.
    pub(crate) fn conjuncts(&self) -> Vec<Predicate> {
        fn gather(p: &Predicate, negated: bool, depth: usize, into: &mut Vec<Predicate>) {
            match (p, negated) {
                (Predicate::And(parts), false) | (Predicate::Or(parts), true) if depth < MAX_DEPTH => {
                    parts.iter().for_each(|p| gather(p, negated, depth + 1, into))
                }
                (Predicate::Not(inner), _) if depth < MAX_DEPTH => gather(inner, !negated, depth + 1, into),
                (p, false) => into.push(p.clone()),
                (p, true) => into.push(Predicate::Not(Box::new(p.clone()))),
            }
        }
        let mut parts = vec![];
        gather(self, false, 0, &mut parts);
        parts
    }

    /// Whether a test somewhere in it is of this name.
    pub(crate) fn mentions(&self, name: &str) -> bool {
        self.mentions_at(name, 0)
    }

    fn mentions_at(&self, name: &str, depth: usize) -> bool {
        match self {
            Predicate::Literal(_) => false,
            Predicate::Compare { variable, .. }
            | Predicate::In { variable, .. }
            | Predicate::Between { variable, .. }
            | Predicate::Like { variable, .. }
            | Predicate::IsNull { variable, .. } => variable == name,
            Predicate::CompareVariables { left, right, .. } => left == name || right == name,
            Predicate::Table { variables, .. } => variables.iter().any(|v| v == name),
            Predicate::And(parts) | Predicate::Or(parts) => {
                depth < MAX_DEPTH && parts.iter().any(|p| p.mentions_at(name, depth + 1))
            }
            Predicate::Not(inner) => depth < MAX_DEPTH && inner.mentions_at(name, depth + 1),
        }
    }

    /// Its text for messages: long lists of values are cut short.
    pub(crate) fn brief(&self) -> String {
        Text { of: self, most: 20 }.to_string()
    }
}

/// A variable's name as SQL writes it: quoted, unless it is a plain word in lower case.
fn quoted(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain { name.to_string() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

impl Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Comparison::Eq => "=",
            Comparison::NotEq => "<>",
            Comparison::Lt => "<",
            Comparison::LtEq => "<=",
            Comparison::Gt => ">",
            Comparison::GtEq => ">=",
        })
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Value::Integer(i) => write!(f, "{i}"),
            Value::Number(x) => write!(f, "{x}"),
            Value::Null => write!(f, "NULL"),
        }
    }
}

/// Its SQL.
impl Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Text { of: self, most: usize::MAX }.fmt(f)
    }
}

/// A predicate in SQL, with at most so many values of a list.
struct Text<'a> {
    of: &'a Predicate,
    most: usize,
}

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self.most;
        let not = |negated: &bool| if *negated { "NOT " } else { "" };
        let text = |p: &Predicate| Text { of: p, most }.to_string();
        let join = |parts: &[Predicate], word: &str, none: &str| match parts {
            [] => none.to_string(),
            [one] => text(one),
            parts => {
                let within = |p: &Predicate| match p {
                    Predicate::And(x) | Predicate::Or(x) if x.len() > 1 => format!("({})", text(p)),
                    Predicate::Table { .. } => format!("({})", text(p)),
                    p => text(p),
                };
                parts.iter().map(within).collect::<Vec<_>>().join(word)
            }
        };
        match self.of {
            Predicate::Literal(Some(truth)) => write!(f, "{truth}"),
            Predicate::Literal(None) => write!(f, "NULL"),
            Predicate::Compare { variable, op, value } => write!(f, "{} {op} {value}", quoted(variable)),
            Predicate::CompareVariables { left, op, right } => write!(f, "{} {op} {}", quoted(left), quoted(right)),
            Predicate::Table { text, .. } => f.write_str(text),
            Predicate::In { variable, values, negated } => {
                let shown: Vec<String> = values.iter().take(most).map(Value::to_string).collect();
                let more = match values.len() > most {
                    true => format!(", … {} more", values.len() - most),
                    false => String::new(),
                };
                write!(f, "{} {}IN ({}{more})", quoted(variable), not(negated), shown.join(", "))
            }
            Predicate::Between { variable, low, high, negated } => {
                write!(f, "{} {}BETWEEN {low} AND {high}", quoted(variable), not(negated))
            }
            Predicate::Like { variable, pattern, negated, case_insensitive, escape } => {
                let word = if *case_insensitive { "ILIKE" } else { "LIKE" };
                write!(f, "{} {}{word} {}", quoted(variable), not(negated), Value::Text(pattern.clone()))?;
                escape.map_or(Ok(()), |e| write!(f, " ESCAPE {}", Value::Text(e.to_string())))
            }
            Predicate::IsNull { variable, negated } => write!(f, "{} IS {}NULL", quoted(variable), not(negated)),
            Predicate::And(parts) => write!(f, "{}", join(parts, " AND ", "true")),
            Predicate::Or(parts) => write!(f, "{}", join(parts, " OR ", "false")),
            Predicate::Not(inner) => write!(f, "NOT ({})", text(inner)),
        }
    }
}

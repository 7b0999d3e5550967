//! Predicates, as lists of tests and of what joins those before it: however deep one is, nothing here is recursive.

use datafusion::common::{Result, plan_err};
use populace_population::{Comparison, Predicate, Value};
use prost::{Message, Oneof};

/// Deeper predicates are refused: no draw takes them.
const MAX_DEPTH: usize = 200;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Constant {
    #[prost(oneof = "ConstantKind", tags = "1, 2, 3")]
    kind: Option<ConstantKind>,
}

/// None of them is NULL.
#[derive(Clone, PartialEq, Oneof)]
enum ConstantKind {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(sint64, tag = "2")]
    Integer(i64),
    #[prost(double, tag = "3")]
    Number(f64),
}

/// A test, or the predicates before it joined to one.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Test {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Kind {
    #[prost(message, tag = "1")]
    Literal(Literal),
    #[prost(message, tag = "2")]
    Compare(Compare),
    #[prost(message, tag = "3")]
    In(In),
    /// Of two values
    #[prost(message, tag = "4")]
    Between(In),
    #[prost(message, tag = "5")]
    Like(Like),
    #[prost(message, tag = "6")]
    IsNull(IsNull),
    #[prost(message, tag = "7")]
    CompareVariables(CompareVariables),
    #[prost(message, tag = "8")]
    Table(Table),
    /// Of so many before it
    #[prost(uint64, tag = "9")]
    And(u64),
    #[prost(uint64, tag = "10")]
    Or(u64),
    #[prost(message, tag = "11")]
    Not(Not),
}

#[derive(Clone, PartialEq, Message)]
struct Literal {
    #[prost(bool, optional, tag = "1")]
    truth: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
struct Compare {
    #[prost(string, tag = "1")]
    variable: String,
    #[prost(uint32, tag = "2")]
    op: u32,
    #[prost(message, optional, tag = "3")]
    value: Option<Constant>,
}

#[derive(Clone, PartialEq, Message)]
struct In {
    #[prost(string, tag = "1")]
    variable: String,
    #[prost(message, repeated, tag = "2")]
    values: Vec<Constant>,
    #[prost(bool, tag = "3")]
    negated: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Like {
    #[prost(string, tag = "1")]
    variable: String,
    #[prost(string, tag = "2")]
    pattern: String,
    #[prost(bool, tag = "3")]
    negated: bool,
    #[prost(bool, tag = "4")]
    case_insensitive: bool,
    /// A character
    #[prost(uint32, optional, tag = "5")]
    escape: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
struct IsNull {
    #[prost(string, tag = "1")]
    variable: String,
    #[prost(bool, tag = "2")]
    negated: bool,
}

#[derive(Clone, PartialEq, Message)]
struct CompareVariables {
    #[prost(string, tag = "1")]
    left: String,
    #[prost(uint32, tag = "2")]
    op: u32,
    #[prost(string, tag = "3")]
    right: String,
}

#[derive(Clone, PartialEq, Message)]
struct Table {
    #[prost(string, repeated, tag = "1")]
    variables: Vec<String>,
    /// 0 false, 1 true, 2 unknown
    #[prost(bytes = "vec", tag = "2")]
    answers: Vec<u8>,
    #[prost(string, tag = "3")]
    text: String,
}

#[derive(Clone, PartialEq, Message)]
struct Not {}

const COMPARISONS: [Comparison; 6] =
    [Comparison::Eq, Comparison::NotEq, Comparison::Lt, Comparison::LtEq, Comparison::Gt, Comparison::GtEq];

fn op(comparison: Comparison) -> u32 {
    COMPARISONS.iter().position(|c| *c == comparison).unwrap_or(0) as u32
}

fn comparison(op: u32) -> Result<Comparison> {
    match COMPARISONS.get(op as usize) {
        Some(comparison) => Ok(*comparison),
        None => plan_err!("a predicate has an unknown comparison, {op}"),
    }
}

fn constant(value: &Value) -> Constant {
    let kind = match value {
        Value::Text(text) => Some(ConstantKind::Text(text.clone())),
        Value::Integer(number) => Some(ConstantKind::Integer(*number)),
        Value::Number(number) => Some(ConstantKind::Number(*number)),
        Value::Null => None,
    };
    Constant { kind }
}

fn value(constant: Constant) -> Value {
    match constant.kind {
        Some(ConstantKind::Text(text)) => Value::Text(text),
        Some(ConstantKind::Integer(number)) => Value::Integer(number),
        Some(ConstantKind::Number(number)) => Value::Number(number),
        None => Value::Null,
    }
}

/// The tests of a predicate, each join after what it joins.
pub(crate) fn tests(predicate: &Predicate) -> Vec<Test> {
    // Every join before what it joins, its parts from the last to the first; and all of it from the back.
    let (mut kinds, mut open) = (vec![], vec![predicate]);
    while let Some(predicate) = open.pop() {
        kinds.push(match predicate {
            Predicate::Literal(truth) => Kind::Literal(Literal { truth: *truth }),
            Predicate::Compare { variable, op: by, value } => {
                Kind::Compare(Compare { variable: variable.clone(), op: op(*by), value: Some(constant(value)) })
            }
            Predicate::In { variable, values, negated } => {
                let values = values.iter().map(constant).collect();
                Kind::In(In { variable: variable.clone(), values, negated: *negated })
            }
            Predicate::Between { variable, low, high, negated } => {
                let values = vec![constant(low), constant(high)];
                Kind::Between(In { variable: variable.clone(), values, negated: *negated })
            }
            Predicate::Like { variable, pattern, negated, case_insensitive, escape } => Kind::Like(Like {
                variable: variable.clone(),
                pattern: pattern.clone(),
                negated: *negated,
                case_insensitive: *case_insensitive,
                escape: escape.map(u32::from),
            }),
            Predicate::IsNull { variable, negated } => {
                Kind::IsNull(IsNull { variable: variable.clone(), negated: *negated })
            }
            Predicate::CompareVariables { left, op: by, right } => {
                Kind::CompareVariables(CompareVariables { left: left.clone(), op: op(*by), right: right.clone() })
            }
            Predicate::Table { variables, answers, text } => Kind::Table(Table {
                variables: variables.clone(),
                answers: answers.iter().map(|answer| answer.map_or(2, u8::from)).collect(),
                text: text.clone(),
            }),
            Predicate::And(parts) => {
                open.extend(parts);
                Kind::And(parts.len() as u64)
            }
            Predicate::Or(parts) => {
                open.extend(parts);
                Kind::Or(parts.len() as u64)
            }
            Predicate::Not(inner) => {
                open.push(inner);
                Kind::Not(Not {})
            }
        });
    }
    kinds.into_iter().rev().map(|kind| Test { kind: Some(kind) }).collect()
}

/// The predicate that tests come to; none where there are none.
///
/// # Errors
/// If they come to no predicate, or to one that is too deep.
pub(crate) fn predicate(tests: Vec<Test>) -> Result<Option<Predicate>> {
    // Each with its depth
    let mut done: Vec<(Predicate, usize)> = vec![];
    for test in tests {
        let Some(kind) = test.kind else { return plan_err!("a predicate has a test of an unknown kind") };
        let predicate = match kind {
            Kind::And(parts) => joined(&mut done, parts, Predicate::And)?,
            Kind::Or(parts) => joined(&mut done, parts, Predicate::Or)?,
            Kind::Not(_) => match done.pop() {
                Some((inner, depth)) => (Predicate::Not(Box::new(inner)), depth + 1),
                None => return plan_err!("a predicate negates nothing"),
            },
            test => (single(test)?, 0),
        };
        if predicate.1 > MAX_DEPTH {
            return plan_err!("a predicate nests deeper than {MAX_DEPTH}");
        }
        done.push(predicate);
    }
    match (done.pop(), done.is_empty()) {
        (predicate, true) => Ok(predicate.map(|(predicate, _)| predicate)),
        _ => plan_err!("a predicate has tests that nothing joins"),
    }
}

fn joined(
    done: &mut Vec<(Predicate, usize)>,
    parts: u64,
    join: fn(Vec<Predicate>) -> Predicate,
) -> Result<(Predicate, usize)> {
    let Some(first) = usize::try_from(parts).ok().and_then(|parts| done.len().checked_sub(parts)) else {
        return plan_err!("a predicate joins {parts} tests, and has {}", done.len());
    };
    let (parts, depths): (Vec<Predicate>, Vec<usize>) = done.drain(first..).unzip();
    Ok((join(parts), depths.into_iter().max().unwrap_or(0) + 1))
}

fn single(kind: Kind) -> Result<Predicate> {
    Ok(match kind {
        Kind::Literal(Literal { truth }) => Predicate::Literal(truth),
        Kind::Compare(Compare { variable, op, value: constant }) => {
            Predicate::Compare { variable, op: comparison(op)?, value: constant.map_or(Value::Null, value) }
        }
        Kind::In(In { variable, values, negated }) => {
            Predicate::In { variable, values: values.into_iter().map(value).collect(), negated }
        }
        Kind::Between(In { variable, values, negated }) => match <[Constant; 2]>::try_from(values) {
            Ok([low, high]) => Predicate::Between { variable, low: value(low), high: value(high), negated },
            Err(values) => return plan_err!("a predicate has a BETWEEN of {} values", values.len()),
        },
        Kind::Like(Like { variable, pattern, negated, case_insensitive, escape }) => {
            let escape = match escape.map(|escape| (escape, char::from_u32(escape))) {
                Some((escape, None)) => return plan_err!("a predicate escapes with {escape}, which is no character"),
                Some((_, escape)) => escape,
                None => None,
            };
            Predicate::Like { variable, pattern, negated, case_insensitive, escape }
        }
        Kind::IsNull(IsNull { variable, negated }) => Predicate::IsNull { variable, negated },
        Kind::CompareVariables(CompareVariables { left, op, right }) => {
            Predicate::CompareVariables { left, op: comparison(op)?, right }
        }
        Kind::Table(Table { variables, answers, text }) => {
            let answer = |answer: u8| match answer {
                0 => Ok(Some(false)),
                1 => Ok(Some(true)),
                2 => Ok(None),
                other => plan_err!("a predicate has an unknown answer, {other}"),
            };
            let answers = answers.into_iter().map(answer).collect::<Result<Vec<_>>>()?;
            Predicate::Table { variables, answers: answers.into(), text }
        }
        Kind::And(_) | Kind::Or(_) | Kind::Not(_) => return plan_err!("a predicate joins nothing"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Predicate {
        let (variable, text) = ("age".to_string(), |text: &str| Value::Text(text.into()));
        Predicate::And(vec![
            Predicate::Or(vec![Predicate::Literal(None), Predicate::Literal(Some(true)), Predicate::And(vec![])]),
            Predicate::Compare { variable: variable.clone(), op: Comparison::GtEq, value: Value::Integer(-3) },
            Predicate::Compare { variable: variable.clone(), op: Comparison::Lt, value: Value::Number(0.1 + 0.2) },
            Predicate::In { variable: variable.clone(), values: vec![text("a"), Value::Null], negated: true },
            Predicate::Not(Box::new(Predicate::Between {
                variable: variable.clone(),
                low: text("b"),
                high: text("c"),
                negated: false,
            })),
            Predicate::Like {
                variable: variable.clone(),
                pattern: "%é".into(),
                negated: false,
                case_insensitive: true,
                escape: Some('é'),
            },
            Predicate::IsNull { variable: variable.clone(), negated: true },
            Predicate::CompareVariables { left: variable.clone(), op: Comparison::NotEq, right: "x".into() },
            Predicate::Table {
                variables: vec![variable],
                answers: vec![Some(true), None, Some(false)].into(),
                text: "age % 2 = 0".into(),
            },
        ])
    }

    #[test]
    fn predicates_come_back() {
        assert_eq!(predicate(tests(&all())).unwrap(), Some(all()));
        assert_eq!(predicate(vec![]).unwrap(), None);
        let negated = |depth: usize| (0..depth).fold(all(), |inner, _| Predicate::Not(Box::new(inner)));
        assert_eq!(predicate(tests(&negated(150))).unwrap(), Some(negated(150)));
        assert!(predicate(tests(&negated(1_000))).unwrap_err().message().contains("nests deeper than 200"));
    }

    #[test]
    fn what_is_no_predicate_is_refused() {
        let test = |kind| Test { kind: Some(kind) };
        for wrong in [
            vec![test(Kind::And(1))],
            vec![test(Kind::Not(Not {}))],
            vec![test(Kind::Literal(Literal { truth: None })), test(Kind::Literal(Literal { truth: None }))],
            vec![Test { kind: None }],
            vec![test(Kind::And(u64::MAX))],
        ] {
            assert!(predicate(wrong.clone()).is_err(), "{wrong:?}");
        }
    }
}

//! Boolean predicates over variables, with SQL's three-valued logic.

use std::fmt::{self, Display};

use crate::error::{Error, Result};
use crate::model::variable::{Levels, Variable, find};

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
    Literal(bool),
    Compare { variable: String, op: Comparison, value: Value },
    In { variable: String, values: Vec<Value>, negated: bool },
    Between { variable: String, low: Value, high: Value, negated: bool },
    Like { variable: String, pattern: String, negated: bool, case_insensitive: bool, escape: Option<char> },
    IsNull { variable: String, negated: bool },
    And(Vec<Predicate>),
    Or(Vec<Predicate>),
    Not(Box<Predicate>),
}

/// True, false or unknown.
pub(crate) type Truth = Option<bool>;

/// A test of one variable, resolved: for each level, what it answers.
#[derive(Debug, Clone)]
pub(crate) struct Atom {
    pub variable: usize,
    pub answers: Vec<Truth>,
}

/// A predicate whose tests have been resolved against the variables; `Test` indexes a list of atoms.
#[derive(Debug, Clone)]
pub(crate) enum Resolved {
    Literal(Truth),
    Test(usize),
    And(Vec<Resolved>),
    Or(Vec<Resolved>),
    Not(Box<Resolved>),
}

impl Resolved {
    pub fn evaluate(&self, answers: &impl Fn(usize) -> Truth) -> Truth {
        match self {
            Resolved::Literal(truth) => *truth,
            Resolved::Test(atom) => answers(*atom),
            Resolved::Not(inner) => inner.evaluate(answers).map(|t| !t),
            Resolved::And(parts) => fold(parts, answers, false),
            Resolved::Or(parts) => fold(parts, answers, true),
        }
    }

    pub fn atoms(&self, into: &mut Vec<usize>) {
        match self {
            Resolved::Literal(_) => {}
            Resolved::Test(atom) => into.push(*atom),
            Resolved::Not(inner) => inner.atoms(into),
            Resolved::And(parts) | Resolved::Or(parts) => parts.iter().for_each(|p| p.atoms(into)),
        }
    }
}

/// AND (`decisive` false) and OR (`decisive` true): the decisive answer wins, then unknown.
fn fold(parts: &[Resolved], answers: &impl Fn(usize) -> Truth, decisive: bool) -> Truth {
    let mut truth = Some(!decisive);
    for part in parts {
        match part.evaluate(answers) {
            Some(t) if t == decisive => return Some(decisive),
            None => truth = None,
            Some(_) => {}
        }
    }
    truth
}

/// How deep a predicate may nest before it is refused, so that no input exhausts the stack.
const MAX_DEPTH: usize = 500;

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

    pub(crate) fn resolve(&self, variables: &[Variable], atoms: &mut Vec<Atom>) -> Result<Resolved> {
        self.resolve_at(variables, atoms, 0)
    }

    fn resolve_at(&self, variables: &[Variable], atoms: &mut Vec<Atom>, depth: usize) -> Result<Resolved> {
        if depth > MAX_DEPTH {
            return Err(Error::TooLarge {
                cells: depth as u128,
                bound: MAX_DEPTH as u64,
                variables: "a predicate nested deeper than 500".into(),
            });
        }
        let mut test = |name: &str, answer: &dyn Fn(&Variable, usize) -> Truth| -> Result<Resolved> {
            let variable = find(variables, name)?;
            let v = &variables[variable];
            let null = v.null_level.map(usize::from);
            let answers = (0..v.len()).map(|l| if Some(l) == null { None } else { answer(v, l) }).collect();
            atoms.push(Atom { variable, answers });
            Ok(Resolved::Test(atoms.len() - 1))
        };
        let variable = |name: &str| find(variables, name).map(|i| &variables[i]);
        Ok(match self {
            Predicate::Literal(truth) => Resolved::Literal(Some(*truth)),
            Predicate::Compare { variable: name, op, value } => {
                let constant = Constant::new(variable(name)?, value, matches!(op, Comparison::Eq | Comparison::NotEq))?;
                test(name, &|v, l| constant.compare(v, l).map(|o| op.holds(o)))?
            }
            Predicate::In { variable: name, values, negated } => {
                let v = variable(name)?;
                let constants = values.iter().map(|x| Constant::new(v, x, true)).collect::<Result<Vec<_>>>()?;
                let has_null = constants.iter().any(|c| matches!(c, Constant::Null));
                let mut found = vec![false; v.len()];
                for constant in &constants {
                    constant.mark(v, &mut found);
                }
                test(name, &|_, l| {
                    let truth = if found[l] { Some(true) } else { (!has_null).then_some(false) };
                    truth.map(|t| t != *negated)
                })?
            }
            Predicate::Between { variable: name, low, high, negated } => {
                let v = variable(name)?;
                let (low, high) = (Constant::new(v, low, false)?, Constant::new(v, high, false)?);
                test(name, &|v, l| {
                    let above = low.compare(v, l).map(|o| o.is_ge());
                    let below = high.compare(v, l).map(|o| o.is_le());
                    let within = match (above, below) {
                        (Some(false), _) | (_, Some(false)) => Some(false),
                        (Some(true), Some(true)) => Some(true),
                        _ => None,
                    };
                    within.map(|t| t != *negated)
                })?
            }
            Predicate::Like { variable: name, pattern, negated, case_insensitive, escape } => {
                let v = variable(name)?;
                if let Levels::Integer { .. } = v.levels {
                    let value = format!("the pattern '{pattern}'");
                    return Err(Error::TypeMismatch { variable: name.clone(), is: "an integer", value });
                }
                let pattern = Pattern::new(pattern, *case_insensitive, *escape);
                test(name, &|v, l| Some(pattern.matches(&v.label(l)) != *negated))?
            }
            Predicate::IsNull { variable: name, negated } => {
                let index = find(variables, name)?;
                let null = variables[index].null_level.map(usize::from);
                let answers = (0..variables[index].len()).map(|l| Some((Some(l) == null) != *negated)).collect();
                atoms.push(Atom { variable: index, answers });
                Resolved::Test(atoms.len() - 1)
            }
            Predicate::And(parts) => {
                Resolved::And(parts.iter().map(|p| p.resolve_at(variables, atoms, depth + 1)).collect::<Result<_>>()?)
            }
            Predicate::Or(parts) => {
                Resolved::Or(parts.iter().map(|p| p.resolve_at(variables, atoms, depth + 1)).collect::<Result<_>>()?)
            }
            Predicate::Not(inner) => Resolved::Not(Box::new(inner.resolve_at(variables, atoms, depth + 1)?)),
        })
    }
}

impl Comparison {
    fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Comparison::Eq => order.is_eq(),
            Comparison::NotEq => order.is_ne(),
            Comparison::Lt => order.is_lt(),
            Comparison::LtEq => order.is_le(),
            Comparison::Gt => order.is_gt(),
            Comparison::GtEq => order.is_ge(),
        }
    }
}

/// A constant of a type that its variable can be compared with.
enum Constant {
    Text(String),
    Number(f64),
    Null,
}

impl Constant {
    /// `exact` asks that a text be one of the levels: a slip in a level's name is an error, not an empty answer.
    fn new(variable: &Variable, value: &Value, exact: bool) -> Result<Constant> {
        Ok(match (&variable.levels, value) {
            (_, Value::Null) => Constant::Null,
            (Levels::Text(_), Value::Text(text)) => {
                if exact && variable.level(text).is_none() {
                    return Err(variable.unknown_level(text));
                }
                Constant::Text(text.clone())
            }
            (Levels::Integer { .. }, Value::Integer(i)) => Constant::Number(*i as f64),
            (Levels::Integer { .. }, Value::Number(x)) => Constant::Number(*x),
            (Levels::Integer { .. }, Value::Text(text)) => match text.trim().parse() {
                Ok(number) => Constant::Number(number),
                Err(_) => return Err(mismatch(variable, value)),
            },
            (Levels::Text(_), _) => return Err(mismatch(variable, value)),
        })
    }

    fn compare(&self, variable: &Variable, level: usize) -> Option<std::cmp::Ordering> {
        match (self, &variable.levels) {
            (Constant::Text(text), Levels::Text(names)) => Some(names[level].as_str().cmp(text.as_str())),
            (Constant::Number(x), Levels::Integer { min, .. }) => f64::from(min + level as i32).partial_cmp(x),
            _ => None,
        }
    }

    /// Marks the levels equal to this constant.
    fn mark(&self, variable: &Variable, found: &mut [bool]) {
        match (self, &variable.levels) {
            (Constant::Text(text), _) => variable.level(text).into_iter().for_each(|l| found[l] = true),
            (Constant::Number(x), Levels::Integer { min, max })
                if x.fract() == 0.0 && (f64::from(*min)..=f64::from(*max)).contains(x) =>
            {
                found[(*x as i64 - i64::from(*min)) as usize] = true;
            }
            _ => {}
        }
    }
}

fn mismatch(variable: &Variable, value: &Value) -> Error {
    let is = match variable.levels {
        Levels::Text(_) => "text",
        Levels::Integer { .. } => "an integer",
    };
    Error::TypeMismatch { variable: variable.name.clone(), is, value: value.to_string() }
}

/// A LIKE pattern: `%` any run, `_` any one character, an optional escape.
struct Pattern {
    parts: Vec<Part>,
    fold: bool,
}

#[derive(PartialEq)]
enum Part {
    Run,
    One,
    Char(char),
}

impl Pattern {
    fn new(pattern: &str, fold: bool, escape: Option<char>) -> Pattern {
        let escape = escape.or(Some('\\'));
        let text = if fold { pattern.to_lowercase() } else { pattern.to_string() };
        let mut parts = vec![];
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            parts.push(match c {
                c if Some(c) == escape => Part::Char(chars.next().unwrap_or(c)),
                '%' => Part::Run,
                '_' => Part::One,
                c => Part::Char(c),
            });
        }
        Pattern { parts, fold }
    }

    /// Greedy matching with one point of return: linear in text × runs, never exponential.
    fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = if self.fold { text.to_lowercase().chars().collect() } else { text.chars().collect() };
        let (mut t, mut p) = (0, 0);
        let mut back: Option<(usize, usize)> = None;
        while t < text.len() {
            match self.parts.get(p) {
                Some(Part::Run) => {
                    back = Some((p + 1, t));
                    p += 1;
                }
                Some(part) if *part == Part::One || *part == Part::Char(text[t]) => (t, p) = (t + 1, p + 1),
                _ => match back {
                    Some((after, from)) => {
                        back = Some((after, from + 1));
                        (t, p) = (from + 1, after);
                    }
                    None => return false,
                },
            }
        }
        self.parts[p..].iter().all(|part| *part == Part::Run)
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

impl Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not = |negated: &bool| if *negated { "NOT " } else { "" };
        let join = |parts: &[Predicate], word: &str| {
            let parts: Vec<String> = parts
                .iter()
                .map(|p| match p {
                    Predicate::And(_) | Predicate::Or(_) => format!("({p})"),
                    p => p.to_string(),
                })
                .collect();
            parts.join(word)
        };
        match self {
            Predicate::Literal(truth) => write!(f, "{truth}"),
            Predicate::Compare { variable, op, value } => {
                let op = match op {
                    Comparison::Eq => "=",
                    Comparison::NotEq => "<>",
                    Comparison::Lt => "<",
                    Comparison::LtEq => "<=",
                    Comparison::Gt => ">",
                    Comparison::GtEq => ">=",
                };
                write!(f, "{variable} {op} {value}")
            }
            Predicate::In { variable, values, negated } => {
                let shown: Vec<String> = values.iter().take(20).map(Value::to_string).collect();
                let more = if values.len() > 20 { format!(", … {} more", values.len() - 20) } else { String::new() };
                write!(f, "{variable} {}IN ({}{more})", not(negated), shown.join(", "))
            }
            Predicate::Between { variable, low, high, negated } => {
                write!(f, "{variable} {}BETWEEN {low} AND {high}", not(negated))
            }
            Predicate::Like { variable, pattern, negated, case_insensitive, escape } => {
                let word = if *case_insensitive { "ILIKE" } else { "LIKE" };
                write!(f, "{variable} {}{word} {}", not(negated), Value::Text(pattern.clone()))?;
                escape.map_or(Ok(()), |e| write!(f, " ESCAPE '{e}'"))
            }
            Predicate::IsNull { variable, negated } => write!(f, "{variable} IS {}NULL", not(negated)),
            Predicate::And(parts) => write!(f, "{}", join(parts, " AND ")),
            Predicate::Or(parts) => write!(f, "{}", join(parts, " OR ")),
            Predicate::Not(inner) => write!(f, "NOT ({inner})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> Vec<Variable> {
        let text = |names: &[&str]| Levels::Text(names.iter().map(|s| s.to_string()).collect());
        vec![
            Variable::new("age".into(), String::new(), Levels::Integer { min: 18, max: 30 }, false, None),
            Variable::new("job".into(), String::new(), text(&["none", "civil_engineer", "nurse"]), false, Some(0)),
        ]
    }

    fn truths(predicate: &Predicate) -> Vec<Truth> {
        let variables = variables();
        let mut atoms = vec![];
        let resolved = predicate.resolve(&variables, &mut atoms).unwrap();
        let variable = atoms[0].variable;
        (0..variables[variable].len()).map(|l| resolved.evaluate(&|a| atoms[a].answers[l])).collect()
    }

    fn job(op: Comparison, value: &str) -> Predicate {
        Predicate::Compare { variable: "job".into(), op, value: Value::Text(value.into()) }
    }

    #[test]
    fn null_is_neither_equal_nor_different() {
        assert_eq!(truths(&job(Comparison::Eq, "nurse")), [None, Some(false), Some(true)]);
        assert_eq!(truths(&job(Comparison::NotEq, "nurse")), [None, Some(true), Some(false)]);
        let is_null = Predicate::IsNull { variable: "job".into(), negated: false };
        assert_eq!(truths(&is_null), [Some(true), Some(false), Some(false)]);
        let either = Predicate::Or(vec![is_null, job(Comparison::Eq, "nurse")]);
        assert_eq!(truths(&either), [Some(true), Some(false), Some(true)]);
    }

    #[test]
    fn patterns() {
        let like = |pattern: &str, text: &str| Pattern::new(pattern, false, None).matches(text);
        assert!(like("%engineer%", "civil_engineer"));
        assert!(like("civil\\_e%", "civil_engineer"));
        assert!(!like("civil\\_e%", "civilxengineer"));
        assert!(like("c_v%r", "civil_engineer"));
        assert!(!like("engineer", "civil_engineer"));
        assert!(like("%", ""));
        assert!(Pattern::new("CIVIL%", true, None).matches("civil_engineer"));
        assert!(!like(&"%a".repeat(200), &"a".repeat(150)));
    }

    #[test]
    fn slips_are_named() {
        let error = job(Comparison::Eq, "nurs").resolve(&variables(), &mut vec![]).unwrap_err().to_string();
        assert!(error.contains("did you mean `nurse`?"), "{error}");
        let age = Predicate::Compare { variable: "age".into(), op: Comparison::Eq, value: Value::Text("old".into()) };
        assert!(age.resolve(&variables(), &mut vec![]).is_err());
        let unknown = Predicate::IsNull { variable: "jobb".into(), negated: true };
        let error = unknown.resolve(&variables(), &mut vec![]).unwrap_err().to_string();
        assert!(error.contains("did you mean `job`?"), "{error}");
    }

    #[test]
    fn conjuncts_reach_through_negation() {
        let a = job(Comparison::Eq, "nurse");
        let b = Predicate::IsNull { variable: "job".into(), negated: false };
        let neither = Predicate::Not(Box::new(Predicate::Or(vec![a.clone(), b.clone()])));
        assert_eq!(neither.conjuncts(), [Predicate::Not(Box::new(a)), Predicate::Not(Box::new(b))]);
    }

    #[test]
    fn no_depth_overflows() {
        let mut deep = job(Comparison::Eq, "nurse");
        for _ in 0..5000 {
            deep = Predicate::Not(Box::new(Predicate::And(vec![deep])));
        }
        assert!(deep.resolve(&variables(), &mut vec![]).is_err());
        // Dropping five thousand levels recurses too, within the stack.
    }
}

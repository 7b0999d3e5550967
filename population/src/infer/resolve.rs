//! A predicate's tests against the variables of a pack: what each answers for each level.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::infer::predicate::{Comparison, Predicate, Value};
use crate::model::variable::{Levels, Names, Variable, find};

/// True, false or unknown.
pub(crate) type Truth = Option<bool>;

/// The most combinations of levels that one test between variables may tell apart.
pub(crate) const MAX_COMBINATIONS: u64 = 1 << 22;

/// A test, resolved.
#[derive(Debug, Clone)]
pub(crate) enum Atom {
    /// Of one variable: for each level, what it answers.
    One { variable: usize, answers: Vec<Truth> },
    /// Between two: each level has a rank, NULL has none, and the ranks are compared.
    Ranks { left: usize, right: usize, ranks: [Vec<Option<u32>>; 2], op: Comparison },
    /// Of several variables, no two of them the same: an answer for each combination, the last one's levels fastest.
    Table { variables: Vec<usize>, answers: Arc<[Truth]>, strides: Vec<usize> },
}

/// A predicate whose tests have been resolved; `Test` indexes a list of atoms.
#[derive(Debug, Clone)]
pub(crate) enum Resolved {
    Literal(Truth),
    Test(usize),
    And(Vec<Resolved>),
    Or(Vec<Resolved>),
    Not(Box<Resolved>),
}

/// How deep a predicate may nest before it is refused, so that no input exhausts the stack.
pub(crate) const MAX_DEPTH: usize = 500;

impl Atom {
    /// The variables that it is a test of.
    pub fn variables(&self) -> Vec<usize> {
        match self {
            Atom::One { variable, .. } => vec![*variable],
            Atom::Ranks { left, right, .. } => vec![*left, *right],
            Atom::Table { variables, .. } => variables.clone(),
        }
    }

    /// What it answers where its variables have these levels.
    pub fn answer(&self, level: impl Fn(usize) -> usize) -> Truth {
        match self {
            Atom::One { variable, answers } => answers[level(*variable)],
            Atom::Ranks { left, right, ranks, op } => {
                Some(op.holds(ranks[0][level(*left)]?.cmp(&ranks[1][level(*right)]?)))
            }
            Atom::Table { variables, answers, strides } => {
                answers[variables.iter().zip(strides).map(|(v, stride)| level(*v) * stride).sum::<usize>()]
            }
        }
    }

    /// For each level of a variable a number: levels of one number answer alike, whatever the others have.
    pub fn signature(&self, variable: usize, levels: usize) -> Vec<u32> {
        match self {
            Atom::One { answers, .. } => answers.iter().map(|a| a.map_or(2, u32::from)).collect(),
            Atom::Ranks { left, ranks, .. } => {
                ranks[usize::from(*left != variable)].iter().map(|r| r.map_or(0, |r| r + 1)).collect()
            }
            Atom::Table { variables, answers, strides } => {
                let Some(at) = variables.iter().position(|v| *v == variable) else { return vec![0; levels] };
                let (stride, block) = (strides[at], strides[at] * levels);
                let mut seen = std::collections::HashMap::new();
                let slice = |level: usize| -> Vec<u8> {
                    let blocks = answers.chunks(block).flat_map(|b| &b[level * stride..(level + 1) * stride]);
                    blocks.map(|a| a.map_or(2, u8::from)).collect()
                };
                let number = |level| {
                    let next = seen.len() as u32;
                    *seen.entry(slice(level)).or_insert(next)
                };
                (0..levels).map(number).collect()
            }
        }
    }
}

impl Predicate {
    /// Resolves every test, into `atoms`.
    pub(crate) fn resolve(&self, variables: &[Variable], atoms: &mut Vec<Atom>) -> Result<Resolved> {
        self.resolve_at(variables, atoms, 0)
    }

    fn resolve_at(&self, variables: &[Variable], atoms: &mut Vec<Atom>, depth: usize) -> Result<Resolved> {
        if depth > MAX_DEPTH {
            return Err(Error::TooDeep { bound: MAX_DEPTH });
        }
        let mut push = |atom: Atom| {
            atoms.push(atom);
            Ok(Resolved::Test(atoms.len() - 1))
        };
        let mut test = |name: &str, answer: &dyn Fn(&Variable, usize) -> Truth| -> Result<Resolved> {
            let variable = find(variables, name)?;
            let v = &variables[variable];
            let null = v.null_level.map(usize::from);
            let answers = (0..v.len()).map(|l| if Some(l) == null { None } else { answer(v, l) }).collect();
            push(Atom::One { variable, answers })
        };
        let variable = |name: &str| find(variables, name).map(|i| &variables[i]);
        Ok(match self {
            Predicate::Literal(truth) => Resolved::Literal(*truth),
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
                push(Atom::One { variable: index, answers })?
            }
            Predicate::CompareVariables { left, op, right } => {
                match (find(variables, left)?, find(variables, right)?) {
                    (one, other) if one == other => test(left, &|_, _| Some(op.holds(Ordering::Equal)))?,
                    (left, right) => push(compared(variables, left, *op, right)?)?,
                }
            }
            Predicate::Table { variables: names, answers, text } => push(table(variables, names, answers, text)?)?,
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
    pub(crate) fn holds(self, order: Ordering) -> bool {
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
                match variable.level(text) {
                    None if exact => return Err(variable.unknown_level(text)),
                    Some(level) if exact && variable.null_level.map(usize::from) == Some(level) => {
                        return Err(Error::NullLevel { variable: variable.name.clone(), name: text.clone() });
                    }
                    _ => {}
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

    fn compare(&self, variable: &Variable, level: usize) -> Option<Ordering> {
        match (self, &variable.levels) {
            (Constant::Text(text), Levels::Text(names)) => names.text(level).map(|name| name.cmp(text.as_str())),
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

/// The test of two variables against each other. Texts are compared as texts, integers as numbers.
fn compared(variables: &[Variable], left: usize, op: Comparison, right: usize) -> Result<Atom> {
    let (a, b) = (&variables[left], &variables[right]);
    let ranks = match (&a.levels, &b.levels) {
        (Levels::Text(x), Levels::Text(y)) => {
            fn of<'a>(names: &'a Names, v: &Variable) -> Vec<Option<&'a str>> {
                names.texts().enumerate().map(|(l, n)| (!is_null(v, l)).then_some(n)).collect()
            }
            ranks(&of(x, a), &of(y, b), op)
        }
        (Levels::Integer { min: x, .. }, Levels::Integer { min: y, .. }) => {
            let of = |min: i32, v: &Variable| -> Vec<Option<i64>> {
                (0..v.len()).map(|l| (!is_null(v, l)).then(|| i64::from(min) + l as i64)).collect()
            };
            ranks(&of(*x, a), &of(*y, b), op)
        }
        _ => {
            let is = if matches!(a.levels, Levels::Text(_)) { "text" } else { "an integer" };
            let other = if matches!(b.levels, Levels::Text(_)) { "text" } else { "an integer" };
            let value = format!("`{}` ({other})", b.name);
            return Err(Error::TypeMismatch { variable: a.name.clone(), is, value });
        }
    };
    let distinct = |ranks: &[Option<u32>]| ranks.iter().collect::<std::collections::HashSet<_>>().len() as u128;
    let cells = distinct(&ranks[0]) * distinct(&ranks[1]);
    if cells > u128::from(MAX_COMBINATIONS) {
        let variables = format!("{}, {}", a.name, b.name);
        return Err(Error::TooLarge { cells, bound: MAX_COMBINATIONS, variables });
    }
    Ok(Atom::Ranks { left, right, ranks, op })
}

fn is_null(variable: &Variable, level: usize) -> bool {
    variable.null_level.map(usize::from) == Some(level)
}

/// Ranks that compare as the values do. What the other side cannot tell apart has one rank.
fn ranks<T: Ord>(left: &[Option<T>], right: &[Option<T>], op: Comparison) -> [Vec<Option<u32>>; 2] {
    let sorted = |of: &[Option<T>]| -> Vec<usize> {
        let mut at: Vec<usize> = (0..of.len()).filter(|i| of[*i].is_some()).collect();
        at.sort_by(|i, j| of[*i].cmp(&of[*j]));
        at.dedup_by(|i, j| of[*i] == of[*j]);
        at
    };
    // The smaller side gives the marks; between two marks, all of the other side is alike.
    let (marks, of) = if left.len() <= right.len() { (sorted(left), left) } else { (sorted(right), right) };
    let rank = |value: &T| match marks.binary_search_by(|m| of[*m].as_ref().cmp(&Some(value))) {
        Ok(at) => 2 * at as u32 + 2,
        Err(_) if matches!(op, Comparison::Eq | Comparison::NotEq) => u32::MAX - 1,
        Err(at) => 2 * at as u32 + 1,
    };
    [left, right].map(|side| side.iter().map(|v| v.as_ref().map(rank)).collect())
}

/// A test that was worked out for every combination of levels.
fn table(variables: &[Variable], names: &[String], answers: &Arc<[Truth]>, text: &str) -> Result<Atom> {
    let of: Vec<usize> = names.iter().map(|n| find(variables, n)).collect::<Result<_>>()?;
    let cells: u128 = of.iter().map(|v| variables[*v].len() as u128).product();
    if cells > u128::from(MAX_COMBINATIONS) {
        return Err(Error::TooLarge { cells, bound: MAX_COMBINATIONS, variables: names.join(", ") });
    }
    let twice = (1..of.len()).any(|i| of[..i].contains(&of[i]));
    if cells != answers.len() as u128 || twice {
        let message = match twice {
            true => "names a variable twice".to_string(),
            false => format!("has {} answers for {cells} combinations of {}", answers.len(), names.join(", ")),
        };
        return Err(Error::WrongTable { text: text.to_string(), message });
    }
    let mut strides = vec![1; of.len()];
    for i in (1..of.len()).rev() {
        strides[i - 1] = strides[i] * variables[of[i]].len();
    }
    Ok(Atom::Table { variables: of, answers: answers.clone(), strides })
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
        let mut parts = vec![];
        let mut chars = pattern.chars();
        let letter = |parts: &mut Vec<Part>, c: char| match fold {
            true => parts.extend(c.to_lowercase().map(Part::Char)),
            false => parts.push(Part::Char(c)),
        };
        // The escape is read as it was written; only what it leaves is folded.
        while let Some(c) = chars.next() {
            match c {
                c if Some(c) == escape => letter(&mut parts, chars.next().unwrap_or(c)),
                '%' => parts.push(Part::Run),
                '_' => parts.push(Part::One),
                c => letter(&mut parts, c),
            }
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
        let variable = atoms[0].variables()[0];
        let evaluate = |l| evaluate(&resolved, &|a| atoms[a].answer(|_| l));
        (0..variables[variable].len()).map(evaluate).collect()
    }

    fn evaluate(resolved: &Resolved, answer: &dyn Fn(usize) -> Truth) -> Truth {
        let fold = |parts: &[Resolved], decisive: bool| {
            let answers: Vec<Truth> = parts.iter().map(|p| evaluate(p, answer)).collect();
            let unknown = if answers.contains(&None) { None } else { Some(!decisive) };
            if answers.contains(&Some(decisive)) { Some(decisive) } else { unknown }
        };
        match resolved {
            Resolved::Literal(truth) => *truth,
            Resolved::Test(atom) => answer(*atom),
            Resolved::Not(inner) => evaluate(inner, answer).map(|t| !t),
            Resolved::And(parts) => fold(parts, false),
            Resolved::Or(parts) => fold(parts, true),
        }
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
        assert!(Pattern::new("civilX_ENG%", true, Some('X')).matches("civil_engineer"));
        assert!(!Pattern::new("civilX_ENG%", true, Some('x')).matches("civil_engineer"));
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
        let error = job(Comparison::Eq, "nonee").resolve(&variables(), &mut vec![]).unwrap_err().to_string();
        assert!(!error.contains("none,") && !error.contains("`none`"), "{error}");
        let error = job(Comparison::Eq, "none").resolve(&variables(), &mut vec![]).unwrap_err().to_string();
        assert!(error.contains("job IS NULL"), "{error}");
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

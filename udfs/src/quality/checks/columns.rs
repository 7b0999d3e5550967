//! What the columns of one person say of each other: a pair of values that nobody in the country has, or hardly anybody,
//! by the figures that the country was fitted to.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type};
use datafusion::common::Result;
use populace_population::{Analysis, Association, CoOccurrence, Levels, Pack, Variable, did_you_mean};

use super::{Severity, Violation};

/// Pairs of columns that are looked at, by the check that they belong to. Of a postal code the pack knows one place and
/// one county, and the post office may know others: what it is found in there is doubtful, not wrong.
const RULES: [(&str, &str, &str, Severity); 20] = [
    ("geography", "zipcode", "state", Severity::Error),
    ("geography", "city", "state", Severity::Error),
    ("geography", "county", "state", Severity::Error),
    ("geography", "state", "census_region", Severity::Error),
    ("geography", "zipcode", "city", Severity::Warning),
    ("geography", "zipcode", "county", Severity::Warning),
    ("age_marital", "age", "marital_status", Severity::Error),
    ("age_marital", "age", "living_arrangement", Severity::Error),
    ("education_occupation", "education_level", "occupation", Severity::Error),
    ("education_occupation", "education_level", "bachelors_field", Severity::Error),
    ("demographics", "age", "education_level", Severity::Error),
    ("demographics", "age", "occupation", Severity::Error),
    ("demographics", "age", "veteran_status", Severity::Error),
    ("demographics", "age", "college_enrolment", Severity::Error),
    ("demographics", "education_level", "college_enrolment", Severity::Error),
    ("demographics", "labour_status", "occupation", Severity::Error),
    ("demographics", "occupation", "occupation_group", Severity::Error),
    ("demographics", "occupation_group", "industry", Severity::Error),
    ("demographics", "marital_status", "living_arrangement", Severity::Error),
    ("demographics", "household_size", "living_arrangement", Severity::Error),
];

/// Two values are hardly ever met together if fewer people have both than this, and this part of those who would have if
/// the two had nothing to do with each other.
const RARE: (f64, f64) = (1e-6, 0.01);

/// Variables of more levels are open lists, of names; places are not.
const CLOSED: usize = 1000;

/// What a value is to a variable.
#[derive(Clone, Copy, PartialEq)]
enum Level {
    Missing,
    Unknown,
    Known(usize),
}

struct Rule {
    check: &'static str,
    severity: Severity,
    first: usize,
    second: usize,
    association: Association,
}

/// The rules of a country for the columns that a table has.
pub(crate) struct Columns {
    pack: Arc<Pack>,
    variables: Vec<Variable>,
    rules: Vec<Rule>,
}

impl Columns {
    pub fn new(pack: Arc<Pack>, names: &[&str]) -> Columns {
        let variables: Vec<Variable> =
            pack.variables().iter().filter(|v| !v.hidden && names.contains(&v.name.as_str())).cloned().collect();
        let at = |name: &str| variables.iter().position(|v| v.name == name);
        let rule = |(check, first, second, severity): (&'static str, &str, &str, Severity)| {
            let association = Analysis::of(&pack).association(first, second).ok();
            Some(Rule { check, severity, first: at(first)?, second: at(second)?, association: association? })
        };
        let rules = RULES.into_iter().filter(|(_, a, b, _)| at(a).and(at(b)).is_some()).filter_map(rule).collect();
        Columns { pack, variables, rules }
    }

    /// What is wrong with which row.
    ///
    /// # Errors
    /// If a column cannot be read as text.
    pub fn check(&self, rows: &RecordBatch) -> Result<Vec<(usize, Violation)>> {
        let (mut columns, mut found) = (vec![], vec![]);
        for variable in &self.variables {
            let column = rows.column_by_name(&variable.name).map(|c| levels(variable, c)).transpose()?;
            let (texts, levels) = column.unwrap_or_default();
            let is_place = RULES
                .iter()
                .any(|(check, a, b, _)| *check == "geography" && [*a, *b].contains(&variable.name.as_str()));
            if variable.len() <= CLOSED || is_place {
                let unknown = levels.iter().enumerate().filter(|(_, level)| **level == Level::Unknown);
                found.extend(unknown.map(|(row, _)| (row, self.unknown(variable, &texts.value(row)))));
            }
            columns.push((texts, levels));
        }
        for rule in &self.rules {
            let ((first, first_levels), (second, second_levels)) = (&columns[rule.first], &columns[rule.second]);
            for (row, (a, b)) in first_levels.iter().zip(second_levels).enumerate() {
                let (Level::Known(a), Level::Known(b)) = (*a, *b) else { continue };
                if let Some((severity, why)) = self.against(rule, a, b) {
                    let (one, other) = (&self.variables[rule.first].name, &self.variables[rule.second].name);
                    let detail = format!("{one} {}, {other} {}: {why}", first.value(row), second.value(row));
                    found.push((row, Violation { check: rule.check, severity, detail }));
                }
            }
        }
        found.sort_by_key(|(row, _)| *row);
        Ok(found)
    }

    /// What speaks against two values.
    fn against(&self, rule: &Rule, a: usize, b: usize) -> Option<(Severity, String)> {
        let country = self.pack.name();
        match rule.association.co_occurrence(a, b) {
            CoOccurrence::Known => None,
            CoOccurrence::Weighed { share, independent } if share < RARE.0 && share < RARE.1 * independent => {
                let people = share * self.pack.population();
                Some((Severity::Warning, format!("of the people of {country} about {people:.0} have both")))
            }
            CoOccurrence::Weighed { .. } => None,
            CoOccurrence::Never => Some((
                rule.severity,
                match rule.association.only(a) {
                    Some(only) => format!("in {country} it is {}", self.variables[rule.second].label(only)),
                    None => format!("nobody in {country} has both"),
                },
            )),
        }
    }

    fn unknown(&self, variable: &Variable, value: &str) -> Violation {
        let known = match &variable.levels {
            Levels::Integer { min, max } => format!(": they are {min} to {max}"),
            Levels::Text(levels) => did_you_mean(value, levels.iter().map(String::as_str)),
        };
        let detail = format!("{} has no value {value} in {}{known}", variable.name, self.pack.name());
        Violation { check: "unknown_value", severity: Severity::Warning, detail }
    }
}

/// The texts of a column, row by row.
#[derive(Default)]
struct Texts(Option<ArrayRef>, Vec<Option<u32>>);

impl Texts {
    /// Of a row that is not NULL.
    fn value(&self, row: usize) -> String {
        let at = self.1.get(row).copied().flatten();
        let texts = self.0.as_ref().and_then(|texts| texts.as_string_opt::<i32>());
        at.zip(texts).map(|(at, texts)| texts.value(at as usize).to_string()).unwrap_or_default()
    }
}

/// The values of a column, and what they are to a variable; each of a dictionary is looked up once.
fn levels(variable: &Variable, column: &ArrayRef) -> Result<(Texts, Vec<Level>)> {
    let dictionary = match column.data_type() {
        DataType::Dictionary(_, values) => {
            let keys = DataType::Dictionary(Box::new(DataType::Int32), values.clone());
            Some(cast(column, &keys)?)
        }
        _ => None,
    };
    let (values, at): (ArrayRef, Vec<Option<u32>>) = match dictionary.as_ref().map(|d| d.as_dictionary::<Int32Type>()) {
        Some(coded) => (coded.values().clone(), coded.keys().iter().map(|k| k.map(|k| k as u32)).collect()),
        None => (column.clone(), (0..column.len()).map(|i| column.is_valid(i).then_some(i as u32)).collect()),
    };
    let texts = cast(&values, &DataType::Utf8)?;
    let known = texts.as_string::<i32>().iter().map(|text| match text {
        Some(text) => variable.level(text).map_or(Level::Unknown, Level::Known),
        None => Level::Missing,
    });
    let known: Vec<Level> = known.collect();
    let levels = at.iter().map(|at| at.map_or(Level::Missing, |at| known[at as usize])).collect();
    Ok((Texts(Some(texts), at), levels))
}

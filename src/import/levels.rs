//! Values of files as levels of a country's variables: what is none of them is told, and mapped.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use populace_population::{Levels, Pack, Variable, did_you_mean, nearest, there_are};

use super::Import;
use super::plan::Plan;
use super::source::{Format, Reading, Source};
use crate::packs::{self, labels, labels::Labels};

/// Values of a column that a message has.
const SHOWN: usize = 6;

/// Levels of the largest variable among which a slip of the pen is looked for.
const MOST_LEVELS: usize = 5_000;

/// What becomes of values that are no levels of the country's variables, and are not mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unmapped {
    /// Nothing is written, and the error lists them
    #[default]
    Error,
    /// NULL takes their place
    Null,
    /// They stay as they are
    Keep,
}

/// What says which level a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueMap {
    /// One value of a column of the table; without a level it is NULL
    One { column: String, from: String, to: Option<String> },
    /// A file of CSV with the columns `column`, `from` and `to`; where `to` is empty nothing is said
    File(PathBuf),
}

/// What stands for NULL in a map of values.
const NULL: &str = "NULL";

impl FromStr for ValueMap {
    type Err = String;

    fn from_str(text: &str) -> Result<ValueMap, String> {
        let Some((from, to)) = text.split_once('=') else { return Ok(ValueMap::File(text.into())) };
        match from.split_once('.') {
            Some((column, from)) if !column.is_empty() && !from.is_empty() && !to.is_empty() => Ok(ValueMap::One {
                column: column.into(),
                from: from.into(),
                to: Some(to.into()).filter(|to| to != NULL),
            }),
            _ => Err("a file, or a column, a value and its level: sex.M=Male".into()),
        }
    }
}

/// A value that is no level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownValue {
    pub value: String,
    /// How many rows have it
    pub rows: u64,
    /// The level that says the same in other letters, or of which it is the beginning
    pub level: Option<String>,
    /// The level whose name is nearest
    pub nearest: Option<String>,
}

/// A column with values that are no levels of its variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownValues {
    pub column: String,
    /// The commonest first
    pub values: Vec<UnknownValue>,
}

/// The levels that values are to be, and what is said of those that are none.
#[derive(Debug)]
pub(super) struct Recoding {
    country: Option<(Arc<Pack>, Arc<Labels>)>,
    /// By column and value
    map: HashMap<String, HashMap<String, Option<String>>>,
    unmapped: Unmapped,
    /// Values that became NULL as they are no levels
    pub nulled: AtomicU64,
}

impl Recoding {
    /// # Errors
    /// If there is no such country, or what is said of values cannot be read, or says what is no level.
    pub fn of(import: &Import) -> Result<Recoding> {
        let country = match &import.country {
            None => None,
            Some(country) => match packs::named(country) {
                Some(pack) => Some((pack.map_err(|e| exec_datafusion_err!("{e}"))?, labels::of_country(country))),
                None => return exec_err!("--country: {}", packs::unknown(country)),
            },
        };
        let mut recoding =
            Recoding { country, map: HashMap::new(), unmapped: import.unmapped, nulled: AtomicU64::new(0) };
        for said in &import.map_values {
            match said {
                ValueMap::One { column, from, to } => recoding.add("--map-values", column, from, to.clone())?,
                ValueMap::File(path) => {
                    for (column, from, to) in read_map(path)? {
                        let to = Some(to).filter(|to| to != NULL);
                        recoding.add(&path.display().to_string(), &column, &from, to)?;
                    }
                }
            }
        }
        Ok(recoding)
    }

    fn add(&mut self, place: &str, column: &str, from: &str, to: Option<String>) -> Result<()> {
        if let (Some(variable), Some(to)) = (self.variable(column), &to)
            && variable.level(to).is_none()
        {
            return exec_err!("{place}: `{to}` is no level of {column}{}", levels_of(variable, to));
        }
        let of_column = self.map.entry(column.to_string()).or_default();
        match of_column.insert(from.trim().to_string(), to.clone()) {
            Some(before) if before != to => exec_err!("{place}: two levels are named for `{from}` of {column}"),
            _ => Ok(()),
        }
    }

    /// That the columns of which something is said are there.
    ///
    /// # Errors
    /// If one is not.
    pub fn check(&self, plan: &Plan) -> Result<()> {
        let names: Vec<&str> = plan.schema.fields().iter().map(|f| f.name().as_str()).collect();
        match self.map.keys().find(|column| !names.contains(&column.as_str())) {
            Some(column) => exec_err!("--map-values: no column becomes `{column}`{}", there_are(column, &names)),
            None => Ok(()),
        }
    }

    /// What the column `country` says where the files do not.
    pub fn country(&self) -> Option<&str> {
        self.country.as_ref().map(|(pack, _)| pack.country())
    }

    /// The pack of the country.
    pub fn pack(&self) -> Option<String> {
        self.country.as_ref().map(|(pack, _)| pack.id())
    }

    /// The variable that a column is held against. Names of people are open: that of nobody in a list is a name as well.
    pub fn variable(&self, column: &str) -> Option<&Variable> {
        let (pack, _) = self.country.as_ref().filter(|_| !column.contains("name"))?;
        pack.variable(column).filter(|v| !v.hidden)
    }

    /// The values that are no levels, by column. Reads the columns in question of all files.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn unknown(&self, sources: &[Source], plan: &Plan, reading: Reading) -> Result<Vec<UnknownValues>> {
        let fields = plan.schema.fields().iter().enumerate();
        let judged: Vec<(usize, &String, &Variable)> =
            fields.filter_map(|(at, f)| Some((at, f.name(), self.variable(f.name())?))).collect();
        let mut counts: Vec<BTreeMap<String, u64>> = vec![BTreeMap::new(); judged.len()];
        for (source, places) in sources.iter().zip(&plan.files) {
            let read: Vec<(usize, usize)> =
                judged.iter().enumerate().filter_map(|(which, (at, ..))| Some((which, places[*at]?))).collect();
            if read.is_empty() {
                continue;
            }
            let columns: Vec<usize> = read.iter().map(|(_, column)| *column).collect();
            for batch in source.read(&columns, reading)? {
                for ((which, _), column) in read.iter().zip(batch?.columns()) {
                    let (_, name, variable) = judged[*which];
                    for text in texts(column)?.iter().flatten() {
                        if self.mapped(name, text).is_none() && variable.level(text).is_none() {
                            match counts[*which].get_mut(text) {
                                Some(count) => *count += 1,
                                None => _ = counts[*which].insert(text.to_string(), 1),
                            }
                        }
                    }
                }
            }
        }
        let found = judged.iter().zip(counts).filter(|(_, counts)| !counts.is_empty());
        Ok(found
            .map(|((_, name, variable), counts)| {
                let told = |(value, rows): (String, u64)| self.told(variable, value, rows);
                let mut values: Vec<UnknownValue> = counts.into_iter().map(told).collect();
                values.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.value.cmp(&b.value)));
                UnknownValues { column: name.to_string(), values }
            })
            .collect())
    }

    fn told(&self, variable: &Variable, value: String, rows: u64) -> UnknownValue {
        let labels = self.country.as_ref().map(|(_, labels)| labels.clone()).unwrap_or_default();
        let level = same(variable, &labels, &value);
        let near = || match is_text(variable) && variable.len() <= MOST_LEVELS {
            true => nearest(&value, variable_levels(variable).iter().map(String::as_str)),
            false => None,
        };
        let nearest = level.clone().or_else(near);
        UnknownValue { value, rows, level, nearest }
    }

    /// Refuses values that are no levels, where that is wanted.
    ///
    /// # Errors
    /// With the columns, the values, how many rows have them, and what to do.
    pub fn refuse(&self, unknown: &[UnknownValues]) -> Result<()> {
        let Some((pack, _)) = self.country.as_ref().filter(|_| self.unmapped == Unmapped::Error) else { return Ok(()) };
        let Some((column, value)) = unknown.iter().find_map(|c| Some((&c.column, c.values.first()?))) else {
            return Ok(());
        };
        let levels = self.variable(column).and_then(few_levels).unwrap_or_default();
        let example = value.nearest.as_deref().unwrap_or("LEVEL");
        exec_err!(
            "nothing was written: there are values that are no levels of {}\n{}{levels}Say which level each is with \
             --map-values {column}.{}={example}, or all in a file, which --dry-run --template FILE writes to be filled in; \
             --unmapped null makes NULL of them, --unmapped keep leaves them as they are",
            pack.name(),
            listed(unknown),
            value.value
        )
    }

    /// A column of a file, with levels in the place of what stands for them; `None` where nothing is said of it.
    pub fn recode(&self, name: &str, column: &ArrayRef) -> Result<Option<ArrayRef>> {
        let variable = self.variable(name).filter(|_| self.unmapped == Unmapped::Null);
        if variable.is_none() && !self.map.contains_key(name) {
            return Ok(None);
        }
        let mut nulled = 0;
        let read = texts(column)?;
        let level = |text: &str| match (self.mapped(name, text), variable) {
            (Some(level), _) => level.clone(),
            (None, Some(variable)) if variable.level(text).is_none() => {
                nulled += 1;
                None
            }
            (None, _) => Some(text.to_string()),
        };
        let mut level = level;
        let levels: StringArray = read.iter().map(|text| text.and_then(&mut level)).collect();
        self.nulled.fetch_add(nulled, Ordering::Relaxed);
        Ok(Some(Arc::new(levels)))
    }

    fn mapped(&self, column: &str, value: &str) -> Option<&Option<String>> {
        self.map.get(column)?.get(value)
    }
}

/// Values that are no levels as a message lists them: a line a column.
pub fn listed(unknown: &[UnknownValues]) -> String {
    let line = |UnknownValues { column, values }: &UnknownValues| {
        let value = |UnknownValue { value, rows, nearest, .. }: &UnknownValue| match nearest {
            Some(nearest) => format!("{value} ({rows}; {nearest}?)"),
            None => format!("{value} ({rows})"),
        };
        let shown: Vec<String> = values.iter().take(SHOWN).map(value).collect();
        let more = match values.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more values"),
        };
        format!("  {column}: {}{more}\n", shown.join(", "))
    };
    unknown.iter().map(line).collect()
}

/// Levels that a message lists.
const LISTED: usize = 60;

/// The levels of a variable as a line of a message, where they are few.
fn few_levels(variable: &Variable) -> Option<String> {
    let name = &variable.name;
    match variable.levels {
        Levels::Integer { .. } => {
            Some(format!("{name} has {} to {}\n", variable.label(0), variable.label(variable.len() - 1)))
        }
        Levels::Text(_) if variable.len() > LISTED => None,
        Levels::Text(_) => Some(format!("{name} has {}\n", variable_levels(variable).join(", "))),
    }
}

/// The end of a message about what is no level of a variable.
fn levels_of(variable: &Variable, wanted: &str) -> String {
    if !is_text(variable) {
        return format!(". There are: {} to {}", variable.label(0), variable.label(variable.len() - 1));
    }
    let levels = variable_levels(variable);
    match levels.len() <= LISTED {
        true => there_are(wanted, &levels),
        false => did_you_mean(wanted, levels.iter().map(String::as_str)),
    }
}

fn is_text(variable: &Variable) -> bool {
    matches!(variable.levels, Levels::Text(_))
}

fn variable_levels(variable: &Variable) -> Vec<String> {
    (0..variable.len()).map(|level| variable.label(level)).collect()
}

/// Letters and digits alone.
fn folded(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The level that a value says in other letters or in plain words, or of which one of the two is the beginning, if that
/// is one.
fn same(variable: &Variable, labels: &Labels, value: &str) -> Option<String> {
    let value = folded(value);
    let levels = variable_levels(variable);
    let names = |level: &String| [folded(level), folded(&labels.words(&variable.name, level))];
    let only = |is: &dyn Fn(&str) -> bool| {
        let mut found = levels.iter().filter(|level| names(level).iter().any(|name| is(name)));
        found.next().filter(|_| found.next().is_none()).cloned()
    };
    if value.is_empty() || !is_text(variable) {
        return None;
    }
    only(&|name| name == value)
        .or_else(|| only(&|name| name.starts_with(&value)))
        .or_else(|| only(&|name| name.chars().count() > 3 && value.starts_with(name)))
}

/// The values of a column as texts, whole numbers without a point; what is blank is NULL.
fn texts(column: &ArrayRef) -> Result<StringArray> {
    let plain = match column.data_type() {
        DataType::Dictionary(_, values) => cast(column, values)?,
        _ => column.clone(),
    };
    let number = plain.data_type().is_floating();
    let texts = cast(&plain, &DataType::Utf8)?;
    let bare = |text: &str| {
        let text = text.trim();
        let whole = text.strip_suffix(".0").filter(|_| number);
        whole.unwrap_or(text).to_string()
    };
    Ok(texts.as_string::<i32>().iter().map(|text| text.map(bare).filter(|text| !text.is_empty())).collect())
}

/// The lines of a map of values that say a level.
fn read_map(path: &Path) -> Result<Vec<(String, String, String)>> {
    let place = path.display();
    if !path.is_file() {
        return exec_err!("--map-values: there is no file {place}; one value is said as in sex.M=Male");
    }
    let source = Source::open(path, Some(Format::Csv), Reading::default())?;
    let at = |name: &str| {
        let found = source.names().position(|n| n == name);
        found.ok_or_else(|| exec_datafusion_err!("{place}: there is no column `{name}`; it has column,from,to"))
    };
    let columns = [at("column")?, at("from")?, at("to")?];
    let mut lines = vec![];
    for batch in source.read(&columns, Reading::default())? {
        let batch = batch?;
        let read = batch.columns().iter().map(texts).collect::<Result<Vec<_>>>()?;
        for row in 0..batch.num_rows() {
            let text = |at: usize| read[at].is_valid(row).then(|| read[at].value(row).to_string());
            if let (Some(column), Some(from), Some(to)) = (text(0), text(1), text(2)) {
                lines.push((column, from, to));
            }
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{Float64Array, Int64Array};

    fn usa(said: &[&str], unmapped: Unmapped) -> Result<Recoding> {
        let map_values = said.iter().map(|text| text.parse().unwrap()).collect();
        Recoding::of(&Import { country: Some("usa".into()), map_values, unmapped, ..Import::default() })
    }

    fn recoded(recoding: &Recoding, name: &str, values: ArrayRef) -> Vec<Option<String>> {
        let column = recoding.recode(name, &values).unwrap().unwrap();
        column.as_string::<i32>().iter().map(|v| v.map(String::from)).collect()
    }

    #[test]
    fn values_become_levels() {
        let recoding = usa(&["sex.1=Male", "sex.2=Female", "sex.9=NULL"], Unmapped::Error).unwrap();
        let codes: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), Some(2.0), None, Some(9.0)]));
        let levels = [Some("Male"), Some("Female"), None, None].map(|level| level.map(String::from));
        assert_eq!(recoded(&recoding, "sex", codes), levels);
        assert!(recoding.recode("age", &(Arc::new(Int64Array::from(vec![1])) as ArrayRef)).unwrap().is_none());
        let recoding = usa(&[], Unmapped::Null).unwrap();
        let ages: ArrayRef = Arc::new(Int64Array::from(vec![17, 18]));
        assert_eq!(recoded(&recoding, "age", ages), [None, Some("18".to_string())]);
        assert_eq!(recoding.nulled.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_value_has_the_level_that_says_the_same() {
        let recoding = usa(&[], Unmapped::Error).unwrap();
        let level = |column: &str, value: &str| {
            let told = recoding.told(recoding.variable(column).unwrap(), value.into(), 1);
            told.level
        };
        for (column, value, means) in [
            ("sex", "M", Some("Male")),
            ("sex", "female", Some("Female")),
            ("state", "California", Some("CA")),
            ("state", "New", None),
            ("race_ethnicity", "Hispanic or Latino", Some("hispanic")),
            ("marital_status", "Never married", Some("never_married")),
            ("marital_status", "Married", None),
            ("education_level", "Bachelor's degree", Some("bachelors")),
            ("sex", "x", None),
        ] {
            assert_eq!(level(column, value).as_deref(), means, "{column} {value}");
        }
        assert!(recoding.variable("first_name").is_none() && recoding.variable("salary").is_none());
    }

    #[test]
    fn what_is_said_of_values_is_checked() {
        let error = |said: &[&str]| usa(said, Unmapped::Error).unwrap_err().to_string();
        assert!(error(&["sex.M=Man"]).contains("`Man` is no level of sex"), "{}", error(&["sex.M=Man"]));
        assert!(error(&["sex.M=Male", "sex.M=Female"]).contains("two levels are named for `M`"));
        assert!(error(&["age.x=200"]).contains("18 to 100"));
        assert!(error(&["none.csv"]).contains("there is no file none.csv"));
        assert!("sex=Male".parse::<ValueMap>().is_err() && ".M=Male".parse::<ValueMap>().is_err());
        let import = Import { country: Some("usaa".into()), ..Import::default() };
        assert!(Recoding::of(&import).unwrap_err().to_string().contains("did you mean `usa`"));
    }
}

//! `validate(table [, country => …] [, language => …])`: what is wrong with the people of a table, their columns and
//! their texts, one row a violation.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use populace_population::Pack;
use serde_json::{Map, Value};

use crate::call::arguments::Arguments;
use crate::call::table_function::{Parameter, TableFunction};
use crate::host::Populace;
use crate::host::facts::{facts_of, language_of};
use crate::host::packs::Packs;
use crate::host::plausibility::PlausibilityStatement;
use crate::nodes::relation_function::{RelationFunction, Wanted, relation};
use crate::quality::checks::{Columns, Copies, Likeness, Shingles, Violation, Vocabulary, Wording, check_text};
use crate::quality::plausibility::{PlannedStatements, PlausibilityTally, plan_statements};

pub(crate) const NAME: &str = "validate";

/// The function, as a session has it.
pub(crate) const FUNCTION: TableFunction = TableFunction {
    name: NAME,
    parameters: &[
        Parameter::required("table", "").relation(),
        Parameter::optional("country", "text"),
        Parameter::optional("language", "code"),
    ],
    positional: 2,
    description: "What is wrong with the people of a table, one row a violation. Of texts: blank, refusal, length, the name missing, another age, sex, job or place than the facts say, another language, contact data, a near-copy of another person's text. Of columns, by the figures of the country that the row or `country` names: pairs of values that nobody has, or hardly anybody (`geography`, `age_marital`, `education_occupation`, `demographics`), and values that are not known. Of the people together (`plausibility`, without a uuid): what somebody who lives in the country would not dispute, such as that police officers are citizens, where the share of rows is beyond its bounds by more than chance; rows that were drawn under a condition are left out. Texts are checked in the language that the row (`narrative_language`) or `language` names, or else in the country's.",
    example: "SELECT check, count(*) FROM validate(usa) GROUP BY check",
    plan,
};

fn plan(
    mut arguments: Arguments,
    populace: &Arc<Populace>,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let country = arguments.text("country", context)?;
    if let Some(country) = &country {
        populace.packs.get(country)?;
    }
    let language = arguments.text("language", context)?;
    let input = arguments.table("table", context)?;
    let narrators = populace.narrators.get(None);
    let kinds = narrators.map(|n| n.kinds()).unwrap_or_default();
    let names: Vec<&str> = input.schema().fields().iter().map(|f| f.name().as_str()).collect();
    let is_text =
        |name: &&str| kinds.iter().any(|k| k == name) || names.contains(&format!("{name}_embedding").as_str());
    let texts: Vec<String> = names.iter().copied().filter(is_text).map(String::from).collect();
    let of_country = country.is_some() || ["pack", "country"].iter().any(|name| names.contains(name));
    if texts.is_empty() && !of_country {
        return plan_err!(
            "{NAME}: the table has no narratives, and no column `pack` or `country` that says by whose figures to judge it: country => 'usa'; it has: {}",
            names.join(", ")
        );
    }
    // Vectors say nothing that the texts do not.
    let columns = input.schema().columns().into_iter().filter(|c| !c.name.ends_with("_embedding"));
    let columns: Vec<Expr> = columns.map(|c| Expr::Column(c.clone()).alias(c.name)).collect();
    let own = columns.len();
    let PlannedStatements { statements, columns: judged } =
        plan_statements(NAME, country.as_deref(), populace, &input, context);
    let judged = judged.into_iter().enumerate().map(|(at, column)| column.alias(format!("__plausibility_{at}")));
    let input = LogicalPlanBuilder::from(input).project(columns.into_iter().chain(judged))?.build()?;
    relation(Validation { texts, country, language, statements, own, populace: populace.clone() }, vec![input], None)
}

fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    Arc::new(Schema::new(["uuid", "narrative", "check", "severity", "detail"].map(text).to_vec()))
}

#[derive(Debug)]
struct Validation {
    texts: Vec<String>,
    country: Option<String>,
    language: Option<String>,
    statements: Vec<Arc<PlausibilityStatement>>,
    /// How many columns of the input are the table's; those of the statements follow
    own: usize,
    populace: Arc<Populace>,
}

impl RelationFunction for Validation {
    fn name(&self) -> &'static str {
        NAME
    }

    fn operator(&self) -> &'static str {
        "ValidateExec"
    }

    fn pack(&self) -> Option<Arc<Pack>> {
        self.populace.packs.get(self.country.as_ref()?).ok()
    }

    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn details(&self) -> String {
        let said = |name: &str, value: &Option<String>| value.as_ref().map(|value| format!(", {name}={value}"));
        let said = said("country", &self.country).into_iter().chain(said("language", &self.language));
        format!("narratives=({}){}", self.texts.join(", "), said.collect::<String>())
    }

    fn start(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        let Wanted { task, projection, inputs, .. } = wanted;
        let rows = match inputs[0].rows(&task) {
            Ok(rows) => rows.left_stream(),
            Err(error) => stream::iter([Err(error)]).right_stream(),
        };
        let (texts, country, language) = (self.texts.clone(), self.country.clone(), self.language.clone());
        let populace = self.populace.clone();
        let (vocabularies, columns, copies) = Default::default();
        let validator = Validator { texts, country, language, populace, vocabularies, columns, copies };
        let (own, tally) = (self.own, PlausibilityTally::of(self.statements.len()));
        let of_rows = rows.map(Some).chain(stream::once(futures::future::ready(None)));
        let found = of_rows.scan((validator, tally), move |(validator, tally), batch| {
            let violations = || {
                let Some(batch) = batch.transpose()? else {
                    let found = tally.violations(&self.statements).into_iter();
                    return violations_of(&found.map(|v| (None, None, v)).collect::<Vec<_>>());
                };
                tally.count(&batch, own);
                validator.batch(&batch.project(&(0..own).collect::<Vec<_>>())?)
            };
            futures::future::ready(Some(violations().and_then(|found| Ok(found.project(&projection)?))))
        });
        found.try_filter(|batch| futures::future::ready(batch.num_rows() > 0)).boxed()
    }
}

/// A person, the narrative if it is one, and what is wrong.
type ViolationOfRow = (Option<String>, Option<String>, Violation);

/// Violations as rows of the function.
fn violations_of(found: &[ViolationOfRow]) -> Result<RecordBatch> {
    let column = |of: &dyn Fn(&ViolationOfRow) -> Option<String>| {
        Arc::new(found.iter().map(of).collect::<StringArray>()) as ArrayRef
    };
    let columns = vec![
        column(&|(key, ..)| key.clone()),
        column(&|(_, kind, _)| kind.clone()),
        column(&|(.., v)| Some(v.check.to_string())),
        column(&|(.., v)| Some(v.severity.to_string())),
        column(&|(.., v)| Some(v.detail.clone())),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}

struct Validator {
    texts: Vec<String>,
    /// By whose figures all are judged
    country: Option<String>,
    /// What texts are in whose rows do not say it
    language: Option<String>,
    populace: Arc<Populace>,
    /// By country and language
    vocabularies: HashMap<(String, Option<String>), Vocabulary>,
    columns: HashMap<String, Option<Columns>>,
    /// By narrative
    copies: HashMap<String, Copies>,
}

impl Validator {
    fn batch(&mut self, rows: &RecordBatch) -> Result<RecordBatch> {
        let keys = rows.column_by_name("uuid").map(|keys| cast(keys, &DataType::Utf8)).transpose()?;
        let key = |row: usize| {
            let keys = keys.as_ref()?.as_string::<i32>();
            keys.is_valid(row).then(|| keys.value(row).to_string())
        };
        let mut found: Vec<ViolationOfRow> = vec![];
        let countries = self.countries(rows)?;
        for (row, violation) in self.columns(rows, &countries)? {
            found.push((key(row), None, violation));
        }
        let facts = if self.texts.is_empty() { vec![] } else { facts_of(rows)? };
        // Of the texts of each row so far, by narrative.
        let mut written: Vec<Vec<(String, Shingles)>> = vec![vec![]; facts.len()];
        for kind in self.texts.clone() {
            let Some(texts) = rows.column_by_name(&kind) else { continue };
            let texts = cast(texts, &DataType::Utf8)?;
            for (row, ((text, facts), written)) in
                texts.as_string::<i32>().iter().zip(&facts).zip(&mut written).enumerate()
            {
                let Some(text) = text else { continue };
                for violation in self.text(&kind, text, countries[row].as_deref(), facts, written) {
                    found.push((key(row), Some(kind.clone()), violation));
                }
            }
        }
        violations_of(&found)
    }

    /// What is wrong between the columns of rows, each judged by the figures of its country.
    fn columns(&mut self, rows: &RecordBatch, countries: &[Option<String>]) -> Result<Vec<(usize, Violation)>> {
        let schema = rows.schema();
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        let mut found = vec![];
        for country in countries.iter().flatten().collect::<BTreeSet<_>>() {
            let packs = &self.populace.packs;
            let columns = self.columns.entry(country.clone()).or_insert_with(|| {
                let pack = packs.get(country).ok();
                pack.map(|pack| Columns::new(pack, &names))
            });
            if let Some(columns) = columns {
                let violations = columns.check(rows)?.into_iter();
                found.extend(violations.filter(|(row, _)| countries[*row].as_ref() == Some(country)));
            }
        }
        Ok(found)
    }

    /// The pack that each row is judged by: the one that was named, or that it was drawn from, or that of its country.
    fn countries(&self, rows: &RecordBatch) -> Result<Vec<Option<String>>> {
        if let Some(country) = &self.country {
            return Ok(vec![Some(country.clone()); rows.num_rows()]);
        }
        let texts = |name: &str| rows.column_by_name(name).map(|c| cast(c, &DataType::Utf8)).transpose();
        let mut named: HashMap<String, Option<String>> = HashMap::new();
        let mut by_country = |country: &str| {
            let packs = &self.populace.packs;
            let has = |name: &String| {
                name.eq_ignore_ascii_case(country) || packs.get(name).is_ok_and(|p| p.country() == country)
            };
            named.entry(country.to_string()).or_insert_with(|| packs.names().into_iter().find(has)).clone()
        };
        let (packs, countries) = (texts("pack")?, texts("country")?);
        let value = |column: &Option<ArrayRef>, row: usize| {
            let column = column.as_ref()?.as_string::<i32>();
            column.is_valid(row).then(|| column.value(row).to_string())
        };
        let of = |row| match value(&packs, row) {
            Some(pack) => pack.split('@').next().map(String::from),
            None => by_country(&value(&countries, row)?),
        };
        Ok((0..rows.num_rows()).map(of).collect())
    }

    fn text(
        &mut self,
        kind: &str,
        text: &str,
        country: Option<&str>,
        facts: &Map<String, Value>,
        written: &mut Vec<(String, Shingles)>,
    ) -> Vec<Violation> {
        let pack = country.unwrap_or_default();
        let populace = &self.populace;
        // Of a text that nobody knows the country of, its script may tell.
        let by_script = || (pack.is_empty() && text.contains(is_kana)).then_some("ja");
        let language = language_of(facts).or(self.language.as_deref()).or_else(by_script).map(String::from);
        let key = (pack.to_string(), language.clone());
        let made = || vocabulary(&populace.packs, pack).in_language(language.as_deref());
        let vocabulary = self.vocabularies.entry(key).or_insert_with(made);
        let mut found = check_text(text, facts, vocabulary);
        // The later of two texts, in the order of the columns, is the one that repeats.
        let wording = Wording::of(text);
        let shingles = Shingles::of(&wording);
        found.extend(shingles.repeat(written.iter().map(|(name, shingles)| (name.as_str(), shingles))));
        written.push((kind.into(), shingles));
        if let Some(likeness) = Likeness::of((text, &wording), facts) {
            let copies = self.copies.entry(kind.to_string()).or_default();
            found.extend(copies.copied(&likeness));
            copies.note(&likeness);
        }
        found
    }
}

/// Whether a letter is of the Japanese syllabaries, which nobody else writes with.
fn is_kana(letter: char) -> bool {
    ('\u{3041}'..='\u{30ff}').contains(&letter)
}

/// What jobs are called in a country; nothing where there is none of this name.
fn vocabulary(packs: &Packs, name: &str) -> Vocabulary {
    packs.get(name).map(|pack| Vocabulary::of(&pack)).unwrap_or_default()
}

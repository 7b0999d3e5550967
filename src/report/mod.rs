//! A report on a table: one HTML file that shows its people beside the country's.

mod audit;
mod charts;
mod fidelity;
mod numbers;
mod sections;
mod strata;

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use minijinja::Environment;
use populace_population::Pack;
use serde::Serialize;

use self::audit::{Stereotypes, Validation};
use self::fidelity::{Fidelity, Figure, Holdout};
use self::numbers::{Rows, count};
use self::sections::{Chart, Column, Diversity, Person};
use crate::catalog::{Catalog, Work};
use crate::database::sample_of;
use crate::engine::{Engine, Weights};
use crate::packs;
use crate::sql::{expression_text, quoted_name, quoted_text};

const PAGE: &str = include_str!("page.html");

/// What a report is to be of.
#[derive(Debug, Clone)]
pub struct Options {
    pub table: String,
    /// The country that it is held against; that of its people without this
    pub country: Option<String>,
    /// The people that it is about, as a predicate: of the country as well
    pub given: Option<String>,
    /// The column that weighs the rows, or `none`; without it `sampling_weight` or `weight`, where the table has it
    pub weights: Option<String>,
    /// What stands at its head
    pub title: Option<String>,
    /// How many people are shown with their texts
    pub people: u32,
    /// Takes other people
    pub seed: u64,
}

/// A table of people, and what is asked of it.
struct Subject<'a> {
    engine: &'a Engine,
    /// As it stands in a statement
    table: String,
    /// Its people whom the report is about, as they stand in a statement
    people: String,
    given: Option<String>,
    weights: Option<Weights>,
    country: String,
    columns: Vec<OfTable>,
    rows: u64,
    options: &'a Options,
}

/// A column of the table.
struct OfTable {
    name: String,
    is_narrative: bool,
    is_vectors: bool,
}

#[derive(Debug, Serialize)]
struct Page {
    title: String,
    lead: String,
    /// Whether the people are real, as far as the rows say it
    origin: String,
    /// What the rows are weighted by, if they are
    weighting: String,
    verdict: String,
    agrees: bool,
    charts: Vec<Chart>,
    official: Vec<Figure>,
    others: Vec<Figure>,
    left_out: usize,
    holdouts: Vec<Holdout>,
    stereotypes: Stereotypes,
    validation: Validation,
    columns: Vec<Column>,
    texts: Vec<Diversity>,
    texts_of: String,
    people: Vec<Person>,
    provenance: Vec<(String, String)>,
    sources: Vec<String>,
    version: &'static str,
}

/// Writes a report on a table, as HTML.
///
/// # Errors
/// If there is no such table, it has no rows, or no country is named that its people are of.
pub async fn write(engine: &Engine, options: &Options) -> Result<String> {
    let subject = Subject::of(engine, options).await?;
    let weighting = subject.weighting().await?;
    let (charts, fidelity) = (subject.charts().await?, subject.fidelity().await?);
    let (texts, texts_of) = subject.texts().await?;
    let Fidelity { official, others, left_out, verdict, agrees } = fidelity;
    let page = Page {
        title: options.title.clone().unwrap_or_else(|| options.table.clone()),
        lead: subject.lead().await?,
        origin: subject.origin().await?,
        weighting,
        verdict,
        agrees,
        charts,
        official,
        others,
        left_out,
        holdouts: subject.holdouts().await?,
        stereotypes: subject.stereotypes().await?,
        validation: subject.validation().await?,
        columns: subject.diversity().await?,
        texts,
        texts_of,
        people: subject.people().await?,
        provenance: subject.provenance().await?,
        sources: subject.sources()?,
        version: env!("CARGO_PKG_VERSION"),
    };
    render(&page)
}

fn render(page: &Page) -> Result<String> {
    let wrong = |e: minijinja::Error| exec_datafusion_err!("the page of a report: {e:#}");
    let mut environment = Environment::new();
    // By this name, all that is put in is escaped.
    environment.add_template("page.html", PAGE).map_err(wrong)?;
    environment.get_template("page.html").and_then(|page_| page_.render(page)).map_err(wrong)
}

impl<'a> Subject<'a> {
    async fn of(engine: &'a Engine, options: &'a Options) -> Result<Subject<'a>> {
        let table = quoted_name(&options.table);
        let given = match &options.given {
            Some(given) => Some(expression_text(given).or_else(|e| exec_err!("--given {given}: {e}"))?),
            None => None,
        };
        let schema = Rows::read(engine, &format!("SELECT * FROM {table} LIMIT 0")).await?.schema();
        let column = |field: &Arc<Field>| OfTable {
            name: field.name().clone(),
            is_narrative: crate::database::is_narrative(field),
            is_vectors: matches!(field.data_type(), DataType::FixedSizeList(..)),
        };
        let columns = schema.fields().iter().map(column).collect();
        let weights = Weights::of(&schema, options.weights.as_deref())?;
        let people = match &given {
            Some(given) => format!("(SELECT * FROM {table} WHERE ({given}))"),
            None => table.clone(),
        };
        let counted = Rows::read(engine, &format!("SELECT count(*) AS people FROM {people}")).await?;
        let rows = counted.numbers("people")?.into_iter().flatten().next().unwrap_or(0.0) as u64;
        match &given {
            _ if rows > 0 => {}
            None => return exec_err!("the table {} has no rows: there is nothing to report", options.table),
            Some(given) => {
                return exec_err!("nobody in {} satisfies {given}: there is nothing to report", options.table);
            }
        }
        let mut subject =
            Subject { engine, table, people, given, weights, country: String::new(), columns, rows, options };
        subject.country = match &options.country {
            Some(country) => country.clone(),
            None => subject.own_country().await?,
        };
        subject.pack()?;
        Ok(subject)
    }

    fn pack(&self) -> Result<Arc<Pack>> {
        match packs::named(&self.country) {
            Some(pack) => pack.map_err(|e| exec_datafusion_err!("{e}")),
            None => exec_err!("{}", packs::unknown(&self.country)),
        }
    }

    /// The country as a text of SQL.
    fn quoted_country(&self) -> String {
        quoted_text(&self.country)
    }

    /// The country whose pack most of the people are from.
    async fn own_country(&self) -> Result<String> {
        let unknown = || {
            exec_datafusion_err!(
                "the table {} does not say what country its people are of; name one with --country: {}",
                self.options.table,
                packs::NAMES.join(", ")
            )
        };
        if !self.has("pack") {
            return Err(unknown());
        }
        let sql = format!(
            "SELECT pack FROM {} WHERE pack IS NOT NULL GROUP BY pack ORDER BY count(*) DESC, pack LIMIT 1",
            self.table
        );
        let packs = self.read(&sql).await?.texts("pack")?;
        let pack = packs.into_iter().flatten().next().ok_or_else(unknown)?;
        let name = pack.split('@').next().unwrap_or_default();
        if packs::open(name).is_none() {
            return exec_err!(
                "the people of {} were drawn from a pack of one's own, {name}: name its file with --country",
                self.options.table
            );
        }
        Ok(name.to_string())
    }

    fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|c| c.name == column)
    }

    /// The columns that hold narratives, that of the person as a whole first.
    fn narratives(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.columns.iter().filter(|c| c.is_narrative).map(|c| c.name.as_str()).collect();
        names.sort_by_key(|name| *name != "persona");
        names
    }

    /// The condition as a further argument of a function that holds the table against the country.
    fn given_argument(&self) -> String {
        self.given.as_ref().map_or(String::new(), |given| format!(", given => ({given})"))
    }

    async fn read(&self, sql: &str) -> Result<Rows> {
        Rows::read(self.engine, sql).await
    }

    async fn lead(&self) -> Result<String> {
        let pack = self.pack()?;
        let universe = pack.universe();
        let mut letters = universe.chars();
        let universe = letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect());
        let (mut population, mut whom) = (pack.population(), String::new());
        if let Some(given) = &self.given {
            let sql =
                format!("SELECT persona_probability({}{}) AS share", self.quoted_country(), self.given_argument());
            population *= self.read(&sql).await?.numbers("share")?.into_iter().flatten().next().unwrap_or(0.0);
            whom = format!(" All of them, here and there, are people of whom this holds: {given}.");
        }
        Ok(format!(
            "{} people, beside {} {universe} ({}, {}).{whom}",
            count(self.rows as f64),
            count(population),
            pack.title(),
            pack.year()
        ))
    }

    /// What weighs the rows, and what that does.
    async fn weighting(&self) -> Result<String> {
        let Some(weights) = &self.weights else { return Ok(String::new()) };
        let column = quoted_name(&weights.column);
        let weight = format!("CAST({column} AS DOUBLE)");
        let sql = format!(
            "SELECT sum({weight}) AS people, sum({weight}) * sum({weight}) / sum({weight} * {weight}) AS effective, \
             count(*) FILTER (WHERE {column} IS NULL OR NOT ({weight} >= 0 AND {weight} < 'Infinity')) AS wrong FROM {}",
            self.people
        );
        let rows = self.read(&sql).await?;
        let number =
            |name: &str| -> Result<f64> { Ok(rows.numbers(name)?.into_iter().flatten().next().unwrap_or(0.0)) };
        let (name, table) = (&weights.column, &self.options.table);
        if number("wrong")? > 0.0 {
            return exec_err!(
                "{} rows of {table} have no `{name}` of 0 or more to be weighted by: mend them, name another column with \
                 --weights, or leave weights out with --weights none",
                count(number("wrong")?)
            );
        }
        let errors = match weights.by_design {
            true => "Intervals are those of a stratified sample, by its strata and their sizes.",
            false => "Intervals are those of that many rows.",
        };
        Ok(format!(
            "Rows are weighted by {name}: {} of them stand for {} people, and tell as much as {} rows of equal weight. \
             {errors} Diversity, texts and stereotypes are those of the rows as they are.",
            count(self.rows as f64),
            count(number("people")?),
            count(number("effective")?)
        ))
    }

    /// Whether the people are synthetic. Whoever was drawn has a pack; of others nothing is known, and they may be real.
    async fn origin(&self) -> Result<String> {
        let drawn = match self.has("pack") {
            true => {
                let sql = format!("SELECT count(pack) AS drawn FROM {}", self.people);
                self.read(&sql).await?.numbers("drawn")?.into_iter().flatten().next().unwrap_or(0.0) as u64
            }
            false => 0,
        };
        Ok(match drawn {
            0 => "The rows do not say how they were made.".into(),
            drawn if drawn >= self.rows => {
                "These people are synthetic: drawn from statistics, none of them is real.".into()
            }
            drawn => format!(
                "{} of these people are synthetic, drawn from statistics; the rows of the others do not say how they were made.",
                count(drawn as f64)
            ),
        })
    }

    /// Where the people are from.
    async fn provenance(&self) -> Result<Vec<(String, String)>> {
        let mut told = vec![("Table".to_string(), self.options.table.clone())];
        let mut say = |what: &str, text: String| told.push((what.into(), text));
        say("People", count(self.rows as f64));
        say("Columns", self.columns.len().to_string());
        if let Some(given) = &self.given {
            say("Condition", given.clone());
        }
        if let Some(version) = self.version().await {
            say("Version of the table", version);
        }
        if let Some(sample) = self.engine.database().schema(&self.options.table).await?.as_ref().and_then(sample_of) {
            let design = sample.design.map_or(String::new(), |design| format!(" ({design})"));
            say("Sample of", format!("{}{design}", sample.table));
        }
        say(
            "Hash of the rows",
            format!(
                "{} (BLAKE3 of the sorted BLAKE3 hashes of the rows, each as JSON with its keys in order, without NULLs and vectors)",
                self.content_hash().await?
            ),
        );
        for (column, what) in [("pack", "Country pack"), ("seed", "Seed"), ("narrator", "Narrator")] {
            if self.has(column) {
                let sql = format!(
                    "SELECT CAST({column} AS VARCHAR) AS value, count(*) AS people, count(*) OVER () AS values \
                     FROM {} GROUP BY 1 ORDER BY people DESC, value LIMIT 5",
                    self.people
                );
                let rows = self.read(&sql).await?;
                let (values, people, all) = (rows.texts("value")?, rows.numbers("people")?, rows.numbers("values")?);
                let all = all.first().copied().flatten().unwrap_or(0.0) as usize;
                let one = |(value, people): (&Option<String>, &Option<f64>)| {
                    let value = value.as_deref().unwrap_or("none");
                    match all {
                        1 => value.to_string(),
                        _ => format!("{value} ({} people)", count(people.unwrap_or(0.0))),
                    }
                };
                let mut text = values.iter().zip(&people).map(one).collect::<Vec<_>>().join(", ");
                if all > values.len() {
                    text += &format!(" and {} more", all - values.len());
                }
                say(what, text);
            }
        }
        if self.has("run_id") {
            let sql =
                format!("SELECT DISTINCT run_id AS run FROM {} WHERE run_id IS NOT NULL ORDER BY run", self.people);
            let runs: Vec<String> = self.read(&sql).await?.texts("run")?.into_iter().flatten().collect();
            let catalog = self.engine.catalog().ok();
            let shown = runs.iter().take(5).map(|id| run(catalog.as_deref(), id));
            let more = match runs.len().saturating_sub(5) {
                0 => String::new(),
                more => format!("; and {more} more"),
            };
            if !runs.is_empty() {
                say("Runs", shown.collect::<Vec<_>>().join("; ") + &more);
            }
        }
        say(
            "Written by",
            format!("populace {}, {}", env!("CARGO_PKG_VERSION"), chrono::Utc::now().format("%Y-%m-%d %H:%M UTC")),
        );
        Ok(told)
    }

    /// The sources of the country's figures, with their licences.
    fn sources(&self) -> Result<Vec<String>> {
        let pack = self.pack()?;
        let used: BTreeSet<&str> = pack.figures().iter().map(|f| f.source.as_str()).collect();
        let mut sources: Vec<_> = pack.sources().iter().filter(|s| used.contains(s.id.as_str())).collect();
        sources.sort_by(|a, b| (&a.agency, &a.title).cmp(&(&b.agency, &b.title)));
        let one = |source: &&populace_population::Source| {
            let attribution = source.attribution.as_ref().map_or(String::new(), |a| format!(" {a}"));
            format!("{}: {} ({}).{attribution}", source.agency, source.title, source.licence)
        };
        let mut told: Vec<String> = sources.iter().map(one).collect();
        told.dedup();
        Ok(told)
    }
}

/// A run as the catalogue has it.
fn run(catalog: Option<&Catalog>, id: &str) -> String {
    let known = catalog.and_then(|c| c.run(id).ok().flatten()).filter(|run| run.id == id);
    match known {
        None => id.to_string(),
        Some(run) => {
            let work = match &run.work {
                Work::Generate { country, seed, count, .. } => {
                    // A pack of one's own by its name alone: where it lies is nobody else's.
                    let country = country.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or(country);
                    format!("generate {country}, {count} people, seed {seed}")
                }
                Work::Statement(_) => "a statement".into(),
            };
            format!("{id} ({work}, narrator {}, {})", run.narrator, run.started)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::audit::{Told, Violation};
    use super::*;

    /// Whatever the data say, they say it as text.
    #[test]
    fn everything_is_escaped() {
        let nasty = "<script>alert('&')</script>".to_string();
        let chart = Chart {
            id: "c".into(),
            title: nasty.clone(),
            lead: nasty.clone(),
            svg: Some("<svg></svg>".into()),
            missing: Some(nasty.clone()),
            head: vec![nasty.clone()],
            rows: vec![vec![nasty.clone()]],
        };
        let figure = || Figure {
            name: nasty.clone(),
            variables: nasty.clone(),
            rows: nasty.clone(),
            tvd: nasty.clone(),
            floor: nasty.clone(),
            beyond: nasty.clone(),
            p_value: nasty.clone(),
            bar: "1".into(),
            mark: "2".into(),
            verdict: nasty.clone(),
            differs: true,
            official: true,
        };
        let page = Page {
            title: nasty.clone(),
            lead: nasty.clone(),
            origin: nasty.clone(),
            weighting: nasty.clone(),
            verdict: nasty.clone(),
            agrees: false,
            charts: vec![chart],
            official: vec![figure()],
            others: vec![figure()],
            left_out: 3,
            holdouts: vec![],
            stereotypes: Stereotypes {
                told: vec![Told {
                    attribute: nasty.clone(),
                    narrative: nasty.clone(),
                    index: nasty.clone(),
                    floor: nasty.clone(),
                    p_value: nasty.clone(),
                    words: nasty.clone(),
                    tells: true,
                }],
                people: nasty.clone(),
                notice: Some(nasty.clone()),
            },
            validation: Validation {
                violations: vec![Violation {
                    check: nasty.clone(),
                    of: nasty.clone(),
                    severity: nasty.clone(),
                    rows: nasty.clone(),
                    example: nasty.clone(),
                }],
                missing: None,
            },
            columns: vec![Column { name: nasty.clone(), here: vec![nasty.clone()], drawn: vec![nasty.clone()] }],
            texts: vec![Diversity { name: nasty.clone(), numbers: vec![nasty.clone()] }],
            texts_of: nasty.clone(),
            people: vec![Person {
                name: nasty.clone(),
                line: nasty.clone(),
                texts: vec![(nasty.clone(), nasty.clone())],
            }],
            provenance: vec![(nasty.clone(), nasty.clone())],
            sources: vec![nasty.clone()],
            version: "0",
        };
        let html = render(&page).unwrap();
        assert!(!html.contains("<script"), "{html}");
        assert!(html.matches("&lt;script&gt;").count() >= 40);
        let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
        roxmltree::Document::parse_with_options(&html, options).unwrap_or_else(|e| panic!("{e}: {html}"));
    }
}

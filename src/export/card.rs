//! The card of a dataset: what its rows are, how they were made, and how well they agree with the figures.
//!
//! Everything it says of the rows is asked of the files that were written, in SQL.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::datatypes::Schema;
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::common::{Result, exec_datafusion_err, exec_err, plan_datafusion_err, plan_err};
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use futures::TryStreamExt;
use populace_population::{Analysis, HoldoutDistance, Pack};
use populace_udfs::LANGUAGE;
use url::Url;

use super::files::beside;
use super::{Export, described};
use crate::catalog::Work;
use crate::database::{SampleOf, Source, sample_of, sources_of};
use crate::engine::{Engine, Weights, message};
use crate::packs;
use crate::sql::{expression_text, quoted_name, quoted_text};

/// What a card says beside what the rows tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Card {
    pub title: Option<String>,
    /// The identifier of a licence, as Hugging Face knows it: cc-by-4.0
    pub licence: Option<String>,
    /// The country whose figures the rows are judged by, where they do not say themselves what they were drawn from
    pub country: Option<String>,
    /// The people whom the rows are judged by, as a predicate over the country's variables and the rows
    pub given: Option<String>,
    /// The column that weighs the rows, or `none`; without it `sampling_weight` or `weight`, where they have it
    pub weights: Option<String>,
}

/// The name of the card's file.
const FILE: &str = "README.md";

/// What a card lists of many.
const MOST: usize = 20;

/// Refuses to write over another card, and what no card can be made by.
///
/// # Errors
/// If there is one, the rows have no such weights, or the condition is none.
pub(super) fn check(export: &Export, schema: &Schema) -> Result<()> {
    Weights::of(schema, export.card.weights.as_deref())?;
    about(export.card.given.as_deref())?;
    let card = export.to.join(FILE);
    match card.exists() && !export.overwrite {
        true => exec_err!("{} is there already: --overwrite replaces it", card.display()),
        false => Ok(()),
    }
}

/// A condition as a further argument of `fidelity`.
fn about(given: Option<&str>) -> Result<String> {
    match given {
        None => Ok(String::new()),
        Some(given) => match expression_text(given) {
            Ok(text) => Ok(format!(", given => ({text})")),
            Err(error) => plan_err!("--given {given}: {error}"),
        },
    }
}

/// Writes the card of files that were written; where it is.
///
/// # Errors
/// If the files cannot be read, or nothing can be written.
pub(super) async fn write(
    engine: &Engine,
    export: &Export,
    name: &str,
    (schema, of): (&Schema, &Schema),
    files: &[PathBuf],
    rows: u64,
) -> Result<PathBuf> {
    let table = format!("_exported_{}", uuid::Uuid::now_v7().simple());
    engine.context().register_table(table.as_str(), Arc::new(written(files, schema)?))?;
    let weights = Weights::of(schema, export.card.weights.as_deref())?;
    let from = &sources_of(of);
    let rows = Rows { engine, table: &table, schema, from, sample: sample_of(of), weights, count: rows };
    let text = Box::pin(text(&rows, export, name)).await;
    engine.context().deregister_table(table.as_str())?;
    let (path, wrong) = (export.to.join(FILE), |path: &Path, e| exec_datafusion_err!("{}: {e}", path.display()));
    let (part, mut file) = beside(&export.to, "README")?;
    let put = file.write_all(text?.as_bytes()).map_err(|e| wrong(&part, e));
    let put = put.and_then(|()| std::fs::rename(&part, &path).map_err(|e| wrong(&path, e)));
    if put.is_err() {
        _ = std::fs::remove_file(&part);
    }
    put.map(|()| path)
}

/// The files that were written, and no others beside them. They are named by their URLs: what a path has of `*` and `[`
/// stands for itself.
fn written(files: &[PathBuf], schema: &Schema) -> Result<ListingTable> {
    let url = |file: &PathBuf| {
        let wrong = |e| exec_datafusion_err!("{}: {e}", file.display());
        let path = file.canonicalize().map_err(wrong)?;
        let url = Url::from_file_path(&path).map_err(|()| exec_datafusion_err!("{}: no path", path.display()))?;
        ListingTableUrl::try_new(url, None)
    };
    let format = ParquetFormat::default().with_force_view_types(false);
    let options = ListingOptions::new(Arc::new(format)).with_file_extension(".parquet");
    let urls = files.iter().map(url).collect::<Result<Vec<_>>>()?;
    let config = ListingTableConfig::new_with_multi_paths(urls);
    ListingTable::try_new(config.with_listing_options(options).with_schema(Arc::new(schema.clone())))
}

/// The rows that were written, to be asked about.
struct Rows<'a> {
    engine: &'a Engine,
    table: &'a str,
    schema: &'a Schema,
    /// Where they were imported from
    from: &'a [Source],
    /// The table whose people they are all of
    sample: Option<SampleOf>,
    weights: Option<Weights>,
    count: u64,
}

impl Rows<'_> {
    fn has(&self, column: &str) -> bool {
        self.schema.column_with_name(column).is_some()
    }

    async fn ask(&self, sql: &str) -> Result<Vec<Vec<String>>> {
        let batches: Vec<_> = self.engine.query_one(sql).await?.try_collect().await?;
        let mut rows = Vec::new();
        for batch in &batches {
            for row in 0..batch.num_rows() {
                let value = |c: &Arc<_>| match datafusion::arrow::array::Array::is_null(c, row) {
                    true => Ok(String::new()),
                    false => array_value_to_string(c, row),
                };
                rows.push(batch.columns().iter().map(value).collect::<std::result::Result<Vec<String>, _>>()?);
            }
        }
        Ok(rows)
    }

    /// The values of a column and their counts, the most frequent first; nothing if there is no such column.
    async fn counts(&self, column: &str) -> Result<Vec<(String, String)>> {
        if !self.has(column) {
            return Ok(vec![]);
        }
        let (column, table) = (quoted_name(column), self.table);
        let sql = format!(
            "SELECT CAST({column} AS VARCHAR), count(*) FROM {table} WHERE {column} IS NOT NULL \
             GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {}",
            MOST + 1
        );
        let rows = self.ask(&sql).await?.into_iter();
        Ok(rows.filter_map(|row| <[String; 2]>::try_from(row).ok()).map(|[value, count]| (value, count)).collect())
    }
}

async fn text(rows: &Rows<'_>, export: &Export, name: &str) -> Result<String> {
    let countries = countries(rows, export).await?;
    // What was imported may be anything.
    let drawn = countries.iter().any(|c| c.drawn.is_some());
    let title = export.card.title.clone();
    let title = title.unwrap_or_else(|| if drawn { format!("Synthetic people: {name}") } else { name.into() });
    let mut card = front(rows, export, &title, &languages(rows, &countries).await?, drawn);
    let people = if rows.count == 1 { "1 row".into() } else { format!("{} rows", grouped(rows.count)) };
    writeln!(card, "\n# {title}\n")?;
    match drawn {
        true => writeln!(
            card,
            "{people}, each a synthetic person. Nobody in it is real: names, facts and texts were put together by a program, \
             and any likeness is chance.\n"
        )?,
        false => writeln!(card, "{people}.\n")?,
    }
    writeln!(
        card,
        "```python\nfrom datasets import load_dataset\n\npeople = load_dataset(\"PATH\", split=\"train\")\n```\n"
    )?;
    made(&mut card, rows).await?;
    sample(&mut card, rows).await?;
    columns(&mut card, rows, &countries).await?;
    for country in &countries {
        fidelity(&mut card, rows, country, export.card.given.as_deref()).await?;
        holdouts(&mut card, &country.pack)?;
        figures(&mut card, &country.pack)?;
    }
    if countries.is_empty() {
        writeln!(
            card,
            "## Figures\n\nThe rows do not say from which official figures they were drawn, if from any.\n"
        )?;
    }
    writeln!(card, "Written by populace {}.", env!("CARGO_PKG_VERSION"))?;
    Ok(card)
}

/// A country that rows are judged by.
struct Country {
    pack: Arc<Pack>,
    /// What a statement calls it
    called: String,
    /// The pack that the rows name, where they were drawn from it
    drawn: Option<String>,
}

/// The countries that the rows were drawn from, and the one that was named.
async fn countries(rows: &Rows<'_>, export: &Export) -> Result<Vec<Country>> {
    let named = export.card.country.as_deref();
    let mut named = match named.map(|name| (name, packs::named(name))) {
        None => None,
        Some((name, Some(pack))) => {
            let pack = pack.map_err(|e| plan_datafusion_err!("{name}: {e}"))?;
            Some(Country { pack, called: name.into(), drawn: None })
        }
        Some((name, None)) => return plan_err!("{}", packs::unknown(name)),
    };
    let mut found: Vec<Country> = vec![];
    for (id, _) in rows.counts("pack").await? {
        let name = id.split('@').next().unwrap_or_default();
        if found.iter().any(|c| c.pack.name() == name) {
            continue;
        }
        match named.take_if(|c| c.pack.name() == name) {
            Some(country) => found.push(Country { drawn: Some(id), ..country }),
            None => {
                if let Some(Ok(pack)) = packs::open(name) {
                    found.push(Country { pack, called: name.into(), drawn: Some(id) });
                }
            }
        }
    }
    found.extend(named);
    Ok(found)
}

/// The languages of the texts: those that the rows name, or else their countries' own.
async fn languages(rows: &Rows<'_>, countries: &[Country]) -> Result<Vec<String>> {
    let mut languages: Vec<String> = rows.counts(LANGUAGE).await?.into_iter().map(|(language, _)| language).collect();
    if languages.is_empty() {
        languages = countries.iter().map(|c| c.pack.language().to_string()).collect();
    }
    let mut seen = BTreeSet::new();
    languages.retain(|l| !l.is_empty() && seen.insert(l.clone()));
    Ok(languages)
}

/// What Hugging Face reads of a card.
fn front(rows: &Rows, export: &Export, title: &str, languages: &[String], drawn: bool) -> String {
    let mut text = String::from("---\n");
    let line = |text: &mut String, key: &str, value: &str| {
        // A text of JSON is one of YAML.
        text.push_str(&format!("{key}: {}\n", serde_json::Value::from(value)));
    };
    line(&mut text, "pretty_name", title);
    // All rows have one licence, or it is for whoever publishes them to say which they have together.
    let first = rows.from.first().and_then(|source| source.licence.as_ref());
    let of_all = first.filter(|_| rows.from.iter().all(|source| source.licence.as_ref() == first));
    if let Some(licence) = export.card.licence.as_ref().or(of_all) {
        line(&mut text, "license", licence);
    }
    if !languages.is_empty() {
        text.push_str("language:\n");
        languages.iter().for_each(|l| text.push_str(&format!("- {l}\n")));
    }
    let tags = if drawn { "- synthetic\n- personas\n- populace\n" } else { "- populace\n" };
    text.push_str(&format!("tags:\n{tags}task_categories:\n- text-generation\n"));
    text.push_str(&format!("size_categories:\n- {}\n", size(rows.count)));
    text.push_str(
        "configs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*.parquet\n---\n",
    );
    text
}

/// The classes of size that Hugging Face has.
fn size(rows: u64) -> &'static str {
    match rows {
        0..1_000 => "n<1K",
        1_000..10_000 => "1K<n<10K",
        10_000..100_000 => "10K<n<100K",
        100_000..1_000_000 => "100K<n<1M",
        1_000_000..10_000_000 => "1M<n<10M",
        10_000_000..100_000_000 => "10M<n<100M",
        _ => "100M<n<1B",
    }
}

/// What the rows say of how they were made.
async fn made(card: &mut String, rows: &Rows<'_>) -> Result<()> {
    writeln!(card, "## How it was made\n")?;
    let mut told = false;
    for (column, what) in [("pack", "Country pack"), ("seed", "Seed"), ("narrator", "Narrator"), ("run_id", "Run")] {
        let counts = rows.counts(column).await?;
        if counts.is_empty() {
            continue;
        }
        told = true;
        let shown = counts.iter().take(MOST).map(|(value, count)| format!("`{value}` ({count} rows)"));
        let more = if counts.len() > MOST { ", and others" } else { "" };
        writeln!(card, "- {what}: {}{more}", shown.collect::<Vec<_>>().join(", "))?;
        if column == "run_id" {
            runs(card, rows, &counts)?;
        }
    }
    if rows.has("narrator") {
        let outline = rows.counts("narrator").await?.iter().any(|(name, _)| name == "outline");
        if outline {
            writeln!(
                card,
                "- The narrator `outline` is a grammar, no model: its texts say the facts in plain sentences."
            )?;
        }
    }
    if rows.has("narrative_error") {
        let sql = format!("SELECT count(*) FROM {} WHERE narrative_error IS NOT NULL", rows.table);
        let failed = rows.ask(&sql).await?.concat().concat();
        if failed != "0" {
            writeln!(
                card,
                "- Rows that lack a text, or whose text did not pass a check: {failed}; `narrative_error` says why."
            )?;
        }
    }
    for Source { source, licence } in rows.from {
        told = true;
        let licence = licence.as_ref().map_or(String::new(), |l| format!(", licence {}", one_line(l)));
        writeln!(
            card,
            "- Imported from: {}{licence}",
            source.as_ref().map_or("a source that has no name".into(), |s| one_line(s))
        )?;
    }
    if !told {
        writeln!(card, "The rows do not say how they were made.")?;
    }
    writeln!(card)?;
    Ok(())
}

/// What the runs did that wrote the rows, where this database knows them.
fn runs(card: &mut String, rows: &Rows<'_>, counts: &[(String, String)]) -> Result<()> {
    if !rows.engine.database().root().join("catalog.sqlite").exists() {
        return Ok(());
    }
    let catalog = rows.engine.catalog()?;
    for (id, _) in counts.iter().take(MOST) {
        let run = catalog.run(id).map_err(|e| exec_datafusion_err!("{e}"))?;
        match run.map(|run| run.work) {
            // The pack by its id: one's own is named by a path, which is nobody else's.
            Some(Work::Generate { pack, seed, given, count, .. }) => {
                let given = given.map_or(String::new(), |g| format!(", given `{}`", one_line(&g)));
                writeln!(card, "  - `{id}`: the first {count} people of seed {seed} of `{pack}`{given}")?;
            }
            Some(Work::Statement(sql)) => writeln!(card, "  - `{id}`: `{}`", one_line(&without_folders(&sql)))?,
            None => {}
        }
    }
    Ok(())
}

/// Of what the rows are a sample, and what their weights mean, as far as they and their table know it.
async fn sample(card: &mut String, rows: &Rows<'_>) -> Result<()> {
    if rows.sample.is_none() && rows.weights.is_none() {
        return Ok(());
    }
    writeln!(card, "## What the rows stand for\n")?;
    if let Some(SampleOf { table, design, .. }) = &rows.sample {
        let by = design.as_ref().map_or(String::new(), |design| format!(", taken by `{}`", one_line(design)));
        writeln!(card, "- All of these people are people of another table, `{table}`{by}.")?;
    }
    let Some(Weights { column, by_design }) = &rows.weights else {
        writeln!(card)?;
        return Ok(());
    };
    let (weight, table) = (format!("CAST({} AS DOUBLE)", quoted_name(column)), rows.table);
    let sql = format!(
        "SELECT round(sum({weight})), round(sum({weight}) * sum({weight}) / sum({weight} * {weight})) FROM {table}"
    );
    let sums = rows.ask(&sql).await?.concat();
    let number = |at: usize| grouped(sums.get(at).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0) as u64);
    if !by_design {
        writeln!(
            card,
            "- `{column}` is the weight of a row. The weights add up to {}, and the rows tell as much as {} of equal weight.",
            number(0),
            number(1)
        )?;
    } else {
        let strata = rows.ask(&format!("SELECT count(DISTINCT stratum), min(stratum) FROM {table}")).await?.concat();
        let text = |at: usize| strata.get(at).map_or("", String::as_str);
        writeln!(
            card,
            "- The rows are a stratified sample: of each of {} strata (`stratum`, such as `{}`) so many, of the \
             `stratum_size` that there were.\n\
             - `{column}` is how many of them a row stands for: its stratum's size by its rows in the sample. The weights add \
             up to {}, and the rows tell as much as {} of equal weight. Shares and means of the rows alone are not those of \
             the whole: weigh them, as `survey_mean(value, {column}, stratum, stratum_size)` in populace does, with standard \
             errors by this design.",
            text(0),
            one_line(text(1)),
            number(0),
            number(1)
        )?;
    }
    writeln!(card)?;
    Ok(())
}

async fn columns(card: &mut String, rows: &Rows<'_>, countries: &[Country]) -> Result<()> {
    writeln!(card, "## Columns\n\n| column | type | missing | what it is |\n|---|---|---|---|")?;
    let counts = rows.schema.fields().iter().map(|f| format!("count({})", quoted_name(f.name()))).collect::<Vec<_>>();
    let counts = rows.ask(&format!("SELECT {} FROM {}", counts.join(", "), rows.table)).await?.concat();
    for ((name, kind), present) in described(rows.schema).into_iter().zip(counts) {
        let missing = rows.count - present.parse::<u64>().unwrap_or(rows.count).min(rows.count);
        let described = countries.iter().flat_map(|c| c.pack.variables()).find(|v| v.name == name);
        let what = described.map_or("", |v| v.description.as_str());
        writeln!(card, "| `{name}` | {kind} | {} | {} |", grouped(missing), cell(what))?;
    }
    writeln!(card)?;
    Ok(())
}

/// The verdict of each figure on the rows.
async fn fidelity(card: &mut String, rows: &Rows<'_>, country: &Country, given: Option<&str>) -> Result<()> {
    let (pack, id) = (&country.pack, country.drawn.as_deref());
    writeln!(card, "## Agreement with the figures of {}\n", pack.title())?;
    if id.is_some_and(|id| id != pack.id()) {
        writeln!(card, "The rows were drawn from `{}`, and are judged by `{}`.\n", id.unwrap_or_default(), pack.id())?;
    }
    let of = match id {
        Some(_) => format!("(SELECT * FROM {} WHERE split_part(pack, '@', 1) = '{}')", rows.table, pack.name()),
        None => rows.table.to_string(),
    };
    let about = about(given)?;
    if let Some(given) = given {
        writeln!(
            card,
            "Of the rows and of the country's people, those are compared of whom `{}` holds.\n",
            one_line(given)
        )?;
    }
    let weights = match &rows.weights {
        Some(Weights { column, .. }) => {
            writeln!(card, "Rows are weighted by `{column}`; how many there are is the effective number (Kish).\n")?;
            format!(", weights => {}", quoted_name(column))
        }
        None => String::new(),
    };
    let sql = format!(
        "SELECT figure, status, round(n), round(tvd, 4), round(noise_floor, 4), round(tvd - noise_floor, 4), \
         round(adjusted_p_value, 4), verdict FROM fidelity({of}, {}{about}{weights}) ORDER BY figure",
        quoted_text(&country.called)
    );
    let judged = match rows.ask(&sql).await {
        Ok(judged) => judged,
        Err(error) => {
            let why = message(&error).replace(&country.called, pack.name());
            writeln!(card, "Not judged: {}.\n", one_line(&why))?;
            return Ok(());
        }
    };
    writeln!(
        card,
        "`tvd` is the share of people who would have to be others for the rows to have the shares of the country's network (the \
         total variation distance), `noise floor` the distance that chance alone makes in a sample of this size, `beyond` what \
         there is beyond it, and `p` how often chance would come as far (chi-square, adjusted by Holm). Rows that were drawn on \
         conditions, or chosen, differ by design.\n\n\
         | figure | status | rows | tvd | noise floor | beyond | p | verdict |\n|---|---|---|---|---|---|---|---|"
    )?;
    for row in judged {
        writeln!(card, "| {} |", row.iter().map(|v| cell(v)).collect::<Vec<_>>().join(" | "))?;
    }
    writeln!(card)?;
    Ok(())
}

/// How the country's network does on figures that nothing was fitted to.
fn holdouts(card: &mut String, pack: &Pack) -> Result<()> {
    if pack.holdouts().is_empty() {
        return Ok(());
    }
    writeln!(
        card,
        "### What the model was not told\n\n\
         Figures that were kept from the fit of `{}` on purpose. `model` is the total variation distance of its network from \
         each, `margins alone` that of the product of the figure's own margins: what a model would be off that knew nothing of \
         what goes with what.\n\n\
         | figure | status | cells | model | margins alone |\n|---|---|---|---|---|",
        pack.id()
    )?;
    for (figure, distance) in pack.holdouts().iter().zip(Analysis::of(pack).holdout_distances()) {
        let Ok(Some(HoldoutDistance { drift, baseline })) = distance else { continue };
        let baseline = baseline.map_or(String::new(), |baseline| format!("{baseline:.4}"));
        let cells = grouped(figure.len() as u64);
        writeln!(card, "| {} | {} | {cells} | {drift:.4} | {baseline} |", cell(&figure.title), figure.status)?;
    }
    writeln!(card)?;
    Ok(())
}

/// The figures, their sources and licences.
fn figures(card: &mut String, pack: &Pack) -> Result<()> {
    writeln!(card, "## Figures and their sources: {} ({})\n", pack.title(), pack.year())?;
    writeln!(
        card,
        "{}. A figure is `official` (published cells, at most added up or subtracted) or an `estimate` (anything else).\n\n\
         | figure | status | title | source |\n|---|---|---|---|",
        cell(pack.universe())
    )?;
    for figure in pack.figures() {
        let table = if figure.table.is_empty() { String::new() } else { format!(", {}", figure.table) };
        let (title, source) = (cell(&figure.title), cell(&figure.source));
        writeln!(card, "| `{}` | {} | {title} | {source}{table} |", figure.name, figure.status)?;
    }
    writeln!(card, "\n| source | agency | title | year | licence |\n|---|---|---|---|---|")?;
    for source in pack.sources() {
        let values = [&source.id, &source.agency, &source.title, &source.year, &source.licence].map(|v| cell(v));
        writeln!(card, "| {} |", values.join(" | "))?;
    }
    writeln!(card)?;
    for attribution in pack.sources().iter().filter_map(|s| s.attribution.as_deref()) {
        writeln!(card, "> {}\n", one_line(attribution))?;
    }
    writeln!(
        card,
        "The network takes {} of its variables to be independent of some others, given the rest: \
         `SELECT * FROM assumed_independences('{}')` in populace lists them.\n",
        Analysis::of(pack).independences().len(),
        pack.name()
    )?;
    Ok(())
}

/// A text that stands in a table.
fn cell(text: &str) -> String {
    one_line(text).replace('|', "\\|")
}

/// A statement whose texts name files by their names alone: the folders they lie in are nobody else's.
fn without_folders(sql: &str) -> String {
    let bare = |text: &str| match packs::path::is_path(text) {
        true => text.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or_default().to_string(),
        false => text.to_string(),
    };
    // Every second part stands in quotes; a quote that is doubled parts a text in two, which changes nothing.
    let parts = sql.split('\'').enumerate();
    parts.map(|(at, part)| if at % 2 == 1 { bare(part) } else { part.to_string() }).collect::<Vec<_>>().join("'")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A whole number with its thousands parted.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let parted = digits.as_bytes().rchunks(3).rev().map(|c| String::from_utf8_lossy(c).into_owned());
    parted.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_numbers_are_those_of_hugging_face_and_of_people() {
        assert_eq!((size(999), size(1_000), size(1_000_000)), ("n<1K", "1K<n<10K", "1M<n<10M"));
        assert_eq!((grouped(7), grouped(1_000), grouped(1_234_567)), ("7".into(), "1,000".into(), "1,234,567".into()));
        assert_eq!(cell("a | b\nc"), "a \\| b c");
        assert_eq!(
            without_folders("SELECT 'it''s', * FROM generate_persona('/home/me/atlantis/', 3, given => a / 2 > 1)"),
            "SELECT 'it''s', * FROM generate_persona('atlantis', 3, given => a / 2 > 1)"
        );
    }
}

//! The sections of a report: charts of the table's people beside the country's, diversity, and persons.

use std::collections::BTreeMap;

use datafusion::common::Result;
use serde::Serialize;

use super::Subject;
use super::charts::{Bar, Curve, Pair, bars, curves, pyramid};
use super::numbers::{Rows, count, percent, wilson, words};
use crate::packs;
use crate::sql::quoted_name;

/// What the division of a country is called that its people are told by.
const PLACES: [&str; 6] = ["state", "prefecture", "province", "region", "district", "zone"];
/// Levels of education that are a bachelor's degree or more.
const DEGREES: [&str; 8] =
    ["bachelors", "graduate", "masters", "doctorate", "professional", "university", "postgraduate", "bachelor"];
/// What stands for people without an occupation.
const NO_WORK: [&str; 4] = ["none", "not_in_workforce", "no_occupation", "not_working"];
/// Occupations that are shown.
const OCCUPATIONS: usize = 15;
/// Rows that the diversity of texts is measured on: it takes time by their number, and a Vendi score grows with it.
const TEXTS: u32 = 1000;
/// People who are drawn to compare diversity with, at most.
const DRAWN: u64 = 100_000;

/// A section with a chart.
#[derive(Debug, Serialize)]
pub(super) struct Chart {
    pub id: String,
    pub title: String,
    pub lead: String,
    pub svg: Option<String>,
    /// Why there is no chart
    pub missing: Option<String>,
    /// The numbers in it
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// The diversity of a column.
#[derive(Debug, Serialize)]
pub(super) struct Column {
    pub name: String,
    pub here: Vec<String>,
    pub drawn: Vec<String>,
}

/// The diversity of a narrative.
#[derive(Debug, Serialize)]
pub(super) struct Diversity {
    pub name: String,
    pub numbers: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Person {
    pub name: String,
    pub line: String,
    pub texts: Vec<(String, String)>,
}

/// A stratum: its values, the rows in it, and its share of the country's people.
struct Stratum {
    values: Vec<String>,
    observed: f64,
    expected: f64,
}

/// The lowest number of a band as `age_band` calls it: 0 of `under 20`.
fn low(band: &str) -> u32 {
    band.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0)
}

/// `20 to 24` as `20–24`.
fn band(label: &str) -> String {
    let mut parts = label.split(' ');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("under"), Some(cut), None) => format!("<{cut}"),
        (Some(low), Some("to"), Some(high)) => format!("{low}–{high}"),
        (Some(low), Some("and"), _) => format!("{low}+"),
        _ => label.into(),
    }
}

impl Subject<'_> {
    pub async fn charts(&self) -> Result<Vec<Chart>> {
        let place = PLACES.iter().find(|p| self.has(p)).copied().unwrap_or(PLACES[0]);
        let wanted: [(&str, &str, &[&str]); 5] = [
            ("age-sex", "Age and sex", &["sex", "age"]),
            ("marital", "Marital status by age", &["marital_status", "age"]),
            ("occupations", "Occupations", &["occupation"]),
            ("groups", "Race and ethnicity", &["race_ethnicity"]),
            ("education", &format!("Degrees by {place}"), &["education_level", place, "age"]),
        ];
        let mut charts = vec![];
        for (id, title, columns) in wanted {
            let mut chart = Chart {
                id: id.into(),
                title: title.into(),
                lead: String::new(),
                svg: None,
                missing: None,
                head: vec![],
                rows: vec![],
            };
            let absent: Vec<&str> = columns.iter().filter(|c| !self.has(c)).copied().collect();
            let drawn = match (absent.is_empty(), id) {
                (false, "groups") => continue,
                (false, _) => Err(format!("The table has no column {}.", absent.join(", "))),
                (true, "age-sex") => self.age_and_sex(&mut chart).await?,
                (true, "marital") => self.marital(&mut chart).await?,
                (true, "education") => self.education(&mut chart, place).await?,
                (true, "occupations") => self.occupations(&mut chart).await?,
                (true, _) => self.groups(&mut chart).await?,
            };
            match drawn {
                Ok(svg) => chart.svg = Some(svg),
                Err(why) => chart.missing = Some(why),
            }
            charts.push(chart);
        }
        Ok(charts)
    }

    /// The strata of some expressions, named as `rebalance` names them; or why they cannot be compared.
    async fn strata(&self, expressions: &str, names: &[&str]) -> Result<std::result::Result<Vec<Stratum>, String>> {
        let sql =
            format!("SELECT * FROM rebalance({}, {}, strata => ({expressions}))", self.table, self.quoted_country());
        let rows = match self.read(&sql).await {
            Ok(rows) => rows,
            Err(error) => return Ok(Err(format!("It cannot be compared: {}.", crate::engine::message(&error)))),
        };
        let columns = names.iter().map(|name| rows.texts(name)).collect::<Result<Vec<_>>>()?;
        let (observed, expected) = (rows.numbers("observed")?, rows.numbers("expected_share")?);
        let stratum = |at: usize| Stratum {
            values: columns.iter().map(|c| c[at].clone().unwrap_or_default()).collect(),
            observed: observed[at].unwrap_or(0.0),
            expected: expected[at].unwrap_or(0.0),
        };
        Ok(Ok((0..rows.len()).map(stratum).collect()))
    }

    async fn age_and_sex(&self, chart: &mut Chart) -> Result<std::result::Result<String, String>> {
        let cuts: Vec<String> = (20..=85).step_by(5).map(|cut| cut.to_string()).collect();
        let strata = format!("sex, age_band(age, {})", cuts.join(", "));
        let strata = match self.strata(&strata, &["sex", "age_band"]).await? {
            Ok(strata) => strata,
            Err(why) => return Ok(Err(why)),
        };
        let mut sexes: BTreeMap<&str, f64> = BTreeMap::new();
        strata.iter().for_each(|s| *sexes.entry(&s.values[0]).or_default() += s.expected);
        let mut sexes: Vec<(&str, f64)> = sexes.into_iter().collect();
        sexes.sort_by(|a, b| b.1.total_cmp(&a.1));
        sexes.truncate(2);
        sexes.sort_by(|a, b| b.0.cmp(a.0));
        let [(left, _), (right, _)] = sexes[..] else { return Ok(Err("There are not two sexes to compare.".into())) };
        let n: f64 = strata.iter().map(|s| s.observed).sum();
        let mut pairs: BTreeMap<u32, Pair> = BTreeMap::new();
        for stratum in &strata {
            let Some(side) = [left, right].iter().position(|s| *s == stratum.values[0]) else { continue };
            let pair = pairs.entry(low(&stratum.values[1])).or_insert_with(|| Pair {
                label: band(&stratum.values[1]),
                observed: [0.0; 2],
                expected: [0.0; 2],
            });
            pair.observed[side] += 100.0 * stratum.observed / n;
            pair.expected[side] += 100.0 * stratum.expected;
        }
        let pairs: Vec<Pair> = pairs.into_values().collect();
        chart.lead =
            "Each band's share of all people. The lowest and the highest are of other widths than five years.".into();
        chart.head = vec!["Age".into(), left.into(), "country".into(), right.into(), "country".into()];
        let row = |p: &Pair| {
            let numbers = [p.observed[0], p.expected[0], p.observed[1], p.expected[1]];
            std::iter::once(p.label.clone()).chain(numbers.map(|n| percent(n / 100.0))).collect()
        };
        chart.rows = pairs.iter().rev().map(row).collect();
        Ok(pyramid("Population pyramid beside the country", [left, right], &pairs))
    }

    async fn marital(&self, chart: &mut Chart) -> Result<std::result::Result<String, String>> {
        let strata = "marital_status, age_band(age, 25, 35, 45, 55, 65, 75, 85)";
        let strata = match self.strata(strata, &["marital_status", "age_band"]).await? {
            Ok(strata) => strata,
            Err(why) => return Ok(Err(why)),
        };
        let mut bands: BTreeMap<u32, (String, f64, f64)> = BTreeMap::new();
        for stratum in &strata {
            // Under small charts there is room for the lowest age alone.
            let label = || match low(&stratum.values[1]) {
                0 => (band(&stratum.values[1]), 0.0, 0.0),
                age => (age.to_string(), 0.0, 0.0),
            };
            let all = bands.entry(low(&stratum.values[1])).or_insert_with(label);
            (all.1, all.2) = (all.1 + stratum.observed, all.2 + stratum.expected);
        }
        let mut statuses: BTreeMap<&str, f64> = BTreeMap::new();
        strata.iter().for_each(|s| *statuses.entry(&s.values[0]).or_default() += s.expected);
        let mut statuses: Vec<(&str, f64)> = statuses.into_iter().collect();
        statuses.sort_by(|a, b| b.1.total_cmp(&a.1));
        let curve = |(status, _): &(&str, f64)| {
            let point = |(at, (label, observed, expected)): (&u32, &(String, f64, f64))| {
                let of = |of: &dyn Fn(&Stratum) -> f64| -> f64 {
                    let here = strata.iter().filter(|s| s.values[0] == *status && low(&s.values[1]) == *at);
                    here.map(of).sum()
                };
                bar(
                    label.clone(),
                    of(&|s| s.observed),
                    *observed,
                    of(&|s| s.expected) / expected.max(f64::MIN_POSITIVE),
                )
            };
            Curve { title: self.words("marital_status", status), points: bands.iter().map(point).collect() }
        };
        let all: Vec<Curve> = statuses.iter().map(curve).collect();
        chart.lead =
            "The share of people from each age on, up to the next, that is of a status. Upright lines are what chance \
                      leaves open (95\u{a0}%)."
                .into();
        chart.head = vec!["Status".into(), "Age".into(), "Table".into(), "Country".into()];
        let rows = all.iter().flat_map(|c| c.points.iter().map(|p| [vec![c.title.clone()], numbers(p)].concat()));
        chart.rows = rows.collect();
        Ok(curves("Marital status by age beside the country", &all))
    }

    async fn education(&self, chart: &mut Chart, place: &str) -> Result<std::result::Result<String, String>> {
        let strata = format!("education_level, {place}, age_band(age, 25)");
        let strata = match self.strata(&strata, &["education_level", place, "age_band"]).await? {
            Ok(strata) => strata,
            Err(why) => return Ok(Err(why)),
        };
        let mut places: BTreeMap<&str, [f64; 4]> = BTreeMap::new();
        for stratum in strata.iter().filter(|s| low(&s.values[2]) == 25) {
            let of = places.entry(&stratum.values[1]).or_default();
            let degree = f64::from(u8::from(DEGREES.contains(&stratum.values[0].as_str())));
            of[0] += stratum.observed * degree;
            of[1] += stratum.observed;
            of[2] += stratum.expected * degree;
            of[3] += stratum.expected;
        }
        if places.values().all(|of| of[2] <= 0.0) {
            return Ok(Err("No level of education is known as a degree.".into()));
        }
        let mut all: Vec<Bar> = places
            .iter()
            .map(|(place, of)| bar(place.to_string(), of[0], of[1], of[2] / of[3].max(f64::MIN_POSITIVE)))
            .collect();
        all.sort_by(|a, b| b.expected.total_cmp(&a.expected));
        chart.lead = format!(
            "People of 25 and over with a bachelor's degree or more, by {place}, ranked by the country. Thin lines are what \
             chance leaves open (95\u{a0}%)."
        );
        chart.head = vec![words(place), "Table".into(), "Country".into()];
        chart.rows = all.iter().map(numbers).collect();
        Ok(bars("Degrees beside the country", &all))
    }

    async fn occupations(&self, chart: &mut Chart) -> Result<std::result::Result<String, String>> {
        let strata = match self.strata("occupation", &["occupation"]).await? {
            Ok(strata) => strata,
            Err(why) => return Ok(Err(why)),
        };
        let mut working: Vec<&Stratum> =
            strata.iter().filter(|s| !NO_WORK.contains(&s.values[0].as_str()) && !s.values[0].is_empty()).collect();
        let (n, all) = working.iter().fold((0.0, 0.0), |(n, all), s| (n + s.observed, all + s.expected));
        working.sort_by(|a, b| {
            (b.observed, b.expected).partial_cmp(&(a.observed, a.expected)).unwrap_or(std::cmp::Ordering::Equal)
        });
        if n <= 0.0 {
            return Ok(Err("Nobody has an occupation.".into()));
        }
        let top = working.iter().take(OCCUPATIONS);
        let top: Vec<Bar> = top
            .map(|s| {
                let label = self.words("occupation", &s.values[0]);
                bar(label, s.observed, n, s.expected / all.max(f64::MIN_POSITIVE))
            })
            .collect();
        chart.lead = format!(
            "The {} commonest of {} occupations in the table, as shares of the {} people with one. Thin lines are what chance \
             leaves open (95\u{a0}%).",
            top.len(),
            working.iter().filter(|s| s.observed > 0.0).count(),
            count(n)
        );
        chart.head = vec!["Occupation".into(), "Table".into(), "Country".into()];
        chart.rows = top.iter().map(numbers).collect();
        Ok(bars("Commonest occupations beside the country", &top))
    }

    async fn groups(&self, chart: &mut Chart) -> Result<std::result::Result<String, String>> {
        let strata = match self.strata("race_ethnicity", &["race_ethnicity"]).await? {
            Ok(strata) => strata,
            Err(why) => return Ok(Err(why)),
        };
        let n: f64 = strata.iter().map(|s| s.observed).sum();
        let label = |s: &Stratum| self.words("race_ethnicity", &s.values[0]);
        let mut all: Vec<Bar> = strata.iter().map(|s| bar(label(s), s.observed, n, s.expected)).collect();
        all.sort_by(|a, b| b.expected.total_cmp(&a.expected));
        chart.lead =
            "Whether each group is there in proportion. Thin lines are what chance leaves open (95\u{a0}%).".into();
        chart.head = vec!["Group".into(), "Table".into(), "Country".into()];
        chart.rows = all.iter().map(numbers).collect();
        Ok(bars("Race and ethnicity beside the country", &all))
    }

    /// A level in the words of the country, as a label begins.
    fn words(&self, column: &str, level: &str) -> String {
        words(&packs::labels::of_country(&self.country).words(column, level))
    }

    /// How many different values columns have, beside a draw of as many people.
    pub async fn diversity(&self) -> Result<Vec<Column>> {
        let known = [
            "age",
            "race_ethnicity",
            "marital_status",
            "education_level",
            "occupation",
            "state",
            "prefecture",
            "province",
            "region",
            "district",
            "city",
            "first_name",
            "last_name",
        ];
        let drawn =
            self.read(&format!("SELECT * FROM sample_persona({}, 1) LIMIT 0", self.quoted_country())).await?.schema();
        let columns: Vec<&str> =
            known.into_iter().filter(|c| self.has(c) && drawn.column_with_name(c).is_some()).collect();
        if columns.is_empty() {
            return Ok(vec![]);
        }
        let asked = columns.iter().enumerate().flat_map(|(at, c)| {
            [
                format!("count(DISTINCT {c}) AS levels_{at}"),
                format!("shannon_entropy({c}) AS entropy_{at}"),
                format!("evenness({c}) AS evenness_{at}"),
                format!("gini_simpson({c}) AS simpson_{at}"),
            ]
        });
        let asked = asked.collect::<Vec<_>>().join(", ");
        let here = self.read(&format!("SELECT {asked} FROM {}", self.table)).await?;
        let people = self.rows.min(DRAWN);
        let drawn = format!("SELECT {asked} FROM sample_persona({}, {people}, seed => 1)", self.quoted_country());
        let drawn = self.read(&drawn).await?;
        let numbers = |rows: &Rows, at: usize| -> Result<Vec<String>> {
            let one = |name: &str| -> Result<Option<f64>> {
                Ok(rows.numbers(&format!("{name}_{at}"))?.first().copied().flatten())
            };
            let decimal = |number: Option<f64>| number.map_or("–".to_string(), |n| format!("{n:.3}"));
            Ok(vec![
                one("levels")?.map_or("–".to_string(), count),
                decimal(one("entropy")?),
                decimal(one("evenness")?),
                decimal(one("simpson")?),
            ])
        };
        let column = |(at, name): (usize, &&str)| {
            Ok(Column { name: words(name), here: numbers(&here, at)?, drawn: numbers(&drawn, at)? })
        };
        columns.iter().enumerate().map(column).collect()
    }

    /// The diversity of the narratives, and of how many people's.
    pub async fn texts(&self) -> Result<(Vec<Diversity>, String)> {
        let narratives: Vec<&str> = self.columns.iter().filter(|(_, n)| *n).map(|(name, _)| name.as_str()).collect();
        let some = format!("{} TABLESAMPLE ({TEXTS} ROWS) REPEATABLE ({})", self.table, self.options.seed);
        let mut texts = vec![];
        for name in narratives {
            let quoted = quoted_name(name);
            let mut asked = vec![
                format!("count({quoted}) AS texts"),
                format!("avg(character_length({quoted})) AS letters"),
                format!("distinct_ngrams({quoted}, 2) AS pairs"),
            ];
            let vectors = format!("{name}_embedding");
            if self.has(&vectors) {
                let vectors = quoted_name(&vectors);
                asked.push(format!("self_similarity({vectors}) AS similarity"));
                asked.push(format!("vendi_score({vectors}) AS vendi"));
            }
            let rows = self.read(&format!("SELECT {} FROM {some}", asked.join(", "))).await?;
            let number = |name: &str, digits: usize| match rows.schema().column_with_name(name) {
                None => Ok::<_, datafusion::common::DataFusionError>("–".to_string()),
                Some(_) => {
                    let number = rows.numbers(name)?.first().copied().flatten();
                    Ok(number.map_or("–".to_string(), |n| format!("{n:.digits$}")))
                }
            };
            let numbers = vec![
                number("texts", 0)?,
                number("letters", 0)?,
                number("pairs", 3)?,
                number("similarity", 3)?,
                number("vendi", 1)?,
            ];
            if numbers.first().is_some_and(|texts| texts != "0") {
                texts.push(Diversity { name: words(name), numbers });
            }
        }
        Ok((texts, count(self.rows.min(TEXTS.into()) as f64)))
    }

    /// Some of the people, as many of each sex, with their texts: that of the person as a whole first.
    pub async fn people(&self) -> Result<Vec<Person>> {
        let mut narratives: Vec<&str> =
            self.columns.iter().filter(|(_, n)| *n).map(|(name, _)| name.as_str()).collect();
        narratives.sort_by_key(|name| *name != "persona");
        let facts = ["age", "sex", "race_ethnicity", "marital_status", "education_level", "occupation", "city"];
        let place = PLACES.iter().find(|p| self.has(p));
        let shown: Vec<&str> = facts.into_iter().chain(place.copied()).filter(|f| self.has(f)).collect();
        let names: Vec<&str> = ["first_name", "last_name"].into_iter().filter(|n| self.has(n)).collect();
        let all = names.iter().chain(&shown).chain(&narratives);
        let columns: Vec<String> = all.map(|c| quoted_name(c)).collect();
        if self.options.people == 0 || columns.is_empty() {
            return Ok(vec![]);
        }
        let key: Vec<String> = self.has("uuid").then(|| quoted_name("uuid")).into_iter().collect();
        let (n, seed) = (self.rows.min(self.options.people.into()), self.options.seed);
        let from = match self.has("sex") {
            // Of these columns alone: a table may be a sample itself, with strata and weights of its own.
            true => format!(
                "stratified_sample((SELECT {} FROM {}), {n}, strata => sex, allocation => 'equal', \
                 on_short => 'redistribute', seed => {seed})",
                key.iter().chain(&columns).map(String::as_str).collect::<Vec<_>>().join(", "),
                self.table
            ),
            false => format!("{} TABLESAMPLE ({n} ROWS) REPEATABLE ({seed})", self.table),
        };
        let sql = format!("SELECT {} FROM {from}", columns.join(", "));
        let rows = self.read(&sql).await?;
        let read =
            |columns: &[&str]| -> Result<Vec<Vec<Option<String>>>> { columns.iter().map(|c| rows.texts(c)).collect() };
        let (names, values, texts) = (read(&names)?, read(&shown)?, read(&narratives)?);
        let labels = packs::labels::of_country(&self.country);
        let person = |row: usize| {
            let name: Vec<&str> = names.iter().filter_map(|n| n[row].as_deref()).collect();
            let told = values.iter().zip(&shown).filter_map(|(v, column)| {
                let value = v[row].as_deref()?;
                Some(labels.words(column, value))
            });
            let texts = texts.iter().zip(&narratives).filter_map(|(t, name)| Some((words(name), t[row].clone()?)));
            Person {
                name: if name.is_empty() { format!("Person {}", row + 1) } else { name.join(" ") },
                line: told.collect::<Vec<_>>().join(", "),
                texts: texts.collect(),
            }
        };
        Ok((0..rows.len()).map(person).collect())
    }
}

/// A bar of a share, with what chance leaves open of it.
fn bar(label: String, rows: f64, of: f64, expected: f64) -> Bar {
    let interval = wilson(rows, of).map(|(low, high)| (100.0 * low, 100.0 * high));
    Bar { label, observed: (of > 0.0).then(|| 100.0 * rows / of), interval, expected: 100.0 * expected }
}

fn numbers(bar: &Bar) -> Vec<String> {
    let observed = bar.observed.map_or("–".to_string(), |o| percent(o / 100.0));
    vec![bar.label.clone(), observed, percent(bar.expected / 100.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_as_a_chart_has_them() {
        assert_eq!(["under 20", "20 to 24", "85 and over", "other"].map(band), ["<20", "20–24", "85+", "other"]);
        assert_eq!(["under 20", "20 to 24", "85 and over"].map(low), [0, 20, 85]);
    }
}

//! The sections of a report: charts of the table's people beside the country's, diversity, and persons.

use std::collections::BTreeMap;

use datafusion::common::Result;
use serde::Serialize;

use super::Subject;
use super::charts::{Bar, Curve, Pair, bars, curves, pyramid};
use super::numbers::{Rows, count, percent, words};
use super::strata::{Group, Share, Stratum, head, numbers};
use crate::packs;
use crate::sql::{quoted_name, quoted_text};

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

/// Years of age as places among bands that begin at these ages: 0 is the middle of the first.
fn across(lows: &[u32], years: &[(u32, f64)]) -> Vec<(f64, f64)> {
    let (Some((first, _)), Some((last, _))) = (years.first(), years.last()) else { return vec![] };
    let place = |year: u32| {
        let band = lows.iter().rposition(|low| *low <= year)?;
        let low = lows[band].max(*first);
        let high = lows.get(band + 1).copied().unwrap_or(last + 1);
        Some(band as f64 - 0.5 + (f64::from(year - low) + 0.5) / f64::from(high - low))
    };
    years.iter().filter_map(|(year, share)| Some((place(*year)?, *share))).collect()
}

impl Subject<'_> {
    pub async fn charts(&self) -> Result<Vec<Chart>> {
        let place = PLACES.iter().find(|p| self.has(p)).copied().unwrap_or(PLACES[0]);
        let wanted: [(&str, &str, &[&str]); 6] = [
            ("age-sex", "Age and sex", &["sex", "age"]),
            ("marital", "Marital status by age", &["marital_status", "age"]),
            ("occupations", "Occupations", &["occupation"]),
            ("groups", "Race and ethnicity", &["race_ethnicity"]),
            ("crossed", "Groups that cross", &["sex", "age"]),
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
                (true, "crossed") => self.crossed(&mut chart).await?,
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

    async fn age_and_sex(&self, chart: &mut Chart) -> Result<std::result::Result<String, String>> {
        let cuts: Vec<String> = (20..=85).step_by(5).map(|cut| cut.to_string()).collect();
        let bands = format!("age_band(age, {})", cuts.join(", "));
        let strata = match self.strata(&[("sex", "sex"), (&bands, "age_band")]).await? {
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
        let n: f64 = strata.iter().map(|s| s.observed.weight).sum();
        let mut pairs: BTreeMap<u32, Pair> = BTreeMap::new();
        for stratum in &strata {
            let Some(side) = [left, right].iter().position(|s| *s == stratum.values[0]) else { continue };
            let pair = pairs.entry(low(&stratum.values[1])).or_insert_with(|| Pair {
                label: band(&stratum.values[1]),
                observed: [0.0; 2],
                expected: [0.0; 2],
            });
            pair.observed[side] += 100.0 * stratum.observed.weight / n;
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

    /// The share in percent of the country's people of each year of age that is of each level of a column.
    async fn by_year(&self, column: &str) -> Result<BTreeMap<String, Vec<(u32, f64)>>> {
        let Ok(strata) = self.strata(&[(column, column), ("age", "age")]).await? else { return Ok(BTreeMap::new()) };
        let year = |stratum: &Stratum| stratum.values[1].parse::<u32>().ok();
        let mut people: BTreeMap<u32, f64> = BTreeMap::new();
        strata.iter().for_each(|s| _ = year(s).map(|y| *people.entry(y).or_default() += s.expected));
        let mut levels: BTreeMap<String, Vec<(u32, f64)>> = BTreeMap::new();
        for stratum in &strata {
            let Some(year) = year(stratum).filter(|year| people[year] > 0.0) else { continue };
            let share = 100.0 * stratum.expected / people[&year];
            levels.entry(stratum.values[0].clone()).or_default().push((year, share));
        }
        levels.values_mut().for_each(|years| years.sort_by_key(|(year, _)| *year));
        Ok(levels)
    }

    async fn marital(&self, chart: &mut Chart) -> Result<std::result::Result<String, String>> {
        const BANDS: &str = "age_band(age, 25, 35, 45, 55, 65, 75, 85)";
        let strata = match self.strata(&[("marital_status", "marital_status"), (BANDS, "age_band")]).await? {
            Ok(strata) => strata,
            Err(why) => return Ok(Err(why)),
        };
        let mut bands: BTreeMap<u32, (&str, Group, f64)> = BTreeMap::new();
        let mut statuses: BTreeMap<&str, f64> = BTreeMap::new();
        for stratum in &strata {
            let all = bands.entry(low(&stratum.values[1])).or_insert((&stratum.values[1], Group::default(), 0.0));
            (all.1, all.2) = (all.1 + stratum.observed, all.2 + stratum.expected);
            *statuses.entry(&stratum.values[0]).or_default() += stratum.expected;
        }
        let mut statuses: Vec<(&str, f64)> = statuses.into_iter().collect();
        statuses.sort_by(|a, b| b.1.total_cmp(&a.1));
        let mut shares = vec![];
        for (status, _) in &statuses {
            for (at, (name, all, expected)) in &bands {
                let here = || strata.iter().filter(|s| s.values[0] == *status && low(&s.values[1]) == *at);
                // Under small charts there is room for the lowest age alone.
                let label = if *at == 0 { band(name) } else { at.to_string() };
                shares.push(Share::of(
                    label,
                    (here().map(|s| s.observed).sum(), *all),
                    here().map(|s| s.expected).sum::<f64>() / expected.max(f64::MIN_POSITIVE),
                    format!("marital_status = {}", quoted_text(status)),
                    format!("{BANDS} = {}", quoted_text(name)),
                ));
            }
        }
        self.by_design(&mut shares).await?;
        let points: Vec<Bar> = shares.into_iter().map(|share| share.bar).collect();
        let of_statuses = statuses.iter().zip(points.chunks(bands.len().max(1)));
        let lows: Vec<u32> = bands.keys().copied().collect();
        let years = self.by_year("marital_status").await?;
        let all: Vec<Curve> = of_statuses
            .map(|((status, _), points)| Curve {
                title: self.words("marital_status", status),
                points: points.into(),
                line: across(&lows, years.get(*status).map_or(&[], Vec::as_slice)),
            })
            .collect();
        chart.lead =
            "The share of people from each age on, up to the next, that is of a status; the country's at each year of age. \
                      Upright lines are what chance leaves open (95\u{a0}%)."
                .into();
        chart.head = head(&["Status", "Age"]);
        let rows = all.iter().flat_map(|c| c.points.iter().map(|p| [vec![c.title.clone()], numbers(p)].concat()));
        chart.rows = rows.collect();
        Ok(curves("Marital status by age beside the country", &all))
    }

    async fn education(&self, chart: &mut Chart, place: &str) -> Result<std::result::Result<String, String>> {
        let of = [("education_level", "education_level"), (place, place), ("age_band(age, 25)", "age_band")];
        let strata = match self.strata(&of).await? {
            Ok(strata) => strata,
            Err(why) => return Ok(Err(why)),
        };
        // Of each place those with a degree and all, in the table and in the country.
        let mut places: BTreeMap<&str, (Group, Group, f64, f64)> = BTreeMap::new();
        for stratum in strata.iter().filter(|s| low(&s.values[2]) == 25) {
            let of = places.entry(&stratum.values[1]).or_default();
            if DEGREES.contains(&stratum.values[0].as_str()) {
                (of.0, of.2) = (of.0 + stratum.observed, of.2 + stratum.expected);
            }
            (of.1, of.3) = (of.1 + stratum.observed, of.3 + stratum.expected);
        }
        if places.values().all(|of| of.2 <= 0.0) {
            return Ok(Err("No level of education is known as a degree.".into()));
        }
        let degrees = DEGREES.map(quoted_text).join(", ");
        let share = |(name, (some, all, some_expected, all_expected)): (&&str, &(Group, Group, f64, f64))| {
            Share::of(
                name.to_string(),
                (*some, *all),
                some_expected / all_expected.max(f64::MIN_POSITIVE),
                format!("education_level IN ({degrees})"),
                format!("age >= 25 AND {} = {}", quoted_name(place), quoted_text(name)),
            )
        };
        let mut shares: Vec<Share> = places.iter().map(share).collect();
        self.by_design(&mut shares).await?;
        let mut all: Vec<Bar> = shares.into_iter().map(|share| share.bar).collect();
        all.sort_by(|a, b| b.expected.total_cmp(&a.expected));
        chart.lead = format!(
            "People of 25 and over with a bachelor's degree or more, by {place}, ranked by the country. Thin lines are what \
             chance leaves open (95\u{a0}%); of fewer than five people they stand alone."
        );
        chart.head = head(&[&words(place)]);
        chart.rows = all.iter().map(numbers).collect();
        Ok(bars("Degrees beside the country", &all))
    }

    async fn occupations(&self, chart: &mut Chart) -> Result<std::result::Result<String, String>> {
        let strata = match self.strata(&[("occupation", "occupation")]).await? {
            Ok(strata) => strata,
            Err(why) => return Ok(Err(why)),
        };
        let mut working: Vec<&Stratum> =
            strata.iter().filter(|s| !NO_WORK.contains(&s.values[0].as_str()) && !s.values[0].is_empty()).collect();
        let (n, all): (Group, f64) =
            (working.iter().map(|s| s.observed).sum(), working.iter().map(|s| s.expected).sum());
        working.sort_by(|a, b| b.observed.weight.total_cmp(&a.observed.weight).then(b.expected.total_cmp(&a.expected)));
        if n.weight <= 0.0 {
            return Ok(Err("Nobody has an occupation.".into()));
        }
        let among = format!("occupation NOT IN ({}, '')", NO_WORK.map(quoted_text).join(", "));
        let share = |s: &&Stratum| {
            let counted = format!("occupation = {}", quoted_text(&s.values[0]));
            let expected = s.expected / all.max(f64::MIN_POSITIVE);
            Share::of(self.words("occupation", &s.values[0]), (s.observed, n), expected, counted, among.clone())
        };
        let mut top: Vec<Share> = working.iter().take(OCCUPATIONS).map(share).collect();
        self.by_design(&mut top).await?;
        let top: Vec<Bar> = top.into_iter().map(|share| share.bar).collect();
        chart.lead = format!(
            "The {} commonest of {} occupations in the table, as shares of the {} people with one. Thin lines are what chance \
             leaves open (95\u{a0}%).",
            top.len(),
            working.iter().filter(|s| s.observed.rows > 0.0).count(),
            count(n.rows)
        );
        chart.head = head(&["Occupation"]);
        chart.rows = top.iter().map(numbers).collect();
        Ok(bars("Commonest occupations beside the country", &top))
    }

    async fn groups(&self, chart: &mut Chart) -> Result<std::result::Result<String, String>> {
        chart.lead =
            "Whether each group is there in proportion. Thin lines are what chance leaves open (95\u{a0}%).".into();
        self.parts(chart, &[("race_ethnicity", "race_ethnicity")], "Race and ethnicity beside the country").await
    }

    /// Groups that are each other's parts: one in proportion by sex and by ethnicity may still lack the women of one.
    async fn crossed(&self, chart: &mut Chart) -> Result<std::result::Result<String, String>> {
        const BANDS: &str = "age_band(age, 35, 65)";
        let with = match self.has("race_ethnicity") {
            true => ("race_ethnicity", "race_ethnicity"),
            false => (BANDS, "age_band"),
        };
        chart.lead =
            "Whether the groups that two facts make together are there in proportion. Thin lines are what chance \
                      leaves open (95\u{a0}%)."
                .into();
        self.parts(chart, &[("sex", "sex"), with], "Groups that cross beside the country").await
    }

    /// The shares of all people that are in the strata of some expressions, the largest in the country first.
    async fn parts(
        &self,
        chart: &mut Chart,
        of: &[(&str, &str)],
        title: &str,
    ) -> Result<std::result::Result<String, String>> {
        let strata = match self.strata(of).await? {
            Ok(strata) => strata,
            Err(why) => return Ok(Err(why)),
        };
        let all: Group = strata.iter().map(|s| s.observed).sum();
        let share = |s: &Stratum| {
            let label = of
                .iter()
                .zip(&s.values)
                .map(|((_, name), value)| self.words(name, value))
                .collect::<Vec<_>>()
                .join(", ");
            let is = of
                .iter()
                .zip(&s.values)
                .map(|((expression, _), value)| format!("CAST({expression} AS VARCHAR) = {}", quoted_text(value)));
            Share::of(label, (s.observed, all), s.expected, is.collect::<Vec<_>>().join(" AND "), "true".into())
        };
        let mut shares: Vec<Share> = strata.iter().map(share).collect();
        self.by_design(&mut shares).await?;
        let mut shown: Vec<Bar> = shares.into_iter().map(|share| share.bar).collect();
        shown.sort_by(|a, b| b.expected.total_cmp(&a.expected));
        chart.head = head(&["Group"]);
        chart.rows = shown.iter().map(numbers).collect();
        Ok(bars(title, &shown))
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
        let here = self.read(&format!("SELECT {asked} FROM {}", self.people)).await?;
        let people = self.rows.min(DRAWN);
        let (country, given) = (self.quoted_country(), self.given_argument());
        let drawn = format!("SELECT {asked} FROM sample_persona({country}, {people}, seed => 1{given})");
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
        let some = format!("{} TABLESAMPLE ({TEXTS} ROWS) REPEATABLE ({})", self.people, self.options.seed);
        let mut texts = vec![];
        for name in self.narratives() {
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
        let narratives = self.narratives();
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
                self.people
            ),
            false => format!("{} TABLESAMPLE ({n} ROWS) REPEATABLE ({seed})", self.people),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_lie_across_their_bands() {
        let years: Vec<(u32, f64)> = (18..45).map(|year| (year, 1.0)).collect();
        let line = super::across(&[0, 25, 35], &years);
        let places: Vec<f64> = line.iter().map(|(place, _)| *place).collect();
        assert!(places.is_sorted() && line.len() == 27);
        assert!(places[3].abs() < 1e-9, "21 is the middle of 18 to 24: {}", places[3]);
        assert!((places[7] - 0.55).abs() < 1e-9 && (places[26] - 2.45).abs() < 1e-9, "{places:?}");
        assert!(super::across(&[0], &[]).is_empty());
    }

    #[test]
    fn bands_as_a_chart_has_them() {
        assert_eq!(["under 20", "20 to 24", "85 and over", "other"].map(band), ["<20", "20–24", "85+", "other"]);
        assert_eq!(["under 20", "20 to 24", "85 and over"].map(low), [0, 20, 85]);
    }
}

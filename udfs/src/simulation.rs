//! Samples taken over and over: weighted means are those of the table on average, and intervals of 95 % hold it in 95 of
//! 100.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};
use datafusion::prelude::SessionContext;
use populace_population::permuted;

use crate::aggregates::survey_mean::estimate::{Estimate, Stratified, Weighted};
use crate::host::Populace;
use crate::judgement::weighting::fit::{RowProfile, fit};
use crate::samples::allocation::{Allocation, Design, OnShort, Stratum, allocate};
use crate::samples::tally::Tally;
use crate::session::register::register;
use crate::session::rewrite::rewrite;

const SEEDS: u64 = 2000;

/// Rows of each stratum; strata differ in mean and spread too
const SIZES: [u64; 4] = [2400, 1400, 720, 280];
const ROWS: f64 = 4800.0;

/// Rows that BERNOULLI takes in the mean, and that are raked: so few of the table that it makes no difference whether they
/// are put back
const FEW: u64 = 120;

struct Row {
    stratum: usize,
    /// Of a margin that goes across the strata
    half: usize,
    key: u128,
    value: f64,
    /// What no margin tells of
    other: f64,
}

fn table() -> Vec<Row> {
    let uniform = |i: u64, of: u64| (permuted(u128::from(i), of) >> 64) as f64 / 2f64.powi(64);
    // Near a normal distribution, a little skewed
    let draw = |i: u64, of: u64| (0..6).map(|k| uniform(i, of + k)).sum::<f64>() + uniform(i, of + 7).powi(2);
    let strata = SIZES.iter().enumerate().flat_map(|(stratum, size)| vec![stratum; *size as usize]);
    strata
        .enumerate()
        .map(|(i, stratum)| {
            let i = i as u64;
            let value = [3.0, 1.0, 5.0, 2.0][stratum] + (1.0 + stratum as f64) * (draw(i, 100) - 10.0 / 3.0);
            Row { stratum, half: (i % 2) as usize, key: permuted(u128::from(i), 99), value, other: draw(i, 200) }
        })
        .collect()
}

/// What came of one way to take samples.
#[derive(Default)]
struct Course {
    name: &'static str,
    truth: f64,
    means: Vec<f64>,
    covered: u64,
    people: Vec<f64>,
}

impl Course {
    fn add(&mut self, found: Estimate, people: f64) {
        let (lower, upper) = found.interval().unwrap();
        self.means.push(found.mean);
        self.covered += u64::from((lower..=upper).contains(&self.truth));
        self.people.push(people);
    }

    /// `exact`: whether weights add up to the table in every sample.
    fn check(&self, exact: bool) {
        let Course { name, truth, means, people, covered } = self;
        let spread = |of: &[f64]| {
            let mean = of.iter().sum::<f64>() / of.len() as f64;
            let squares: f64 = of.iter().map(|x| (x - mean).powi(2)).sum();
            (mean, (squares / (of.len() - 1) as f64 / of.len() as f64).sqrt())
        };
        let (mean, error) = spread(means);
        assert!((mean - truth).abs() < 4.0 * error, "{name}: {mean} is not {truth} within 4 times {error}");
        let covered = *covered as f64 / means.len() as f64;
        assert!((0.935..=0.965).contains(&covered), "{name}: {covered} of the intervals hold the truth");
        match exact {
            true => assert!(people.iter().all(|p| (p - ROWS).abs() < 1e-6), "{name}"),
            false => {
                let (mean, error) = spread(people);
                assert!((mean - ROWS).abs() < 4.0 * error, "{name}: weights come to {mean} on average");
            }
        }
    }
}

#[test]
fn means_are_unbiased_and_intervals_cover() {
    let table = table();
    let mean = |value: fn(&Row) -> f64| table.iter().map(value).sum::<f64>() / ROWS;
    let truth = mean(|row| row.value);
    let course = |name| Course { name, truth, ..Course::default() };

    // The strata are those that a first pass counts.
    let mut first = Tally::new(0);
    table.iter().for_each(|row| first.add(row.stratum, (row.key, 0), Some(row.value)));
    let strata: Vec<Stratum> = first
        .counts()
        .map(|(population, deviation)| Stratum { population, deviation, quota: 45, ..Stratum::default() })
        .collect();
    let quotas = |allocation, n| {
        let design = Design { n, allocation, min: None, max: None, on_short: OnShort::Error };
        allocate(&design, &strata).unwrap()
    };
    let mut designs = [
        (course("proportional"), quotas(Allocation::Proportional, 200)),
        (course("equal"), quotas(Allocation::Equal, 160)),
        (course("neyman"), quotas(Allocation::Neyman, 160)),
        (course("quotas"), quotas(Allocation::Quotas, 180)),
    ];
    let (mut rows, mut bernoulli) = (course("rows"), course("bernoulli"));
    let mut raked = Course { name: "rake", truth: mean(|row| row.other), ..Course::default() };
    let share = FEW as f64 / ROWS;
    // The smallest stratum is raked with another: some samples have none of its rows.
    let margins = [[SIZES[0], SIZES[1], SIZES[2] + SIZES[3]].map(|size| size as f64 / ROWS).to_vec(), vec![0.5, 0.5]];

    for seed in 0..SEEDS {
        let (mut by_stratum, mut of_all) = (Tally::new(200), Tally::new(200));
        let mut taken = Weighted::default();
        for (number, row) in table.iter().enumerate() {
            let rank = permuted(row.key, seed);
            by_stratum.add(row.stratum, (rank, number as u64), None);
            of_all.add(0, (rank, number as u64), None);
            if ((rank >> 64) as f64) < share * 2f64.powi(64) {
                taken.add(row.value, 1.0 / share);
            }
        }
        bernoulli.add(taken.estimate().unwrap(), taken.values.weight);
        for (course, quotas) in &mut designs {
            let mut sample = Stratified::default();
            let mut people = 0.0;
            for (stratum, lowest) in by_stratum.clone().lowest(quotas).unwrap().into_iter().enumerate() {
                let size = SIZES[stratum] as f64;
                let weight = size / lowest.len() as f64;
                let name = ["a", "b", "c", "d"][stratum];
                for (_, number) in lowest {
                    people += weight;
                    sample.add(Some(name), weight, size, table[number as usize].value).unwrap();
                }
            }
            course.add(sample.estimate().unwrap().unwrap(), people);
        }
        let (mut sample, mut profiles) = (Stratified::default(), vec![]);
        for (at, (_, number)) in of_all.lowest(&[150]).unwrap().remove(0).into_iter().enumerate() {
            let row = &table[number as usize];
            sample.add(None, ROWS / 150.0, ROWS, row.value).unwrap();
            if at < FEW as usize {
                let cells = Box::new([row.stratum.min(2) as u32, row.half as u32]);
                profiles.push((row.other, RowProfile { cells, base: 1.0, rows: 1 }));
            }
        }
        rows.add(sample.estimate().unwrap().unwrap(), 150.0 * (ROWS / 150.0));
        let (values, profiles): (Vec<f64>, Vec<RowProfile>) = profiles.into_iter().unzip();
        let mut sample = Weighted::default();
        let fitted = fit(&profiles, &margins, None).unwrap();
        let weights = || fitted.weights.iter().map(|w| w / share);
        values.iter().zip(weights()).for_each(|(value, weight)| sample.add(*value, weight));
        raked.add(sample.estimate().unwrap(), weights().sum());
    }
    designs.iter().for_each(|(course, _)| course.check(true));
    rows.check(true);
    raked.check(true);
    bernoulli.check(false);
}

async fn session() -> SessionContext {
    let context = SessionContext::new();
    register(&context, Populace::new()).unwrap();
    // 400 rows in strata of 200, 133 and 67
    let table = "CREATE TABLE t AS SELECT value AS i, CASE WHEN value % 6 < 3 THEN 'a' WHEN value % 6 < 5 THEN 'b' ELSE 'c' END AS g,
        value % 3 AS h, (value * 7919 % 101)::DOUBLE + (value % 6) * 20 AS y FROM generate_series(1, 400)";
    context.sql(table).await.unwrap().collect().await.unwrap();
    context
}

async fn run(context: &SessionContext, sql: &str) -> RecordBatch {
    let state = context.state();
    let mut statement = state.sql_to_statement(sql, &state.config().options().sql_parser.dialect).unwrap();
    if let datafusion::sql::parser::Statement::Statement(statement) = &mut statement {
        rewrite(statement);
    }
    let plan = state.statement_to_plan(statement).await.unwrap();
    let frame = context.execute_logical_plan(plan).await.unwrap();
    let schema = Arc::new(frame.schema().as_arrow().clone());
    arrow::compute::concat_batches(&schema, &frame.collect().await.unwrap()).unwrap()
}

/// The same in SQL, of the table and of a part of its rows.
#[tokio::test]
async fn intervals_cover_in_sql() {
    const SEEDS: usize = 300;
    let context = session().await;
    let truth = run(&context, "SELECT avg(y), avg(y) FILTER (WHERE h = 1) FROM t").await;
    let truth = [0, 1].map(|at| truth.column(at).as_primitive::<Float64Type>().value(0));
    let (mut covered, mut errors) = ([0; 2], [0.0; 2]);
    for seed in 0..SEEDS {
        let found = run(
            &context,
            &format!(
                "SELECT survey_mean(y, sampling_weight, stratum, stratum_size) AS a,
                        survey_mean(y, sampling_weight, stratum, stratum_size) FILTER (WHERE h = 1) AS b,
                        sum(sampling_weight) AS people
                 FROM stratified_sample(t, 80, strata => g, allocation => 'equal', seed => {seed})"
            ),
        )
        .await;
        let people = found.column(2).as_primitive::<Float64Type>().value(0);
        assert!((people - 400.0).abs() < 1e-9);
        for (at, truth) in truth.iter().enumerate() {
            let of = |name: &str| {
                let column = found.column(at).as_struct().column_by_name(name).unwrap();
                column.as_primitive::<Float64Type>().value(0)
            };
            covered[at] += usize::from((of("lower")..=of("upper")).contains(truth));
            errors[at] += (of("mean") - truth) / of("standard_error");
        }
    }
    // Of 300 intervals 285 hold the truth, save 3.8, the standard deviation; four times that is met by no chance.
    assert!(covered.iter().all(|n| (270..=SEEDS).contains(n)), "{covered:?}");
    assert!(errors.iter().all(|sum| (sum / SEEDS as f64).abs() < 4.0 / (SEEDS as f64).sqrt()), "{errors:?}");
}

/// A sample of a sample is independent of it, with the same seed too.
#[tokio::test]
async fn samples_of_samples_are_independent() {
    let context = session().await;
    let (mut halves, mut rows, mut others) = (vec![], vec![], vec![]);
    for seed in 0..60 {
        let sample = format!("(SELECT * FROM t TABLESAMPLE BERNOULLI (20) REPEATABLE ({seed}))");
        let counts = run(
            &context,
            &format!(
                "SELECT (SELECT count(*) FROM {sample}) AS a,
                    (SELECT count(*) FROM {sample} TABLESAMPLE BERNOULLI (50) REPEATABLE ({seed})) AS b,
                    (SELECT count(*) FROM (SELECT i FROM t TABLESAMPLE BERNOULLI (20) REPEATABLE ({seed}))
                       WHERE i IN (SELECT i FROM (SELECT * FROM {sample} WHERE i > 0) TABLESAMPLE (20 ROWS) REPEATABLE ({seed}))) AS c,
                    (SELECT count(*) FROM (SELECT * FROM t WHERE i NOT IN (SELECT i FROM t TABLESAMPLE BERNOULLI (20) REPEATABLE ({seed})))
                       TABLESAMPLE BERNOULLI (50) REPEATABLE ({seed})) AS d"
            ),
        )
        .await;
        let count = |at: usize| counts.column(at).as_primitive::<Int64Type>().value(0) as f64;
        halves.push(count(1) / count(0));
        rows.push(count(2));
        others.push(count(3) / (400.0 - count(0)));
    }
    // Of some 80 rows half are taken, save a share of 0.056, the standard deviation.
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    assert!((mean(&halves) - 0.5).abs() < 0.03 && halves.iter().all(|h| (0.25..0.75).contains(h)), "{halves:?}");
    assert!((mean(&others) - 0.5).abs() < 0.03 && others.iter().all(|h| (0.35..0.65).contains(h)), "{others:?}");
    assert!(rows.iter().all(|n| *n == 20.0), "{rows:?}");
}

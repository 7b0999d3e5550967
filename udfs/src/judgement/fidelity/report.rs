//! The rows of `fidelity`: one a figure, one a margin, or one a cell.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Result;
use populace_population::Status;

use super::mapped::MappedFigure;
use super::tally::FigureCount;
use super::verdict::{FigureComparison, shares};

/// What a row is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FidelityDetail {
    Figures,
    Margins,
    Cells,
}

/// A figure and what became of it.
pub(crate) struct JudgedFigure {
    pub figure: String,
    pub status: Status,
    pub variables: String,
    /// Why it is not comparable, or the counts and comparisons: of the joint table, then of each margin.
    pub outcome: Result<ComparedFigure, String>,
}

pub(crate) struct ComparedFigure {
    pub mapped: MappedFigure,
    pub count: FigureCount,
    pub comparisons: Vec<FigureComparison>,
}

pub(crate) fn schema(detail: FidelityDetail) -> SchemaRef {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    let number = |name: &str| Field::new(name, DataType::Float64, true);
    let count = |name: &str| Field::new(name, DataType::Int64, true);
    let fields = match detail {
        FidelityDetail::Cells => vec![
            text("figure", false),
            text("status", false),
            text("basis", false),
            text("cell", false),
            number("n"),
            number("rows"),
            number("observed"),
            number("expected"),
            number("difference"),
            number("residual"),
            number("official"),
        ],
        FidelityDetail::Figures | FidelityDetail::Margins => vec![
            text("figure", false),
            text("status", false),
            text("basis", true),
            text("variables", false),
            count("cells"),
            count("rows"),
            number("n"),
            count("outside"),
            count("unmatched"),
            number("tvd"),
            number("noise_floor"),
            number("jsd"),
            number("chi_square"),
            count("df"),
            number("p_value"),
            number("adjusted_p_value"),
            text("verdict", false),
            text("differs_in", true),
            number("false_alarm_rate"),
            number("drift"),
            number("baseline"),
        ],
    };
    Arc::new(Schema::new(fields))
}

fn basis(mapped: &MappedFigure) -> &'static str {
    if mapped.binding { "figure" } else { "network" }
}

/// One row of the figures or the margins.
struct VerdictRow<'a> {
    judged: &'a JudgedFigure,
    outcome: Option<&'a ComparedFigure>,
    variables: &'a str,
    comparison: Option<&'a FigureComparison>,
    verdict: String,
    differs_in: Option<String>,
}

fn joint(judged: &JudgedFigure, alpha: f64) -> VerdictRow<'_> {
    let outcome = judged.outcome.as_ref().ok();
    let (verdict, differs_in) = match &judged.outcome {
        Err(reason) => (format!("not comparable: {reason}"), None),
        Ok(ComparedFigure { mapped, comparisons, .. }) => {
            let differs: Vec<&str> =
                comparisons.iter().filter(|c| differs(c, alpha)).map(|c| name(judged, mapped, c)).collect();
            match differs.is_empty() {
                false => ("differs".into(), Some(differs.join("; "))),
                true if comparisons.iter().all(|c| c.test.is_none()) => ("too few rows".into(), None),
                true => ("agrees".into(), None),
            }
        }
    };
    let comparison = outcome.and_then(|o| o.comparisons.first());
    VerdictRow { judged, outcome, variables: &judged.variables, comparison, verdict, differs_in }
}

fn margin<'a>(
    judged: &'a JudgedFigure,
    outcome: &'a ComparedFigure,
    comparison: &'a FigureComparison,
    alpha: f64,
) -> VerdictRow<'a> {
    let variables = name(judged, &outcome.mapped, comparison);
    let verdict = match comparison.test {
        None => "too few rows",
        Some(_) if differs(comparison, alpha) => "differs",
        Some(_) => "agrees",
    };
    let differs_in = (verdict == "differs").then(|| variables.to_string());
    let comparison = Some(comparison);
    VerdictRow { judged, outcome: Some(outcome), variables, comparison, verdict: verdict.into(), differs_in }
}

fn differs(comparison: &FigureComparison, alpha: f64) -> bool {
    comparison.test.is_some() && comparison.adjusted <= alpha
}

fn name<'a>(judged: &'a JudgedFigure, mapped: &'a MappedFigure, comparison: &FigureComparison) -> &'a str {
    comparison.margin.map_or(&judged.variables, |at| &mapped.columns[at].variable)
}

/// One row a figure, or one a table tested.
pub(crate) fn figures(judged: &[JudgedFigure], detail: FidelityDetail, alpha: f64) -> Result<RecordBatch> {
    let rows: Vec<VerdictRow> = judged
        .iter()
        .flat_map(|judged| match (&judged.outcome, detail) {
            (Ok(outcome), FidelityDetail::Margins) => {
                outcome.comparisons.iter().map(|c| margin(judged, outcome, c, alpha)).collect()
            }
            _ => vec![joint(judged, alpha)],
        })
        .collect();
    let text =
        |of: &dyn Fn(&VerdictRow) -> Option<String>| Arc::new(rows.iter().map(of).collect::<StringArray>()) as ArrayRef;
    let compared = |of: &dyn Fn(&FigureComparison) -> Option<f64>| {
        Arc::new(rows.iter().map(|r| r.comparison.and_then(of)).collect::<Float64Array>()) as ArrayRef
    };
    // Distances of nothing are none.
    let distance = |of: &dyn Fn(&FigureComparison) -> f64| compared(&|c| (c.n_effective > 0.0).then(|| of(c)));
    let counted = |of: &dyn Fn(&ComparedFigure, &FigureComparison) -> Option<u64>| {
        let of = |r: &VerdictRow| of(r.outcome?, r.comparison?).map(|n| n as i64);
        Arc::new(rows.iter().map(of).collect::<Int64Array>()) as ArrayRef
    };
    let baseline = |r: &VerdictRow| match r.comparison?.margin {
        None => r.outcome?.mapped.baseline(),
        Some(_) => None,
    };
    let columns = vec![
        text(&|r| Some(r.judged.figure.clone())),
        text(&|r| Some(r.judged.status.to_string())),
        text(&|r| r.outcome.map(|o| basis(&o.mapped).into())),
        text(&|r| Some(r.variables.to_string())),
        counted(&|_, c| Some(c.cells as u64)),
        counted(&|o, _| Some(o.count.rows)),
        compared(&|c| Some(c.n_effective)),
        counted(&|o, _| Some(o.count.outside)),
        counted(&|o, _| Some(o.count.unmatched)),
        distance(&|c| c.total_variation),
        distance(&|c| c.noise_floor),
        distance(&|c| c.jensen_shannon),
        compared(&|c| Some(c.test?.chi_square)),
        counted(&|_, c| Some(c.test?.df as u64)),
        compared(&|c| Some(c.test?.p_value)),
        compared(&|c| c.test.map(|_| c.adjusted)),
        text(&|r| Some(r.verdict.clone())),
        text(&|r| r.differs_in.clone()),
        compared(&|c| c.test.map(|_| alpha)),
        Arc::new(rows.iter().map(|r| r.outcome?.mapped.drift).collect::<Float64Array>()),
        Arc::new(rows.iter().map(baseline).collect::<Float64Array>()),
    ];
    Ok(RecordBatch::try_new(schema(detail), columns)?)
}

/// One row for each cell of a figure, and one for the combinations that it has no cell for, if anything is there.
pub(crate) fn cells(judged: &JudgedFigure) -> Result<Option<RecordBatch>> {
    let Ok(ComparedFigure { mapped, count, .. }) = &judged.outcome else { return Ok(None) };
    let (observed, expected) = shares(mapped, count);
    let n = count.effective();
    let within: f64 = mapped.expected.iter().sum::<f64>() + mapped.elsewhere;
    let label = |at: usize| match at < mapped.expected.len() {
        true => mapped.cell(at),
        false => "(a combination that the figure has no cell for)".into(),
    };
    let text = |of: &dyn Fn(usize) -> String| {
        Arc::new((0..expected.len()).map(|at| Some(of(at))).collect::<StringArray>()) as ArrayRef
    };
    let number =
        |of: &dyn Fn(usize) -> Option<f64>| Arc::new((0..expected.len()).map(of).collect::<Float64Array>()) as ArrayRef;
    let residual = |at: usize| {
        let (o, e) = (observed[at], expected[at]);
        match (n > 0.0, o == e) {
            (false, _) => None,
            (true, true) => Some(0.0),
            (true, false) => Some((o - e) / (e * (1.0 - e) / n).max(0.0).sqrt()),
        }
    };
    let some = |value: f64| (n > 0.0).then_some(value);
    let columns = vec![
        text(&|_| judged.figure.clone()),
        text(&|_| judged.status.to_string()),
        text(&|_| basis(mapped).into()),
        text(&label),
        number(&|_| Some(n)),
        number(&|at| Some(count.cells.get(at).copied().unwrap_or(count.elsewhere))),
        number(&|at| some(observed[at])),
        number(&|at| Some(expected[at])),
        number(&|at| some(observed[at] - expected[at])),
        number(&residual),
        number(&|at| Some(mapped.own.as_ref()?.get(at)? / within)),
    ];
    Ok(Some(RecordBatch::try_new(schema(FidelityDetail::Cells), columns)?))
}

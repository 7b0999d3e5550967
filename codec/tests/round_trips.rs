//! Every query of the SQL logic tests of the plugin, sent to another session as bytes: as a logical plan, as an optimised
//! one and as a physical one. The plans are the same there, and have the same rows.

#[path = "../../udfs/tests/support/session.rs"]
mod session;
#[path = "support/side.rs"]
mod side;

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::{LogicalPlan, lit};
use session::{files, planned};
use side::Side;
use sqllogictest::{DefaultColumnType, Record};

/// What is not sent for a reason that is not populace's: a part of the error, and why. One that is needed no more fails
/// the test.
const GAPS: &[(&str, &str)] = &[
    (
        "Error serializing custom table",
        "generate_series and information_schema are tables that datafusion-proto does not know",
    ),
    ("StreamingTableExec is none of populace's operators", "information_schema is the session's own"),
    ("serde is not yet implemented for DescribeTable", "DESCRIBE is answered where it is asked"),
    ("(<subquery>) is not yet supported", "datafusion-proto sends no IN (SELECT …); once optimised it is a join"),
    ("where=Boolean(true)", "the condition of a search that has become a join is not shown any more"),
    ("No field named x", "datafusion-proto sends an EmptyRelation without its columns"),
    ("its input 0 has other columns than it had", "the same, beneath a call"),
    ("its input 0 has no column", "the same, beneath a search"),
    ("must match number of fields(0)", "datafusion-proto sends generate_series without columns as one with a column"),
];

/// A plan as both sides show it: datafusion-proto sends UNION ALL of several in pairs, no limit as the largest one, and
/// the rows that a scan may stop at not at all, since a Limit stands above it.
fn shown(plan: &LogicalPlan) -> String {
    let same = plan.clone().transform_up(|plan| {
        Ok(Transformed::yes(match plan {
            LogicalPlan::Union(mut union) => {
                let inputs = union.inputs.into_iter().flat_map(|input| match Arc::unwrap_or_clone(input) {
                    LogicalPlan::Union(inner) => inner.inputs,
                    other => vec![Arc::new(other)],
                });
                union.inputs = inputs.collect();
                LogicalPlan::Union(union)
            }
            LogicalPlan::Limit(mut limit) => {
                limit.fetch = limit.fetch.filter(|most| **most != lit(i64::MAX));
                LogicalPlan::Limit(limit)
            }
            LogicalPlan::TableScan(mut scan) => {
                scan.fetch = None;
                LogicalPlan::TableScan(scan)
            }
            other => other,
        }))
    });
    same.unwrap().data.display_indent().to_string()
}

/// Whether a plan tells how long it took.
fn is_timed(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Analyze(_))
}

/// What is not as it was after a query was sent.
async fn differences(here: &Side, plan: LogicalPlan, window: usize) -> Vec<String> {
    let there = Side::new(window);
    let mut differences = vec![];
    let expected = match is_timed(&plan) {
        false => here.rows(plan.clone()).await.map_err(|e| e.strip_backtrace()),
        true => Ok(vec![]),
    };
    let mut same_plan = |kind: &str, sent: &LogicalPlan| match here.send(sent, &there) {
        Ok(back) if shown(&back) == shown(sent) => Some(back),
        Ok(back) => {
            differences.push(format!("{kind}: {}\nbecame\n{}", sent.display_indent(), back.display_indent()));
            None
        }
        Err(error) => {
            differences.push(format!("{kind}: {}", error.strip_backtrace()));
            None
        }
    };
    let back = same_plan("logical", &plan);
    if let Ok(optimized) = here.context.state().optimize(&plan) {
        same_plan("optimized", &optimized);
    }
    let mut same_rows = |kind: &str, rows: Result<Vec<Vec<String>>>| {
        let rows = rows.map_err(|e| e.strip_backtrace());
        if rows != expected && !is_timed(&plan) {
            differences.push(format!("{kind}: {expected:?}\nbecame\n{rows:?}"));
        }
    };
    if let Some(back) = back {
        same_rows("rows of the logical plan", there.rows(back).await);
    }
    same_rows("rows of the physical plan", here.rows_there(&plan, &there).await);
    differences
}

/// Sends every query of the files whose names begin so; `window` rows are in work at once with the narrator.
async fn all_queries(begin: &str, window: usize) -> (usize, Vec<String>) {
    let (mut queries, mut found) = (0, vec![]);
    let is_wanted = |file: &PathBuf| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(begin));
    for file in files().into_iter().filter(is_wanted) {
        let here = Side::new(window);
        for record in sqllogictest::parse_file::<DefaultColumnType>(&file).unwrap() {
            let (Record::Query { sql, .. } | Record::Statement { sql, .. }) = record else { continue };
            // What fails before there is a plan, as some are meant to, has nothing to send.
            let Ok(frame) = planned(&here.context, &sql).await else { continue };
            queries += 1;
            let name = file.file_name().unwrap().to_string_lossy().to_string();
            let differences = differences(&here, frame.logical_plan().clone(), window).await;
            found.extend(differences.into_iter().map(|difference| format!("{name}: {sql}\n{difference}\n")));
        }
    }
    (queries, found)
}

/// Unoptimised, what reads plans takes more of the stack than a test has.
fn on_a_large_stack(begin: &'static str, window: usize) -> (usize, Vec<String>) {
    let run = move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(64 << 20).build();
        runtime.unwrap().block_on(all_queries(begin, window))
    };
    std::thread::Builder::new().stack_size(64 << 20).spawn(run).unwrap().join().unwrap()
}

#[test]
fn every_query_travels() {
    let (queries, differences) = on_a_large_stack("", 1);
    println!("{queries} queries were sent");
    assert!(queries > 300, "{queries}");
    let is_gap = |difference: &String| GAPS.iter().any(|(error, _)| difference.contains(error));
    let (gaps, wrong): (Vec<String>, Vec<String>) = differences.into_iter().partition(is_gap);
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
    for (error, why) in GAPS {
        assert!(gaps.iter().any(|gap| gap.contains(error)), "nothing fails by `{error}` ({why}) any more");
    }
}

#[test]
fn calls_of_many_rows_at_once_travel() {
    let (queries, differences) = on_a_large_stack("generate_narrative", 4);
    assert!(queries >= 19, "{queries}");
    let wrong: Vec<String> = differences.into_iter().filter(|d| !GAPS.iter().any(|(e, _)| d.contains(e))).collect();
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
}

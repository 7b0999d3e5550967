//! The rule that has people drawn in partitions, side by side, where an aggregate comes to the same whatever their order.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::logical_expr::{Aggregate, Expr, ExprSchemable, LogicalPlan, TableScan};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use crate::people::sample_persona::SamplePersona;

/// Aggregates that do not depend on the order of rows, whatever they are of.
const OF_ANYTHING: [&str; 6] = ["count", "min", "max", "bool_and", "bool_or", "approx_distinct"];

/// Those that do not where they are of whole numbers: sums of others round in another way in another order.
const OF_WHOLE_NUMBERS: [&str; 2] = ["sum", "avg"];

#[derive(Debug)]
pub(crate) struct DrawsInAnyOrder;

impl OptimizerRule for DrawsInAnyOrder {
    fn name(&self) -> &str {
        "draws_in_any_order"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        scans_in_any_order(plan, |table| Some(Arc::new(table.downcast_ref::<SamplePersona>()?.in_any_order()?)))
    }
}

/// An aggregate that comes to the same whatever the order of its rows, with other tables in the place of those whose rows
/// it is of, where there are others that give the same rows in any order. A plan that is no such aggregate stays.
///
/// # Errors
/// If the aggregate cannot be made again.
pub fn scans_in_any_order(
    plan: LogicalPlan,
    in_any_order: impl Fn(&dyn TableProvider) -> Option<Arc<dyn TableProvider>>,
) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Aggregate(aggregate) = plan else { return Ok(Transformed::no(plan)) };
    if !aggregate.aggr_expr.iter().all(|e| is_of_any_order(e, &aggregate)) {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    }
    let read = aggregate.input.as_ref().clone().transform_down(|plan| match plan {
        LogicalPlan::Filter(_) | LogicalPlan::SubqueryAlias(_) => Ok(Transformed::no(plan)),
        // What is made up goes by the order.
        LogicalPlan::Projection(of) if !of.expr.iter().any(Expr::is_volatile) => {
            Ok(Transformed::no(LogicalPlan::Projection(of)))
        }
        LogicalPlan::TableScan(scan) if scan.fetch.is_none() => {
            let table = source_as_provider(&scan.source).ok();
            Ok(match table.and_then(|table| in_any_order(table.as_ref())) {
                Some(table) => {
                    Transformed::yes(LogicalPlan::TableScan(TableScan { source: provider_as_source(table), ..scan }))
                }
                None => Transformed::no(LogicalPlan::TableScan(scan)),
            })
        }
        other => Ok(Transformed::new(other, false, TreeNodeRecursion::Stop)),
    })?;
    if !read.transformed {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    }
    let Aggregate { group_expr, aggr_expr, schema, .. } = aggregate;
    let aggregate = Aggregate::try_new_with_schema(Arc::new(read.data), group_expr, aggr_expr, schema)?;
    Ok(Transformed::yes(LogicalPlan::Aggregate(aggregate)))
}

fn is_of_any_order(expr: &Expr, of: &Aggregate) -> bool {
    let Expr::AggregateFunction(call) = expr.clone().unalias() else { return false };
    let (name, args) = (call.func.name().to_string(), call.params.args);
    OF_ANYTHING.contains(&name.as_str())
        || OF_WHOLE_NUMBERS.contains(&name.as_str()) && args.iter().all(|e| is_whole(e, of))
}

fn is_whole(expr: &Expr, of: &Aggregate) -> bool {
    match expr {
        Expr::Cast(cast) => is_whole(&cast.expr, of),
        expr => expr.get_type(of.input.schema()).is_ok_and(|kind| kind.is_integer()),
    }
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use crate::host::Populace;
    use crate::session::register::register;

    async fn shown(context: &SessionContext, sql: &str) -> String {
        pretty_format_batches(&context.sql(sql).await.unwrap().collect().await.unwrap()).unwrap().to_string()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn partitions_draw_the_same_people() {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packs/tiny");
        let pack = populace_population::compile(&dir).unwrap().pack;
        let session = |partitions| {
            let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(partitions));
            register(&context, Populace::new().with_pack(pack.clone())).unwrap();
            context
        };
        let (one, three) = (session(1), session(3));
        let people = "sample_persona('tinyland', 200001, seed => 5)";
        for (what, partitioned) in [
            ("state, avg(age), count(*) FROM {} WHERE age > 19 GROUP BY state ORDER BY state", true),
            ("count(DISTINCT uuid), sum(row_index), max(uuid) FROM (SELECT uuid, row_index FROM {}) AS p", true),
            ("array_agg(age)[1:3] FROM {}", false),
            ("sum(age + 0.5) FROM {}", false),
            ("count(*) FROM (SELECT * FROM {} LIMIT 150000)", false),
        ] {
            let sql = format!("SELECT {}", what.replace("{}", people));
            let plan = shown(&three, &format!("EXPLAIN {sql}")).await;
            assert_eq!(plan.contains("partitions=3"), partitioned, "{plan}");
            if partitioned {
                assert_eq!(shown(&one, &sql).await, shown(&three, &sql).await, "{sql}");
            }
        }
    }
}

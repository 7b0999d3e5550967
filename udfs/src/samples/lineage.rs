//! What a plan says of its rows: whether a column tells them apart, and how many samples they have come through.
//!
//! DataFusion derives as much from declared primary keys ([`datafusion::common::FunctionalDependencies`]), and gets it
//! wrong in version 54: `unnest` keeps a key whose rows it repeats, and a projection with a computed column takes another
//! column for the key. Statements then lose an ORDER BY or a GROUP BY that they need. So keys are not declared to it, but
//! told by the tables themselves and followed here, through what is known to keep rows apart; whatever is not known does
//! not.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Constraint, JoinType, Result};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan, TableScan};
use populace_population::permuted;

use super::ranks::UUID;
use crate::host::table_search::TableSearch;
#[cfg(feature = "narratives")]
use crate::narratives::generate_persona::Personas;
use crate::nodes::call::{KnownRelation, RelationFacts};
use crate::nodes::relation_function::RelationFunctionNode;
use crate::people::sample_persona::SamplePersona;
use crate::samples::{stratified_sample, table_sample};

/// Whether no two rows of a relation have the same value in the column at this place; NULL does not count.
pub(crate) fn tells_rows_apart(plan: &LogicalPlan, at: usize, host: Option<&dyn TableSearch>) -> bool {
    let of = |input: &LogicalPlan, at: usize| tells_rows_apart(input, at, host);
    let width = |input: &LogicalPlan| input.schema().fields().len();
    match plan {
        LogicalPlan::TableScan(scan) => {
            let at = match &scan.projection {
                Some(columns) => columns.get(at).copied(),
                None => Some(at),
            };
            at.is_some_and(|at| of_table(scan, at, host))
        }
        LogicalPlan::SubqueryAlias(alias) => of(&alias.input, at),
        LogicalPlan::Filter(filter) => of(&filter.input, at),
        LogicalPlan::Sort(sort) => of(&sort.input, at),
        LogicalPlan::Limit(limit) => of(&limit.input, at),
        LogicalPlan::Distinct(Distinct::All(input)) => of(input, at),
        LogicalPlan::Repartition(repartition) => of(&repartition.input, at),
        LogicalPlan::Projection(projection) => {
            projection.expr.get(at).is_some_and(|e| of_column(e, &projection.input, host))
        }
        LogicalPlan::Window(window) => at < width(&window.input) && of(&window.input, at),
        LogicalPlan::Aggregate(group) => match &group.group_expr[..] {
            keys if keys.iter().any(|e| matches!(e, Expr::GroupingSet(_))) => false,
            [_] if at == 0 => true,
            keys => keys.get(at).is_some_and(|e| of_column(e, &group.input, host)),
        },
        LogicalPlan::Join(join) => match join.join_type {
            JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => {
                at < width(&join.left) && of(&join.left, at)
            }
            JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => {
                at < width(&join.right) && of(&join.right, at)
            }
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => false,
        },
        LogicalPlan::Extension(extension) => {
            if let Some(KnownRelation(facts)) = extension.node.as_any().downcast_ref() {
                return facts.keys.contains(&at);
            }
            let Some(node) = extension.node.as_any().downcast_ref::<RelationFunctionNode>() else { return false };
            match node.passed(at) {
                Some((input, at)) => node.function().is_subset() && of(input, at),
                None => node.function().key() == Some(extension.node.schema().field(at).name().as_str()),
            }
        }
        _ => false,
    }
}

/// The same of an expression over a relation.
fn of_column(expr: &Expr, input: &LogicalPlan, host: Option<&dyn TableSearch>) -> bool {
    match expr {
        Expr::Alias(alias) => of_column(&alias.expr, input, host),
        Expr::Column(column) => {
            input.schema().maybe_index_of_column(column).is_some_and(|at| tells_rows_apart(input, at, host))
        }
        _ => false,
    }
}

/// The same of a table: as it says itself, as its host does, or as its definition has it.
fn of_table(scan: &TableScan, at: usize, host: Option<&dyn TableSearch>) -> bool {
    if let Some(definition) = scan.source.get_logical_plan() {
        return tells_rows_apart(&definition, at, host);
    }
    let is_key = |c: &Constraint| matches!(c, Constraint::PrimaryKey(key) | Constraint::Unique(key) if *key == [at]);
    if scan.source.constraints().is_some_and(|constraints| constraints.iter().any(is_key)) {
        return true;
    }
    let Ok(table) = source_as_provider(&scan.source) else { return false };
    #[cfg(feature = "narratives")]
    let drawn = table.is::<SamplePersona>() || table.is::<Personas>();
    #[cfg(not(feature = "narratives"))]
    let drawn = table.is::<SamplePersona>();
    scan.source.schema().field(at).name() == UUID && (drawn || host.is_some_and(|host| host.has_key(&table)))
}

/// Whether people are written up somewhere in a relation, by `generate_persona`.
///
/// # Errors
/// None that a plan is known to have.
pub(crate) fn writes_people(plan: &LogicalPlan) -> Result<bool> {
    plan.exists(|node| {
        let LogicalPlan::TableScan(scan) = node else { return Ok(false) };
        if let Some(definition) = scan.source.get_logical_plan() {
            return writes_people(&definition);
        }
        #[cfg(feature = "narratives")]
        let writes = source_as_provider(&scan.source).is_ok_and(|table| table.is::<Personas>());
        #[cfg(not(feature = "narratives"))]
        let writes = false;
        Ok(writes)
    })
}

/// How many samples lie beneath a relation, one over the other, wherever in it.
///
/// # Errors
/// None that a plan is known to have.
pub(crate) fn samples_beneath(plan: &LogicalPlan) -> Result<u64> {
    let mut most = 0;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(definition) = scan.source.get_logical_plan()
        {
            most = most.max(samples_beneath(&definition)?);
        }
        if let LogicalPlan::Extension(extension) = node
            && let Some(KnownRelation(facts)) = extension.node.as_any().downcast_ref()
        {
            most = most.max(facts.samples);
        }
        if let LogicalPlan::Extension(extension) = node
            && let Some(node) = extension.node.as_any().downcast_ref::<RelationFunctionNode>()
            && is_sample(node)
        {
            for of in node.relations() {
                most = most.max(1 + samples_beneath(of)?);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(most)
}

/// The sample that a relation is, if it has come through one: the function that took it last, with what EXPLAIN shows of
/// its arguments.
///
/// # Errors
/// None that a plan is known to have.
pub fn sample_design(plan: &LogicalPlan) -> Result<Option<String>> {
    let mut design = None;
    plan.apply(|node| {
        if let LogicalPlan::Extension(extension) = node
            && let Some(node) = extension.node.as_any().downcast_ref::<RelationFunctionNode>()
            && is_sample(node)
        {
            design = Some(format!("{}: {}", node.function().name(), node.function().details()));
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(design)
}

fn is_sample(node: &RelationFunctionNode) -> bool {
    [stratified_sample::NAME, table_sample::CLAUSE].contains(&node.function().name())
}

/// What planning a call sees of a relation.
///
/// # Errors
/// As [`samples_beneath`].
pub(crate) fn facts_of(plan: &LogicalPlan, host: Option<&dyn TableSearch>) -> Result<RelationFacts> {
    let fields = plan.schema().fields().iter().enumerate();
    let keys = fields.filter(|(at, field)| field.name() == UUID && tells_rows_apart(plan, *at, host));
    let keys = keys.map(|(at, _)| at).collect();
    Ok(RelationFacts { schema: plan.schema().clone(), keys, samples: samples_beneath(plan)? })
}

/// What ranks are made with in a sample of a relation: its seed, or where samples lie beneath it a seed made of it and
/// their number. With the same numbers, those that the sample below has left would be taken all, or none.
///
/// # Errors
/// As [`samples_beneath`].
pub(crate) fn seed_over(plan: &LogicalPlan, seed: u64) -> Result<u64> {
    Ok(match samples_beneath(plan)? {
        0 => seed,
        depth => permuted(u128::from(seed), depth) as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Populace;
    use crate::session::register::register;
    use datafusion::prelude::SessionContext;

    /// Whether the first column tells the rows of a query apart.
    async fn apart(context: &SessionContext, sql: &str) -> bool {
        let plan = context.state().create_logical_plan(sql).await.unwrap();
        tells_rows_apart(&plan, 0, None)
    }

    async fn session() -> SessionContext {
        let context = SessionContext::new();
        register(&context, Populace::new()).unwrap();
        for sql in [
            "CREATE TABLE t (uuid TEXT, age INT, tags INT[], PRIMARY KEY (uuid)) AS VALUES ('a', 1, [1, 2]), ('b', 1, [3])",
            "CREATE TABLE other (uuid TEXT, age INT) AS VALUES ('a', 1), ('a', 1)",
            "CREATE VIEW adults AS SELECT age, uuid FROM t WHERE age > 0",
        ] {
            context.sql(sql).await.unwrap().collect().await.unwrap();
        }
        context
    }

    #[tokio::test]
    async fn what_keeps_rows_apart() {
        let context = session().await;
        for sql in [
            "SELECT * FROM t",
            "SELECT uuid AS person, age + 1 AS older FROM t AS u WHERE age > 0 ORDER BY age LIMIT 3 OFFSET 1",
            "SELECT DISTINCT uuid, age FROM t",
            "SELECT uuid FROM adults",
            "SELECT uuid, max(age) FROM t GROUP BY uuid",
            "SELECT uuid, row_number() OVER (ORDER BY age) FROM t",
            "SELECT * FROM t LEFT SEMI JOIN other ON t.uuid = other.uuid",
            "SELECT * FROM t WHERE uuid NOT IN (SELECT uuid FROM other)",
            "SELECT * FROM t TABLESAMPLE BERNOULLI (50)",
            "SELECT * FROM stratified_sample((SELECT uuid, age FROM t), 2, strata => age)",
            "SELECT age, count(*) FROM other GROUP BY age",
            "SELECT uuid, score FROM text_search((SELECT * FROM t), 'a', 2, column => 'uuid')",
        ] {
            assert!(apart(&context, sql).await, "{sql}");
        }
    }

    #[tokio::test]
    async fn what_does_not() {
        let context = session().await;
        for sql in [
            "SELECT * FROM other",
            "SELECT age FROM t",
            "SELECT age AS uuid FROM t",
            "SELECT upper(uuid) AS uuid FROM t",
            // Where DataFusion takes the first column for the key
            "SELECT age + 1 AS older, uuid FROM t",
            "SELECT uuid, unnest(tags) FROM t",
            "SELECT uuid FROM (SELECT uuid, unnest(tags) FROM t)",
            "SELECT uuid FROM t UNION ALL SELECT uuid FROM t",
            "SELECT uuid, age FROM t UNION SELECT uuid, age FROM other",
            "SELECT t.uuid FROM t CROSS JOIN other",
            "SELECT t.uuid FROM t JOIN other ON t.uuid = other.uuid",
            "SELECT t.uuid FROM t LEFT JOIN other USING (uuid)",
            "SELECT uuid, age FROM other GROUP BY uuid, age",
            "SELECT uuid, count(*) FROM t GROUP BY ROLLUP (uuid, age)",
            "WITH RECURSIVE r AS (SELECT uuid FROM t UNION ALL SELECT uuid FROM r WHERE false) SELECT uuid FROM r",
            "SELECT * FROM (VALUES ('a'), ('a')) AS v(uuid)",
            "SELECT * FROM other TABLESAMPLE BERNOULLI (50)",
        ] {
            assert!(!apart(&context, sql).await, "{sql}");
        }
    }

    #[tokio::test]
    async fn samples_are_counted() {
        let context = session().await;
        let sample = "SELECT * FROM t TABLESAMPLE BERNOULLI (50)";
        for (sql, expected) in [
            ("SELECT * FROM t".to_string(), 0),
            (sample.to_string(), 1),
            (format!("SELECT * FROM ({sample}) TABLESAMPLE (1 ROWS)"), 2),
            (
                format!(
                    "SELECT * FROM stratified_sample((SELECT a.uuid FROM ({sample}) AS a JOIN other USING (uuid)), 1, strata => 1)"
                ),
                2,
            ),
            (format!("SELECT * FROM t WHERE uuid NOT IN (SELECT uuid FROM ({sample}))"), 1),
            (
                format!(
                    "SELECT uuid FROM ({sample}) UNION ALL SELECT uuid FROM (SELECT * FROM ({sample}) TABLESAMPLE (1 ROWS))"
                ),
                2,
            ),
        ] {
            let plan = context.state().create_logical_plan(&sql).await.unwrap();
            assert_eq!(samples_beneath(&plan).unwrap(), expected, "{sql}");
        }
        let plan = context.state().create_logical_plan(sample).await.unwrap();
        assert_ne!(seed_over(&plan, 7).unwrap(), 7);
        let table = context.state().create_logical_plan("SELECT * FROM t").await.unwrap();
        assert_eq!(seed_over(&table, 7).unwrap(), 7);
    }
}

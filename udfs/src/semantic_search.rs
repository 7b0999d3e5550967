//! `semantic_search(table, query, k, "column" => …, "where" => …)`: the rows nearest in meaning to a text.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Field, Float32Type, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Column, Result, ScalarValue, exec_err, plan_err};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::logical_expr::expr_rewriter::unnormalize_col;
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, ScalarUDF, TableType, col, lit};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, ObjectName, ObjectNamePart, TableFactor};
use populace_population::there_are;

use crate::arguments::Arguments;
use crate::cosine_similarity::CosineSimilarity;
use crate::embed::embed;
use crate::plugin::LazyEmbedder;
use crate::scan::scan;
use crate::{Populace, Purpose, TableSearch, VectorSearch};

pub(crate) const NAME: &str = "semantic_search";
const SCORE: &str = "score";

pub(crate) fn plan(
    mut arguments: Arguments,
    populace: &Populace,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let Some(table) = arguments.take("table") else {
        return plan_err!("{NAME}: the argument `table` is missing: a table, or a query in parentheses");
    };
    let input = context.plan(relation(table)?)?;
    let query = arguments.required_text("query", context)?;
    let k = arguments.integer("k", 1..=1_000_000, context)?.unwrap_or(10) as usize;
    let column = arguments.text("column", context)?.unwrap_or_else(|| "persona".into());
    let column = vector_column(&input, &column)?;
    let filter = match arguments.take("where") {
        Some(sql) => Some(context.sql_to_expr(sql, input.schema())?),
        None => None,
    };
    let Some(embedder) = populace.embedder.clone() else {
        return plan_err!("{NAME}: this session has no embedder");
    };
    let mut fields: Vec<Field> = input.schema().fields().iter().map(|f| f.as_ref().clone()).collect();
    if fields.iter().any(|f| f.name() == SCORE) {
        return plan_err!("{NAME}: the table has a column `{SCORE}` already; leave it out with a subquery");
    }
    fields.push(Field::new(SCORE, DataType::Float32, true));
    let schema = Arc::new(Schema::new(fields));
    let search = Search { input, filter, query, k, column, schema, embedder, host: populace.search.clone() };
    scan(NAME, Arc::new(search))
}

/// A table's name or a subquery, given as an argument, as a relation.
pub(crate) fn relation(sql: SqlExpr) -> Result<TableFactor> {
    let named = |parts: Vec<ObjectNamePart>| TableFactor::Table {
        name: ObjectName(parts),
        alias: None,
        args: None,
        with_hints: vec![],
        version: None,
        with_ordinality: false,
        partitions: vec![],
        json_path: None,
        sample: None,
        index_hints: vec![],
    };
    match sql {
        SqlExpr::Identifier(name) => Ok(named(vec![ObjectNamePart::Identifier(name)])),
        SqlExpr::CompoundIdentifier(names) => Ok(named(names.into_iter().map(ObjectNamePart::Identifier).collect())),
        SqlExpr::Subquery(query) => {
            Ok(TableFactor::Derived { lateral: false, subquery: query, alias: None, sample: None })
        }
        SqlExpr::Nested(inner) => relation(*inner),
        other => plan_err!("`{other}` is neither a table nor a query in parentheses"),
    }
}

/// A vector column by its own name, or by that of the narrative it belongs to.
fn vector_column(input: &LogicalPlan, name: &str) -> Result<String> {
    let is_vector =
        |f: &Field| matches!(f.data_type(), DataType::FixedSizeList(item, _) if item.data_type().is_floating());
    let vectors: Vec<&str> =
        input.schema().fields().iter().filter(|f| is_vector(f)).map(|f| f.name().as_str()).collect();
    let full = format!("{name}_embedding");
    if let Some(found) = vectors.iter().find(|v| **v == name || **v == full) {
        return Ok(found.to_string());
    }
    if vectors.is_empty() {
        return plan_err!("{NAME}: the table has no column of vectors to search; a table of narratives has them");
    }
    let short: Vec<&str> = vectors.iter().map(|v| v.strip_suffix("_embedding").unwrap_or(v)).collect();
    plan_err!("{NAME}: no vectors of `{name}`{}", there_are(name, &short))
}

/// One search, as a table: the columns searched, and `score`.
#[derive(Debug)]
struct Search {
    input: LogicalPlan,
    filter: Option<Expr>,
    query: String,
    k: usize,
    column: String,
    schema: SchemaRef,
    embedder: LazyEmbedder,
    host: Option<Arc<dyn TableSearch>>,
}

#[async_trait]
impl TableProvider for Search {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let vectors = embed(self.embedder.get()?.as_ref(), &[Some(&self.query)], Purpose::Query).await?;
        let vector = vectors.value(0).as_primitive::<Float32Type>().values().to_vec();
        let k = self.k.min(limit.unwrap_or(usize::MAX));
        let (input, kept) = match self.by_host(session, &vector, k).await? {
            Some(found) => (found, None),
            None => (self.by_scan(&vector)?, Some(k)),
        };
        let names: Vec<usize> = match projection {
            Some(columns) => columns.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        let columns = names.iter().map(|i| Expr::Column(Column::new_unqualified(self.schema.field(*i).name())));
        // Both ways end nearest first; equal scores keep an order of their own where the table has a key.
        let score = || Expr::Column(Column::new_unqualified(SCORE));
        let mut order = vec![score().sort(false, false)];
        if self.schema.column_with_name("uuid").is_some() {
            order.push(Expr::Column(Column::new_unqualified("uuid")).sort(true, false));
        }
        let plan = LogicalPlanBuilder::from(input).sort_with_limit(order, kept)?.project(columns)?.build()?;
        session.create_physical_plan(&plan).await
    }
}

impl Search {
    /// The host's own search, where the input is one of its tables.
    async fn by_host(&self, session: &dyn Session, vector: &[f32], k: usize) -> Result<Option<LogicalPlan>> {
        let (Some(host), LogicalPlan::TableScan(scan)) = (&self.host, unaliased(&self.input)) else {
            return Ok(None);
        };
        let provider = source_as_provider(&scan.source)?;
        let search = VectorSearch {
            column: self.column.clone(),
            query: vector.to_vec(),
            k,
            filter: self.filter.clone().map(unnormalize_col),
            projection: None,
        };
        let Some(found) = host.vector_search(session, &provider, &search).await? else { return Ok(None) };
        let table = Arc::new(Found(found));
        Ok(Some(LogicalPlanBuilder::scan("found", provider_as_source(table), None)?.build()?))
    }

    /// Every row that passes the filter, scored.
    fn by_scan(&self, vector: &[f32]) -> Result<LogicalPlan> {
        let mut rows = LogicalPlanBuilder::from(self.input.clone());
        if let Some(filter) = &self.filter {
            rows = rows.filter(filter.clone())?;
        }
        let columns: Vec<Expr> =
            self.input.schema().columns().into_iter().map(|c| Expr::Column(c.clone()).alias(c.name)).collect();
        let numbers: Vec<ScalarValue> = vector.iter().map(|x| ScalarValue::Float32(Some(*x))).collect();
        let query = lit(ScalarValue::List(ScalarValue::new_list_nullable(&numbers, &DataType::Float32)));
        let of = self.input.schema().columns().into_iter().find(|c| c.name == self.column);
        let Some(of) = of else { return exec_err!("{NAME}: no column {}", self.column) };
        let similarity = ScalarUDF::from(CosineSimilarity::new()).call(vec![Expr::Column(of), query]);
        rows.project(columns.into_iter().chain([similarity.alias(SCORE)]))?.filter(col(SCORE).is_not_null())?.build()
    }
}

/// The plan below aliases, and below a projection of all columns as they are.
fn unaliased(plan: &LogicalPlan) -> &LogicalPlan {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => unaliased(&alias.input),
        LogicalPlan::Projection(all)
            if all.expr.len() == all.input.schema().fields().len()
                && all.expr.iter().zip(all.input.schema().columns()).all(|(e, c)| *e == Expr::Column(c)) =>
        {
            unaliased(&all.input)
        }
        plan => plan,
    }
}

/// A physical plan as a table, to go on planning over it.
#[derive(Debug)]
struct Found(Arc<dyn ExecutionPlan>);

#[async_trait]
impl TableProvider for Found {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        use datafusion::physical_plan::expressions::Column;
        use datafusion::physical_plan::projection::ProjectionExec;
        let Some(projection) = projection else { return Ok(self.0.clone()) };
        let schema = self.0.schema();
        let columns = projection.iter().map(|i| {
            let name = schema.field(*i).name();
            (Arc::new(Column::new(name, *i)) as _, name.clone())
        });
        Ok(Arc::new(ProjectionExec::try_new(columns.collect::<Vec<_>>(), self.0.clone())?))
    }
}

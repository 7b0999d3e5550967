//! `validate(table)`: what is wrong with the texts of a table, one row a violation.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, plan_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Map, Value};

use crate::Populace;
use crate::arguments::Arguments;
use crate::checks::{Copies, Severity, Violation, Vocabulary, check_text};
use crate::facts::{facts_of, pack_name};
use crate::packs::Packs;
use crate::scan::scan;
use crate::semantic_search::relation;

pub(crate) const NAME: &str = "validate";

pub(crate) fn plan(
    mut arguments: Arguments,
    populace: &Arc<Populace>,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let Some(table) = arguments.take("table") else {
        return plan_err!("{NAME}: the argument `table` is missing: a table, or a query in parentheses");
    };
    let input = context.plan(relation(table)?)?;
    let narrators = populace.narrators.get(None);
    let kinds = narrators.map(|n| n.kinds()).unwrap_or_default();
    let names: Vec<&str> = input.schema().fields().iter().map(|f| f.name().as_str()).collect();
    let is_text =
        |name: &&str| kinds.iter().any(|k| k == name) || names.contains(&format!("{name}_embedding").as_str());
    let texts: Vec<String> = names.iter().copied().filter(is_text).map(String::from).collect();
    if texts.is_empty() {
        return plan_err!("{NAME}: the table has no narratives; it has: {}", names.join(", "));
    }
    // Vectors say nothing that the texts do not.
    let columns = input.schema().columns().into_iter().filter(|c| !c.name.ends_with("_embedding"));
    let columns: Vec<Expr> = columns.map(|c| Expr::Column(c.clone()).alias(c.name)).collect();
    let input = LogicalPlanBuilder::from(input).project(columns)?.build()?;
    let validation = Arc::new(Validation { input, texts, populace: populace.clone() });
    scan(NAME, validation)
}

fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    Arc::new(Schema::new(["uuid", "narrative", "check", "severity", "detail"].map(text).to_vec()))
}

#[derive(Debug)]
struct Validation {
    input: LogicalPlan,
    texts: Vec<String>,
    populace: Arc<Populace>,
}

#[async_trait]
impl TableProvider for Validation {
    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = session.create_physical_plan(&self.input).await?;
        let (texts, populace) = (self.texts.clone(), self.populace.clone());
        let violations = Arc::new(Violations { rows, texts, populace, schema: schema() });
        StreamingTable::try_new(schema(), vec![violations])?.scan(session, projection, filters, limit).await
    }
}

#[derive(Debug)]
struct Violations {
    rows: Arc<dyn ExecutionPlan>,
    texts: Vec<String>,
    populace: Arc<Populace>,
    schema: SchemaRef,
}

impl PartitionStream for Violations {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (texts, populace) = (self.texts.clone(), self.populace.clone());
        let rows = match execute_stream(self.rows.clone(), context) {
            Ok(rows) => rows.left_stream(),
            Err(error) => stream::iter([Err(error)]).right_stream(),
        };
        let mut validator = Validator { texts, populace, vocabularies: HashMap::new(), copies: HashMap::new() };
        let found = rows.map(move |batch| validator.batch(&batch?));
        let found = found.try_filter(|batch| futures::future::ready(batch.num_rows() > 0));
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), found))
    }
}

/// A person, a narrative, and what is wrong with it.
type Found = (Option<String>, String, Violation);

struct Validator {
    texts: Vec<String>,
    populace: Arc<Populace>,
    /// By country
    vocabularies: HashMap<String, Vocabulary>,
    /// By narrative
    copies: HashMap<String, Copies>,
}

impl Validator {
    fn batch(&mut self, rows: &RecordBatch) -> Result<RecordBatch> {
        let facts = facts_of(rows)?;
        let mut found: Vec<Found> = vec![];
        for kind in self.texts.clone() {
            let Some(texts) = rows.column_by_name(&kind) else { continue };
            let texts = cast(texts, &DataType::Utf8)?;
            for (text, facts) in texts.as_string::<i32>().iter().zip(&facts) {
                let Some(text) = text else { continue };
                let key = facts.get("uuid").and_then(Value::as_str).map(String::from);
                for violation in self.text(&kind, text, facts) {
                    found.push((key.clone(), kind.clone(), violation));
                }
            }
        }
        let column =
            |of: &dyn Fn(&Found) -> Option<String>| Arc::new(found.iter().map(of).collect::<StringArray>()) as ArrayRef;
        let columns = vec![
            column(&|(key, ..)| key.clone()),
            column(&|(_, kind, _)| Some(kind.clone())),
            column(&|(.., v)| Some(v.check.to_string())),
            column(&|(.., v)| Some(v.severity.to_string())),
            column(&|(.., v)| Some(v.detail.clone())),
        ];
        Ok(RecordBatch::try_new(schema(), columns)?)
    }

    fn text(&mut self, kind: &str, text: &str, facts: &Map<String, Value>) -> Vec<Violation> {
        let pack = pack_name(facts).unwrap_or_default();
        let populace = &self.populace;
        let vocabulary = self.vocabularies.entry(pack.to_string()).or_insert_with(|| vocabulary(&populace.packs, pack));
        let mut found = check_text(text, facts, vocabulary);
        let names: Vec<&str> = ["first_name", "last_name"].iter().filter_map(|n| facts.get(*n)?.as_str()).collect();
        let key = facts.get("uuid").and_then(Value::as_str).unwrap_or_default();
        if let Some((of, similarity)) = self.copies.entry(kind.to_string()).or_default().add(key, text, &names) {
            let detail = format!("nearly that of {of} (similarity {similarity:.2})");
            found.push(Violation { check: "copy", severity: Severity::Error, detail });
        }
        found
    }
}

/// What jobs are called in a country; nothing where there is none of this name.
fn vocabulary(packs: &Packs, name: &str) -> Vocabulary {
    packs.get(name).map(|pack| Vocabulary::of(&pack)).unwrap_or_default()
}

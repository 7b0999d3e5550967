//! Scores of texts, by a model that did not write them or did.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{Result, plan_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use populace_udfs::{Narrator, OnOutage, narrate};

/// What a writer leaves in a row, and what it is called while the judge is at work, which leaves the same.
const WRITERS: [(&str, &str); 2] = [("narrator", "written_by"), ("narrative_error", "writing_error")];

/// What the judge's own are called in the end.
const JUDGES: [&str; 2] = ["judge", "judge_error"];

/// Those who score.
pub(super) struct Judge(Arc<dyn Narrator>);

impl Judge {
    /// # Errors
    /// If the narrator gives no scores.
    pub fn new(narrator: Arc<dyn Narrator>) -> Result<Judge> {
        match narrator.scores().is_empty() {
            true => plan_err!("{} is no judge: it is a model that scores, openai:MODEL", narrator.name()),
            false => Ok(Judge(narrator)),
        }
    }

    pub fn narrator(&self) -> &Arc<dyn Narrator> {
        &self.0
    }

    /// The columns that are added to those of the people: the scores, who gave them, and why there are none.
    pub fn columns(&self) -> Vec<Field> {
        let scores = self.0.scores().into_iter().map(|s| Field::new(s, DataType::Int8, true));
        scores.chain(JUDGES.map(|name| Field::new(name, DataType::Utf8, true))).collect()
    }

    /// The schema of people with scores.
    pub fn schema(&self, people: &Schema) -> SchemaRef {
        let fields = people.fields().iter().map(|f| f.as_ref().clone()).chain(self.columns());
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// People with scores of their texts; what cannot be scored is NULL, and `judge_error` says why.
    pub fn judged(&self, people: SendableRecordBatchStream) -> SendableRecordBatchStream {
        let schema = self.schema(&people.schema());
        let aside = renamed(&people.schema(), &WRITERS);
        let to = aside.clone();
        let people = people.map(move |batch| Ok(RecordBatch::try_new(to.clone(), batch?.columns().to_vec())?));
        let people = Box::pin(RecordBatchStreamAdapter::new(aside, people));
        let scored = narrate(self.0.clone(), self.0.scores(), people, OnOutage::Stop);
        let to = schema.clone();
        let scored = scored.map(move |batch| {
            let batch = batch?;
            let columns = batch.columns().iter().zip(to.fields()).map(|(c, f)| Ok(cast(c, f.data_type())?));
            Ok(RecordBatch::try_new(to.clone(), columns.collect::<Result<_>>()?)?)
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, scored))
    }
}

fn renamed(schema: &Schema, names: &[(&str, &str)]) -> SchemaRef {
    let field = |f: &Arc<Field>| match names.iter().find(|(name, _)| name == f.name()) {
        Some((_, other)) => f.as_ref().clone().with_name(*other),
        None => f.as_ref().clone(),
    };
    Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
}

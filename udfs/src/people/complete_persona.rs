//! `complete_persona(country, people [, key => expression] [, seed => …] [, nulls => …] [, on_impossible => …])`: rows with
//! some facts, the others drawn from the posterior given these.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray, new_null_array};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use populace_population::{Completion, OnImpossible, Pack};

use crate::call::arguments::{Arguments, expression};
use crate::call::table_function::{Parameter, TableFunction};
use crate::host::packs::{Packs, population_error};
use crate::nodes::relation_function::{RelationFunction, Wanted, in_background, relation};

pub(crate) const NAME: &str = "complete_persona";

/// What the hash is of that a completed row's uuid is.
const UUID: &str = "populace 2026-11 completion v1";

/// What the key is called among the columns of the query.
const KEY: &str = "key of complete_persona";

/// The function, as a session has it.
pub(crate) const FUNCTION: TableFunction = TableFunction {
    name: NAME,
    parameters: &[
        Parameter::required("country", ""),
        Parameter::required("people", "").relation(),
        Parameter::optional("key", "expression"),
        Parameter::optional("seed", "number"),
        Parameter::optional("nulls", "'unknown' | 'known'"),
        Parameter::optional("on_impossible", "'error' | 'null'"),
    ],
    positional: 2,
    description: "Rows with some facts, and the others drawn from what the country's network says of them given these (the posterior), exactly. NULL is what is not known, in any pattern; with `nulls => 'known'` it is the level that is NULL, such as the occupation of those who have none, where a column has one. What is drawn depends on the seed and on the row's key alone: `key`, or the column `uuid`, or else all values of the row (equal rows are numbered). Facts that nobody has together are an error, or with `on_impossible => 'null'` the rest of their row stays NULL. The columns are those of sample_persona, then those of the query that it has not; `seed`, `row_index` and `given` are NULL.",
    example: "SELECT * FROM complete_persona('usa', (SELECT 'Mary' AS first_name, 34 AS age, 'TX' AS state))",
    plan: |arguments, populace, context| plan(arguments, &populace.packs, context),
};

fn plan(mut arguments: Arguments, packs: &Packs, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    let pack = packs.get(&arguments.required_text("country", context)?)?;
    let people = arguments.table("people", context)?;
    let mut columns: Vec<Expr> = people.schema().columns().into_iter().map(Expr::Column).collect();
    let of_uuid = people.schema().columns().into_iter().find(|c| c.name == "uuid").map(Expr::Column);
    let key = match arguments.take("key") {
        Some(sql) => Some(expression(NAME, "key", sql, people.schema(), context)?),
        None => of_uuid,
    };
    let keyed = key.is_some();
    columns.extend(key.map(|key| key.alias(KEY)));
    let people = LogicalPlanBuilder::from(people).project(columns)?.build()?;
    let seed = arguments.integer("seed", 0..=i128::from(u64::MAX), context)?.unwrap_or(0) as u64;
    let known = arguments.choice("nulls", &[("unknown", false), ("known", true)], context)?.unwrap_or(false);
    let policies = [("error", OnImpossible::Error), ("null", OnImpossible::Null)];
    let on_impossible = arguments.choice("on_impossible", &policies, context)?.unwrap_or_default();
    let completion = Completion::new(pack, seed, on_impossible).nulls_are_known(known);
    let call = CompletePersona::new(&people, keyed, seed, completion)?;
    relation(call, vec![people], None)
}

/// One call.
#[derive(Debug)]
struct CompletePersona {
    /// Whether the last column of the people is their key
    keyed: bool,
    seed: u64,
    completion: Completion,
    /// Where each column of the result comes from
    sources: Vec<Source>,
    schema: SchemaRef,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    Uuid,
    /// A column of the completion
    Completed(usize),
    Country,
    Pack,
    /// What no draw has given
    Null,
    /// A column of the query
    Query(usize),
}

impl CompletePersona {
    /// The columns of a draw, then those of the query that no draw has.
    fn new(people: &LogicalPlan, keyed: bool, seed: u64, completion: Completion) -> Result<CompletePersona> {
        let (drawn, completed) = (completion.pack().schema(), completion.schema());
        let (mut fields, mut sources) = (vec![], vec![]);
        for field in drawn.fields() {
            let (source, field) = match (field.name().as_str(), completed.column_with_name(field.name())) {
                (_, Some((at, field))) => (Source::Completed(at), field.clone()),
                ("uuid", _) => (Source::Uuid, field.as_ref().clone()),
                ("country", _) => (Source::Country, field.as_ref().clone()),
                ("pack", _) => (Source::Pack, field.as_ref().clone()),
                _ => (Source::Null, field.as_ref().clone().with_nullable(true)),
            };
            fields.push(field);
            sources.push(source);
        }
        let given = people.schema().as_arrow().fields();
        let hidden = |name: &str| completion.pack().variables().iter().any(|v| v.hidden && v.name == name);
        for (at, field) in given.iter().enumerate().take(given.len() - usize::from(keyed)) {
            if fields.iter().any(|f: &Field| f.name() == field.name()) || hidden(field.name()) {
                continue;
            }
            fields.push(field.as_ref().clone());
            sources.push(Source::Query(at));
        }
        if !given.iter().any(|f| completed.column_with_name(f.name()).is_some() || hidden(f.name())) {
            let facts: Vec<&str> = completed.fields().iter().map(|f| f.name().as_str()).collect();
            return plan_err!(
                "{NAME}: the query has none of the facts of `{}`, so that there is nothing to complete; they are: {}. To \
                 draw people of whom nothing is known: sample_persona",
                completion.pack().name(),
                facts.join(", ")
            );
        }
        Ok(CompletePersona { keyed, seed, completion, sources, schema: Arc::new(Schema::new(fields)) })
    }

    /// The key of each row: its own, or all its values and how many rows before had the same.
    fn keys(&self, batch: &RecordBatch, seen: &Mutex<HashMap<blake3::Hash, u64>>) -> Result<Vec<Vec<u8>>> {
        let options = FormatOptions::default().with_null("NULL");
        let of = if self.keyed { batch.num_columns().saturating_sub(1) } else { 0 };
        let columns = &batch.columns()[of..];
        if self.keyed && columns.iter().any(|key| key.null_count() > 0) {
            return plan_err!("{NAME}: the key of a row is NULL: give each row one, as in key => coalesce(uuid, name)");
        }
        let texts =
            columns.iter().map(|c| ArrayFormatter::try_new(c.as_ref(), &options)).collect::<Result<Vec<_>, _>>()?;
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let key = |row: usize| {
            let texts: Vec<String> = texts.iter().map(|t| t.value(row).to_string()).collect();
            let text = texts.join(" | ");
            if self.keyed {
                return text.into_bytes();
            }
            let before = seen.entry(blake3::hash(text.as_bytes())).or_insert(0);
            *before += 1;
            format!("{text} | {before}").into_bytes()
        };
        Ok((0..batch.num_rows()).map(key).collect())
    }

    fn complete(&self, batch: &RecordBatch, keys: &[Vec<u8>], projection: &[usize]) -> Result<RecordBatch> {
        let completed = self.completion.complete(batch, keys).map_err(population_error)?;
        let pack = self.completion.pack();
        let rows = batch.num_rows();
        let constant = |text: &str| -> Result<ArrayRef> {
            let values = Arc::new(StringArray::from(vec![text]));
            Ok(Arc::new(DictionaryArray::try_new(Int32Array::from(vec![0; rows]), values)?))
        };
        let column = |at: &usize| -> Result<ArrayRef> {
            Ok(match self.sources[*at] {
                Source::Uuid => self.uuids(batch, keys)?,
                Source::Completed(at) => completed.column(at).clone(),
                Source::Country => constant(pack.country())?,
                Source::Pack => constant(&pack.id())?,
                Source::Null => new_null_array(self.schema.field(*at).data_type(), rows),
                Source::Query(at) => batch.column(at).clone(),
            })
        };
        let columns = projection.iter().map(column).collect::<Result<Vec<ArrayRef>>>()?;
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::new(self.schema.project(projection)?), columns, &options)?)
    }

    /// Those of the query, and for rows without one a hash of the pack, the seed and the key.
    fn uuids(&self, batch: &RecordBatch, keys: &[Vec<u8>]) -> Result<ArrayRef> {
        let pack = self.completion.pack();
        let mut hasher = blake3::Hasher::new_derive_key(UUID);
        hasher.update(&(pack.name().len() as u64).to_le_bytes()).update(pack.name().as_bytes());
        hasher.update(&pack.edition().to_le_bytes()).update(&self.seed.to_le_bytes());
        let fresh = |key: &Vec<u8>| hasher.clone().update(key).finalize().to_hex()[..32].to_string();
        let own = match batch.column_by_name("uuid") {
            Some(own) => arrow::compute::cast(own, &arrow::datatypes::DataType::Utf8)?,
            None => new_null_array(&arrow::datatypes::DataType::Utf8, batch.num_rows()),
        };
        let own: &StringArray = arrow::array::AsArray::as_string(&own);
        let uuids = own.iter().zip(keys).map(|(own, key)| own.map_or_else(|| fresh(key), String::from));
        Ok(Arc::new(StringArray::from_iter_values(uuids)))
    }
}

impl RelationFunction for CompletePersona {
    fn operator(&self) -> &'static str {
        "CompletePersonaExec"
    }

    fn name(&self) -> &'static str {
        NAME
    }

    fn pack(&self) -> Option<Arc<Pack>> {
        Some(self.completion.pack().clone())
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn details(&self) -> String {
        let key = if self.keyed { "" } else { ", keyed by all values" };
        format!("country={}, seed={}{key}", self.completion.pack().id(), self.seed)
    }

    fn start(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        let Wanted { task, projection, inputs, .. } = wanted;
        let begin = async move {
            let people = inputs[0].rows(&task)?;
            let (call, seen) = (self.clone(), Mutex::new(HashMap::new()));
            // The rows that were seen before are counted in the order of the stream.
            let keyed = people.and_then(move |batch| {
                let keys = call.keys(&batch, &seen).map(|keys| (batch, keys));
                async move { keys }
            });
            Ok::<_, DataFusionError>(in_background(keyed, move |(batch, keys)| {
                self.complete(&batch, &keys, &projection)
            }))
        };
        stream::once(begin).try_flatten().boxed()
    }
}

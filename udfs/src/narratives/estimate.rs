//! What the calls of a plan would come to, before it runs.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use datafusion::common::Result;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNode;
use datafusion::config::ConfigOptions;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::async_scalar_function::AsyncFuncExpr;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_plan::async_func::AsyncFuncExec;
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::TryStreamExt;
use populace_population::permuted;

use crate::host::facts::facts_of;
use crate::host::narrator::{Estimate, NarrativeRequest, Narrator};
use crate::narratives::generate_persona::NarrateExec;
use crate::narratives::narrate_calls::NarrateCalls;
use crate::nodes::relation_function::RelationFunctionExec;
use crate::scalars::embed;

/// Rows whose prompts are made to tell what those of all would come to.
const SAMPLED_ROWS: usize = 1_000;

/// Rows that are read of an input that says how many it has.
const READ: u64 = 100_000;

/// Estimates the calls to models that a plan would make; `None` if it makes none. Nobody is asked: the prompts of some
/// thousand rows are made, at most, and what they come to is taken to be so for all. Calls made from what others return
/// cannot be told beforehand, and are not counted.
///
/// # Errors
/// If what they are made from cannot be computed.
pub async fn estimate(plan: &Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Result<Option<Estimate>> {
    let mut paying = vec![];
    find_paying(plan, None, &mut paying);
    let (mut total, mut any) = (Estimate::default(), false);
    for (node, most) in paying {
        let (input, calls) = match (node.downcast_ref::<NarrateCalls>(), node.downcast_ref::<NarrateExec>()) {
            (Some(calls), _) => (calls.input(), Some(calls)),
            (None, Some(people)) => (people.input(), None),
            (None, None) => continue,
        };
        if input.exists(|node| Ok(asks(node)))? {
            continue;
        }
        let known = match input.partition_statistics(None)?.num_rows {
            Precision::Exact(rows) => Some(rows as u64),
            _ => None,
        };
        let rows = execute_stream(input.clone(), context.clone())?;
        match (calls, node.downcast_ref::<NarrateExec>()) {
            (Some(calls), _) => any |= of_calls(calls, rows, (known, most), &context, &mut total).await?,
            (None, Some(people)) => {
                let mut sample = RowSample::of(rows, known).await?;
                sample.count = sample.count.min(most.unwrap_or(u64::MAX));
                any |= sample.estimate(people.narrator().as_ref(), people.kinds(), &mut total)?;
            }
            (None, None) => {}
        }
    }
    Ok(any.then_some(total))
}

/// Texts that a plan would have embedded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EmbeddedTexts {
    /// Different ones
    pub count: u64,
    /// Their bytes in UTF-8, in all
    pub bytes: u64,
}

/// The texts that `embed` and the searches of a plan would have embedded; nothing is embedded. Of `embed`, those of some
/// hundred thousand rows at most are read, and taken to be so for all; texts that a model is to write are not counted.
/// `fact_search` embeds values of columns too, those that were never met before, which are not counted either.
///
/// # Errors
/// If the texts cannot be computed.
pub async fn embedded(plan: &Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Result<EmbeddedTexts> {
    let (mut nodes, mut total) = (vec![plan.clone()], EmbeddedTexts::default());
    while let Some(node) = nodes.pop() {
        nodes.extend(node.children().into_iter().cloned());
        if let Some(text) = node.downcast_ref::<RelationFunctionExec>().and_then(|call| call.function().embedded_text())
        {
            total.count += 1;
            total.bytes += text.len() as u64;
        }
        let Some(calls) = node.downcast_ref::<AsyncFuncExec>() else { continue };
        let texts: Vec<Arc<dyn PhysicalExpr>> = calls.async_exprs().iter().filter_map(|call| text_of(call)).collect();
        if !texts.is_empty() && !calls.input().exists(|node| Ok(asks(node) || node.is::<AsyncFuncExec>()))? {
            let of = texts_of(&texts, calls.input(), &context).await?;
            total.count += of.count;
            total.bytes += of.bytes;
        }
    }
    Ok(total)
}

/// What a call of `embed` embeds.
fn text_of(call: &AsyncFuncExpr) -> Option<Arc<dyn PhysicalExpr>> {
    let function = call.func.downcast_ref::<ScalarFunctionExpr>().filter(|f| f.fun().name() == embed::NAME)?;
    function.args().first().cloned()
}

async fn texts_of(
    texts: &[Arc<dyn PhysicalExpr>],
    input: &Arc<dyn ExecutionPlan>,
    context: &Arc<TaskContext>,
) -> Result<EmbeddedTexts> {
    let known = match input.partition_statistics(None)?.num_rows {
        Precision::Exact(rows) => Some(rows as u64),
        _ => None,
    };
    let mut rows = execute_stream(input.clone(), context.clone())?;
    let (mut distinct, mut found, mut read) = (Distinct::default(), EmbeddedTexts::default(), 0u64);
    while let Some(batch) = rows.try_next().await? {
        for text in texts {
            let text = cast(&text.evaluate(&batch)?.into_array(batch.num_rows())?, &DataType::Utf8)?;
            let asked = (0..text.len() as u32).filter(|row| text.is_valid(*row as usize)).collect();
            let new = distinct.new_ones(std::slice::from_ref(&text), asked)?;
            let text = text.as_string::<i32>();
            found.count += new.len() as u64;
            found.bytes += new.iter().map(|row| text.value(*row as usize).len() as u64).sum::<u64>();
        }
        read += batch.num_rows() as u64;
        if known.is_some() && read >= READ {
            break;
        }
    }
    let share = known.map_or(1.0, |known| (known as f64 / read.max(1) as f64).max(1.0));
    let scale = |number: u64| (number as f64 * share).round() as u64;
    Ok(EmbeddedTexts { count: scale(found.count), bytes: scale(found.bytes) })
}

/// The operators that ask a model, and of how many rows at most, where a function above asks for so many alone.
fn find_paying(
    node: &Arc<dyn ExecutionPlan>,
    most: Option<u64>,
    found: &mut Vec<(Arc<dyn ExecutionPlan>, Option<u64>)>,
) {
    if asks(node) {
        found.push((node.clone(), most));
    }
    // What a condition from above reaches through.
    let passes = node.is::<FilterExec>() || matches!(node.cardinality_effect(), CardinalityEffect::Equal);
    for (at, child) in node.children().into_iter().enumerate() {
        let most = match node.downcast_ref::<RelationFunctionExec>() {
            Some(call) => call.function().most_rows_of(at),
            None => most.filter(|_| passes),
        };
        find_paying(child, most, found);
    }
}

fn asks(node: &Arc<dyn ExecutionPlan>) -> bool {
    node.is::<NarrateCalls>() || node.is::<NarrateExec>()
}

/// Calls about rows, `most` of them, of which there are `known`: those about the same values are made once.
async fn of_calls(
    calls: &NarrateCalls,
    mut rows: SendableRecordBatchStream,
    (known, most): (Option<u64>, Option<u64>),
    context: &Arc<TaskContext>,
    total: &mut Estimate,
) -> Result<bool> {
    let options: Arc<ConfigOptions> = context.session_config().options().clone();
    let mut samples: Vec<(Distinct, RowSample)> = vec![];
    let mut read = 0u64;
    while let Some(batch) = rows.try_next().await? {
        let arguments = calls.arguments(&batch, &options)?;
        samples.resize_with(arguments.len(), || (Distinct::default(), RowSample::default()));
        for ((distinct, sample), (what, facts)) in samples.iter_mut().zip(arguments) {
            let asked: Vec<u32> = (0..batch.num_rows()).filter(|row| what.is_valid(*row)).map(|r| r as u32).collect();
            let columns: Vec<ArrayRef> = [what].into_iter().chain(facts).collect();
            let new = distinct.new_ones(&columns, asked)?;
            sample.add(&batch, &new)?;
        }
        read += batch.num_rows() as u64;
        if known.is_some() && read >= READ {
            break;
        }
    }
    let share = known.map_or(1.0, |known| known as f64 / read.max(1) as f64);
    let mut any = false;
    for (at, (_, sample)) in samples.into_iter().enumerate() {
        let count = ((sample.count as f64 * share).round() as u64).min(most.unwrap_or(u64::MAX));
        let Some(rows) = sample.rows()? else { continue };
        let asked = calls.asked(&rows, &options)?.swap_remove(at);
        any |= scaled(count, rows.num_rows(), total, |part| calls.narrator().estimate(&asked, part))?;
    }
    Ok(any)
}

/// What a part comes to, as so many times the whole.
fn scaled(
    count: u64,
    sampled: usize,
    total: &mut Estimate,
    of: impl FnOnce(&mut Estimate) -> Result<bool>,
) -> Result<bool> {
    if count == sampled as u64 {
        return of(total);
    }
    let mut part = Estimate::default();
    let any = of(&mut part)?;
    let times = count as f64 / sampled as f64;
    let scale = |number: u64| (number as f64 * times).round() as u64;
    total.sampled = true;
    total.calls += scale(part.calls);
    total.known += scale(part.known);
    total.prompt_tokens += scale(part.prompt_tokens);
    total.completion_tokens += scale(part.completion_tokens);
    total.cost_usd = match (total.cost_usd, part.cost_usd.map(|cost| cost * times)) {
        (Some(one), Some(other)) => Some(one + other),
        (one, other) => one.or(other),
    };
    Ok(any)
}

/// Rows of values that were not met before.
#[derive(Default)]
struct Distinct {
    converter: Option<RowConverter>,
    met: HashSet<u128>,
}

impl Distinct {
    /// Those of the rows whose values are new; all of them, where values cannot be compared.
    fn new_ones(&mut self, columns: &[ArrayRef], rows: Vec<u32>) -> Result<Vec<u32>> {
        let fields: Vec<SortField> = columns.iter().map(|c| SortField::new(c.data_type().clone())).collect();
        if !RowConverter::supports_fields(&fields) {
            return Ok(rows);
        }
        let converter = match &mut self.converter {
            Some(converter) => converter,
            None => self.converter.insert(RowConverter::new(fields)?),
        };
        let encoded = converter.convert_columns(columns)?;
        let hash = |row: usize| {
            let hash = blake3::hash(encoded.row(row).as_ref());
            u128::from_le_bytes(std::array::from_fn(|at| hash.as_bytes()[at]))
        };
        Ok(rows.into_iter().filter(|row| self.met.insert(hash(*row as usize))).collect())
    }
}

/// Some of the rows of a stream, each of which had the same chance, and how many there are.
#[derive(Debug, Default)]
pub struct RowSample {
    rows: Vec<RecordBatch>,
    count: u64,
}

impl RowSample {
    /// Samples the rows of a stream. Of one that is `known` to have so many no more are read than there is need to: the
    /// rows of a draw are in no order.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn of(mut rows: SendableRecordBatchStream, known: Option<u64>) -> Result<RowSample> {
        let mut sample = RowSample::default();
        while let Some(batch) = rows.try_next().await? {
            let all: Vec<u32> = (0..batch.num_rows() as u32).collect();
            sample.add(&batch, &all)?;
            if let Some(known) = known
                && sample.count >= READ
            {
                sample.count = known;
                break;
            }
        }
        Ok(sample)
    }

    /// How many rows there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Algorithm R (Vitter 1985): the n-th row takes the place of one of those kept with the chance that it is among so
    /// many of n. The same rows whenever it is asked.
    fn add(&mut self, batch: &RecordBatch, rows: &[u32]) -> Result<()> {
        let (mut places, mut taken) = (vec![], vec![]);
        for row in rows {
            self.count += 1;
            let place = match usize::try_from(self.count) {
                Ok(count) if count <= SAMPLED_ROWS => count - 1,
                _ => (permuted(u128::from(self.count), 0) % u128::from(self.count)) as usize,
            };
            if place < SAMPLED_ROWS {
                places.push(place);
                taken.push(*row);
            }
        }
        if taken.is_empty() {
            return Ok(());
        }
        let copies = match batch.num_columns() {
            // Prompts that no column goes into: there is nothing to take but a count.
            0 => {
                let count = RecordBatchOptions::new().with_row_count(Some(taken.len()));
                RecordBatch::try_new_with_options(batch.schema(), vec![], &count)?
            }
            _ => take_record_batch(batch, &UInt32Array::from(taken))?,
        };
        for (at, place) in places.into_iter().enumerate() {
            let row = copies.slice(at, 1);
            match self.rows.get_mut(place) {
                Some(kept) => *kept = row,
                None => self.rows.push(row),
            }
        }
        Ok(())
    }

    fn rows(&self) -> Result<Option<RecordBatch>> {
        let Some(first) = self.rows.first() else { return Ok(None) };
        Ok(Some(arrow::compute::concat_batches(first.schema_ref(), &self.rows)?))
    }

    /// Adds what it would come to to write all these people up with texts of these kinds; false if the narrator asks
    /// nobody.
    ///
    /// # Errors
    /// If the prompts cannot be made.
    pub fn estimate(&self, narrator: &dyn Narrator, kinds: &[String], total: &mut Estimate) -> Result<bool> {
        let Some(rows) = self.rows()? else { return Ok(false) };
        scaled(self.count, rows.num_rows(), total, |part| {
            let mut any = false;
            for facts in facts_of(&rows)? {
                any |= narrator.estimate(&NarrativeRequest::of_kinds(kinds, facts), part)?;
                if !any {
                    break;
                }
            }
            Ok(any)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Int64Array;
    use arrow::datatypes::Int64Type;

    #[test]
    fn samples_are_of_all_rows_alike() {
        let mut sample = RowSample::default();
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..10_000));
        let rows = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
        for start in 0..100 {
            sample.add(&rows.slice(start * 100, 100), &(0..100).collect::<Vec<_>>()).unwrap();
        }
        let kept = sample.rows().unwrap().unwrap();
        let kept: HashSet<i64> = kept.column(0).as_primitive::<Int64Type>().values().iter().copied().collect();
        assert_eq!((kept.len(), sample.count()), (SAMPLED_ROWS, 10_000));
        // Of each tenth of the rows a tenth: 100 with a standard deviation of 9.
        for tenth in 0..10 {
            let of = kept.iter().filter(|n| **n / 1_000 == tenth).count();
            assert!((64..=136).contains(&of), "{of} of the rows from {tenth},000");
        }
    }
}

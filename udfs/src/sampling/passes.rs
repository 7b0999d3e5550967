//! The two passes over a table: one that counts and ranks, and one that reads the rows taken.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch,
    RecordBatchOptions, StringArray,
};
use arrow::compute::filter;
use arrow::datatypes::{DataType, Field, Float64Type, Int32Type, Schema, SchemaRef, UInt64Type};
use datafusion::common::{Result, exec_err};
use datafusion::execution::session_state::SessionState;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, cast, lit};
use datafusion::physical_plan::execute_stream;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};

use super::allocation::{Design, Stratum, allocate};
use super::numbered::{Numbered, numbers};
use super::quotas::Quotas;
use super::ranks::{Key, Ranks, UUID};
use super::strata::Strata;
use super::tally::{Ranked, Tally};
use crate::TableSearch;

/// What a stratified sample adds to the columns of its table.
pub(crate) const STRATUM: &str = "stratum";
pub(crate) const SAMPLING_WEIGHT: &str = "sampling_weight";
pub(crate) const STRATUM_SIZE: &str = "stratum_size";

/// Rows taken by name: the second pass asks the table for so many keys at most, and else reads it all. A table with an
/// index, or with wide columns that it need not read, gives them sooner.
const MOST_KEYS: u64 = 10_000;

/// A sample of fixed size in every stratum.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub function: &'static str,
    pub input: LogicalPlan,
    /// Without any, all rows are one stratum
    pub strata: Vec<Expr>,
    /// A number
    pub study_variable: Option<Expr>,
    /// Its `n` counts for nothing
    pub design: Design,
    /// Rows in all; quotas say it themselves
    pub n: Option<u64>,
    /// In the form of [`super::quotas::plan`]
    pub quotas: Option<LogicalPlan>,
    /// What ranks are made with: [`super::lineage::seed_over`]
    pub seed: u64,
    /// Where tables are kept
    pub host: Option<Arc<dyn TableSearch>>,
}

/// Which rows of a stratum are taken: `quota` of them, those of the lowest ranks.
struct Cut {
    highest: Option<u128>,
    quota: u64,
    weight: f64,
    /// Rows of the stratum in the table
    size: i64,
    taken: u64,
}

impl Sample {
    /// The columns of the table, `stratum`, `sampling_weight` and `stratum_size`.
    pub fn schema(&self) -> SchemaRef {
        let mut fields: Vec<Field> = self.input.schema().fields().iter().map(|f| f.as_ref().clone()).collect();
        let text = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        fields.push(Field::new(STRATUM, text, false));
        fields.push(Field::new(SAMPLING_WEIGHT, DataType::Float64, false));
        fields.push(Field::new(STRATUM_SIZE, DataType::Int64, false));
        Arc::new(Schema::new(fields))
    }

    /// Takes the sample; gives these columns of [`Sample::schema`], in the order in which the table gives its rows.
    pub fn rows(
        self: Arc<Sample>,
        state: Arc<SessionState>,
        task: Arc<TaskContext>,
        projection: Vec<usize>,
    ) -> BoxStream<'static, Result<RecordBatch>> {
        stream::once(async move { self.begin(&state, task, projection).await }).try_flatten().boxed()
    }

    async fn begin(
        &self,
        state: &SessionState,
        task: Arc<TaskContext>,
        projection: Vec<usize>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let quotas = match &self.quotas {
            Some(table) => Some(Quotas::read(self.function, table, state, task.clone()).await?),
            None => None,
        };
        let n = match (&quotas, self.n) {
            (None, n) => n.unwrap_or(0),
            (Some(quotas), Some(n)) if n != quotas.total() => {
                let total = quotas.total();
                return exec_err!("{}: the quotas come to {total} rows, but n is {n}; leave n out", self.function);
            }
            (Some(quotas), _) if quotas.total() == 0 => {
                return exec_err!("{}: the quotas come to no rows", self.function);
            }
            (Some(quotas), _) => quotas.total(),
        };
        let design = Design { n, ..self.design };
        let key = Key::of(&self.input, self.host.as_deref());
        let (key, taken) = match self.take(state, &task, &key, &design, quotas.as_ref()).await? {
            Some(taken) => (key, taken),
            // All rows were read, however many are taken: that one of them has no key is a matter of the relation.
            None => {
                Key::Content.check(self.function, &self.input)?;
                match self.take(state, &task, &Key::Content, &design, quotas.as_ref()).await? {
                    Some(taken) => (Key::Content, taken),
                    None => return exec_err!("{}: rows without a rank", self.function),
                }
            }
        };
        self.read(state, task, &key, taken, projection).await
    }

    /// The columns that a pass reads of the input, under names of their own.
    fn columns(&self, places: &[usize]) -> Vec<Expr> {
        let columns = self.input.schema().columns();
        places.iter().map(|at| Expr::Column(columns[*at].clone())).collect()
    }

    fn ranks(&self, key: &Key) -> Result<Ranks> {
        let schema = self.input.schema();
        let places = key.columns(schema.fields().len());
        let columns: Vec<_> =
            places.iter().map(|at| schema.field(*at)).map(|f| (f.name().as_str(), f.data_type())).collect();
        Ranks::new(key, self.seed, &columns)
    }

    /// The first pass; `None` if a row has no key.
    ///
    /// # Errors
    /// If two of the rows have the same key, though it is said to be one; if the design cannot be met; if the rows cannot
    /// be read.
    async fn take(
        &self,
        state: &SessionState,
        task: &Arc<TaskContext>,
        key: &Key,
        design: &Design,
        quotas: Option<&Quotas>,
    ) -> Result<Option<Taken>> {
        let keys = key.columns(self.input.schema().fields().len());
        let mut columns = self.columns(&keys);
        columns.extend(self.strata.iter().cloned());
        columns.extend(self.study_variable.iter().map(|e| cast(e.clone(), DataType::Float64)));
        let numbered = match key {
            Key::Uuid(_) => Numbered::open(self.host.as_deref(), &self.input, &columns, state).await?,
            Key::Content => None,
        };
        let kinds = self.strata.iter().map(|e| e.get_type(self.input.schema()));
        let kinds: Vec<DataType> = kinds.collect::<Result<_>>()?;
        let mut rows = match &numbered {
            Some(numbered) => numbered.scan(columns, state).await?,
            None => {
                let rows = run(&self.input, None, columns, state, task).await?;
                rows.map(|batch| batch.map(|b| (b.columns().to_vec(), b.num_rows()))).boxed()
            }
        };
        let mut strata = Strata::new(&kinds)?;
        let mut ranks = self.ranks(key)?;
        let mut tally = Tally::new(design.n);
        while let Some(batch) = rows.next().await {
            let (mut columns, count) = batch?;
            let numbers = numbered.is_some().then(|| numbers(&mut columns)).transpose()?;
            let numbers = numbers.as_ref().map(|n| n.as_primitive::<UInt64Type>().values());
            let (keys, rest) = columns.split_at(keys.len());
            let (of, value) = rest.split_at(self.strata.len());
            let Some(ranks) = ranks.of(keys, count)? else { return Ok(None) };
            let of = strata.numbers(of, count)?;
            let values = value.first().map(|v| v.as_primitive::<Float64Type>());
            for (row, (stratum, rank)) in of.into_iter().zip(ranks).enumerate() {
                let value = values.filter(|v| v.is_valid(row)).map(|v| v.value(row));
                tally.add(stratum, (rank, numbers.map_or(0, |n| n[row])), value);
            }
        }
        let before = strata.sort();
        tally.reorder(&before);
        let labels = strata.labels()?;
        let stratum = |((population, deviation), label): ((u64, f64), &String)| Stratum {
            label: label.clone(),
            population,
            deviation,
            quota: 0,
        };
        let mut counted: Vec<Stratum> = tally.counts().zip(&labels).map(stratum).collect();
        if let Some(quotas) = quotas {
            quotas.assign(&mut strata, &mut counted, design.on_short)?;
        }
        let quotas = match allocate(design, &counted) {
            Ok(quotas) => quotas,
            Err(why) => return exec_err!("{}: {why}", self.function),
        };
        let Some(lowest) = tally.lowest(&quotas) else {
            return exec_err!(
                "{}: two rows have the same `{UUID}`, though it is declared to be their key; declare none, or make them \
                 different",
                self.function
            );
        };
        let cut = |(lowest, stratum): (&Vec<Ranked>, &Stratum)| Cut {
            highest: lowest.last().map(|(rank, _)| *rank),
            quota: lowest.len() as u64,
            weight: stratum.population as f64 / lowest.len() as f64,
            size: stratum.population as i64,
            taken: 0,
        };
        let cuts: Vec<Cut> = lowest.iter().zip(&counted).map(cut).collect();
        let count: u64 = cuts.iter().map(|c| c.quota).sum();
        let known = match numbered {
            _ if count > MOST_KEYS => Known::Cuts,
            Some(numbered) => {
                let numbers = |(stratum, lowest): (usize, Vec<Ranked>)| {
                    lowest.into_iter().map(move |(_, number)| (number, stratum as i32))
                };
                let mut rows: Vec<(u64, i32)> = lowest.into_iter().enumerate().flat_map(numbers).collect();
                rows.sort_unstable();
                Known::Rows(numbered, rows)
            }
            None => {
                let keys = ranks.keys(lowest.into_iter().flatten().map(|(rank, _)| rank));
                keys.map_or(Known::Cuts, Known::Keys)
            }
        };
        Ok(Some(Taken { strata, labels, cuts, known }))
    }

    /// The second pass.
    async fn read(
        &self,
        state: &SessionState,
        task: Arc<TaskContext>,
        key: &Key,
        taken: Taken,
        projection: Vec<usize>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let width = self.input.schema().fields().len();
        let schema = Arc::new(self.schema().project(&projection)?);
        if taken.cuts.iter().all(|c| c.quota == 0) {
            return Ok(stream::empty().boxed());
        }
        let shown: Vec<usize> = projection.iter().copied().filter(|at| *at < width).collect();
        if let Known::Rows(numbered, rows) = &taken.known {
            let numbers: Vec<u64> = rows.iter().map(|(number, _)| *number).collect();
            let mut columns = numbered.take(&numbers, &shown).await?.into_iter();
            let strata = Int32Array::from_iter_values(rows.iter().map(|(_, stratum)| *stratum));
            let cuts = || rows.iter().filter_map(|(_, stratum)| taken.cuts.get(*stratum as usize));
            let weights = Float64Array::from_iter_values(cuts().map(|cut| cut.weight));
            let sizes = Int64Array::from_iter_values(cuts().map(|cut| cut.size));
            let added = Added { function: self.function, labels: Arc::new(StringArray::from(taken.labels)), width };
            let batch = added.batch(schema, &projection, || Ok(columns.next()), (strata, weights, sizes))?;
            return Ok(stream::iter([Ok(batch)]).boxed());
        }
        let keys = key.columns(width);
        let mut columns = self.columns(&shown);
        columns.extend(self.columns(&keys));
        columns.extend(self.strata.iter().cloned());
        let wanted = match (key, &taken.known) {
            (Key::Uuid(at), Known::Keys(keys)) => {
                let column = Expr::Column(self.input.schema().columns()[*at].clone());
                Some(column.in_list(keys.iter().map(lit).collect(), false))
            }
            _ => None,
        };
        let rows = run(&self.input, wanted, columns, state, &task).await?;
        let labels = Arc::new(StringArray::from(taken.labels));
        let added = Added { function: self.function, labels, width };
        let (ranks, strata, cuts) = (self.ranks(key)?, taken.strata, taken.cuts);
        let reader = Reader { ranks, strata, cuts, added, projection, parts: (shown.len(), keys.len()), schema };
        let batches = stream::try_unfold((rows, reader), |(mut rows, mut reader)| async move {
            while let Some(batch) = rows.next().await {
                let batch = reader.batch(&batch?)?;
                if batch.num_rows() > 0 {
                    return Ok(Some((batch, (rows, reader))));
                }
            }
            reader.check()?;
            Ok(None)
        });
        Ok(batches.boxed())
    }
}

/// What the first pass found.
struct Taken {
    strata: Strata,
    labels: Vec<String>,
    cuts: Vec<Cut>,
    known: Known,
}

/// How the rows taken are found again.
enum Known {
    /// By their numbers in a table, in its order, each with its stratum
    Rows(Numbered, Vec<(u64, i32)>),
    /// By their keys, where they are few
    Keys(Vec<String>),
    /// By their ranks
    Cuts,
}

/// Runs a projection of a relation, whatever its columns are called.
pub(crate) async fn run(
    input: &LogicalPlan,
    filter: Option<Expr>,
    columns: Vec<Expr>,
    state: &SessionState,
    task: &Arc<TaskContext>,
) -> Result<SendableRecordBatchStream> {
    let mut plan = LogicalPlanBuilder::from(input.clone());
    if let Some(filter) = filter {
        plan = plan.filter(filter)?;
    }
    let columns = columns.into_iter().enumerate().map(|(i, column)| column.alias(format!("column_{i}")));
    let plan = plan.project(columns.collect::<Vec<_>>())?.build()?;
    execute_stream(state.create_physical_plan(&plan).await?, task.clone())
}

/// Puts the columns of a sample together.
struct Added {
    function: &'static str,
    labels: Arc<StringArray>,
    /// Columns of the table
    width: usize,
}

impl Added {
    /// `projection` are places in the columns of [`Sample::schema`]; `next` gives those of the table, one after the other.
    fn batch(
        &self,
        schema: SchemaRef,
        projection: &[usize],
        mut next: impl FnMut() -> Result<Option<ArrayRef>>,
        (strata, weights, sizes): (Int32Array, Float64Array, Int64Array),
    ) -> Result<RecordBatch> {
        let rows = strata.len();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(projection.len());
        for at in projection {
            columns.push(match at.checked_sub(self.width) {
                None => match next()? {
                    Some(column) => column,
                    None => return exec_err!("{}: a column is missing", self.function),
                },
                Some(0) => Arc::new(DictionaryArray::<Int32Type>::try_new(strata.clone(), self.labels.clone())?),
                Some(1) => Arc::new(weights.clone()),
                Some(_) => Arc::new(sizes.clone()),
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
    }
}

/// Keeps the rows taken.
struct Reader {
    ranks: Ranks,
    strata: Strata,
    cuts: Vec<Cut>,
    added: Added,
    projection: Vec<usize>,
    /// How many columns of a batch are shown, and how many are the key; the strata come after them
    parts: (usize, usize),
    schema: SchemaRef,
}

impl Reader {
    fn batch(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let (shown, rest) = batch.columns().split_at(self.parts.0);
        let (keys, of) = rest.split_at(self.parts.1);
        let Some(ranks) = self.ranks.of(keys, batch.num_rows())? else { return self.changed() };
        let strata = self.strata.known(of, batch.num_rows())?;
        let (mut mask, mut numbers) = (Vec::with_capacity(batch.num_rows()), vec![]);
        let (mut weights, mut sizes) = (vec![], vec![]);
        for (rank, stratum) in ranks.into_iter().zip(strata) {
            let Some(cut) = stratum.and_then(|s| self.cuts.get_mut(s)) else { return self.changed() };
            let take = cut.highest.is_some_and(|highest| rank <= highest);
            mask.push(take);
            if take {
                cut.taken += 1;
                numbers.extend(stratum.map(|s| s as i32));
                weights.push(cut.weight);
                sizes.push(cut.size);
            }
        }
        let mask = BooleanArray::from(mask);
        let mut shown = shown.iter();
        let next = || Ok(shown.next().map(|column| filter(column, &mask)).transpose()?);
        let added = (Int32Array::from(numbers), Float64Array::from(weights), Int64Array::from(sizes));
        self.added.batch(self.schema.clone(), &self.projection, next, added)
    }

    /// That the rows counted are those that were read.
    fn check(&self) -> Result<()> {
        if self.cuts.iter().all(|c| c.taken == c.quota) { Ok(()) } else { self.changed() }
    }

    fn changed<T>(&self) -> Result<T> {
        exec_err!(
            "{}: the rows were others when they were read the second time; keep them in a table and sample that",
            self.added.function
        )
    }
}

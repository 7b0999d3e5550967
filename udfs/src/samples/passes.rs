//! The two passes over a table: one that counts and ranks, and one that reads the rows taken.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch,
    RecordBatchOptions, StringArray,
};
use arrow::compute::filter;
use arrow::datatypes::{DataType, Field, Float64Type, Int32Type, Schema, SchemaRef, UInt64Type};
use datafusion::common::{Result, exec_err};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, cast, ident, lit};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};

use super::allocation::{Design, Stratum, allocate};
use super::numbered::Numbered;
use super::quotas::Quotas;
use super::ranks::{Key, Ranks, UUID};
use super::strata::Strata;
use super::tally::{Ranked, Tally};
use crate::host::table_search::TableSearch;
use crate::nodes::relation_function::{Input, Planned, RelationFunction, Wanted, all, column, columns};

/// What a stratified sample adds to the columns of its table.
pub(crate) const STRATUM: &str = "stratum";
pub(crate) const SAMPLING_WEIGHT: &str = "sampling_weight";
pub(crate) const STRATUM_SIZE: &str = "stratum_size";

/// Rows taken by name: the second pass asks the table for so many keys at most, and else reads it all. A table with an
/// index, or with wide columns that it need not read, gives them sooner.
const MOST_KEYS: u64 = 10_000;

/// A sample of fixed size in every stratum. Of the inputs the first is counted, the rows taken are read of the second,
/// and the third are quotas.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub function: &'static str,
    pub operator: &'static str,
    pub details: String,
    /// The columns of the relation
    pub table: SchemaRef,
    pub key: Key,
    /// So many expressions tell the strata apart; without any, all rows are one stratum
    pub strata: usize,
    /// Its `n` counts for nothing
    pub design: Design,
    /// Rows in all; quotas say it themselves
    pub n: Option<u64>,
    /// What ranks are made with: [`super::lineage::seed_over`]
    pub seed: u64,
    /// Whether it shows `stratum`, `sampling_weight` and `stratum_size`
    pub weighted: bool,
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
    /// What it reads of a relation: `strata` are so many expressions as it says, `study_variable` a number, and `quotas`
    /// in the form of [`super::quotas::plan`].
    ///
    /// # Errors
    /// If an expression is not over the relation.
    pub fn inputs(
        &self,
        relation: &LogicalPlan,
        strata: Vec<Expr>,
        study_variable: Option<Expr>,
        quotas: Option<LogicalPlan>,
    ) -> Result<Vec<LogicalPlan>> {
        let columns_of_table = relation.schema().columns();
        let keys = self.key.columns(columns_of_table.len()).into_iter();
        let of: Vec<Expr> = keys.map(|at| Expr::Column(columns_of_table[at].clone())).chain(strata).collect();
        let study_variable = study_variable.map(|e| cast(e, DataType::Float64));
        let mut inputs = vec![
            columns(relation, of.iter().cloned().chain(study_variable))?,
            columns(relation, of.into_iter().chain(all(relation)))?,
        ];
        inputs.extend(quotas);
        Ok(inputs)
    }

    fn width(&self) -> usize {
        self.table.fields().len()
    }

    /// How many columns the key is
    fn keys(&self) -> usize {
        self.key.columns(self.width()).len()
    }

    /// What the second input calls a column of the table.
    fn shown(&self, at: usize) -> String {
        column(self.keys() + self.strata + at)
    }

    /// Takes the sample; gives these columns of its schema, in the order in which the table gives its rows.
    pub fn rows(
        self: Arc<Sample>,
        wanted: Wanted,
        numbered: Option<Arc<Numbered>>,
    ) -> BoxStream<'static, Result<RecordBatch>> {
        stream::once(async move { self.begin(wanted, numbered).await }).try_flatten().boxed()
    }

    async fn begin(
        &self,
        wanted: Wanted,
        numbered: Option<Arc<Numbered>>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let Wanted { task, projection, carried, schema, inputs } = wanted;
        let quotas = match inputs.get(2) {
            Some(quotas) => Some(Quotas::read(self.function, quotas.rows(&task)?).await?),
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
        let taken = self.take(&inputs[0], numbered, &task, &design, quotas.as_ref()).await?;
        let width = self.width();
        let shown = projection.iter().filter(|at| **at < width).map(|at| self.shown(*at));
        let shown = Shown { columns: shown.chain(carried).collect(), projection, schema };
        self.read(&inputs[1], &task, taken, shown).await
    }

    /// The first pass.
    ///
    /// # Errors
    /// If a row has no key; if two of the rows have the same one, though it is said to be one; if the design cannot be met;
    /// if the rows cannot be read.
    async fn take(
        &self,
        first: &Input,
        numbered: Option<Arc<Numbered>>,
        task: &Arc<TaskContext>,
        design: &Design,
        quotas: Option<&Quotas>,
    ) -> Result<Taken> {
        let mut rows = first.rows(task)?;
        let (keys, read) = (self.keys(), rows.schema());
        let mut strata = Strata::new(read.fields()[keys..keys + self.strata].iter().map(|f| f.data_type()))?;
        let mut ranks = self.key.ranks(&self.table, self.seed)?;
        let mut tally = Tally::new(design.n);
        let held = MemoryConsumer::new(self.function).register(task.memory_pool());
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            let (mut columns, count) = (batch.columns(), batch.num_rows());
            let mut numbers = None;
            if let (Some(_), Some((last, others))) = (&numbered, columns.split_last()) {
                (numbers, columns) = (last.as_primitive_opt::<UInt64Type>().map(|n| n.values()), others);
            }
            let (keys, rest) = columns.split_at(keys);
            let (of, value) = rest.split_at(self.strata);
            let Some(ranks_of_rows) = ranks.of(keys, count)? else { return no_key(self.function) };
            let of = strata.numbers(of, count)?;
            let values = value.first().map(|v| v.as_primitive::<Float64Type>());
            for (row, (stratum, rank)) in of.into_iter().zip(ranks_of_rows).enumerate() {
                let value = values.filter(|v| v.is_valid(row)).map(|v| v.value(row));
                tally.add(stratum, (rank, numbers.map_or(0, |n| n[row])), value);
            }
            held.try_resize(tally.bytes() + ranks.bytes())?;
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
        Ok(Taken { strata, labels, cuts, known })
    }

    /// The second pass.
    async fn read(
        &self,
        second: &Input,
        task: &Arc<TaskContext>,
        taken: Taken,
        shown: Shown,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let (width, keys) = (self.width(), self.keys());
        if taken.cuts.iter().all(|c| c.quota == 0) {
            return Ok(stream::empty().boxed());
        }
        if let Known::Rows(numbered, rows) = &taken.known {
            let numbers: Vec<u64> = rows.iter().map(|(number, _)| *number).collect();
            let Some(planned) = &second.planned else { return exec_err!("rows of a table that is not here") };
            let mut columns = numbered.take(&numbers, &planned.logical, &shown.columns).await?.into_iter();
            let strata = Int32Array::from_iter_values(rows.iter().map(|(_, stratum)| *stratum));
            let cuts = || rows.iter().filter_map(|(_, stratum)| taken.cuts.get(*stratum as usize));
            let weights = Float64Array::from_iter_values(cuts().map(|cut| cut.weight));
            let sizes = Int64Array::from_iter_values(cuts().map(|cut| cut.size));
            let added = Added { function: self.function, labels: Arc::new(StringArray::from(taken.labels)), width };
            let batch = added.batch(&shown, || Ok(columns.next()), (strata, weights, sizes))?;
            return Ok(stream::iter([Ok(batch)]).boxed());
        }
        let rows = match (&self.key, &taken.known) {
            (Key::Uuid(_), Known::Keys(keys)) => {
                let condition = ident(column(0)).in_list(keys.iter().map(lit).collect(), false);
                second.filtered(condition, task).await?
            }
            _ => second.rows(task)?,
        };
        let place = |name: String| second.place(&name);
        let places = Places {
            shown: shown.columns.iter().cloned().map(place).collect::<Result<_>>()?,
            keys: (0..keys).map(column).map(place).collect::<Result<_>>()?,
            strata: (keys..keys + self.strata).map(column).map(place).collect::<Result<_>>()?,
        };
        let labels = Arc::new(StringArray::from(taken.labels));
        let added = Added { function: self.function, labels, width };
        let (ranks, strata, cuts) = (self.key.ranks(&self.table, self.seed)?, taken.strata, taken.cuts);
        let reader = Reader { ranks, strata, cuts, added, shown, places };
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

impl RelationFunction for Sample {
    fn name(&self) -> &'static str {
        self.function
    }

    fn operator(&self) -> &'static str {
        self.operator
    }

    /// The columns of the table, and where it is weighted `stratum`, `sampling_weight` and `stratum_size`.
    fn schema(&self) -> SchemaRef {
        if !self.weighted {
            return self.table.clone();
        }
        let mut fields: Vec<Field> = self.table.fields().iter().map(|f| f.as_ref().clone()).collect();
        let text = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        fields.push(Field::new(STRATUM, text, false));
        fields.push(Field::new(SAMPLING_WEIGHT, DataType::Float64, false));
        fields.push(Field::new(STRATUM_SIZE, DataType::Int64, false));
        Arc::new(Schema::new(fields))
    }

    fn details(&self) -> String {
        self.details.clone()
    }

    fn passes(&self) -> Vec<Option<(usize, String)>> {
        let table = (0..self.width()).map(|at| Some((1, self.shown(at))));
        let added = self.schema().fields().len() - self.width();
        table.chain(vec![None; added]).collect()
    }

    fn is_subset(&self) -> bool {
        true
    }

    fn carries(&self) -> bool {
        true
    }

    fn most_rows_of(&self, input: usize) -> Option<u64> {
        let by_keys = input == 1 && matches!(self.key, Key::Uuid(_));
        self.n.filter(|n| by_keys && *n <= MOST_KEYS)
    }

    fn planned(&self, inputs: &[Input], state: &Arc<SessionState>) -> Result<Option<Planned>> {
        let (Key::Uuid(_), Some(host)) = (&self.key, &self.host) else { return Ok(None) };
        let computed: Vec<String> = (0..self.keys() + self.strata).map(column).collect();
        let [Some(first), Some(second)] = [0, 1].map(|at| inputs.get(at).and_then(|input| input.planned.as_ref()))
        else {
            return Ok(None);
        };
        let Some(numbered) = Numbered::of(host, &first.logical, &second.logical, &computed, state) else {
            return Ok(None);
        };
        let mut inputs = inputs.to_vec();
        inputs[0] = inputs[0].by(numbered.rows());
        Ok(Some((Arc::new(NumberedSample { sample: Arc::new(self.clone()), numbered }), inputs)))
    }

    fn start(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        self.rows(wanted, None)
    }
}

/// A sample of a stored table, whose rows are found again by their numbers there.
#[derive(Debug)]
struct NumberedSample {
    sample: Arc<Sample>,
    numbered: Arc<Numbered>,
}

impl RelationFunction for NumberedSample {
    fn name(&self) -> &'static str {
        self.sample.name()
    }

    fn operator(&self) -> &'static str {
        self.sample.operator()
    }

    fn schema(&self) -> SchemaRef {
        self.sample.schema()
    }

    fn details(&self) -> String {
        self.sample.details()
    }

    fn start(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        self.sample.clone().rows(wanted, Some(self.numbered.clone()))
    }
}

/// That a row has no key.
pub(crate) fn no_key<T>(function: &str) -> Result<T> {
    exec_err!(
        "{function}: a row has no `{UUID}`, by which the rows of this table are told apart; leave such rows out with \
         WHERE {UUID} IS NOT NULL, or select the columns without `{UUID}`, so that rows are told apart by all they hold"
    )
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
    Rows(Arc<Numbered>, Vec<(u64, i32)>),
    /// By their keys, where they are few
    Keys(Vec<String>),
    /// By their ranks
    Cuts,
}

/// Puts the columns of a sample together.
struct Added {
    function: &'static str,
    labels: Arc<StringArray>,
    /// Columns of the table
    width: usize,
}

impl Added {
    /// `next` gives the columns that are read, one after the other.
    fn batch(
        &self,
        shown: &Shown,
        mut next: impl FnMut() -> Result<Option<ArrayRef>>,
        (strata, weights, sizes): (Int32Array, Float64Array, Int64Array),
    ) -> Result<RecordBatch> {
        let rows = strata.len();
        let mut read = || match next()? {
            Some(column) => Ok(column),
            None => exec_err!("{}: a column is missing", self.function),
        };
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(shown.schema.fields().len());
        for at in &shown.projection {
            columns.push(match at.checked_sub(self.width) {
                None => read()?,
                Some(0) => Arc::new(DictionaryArray::<Int32Type>::try_new(strata.clone(), self.labels.clone())?),
                Some(1) => Arc::new(weights.clone()),
                Some(_) => Arc::new(sizes.clone()),
            });
        }
        while columns.len() < shown.schema.fields().len() {
            columns.push(read()?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(shown.schema.clone(), columns, &options)?)
    }
}

/// Keeps the rows taken.
struct Reader {
    ranks: Ranks,
    strata: Strata,
    cuts: Vec<Cut>,
    added: Added,
    shown: Shown,
    places: Places,
}

/// What is shown of the rows taken.
struct Shown {
    /// By the names of the second input, those of the table and then those that are carried
    columns: Vec<String>,
    /// Places in the schema of the sample
    projection: Vec<usize>,
    /// Of these, and those that are carried
    schema: SchemaRef,
}

/// Where columns are in a batch.
struct Places {
    shown: Vec<usize>,
    keys: Vec<usize>,
    strata: Vec<usize>,
}

impl Reader {
    fn batch(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let at = |places: &[usize]| places.iter().map(|at| batch.column(*at).clone()).collect::<Vec<ArrayRef>>();
        let Some(ranks) = self.ranks.of(&at(&self.places.keys), batch.num_rows())? else { return self.changed() };
        let strata = self.strata.known(&at(&self.places.strata), batch.num_rows())?;
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
        let mut shown = self.places.shown.iter();
        let next = || Ok(shown.next().map(|at| filter(batch.column(*at), &mask)).transpose()?);
        let added = (Int32Array::from(numbers), Float64Array::from(weights), Int64Array::from(sizes));
        self.added.batch(&self.shown, next, added)
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

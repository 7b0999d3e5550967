//! Columns of a fragment written anew: one file beside those that stay, with a value for each row there is or was.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, new_null_array};
use datafusion::arrow::compute::interleave;
use datafusion::arrow::datatypes::{Schema, SchemaRef, UInt64Type};
use datafusion::common::{Result, exec_err};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use lance::dataset::fragment::FileFragment;
use lance::table::format::{DataFile, Fragment};

use super::append::{cannot_write, compact};
use super::rewrite::parted;
use super::table::ROW_ADDRESS;

/// The field of a column of a file that another file has anew, as Lance notes it.
const REPLACED: i32 = -2;

/// Rows of several batches that are written together, at most.
const MOST: u32 = 65_536;

/// Rows in a row that are written as they come, without being put among others.
const RUN: usize = 4_096;

/// Writes columns of a fragment anew: the values of `changed`, in the order of their addresses, the column
/// [`ROW_ADDRESS`], and for other rows those that they have. With `all`, each row is among the changed, and nothing is
/// read. The fragment as it is then, and the fields that were written.
///
/// # Errors
/// What the rows end with, if they are not in their order or not all of them, or if the table cannot be written.
pub(super) async fn patch(
    fragment: FileFragment,
    changed: impl Stream<Item = Result<RecordBatch>> + Send + 'static,
    schema: SchemaRef,
    all: bool,
) -> Result<(Fragment, Vec<u32>)> {
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).filter(|n| *n != ROW_ADDRESS).collect();
    let columns = fragment.dataset().schema().project(&names).map_err(cannot_write)?;
    let rows = fragment.physical_rows().await.map_err(cannot_write)? as u64;
    let live = rows.saturating_sub(fragment.count_deletions().await.map_err(cannot_write)? as u64);
    let kept = match all {
        true => None,
        false => {
            let mut scan = fragment.scan();
            scan.project(&names).map_err(cannot_write)?.with_row_address();
            Some(Ordered::new(scan.try_into_stream().await.map_err(cannot_write)?.map_err(Into::into).boxed()))
        }
    };
    let fields: Vec<_> = schema.fields().iter().filter(|f| f.name() != ROW_ADDRESS).cloned().collect();
    let merge = Merge {
        names: names.iter().map(ToString::to_string).collect(),
        schema: Arc::new(Schema::new(fields)),
        changed: Ordered::new(changed.boxed()),
        kept,
        expected: all.then_some(live),
        next: 0,
        rows,
    };
    let values = stream::try_unfold(merge, |mut merge| async move {
        Ok::<_, lance::Error>(merge.values().await?.map(|values| (values, merge)))
    });
    let written = fragment.write_columns(values, &columns).await.map_err(cannot_write)?.1;
    Ok(with_columns(fragment.metadata().clone(), written))
}

/// A fragment with a file of columns in the place of those that it had.
fn with_columns(mut fragment: Fragment, written: DataFile) -> (Fragment, Vec<u32>) {
    for file in &mut fragment.files {
        let replaced = |field: &i32| if written.fields.contains(field) { REPLACED } else { *field };
        file.fields = file.fields.iter().map(replaced).collect::<Vec<_>>().into();
    }
    fragment.files.retain(|file| file.fields.iter().any(|field| *field != REPLACED));
    let fields = written.fields.iter().filter_map(|field| u32::try_from(*field).ok()).collect();
    fragment.files.push(written);
    (fragment, fields)
}

/// Rows of a fragment in the order of their places, a batch at a time.
struct Ordered {
    rows: BoxStream<'static, Result<RecordBatch>>,
    columns: Vec<ArrayRef>,
    /// The places of the batch's rows, and which of them is next
    places: Vec<u32>,
    at: usize,
    count: u64,
}

impl Ordered {
    fn new(rows: BoxStream<'static, Result<RecordBatch>>) -> Ordered {
        Ordered { rows: rows.fuse().boxed(), columns: vec![], places: vec![], at: 0, count: 0 }
    }

    /// The place of the next row; `None` where there are no more.
    async fn peek(&mut self, names: &[String]) -> Result<Option<u32>> {
        while self.at == self.places.len() {
            let Some(batch) = self.rows.try_next().await? else { return Ok(None) };
            let Some(places) = batch.column_by_name(ROW_ADDRESS).and_then(|c| c.as_primitive_opt::<UInt64Type>())
            else {
                return exec_err!("rows that are changed have their addresses with them");
            };
            let before = self.places.last().copied();
            let places: Vec<u32> = places.values().iter().map(|address| parted(*address).1).collect();
            if !before.iter().chain(&places).is_sorted_by(|a, b| a < b) {
                return exec_err!("rows that are changed are not in the order of their places; nothing was written");
            }
            let columns: Option<Vec<ArrayRef>> = names.iter().map(|n| batch.column_by_name(n).cloned()).collect();
            let Some(columns) = columns else {
                return exec_err!("a column of rows that are changed cannot be read");
            };
            self.count += places.len() as u64;
            (self.columns, self.places, self.at) = (columns, places, 0);
        }
        Ok(self.places.get(self.at).copied())
    }

    /// Whether the next row is the one of a place, which is passed over then: its number in the batch.
    fn take(&mut self, place: u32) -> Option<usize> {
        let at = self.at;
        let here = self.places.get(at) == Some(&place);
        self.at += usize::from(here);
        here.then_some(at)
    }

    /// How many rows from the next one on have places in a row.
    fn run(&self) -> usize {
        let places = &self.places[self.at..];
        1 + places.windows(2).take_while(|pair| pair[1] == pair[0] + 1).count()
    }
}

/// The values of columns of a fragment, row by row.
struct Merge {
    names: Vec<String>,
    schema: SchemaRef,
    changed: Ordered,
    /// The values that there were; nothing where all are changed
    kept: Option<Ordered>,
    /// How many rows are to be changed, where that is known
    expected: Option<u64>,
    next: u32,
    /// Rows of the fragment, with those that were deleted
    rows: u64,
}

impl Merge {
    /// The next values; `None` after those of the last row.
    async fn values(&mut self) -> Result<Option<RecordBatch>> {
        let changed = self.changed.peek(&self.names).await?;
        if u64::from(self.next) >= self.rows {
            let count = self.changed.count;
            return match self.expected {
                _ if changed.is_some() => exec_err!("a row that is changed is not in the table any more"),
                Some(expected) if expected != count => {
                    exec_err!("of {expected} rows that are all to be changed {count} were; nothing was written")
                }
                _ => Ok(None),
            };
        }
        if changed == Some(self.next) {
            let run = self.changed.run();
            if run == self.changed.places.len() || run >= RUN {
                let columns = self.changed.columns.iter().map(|c| c.slice(self.changed.at, run)).collect();
                self.changed.at += run;
                self.next += run as u32;
                if let Some(kept) = &mut self.kept {
                    while kept.peek(&self.names).await?.is_some_and(|place| place < self.next) {
                        kept.at += 1;
                    }
                }
                return self.batch(columns).map(Some);
            }
        }
        let kept = match &mut self.kept {
            Some(kept) => kept.peek(&self.names).await?,
            None => None,
        };
        self.mixed(changed.is_some(), kept.is_some()).map(Some)
    }

    /// The values of the places that the batches at hand reach.
    fn mixed(&mut self, changed: bool, kept: bool) -> Result<RecordBatch> {
        let reach = |rows: Option<&Ordered>| rows.and_then(|r| r.places.last()).map_or(u32::MAX, |last| *last + 1);
        let all = u32::try_from(self.rows).unwrap_or(u32::MAX);
        let until = reach(changed.then_some(&self.changed)).min(reach(self.kept.as_ref().filter(|_| kept)));
        let until = until.min(all).min(self.next.saturating_add(MOST));
        let places: Vec<(usize, usize)> = (self.next..until)
            .map(|place| {
                let (new, old) = (self.changed.take(place), self.kept.as_mut().and_then(|kept| kept.take(place)));
                // Rows that were deleted have the third's one value.
                new.map(|at| (0, at)).or(old.map(|at| (1, at))).unwrap_or((2, 0))
            })
            .collect();
        self.next = until;
        let columns = self.changed.columns.iter().enumerate().map(|(n, changed)| {
            let nothing = new_null_array(changed.data_type(), 1);
            let kept = self.kept.as_ref().and_then(|kept| kept.columns.get(n)).unwrap_or(&nothing);
            Ok(interleave(&[changed.as_ref(), kept.as_ref(), nothing.as_ref()], &places)?)
        });
        let columns = columns.collect::<Result<_>>()?;
        self.batch(columns)
    }

    fn batch(&self, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
        compact(&RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}

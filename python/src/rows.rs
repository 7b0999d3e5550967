//! The rows of a statement, as they come: read by Python, or by whoever takes a stream of Arrow's C interface.

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::compute::cast;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ffi::FFI_ArrowSchema;
use arrow::ffi_stream::FFI_ArrowArrayStream;
use datafusion::common::Result as Planned;
use futures::StreamExt;
use populace::arrow::EachOnce;
use populace::engine::Engine;
use populace::error::{Error, ErrorKind};
use populace::sql::Statement;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyList};
use tokio::sync::Semaphore;

use crate::database::Open;
use crate::error::{closed, exception, gone, interrupted};
use crate::values::{dicts, objects};
use crate::wait::{Cancel, Ended, LOOK, look, runtime, until_gone};

const SCHEMA: &CStr = c"arrow_schema";
pub(crate) const STREAM: &CStr = c"arrow_array_stream";

/// Batches that wait for a reader.
const AHEAD: usize = 4;

/// What a statement at work says.
enum Said {
    Begun(SchemaRef),
    Batch(RecordBatch),
    Ended(Result<Told, Error>),
}

/// What there is to say of a statement when its rows have ended.
#[derive(Debug, Clone, Default)]
struct Told {
    notices: Vec<String>,
    run: Option<String>,
}

/// One run of a statement, whose rows any number of readers share.
struct Running {
    state: Mutex<State>,
    room: Arc<Semaphore>,
    open: Arc<Open>,
}

struct State {
    said: Receiver<Said>,
    /// Dropped, it ends the statement
    task: Option<Ended>,
    schema: Option<SchemaRef>,
    /// All rows so far, or none of them where they are not kept
    kept: Option<Vec<RecordBatch>>,
    end: Option<Result<Told, Error>>,
}

/// What came of asking for rows.
enum Next<T> {
    Is(T),
    End,
    Failed(Error),
    /// Nothing yet
    Wait,
}

impl Running {
    fn start(open: &Arc<Open>, engine: Engine, statement: Statement, keep: bool) -> Result<Arc<Running>, Error> {
        let (say, said) = channel();
        let room = Arc::new(Semaphore::new(AHEAD));
        let task = runtime()?.spawn(work(engine, statement, say, room.clone()));
        let kept = keep.then(Vec::new);
        let state = State { said, task: Some(Ended(task)), schema: None, kept, end: None };
        Ok(Arc::new(Running { state: Mutex::new(state), room, open: open.clone() }))
    }

    /// Waits a moment for what is wanted of the state.
    fn next<T>(&self, wanted: impl Fn(&mut State) -> Option<Next<T>>) -> Next<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(next) = wanted(&mut state) {
            return next;
        }
        match &state.end {
            Some(Ok(_)) => return Next::End,
            Some(Err(error)) => return Next::Failed(error.clone()),
            None if self.open.is_closed() => state.ends(Err(closed())),
            None => {}
        }
        match state.said.recv_timeout(LOOK) {
            Ok(Said::Begun(schema)) => state.schema = Some(schema),
            Ok(Said::Batch(batch)) => {
                self.room.add_permits(1);
                // Where rows are not kept, this one is the next of whoever asks.
                state.kept.get_or_insert_default().push(batch);
            }
            Ok(Said::Ended(end)) => state.ends(end),
            Err(RecvTimeoutError::Timeout) => return Next::Wait,
            Err(RecvTimeoutError::Disconnected) => state.ends(Err(gone())),
        }
        wanted(&mut state).unwrap_or(Next::Wait)
    }

    fn schema(&self) -> Next<SchemaRef> {
        self.next(|state| state.schema.clone().map(Next::Is))
    }

    fn batch(&self, at: usize, keeps: bool) -> Next<RecordBatch> {
        self.next(|state| match keeps {
            true => state.kept.as_ref()?.get(at).cloned().map(Next::Is),
            false => state.kept.as_mut()?.pop().map(Next::Is),
        })
    }

    /// Ends the statement, and waits until it is gone.
    fn end(&self, error: Error) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.ends(Err(error));
        until_gone(&state.said);
    }

    fn has_failed(&self) -> bool {
        matches!(self.state.lock().unwrap_or_else(PoisonError::into_inner).end, Some(Err(_)))
    }

    fn told(&self) -> Told {
        match &self.state.lock().unwrap_or_else(PoisonError::into_inner).end {
            Some(Ok(told)) => told.clone(),
            _ => Told::default(),
        }
    }
}

impl State {
    fn ends(&mut self, end: Result<Told, Error>) {
        self.end.get_or_insert(end);
        self.task = None;
    }
}

/// Runs a statement, a few batches ahead of its reader.
async fn work(engine: Engine, statement: Statement, say: Sender<Said>, room: Arc<Semaphore>) {
    let run = async {
        let engine = engine.for_statement();
        let mut rows = engine.run(statement).await?;
        _ = say.send(Said::Begun(rows.schema()));
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            if batch.num_rows() == 0 {
                continue;
            }
            // Never closed.
            if let Ok(permit) = room.acquire().await {
                permit.forget();
            }
            if say.send(Said::Batch(batch)).is_err() {
                break;
            }
        }
        let asked = engine.asked();
        if let Some(why) = &asked.outage {
            let text = format!("{} texts are missing: {why}", asked.missing);
            return Err(Error::new(ErrorKind::Unavailable, text).into());
        }
        Planned::Ok(Told { notices: engine.take_notices(), run: engine.run_id() })
    };
    let done = run.await.map_err(|error| Error::from(&error));
    _ = say.send(Said::Ended(done));
}

/// Waits for what a statement says. Ctrl-C ends the statement.
fn wait<T: Send>(
    py: Python<'_>,
    running: &Arc<Running>,
    cancel: Option<&Cancel>,
    next: impl Fn(&Running) -> Next<T> + Send + Sync,
) -> PyResult<Option<T>> {
    loop {
        // Also where rows come as fast as they are asked for.
        if let Err(raised) = look(py, cancel) {
            py.detach(|| running.end(interrupted()));
            return Err(raised);
        }
        match py.detach(|| next(running)) {
            Next::Is(it) => return Ok(Some(it)),
            Next::End => return Ok(None),
            Next::Failed(error) => return Err(exception(py, &error)),
            Next::Wait => {}
        }
    }
}

/// Where the rows come from.
enum Source {
    /// A statement that is run once: its rows are kept, for all readers
    Once(Statement),
    /// One that is run for each reader, with the same rows each time, and keeps none
    Again(Statement),
}

/// The rows of a query. Nothing runs before they are asked for.
#[pyclass(frozen, module = "populace._populace")]
pub(crate) struct Rows {
    open: Arc<Open>,
    engine: Mutex<Option<Engine>>,
    source: Source,
    schema: SchemaRef,
    running: Mutex<Option<Arc<Running>>>,
}

impl Rows {
    pub(crate) fn new(open: &Arc<Open>, engine: Engine, statement: Statement, once: bool, schema: SchemaRef) -> Rows {
        let source = if once { Source::Once(statement) } else { Source::Again(statement) };
        let engine = Mutex::new(Some(engine));
        Rows { open: open.clone(), engine, source, schema, running: Mutex::default() }
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn keeps(&self) -> bool {
        matches!(self.source, Source::Once(_))
    }

    /// A run of the statement: the one there is, if it has not failed.
    fn running(&self) -> Result<Arc<Running>, Error> {
        runtime()?;
        let mut last = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if self.keeps()
            && let Some(running) = last.as_ref()
            && !running.has_failed()
        {
            return Ok(running.clone());
        }
        if self.open.is_closed() {
            // What a session holds is let go with it.
            self.engine.lock().unwrap_or_else(PoisonError::into_inner).take();
            return Err(closed());
        }
        let (Source::Once(statement) | Source::Again(statement)) = &self.source;
        let engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(closed)?;
        let running = Running::start(&self.open, engine, statement.clone(), self.keeps())?;
        *last = Some(running.clone());
        Ok(running)
    }

    fn reader(&self, py: Python<'_>) -> PyResult<Reader> {
        let running = self.running().map_err(|error| exception(py, &error))?;
        Ok(Reader { from: Origin::Running(running, self.keeps()), at: Mutex::new(0) })
    }

    /// All rows.
    pub(crate) fn all(&self, py: Python<'_>, cancel: Option<&Cancel>) -> PyResult<Batches> {
        self.reader(py)?.take(py, usize::MAX, cancel)
    }

    /// The same of a statement that has run.
    pub(crate) fn finished(self, py: Python<'_>, cancel: Option<&Cancel>) -> PyResult<Rows> {
        let schema = self.all(py, cancel)?.schema;
        Ok(Rows { schema, ..self })
    }
}

#[pymethods]
impl Rows {
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        schema_capsule(py, &self.schema)
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        self.reader(py)?.__arrow_c_stream__(py, requested_schema)
    }

    /// The names of the columns.
    #[getter]
    fn columns(&self) -> Vec<String> {
        names(&self.schema)
    }

    /// Columns with the types of their values, as Arrow calls them.
    #[getter]
    fn types(&self) -> Vec<(String, String)> {
        types(&self.schema)
    }

    /// A reader of all rows.
    #[pyo3(name = "reader")]
    fn read(&self, py: Python<'_>) -> PyResult<Reader> {
        self.reader(py)
    }

    /// The same query, run anew for each reader, none of whose rows are kept.
    fn again(&self, py: Python<'_>) -> PyResult<Rows> {
        let (Source::Once(statement) | Source::Again(statement)) = &self.source;
        let engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let engine = engine.ok_or_else(|| exception(py, &closed()))?;
        Ok(Rows::new(&self.open, engine, statement.clone(), false, self.schema.clone()))
    }

    /// The rows, once all of them are there.
    #[pyo3(signature = (cancel=None))]
    fn collect(&self, py: Python<'_>, cancel: Option<&Cancel>) -> PyResult<Batches> {
        self.all(py, cancel)
    }

    /// The first rows, no more of which are made than it takes.
    fn head(&self, py: Python<'_>, n: usize) -> PyResult<Batches> {
        self.reader(py)?.take(py, n, None)
    }

    /// What there was to say beside the rows, once they have ended, and the run that the statement was.
    fn told(&self) -> (Vec<String>, Option<String>) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let Told { notices, run } = running.as_ref().map(|running| running.told()).unwrap_or_default();
        (notices, run)
    }
}

#[derive(Clone)]
enum Origin {
    /// And whether the run keeps its rows
    Running(Arc<Running>, bool),
    Memory(SchemaRef, Arc<[RecordBatch]>),
}

/// Rows, batch by batch. Two threads that share it each get other batches.
#[pyclass(frozen, module = "populace._populace")]
pub(crate) struct Reader {
    from: Origin,
    at: Mutex<usize>,
}

impl Reader {
    fn schema(&self, py: Python<'_>, cancel: Option<&Cancel>) -> PyResult<SchemaRef> {
        match &self.from {
            Origin::Memory(schema, _) => Ok(schema.clone()),
            Origin::Running(running, _) => {
                let schema = wait(py, running, cancel, Running::schema)?;
                schema.ok_or_else(|| exception(py, &gone()))
            }
        }
    }

    fn batch(&self, py: Python<'_>, cancel: Option<&Cancel>) -> PyResult<Option<RecordBatch>> {
        // Its place is taken before the wait, so that no lock is held meanwhile.
        let at = {
            let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
            *at += 1;
            *at - 1
        };
        match &self.from {
            Origin::Memory(_, batches) => Ok(batches.get(at).cloned()),
            Origin::Running(running, keeps) => wait(py, running, cancel, |running| running.batch(at, *keeps)),
        }
    }

    fn take(&self, py: Python<'_>, most: usize, cancel: Option<&Cancel>) -> PyResult<Batches> {
        let schema = self.schema(py, cancel)?;
        let (mut batches, mut rows) = (vec![], 0);
        while rows < most
            && let Some(batch) = self.batch(py, cancel)?
        {
            let batch = batch.slice(0, batch.num_rows().min(most - rows));
            rows += batch.num_rows();
            batches.push(batch);
        }
        Ok(Batches { schema, batches: batches.into(), rows })
    }
}

#[pymethods]
impl Reader {
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let schema = self.schema(py, None)?;
        let wanted = requested_schema.map(|capsule| requested(capsule, &schema)).transpose()?.flatten();
        let at = *self.at.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = Reader { from: self.from.clone(), at: Mutex::new(at) };
        let stream = Stream { reader, schema: wanted.unwrap_or(schema), once: EachOnce::default() };
        PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(stream)), STREAM)
    }

    /// The next rows; `None` after the last.
    #[pyo3(signature = (cancel=None))]
    fn next(&self, py: Python<'_>, cancel: Option<&Cancel>) -> PyResult<Option<Batches>> {
        let batch = self.batch(py, cancel)?;
        Ok(batch.map(|batch| Batches { schema: batch.schema(), rows: batch.num_rows(), batches: [batch].into() }))
    }
}

/// Rows that are there.
#[pyclass(frozen, module = "populace._populace")]
pub(crate) struct Batches {
    schema: SchemaRef,
    batches: Arc<[RecordBatch]>,
    rows: usize,
}

impl Batches {
    pub(crate) fn new(schema: SchemaRef, batches: Vec<RecordBatch>) -> Batches {
        Batches { rows: batches.iter().map(RecordBatch::num_rows).sum(), schema, batches: batches.into() }
    }

    pub(crate) fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

#[pymethods]
impl Batches {
    fn __len__(&self) -> usize {
        self.rows
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        schema_capsule(py, &self.schema)
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let from = Origin::Memory(self.schema.clone(), self.batches.clone());
        Reader { from, at: Mutex::new(0) }.__arrow_c_stream__(py, requested_schema)
    }

    #[getter]
    fn columns(&self) -> Vec<String> {
        names(&self.schema)
    }

    #[getter]
    fn types(&self) -> Vec<(String, String)> {
        types(&self.schema)
    }

    /// The rows as dictionaries.
    fn dicts<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let batches = self.batches.iter().map(|batch| dicts(py, batch)).collect::<PyResult<Vec<_>>>()?;
        Ok(batches.into_iter().flatten().collect())
    }

    /// The first rows.
    fn head(&self, n: usize) -> Batches {
        let (mut batches, mut left) = (vec![], n);
        for batch in self.batches.iter().take_while(|_| n > 0) {
            batches.push(batch.slice(0, batch.num_rows().min(left)));
            left -= batch.num_rows().min(left);
        }
        Batches::new(self.schema.clone(), batches)
    }

    /// The values of a column; `None` if there is none of the name.
    fn column<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Option<Bound<'py, PyList>>> {
        let Ok(at) = self.schema.index_of(name) else { return Ok(None) };
        let values = self.batches.iter().map(|batch| objects(py, batch.column(at))).collect::<PyResult<Vec<_>>>()?;
        PyList::new(py, values.into_iter().flatten().collect::<Vec<_>>()).map(Some)
    }
}

fn names(schema: &Schema) -> Vec<String> {
    schema.fields().iter().map(|f| f.name().clone()).collect()
}

/// Columns with the types of their values.
pub(crate) fn types(schema: &Schema) -> Vec<(String, String)> {
    schema.fields().iter().map(|f| (f.name().clone(), f.data_type().to_string())).collect()
}

fn schema_capsule<'py>(py: Python<'py>, schema: &Schema) -> PyResult<Bound<'py, PyCapsule>> {
    let schema = FFI_ArrowSchema::try_from(schema);
    let schema = schema.map_err(|e| exception(py, &Error::new(ErrorKind::Internal, e.to_string())))?;
    PyCapsule::new_with_value(py, schema, SCHEMA)
}

/// The schema that a consumer asks for, where its columns are these by name: types may be others that values are cast
/// to. The protocol has what cannot be done left out.
fn requested(capsule: &Bound<'_, PyCapsule>, schema: &Schema) -> PyResult<Option<SchemaRef>> {
    let pointer = capsule.pointer_checked(Some(SCHEMA))?.cast::<FFI_ArrowSchema>();
    // SAFETY: a capsule of this name holds a schema of the C data interface, which lives as long as it.
    let wanted = unsafe { pointer.as_ref() };
    let Ok(wanted) = Schema::try_from(wanted) else { return Ok(None) };
    let fits = wanted.fields().len() == schema.fields().len()
        && wanted.fields().iter().zip(schema.fields()).all(|(wanted, field)| {
            wanted.name() == field.name() && arrow::compute::can_cast_types(field.data_type(), wanted.data_type())
        });
    Ok(fits.then(|| Arc::new(wanted)))
}

/// Rows for a consumer of Arrow's C interface, on whatever thread it asks.
struct Stream {
    reader: Reader,
    schema: SchemaRef,
    once: EachOnce,
}

impl Stream {
    fn batch(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        // Whether the thread has the interpreter's lock is not known; waiting must not keep it.
        let batch = Python::try_attach(|py| {
            self.reader.batch(py, None).map_err(|raised| {
                // In a row, without what a text of C ends at.
                let text = raised.value(py).to_string().replace('\0', " ");
                let is_signal = raised.is_instance_of::<pyo3::exceptions::PyKeyboardInterrupt>(py);
                if is_signal {
                    // The consumer makes an error of its own of this one: Ctrl-C is to be heard all the same.
                    // SAFETY: the thread has the interpreter's lock.
                    unsafe { pyo3::ffi::PyErr_SetInterrupt() };
                }
                ArrowError::ExternalError(if is_signal { interrupted().message.into() } else { text.into() })
            })
        });
        let batch = batch.unwrap_or_else(|| Err(ArrowError::ExternalError("the interpreter is ending".into())))?;
        let Some(batch) = batch else { return Ok(None) };
        let columns = self.schema.fields().iter().zip(batch.columns());
        let columns = columns.enumerate().map(|(at, (field, column))| {
            let column = self.once.column(at, column.clone());
            if column.data_type() == field.data_type() { Ok(column) } else { cast(&column, field.data_type()) }
        });
        RecordBatch::try_new(self.schema.clone(), columns.collect::<Result<_, _>>()?).map(Some)
    }
}

impl Iterator for Stream {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        // A panic must not cross into C.
        let batch = catch_unwind(AssertUnwindSafe(|| self.batch()));
        batch.unwrap_or_else(|_| Err(ArrowError::ExternalError(gone().message.into()))).transpose()
    }
}

impl RecordBatchReader for Stream {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}

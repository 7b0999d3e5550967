//! Runs: people who are drawn into a table and written up. What a run has committed stays, and a run is resumed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::common::Result as Planned;
use futures::TryStreamExt;
use populace::catalog::{CallTotals, Run as Noted, Work};
use populace::engine::{Engine, Options};
use populace::error::{Error, ErrorKind};
use populace::servers::{Limits, RequestOptions};
use populace::sql::{Access, Models};
use populace::{packs, runs};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::database::{Database, Open};
use crate::error::exception;
use crate::wait::{Cancel, wait};

/// A run that is to be done, or was.
#[pyclass(frozen, module = "populace._populace")]
pub(crate) struct Run {
    open: Arc<Open>,
    run: Noted,
    asking: RequestOptions,
}

/// What a run came to.
struct Done {
    written: u64,
    calls: CallTotals,
    notices: Vec<String>,
}

#[pymethods]
impl Run {
    /// A run that brings a table to so many people of a seed; nothing happens yet.
    #[staticmethod]
    #[pyo3(signature = (
        database, country, count, seed, table, given=None, narrator="outline", narratives=None, language=None, sound=false,
        judge=None, embeddings=true, concurrency=None, max_calls=None, max_tokens=None, max_cost=None
    ))]
    #[allow(clippy::too_many_arguments)]
    fn generate(
        py: Python<'_>,
        database: &Database,
        country: &str,
        count: u64,
        seed: u64,
        table: &str,
        given: Option<String>,
        narrator: &str,
        narratives: Option<Vec<String>>,
        language: Option<String>,
        sound: bool,
        judge: Option<String>,
        embeddings: bool,
        concurrency: Option<usize>,
        max_calls: Option<u64>,
        max_tokens: Option<u64>,
        max_cost: Option<f64>,
    ) -> PyResult<Run> {
        database.engine(py)?;
        let pack = py.detach(|| runs::pack_id(country)).map_err(|error| exception(py, &Error::from(&error)))?;
        let work = Work::Generate { country: packs::path::absolute(country), pack, seed, given, count };
        let run =
            Noted { narratives, language, exactly: sound, judge, ..Noted::new(work, table, narrator, embeddings) };
        let limits = Limits { calls: max_calls, tokens: max_tokens, cost: max_cost, ..Limits::default() };
        let asking = RequestOptions { concurrency, limits, ..database.open().options().asking.clone() };
        Ok(Run { open: database.open().clone(), run, asking })
    }

    /// A run that the database knows; an id may be cut short.
    #[staticmethod]
    fn find(py: Python<'_>, database: &Database, id: &str) -> PyResult<Run> {
        let engine = database.engine(py)?;
        let found = py.detach(|| noted(&engine, |catalog| catalog.run(id)));
        let run = found.map_err(|error| exception(py, &error))?.flatten();
        let unknown = || exception(py, &Error::new(ErrorKind::NotFound, format!("there is no run {id}")));
        let run = run.ok_or_else(unknown)?;
        let bounds = run.bounds;
        let limits = Limits { calls: bounds.calls, tokens: bounds.tokens, cost: bounds.cost_usd, ..Limits::default() };
        let asking = RequestOptions { limits, ..database.open().options().asking.clone() };
        Ok(Run { open: database.open().clone(), run, asking })
    }

    /// The runs that the database knows, the newest first.
    #[staticmethod]
    fn all(py: Python<'_>, database: &Database) -> PyResult<Vec<Run>> {
        let engine = database.engine(py)?;
        let found = py.detach(|| noted(&engine, |catalog| catalog.runs()));
        let runs = found.map_err(|error| exception(py, &error))?.unwrap_or_default();
        let asking = database.open().options().asking.clone();
        Ok(runs.into_iter().map(|run| Run { open: database.open().clone(), run, asking: asking.clone() }).collect())
    }

    #[getter]
    fn id(&self) -> &str {
        &self.run.id
    }

    #[getter]
    fn table(&self) -> &str {
        &self.run.table
    }

    /// How many people it is of, where that is known.
    #[getter]
    fn count(&self) -> Option<u64> {
        match self.run.work {
            Work::Generate { count, .. } => Some(count),
            Work::Statement(_) => None,
        }
    }

    /// What the database knows of it now: status, people in the table, error, and what its calls to models took.
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let engine = self.open.engine().map_err(|error| exception(py, &error))?;
        let id = self.run.id.clone();
        let read = py.detach(|| {
            noted(&engine, |catalog| {
                let run = catalog.run(&id)?;
                let calls = run.is_some().then(|| catalog.calls(&id)).transpose()?;
                Ok((run, calls))
            })
        });
        let (run, calls) = read.map_err(|error| exception(py, &error))?.unwrap_or_default();
        let state = PyDict::new(py);
        let run = run.as_ref();
        state.set_item("status", run.map_or("new".into(), |run| run.status.to_string()))?;
        state.set_item("done", run.map_or(0, |run| run.done))?;
        state.set_item("error", run.and_then(|run| run.error.as_deref()))?;
        calls.map_or(Ok(()), |calls| bill(&state, &calls))?;
        Ok(state)
    }

    /// Does what is left of it. `tick` is called now and then with the number of people who are ready.
    #[pyo3(signature = (tick=None, cancel=None))]
    fn work<'py>(
        &self,
        py: Python<'py>,
        tick: Option<&Bound<'py, PyAny>>,
        cancel: Option<&Cancel>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let engine = self.open.engine().map_err(|error| exception(py, &error))?;
        let ready = Arc::new(AtomicU64::new(self.run.done));
        let (run, asking, options) = (self.run.clone(), self.asking.clone(), self.open.options().clone());
        let counted = ready.clone();
        let work = async move { done(&engine, &run, asking, options, &counted).await };
        let told = || tick.map_or(Ok(()), |tick| tick.call1((ready.load(Ordering::Relaxed),)).map(|_| ()));
        let done = wait(py, cancel, work, told)?;
        told()?;
        let state = PyDict::new(py);
        state.set_item("written", done.written)?;
        state.set_item("notices", done.notices)?;
        bill(&state, &done.calls)?;
        Ok(state)
    }
}

/// What the catalogue says, where there is one.
fn noted<T>(
    engine: &Engine,
    read: impl Fn(&populace::catalog::Catalog) -> Result<T, populace::catalog::Error>,
) -> Result<Option<T>, Error> {
    let catalog = engine.database().existing_catalog().map_err(|error| Error::from(&error))?;
    catalog.map(|catalog| read(&catalog).map_err(|e| Error::new(ErrorKind::Io, e.to_string()))).transpose()
}

fn bill(state: &Bound<'_, PyDict>, calls: &CallTotals) -> PyResult<()> {
    state.set_item("answered", calls.answered)?;
    state.set_item("failed", calls.failed)?;
    state.set_item("prompt_tokens", calls.prompt_tokens)?;
    state.set_item("completion_tokens", calls.completion_tokens)?;
    state.set_item("cost_usd", calls.cost_usd)
}

/// Does what is left of a run, in a session that asks as the run does.
async fn done(
    engine: &Engine,
    run: &Noted,
    asking: RequestOptions,
    options: Options,
    ready: &AtomicU64,
) -> Planned<Done> {
    let narrator = Some(run.narrator.clone()).filter(|n| n != "none");
    let named = match &run.work {
        Work::Generate { country, .. } => vec![country.clone()],
        Work::Statement(_) => vec![],
    };
    // Whoever names a model to write with allows it.
    let access = Access { models: Models::Any, ..options.access.clone() };
    if !access.write {
        let error = Error::new(ErrorKind::Permission, "this database keeps nothing, and a run writes into a table");
        return Err(error.hint("populace.connect('populace-data') opens one that does").into());
    }
    let asking = RequestOptions { batch: run.batch, fresh: run.fresh.clone(), ..asking };
    let session = engine.session(Options { access, narrator, asking, packs: named, ..options })?;
    let written = match &run.work {
        Work::Generate { .. } => {
            runs::run(&session, run, None, |people| ready.store(people, Ordering::Relaxed)).await?
        }
        Work::Statement(sql) => {
            if let Some(mut rows) = runs::resume(&session, run, sql).await? {
                while rows.try_next().await?.is_some() {}
            }
            0
        }
    };
    let calls = session.catalog()?.calls(&run.id).map_err(|e| Error::new(ErrorKind::Io, e.to_string()))?;
    Ok(Done { written, calls, notices: session.database().take_notices() })
}

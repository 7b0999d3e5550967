//! Databases: what they are opened with, and what is asked of them.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::RecordBatch;
use datafusion::common::{Result as Planned, TableReference};
use datafusion::datasource::MemTable;
use futures::TryStreamExt;
use populace::database::{Database as Directory, EmbedderChoice, panel_design};
use populace::engine::{By, Engine, Options, Search};
use populace::error::{Error, ErrorKind};
use populace::export::{Card, Export, Format};
use populace::packs;
use populace::sql::{Access, Files, Models, Parameter, Statement, expression_text, quoted_name, quoted_text};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyList, PyTuple};

use crate::error::{closed, exception, usage};
use crate::provider;
use crate::rows::{Batches, Rows, types};
use crate::values::parameter;
use crate::wait::{Cancel, runtime, wait};

/// A database that is open, or was.
pub(crate) struct Open {
    engine: Mutex<Option<Engine>>,
    /// What its sessions may do
    options: Options,
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open").field("is_closed", &self.is_closed()).finish_non_exhaustive()
    }
}

impl Open {
    pub(crate) fn is_closed(&self) -> bool {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// # Errors
    /// If it is closed, or this process is not the one that opened it.
    pub(crate) fn engine(&self) -> Result<Engine, Error> {
        runtime()?;
        self.engine.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(closed)
    }

    /// A session that may draw from a country that is named by its path, or the database's own.
    fn engine_for(&self, country: &str) -> Result<Engine, Error> {
        let engine = self.engine()?;
        if !packs::path::is_path(country) {
            return Ok(engine);
        }
        let options = Options { packs: vec![country.into()], ..self.options.clone() };
        engine.session(options).map_err(|error| Error::from(&error))
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }
}

/// One statement.
pub(crate) fn one(engine: &Engine, text: &str) -> Planned<Statement> {
    let mut statements = engine.parse(text)?;
    let usage = |text: String| Err(Error::new(ErrorKind::Usage, text).into());
    match (statements.pop(), statements.len()) {
        (Some(one), 0) => Ok(one),
        (None, _) => usage("there is no statement".into()),
        (_, more) => usage(format!("one statement at a time, and here are {}", more + 1)),
    }
}

/// One expression of SQL, and nothing that would end it and begin something else.
fn one_expression(name: &str, text: &str) -> Result<String, Error> {
    expression_text(text)
        .map_err(|error| Error::new(ErrorKind::Usage, format!("{name}: {text} is no condition in SQL: {error}")))
}

/// A condition as an argument of a function; nothing without one.
fn condition(name: &str, predicate: Option<&str>) -> Result<String, Error> {
    match predicate.map(str::trim).filter(|p| !p.is_empty()) {
        None => Ok(String::new()),
        Some(predicate) => Ok(format!(", {name} => ({})", one_expression(name, predicate)?)),
    }
}

/// The values of parameters, by place or by name.
enum Values {
    Placed(Vec<Parameter>),
    Named(Vec<(String, Parameter)>),
}

impl Values {
    fn of(py: Python<'_>, values: Option<&Bound<'_, PyAny>>) -> PyResult<Values> {
        let Some(values) = values else { return Ok(Values::Placed(vec![])) };
        if let Ok(named) = values.cast::<PyDict>() {
            let named = named.iter().map(|(name, value)| Ok((name.extract()?, parameter(&value, 0)?)));
            return named.collect::<PyResult<_>>().map(Values::Named);
        }
        match values.is_instance_of::<PyList>() || values.is_instance_of::<PyTuple>() {
            true => {
                let placed = values.try_iter()?.map(|value| parameter(&value?, 0));
                placed.collect::<PyResult<_>>().map(Values::Placed)
            }
            false => Err(usage(py, "parameters are a list of values, or named by keyword")),
        }
    }

    fn bound(self, statement: Statement) -> Planned<Statement> {
        match self {
            Values::Placed(values) => statement.with_parameters(&values),
            Values::Named(values) => statement.with_named_parameters(values),
        }
    }
}

/// A database directory, or none: then people are drawn, and nothing is kept.
#[pyclass(frozen, module = "populace._populace")]
pub(crate) struct Database {
    open: Arc<Open>,
    root: Option<PathBuf>,
}

impl Database {
    pub(crate) fn open(&self) -> &Arc<Open> {
        &self.open
    }

    pub(crate) fn engine(&self, py: Python<'_>) -> PyResult<Engine> {
        self.open.engine().map_err(|error| exception(py, &error))
    }

    /// Rows that a text of the module's own asks for: the same each time.
    fn again(&self, py: Python<'_>, engine: Engine, text: &str, cancel: Option<&Cancel>) -> PyResult<Rows> {
        let parsed = one(&engine, text);
        let statement = parsed.map_err(|error| exception(py, &Error::from(&error)))?;
        let (planner, planned) = (engine.clone(), statement.clone());
        let described = wait(py, cancel, async move { planner.describe(planned).await }, || Ok(()))?;
        Ok(Rows::new(&self.open, engine, statement, false, described.schema))
    }
}

#[pymethods]
impl Database {
    #[new]
    #[pyo3(signature = (
        path, embedder=None, memory_limit=None, narrator=None, allow_files=false, allow_models=vec![],
        statement_timeout=None
    ))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        path: Option<PathBuf>,
        embedder: Option<String>,
        memory_limit: Option<u64>,
        narrator: Option<String>,
        allow_files: bool,
        allow_models: Vec<String>,
        statement_timeout: Option<f64>,
    ) -> PyResult<Database> {
        let timeout = statement_timeout.map(Duration::try_from_secs_f64).transpose();
        let timeout = timeout.map_err(|_| usage(py, "statement_timeout: a number of seconds"))?;
        let access = Access {
            write: path.is_some(),
            ddl: path.is_some(),
            models: if allow_models.is_empty() {
                Models::OfSession
            } else {
                Models::Named(allow_models.into_iter().collect())
            },
            files: if allow_files { Files::Allowed } else { Files::Forbidden },
            ..Access::default()
        };
        let options = Options { access, narrator, statement_timeout: timeout, ..Options::default() };
        // Nothing is ever written there: statements may not. Nobody else can know the name, and put something there.
        let nowhere =
            || std::env::temp_dir().join(format!("populace-{:016x}", RandomState::new().build_hasher().finish()));
        let (directory, chosen) = (path.clone().unwrap_or_else(nowhere), options.clone());
        let open = async move {
            let embedder = EmbedderChoice::named(embedder);
            Engine::new(Directory::open_within(directory, embedder, memory_limit)?, chosen)
        };
        let engine = wait(py, None, open, || Ok(()))?;
        Ok(Database { open: Arc::new(Open { engine: Mutex::new(Some(engine)), options }), root: path })
    }

    /// The directory; `None` where nothing is kept.
    #[getter]
    fn path(&self) -> Option<PathBuf> {
        self.root.clone()
    }

    #[getter]
    fn closed(&self) -> bool {
        self.open.is_closed()
    }

    /// Ends its statements, and lets go of what it holds.
    fn close(&self) {
        self.open.engine.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// The rows of a statement. A query is planned, and runs when they are asked for; any other has run.
    #[pyo3(signature = (text, values=None, cancel=None))]
    fn sql(
        &self,
        py: Python<'_>,
        text: &str,
        values: Option<&Bound<'_, PyAny>>,
        cancel: Option<&Cancel>,
    ) -> PyResult<Rows> {
        let (engine, values) = (self.engine(py)?, Values::of(py, values)?);
        let bound = one(&engine, text).and_then(|statement| values.bound(statement));
        let statement = bound.map_err(|error| exception(py, &Error::from(&error)))?;
        if statement.is_query() {
            let (planner, planned) = (engine.clone(), statement.clone());
            let described = wait(py, cancel, async move { planner.describe(planned).await }, || Ok(()))?;
            return Ok(Rows::new(&self.open, engine, statement, true, described.schema));
        }
        let schema = Arc::new(arrow::datatypes::Schema::empty());
        let rows = Rows::new(&self.open, engine, statement, true, schema);
        rows.finished(py, cancel)
    }

    /// People of a country, the same each time.
    #[pyo3(signature = (country, count, seed, given=None, cancel=None))]
    fn sample(
        &self,
        py: Python<'_>,
        country: &str,
        count: u64,
        seed: u64,
        given: Option<&str>,
        cancel: Option<&Cancel>,
    ) -> PyResult<Rows> {
        let prepared = || -> Result<_, Error> {
            let (engine, given) = (self.open.engine_for(country)?, condition("given", given)?);
            Ok((
                engine,
                format!("SELECT * FROM sample_persona({}, {count}, seed => {seed}{given})", quoted_text(country)),
            ))
        };
        let (engine, text) = prepared().map_err(|error| exception(py, &error))?;
        self.again(py, engine, &text, cancel)
    }

    /// The share of a country's people of whom a condition holds, and how many that is.
    fn probability(&self, py: Python<'_>, country: &str, given: &str) -> PyResult<(f64, f64)> {
        let prepared = || -> Result<_, Error> {
            let (engine, given) = (self.open.engine_for(country)?, condition("given", Some(given))?);
            if given.is_empty() {
                return Err(Error::new(ErrorKind::Usage, "a condition is wanted, such as age > 65"));
            }
            let country = quoted_text(country);
            Ok((engine, format!("SELECT probability, expected_people FROM persona_probability({country}{given})")))
        };
        let (engine, text) = prepared().map_err(|error| exception(py, &error))?;
        let found = self.again(py, engine, &text, None)?.all(py, None)?;
        let number = |at: usize| {
            let column = found.batches().first().map(|batch| batch.column(at).clone());
            let numbers = column.as_ref().and_then(|c| c.as_any().downcast_ref::<arrow::array::Float64Array>());
            numbers.filter(|n| !n.is_empty()).map_or(0.0, |numbers| numbers.value(0))
        };
        Ok((number(0), number(1)))
    }

    /// The people nearest to a text, best first.
    #[pyo3(signature = (text, table=None, predicate=None, k=10, by="facts", column="persona", rerank=None, cancel=None))]
    #[allow(clippy::too_many_arguments)]
    fn search(
        &self,
        py: Python<'_>,
        text: String,
        table: Option<String>,
        predicate: Option<String>,
        k: usize,
        by: &str,
        column: &str,
        rerank: Option<String>,
        cancel: Option<&Cancel>,
    ) -> PyResult<Batches> {
        let by = match by {
            "facts" => By::Facts,
            "meaning" => By::Meaning,
            "words" => By::Words,
            "both" => By::Both,
            _ => return Err(usage(py, format!("by: facts, meaning, words or both, not {by}"))),
        };
        let engine = self.engine(py)?.for_statement();
        let search = Search { text, by, table, column: column.into(), k, predicate, rerank };
        let found = async move {
            let rows = engine.search(search).await?;
            let schema = rows.schema();
            Ok((schema, rows.try_collect::<Vec<RecordBatch>>().await?))
        };
        let (schema, batches) = wait(py, cancel, found, || Ok(()))?;
        Ok(Batches::new(schema, batches))
    }

    /// Has the statements of this database object read rows of others by a name, in the place of what had it before.
    fn register(&self, py: Python<'_>, name: &str, rows: &Batches) -> PyResult<()> {
        let engine = self.engine(py)?;
        let registered = MemTable::try_new(rows.schema().clone(), vec![rows.batches().to_vec()])
            .and_then(|table| engine.context().register_table(TableReference::bare(name), Arc::new(table)));
        registered.map(|_| ()).map_err(|error| exception(py, &Error::from(&error)))
    }

    /// Forgets them; whether there were any.
    fn unregister(&self, py: Python<'_>, name: &str) -> PyResult<bool> {
        let forgotten = self.engine(py)?.context().deregister_table(TableReference::bare(name));
        forgotten.map(|table| table.is_some()).map_err(|error| exception(py, &Error::from(&error)))
    }

    /// How the panel was drawn that a table is, in JSON; `None` if it is none.
    fn panel_design(&self, py: Python<'_>, table: String) -> PyResult<Option<String>> {
        let engine = self.engine(py)?;
        let schema = wait(py, None, async move { engine.database().schema(&table).await }, || Ok(()))?;
        Ok(schema.as_ref().and_then(panel_design).map(String::from))
    }

    /// Notes with a table that it is a panel, and how that was drawn.
    fn set_panel_design(&self, py: Python<'_>, table: String, design: String) -> PyResult<()> {
        let engine = self.engine(py)?;
        wait(py, None, async move { engine.database().set_panel_design(&table, &design).await }, || Ok(()))
    }

    /// The tables.
    fn tables(&self, py: Python<'_>) -> PyResult<Vec<Summary>> {
        let engine = self.engine(py)?;
        let summaries = wait(py, None, async move { engine.database().summaries().await }, || Ok(()))?;
        Ok(summaries.into_iter().map(|table| (table.name, table.rows, table.country, table.bytes)).collect())
    }

    /// The columns of a table, and the types of their values; `None` if there is no such table.
    fn columns(&self, py: Python<'_>, table: String) -> PyResult<Option<Vec<(String, String)>>> {
        let engine = self.engine(py)?;
        let schema = wait(py, None, async move { engine.database().schema(&table).await }, || Ok(()))?;
        Ok(schema.map(|schema| types(&schema)))
    }

    /// The table for a session of the package `datafusion`, of this version.
    fn provider<'py>(
        &self,
        py: Python<'py>,
        table: &str,
        session: &Bound<'py, PyAny>,
        version: &str,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        provider::is_of(py, version)?;
        let engine = self.engine(py)?;
        let rows = self.again(py, engine, &format!("SELECT * FROM {}", quoted_name(table)), None)?;
        provider::capsule(py, &self.open, table, rows.schema().clone(), session)
    }

    /// Writes a table, or what a query in parentheses returns, into files; how many rows, and the files.
    #[pyo3(signature = (of, to, format, overwrite, cancel=None))]
    fn export(
        &self,
        py: Python<'_>,
        of: String,
        to: PathBuf,
        format: &str,
        overwrite: bool,
        cancel: Option<&Cancel>,
    ) -> PyResult<(u64, Vec<PathBuf>)> {
        let Some(chosen) = Format::named(format) else {
            let names: Vec<&str> = Format::all().map(|(_, name, _)| name).collect();
            return Err(usage(py, format!("there is no format {format}. There are: {}", names.join(", "))));
        };
        let engine = self.engine(py)?.for_statement();
        let export = Export {
            from: of,
            to,
            format: chosen,
            vectors: false,
            run_details: false,
            rows_per_file: None,
            template: None,
            user_template: None,
            overwrite,
            card: Card::default(),
        };
        let work = async move { populace::export::export(&engine, &export, |_| ()).await };
        let exported = wait(py, cancel, work, || Ok(()))?;
        Ok((exported.rows, exported.files))
    }

    /// The system prompts with which a model plays these people.
    #[pyo3(signature = (people, template=None))]
    fn prompts(&self, py: Python<'_>, people: &Batches, template: Option<&str>) -> PyResult<Vec<String>> {
        let mut prompts = vec![];
        for batch in people.batches() {
            let made = populace::export::prompts(batch, template);
            prompts.extend(made.map_err(|error| exception(py, &Error::from(&error)))?);
        }
        Ok(prompts)
    }
}

/// Name, rows, country, and the bytes of the files.
type Summary = (String, u64, Option<String>, u64);

/// Name, title, year, people, who they are, and the language of their texts.
type Country = (String, String, String, f64, String, String);

/// The countries that people are drawn from.
#[pyfunction]
pub(crate) fn countries(py: Python<'_>) -> PyResult<Vec<Country>> {
    let opened = || -> Result<_, Error> {
        let mut countries = vec![];
        for pack in packs::NAMES.iter().filter_map(|name| Some((name, packs::open(name)?))) {
            let (name, pack) = (pack.0, pack.1.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?);
            let (title, year, universe) = (pack.title().into(), pack.year().into(), pack.universe().into());
            countries.push((name.to_string(), title, year, pack.population(), universe, pack.language().into()));
        }
        Ok(countries)
    };
    py.detach(opened).map_err(|error| exception(py, &error))
}

/// A condition as it may stand in a statement.
#[pyfunction]
pub(crate) fn expression(py: Python<'_>, name: &str, text: &str) -> PyResult<String> {
    one_expression(name, text).map_err(|error| exception(py, &error))
}

/// A name as SQL has it.
#[pyfunction]
pub(crate) fn quoted(name: &str) -> String {
    quoted_name(name)
}

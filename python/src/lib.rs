//! The module `populace._populace`: the library as Python sees it. What reads well in Python alone is in
//! `python/populace/`; here is what has to be Rust: sessions, waiting for them, and values that cross over.
//!
//! No thread but Python's own ever takes the interpreter's lock. A consumer of Arrow may hold it while it waits for rows;
//! what is to be said meanwhile (`log.rs`) is kept until a thread of Python comes by.

mod database;
mod error;
mod given;
mod log;
mod provider;
mod rows;
mod run;
mod values;
mod wait;

/// The Rust part of `populace`.
#[pyo3::pymodule]
mod _populace {
    #[pymodule_export]
    use crate::database::{Database, countries, expression, quoted};
    #[pymodule_export]
    use crate::given::{laid_out, read_parquet, rows_of_json, rows_of_stream, write_parquet};
    #[pymodule_export]
    use crate::log::log_level;
    #[pymodule_export]
    use crate::rows::{Batches, Reader, Rows};
    #[pymodule_export]
    use crate::run::Run;
    #[pymodule_export]
    use crate::wait::Cancel;

    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const version: &str = env!("CARGO_PKG_VERSION");
}

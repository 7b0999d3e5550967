//! Functions of rows and aggregates, by their names.

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

use crate::host::Populace;
use crate::session::register;

/// The function of a row of that name, as a session lists it.
pub fn scalar(populace: &Populace, name: &str) -> Option<Arc<ScalarUDF>> {
    register::scalars_of(populace).into_iter().find(|f| f.name() == name).map(Arc::new)
}

/// Whether it is one of the functions of a row.
pub fn is_scalar(function: &ScalarUDF) -> bool {
    register::scalars_of(&Populace::new()).iter().any(|f| f.name() == function.name())
}

/// The function of that name which asks a model: a session lists one under the same name that cannot be called.
pub fn asynchronous(populace: &Populace, name: &str) -> Option<Arc<ScalarUDF>> {
    register::asynchronous(populace).into_iter().find(|f| f.name() == name)
}

/// The aggregate of that name.
pub fn aggregate(name: &str) -> Option<Arc<AggregateUDF>> {
    register::aggregates().into_iter().find(|f| f.name() == name).map(Arc::new)
}

/// Whether it is one of the aggregates.
pub fn is_aggregate(function: &AggregateUDF) -> bool {
    aggregate(function.name()).is_some()
}

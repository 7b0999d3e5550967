//! What a session gets: the functions, the planner of relations, and the rules.

pub mod expr_fn;
pub(crate) mod functions;
pub(crate) mod left_out;
pub(crate) mod register;
pub(crate) mod relations;
pub(crate) mod replay;
pub(crate) mod rewrite;
pub(crate) mod rules;
pub(crate) mod table_call;

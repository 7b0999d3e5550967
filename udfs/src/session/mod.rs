//! What a session gets: the functions, the planner of relations, and the rules.

pub(crate) mod functions;
pub(crate) mod register;
pub(crate) mod relations;
pub(crate) mod replay;
pub(crate) mod rewrite;
pub(crate) mod rules;

//! How a call is read: what its arguments are, and what they say.

pub(crate) mod arguments;
pub(crate) mod given;
pub(crate) mod names;
pub(crate) mod seed;
pub(crate) mod table_function;

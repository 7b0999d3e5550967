//! The rules that analyse and optimise statements with functions in them.

pub(crate) mod async_calls;
pub(crate) mod draws_in_any_order;
#[cfg(feature = "narratives")]
mod first_people;
pub(crate) mod lazy_calls;
#[cfg(feature = "narratives")]
pub(crate) mod row_facts;

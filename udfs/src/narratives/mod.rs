//! Texts about people: written by narrators, one by one or for whole people, and what they would come to.

pub(crate) mod estimate;
pub(crate) mod generate_narrative;
pub(crate) mod generate_persona;
pub(crate) mod narrate;
pub(crate) mod narrate_calls;
pub(crate) mod template;

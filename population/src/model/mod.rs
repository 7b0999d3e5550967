//! What a population is made of: variables and their levels, coarser views of them, tables over them, the network, and
//! the words that draw. Uses nothing of the crate but its errors; everything else may use it.

pub(crate) mod guide;
pub(crate) mod network;
pub(crate) mod partition;
pub(crate) mod philox;
pub(crate) mod potential;
pub(crate) mod variable;
pub(crate) mod width;

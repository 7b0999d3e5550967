//! Samples of rows that do not depend on the order in which the rows come.
//!
//! Every row has a *rank*: a number of 128 bits that its key and the seed decide on, and that looks random. A sample takes
//! the rows of the lowest ranks, in each stratum or below a bound (permanent random numbers: Ohlsson, "Coordination of
//! samples using permanent random numbers", 1995). So partitions, threads and storage change nothing, a larger sample
//! holds the smaller ones of its seed, and samples of one seed overlap as much as they can. Two of the same seed are
//! independent only where one is a sample of the other: ranks are made with another seed there.

pub(crate) mod allocation;
pub(crate) mod lineage;
pub(crate) mod moments;
pub(crate) mod numbered;
pub(crate) mod passes;
pub(crate) mod permanent_random_number;
pub(crate) mod quotas;
pub(crate) mod ranks;
pub(crate) mod strata;
pub(crate) mod stratified_sample;
pub(crate) mod table_sample;
pub(crate) mod tally;

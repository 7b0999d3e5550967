//! Whether what was counted agrees with what was expected: distances, tests, and what chance alone makes of both.

mod chi_square;
mod distance;
mod family;
mod gamma;
mod noise;
mod student;

pub(crate) use chi_square::{Test, of_fit, two_samples};
pub(crate) use distance::{jensen_shannon, total_variation};
pub(crate) use family::holm;
pub(crate) use noise::{between_samples, of_sample};
pub(crate) use student::{outside, reach};

//! Marginals of single variables.

mod support;

use populace_population::Error;
use support::questions::packs;

/// Shares are shares, also of variables that show others; what is too dear is refused, and never wrong.
#[test]
fn marginals_sum_to_one() {
    let mut refused = 0;
    for (name, pack) in packs() {
        for variable in pack.variables() {
            match pack.marginal(&variable.name) {
                Ok(marginal) => {
                    let total: f64 = marginal.iter().sum();
                    assert!((total - 1.0).abs() < 1e-6, "{name}: {} sums to {total}", variable.name);
                }
                Err(Error::TooMuchMemory { .. }) => refused += 1,
                Err(e) => panic!("{name}: {}: {e}", variable.name),
            }
        }
    }
    assert!(refused <= 3, "{refused} are refused");
}

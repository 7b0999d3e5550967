//! Functions that are not there where the crate was built without a feature: their calls say so.

use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use crate::session::functions::FunctionKind::{self, Scalar, Table};

/// A feature, and whether the crate was built with it.
type Feature = (&'static str, bool);

const CHECKS: Feature = ("checks", cfg!(feature = "checks"));
const NARRATIVES: Feature = ("narratives", cfg!(feature = "narratives"));
const SEARCH: Feature = ("search", cfg!(feature = "search"));

/// The functions that a feature has; the others are always there.
const OF_FEATURES: [(&str, FunctionKind, Feature); 10] = [
    ("duplicates", Table, CHECKS),
    ("validate", Table, CHECKS),
    ("generate_persona", Table, NARRATIVES),
    ("generate_narrative", Scalar, NARRATIVES),
    ("try_generate_narrative", Scalar, NARRATIVES),
    ("fact_search", Table, SEARCH),
    ("hybrid_search", Table, SEARCH),
    ("semantic_search", Table, SEARCH),
    ("similar_to", Table, SEARCH),
    ("text_search", Table, SEARCH),
];

/// Functions that are left out, with the feature that they need.
fn left_out(kind: FunctionKind) -> impl Iterator<Item = (&'static str, &'static str)> {
    let missing = move |(name, of, (feature, built)): (&'static str, FunctionKind, Feature)| {
        (of == kind && !built).then_some((name, feature))
    };
    OF_FEATURES.into_iter().filter_map(missing)
}

/// Refuses a call of a table function that is left out.
///
/// # Errors
/// If it is one.
pub(crate) fn refuse(name: &str) -> Result<()> {
    match left_out(Table).find(|(left_out, _)| *left_out == name) {
        Some((name, feature)) => plan_err!("{}", message(name, feature)),
        None => Ok(()),
    }
}

/// The functions of a row that are left out: they say so when they are planned.
pub(crate) fn scalars() -> impl Iterator<Item = ScalarUDF> {
    let signature = Signature::variadic_any(Volatility::Volatile);
    left_out(Scalar).map(move |(name, feature)| LeftOut { name, feature, signature: signature.clone() }.into())
}

fn message(name: &str, feature: &str) -> String {
    format!("{name}: populace-udfs was built without its feature `{feature}`")
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct LeftOut {
    name: &'static str,
    feature: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for LeftOut {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("{}", message(self.name, self.feature))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("{}", message(self.name, self.feature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::functions::functions;

    #[test]
    fn functions_are_there_by_their_features() {
        let all = functions();
        for (name, kind, (feature, built)) in OF_FEATURES {
            let there = all.iter().any(|f| f.name == name && f.kind == kind);
            assert_eq!(there, built, "{name} is of {feature}");
            assert_eq!(refuse(name).is_ok(), built || kind != Table, "{name}");
        }
    }
}

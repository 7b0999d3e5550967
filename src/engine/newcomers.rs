//! Leaving out people whom a table has before anything is asked about them.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::arrow::array::{AsArray, BooleanArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, LogicalPlan, LogicalPlanBuilder, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility, col,
};

use crate::database::KeySet;

/// The rows of a query whose uuid is not known, and a count of the others, which is whole when they are read. The
/// optimizer has the rows left out beneath what asks a model.
pub(super) fn newcomers(query: LogicalPlan, known: KeySet) -> Result<(LogicalPlan, Arc<AtomicU64>)> {
    let left_out: Arc<AtomicU64> = Arc::default();
    if !query.schema().has_column_with_unqualified_name("uuid") {
        return Ok((query, left_out));
    }
    let signature = Signature::any(1, Volatility::Stable);
    let is_new = ScalarUDF::from(IsNewcomer { signature, known, left_out: left_out.clone() });
    let rows = LogicalPlanBuilder::from(query).filter(is_new.call(vec![col("uuid")]))?.build()?;
    Ok((rows, left_out))
}

/// Whether a uuid is not among those of a table; true of NULL, which is nobody's.
#[derive(Debug)]
struct IsNewcomer {
    signature: Signature,
    known: KeySet,
    left_out: Arc<AtomicU64>,
}

impl PartialEq for IsNewcomer {
    fn eq(&self, other: &IsNewcomer) -> bool {
        Arc::ptr_eq(&self.left_out, &other.left_out)
    }
}

impl Eq for IsNewcomer {}

impl Hash for IsNewcomer {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.left_out).hash(state);
    }
}

impl ScalarUDFImpl for IsNewcomer {
    fn name(&self) -> &str {
        "is_newcomer"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [uuid] = &args.args[..] else { return exec_err!("{} takes a uuid", self.name()) };
        let uuids = cast(&uuid.to_array(args.number_rows)?, &DataType::Utf8)?;
        let new: BooleanArray =
            uuids.as_string::<i32>().iter().map(|u| Some(u.is_none_or(|u| !self.known.contains(u)))).collect();
        self.left_out.fetch_add((new.len() - new.true_count()) as u64, Ordering::Relaxed);
        Ok(ColumnarValue::Array(Arc::new(new)))
    }
}

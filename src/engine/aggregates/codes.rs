//! Groups by coded text are groups by codes: DataFusion hashes whole rows for those, and numbers are some ten times faster.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::arrow::array::{
    Array, ArrayBuilder, ArrayRef, AsArray, DictionaryArray, Int32Array, StringDictionaryBuilder,
};
use datafusion::arrow::datatypes::{DataType, Int32Type};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    Aggregate, ColumnarValue, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// Replaces coded text among what an aggregate groups by with codes that are the same in all batches, and the codes of its
/// groups with their texts again.
#[derive(Debug)]
pub(in crate::engine) struct GroupByCodes;

impl OptimizerRule for GroupByCodes {
    fn name(&self) -> &str {
        "group_by_codes"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Aggregate(of) = plan else { return Ok(Transformed::no(plan)) };
        let coded = |expr: &Expr| expr.get_type(of.input.schema()).is_ok_and(|kind| kind == coded_text());
        if of.group_expr.iter().any(|e| matches!(e, Expr::GroupingSet(_))) || !of.group_expr.iter().any(coded) {
            return Ok(Transformed::no(LogicalPlan::Aggregate(of)));
        }
        let codes: Vec<Option<Codes>> = of.group_expr.iter().map(|e| coded(e).then(Codes::default)).collect();
        let groups = of.group_expr.iter().zip(&codes).map(|(expr, codes)| match codes {
            Some(codes) => ScalarUDF::from(CodeOf(codes.clone(), one(coded_text()))).call(vec![expr.clone()]),
            None => expr.clone(),
        });
        let grouped = Aggregate::try_new(of.input.clone(), groups.collect(), of.aggr_expr.clone())?;
        // The aggregate's columns are called as they were: above it stands what names them.
        let columns = grouped.schema.columns();
        let shown = columns.into_iter().enumerate().map(|(at, column)| {
            let (table, field) = of.schema.qualified_field(at);
            // A column under its own name again is one that DataFusion's rules of leaves take for two.
            if column.relation.as_ref() == table && &column.name == field.name() {
                return Expr::Column(column);
            }
            let column = Expr::Column(column);
            let shown = match codes.get(at) {
                Some(Some(codes)) => ScalarUDF::from(TextOf(codes.clone(), one(DataType::Int32))).call(vec![column]),
                _ => column,
            };
            shown.alias_qualified(table.cloned(), field.name())
        });
        let shown = shown.collect::<Vec<_>>();
        LogicalPlanBuilder::from(LogicalPlan::Aggregate(grouped)).project(shown)?.build().map(Transformed::yes)
    }
}

/// Text as tables and draws have it.
fn coded_text() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

fn one(argument: DataType) -> Signature {
    Signature::exact(vec![argument], Volatility::Immutable)
}

/// The codes of one column's texts in one plan: one for each text, in whichever dictionary it comes.
#[derive(Clone, Default)]
struct Codes(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    texts: StringDictionaryBuilder<Int32Type>,
    /// The texts by code, as they were last asked for
    listed: Option<ArrayRef>,
    /// The dictionary that came last, with the codes of its texts as far as they are known
    last: Option<(ArrayRef, Arc<Vec<Option<i32>>>)>,
}

impl Codes {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The code of each row; NULL where that is.
    fn of(&self, rows: &DictionaryArray<Int32Type>) -> Result<Int32Array> {
        let (keys, values) = (rows.keys(), rows.values());
        let codes = self.known().codes(values, keys)?;
        let code = |key: i32| usize::try_from(key).ok().and_then(|at| codes.get(at).copied().flatten());
        match values.null_count() {
            // Where a row is NULL, its key may be any.
            0 => Ok(keys.unary(|key| code(key).unwrap_or_default())),
            _ => Ok(keys.unary_opt(code)),
        }
    }

    /// The texts of codes that it gave.
    fn texts(&self, codes: &Int32Array) -> Result<ArrayRef> {
        let mut known = self.known();
        let listed = match known.listed.take().filter(|_| known.texts.is_empty()) {
            Some(listed) => listed,
            None => known.texts.finish_preserve_values().values().clone(),
        };
        known.listed = Some(listed.clone());
        Ok(Arc::new(DictionaryArray::try_new(codes.clone(), listed)?))
    }
}

impl Known {
    /// The codes of a dictionary's texts; of a large one those alone that a row has.
    fn codes(&mut self, values: &ArrayRef, keys: &Int32Array) -> Result<Arc<Vec<Option<i32>>>> {
        let mut codes = match self.last.take() {
            Some((last, codes)) if last.to_data().ptr_eq(&values.to_data()) => codes,
            _ => Arc::new(vec![None; values.len()]),
        };
        let texts = values.as_string::<i32>();
        let mut wanted = vec![];
        let mut want = |at: usize| {
            if codes.get(at) == Some(&None) && texts.is_valid(at) {
                wanted.push(at);
            }
        };
        match values.len() <= keys.len() {
            true => (0..values.len()).for_each(&mut want),
            false => keys.iter().flatten().filter_map(|key| usize::try_from(key).ok()).for_each(&mut want),
        }
        if !wanted.is_empty() {
            wanted.sort_unstable();
            wanted.dedup();
            let codes = Arc::make_mut(&mut codes);
            for at in wanted {
                codes[at] = Some(self.texts.append(texts.value(at))?);
            }
        }
        self.last = Some((values.clone(), codes.clone()));
        Ok(codes)
    }
}

impl fmt::Debug for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Codes")
    }
}

impl PartialEq for Codes {
    fn eq(&self, other: &Codes) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Codes {}

impl Hash for Codes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

/// The code of a coded text.
#[derive(Debug, PartialEq, Eq, Hash)]
struct CodeOf(Codes, Signature);

/// The text of a code.
#[derive(Debug, PartialEq, Eq, Hash)]
struct TextOf(Codes, Signature);

impl ScalarUDFImpl for CodeOf {
    fn name(&self) -> &str {
        "code_of"
    }

    fn signature(&self) -> &Signature {
        &self.1
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = ColumnarValue::values_to_arrays(&args.args)?;
        match texts.first().and_then(|texts| texts.as_dictionary_opt::<Int32Type>()) {
            Some(texts) => Ok(ColumnarValue::Array(Arc::new(self.0.of(texts)?))),
            None => exec_err!("code_of is of coded text"),
        }
    }
}

impl ScalarUDFImpl for TextOf {
    fn name(&self) -> &str {
        "text_of"
    }

    fn signature(&self) -> &Signature {
        &self.1
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(coded_text())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let codes = ColumnarValue::values_to_arrays(&args.args)?;
        match codes.first().and_then(|codes| codes.as_primitive_opt::<Int32Type>()) {
            Some(codes) => Ok(ColumnarValue::Array(self.0.texts(codes)?)),
            None => exec_err!("text_of is of codes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Int64Array, RecordBatch, StringArray};
    use datafusion::arrow::compute::concat_batches;
    use datafusion::arrow::datatypes::{Field, Schema};
    use datafusion::arrow::util::pretty::pretty_format_batches;
    use datafusion::datasource::MemTable;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    fn coded(dictionary: &[Option<&str>], keys: &[Option<i32>]) -> ArrayRef {
        let values = Arc::new(StringArray::from(dictionary.to_vec()));
        Arc::new(DictionaryArray::new(Int32Array::from(keys.to_vec()), values))
    }

    /// Two partitions whose dictionaries have the same texts in other places, NULLs as keys and as texts, and texts
    /// that no row has.
    fn people() -> MemTable {
        let field = |name: &str| Field::new(name, coded_text(), true);
        let schema =
            Arc::new(Schema::new(vec![field("state"), field("job"), Field::new("age", DataType::Int64, true)]));
        let batch = |state: ArrayRef, job: ArrayRef, ages: &[i64]| {
            let ages = Arc::new(Int64Array::from(ages.to_vec()));
            RecordBatch::try_new(schema.clone(), vec![state, job, ages]).unwrap()
        };
        let first = batch(
            coded(&[Some("NV"), Some("UT"), Some("unused")], &[Some(0), Some(1), Some(0), None]),
            coded(&[Some("cook"), None], &[Some(0), Some(0), Some(1), Some(0)]),
            &[30, 40, 50, 60],
        );
        let second = batch(
            coded(&[Some("UT"), Some("WY"), Some("NV")], &[Some(2), Some(0), Some(1), Some(0)]),
            coded(&[Some("nurse"), Some("cook")], &[Some(1), Some(0), Some(0), None]),
            &[31, 41, 51, 61],
        );
        MemTable::try_new(schema, vec![vec![first.clone(), second.clone()], vec![second, first]]).unwrap()
    }

    fn session(by_codes: bool) -> SessionContext {
        let mut state = SessionStateBuilder::new_with_default_features()
            .with_config(SessionConfig::new().with_target_partitions(2));
        if by_codes {
            state = state.with_optimizer_rule(Arc::new(GroupByCodes));
        }
        let context = SessionContext::new_with_state(state.build());
        context.register_table("people", Arc::new(people())).unwrap();
        context
    }

    async fn answer(context: &SessionContext, sql: &str) -> RecordBatch {
        let rows = context.sql(sql).await.unwrap();
        let schema = Arc::new(rows.schema().as_arrow().clone());
        concat_batches(&schema, &rows.collect().await.unwrap()).unwrap()
    }

    fn shown(rows: &RecordBatch) -> String {
        pretty_format_batches(std::slice::from_ref(rows)).unwrap().to_string()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn groups_are_those_by_text() {
        let (by_codes, by_text) = (session(true), session(false));
        for sql in [
            "SELECT state, count(*), avg(age) FROM people GROUP BY state ORDER BY state",
            "SELECT job, state AS s, max(age) FROM people GROUP BY s, job ORDER BY 1, 2",
            "SELECT p.state, count(*) AS n FROM people AS p GROUP BY p.state HAVING count(*) > 2 AND p.state <> 'WY' ORDER BY 1",
            "SELECT DISTINCT state, job FROM people ORDER BY 1, 2",
            "SELECT count(DISTINCT state), count(DISTINCT job) FROM people",
            "SELECT state, age % 2, count(job) FROM people GROUP BY 1, 2 ORDER BY 1, 2",
            "SELECT state, job, count(*) FROM people GROUP BY ROLLUP (state, job) ORDER BY 1, 2, 3",
            "SELECT upper(state) AS u, min(state) FROM people GROUP BY u, state ORDER BY 1, 2",
            "SELECT a.state, b.job, count(*) FROM people a JOIN people b ON a.state = b.state GROUP BY 1, 2 ORDER BY 1, 2",
            "SELECT state FROM (SELECT state, count(*) AS n FROM people GROUP BY state) WHERE n = (SELECT max(n) FROM (SELECT count(*) AS n FROM people GROUP BY state)) ORDER BY 1",
            "SELECT state, sum(n) OVER (ORDER BY state) FROM (SELECT state, count(*) AS n FROM people GROUP BY state) ORDER BY 1",
            "SELECT state, count(*) FROM people WHERE false GROUP BY state",
        ] {
            let (ours, theirs) = (answer(&by_codes, sql).await, answer(&by_text, sql).await);
            assert_eq!(shown(&ours), shown(&theirs), "{sql}");
            assert_eq!(ours.schema(), theirs.schema(), "{sql}");
        }
        let plan = shown(&answer(&by_codes, "EXPLAIN SELECT state FROM people GROUP BY state").await);
        assert!(plan.contains("text_of") && plan.contains("code_of"), "{plan}");
    }

    /// A plan may be run again, and texts come that it has not seen.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_prepared_plan_keeps_its_codes() {
        let context = session(true);
        let select = "SELECT state, count(*) AS n FROM people WHERE age > $1 GROUP BY state ORDER BY state";
        context.sql(&format!("PREPARE p AS {select}")).await.unwrap();
        for age in [60, 0, 30] {
            let rows = answer(&context, &format!("EXECUTE p({age})")).await;
            let again = answer(&session(false), &select.replace("$1", &age.to_string())).await;
            assert_eq!(shown(&rows), shown(&again));
        }
    }
}

//! What is drawn and bound travels as it is; what does not fit is refused, and no bytes are the end of a process.

#[path = "../../udfs/tests/support/session.rs"]
mod session;
#[path = "support/side.rs"]
mod side;

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{ParamValues, ScalarValue, TableReference};
use datafusion::datasource::source_as_provider;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{LogicalPlan, Statement};
use datafusion::physical_plan::{ExecutionPlan, collect, displayable};
use datafusion_proto::bytes::{
    physical_plan_from_bytes_with_extension_codec, physical_plan_to_bytes_with_extension_codec,
};
use datafusion_proto::logical_plan::LogicalExtensionCodec;
use datafusion_proto::physical_plan::{
    ComposedPhysicalExtensionCodec, DefaultPhysicalExtensionCodec, PhysicalExtensionCodec,
};
use populace_udfs::Populace;
use session::{Greeter, planned, shown, tiny};
use side::Side;

async fn plan(side: &Side, sql: &str) -> LogicalPlan {
    planned(&side.context, sql).await.unwrap().logical_plan().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seeds_travel_as_they_were_drawn() {
    let people = "(SELECT uuid, age, state FROM sample_persona('tinyland', 50, seed => 1))";
    for sql in [
        "SELECT uuid FROM sample_persona('tinyland', 20)".to_string(),
        "SELECT uuid, persona FROM generate_persona('tinyland', 5)".to_string(),
        format!("SELECT uuid FROM stratified_sample({people}, 10, strata => state)"),
        format!("SELECT uuid FROM {people} TABLESAMPLE (10 ROWS)"),
        "SELECT uuid FROM sample_persona('tinyland', 20, margins => (SELECT state, count(*) FROM sample_persona('tinyland', 100) GROUP BY state))".to_string(),
    ] {
        let (here, there) = (Side::new(1), Side::new(1));
        let plan = plan(&here, &sql).await;
        let expected = here.rows(plan.clone()).await.unwrap();
        assert!(!expected.is_empty());
        assert_eq!(there.rows(here.send(&plan, &there).unwrap()).await.unwrap(), expected, "{sql}");
        assert_eq!(here.rows_there(&plan, &there).await.unwrap(), expected, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_are_bound_on_either_side() {
    let sql = "PREPARE p(BIGINT, INT) AS SELECT * FROM sample_persona('tinyland', $1, seed => 3, given => age < $2)";
    let (here, there) = (Side::new(1), Side::new(1));
    let state = here.context.state();
    let LogicalPlan::Statement(Statement::Prepare(prepared)) = state.create_logical_plan(sql).await.unwrap() else {
        panic!("{sql}")
    };
    let values = || ParamValues::from(vec![ScalarValue::from(12_i64), ScalarValue::from(21_i32)]);
    let waiting = prepared.input.as_ref().clone();
    let expected = here.rows(waiting.clone().with_param_values(values()).unwrap()).await.unwrap();
    assert_eq!(expected.len(), 12);
    let sent = here.send(&waiting, &there).unwrap();
    assert_eq!(sent.display_indent().to_string(), waiting.display_indent().to_string());
    assert_eq!(there.rows(sent.with_param_values(values()).unwrap()).await.unwrap(), expected);
    let bound = here.send(&waiting.with_param_values(values()).unwrap(), &there).unwrap();
    assert_eq!(there.rows(bound).await.unwrap(), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_that_ask_models_come_back_as_those() {
    let sql = "SELECT generate_narrative('Dear {{first_name}}'), upper(state), age_band(age, 30) FROM sample_persona('tinyland', 3, seed => 1)";
    let (here, there) = (Side::new(4), Side::new(4));
    let plan = plan(&here, sql).await;
    let expected = here.rows(plan.clone()).await.unwrap();
    let physical = here.context.state().create_physical_plan(&plan).await.unwrap();
    assert!(displayable(physical.as_ref()).indent(true).to_string().contains("NarrateCalls"));
    // Alone, and before another codec.
    let composed = |side: &Side| {
        let ours = Arc::new(side.physical.clone().before_others()) as Arc<dyn PhysicalExtensionCodec>;
        ComposedPhysicalExtensionCodec::new(vec![ours, Arc::new(ByName)])
    };
    assert_eq!(here.rows_there(&plan, &there).await.unwrap(), expected);
    let bytes = physical_plan_to_bytes_with_extension_codec(physical, &composed(&here)).unwrap();
    let task = there.context.task_ctx();
    let back = physical_plan_from_bytes_with_extension_codec(&bytes, &task, &composed(&there)).unwrap();
    let mut rows = shown(&collect(back, task).await.unwrap()).unwrap();
    rows.sort();
    assert_eq!(rows, expected);
}

/// As a cluster's own codec: knows the functions that DataFusion has, by their names.
#[derive(Debug)]
struct ByName;

impl PhysicalExtensionCodec for ByName {
    fn try_decode(
        &self,
        buf: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        task: &TaskContext,
    ) -> datafusion::common::Result<Arc<dyn ExecutionPlan>> {
        DefaultPhysicalExtensionCodec {}.try_decode(buf, inputs, task)
    }

    fn try_encode(&self, node: Arc<dyn ExecutionPlan>, buf: &mut Vec<u8>) -> datafusion::common::Result<()> {
        DefaultPhysicalExtensionCodec {}.try_encode(node, buf)
    }

    fn try_decode_udf(
        &self,
        name: &str,
        _: &[u8],
    ) -> datafusion::common::Result<Arc<datafusion::logical_expr::ScalarUDF>> {
        datafusion::prelude::SessionContext::new()
            .task_ctx()
            .scalar_functions()
            .get(name)
            .cloned()
            .ok_or_else(|| datafusion::common::plan_datafusion_err!("{name} is unknown to the cluster"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_pack_is_refused_by_both_names() {
    let dir = std::env::temp_dir().join(format!("populace-codec-{}", std::process::id()));
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../udfs/tests/packs/tiny");
    copy(&from, &dir);
    let manifest = std::fs::read_to_string(dir.join("pack.toml")).unwrap();
    std::fs::write(dir.join("pack.toml"), manifest.replacen("[pack]", "[pack]\nedition = 2", 1)).unwrap();
    let second = populace_population::compile(&dir).unwrap().pack;
    std::fs::remove_dir_all(&dir).unwrap();
    assert_eq!(second.edition(), 2);

    let here = Side::new(1);
    let none = Side::of(Populace::new().with_narrator(Arc::new(Greeter::default())));
    let other = Side::of(Populace::new().with_pack(second.clone()).with_narrator(Arc::new(Greeter::default())));
    for sql in [
        "SELECT * FROM sample_persona('tinyland', 3, seed => 1)",
        "SELECT * FROM generate_persona('tinyland', 3, seed => 1)",
        "SELECT * FROM complete_persona('tinyland', (SELECT 'North' AS state))",
        "SELECT * FROM fidelity((SELECT 'North' AS state, 30 AS age, 'Female' AS sex, 'nurse' AS job), 'tinyland')",
    ] {
        let plan = plan(&here, sql).await;
        for (there, what) in [
            (&none, format!("the plan is for {} of edition 1, which this session has not", tiny().id())),
            (
                &other,
                format!(
                    "the plan is for {} of edition 1, and this session has {} of edition 2",
                    tiny().id(),
                    second.id()
                ),
            ),
        ] {
            let logical = here.send(&plan, there).unwrap_err();
            assert!(logical.to_string().contains(&what), "{sql}: {logical}");
            let physical = here.rows_there(&plan, there).await.unwrap_err();
            assert!(physical.to_string().contains(&what), "{sql}: {physical}");
        }
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => _ = std::fs::copy(entry.path(), to).unwrap(),
        }
    }
}

/// What was written of a part of a plan, and what reads it needs besides.
enum Part {
    Operator(Vec<u8>, Vec<Arc<dyn ExecutionPlan>>),
    Node(Vec<u8>, Vec<LogicalPlan>),
    Table(Vec<u8>, SchemaRef),
}

impl Part {
    fn bytes(&self) -> &[u8] {
        let (Part::Operator(bytes, _) | Part::Node(bytes, _) | Part::Table(bytes, _)) = self;
        bytes
    }

    /// Whether no rows and no lists stand in it.
    fn is_plain(&self) -> bool {
        // A message with one field that is a message begins with its number: calls, people and tables in memory have the
        // numbers from 2 or 4 on.
        let field = self.bytes()[32] >> 3;
        match self {
            Part::Operator(..) => field != 4,
            Part::Node(..) => true,
            Part::Table(..) => field == 1,
        }
    }
}

/// All parts of a statement's plans that are populace's.
async fn parts(side: &Side, sql: &str) -> Vec<Part> {
    let mut parts = vec![];
    let plan = plan(side, sql).await;
    plan.apply_with_subqueries(|node| {
        let mut buf = vec![];
        match node {
            LogicalPlan::Extension(extension) if side.logical.try_encode(extension, &mut buf).is_ok() => {
                parts.push(Part::Node(buf, node.inputs().into_iter().cloned().collect()));
            }
            LogicalPlan::TableScan(scan) => {
                let table = source_as_provider(&scan.source).unwrap();
                if side.logical.try_encode_table_provider(&scan.table_name, table, &mut buf).is_ok() {
                    parts.push(Part::Table(buf, scan.source.schema()));
                }
            }
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .unwrap();
    let Ok(physical) = side.context.state().create_physical_plan(&plan).await else { return parts };
    physical
        .apply(|operator| {
            let mut buf = vec![];
            if side.physical.try_encode(operator.clone(), &mut buf).is_ok() {
                parts.push(Part::Operator(buf, operator.children().into_iter().cloned().collect()));
            }
            Ok(TreeNodeRecursion::Continue)
        })
        .unwrap();
    parts
}

/// Bytes that are nearly those: some changed, left out, doubled or cut off.
fn mutated(bytes: &[u8], next: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=next(3) {
        if bytes.is_empty() {
            break;
        }
        let at = next(bytes.len());
        match next(5) {
            0 => bytes[at] ^= 1 << next(8),
            1 => bytes[at] = next(256) as u8,
            2 => _ = bytes.remove(at),
            3 => bytes.insert(at, bytes[at]),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_no_panic() {
    let side = Side::new(4);
    let people = "(SELECT * FROM sample_persona('tinyland', 50, seed => 1))";
    let mut all = vec![];
    for sql in [
        "SELECT uuid FROM sample_persona('tinyland', 200000, seed => 7, given => age BETWEEN 20 AND 60 AND (state = 'North' OR NOT age % 2 = 0))".to_string(),
        "SELECT first_name, persona FROM generate_persona('tinyland', 3, seed => 1) ORDER BY age LIMIT 2".to_string(),
        "SELECT generate_narrative('Dear {{first_name}}') FROM sample_persona('tinyland', 3, seed => 1)".to_string(),
        format!("SELECT * FROM stratified_sample({people}, 10, strata => (state, age_band(age, 30)), seed => 1)"),
        format!("SELECT * FROM {people} TABLESAMPLE BERNOULLI (20) REPEATABLE (3)"),
        format!("SELECT * FROM fidelity({people}, 'tinyland', given => age > 20)"),
        format!("SELECT * FROM rake({people}, 'tinyland', margins => state)"),
        format!("SELECT * FROM compare({people}, {people}, columns => (age, state))"),
        "SELECT * FROM complete_persona('tinyland', (SELECT 'North' AS state), seed => 4)".to_string(),
        "SELECT * FROM persona_probability('tinyland', given => age > 30)".to_string(),
        "SELECT * FROM text_search((SELECT * FROM (VALUES ('a', 'bees'), ('b', 'cats')) AS t(uuid, persona)), 'bees', 1, \"column\" => 'persona')".to_string(),
    ] {
        all.extend(parts(&side, &sql).await);
    }
    assert!(all.len() > 20, "{}", all.len());
    // Xorshift (Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8, 2003)
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    };
    let (task, name) = (side.context.task_ctx(), TableReference::bare("t"));
    let is_refused = |part: &Part, bytes: &[u8]| match part {
        Part::Operator(_, inputs) => side.physical.try_decode(bytes, inputs, &task).is_err(),
        Part::Node(_, inputs) => side.logical.try_decode(bytes, inputs, &task).is_err(),
        Part::Table(_, schema) => side.logical.try_decode_table_provider(bytes, &name, schema.clone(), &task).is_err(),
    };
    for at in 0..10_000 {
        let part = &all[at % all.len()];
        let bytes = mutated(part.bytes(), &mut next);
        assert!(bytes == part.bytes() || is_refused(part, &bytes), "{at}");
    }
    // As somebody would write who knows the form: a message with its own hash. Those with lists or rows are left out, of
    // which Arrow's reader believes what they say of their lengths.
    let known = all.iter().filter(|part| part.is_plain());
    let known: Vec<&Part> = known.collect();
    assert!(known.len() > 10, "{}", known.len());
    let mut refused = 0;
    for at in 0..10_000 {
        let part = known[at % known.len()];
        let message = mutated(&part.bytes()[32..], &mut next);
        let bytes = [blake3::hash(&message).as_bytes().as_slice(), &message].concat();
        refused += usize::from(is_refused(part, &bytes));
    }
    // The others are plans of something else: another seed, say.
    assert!(refused > 5_000, "{refused} of 10,000 were refused");
}

#[tokio::test]
async fn what_stays_is_named() {
    let (here, there) = (Side::new(1), Side::new(1));
    plan(&here, "SET datafusion.catalog.information_schema = true").await;
    let plan = plan(&here, "SELECT * FROM information_schema.routines").await;
    let logical = here.send(&plan, &there).unwrap_err().to_string();
    assert!(logical.contains("the table information_schema.routines is neither drawn nor in memory"), "{logical}");
    let physical = here.rows_there(&plan, &there).await.unwrap_err().to_string();
    assert!(physical.contains("StreamingTableExec is none of populace's operators"), "{physical}");
}

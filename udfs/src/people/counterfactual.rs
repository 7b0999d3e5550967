//! `counterfactual(country, people | uuid, set => (column = value, …) [, keep => (column, …)])`: the same people with
//! something otherwise.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result, plan_datafusion_err, plan_err};
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr as SqlExpr};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use populace_population::{Counterfactual, Pack, Value};

use crate::call::arguments::Arguments;
use crate::call::table_function::{Parameter, TableFunction};
use crate::host::packs::{Packs, population_error};
use crate::nodes::relation_function::{RelationFunction, Wanted, in_background, relation};

pub(crate) const NAME: &str = "counterfactual";

/// The function, as a session has it.
pub(crate) const FUNCTION: TableFunction = TableFunction {
    name: NAME,
    parameters: &[
        Parameter::required("country", ""),
        Parameter::required("people", "").relation().shown("people | uuid"),
        Parameter::required("set", "(column = value [, …])"),
        Parameter::optional("keep", "(column [, …])"),
        Parameter::optional("uuid", "text").hidden(),
    ],
    positional: 2,
    description: "The same people with something otherwise: for each person a twin, for whom `set` holds, and of whom only what depends on that by the network is drawn again, with the person's own random numbers; columns in `keep` stay. People are rows of a table or a query with a `uuid`, or one person by the uuid, looked for in the table that is called as the country is. Those drawn here have the random numbers that they were drawn by; those from elsewhere numbers that agree with their facts (abduction, action, prediction: Pearl 2009). Integers keep their place in the distribution; levels without an order are drawn by the Gumbel-max model (Oberst and Sontag 2019), in which a level gives way only to one whose odds against it have risen. In the network the twins of many people are drawn from P(Y | do(set)). The order of drawing is not an order of causes: an arrow from sex to age is there because a table was published so, and whoever reads an effect from twins argues for the arrows. `twin_of` is the uuid of the original; `seed`, `row_index` and `given` are NULL.",
    example: "SELECT * FROM counterfactual('usa', (SELECT * FROM sample_persona('usa', 3, seed => 1)), set => (sex = 'Male'))",
    plan: |arguments, populace, context| plan(arguments, &populace.packs, context),
};

fn plan(mut arguments: Arguments, packs: &Packs, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    let pack = packs.get(&arguments.required_text("country", context)?)?;
    let uuid = arguments.text("uuid", context)?;
    let people = arguments.table("people", context)?;
    let Some(set) = arguments.take("set") else {
        return plan_err!("{NAME}: the argument `set` is missing: what is otherwise, as in set => (sex = 'Male')");
    };
    let value = |(name, value)| match value {
        Some(sql) => Ok((name, arguments.value_of("set", sql, context)?)),
        None => Ok((name, Value::Null)),
    };
    let set = assignments(set)?.into_iter().map(value).collect::<Result<Vec<_>>>()?;
    let keep = arguments.columns("keep", context)?.unwrap_or_default();
    let counterfactual = Counterfactual::new(pack, &set, &keep).map_err(population_error)?;
    let set: Vec<String> = set.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    relation(Twins { uuid, counterfactual, set: set.join(", ") }, vec![people], None)
}

/// What is set, in its order: each variable and the expression of its value, none for NULL.
fn assignments(sql: SqlExpr) -> Result<Vec<(String, Option<SqlExpr>)>> {
    let name = |sql: &SqlExpr| match sql {
        SqlExpr::Identifier(name) => Some(name.value.clone()),
        _ => None,
    };
    let (mut found, mut open) = (vec![], vec![sql]);
    while let Some(sql) = open.pop() {
        match sql {
            SqlExpr::Nested(inner) => open.push(*inner),
            SqlExpr::Tuple(parts) => open.extend(parts.into_iter().rev()),
            SqlExpr::BinaryOp { left, op: BinaryOperator::And, right } => open.extend([*right, *left]),
            SqlExpr::BinaryOp { left, op: BinaryOperator::Eq, right } if name(&left).is_some() => {
                found.push((name(&left).unwrap_or_default(), Some(*right)));
            }
            SqlExpr::IsNull(column) if name(&column).is_some() => {
                found.push((name(&column).unwrap_or_default(), None));
            }
            other => {
                return plan_err!(
                    "{NAME}: `set`: `{other}` sets nothing: write column = value, or several of them in parentheses, \
                     as in set => (sex = 'Male', age = 40)"
                );
            }
        }
    }
    Ok(found)
}

/// One call.
#[derive(Debug)]
struct Twins {
    /// Whose people's only is, where one is named
    uuid: Option<String>,
    counterfactual: Counterfactual,
    set: String,
}

impl Twins {
    fn nobody(&self, uuid: &str) -> DataFusionError {
        let country = self.counterfactual.pack().name();
        plan_datafusion_err!(
            "{NAME}: nobody has the uuid '{uuid}' there: look for them in another table, as in {NAME}('{country}', \
             (SELECT * FROM … WHERE uuid = '{uuid}'), set => …)"
        )
    }
}

impl RelationFunction for Twins {
    fn operator(&self) -> &'static str {
        "CounterfactualExec"
    }

    fn name(&self) -> &'static str {
        NAME
    }

    fn pack(&self) -> Option<Arc<Pack>> {
        Some(self.counterfactual.pack().clone())
    }

    fn schema(&self) -> SchemaRef {
        self.counterfactual.schema()
    }

    fn details(&self) -> String {
        let affected = self.counterfactual.affected().join(", ");
        format!("country={}, set=[{}], affected=[{affected}]", self.counterfactual.pack().id(), self.set)
    }

    fn start(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        let Wanted { task, projection, inputs, .. } = wanted;
        let begin = async move {
            let people = inputs[0].rows(&task)?;
            let (call, mut seen) = (self.clone(), 0);
            let twins = in_background(people, move |batch| {
                let twins = call.counterfactual.twins(&batch).map_err(population_error)?;
                Ok(twins.project(&projection)?)
            });
            let nobody = stream::once(async move { Ok::<_, DataFusionError>(None) });
            let counted = twins.map_ok(Some).chain(nobody).map(move |batch| match batch? {
                Some(batch) => {
                    seen += batch.num_rows();
                    Ok(Some(batch))
                }
                None => match &self.uuid {
                    Some(uuid) if seen == 0 => Err(self.nobody(uuid)),
                    _ => Ok(None),
                },
            });
            Ok::<_, DataFusionError>(counted.try_filter_map(|batch| async move { Ok(batch) }))
        };
        stream::once(begin).try_flatten().boxed()
    }
}

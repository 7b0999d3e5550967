//! The codec of physical plans.

use std::sync::Arc;

use datafusion::common::{Result, not_impl_err};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::physical_expr::async_scalar_function::AsyncFuncExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::PhysicalExtensionCodec;
use datafusion_proto::physical_plan::from_proto::parse_physical_expr;
use datafusion_proto::physical_plan::to_proto::serialize_physical_expr;
use populace_udfs::Populace;
use populace_udfs::parts::{self, OperatorParts};

use crate::messages::{
    Columns, Draw, Narrate, NarrateCall, NarrateCalls, Operator, OperatorKind, RelationFunction, SamplePersona,
    numbers, place, places, read, read_schema, required, schema, write,
};

/// Functions that ask a model are sent with this mark: sessions list others under their names.
pub(crate) const ASYNCHRONOUS: &[u8] = b"asynchronous";

/// Physical plans as bytes.
#[derive(Debug, Clone)]
pub struct PopulacePhysicalCodec {
    populace: Arc<Populace>,
    before_others: bool,
}

impl PopulacePhysicalCodec {
    /// A codec for sessions that have what this one has.
    pub fn new(populace: impl Into<Arc<Populace>>) -> PopulacePhysicalCodec {
        PopulacePhysicalCodec { populace: populace.into(), before_others: false }
    }

    /// The same to stand first in a `ComposedPhysicalExtensionCodec`: functions that are not populace's are left to the
    /// codecs after it. By itself it sends them by their names.
    pub fn before_others(self) -> PopulacePhysicalCodec {
        PopulacePhysicalCodec { before_others: true, ..self }
    }

    fn message(&self, operator: OperatorParts) -> Result<Operator> {
        let kind = match operator {
            OperatorParts::SamplePersona { draw, projection, partitions } => {
                OperatorKind::SamplePersona(SamplePersona {
                    draw: Some(Draw::of(&draw)),
                    projection: projection.map(|columns| Columns { places: numbers(&columns) }),
                    partitions: partitions as u64,
                })
            }
            OperatorParts::RelationFunction { parts, schema: of } => {
                let schema = Some(schema(&of)?);
                OperatorKind::RelationFunction(RelationFunction { schema, ..RelationFunction::of(&parts)? })
            }
            OperatorParts::Narrate { narrator, kinds, schema: of } => {
                OperatorKind::Narrate(Narrate { narrator, kinds, schema: Some(schema(&of)?) })
            }
            OperatorParts::NarrateCalls { narrator, enough, calls } => {
                // No other codec stands behind this one here.
                let alone = PopulacePhysicalCodec { before_others: false, ..self.clone() };
                let call = |call: &Arc<AsyncFuncExpr>| {
                    let expr = Some(serialize_physical_expr(&call.func, &alone)?);
                    Ok(NarrateCall { name: call.name.clone(), expr })
                };
                let calls = calls.iter().map(call).collect::<Result<_>>()?;
                OperatorKind::NarrateCalls(NarrateCalls { narrator, enough: enough.map(|n| n as u64), calls })
            }
        };
        Ok(Operator { kind: Some(kind) })
    }

    fn parts(&self, message: Operator, inputs: &[Arc<dyn ExecutionPlan>], task: &TaskContext) -> Result<OperatorParts> {
        Ok(match required(message.kind, "operator")? {
            OperatorKind::SamplePersona(SamplePersona { draw, projection, partitions }) => {
                OperatorParts::SamplePersona {
                    draw: required(draw, "draw")?.parts()?,
                    projection: projection.map(|columns| places(columns.places)).transpose()?,
                    partitions: place(partitions)?,
                }
            }
            OperatorKind::RelationFunction(mut call) => {
                let schema = read_schema(call.schema.take())?;
                OperatorParts::RelationFunction { parts: call.parts()?, schema }
            }
            OperatorKind::Narrate(Narrate { narrator, kinds, schema }) => {
                OperatorParts::Narrate { narrator, kinds, schema: read_schema(schema)? }
            }
            OperatorKind::NarrateCalls(NarrateCalls { narrator, enough, calls }) => {
                let of = required(inputs.first(), "input")?.schema();
                let call = |call: NarrateCall| {
                    let expr = parse_physical_expr(&required(call.expr, "call")?, task, &of, self)?;
                    Ok(Arc::new(AsyncFuncExpr::try_new(call.name, expr, &of)?))
                };
                let calls = calls.into_iter().map(call).collect::<Result<_>>()?;
                OperatorParts::NarrateCalls { narrator, enough: enough.map(place).transpose()?, calls }
            }
        })
    }
}

impl PhysicalExtensionCodec for PopulacePhysicalCodec {
    fn try_decode(
        &self,
        buf: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        task: &TaskContext,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.parts(read(buf)?, inputs, task)?.planned(inputs, &self.populace, task)
    }

    fn try_encode(&self, node: Arc<dyn ExecutionPlan>, buf: &mut Vec<u8>) -> Result<()> {
        match OperatorParts::of(node.as_ref())? {
            Some(operator) => {
                write(&self.message(operator)?, buf);
                Ok(())
            }
            None => not_impl_err!(
                "{} is none of populace's operators: what reads or writes the tables of a host stays where they are",
                node.name()
            ),
        }
    }

    fn try_encode_udf(&self, function: &ScalarUDF, buf: &mut Vec<u8>) -> Result<()> {
        encode_function(function, buf, self.before_others)
    }

    fn try_decode_udf(&self, name: &str, buf: &[u8]) -> Result<Arc<ScalarUDF>> {
        decode_function(&self.populace, name, buf)
    }

    fn try_encode_udaf(&self, function: &AggregateUDF, _: &mut Vec<u8>) -> Result<()> {
        match self.before_others && !parts::is_aggregate(function) {
            true => not_impl_err!("{} is none of populace's aggregates", function.name()),
            false => Ok(()),
        }
    }

    fn try_decode_udaf(&self, name: &str, _: &[u8]) -> Result<Arc<AggregateUDF>> {
        decode_aggregate(name)
    }
}

/// Nothing is written of a function that the other side finds by its name.
pub(crate) fn encode_function(function: &ScalarUDF, buf: &mut Vec<u8>, ours_alone: bool) -> Result<()> {
    if !parts::is_scalar(function) {
        return match ours_alone {
            true => not_impl_err!("{} is none of populace's functions", function.name()),
            false => Ok(()),
        };
    }
    if function.as_async().is_some() {
        buf.extend(ASYNCHRONOUS);
    }
    Ok(())
}

pub(crate) fn decode_function(populace: &Populace, name: &str, buf: &[u8]) -> Result<Arc<ScalarUDF>> {
    let function = match buf {
        [] => parts::scalar(populace, name),
        ASYNCHRONOUS => parts::asynchronous(populace, name),
        _ => None,
    };
    match function {
        Some(function) => Ok(function),
        None => not_impl_err!("{name} is none of populace's functions, and this session has none of that name"),
    }
}

pub(crate) fn decode_aggregate(name: &str) -> Result<Arc<AggregateUDF>> {
    match parts::aggregate(name) {
        Some(function) => Ok(function),
        None => not_impl_err!("{name} is none of populace's aggregates, and this session has none of that name"),
    }
}

//! The codec of logical plans.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::{Result, TableReference, not_impl_err};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{AggregateUDF, Expr, Extension, LogicalPlan, ScalarUDF};
use datafusion_proto::bytes::{
    logical_plan_from_bytes_with_extension_codec, logical_plan_to_bytes_with_extension_codec,
};
use datafusion_proto::logical_plan::LogicalExtensionCodec;
use datafusion_proto::logical_plan::from_proto::parse_expr;
use datafusion_proto::logical_plan::to_proto::serialize_expr;
use datafusion_proto::protobuf::LogicalExprNode;
use populace_udfs::Populace;
use populace_udfs::parts::{NodeParts, TableParts, UnboundDrawParts};

use crate::messages::{
    Call, Draw, DrawnTable, Node, NodeKind, Personas, RelationFunction, Table, TableKind, UnboundDraw, read, required,
    write,
};
use crate::physical::{decode_aggregate, decode_function, encode_function};
use crate::tables::{memory, read_memory};

/// Logical plans as bytes.
#[derive(Debug, Clone)]
pub struct PopulaceLogicalCodec {
    populace: Arc<Populace>,
}

impl PopulaceLogicalCodec {
    /// A codec for sessions that have what this one has.
    pub fn new(populace: impl Into<Arc<Populace>>) -> PopulaceLogicalCodec {
        PopulaceLogicalCodec { populace: populace.into() }
    }

    fn message(&self, node: NodeParts) -> Result<Node> {
        let kind = match node {
            NodeParts::RelationFunction(call) => NodeKind::RelationFunction(Box::new(RelationFunction::of(&call)?)),
            NodeParts::UnboundDraw(draw) => {
                let UnboundDrawParts { call, count, seed, given } = *draw;
                let expr = |expr: &Expr| -> Result<LogicalExprNode> { Ok(serialize_expr(expr, self)?) };
                NodeKind::UnboundDraw(Box::new(UnboundDraw {
                    call: Some(Call::of(&call)?),
                    count: Some(expr(&count)?),
                    seed: seed.as_ref().map(expr).transpose()?,
                    given: given.as_ref().map(expr).transpose()?,
                }))
            }
        };
        Ok(Node { kind: Some(kind) })
    }

    fn parts(&self, message: Node, task: &TaskContext) -> Result<NodeParts> {
        Ok(match required(message.kind, "node")? {
            NodeKind::RelationFunction(call) => NodeParts::RelationFunction((*call).parts()?),
            NodeKind::UnboundDraw(draw) => {
                let UnboundDraw { call, count, seed, given } = *draw;
                let expr = |expr: LogicalExprNode| -> Result<Expr> { Ok(parse_expr(&expr, task, self)?) };
                NodeParts::UnboundDraw(Box::new(UnboundDrawParts {
                    call: required(call, "call")?.parts()?,
                    count: expr(required(count, "count")?)?,
                    seed: seed.map(expr).transpose()?,
                    given: given.map(expr).transpose()?,
                }))
            }
        })
    }
}

impl LogicalExtensionCodec for PopulaceLogicalCodec {
    fn try_decode(&self, buf: &[u8], inputs: &[LogicalPlan], task: &TaskContext) -> Result<Extension> {
        let node = self.parts(read(buf)?, task)?.planned(inputs, &self.populace, task)?;
        Ok(Extension { node })
    }

    fn try_encode(&self, node: &Extension, buf: &mut Vec<u8>) -> Result<()> {
        match NodeParts::of(node.node.as_ref())? {
            Some(parts) => {
                write(&self.message(parts)?, buf);
                Ok(())
            }
            None => not_impl_err!("{} is none of populace's nodes", node.node.name()),
        }
    }

    fn try_decode_table_provider(
        &self,
        buf: &[u8],
        name: &TableReference,
        schema: SchemaRef,
        task: &TaskContext,
    ) -> Result<Arc<dyn TableProvider>> {
        let message: Table = read(buf)?;
        let parts = match required(message.kind, "table")? {
            TableKind::SamplePersona(DrawnTable { draw, any_order }) => {
                TableParts::SamplePersona { draw: required(draw, "draw")?.parts()?, any_order }
            }
            TableKind::Personas(Personas { people, sorted, language, narrator, kinds }) => {
                let people = Box::new(logical_plan_from_bytes_with_extension_codec(&people, task, self)?);
                TableParts::Personas { people, sorted, language, narrator, kinds }
            }
            TableKind::Memory(rows) => return read_memory(rows, name, schema),
        };
        parts.planned(schema, &self.populace)
    }

    fn try_encode_table_provider(
        &self,
        name: &TableReference,
        table: Arc<dyn TableProvider>,
        buf: &mut Vec<u8>,
    ) -> Result<()> {
        let kind = match TableParts::of(table.as_ref()) {
            Some(TableParts::SamplePersona { draw, any_order }) => {
                TableKind::SamplePersona(DrawnTable { draw: Some(Draw::of(&draw)), any_order })
            }
            Some(TableParts::Personas { people, sorted, language, narrator, kinds }) => {
                let people = logical_plan_to_bytes_with_extension_codec(&people, self)?.to_vec();
                TableKind::Personas(Personas { people, sorted, language, narrator, kinds })
            }
            None => match memory(table.as_ref(), name)? {
                Some(rows) => TableKind::Memory(rows),
                None => {
                    return not_impl_err!(
                        "the table {name} is neither drawn nor in memory: the tables of a host stay where they are"
                    );
                }
            },
        };
        write(&Table { kind: Some(kind) }, buf);
        Ok(())
    }

    fn try_encode_udf(&self, function: &ScalarUDF, buf: &mut Vec<u8>) -> Result<()> {
        encode_function(function, buf, false)
    }

    fn try_decode_udf(&self, name: &str, buf: &[u8]) -> Result<Arc<ScalarUDF>> {
        decode_function(&self.populace, name, buf)
    }

    fn try_decode_udaf(&self, name: &str, _: &[u8]) -> Result<Arc<AggregateUDF>> {
        decode_aggregate(name)
    }
}

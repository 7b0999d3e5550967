//! What is written of nodes and tables: messages of Protocol Buffers.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::{DFSchema, Result, plan_datafusion_err, plan_err};
use datafusion_proto::protobuf::{self, DfSchema, LogicalExprNode, PhysicalExprNode};
use populace_udfs::parts::{self, CallParts, DrawParts, PackId, RelationFacts};
use prost::{Message, Oneof};

use crate::predicates::{self, Test};

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Pack {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint32, tag = "2")]
    edition: u32,
    #[prost(bytes = "vec", tag = "3")]
    hash: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Draw {
    #[prost(message, optional, tag = "1")]
    pack: Option<Pack>,
    #[prost(fixed64, tag = "2")]
    seed: u64,
    #[prost(uint64, tag = "3")]
    count: u64,
    #[prost(message, repeated, tag = "4")]
    given: Vec<Test>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Relation {
    #[prost(message, optional, tag = "1")]
    schema: Option<DfSchema>,
    #[prost(uint64, repeated, tag = "2")]
    keys: Vec<u64>,
    #[prost(uint64, tag = "3")]
    samples: u64,
}

/// A call as it was written.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Call {
    #[prost(string, tag = "1")]
    sql: String,
    #[prost(message, repeated, tag = "2")]
    relations: Vec<Relation>,
}

/// A call of a function over relations.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RelationFunction {
    #[prost(message, optional, tag = "1")]
    pub call: Option<Call>,
    #[prost(message, optional, tag = "2")]
    pub pack: Option<Pack>,
    #[prost(uint64, repeated, tag = "3")]
    pub projection: Vec<u64>,
    #[prost(string, repeated, tag = "4")]
    pub carried: Vec<String>,
    /// Of an operator
    #[prost(message, optional, tag = "5")]
    pub schema: Option<protobuf::Schema>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct UnboundDraw {
    #[prost(message, optional, tag = "1")]
    pub call: Option<Call>,
    #[prost(message, optional, tag = "2")]
    pub count: Option<LogicalExprNode>,
    #[prost(message, optional, tag = "3")]
    pub seed: Option<LogicalExprNode>,
    #[prost(message, optional, tag = "4")]
    pub given: Option<LogicalExprNode>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Node {
    #[prost(oneof = "NodeKind", tags = "1, 2")]
    pub kind: Option<NodeKind>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum NodeKind {
    #[prost(message, boxed, tag = "1")]
    RelationFunction(Box<RelationFunction>),
    #[prost(message, boxed, tag = "2")]
    UnboundDraw(Box<UnboundDraw>),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Operator {
    #[prost(oneof = "OperatorKind", tags = "1, 2, 3, 4")]
    pub kind: Option<OperatorKind>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum OperatorKind {
    #[prost(message, tag = "1")]
    SamplePersona(SamplePersona),
    #[prost(message, tag = "2")]
    RelationFunction(RelationFunction),
    #[prost(message, tag = "3")]
    Narrate(Narrate),
    #[prost(message, tag = "4")]
    NarrateCalls(NarrateCalls),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SamplePersona {
    #[prost(message, optional, tag = "1")]
    pub draw: Option<Draw>,
    #[prost(message, optional, tag = "2")]
    pub projection: Option<Columns>,
    #[prost(uint64, tag = "3")]
    pub partitions: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Columns {
    #[prost(uint64, repeated, tag = "1")]
    pub places: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Narrate {
    #[prost(string, tag = "1")]
    pub narrator: String,
    #[prost(string, repeated, tag = "2")]
    pub kinds: Vec<String>,
    #[prost(message, optional, tag = "3")]
    pub schema: Option<protobuf::Schema>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NarrateCalls {
    #[prost(string, tag = "1")]
    pub narrator: String,
    #[prost(uint64, optional, tag = "2")]
    pub enough: Option<u64>,
    #[prost(message, repeated, tag = "3")]
    pub calls: Vec<NarrateCall>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NarrateCall {
    /// Of the column
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub expr: Option<PhysicalExprNode>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Table {
    #[prost(oneof = "TableKind", tags = "1, 2, 3")]
    pub kind: Option<TableKind>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum TableKind {
    #[prost(message, tag = "1")]
    SamplePersona(DrawnTable),
    #[prost(message, tag = "2")]
    Personas(Personas),
    #[prost(message, tag = "3")]
    Memory(Memory),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct DrawnTable {
    #[prost(message, optional, tag = "1")]
    pub draw: Option<Draw>,
    #[prost(bool, tag = "2")]
    pub any_order: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Personas {
    /// A logical plan
    #[prost(bytes = "vec", tag = "1")]
    pub people: Vec<u8>,
    #[prost(bool, tag = "2")]
    pub sorted: bool,
    #[prost(string, optional, tag = "3")]
    pub language: Option<String>,
    #[prost(string, tag = "4")]
    pub narrator: String,
    #[prost(string, repeated, tag = "5")]
    pub kinds: Vec<String>,
}

/// A table in memory.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Memory {
    /// Streams of Arrow IPC; nothing for those without rows
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub partitions: Vec<Vec<u8>>,
    #[prost(message, repeated, tag = "2")]
    pub keys: Vec<Key>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Key {
    #[prost(bool, tag = "1")]
    pub primary: bool,
    #[prost(uint64, repeated, tag = "2")]
    pub columns: Vec<u64>,
}

/// Bytes of a hash.
const HASH: usize = 32;

/// Writes a message after its BLAKE3 hash: Arrow's readers of rows and lists, which stand in messages, are made for bytes
/// that it has written itself.
pub(crate) fn write(message: &impl Message, buf: &mut Vec<u8>) {
    let bytes = message.encode_to_vec();
    buf.extend(blake3::hash(&bytes).as_bytes());
    buf.extend(bytes);
}

/// A message that was sent.
///
/// # Errors
/// If it is none.
pub(crate) fn read<M: Message + Default>(buf: &[u8]) -> Result<M> {
    let wrong = |why: String| plan_datafusion_err!("what was sent is no part of a plan: {why}");
    let Some((hash, bytes)) = buf.split_at_checked(HASH) else {
        return Err(wrong(format!("it has {} bytes", buf.len())));
    };
    if blake3::hash(bytes).as_bytes() != hash {
        return Err(wrong("it came otherwise than it was sent".into()));
    }
    M::decode(bytes).map_err(|e| wrong(e.to_string()))
}

/// What must be in a message.
///
/// # Errors
/// If it is not.
pub(crate) fn required<T>(part: Option<T>, name: &str) -> Result<T> {
    match part {
        Some(part) => Ok(part),
        None => plan_err!("what was sent is no part of a plan: it has no {name}"),
    }
}

pub(crate) fn place(place: u64) -> Result<usize> {
    usize::try_from(place).map_err(|_| plan_datafusion_err!("{place} is no place of a column"))
}

pub(crate) fn places(of: Vec<u64>) -> Result<Vec<usize>> {
    of.into_iter().map(place).collect()
}

pub(crate) fn numbers(of: &[usize]) -> Vec<u64> {
    of.iter().map(|at| *at as u64).collect()
}

pub(crate) fn schema(of: &Schema) -> Result<protobuf::Schema> {
    Ok(of.try_into()?)
}

pub(crate) fn read_schema(of: Option<protobuf::Schema>) -> Result<SchemaRef> {
    Ok(Arc::new(Schema::try_from(&required(of, "schema")?)?))
}

impl Pack {
    fn of(id: &PackId) -> Pack {
        Pack { name: id.name.clone(), edition: id.edition, hash: id.hash.to_vec() }
    }

    fn id(self) -> Result<PackId> {
        match <[u8; 32]>::try_from(self.hash) {
            Ok(hash) => Ok(PackId { name: self.name, edition: self.edition, hash }),
            Err(hash) => plan_err!("the hash of the pack `{}` has {} bytes, not 32", self.name, hash.len()),
        }
    }
}

impl Draw {
    pub fn of(draw: &DrawParts) -> Draw {
        Draw {
            pack: Some(Pack::of(&draw.pack)),
            seed: draw.seed,
            count: draw.count,
            given: draw.given.as_ref().map(predicates::tests).unwrap_or_default(),
        }
    }

    pub fn parts(self) -> Result<DrawParts> {
        Ok(DrawParts {
            pack: required(self.pack, "pack")?.id()?,
            seed: self.seed,
            count: self.count,
            given: predicates::predicate(self.given)?,
        })
    }
}

impl Call {
    pub fn of(call: &parts::Call) -> Result<Call> {
        let relation = |of: &RelationFacts| {
            let schema = Some(DfSchema::try_from(of.schema.as_ref())?);
            Ok(Relation { schema, keys: numbers(&of.keys), samples: of.samples })
        };
        let relations = call.relations.iter().map(relation).collect::<Result<_>>()?;
        Ok(Call { sql: call.sql.clone(), relations })
    }

    pub fn parts(self) -> Result<parts::Call> {
        let facts = |of: Relation| {
            let schema = Arc::new(DFSchema::try_from(&required(of.schema, "schema")?)?);
            Ok(RelationFacts { schema, keys: places(of.keys)?, samples: of.samples })
        };
        Ok(parts::Call { sql: self.sql, relations: self.relations.into_iter().map(facts).collect::<Result<_>>()? })
    }
}

impl RelationFunction {
    pub fn of(parts: &CallParts) -> Result<RelationFunction> {
        Ok(RelationFunction {
            call: Some(Call::of(&parts.call)?),
            pack: parts.pack.as_ref().map(Pack::of),
            projection: numbers(&parts.projection),
            carried: parts.carried.clone(),
            schema: None,
        })
    }

    pub fn parts(self) -> Result<CallParts> {
        Ok(CallParts {
            call: required(self.call, "call")?.parts()?,
            pack: self.pack.map(Pack::id).transpose()?,
            projection: places(self.projection)?,
            carried: self.carried,
        })
    }
}

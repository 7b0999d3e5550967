//! What clients are handed for a statement: all that is to be known of it, under a seal, so that nothing is kept for them.

use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::convert::try_schema_from_ipc_buffer;
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::{IpcMessage, SchemaAsIpc};
use prost::bytes::Bytes;
use tonic::Status;

use super::status::internal;

/// How long a seal is.
const SEAL: usize = 32;

/// What seals are made with: of this process alone, so that what another has handed out is nobody's here.
pub(super) struct Key([u8; 32]);

impl Key {
    /// # Errors
    /// If the machine has no random numbers.
    pub fn new() -> Result<Key, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::getrandom(&mut key)?;
        Ok(Key(key))
    }

    fn seal(&self, bytes: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&self.0, bytes)
    }
}

/// Tells what is fetched apart from whatever else is.
pub(super) type Id = [u8; 16];

/// A statement in a client's hands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Handle {
    pub id: Id,
    pub text: String,
    /// The same with each row of values that was bound to it; others may be bound in their place
    pub bound: Vec<String>,
    /// What the client was told of its rows; nothing of a statement that is prepared
    pub schema: Option<SchemaRef>,
    /// What became of it, if it has no rows: then it has run already
    pub outcome: Option<String>,
}

impl Handle {
    /// # Errors
    /// If the machine has no random numbers.
    pub fn new(text: String, schema: Option<SchemaRef>) -> Result<Handle, getrandom::Error> {
        let mut id = [0; 16];
        getrandom::getrandom(&mut id)?;
        Ok(Handle { id, text, bound: vec![], schema, outcome: None })
    }

    /// The statements that are run.
    pub fn into_texts(self) -> Vec<String> {
        if self.bound.is_empty() { vec![self.text] } else { self.bound }
    }

    /// The statement that is run, where it is to be one.
    ///
    /// # Errors
    /// If several rows of values were bound to it.
    pub fn into_text(self) -> Result<String, Status> {
        let mut texts = self.into_texts();
        match (texts.pop(), texts.is_empty()) {
            (Some(text), true) => Ok(text),
            _ => Err(Status::invalid_argument("a query takes one row of values at a time")),
        }
    }

    /// # Errors
    /// If Arrow has no form for its schema.
    pub fn sealed(&self, key: &Key) -> Result<Vec<u8>, Status> {
        let mut bytes = vec![];
        bytes.extend(self.id);
        let mut part = |part: &[u8]| {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(part);
        };
        part(self.text.as_bytes());
        // There may be nothing to say of what has run.
        part(&self.outcome.as_ref().map(|said| [b"+", said.as_bytes()].concat()).unwrap_or_default());
        part(&self.schema.as_ref().map(|schema| schema_bytes(schema)).transpose()?.unwrap_or_default());
        self.bound.iter().for_each(|text| part(text.as_bytes()));
        let seal = key.seal(&bytes);
        bytes.extend(seal.as_bytes());
        Ok(bytes)
    }

    /// # Errors
    /// If this server has not made it.
    pub fn opened(bytes: &[u8], key: &Key) -> Result<Handle, Status> {
        let odd = || Status::invalid_argument("it is none of the tickets of this server: ask for a new one");
        let (bytes, seal) = bytes.len().checked_sub(SEAL).map(|at| bytes.split_at(at)).ok_or_else(odd)?;
        let seal: [u8; SEAL] = seal.try_into().map_err(|_| odd())?;
        // Hashes are compared in constant time.
        if key.seal(bytes) != blake3::Hash::from_bytes(seal) {
            return Err(odd());
        }
        let (id, mut rest) = bytes.split_first_chunk().ok_or_else(odd)?;
        let mut part = || {
            let (length, behind) = rest.split_first_chunk()?;
            let (part, behind) = behind.split_at_checked(u64::from_le_bytes(*length) as usize)?;
            rest = behind;
            Some(part)
        };
        let read = |text: &[u8]| String::from_utf8(text.to_vec()).map_err(|_| odd());
        let text = read(part().ok_or_else(odd)?)?;
        let outcome = part().ok_or_else(odd)?.strip_prefix(b"+").map(read).transpose()?;
        let schema = part().ok_or_else(odd)?;
        let bound = std::iter::from_fn(part).map(read).collect::<Result<Vec<_>, _>>()?;
        let schema = match schema {
            [] => None,
            schema => Some(try_schema_from_ipc_buffer(schema).map_err(|_| odd())?.into()),
        };
        Ok(Handle { id: *id, text, bound, schema, outcome })
    }
}

/// A schema as Arrow sends it.
///
/// # Errors
/// If Arrow has no form for it.
pub(super) fn schema_bytes(schema: &Schema) -> Result<Bytes, Status> {
    let IpcMessage(bytes) = SchemaAsIpc::new(schema, &IpcWriteOptions::default()).try_into().map_err(internal)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::{DataType, Field};

    #[test]
    fn handles_come_back_as_they_were_or_not_at_all() {
        let key = Key::new().unwrap();
        let schema = Schema::new(vec![Field::new("é", DataType::Int64, true)]);
        let said = Some(String::new());
        for (schema, bound, outcome) in [
            (None, vec![], None),
            (Some(SchemaRef::new(schema)), vec!["SELECT 1".to_string(), "SELECT 2".into()], said),
        ] {
            let handle = Handle { bound, outcome, ..Handle::new("SELECT 'é'".into(), schema).unwrap() };
            let sealed = handle.sealed(&key).unwrap();
            assert_eq!(Handle::opened(&sealed, &key).unwrap(), handle);
            for at in 0..sealed.len() {
                let mut forged = sealed.clone();
                forged[at] ^= 1;
                assert!(Handle::opened(&forged, &key).is_err());
                assert!(Handle::opened(&sealed[..at], &key).is_err());
            }
            assert!(Handle::opened(&sealed, &Key::new().unwrap()).is_err());
        }
    }
}

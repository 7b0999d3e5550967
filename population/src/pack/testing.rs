//! For tests: packs taken out of their seal, changed, and sealed again. A flip of a byte is refused by the checksum
//! before anything is read; what reads a pack is tried only by what a forger would write.

use crate::error::Result;
use crate::pack::codec::{deflate, file};
use crate::pack::decode::{open, parts};
use crate::pack::identity::identity;

/// The header of a compiled pack as JSON, and its arrays.
///
/// # Errors
/// If the seal is broken.
pub fn unseal(bytes: &[u8]) -> Result<(String, Vec<u8>)> {
    let (header, arrays) = open(bytes)?;
    let header = String::from_utf8(header).map_err(|e| crate::Error::NotAPack(e.to_string()))?;
    Ok((header, arrays.to_vec()))
}

/// A file of this header and these arrays, with a checksum that is right, and with the hash that is right where they can
/// be read. The header is taken as it stands, but for its hash.
pub fn seal(header: &str, arrays: &[u8]) -> Vec<u8> {
    match parts(header.as_bytes(), arrays) {
        Ok((parts, claimed)) => {
            let hash = |hash: &str| format!("\"hash\":\"{hash}\"");
            seal_forged(&header.replace(&hash(&claimed), &hash(identity(&parts).to_hex().as_str())), arrays)
        }
        _ => seal_forged(header, arrays),
    }
}

/// As [`seal`], with the hash that the header claims.
pub fn seal_forged(header: &str, arrays: &[u8]) -> Vec<u8> {
    file(&deflate(header.as_bytes()), arrays)
}

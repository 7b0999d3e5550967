//! What was worked out once and may be wanted again.

use std::collections::HashMap;

/// Posteriors that are kept, in bytes; as many again of those that were used before.
pub(crate) const KEPT: usize = 64 << 20;

/// The least recently used go first, in two halves.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    pub new: HashMap<Vec<u32>, (T, usize)>,
    old: HashMap<Vec<u32>, (T, usize)>,
    bytes: usize,
}

impl<T> Default for Kept<T> {
    fn default() -> Kept<T> {
        Kept { new: HashMap::new(), old: HashMap::new(), bytes: 0 }
    }
}

impl<T: Clone> Kept<T> {
    pub fn find(&mut self, key: &[u32]) -> Option<T> {
        if let Some((found, _)) = self.new.get(key) {
            return Some(found.clone());
        }
        let (key, (found, bytes)) = self.old.remove_entry(key)?;
        self.put(key, found.clone(), bytes);
        Some(found)
    }

    /// Keeps what takes so many bytes, key and all, unless it is too large.
    pub fn put(&mut self, key: Vec<u32>, kept: T, bytes: usize) {
        if bytes > KEPT / 4 {
            return;
        }
        if self.bytes + bytes > KEPT {
            self.old = std::mem::take(&mut self.new);
            self.bytes = 0;
        }
        self.bytes += bytes;
        self.new.insert(key, (kept, bytes));
    }
}

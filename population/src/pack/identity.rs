//! The identity of a pack: a hash over a canonical form of everything that decides who is drawn.
//!
//! `FORMAT.md` writes the form down. It owes nothing to how a pack is stored: another version of the format, or another
//! name of a field in its header, leaves the hash of the same people alone.

use crate::model::network::{Rows, Table};
use crate::model::variable::Levels;
use crate::pack::PackParts;
use crate::pack::codec::Number;

/// Bytes that are gathered before they are hashed.
const CHUNK: usize = 1 << 16;

struct Form {
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
}

impl Form {
    fn bytes(&mut self, bytes: &[u8]) {
        self.buffer.extend(bytes);
        self.flush(CHUNK);
    }

    fn flush(&mut self, above: usize) {
        if self.buffer.len() >= above {
            self.hasher.update(&self.buffer);
            self.buffer.clear();
        }
    }

    fn count(&mut self, count: usize) {
        self.bytes(&(count as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.bytes(text.as_bytes());
    }

    fn texts<'a>(&mut self, texts: impl ExactSizeIterator<Item = &'a str>) {
        self.count(texts.len());
        texts.for_each(|t| self.text(t));
    }

    fn numbers<T: Number>(&mut self, numbers: &[T]) {
        self.count(numbers.len());
        for part in numbers.chunks(CHUNK / 8) {
            let from = self.buffer.len();
            self.buffer.resize(from + part.len() * T::BYTES, 0);
            let places = self.buffer[from..].chunks_exact_mut(T::BYTES);
            places.zip(part).for_each(|(place, number)| number.put(place));
            self.flush(CHUNK);
        }
    }

    fn table(&mut self, table: &Table) {
        self.count(table.parents.len());
        for axis in &table.parents {
            self.count(axis.variable);
            self.numbers(axis.partition.class_of());
        }
        match &table.rows {
            Rows::Dense { width, thresholds } => {
                self.bytes(&[0]);
                self.count(*width);
                self.numbers(thresholds);
            }
            Rows::Sparse { offsets, levels, thresholds } => {
                self.bytes(&[1]);
                self.numbers(offsets);
                self.numbers(levels);
                self.numbers(thresholds);
            }
            Rows::Function { levels } => {
                self.bytes(&[2]);
                self.numbers(levels);
            }
        }
    }
}

/// The BLAKE3 hash of the canonical form.
pub(super) fn identity(parts: &PackParts) -> blake3::Hash {
    let mut form = Form { hasher: blake3::Hasher::new(), buffer: Vec::with_capacity(2 * CHUNK) };
    form.text("populace people 1");
    form.text(&parts.name);
    form.bytes(&parts.edition.to_le_bytes());
    form.count(parts.network.variables.len());
    for (variable, table) in parts.network.variables.iter().zip(&parts.network.tables) {
        form.text(&variable.name);
        form.bytes(&[u8::from(variable.hidden)]);
        form.bytes(&variable.null_level.map_or(0, |level| u32::from(level) + 1).to_le_bytes());
        match &variable.levels {
            Levels::Text(names) => {
                form.bytes(&[0]);
                form.texts(names.texts());
            }
            Levels::Integer { min, max } => {
                form.bytes(&[1]);
                form.bytes(&min.to_le_bytes());
                form.bytes(&max.to_le_bytes());
            }
        }
        form.table(table);
    }
    form.count(parts.lists.len());
    for list in &parts.lists {
        form.text(&list.name);
        form.texts(list.items.iter().map(Option::unwrap_or_default));
        form.count(list.min);
        form.count(list.max);
        form.table(&list.table);
    }
    form.flush(0);
    form.hasher.finalize()
}

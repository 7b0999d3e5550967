//! The ranks of rows: numbers that look random, and that a row's key and the seed decide on.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::row::{RowConverter, SortField};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{Expr, LogicalPlan};
use populace_population::{permuted, unpermuted};

use super::lineage::tells_rows_apart;
use crate::host::table_search::TableSearch;
use crate::types::plain;

/// The column that is the key of a row, where a table has it.
pub(crate) const UUID: &str = "uuid";

/// What rows are told apart by: a matter of the relation alone, not of how many of its rows are taken, nor of their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    /// The column at this place, in which no two rows have the same value
    Uuid(usize),
    /// Everything in them. The second of two equal rows has another rank than the first, whichever of them it is; that
    /// takes a table of the rows met, some 40 bytes for each.
    Content,
}

impl Key {
    /// What the rows of a relation are told apart by: their `uuid` where it is known that no two of them share one, or
    /// else everything in them.
    pub fn of(relation: &LogicalPlan, host: Option<&dyn TableSearch>) -> Key {
        let is_uuid = |f: &Field| f.name() == UUID && plain(f.data_type()) == DataType::Utf8;
        let mut uuids = relation.schema().fields().iter().enumerate().filter(|(_, f)| is_uuid(f)).map(|(at, _)| at);
        uuids.find(|at| tells_rows_apart(relation, *at, host)).map_or(Key::Content, Key::Uuid)
    }

    /// Whether rows of this relation can be told apart so whenever they are read.
    ///
    /// # Errors
    /// If by what they hold, and a query makes some of that up each time, perhaps with a model that is to be paid.
    pub fn check(&self, function: &str, relation: &LogicalPlan) -> Result<()> {
        let mut volatile = false;
        if *self == Key::Content {
            relation.apply_with_subqueries(|node| {
                volatile |= node.expressions().iter().any(Expr::is_volatile);
                Ok(if volatile { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })?;
        }
        match volatile {
            true => plan_err!(
                "{function}: rows without a `{UUID}` that is known to be each one's own are told apart by what they hold, \
                 and this query makes some of it up each time; select the `{UUID}` of a table whose key it is, or take \
                 the sample first"
            ),
            false => Ok(()),
        }
    }

    /// The ranks of the rows of a table with these columns.
    ///
    /// # Errors
    /// If a column that they are made from cannot be compared.
    pub fn ranks(&self, table: &Schema, seed: u64) -> Result<Ranks> {
        let fields = self.columns(table.fields().len()).into_iter().map(|at| table.field(at));
        let fields: Vec<_> = fields.map(|f| (f.name().as_str(), f.data_type())).collect();
        Ranks::new(self, seed, &fields)
    }

    /// The places of the columns that ranks are made from, of so many.
    pub fn columns(&self, count: usize) -> Vec<usize> {
        match self {
            Key::Uuid(at) => vec![*at],
            Key::Content => (0..count).collect(),
        }
    }
}

/// Ranks rows, a batch at a time; all the rows of a relation, whatever their order.
pub(crate) struct Ranks {
    seed: u64,
    /// None for keys
    content: Option<Content>,
    /// How all keys so far are written
    form: Form,
}

/// How uuids are written, all in small letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// There were none yet
    Unknown,
    /// 32 digits, as those of people are
    Digits,
    /// The same, with hyphens
    Hyphens,
    /// Some in one way, some in another, or not at all
    Mixed,
}

struct Content {
    kinds: Vec<DataType>,
    converter: RowConverter,
    met: HashMap<u128, u32>,
}

impl Ranks {
    /// For rows with columns of these types, as [`Key::columns`] names them.
    fn new(key: &Key, seed: u64, columns: &[(&str, &DataType)]) -> Result<Ranks> {
        let content = match key {
            Key::Uuid(_) => None,
            Key::Content => {
                let kinds: Vec<DataType> = columns.iter().map(|(_, kind)| plain(kind)).collect();
                let fields: Vec<SortField> = kinds.iter().map(|k| SortField::new(k.clone())).collect();
                let unsupported = |f: &SortField| !RowConverter::supports_fields(std::slice::from_ref(f));
                if let Some(at) = fields.iter().position(unsupported) {
                    let (name, kind) = columns[at];
                    return exec_err!(
                        "rows without a `{UUID}` that is known to be each one's own are told apart by what they hold, and \
                         `{name}`, {kind}, cannot be compared; leave it out with a subquery"
                    );
                }
                Some(Content { kinds, converter: RowConverter::new(fields)?, met: HashMap::new() })
            }
        };
        Ok(Ranks { seed, content, form: Form::Unknown })
    }

    /// The ranks of the rows in these columns; `None` if one has no key.
    pub fn of(&mut self, columns: &[ArrayRef], rows: usize) -> Result<Option<Vec<u128>>> {
        let seed = self.seed;
        let Some(content) = &mut self.content else {
            let Some(keys) = columns.first() else { return exec_err!("rows without a key") };
            let keys = cast(keys, &DataType::Utf8)?;
            let keys: &StringArray = keys.as_string();
            if keys.null_count() > 0 {
                return Ok(None);
            }
            let mut ranks = Vec::with_capacity(rows);
            for key in (0..keys.len()).map(|row| keys.value(row)) {
                let (number, form) = identity(key);
                if self.form != form {
                    self.form = if self.form == Form::Unknown { form } else { Form::Mixed };
                }
                ranks.push(permuted(number, seed));
            }
            return Ok(Some(ranks));
        };
        let columns = columns.iter().zip(&content.kinds).map(|(column, kind)| cast(column, kind));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let encoded = content.converter.convert_columns(&columns)?;
        let rank = |row: usize| {
            let of = if columns.is_empty() { hash(&[]) } else { hash(encoded.row(row).as_ref()) };
            let before = match content.met.entry(of) {
                Entry::Occupied(mut entry) => {
                    *entry.get_mut() += 1;
                    *entry.get()
                }
                Entry::Vacant(entry) => *entry.insert(0),
            };
            let of = if before == 0 { of } else { permuted(of, u64::from(before)) };
            permuted(of, seed)
        };
        Ok(Some((0..rows).map(rank).collect()))
    }

    /// Memory that it holds, about.
    pub fn bytes(&self) -> usize {
        // A key, a value and what a hash table has beside them.
        self.content.as_ref().map_or(0, |content| content.met.capacity() * 40)
    }

    /// The keys of these ranks, as texts: if all keys so far are uuids, written in one way.
    pub fn keys(&self, ranks: impl Iterator<Item = u128>) -> Option<Vec<String>> {
        let known = matches!(self.form, Form::Digits | Form::Hyphens);
        known.then(|| ranks.map(|rank| text(unpermuted(rank, self.seed), self.form)).collect())
    }
}

/// The rank of a row whose key is known to be its own.
pub(crate) fn rank_of(key: &str, seed: u64) -> u128 {
    permuted(identity(key).0, seed)
}

/// The number that a key stands for, and how it is written.
fn identity(key: &str) -> (u128, Form) {
    number(key).unwrap_or_else(|| (hash(key.as_bytes()), Form::Mixed))
}

fn hash(bytes: &[u8]) -> u128 {
    let hash = blake3::hash(bytes);
    hash.as_bytes()[..16].iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// What each character is as a hexadecimal digit in small letters; more than 15 for those that are none. Digits look
/// random: to ask of each which kind it is would be guessed wrong half of the time.
const DIGITS: [u8; 256] = {
    let mut digits = [u8::MAX; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

/// The number that a uuid stands for, and how it is written.
fn number(text: &str) -> Option<(u128, Form)> {
    let bytes = text.as_bytes();
    if let Ok(digits) = <&[u8; 32]>::try_from(bytes) {
        return Some((of_digits(digits)?, Form::Digits));
    }
    if bytes.len() != 36 || HYPHENS.iter().any(|at| bytes[*at] != b'-') {
        return None;
    }
    let mut digits = [0; 32];
    let others = bytes.iter().enumerate().filter(|(at, _)| !HYPHENS.contains(at));
    digits.iter_mut().zip(others).for_each(|(digit, (_, byte))| *digit = *byte);
    Some((of_digits(&digits)?, Form::Hyphens))
}

fn of_digits(digits: &[u8; 32]) -> Option<u128> {
    let (mut halves, mut seen) = ([0u64; 2], 0);
    for (half, digits) in halves.iter_mut().zip(digits.chunks_exact(16)) {
        for byte in digits {
            let digit = DIGITS[usize::from(*byte)];
            seen |= digit;
            *half = *half << 4 | u64::from(digit & 15);
        }
    }
    (seen < 16).then(|| u128::from(halves[0]) << 64 | u128::from(halves[1]))
}

fn text(number: u128, form: Form) -> String {
    let digits = format!("{number:032x}");
    match form {
        Form::Hyphens => [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-"),
        _ => digits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{DictionaryArray, Int32Array};
    use arrow::datatypes::Int32Type;
    use std::sync::Arc;

    fn ranks(key: &Key, seed: u64, columns: &[ArrayRef]) -> Vec<u128> {
        let kinds: Vec<_> = columns.iter().map(|c| ("c", c.data_type())).collect();
        Ranks::new(key, seed, &kinds).unwrap().of(columns, columns[0].len()).unwrap().unwrap()
    }

    #[test]
    fn uuids_are_numbers() {
        let uuid = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        let digits = "67e5504410b1426f9247bb680e5fe0c8";
        let (of, form) = number(uuid).unwrap();
        assert_eq!(of, 0x67e5_5044_10b1_426f_9247_bb68_0e5f_e0c8);
        assert_eq!((text(of, form).as_str(), text(of, Form::Digits).as_str()), (uuid, digits));
        assert_eq!(number(digits), Some((of, Form::Digits)));
        for other in ["", &uuid.to_uppercase(), "67e55044010b1-426f-9247-bb680e5fe0c8", "é", &"-".repeat(32)] {
            assert_eq!(number(other), None);
        }
    }

    #[test]
    fn keys_are_got_back_where_they_are_uuids() {
        let uuids = ["67e55044-10b1-426f-9247-bb680e5fe0c8", "00000000-0000-0000-0000-000000000000"];
        let keys: ArrayRef = Arc::new(StringArray::from(vec![Some(uuids[0]), Some(uuids[1]), Some("x"), None]));
        let mut ranks = Ranks::new(&Key::Uuid(0), 7, &[]).unwrap();
        let first = ranks.of(&[keys.slice(0, 2)], 2).unwrap().unwrap();
        assert_eq!(ranks.keys(first.iter().copied()), Some(uuids.map(String::from).to_vec()));
        assert_eq!(ranks.of(&[keys.slice(1, 2)], 2).unwrap().unwrap()[0], first[1]);
        assert_eq!(ranks.keys(first.into_iter()), None);
        assert_eq!(ranks.of(&[keys], 4).unwrap(), None);
    }

    #[test]
    fn content_is_ranked_by_value_and_occurrence() {
        let coded: DictionaryArray<Int32Type> = ["a", "b", "a"].into_iter().collect();
        let plain: ArrayRef = Arc::new(StringArray::from(vec!["a", "a", "b"]));
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1, 1, 1]));
        let mut coded = ranks(&Key::Content, 7, &[Arc::new(coded), numbers.clone()]);
        let mut plain = ranks(&Key::Content, 7, &[plain, numbers]);
        assert_ne!(plain[0], plain[1]);
        assert_eq!((coded[0], coded[2], coded[1]), (plain[0], plain[1], plain[2]));
        coded.sort();
        plain.sort();
        assert_eq!(coded, plain);
    }

    #[test]
    fn seeds_give_orders_of_their_own() {
        let numbers: ArrayRef = Arc::new(Int32Array::from_iter_values(0..1000));
        let numbers = [numbers];
        let (one, two) = (ranks(&Key::Content, 1, &numbers), ranks(&Key::Content, 2, &numbers));
        let concordant = (1..1000).filter(|i| (one[*i] < one[*i - 1]) == (two[*i] < two[*i - 1])).count();
        assert!((400..600).contains(&concordant), "{concordant}");
    }
}

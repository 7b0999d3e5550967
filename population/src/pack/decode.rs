//! Reading a pack: nothing of it is believed. Whatever passes can be drawn from, conditioned and judged without a panic
//! and within bounds; `FORMAT.md` lists what is asked of it.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::StringArray;
use rayon::prelude::*;

use crate::error::Result;
use crate::model::network::{Network, Rows, Table};
use crate::model::partition::Partition;
use crate::model::potential::Axis;
use crate::model::variable::{Levels, MAX_LEVELS, Variable};
use crate::pack::codec::{
    Cells, FEATURES, Features, FigureHeader, HOLDOUTS, Header, Length, LevelsHeader, ListHeader, MAGIC,
    MAX_COMBINATIONS, MAX_FIGURE_COLUMNS, MAX_FIGURES, MAX_HEADER, MAX_LISTS, MAX_PARENTS, MAX_TEXTS, MAX_VARIABLES,
    Number, PREFIX, RowsHeader, TableHeader, VERSION, VariableHeader, bad, inflate,
};
use crate::pack::figure::Figure;
use crate::pack::names::{column_name, pack_name};
use crate::pack::{List, MAX_LIST, Pack, PackParts};

/// A pack from its file.
pub(super) fn decode(bytes: &[u8]) -> Result<Pack> {
    let (header, arrays) = frame(bytes)?;
    // Both are done at once; what was read of a damaged file is thrown away, whatever it was.
    let read = || parts(&inflate(header, MAX_HEADER)?, arrays);
    let (sound, read) = rayon::join(|| sound(bytes), read);
    sound?;
    let (parts, hash) = read?;
    let pack = Pack::new(parts)?;
    let computed = blake3::Hash::from_bytes(pack.hash).to_hex();
    if hash != computed.as_str() {
        return Err(bad(format!(
            "it calls itself {}@{:.8} and holds the people of {}; fetch it where you trust it, or compile it",
            pack.name,
            hash,
            pack.id()
        )));
    }
    Ok(pack)
}

/// The header, inflated, and the arrays of a file whose checksum is right.
pub(super) fn open(bytes: &[u8]) -> Result<(Vec<u8>, &[u8])> {
    let (header, arrays) = frame(bytes)?;
    sound(bytes)?;
    Ok((inflate(header, MAX_HEADER)?, arrays))
}

/// The header, deflated, and the arrays of a file of this version, damaged or not.
fn frame(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    if bytes.len() < PREFIX || &bytes[..8] != MAGIC {
        return Err(bad("it does not begin as one"));
    }
    let version = u32::read(&bytes[8..12]);
    if version != VERSION {
        return Err(bad(format!(
            "its format is version {version}, this program reads version {VERSION}: compile it again from its folder, \
             `populace countries compile DIR`"
        )));
    }
    let length = u32::read(&bytes[12..16]) as usize;
    bytes[PREFIX..].split_at_checked(length).ok_or_else(damaged)
}

fn sound(bytes: &[u8]) -> Result<()> {
    match blake3::hash(&bytes[PREFIX..]).as_bytes() == &bytes[16..48] {
        true => Ok(()),
        false => Err(damaged()),
    }
}

fn damaged() -> crate::Error {
    bad("it is damaged: its checksum does not match; fetch or compile it again")
}

/// What a header and its arrays say, and the hash that they claim. Each fault is told by the thing that has it.
pub(super) fn parts(header: &[u8], arrays: &[u8]) -> Result<(PackParts, String)> {
    let unread = |e| bad(format!("its header: {e}"));
    let header = serde_json::from_slice::<Header>(header).map_err(|error| (error, header));
    // A feature that a later program has may be why it cannot be read.
    let features = match &header {
        Ok(header) => header.required_features.clone(),
        Err((_, header)) => serde_json::from_slice::<Features>(header).map_err(unread)?.required_features,
    };
    if let Some(unknown) = features.iter().find(|f| !FEATURES.contains(&f.as_str())) {
        return Err(bad(format!("it needs `{unknown}`, of which this program knows nothing: use a later one")));
    }
    let header = header.map_err(|(error, _)| unread(error))?;
    pack_name(&header.name).map_err(bad)?;
    if header.edition == 0 {
        return Err(bad("its edition is 0: editions are counted from 1"));
    }
    if !(header.population.is_finite() && header.population > 0.0) {
        return Err(bad(format!("it is of {} people", header.population)));
    }
    at_most("variables", header.variables.len(), MAX_VARIABLES)?;
    at_most("lists", header.lists.len(), MAX_LISTS)?;
    at_most("figures", header.figures.len() + header.holdouts.len(), MAX_FIGURES)?;
    if header.holdouts.is_empty() == header.required_features.iter().any(|f| f == HOLDOUTS) {
        return Err(bad(format!("it has {} hold-outs, and says otherwise", header.holdouts.len())));
    }
    check_names(&header)?;
    let mut reader = Reader { arrays, texts: 0 };
    let network = reader.network(header.variables)?;
    let mut lists = vec![];
    for list in header.lists {
        let what = format!("list `{}`", list.name);
        lists.push(reader.list(list, &network.variables).map_err(|e| within(&what, e))?);
    }
    let ids: HashSet<&str> = header.sources.iter().map(|s| s.id.as_str()).collect();
    let mut names = HashSet::new();
    let mut read = |headers: Vec<FigureHeader>| {
        let mut figures = vec![];
        for figure in headers {
            let what = format!("figure `{}`", figure.name);
            if !ids.contains(figure.source.as_str()) {
                return Err(bad(format!("{what}: it has no source `{}`", figure.source)));
            }
            if !names.insert(figure.name.clone()) {
                return Err(bad(format!("{what}: there are two of this name")));
            }
            figures.push(reader.figure(figure).map_err(|e| within(&what, e))?);
        }
        Ok(figures)
    };
    let (figures, holdouts) = (read(header.figures)?, read(header.holdouts)?);
    if !reader.arrays.is_empty() {
        return Err(bad(format!("{} bytes behind its last array", reader.arrays.len())));
    }
    let parts = PackParts {
        name: header.name,
        edition: header.edition,
        title: header.title,
        country: header.country,
        language: header.language,
        year: header.year,
        universe: header.universe,
        population: header.population,
        network,
        lists,
        columns: header.columns,
        figures,
        holdouts,
        sources: header.sources,
    };
    Ok((parts, header.hash))
}

fn at_most(what: &str, count: usize, most: usize) -> Result<()> {
    match count <= most {
        true => Ok(()),
        false => Err(bad(format!("{count} {what}; a pack has at most {most}"))),
    }
}

/// What is wrong, and with what.
fn within(what: &str, error: crate::Error) -> crate::Error {
    match error {
        crate::Error::NotAPack(message) => bad(format!("{what}: {message}")),
        error => error,
    }
}

/// Names of variables and lists are told apart, and columns name some of them, each once.
fn check_names(header: &Header) -> Result<()> {
    let mut names = HashSet::new();
    let named = header.variables.iter().map(|v| &v.name).chain(header.lists.iter().map(|l| &l.name));
    for name in named {
        column_name(name).map_err(bad)?;
        if !names.insert(name.as_str()) {
            return Err(bad(format!("two variables or lists are called `{name}`")));
        }
    }
    let mut columns = HashSet::new();
    for column in &header.columns {
        if !names.contains(column.as_str()) || header.variables.iter().any(|v| v.hidden && v.name == *column) {
            return Err(bad(format!("its column `{column}` is no variable to show and no list")));
        }
        if !columns.insert(column) {
            return Err(bad(format!("its column `{column}` stands there twice")));
        }
    }
    Ok(())
}

const BEYOND: &str = "an array reaches beyond the file";

/// Takes one array after another.
struct Reader<'a> {
    arrays: &'a [u8],
    /// Levels and items so far.
    texts: usize,
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, length: Length) -> Result<&'a [u8]> {
        let length = usize::try_from(length.0).ok().filter(|length| *length <= self.arrays.len());
        let (array, rest) = self.arrays.split_at(length.ok_or_else(|| bad(BEYOND))?);
        self.arrays = rest;
        Ok(array)
    }

    fn numbers<T: Number>(&mut self, length: Length) -> Result<Vec<T>> {
        let bytes = self.bytes(length)?;
        if bytes.len() % T::BYTES != 0 {
            return Err(bad("an array ends within a number"));
        }
        let mut numbers = vec![];
        numbers.try_reserve_exact(bytes.len() / T::BYTES).map_err(|e| bad(e.to_string()))?;
        numbers.extend(bytes.chunks_exact(T::BYTES).map(T::read));
        Ok(numbers)
    }

    /// Counts the names of an array, before any is taken out of it.
    fn count(&mut self, texts: &[u8]) -> Result<()> {
        let count = texts.iter().filter(|b| **b == b'\n').count() + 1;
        self.texts += count;
        match count > MAX_LEVELS || self.texts > MAX_TEXTS {
            true => Err(bad(format!("more than {MAX_LEVELS} levels, or {MAX_TEXTS} in all"))),
            false => Ok(()),
        }
    }

    /// Names that were counted. Whoever asks for them sees to it that each is its own.
    fn texts(&mut self, length: Length) -> Result<Vec<&'a str>> {
        let text = std::str::from_utf8(self.bytes(length)?).map_err(|e| bad(e.to_string()))?;
        let texts: Vec<&str> = text.split('\n').collect();
        match texts.iter().any(|text| text.is_empty()) {
            false => Ok(texts),
            true => Err(twice("")),
        }
    }

    /// The arrays of one variable, apart from those behind them.
    fn split(&mut self, header: &VariableHeader) -> Result<Reader<'a>> {
        let names = match &header.levels {
            LevelsHeader::Text(length) => Some(length.0),
            LevelsHeader::Integers(..) => None,
        };
        at_most("parents", header.table.parents.len(), MAX_PARENTS)?;
        let mut lengths = names.into_iter().chain(header.table.lengths());
        let whole = lengths.try_fold(0u64, |sum, length| sum.checked_add(length)).unwrap_or(u64::MAX);
        let arrays = self.bytes(Length(whole))?;
        if let Some(names) = names {
            self.count(&arrays[..names as usize])?;
        }
        Ok(Reader { arrays, texts: 0 })
    }

    /// All variables, each read beside others: first what their levels are, then their tables, which need the levels of
    /// those before.
    fn network(&mut self, headers: Vec<VariableHeader>) -> Result<Network> {
        let what = |name: &str, error| within(&format!("variable `{name}`"), error);
        let split = |header: VariableHeader| match self.split(&header) {
            Ok(arrays) => Ok((header, arrays)),
            Err(error) => Err(what(&header.name, error)),
        };
        let apart = headers.into_iter().map(split).collect::<Result<Vec<_>>>()?;
        let read = apart.into_par_iter().map(
            |(VariableHeader { name, description, hidden, null_level, levels, table }, mut arrays)| {
                let levels = arrays.levels(levels).map_err(|e| what(&name, e))?;
                let variable = Variable::new(name, description, levels, hidden, null_level);
                check(&variable).map_err(|e| what(&variable.name, e))?;
                Ok((variable, (table, arrays)))
            },
        );
        // Of several faults the first is told, whichever was found first: that of a table comes before those of later names.
        let read: Vec<Result<_>> = read.collect();
        let (mut variables, mut tables, mut fault) = (vec![], vec![], None);
        for read in read {
            match read {
                Ok((variable, table)) => {
                    variables.push(variable);
                    tables.push(table);
                }
                Err(error) => {
                    fault = Some(error);
                    break;
                }
            }
        }
        let read = tables.into_par_iter().enumerate().map(|(at, (table, mut arrays))| {
            let read = arrays.table(table, &variables[..at], variables[at].len());
            read.map_err(|e| what(&variables[at].name, e))
        });
        let tables: Vec<Result<Table>> = read.collect();
        let tables = tables.into_iter().collect::<Result<Vec<Table>>>()?;
        match fault {
            Some(fault) => Err(fault),
            None => Ok(Network { variables, tables }),
        }
    }

    fn levels(&mut self, header: LevelsHeader) -> Result<Levels> {
        match header {
            LevelsHeader::Text(length) => Ok(Levels::Text(self.texts(length)?.into_iter().collect())),
            LevelsHeader::Integers(min, max) if min <= max && i64::from(max) - i64::from(min) < MAX_LEVELS as i64 => {
                Ok(Levels::Integer { min, max })
            }
            LevelsHeader::Integers(min, max) => {
                Err(bad(format!("integers from {min} to {max}; a variable has 1 to {MAX_LEVELS} levels")))
            }
        }
    }

    fn list(&mut self, header: ListHeader, variables: &[Variable]) -> Result<List> {
        let names = usize::try_from(header.items.0).ok().and_then(|length| self.arrays.get(..length));
        self.count(names.ok_or_else(|| bad(BEYOND))?)?;
        let items = self.texts(header.items)?;
        if items.iter().collect::<HashSet<_>>().len() < items.len() {
            return Err(first_twice(items.into_iter()));
        }
        if header.min > header.max || header.max > MAX_LIST || header.max > items.len() {
            return Err(bad(format!(
                "{} to {} of {} items; a list has at most {MAX_LIST}, and no more than there are",
                header.min,
                header.max,
                items.len()
            )));
        }
        let table = self.table(header.table, variables, items.len())?;
        for row in 0..table.rows.len() {
            let mut possible = 0;
            table.rows.each(row, |_, _| possible += 1);
            if possible < header.min {
                return Err(bad(format!("{possible} items in a row, fewer than the {} of each person", header.min)));
            }
        }
        let items = Arc::new(StringArray::from(items));
        Ok(List { name: header.name, items, table, min: header.min, max: header.max })
    }

    /// A table, checked so that no draw can reach outside of it.
    fn table(&mut self, header: TableHeader, variables: &[Variable], levels: usize) -> Result<Table> {
        at_most("parents", header.parents.len(), MAX_PARENTS)?;
        // Of parents in their own levels only the number of classes is known until the rows are seen to be there: no
        // memory is taken on the word of a header.
        let mut parents: Vec<(usize, usize, Option<Partition>)> = vec![];
        let mut configurations: u64 = 1;
        for parent in header.parents {
            let Some(variable) = variables.get(parent.variable) else {
                return Err(bad("a parent is not drawn before it"));
            };
            if parents.iter().any(|(other, ..)| *other == parent.variable) {
                return Err(bad(format!("`{}` is a parent twice", variable.name)));
            }
            let (classes, partition) = match parent.classes {
                None => (variable.len(), None),
                Some(length) => {
                    let class_of: Vec<u16> = self.numbers(length)?;
                    let partition = canonical(class_of, variable.len());
                    let partition = partition.ok_or_else(|| {
                        bad(format!(
                            "classes that do not fit `{}`: one for each level, numbered as they are met, fewer than levels",
                            variable.name
                        ))
                    })?;
                    (partition.classes(), Some(partition))
                }
            };
            configurations = configurations
                .checked_mul(classes as u64)
                .filter(|c| *c < 1 << 31)
                .ok_or_else(|| bad("its parents have too many configurations"))?;
            parents.push((parent.variable, classes, partition));
        }
        let rows = self.rows(header.rows, configurations, levels)?;
        let parents = parents.into_iter().map(|(variable, classes, partition)| Axis {
            variable,
            partition: partition.unwrap_or_else(|| Partition::finest(classes)),
        });
        Ok(Table { parents: parents.collect(), rows, compact: None })
    }

    fn rows(&mut self, header: RowsHeader, configurations: u64, levels: usize) -> Result<Rows> {
        let configurations = configurations as usize;
        let (rows, sound) = match header {
            RowsHeader::Dense { thresholds } => {
                let thresholds: Vec<u32> = self.numbers(thresholds)?;
                let sound = configurations.checked_mul(levels) == Some(thresholds.len())
                    && thresholds.chunks_exact(levels).all(rising);
                (Rows::Dense { width: levels, thresholds }, sound)
            }
            RowsHeader::Sparse { offsets, levels: of, thresholds } => {
                let offsets: Vec<u32> = self.numbers(offsets)?;
                let (of, thresholds): (Vec<u16>, Vec<u32>) = (self.numbers(of)?, self.numbers(thresholds)?);
                let row = |pair: &[u32]| {
                    let range = pair[0] as usize..pair[1] as usize;
                    let ascending = |of: &[u16]| of.windows(2).fold(true, |rise, w| rise & (w[0] < w[1]));
                    thresholds.get(range.clone()).is_some_and(rising) && of.get(range).is_some_and(ascending)
                };
                let sound = offsets.len() == configurations + 1
                    && offsets.first() == Some(&0)
                    && offsets.last().is_some_and(|last| *last as usize == of.len())
                    && of.len() == thresholds.len()
                    && of.iter().fold(true, |known, level| known & (usize::from(*level) < levels))
                    && offsets.windows(2).all(row);
                (Rows::Sparse { offsets, levels: of, thresholds }, sound)
            }
            RowsHeader::Function { levels: of } => {
                let of: Vec<u16> = self.numbers(of)?;
                let sound = of.len() == configurations && of.iter().all(|level| usize::from(*level) < levels);
                (Rows::Function { levels: of }, sound)
            }
        };
        match sound {
            true => Ok(rows),
            false => Err(bad("its table does not fit its parents and levels")),
        }
    }

    fn figure(&mut self, header: FigureHeader) -> Result<Figure> {
        if !["count", "share", "weight"].contains(&header.measure.as_str()) {
            return Err(bad(format!("it measures `{}`: it must be count, share or weight", header.measure)));
        }
        at_most("columns", header.columns.len(), MAX_FIGURE_COLUMNS)?;
        let mut combinations: u64 = 1;
        let mut seen = HashSet::from([header.measure.as_str()]);
        for column in &header.columns {
            if !seen.insert(&column.name) {
                return Err(bad(format!("two columns `{}`", column.name)));
            }
            at_most("labels", column.labels.len(), MAX_LEVELS)?;
            let known = |label: &Option<u16>| label.is_none_or(|l| usize::from(l) < column.labels.len());
            if !column.groups.iter().all(known) {
                return Err(bad(format!("the groups of the column `{}` are none of its labels", column.name)));
            }
            combinations = combinations
                .checked_mul(column.labels.len() as u64)
                .filter(|c| *c <= MAX_COMBINATIONS)
                .ok_or_else(|| bad("its labels make too many combinations"))?;
        }
        let size = Cells::size(header.rows, header.columns.len());
        if header.rows as u64 > combinations || size.is_none() {
            return Err(bad(format!("{} cells, more than its labels make or a figure may have", header.rows)));
        }
        if header.fits.iter().any(|f| !(f.max_difference.is_finite() && f.total_variation.is_finite())) {
            return Err(bad("a fit that is no number"));
        }
        Ok(Figure {
            name: header.name,
            title: header.title,
            status: header.status,
            source: header.source,
            table: header.table,
            year: header.year,
            note: header.note,
            measure: header.measure,
            columns: header.columns,
            fits: header.fits,
            cells: Cells { rows: header.rows, deflated: self.bytes(header.cells)?.into() },
        })
    }
}

/// Whether the levels of a variable can be told apart, and NULL is one of them.
fn check(variable: &Variable) -> Result<()> {
    if let (false, Levels::Text(names)) = (variable.levels_differ(), &variable.levels) {
        return Err(first_twice(names.texts()));
    }
    match variable.null_level.is_some_and(|level| usize::from(level) >= variable.len()) {
        true => Err(bad("its level that is NULL is none of its levels")),
        false => Ok(()),
    }
}

fn first_twice<'a>(mut texts: impl Iterator<Item = &'a str>) -> crate::Error {
    let mut known = HashSet::new();
    twice(texts.find(|text| !known.insert(*text)).unwrap_or_default())
}

fn twice(text: &str) -> crate::Error {
    bad(format!("the level {text:?} stands there twice, or has no name"))
}

/// A partition from the class of each level: numbered as they are met, so that each is met, and coarser than the levels.
fn canonical(class_of: Vec<u16>, levels: usize) -> Option<Partition> {
    let mut classes = 0;
    for class in &class_of {
        match usize::from(*class) {
            class if class < classes => {}
            class if class == classes => classes += 1,
            _ => return None,
        }
    }
    (class_of.len() == levels && classes < levels).then(|| Partition::from_classes(class_of.into(), classes))
}

/// Whether thresholds rise to the end of the words.
fn rising(thresholds: &[u32]) -> bool {
    // Without a way out in between, which would keep a machine from looking at many at once.
    thresholds.last() == Some(&u32::MAX) && thresholds.windows(2).fold(true, |rise, w| rise & (w[0] <= w[1]))
}

//! Writing a pack.

use crate::error::Result;
use crate::model::network::{Rows, Table};
use crate::model::variable::Levels;
use crate::pack::codec::{
    FigureHeader, HOLDOUTS, Header, Length, LevelsHeader, ListHeader, MAX_HEADER, Number, ParentHeader, RowsHeader,
    TableHeader, VariableHeader, bad, deflate, file,
};
use crate::pack::identity::identity;
use crate::pack::{Figure, PackParts};

/// The arrays so far, in the order of the format.
#[derive(Default)]
struct Arrays(Vec<u8>);

impl Arrays {
    fn bytes(&mut self, bytes: &[u8]) -> Length {
        self.0.extend(bytes);
        Length(bytes.len() as u64)
    }

    fn numbers<T: Number>(&mut self, values: &[T]) -> Length {
        values.iter().for_each(|v| v.write(&mut self.0));
        Length((values.len() * T::BYTES) as u64)
    }

    fn texts<'a>(&mut self, texts: impl Iterator<Item = &'a str>) -> Length {
        self.bytes(texts.collect::<Vec<_>>().join("\n").as_bytes())
    }

    fn table(&mut self, table: &Table) -> TableHeader {
        let parents = table.parents.iter().map(|axis| ParentHeader {
            variable: axis.variable,
            classes: (!axis.partition.is_finest()).then(|| self.numbers(axis.partition.class_of())),
        });
        let parents = parents.collect();
        let rows = match &table.rows {
            Rows::Dense { thresholds, .. } => RowsHeader::Dense { thresholds: self.numbers(thresholds) },
            Rows::Sparse { offsets, levels, thresholds } => RowsHeader::Sparse {
                offsets: self.numbers(offsets),
                levels: self.numbers(levels),
                thresholds: self.numbers(thresholds),
            },
            Rows::Function { levels } => RowsHeader::Function { levels: self.numbers(levels) },
        };
        TableHeader { parents, rows }
    }
}

/// Writes a pack. The hash is taken of what decides who is drawn.
///
/// # Errors
/// If its header is larger than a pack's may be.
pub(crate) fn encode(parts: &PackParts) -> Result<Vec<u8>> {
    let mut arrays = Arrays::default();
    let mut variables = vec![];
    for (v, table) in parts.network.variables.iter().zip(&parts.network.tables) {
        let levels = match &v.levels {
            Levels::Text(names) => LevelsHeader::Text(arrays.texts(names.texts())),
            Levels::Integer { min, max } => LevelsHeader::Integers(*min, *max),
        };
        variables.push(VariableHeader {
            name: v.name.clone(),
            description: v.description.clone(),
            hidden: v.hidden,
            null_level: v.null_level,
            levels,
            table: arrays.table(table),
        });
    }
    let lists = parts.lists.iter().map(|l| ListHeader {
        name: l.name.clone(),
        items: arrays.texts(l.items.iter().map(|i| i.unwrap_or_default())),
        table: arrays.table(&l.table),
        min: l.min,
        max: l.max,
    });
    let lists = lists.collect();
    let mut headers = |figures: &[Figure]| -> Vec<FigureHeader> {
        let header = |f: &Figure| FigureHeader {
            name: f.name.clone(),
            title: f.title.clone(),
            status: f.status,
            source: f.source.clone(),
            table: f.table.clone(),
            year: f.year.clone(),
            note: f.note.clone(),
            measure: f.measure.clone(),
            columns: f.columns.clone(),
            fits: f.fits.clone(),
            rows: f.cells.rows,
            cells: arrays.bytes(&f.cells.deflated),
        };
        figures.iter().map(header).collect()
    };
    let (figures, holdouts) = (headers(&parts.figures), headers(&parts.holdouts));
    let header = Header {
        required_features: holdouts.first().map(|_| HOLDOUTS.to_string()).into_iter().collect(),
        name: parts.name.clone(),
        edition: parts.edition,
        title: parts.title.clone(),
        country: parts.country.clone(),
        language: parts.language.clone(),
        year: parts.year.clone(),
        universe: parts.universe.clone(),
        population: parts.population,
        hash: identity(parts).to_hex().to_string(),
        variables,
        lists,
        columns: parts.columns.clone(),
        sources: parts.sources.clone(),
        figures,
        holdouts,
    };
    let header = serde_json::to_vec(&header).map_err(|e| bad(e.to_string()))?;
    if header.len() > MAX_HEADER {
        let length = header.len();
        return Err(bad(format!(
            "what describes it takes {length} bytes, more than {MAX_HEADER}: leave out figures that no node uses"
        )));
    }
    Ok(file(&deflate(&header), &arrays.0))
}

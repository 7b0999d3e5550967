//! The catalogue `census`: the figures that a country was fitted to, as tables, with their sources.

use std::sync::Arc;

use arrow::array::{BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::datasource::{MemTable, TableType};
use populace_population::{Figure, Levels, Pack, did_you_mean};

use crate::host::Populace;
use crate::host::packs::population_error;

/// `census`: a schema for each country.
#[derive(Debug)]
pub(crate) struct Census(pub Arc<Populace>);

impl CatalogProvider for Census {
    fn schema_names(&self) -> Vec<String> {
        self.0.packs.names()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let known = self.0.packs.names().into_iter().find(|n| n == name)?;
        Some(Arc::new(Country { populace: self.0.clone(), name: known }))
    }
}

/// `census.usa`: a table for each figure and hold-out, and `sources`, `fits`, `holdouts`, `variables`.
#[derive(Debug)]
struct Country {
    populace: Arc<Populace>,
    name: String,
}

#[async_trait]
impl SchemaProvider for Country {
    fn table_names(&self) -> Vec<String> {
        let figures = self.populace.packs.get(&self.name);
        let figures = figures.iter().flat_map(|p| p.figures().iter().chain(p.holdouts())).map(|f| f.name.clone());
        ["sources", "fits", "holdouts", "variables"].map(String::from).into_iter().chain(figures).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        let pack = self.populace.packs.get(&self.name)?;
        let batch = match name {
            "sources" => sources(&pack, pack.figures())?,
            "holdouts" => sources(&pack, pack.holdouts())?,
            "fits" => fits(&pack)?,
            "variables" => variables(&pack)?,
            name => match pack.figures().iter().chain(pack.holdouts()).find(|f| f.name == name) {
                Some(figure) => figure.batch().map_err(population_error)?,
                None => {
                    let names = self.table_names();
                    let hint = did_you_mean(name, names.iter().map(String::as_str));
                    return plan_err!(
                        "there is no figure {name} in census.{}{hint} (census.{0}.sources lists them)",
                        self.name
                    );
                }
            },
        };
        Ok(Some(Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?)))
    }

    // Asked by whoever lists tables, for which no figure need be read.
    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        Ok(self.table_exist(name).then_some(TableType::Base))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.table_names().iter().any(|n| n == name)
    }
}

/// One row a figure.
fn sources(pack: &Pack, figures: &[Figure]) -> Result<RecordBatch> {
    let rows: Vec<[Option<&str>; 10]> = figures
        .iter()
        .map(|f| {
            let source = pack.sources().iter().find(|s| s.id == f.source);
            let status = if f.status == populace_population::Status::Official { "official" } else { "estimate" };
            [
                Some(f.name.as_str()),
                Some(f.title.as_str()),
                Some(status),
                source.map(|s| s.agency.as_str()),
                source.map(|s| s.title.as_str()),
                Some(f.table.as_str()),
                Some(if f.year.is_empty() { source.map_or("", |s| s.year.as_str()) } else { f.year.as_str() }),
                source.map(|s| s.licence.as_str()),
                source.and_then(|s| s.attribution.as_deref()),
                Some(f.note.as_str()),
            ]
        })
        .collect();
    let names = ["figure", "title", "status", "agency", "source", "table_id", "year", "licence", "attribution", "note"];
    let fields: Vec<Field> = names.iter().map(|n| Field::new(*n, DataType::Utf8, true)).collect();
    let columns = (0..names.len()).map(|c| Arc::new(rows.iter().map(|r| r[c]).collect::<StringArray>()) as _);
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.collect())?)
}

/// One row a figure and pass: how the fitted network agrees with it.
fn fits(pack: &Pack) -> Result<RecordBatch> {
    let rows: Vec<_> = pack.figures().iter().flat_map(|f| f.fits.iter().map(move |fit| (f, fit))).collect();
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let number = |name: &str| Field::new(name, DataType::Float64, false);
    let schema = Schema::new(vec![
        text("figure"),
        text("status"),
        text("node"),
        text("pass"),
        Field::new("binding", DataType::Boolean, false),
        number("max_difference"),
        number("total_variation"),
    ]);
    let columns: Vec<arrow::array::ArrayRef> = vec![
        Arc::new(rows.iter().map(|(f, _)| Some(f.name.as_str())).collect::<StringArray>()),
        Arc::new(rows.iter().map(|(f, _)| Some(f.status.to_string())).collect::<StringArray>()),
        Arc::new(rows.iter().map(|(_, fit)| Some(fit.node.as_str())).collect::<StringArray>()),
        Arc::new(rows.iter().map(|(_, fit)| Some(fit.pass.as_str())).collect::<StringArray>()),
        Arc::new(rows.iter().map(|(_, fit)| Some(fit.binding)).collect::<BooleanArray>()),
        Arc::new(Float64Array::from_iter_values(rows.iter().map(|(_, fit)| fit.max_difference))),
        Arc::new(Float64Array::from_iter_values(rows.iter().map(|(_, fit)| fit.total_variation))),
    ];
    Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
}

/// One row a variable that a draw emits.
fn variables(pack: &Pack) -> Result<RecordBatch> {
    let rows: Vec<_> = pack.variables().iter().filter(|v| !v.hidden).collect();
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let schema = Schema::new(vec![
        text("variable"),
        text("description"),
        text("type"),
        Field::new("levels", DataType::Int64, false),
        text("examples"),
    ]);
    let kind = |levels: &Levels| match levels {
        Levels::Text(_) => "text",
        Levels::Integer { .. } => "integer",
    };
    let examples = |v: &populace_population::Variable| match &v.levels {
        Levels::Integer { min, max } => format!("{min} to {max}"),
        Levels::Text(names) if names.len() <= 8 => names.join(", "),
        Levels::Text(names) => format!("{}, …", names[..5].join(", ")),
    };
    let columns: Vec<arrow::array::ArrayRef> = vec![
        Arc::new(rows.iter().map(|v| Some(v.name.as_str())).collect::<StringArray>()),
        Arc::new(rows.iter().map(|v| Some(v.description.as_str())).collect::<StringArray>()),
        Arc::new(rows.iter().map(|v| Some(kind(&v.levels))).collect::<StringArray>()),
        Arc::new(rows.iter().map(|v| Some(v.len() as i64)).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|v| Some(examples(v))).collect::<StringArray>()),
    ];
    Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
}

//! Tables that calls have become.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;

use super::DrawParts;
use crate::host::Populace;
use crate::narratives::generate_persona::Personas;
use crate::people::sample_persona::SamplePersona;

/// A table of a call.
#[derive(Debug, Clone)]
pub enum TableParts {
    SamplePersona {
        draw: DrawParts,
        /// Whether partitions may draw its rows side by side
        any_order: bool,
    },
    /// People who are written up
    Personas {
        /// Without their texts
        people: Box<LogicalPlan>,
        /// Whether they are those that an ORDER BY with a LIMIT needs
        sorted: bool,
        language: Option<String>,
        narrator: String,
        kinds: Vec<String>,
    },
}

impl TableParts {
    /// `None` where it is none of the functions'.
    pub fn of(table: &dyn TableProvider) -> Option<TableParts> {
        if let Some(of) = table.downcast_ref::<SamplePersona>() {
            return Some(TableParts::SamplePersona { draw: DrawParts::of(&of.draw), any_order: of.any_order });
        }
        let of = table.downcast_ref::<Personas>()?;
        Some(TableParts::Personas {
            people: Box::new(of.people.clone()),
            sorted: of.sorted,
            language: of.language.clone(),
            narrator: of.narrator.name().to_string(),
            kinds: of.kinds.clone(),
        })
    }

    /// The table, with this schema.
    ///
    /// # Errors
    /// If the session has not the same pack, or no narrator of that name.
    pub fn planned(self, schema: SchemaRef, populace: &Arc<Populace>) -> Result<Arc<dyn TableProvider>> {
        match self {
            TableParts::SamplePersona { draw, any_order } => {
                Ok(Arc::new(SamplePersona { draw: draw.planned(populace)?, any_order }))
            }
            TableParts::Personas { people, sorted, language, narrator, kinds } => {
                let narrator = populace.narrators.get(Some(&narrator))?;
                Ok(Arc::new(Personas { people: *people, sorted, language, narrator, kinds, schema }))
            }
        }
    }
}

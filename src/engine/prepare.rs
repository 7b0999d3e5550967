//! PREPARE, EXECUTE and DEALLOCATE: statements kept by name, with places for values.

use std::sync::PoisonError;

use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::sql::parser::Statement as Sql;
use datafusion::sql::sqlparser::ast::{DataType, Ident, Statement};
use populace_population::there_are;

use super::Engine;
use super::alter::folded;
use crate::database::counted;
use crate::error::{Error, ErrorKind};
use crate::sql::{self, ByName, Prepared};

impl Engine {
    pub(super) fn prepare(
        &self,
        name: &Ident,
        types: &[DataType],
        statement: &Statement,
        by_name: Option<ByName>,
    ) -> Result<SendableRecordBatchStream> {
        let prepared = Prepared::new(statement.clone(), by_name, types.to_vec())?;
        let mut all = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        let name = folded(name);
        if all.contains_key(&name) {
            let error = Error::new(ErrorKind::Exists, format!("there is a prepared statement {name} already"));
            return Err(error.hint(format!("DEALLOCATE {name} forgets it")).into());
        }
        all.insert(name, prepared);
        counted(0)
    }

    pub(super) fn deallocate(&self, name: &Ident) -> Result<SendableRecordBatchStream> {
        let mut all = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("all") {
            all.clear();
        } else if all.remove(&folded(name)).is_none() {
            return Err(unknown(&folded(name), all.keys()));
        }
        counted(0)
    }

    /// The statement that EXECUTE stands for, with its values; `None` for any other statement.
    pub(super) fn executed(&self, statement: &mut Sql) -> Result<Option<(Sql, Option<ByName>)>> {
        let Some(inner) = sql::explained(statement) else { return Ok(None) };
        let Some((name, values)) = sql::execution(inner)? else { return Ok(None) };
        let prepared = {
            let all = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
            all.get(&name).cloned().ok_or_else(|| unknown(&name, all.keys()))?
        };
        let by_name;
        (*inner, by_name) = prepared.with(&name, values)?;
        Ok(Some((sql::explanation(statement.clone()), by_name)))
    }
}

fn unknown<'a>(name: &str, all: impl Iterator<Item = &'a String>) -> datafusion::common::DataFusionError {
    let mut names: Vec<&str> = all.map(String::as_str).collect();
    names.sort_unstable();
    let text = format!("there is no prepared statement {name}{}", there_are(name, &names));
    Error::new(ErrorKind::NotFound, text).into()
}

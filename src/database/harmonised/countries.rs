//! Which countries the people of a table are of.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int32Type};
use datafusion::common::Result;
use futures::TryStreamExt;
use lance::dataset::Dataset;
use lance::table::format::Fragment;
use populace_population as population;

use super::codes::{COUNTRY, coded};
use crate::catalog::TableCountries;
use crate::database::shape::{CODES, PACK, PACK_PATH};
use crate::database::versions::changed_since;
use crate::database::{Database, Snapshot};
use crate::packs;

/// A country among the people of a table.
#[derive(Debug)]
pub(in crate::database) struct Country {
    /// What the column `country` says of its people; nothing where the table has no such column
    pub name: Option<String>,
    /// ISO 3166-1 alpha-2
    pub alpha2: Option<String>,
    /// The codes of its levels, where its pack has any
    pub codes: Option<Arc<population::Harmonised>>,
}

impl Country {
    /// The countries of a table's people; `None` if they are of no pack that is known.
    pub async fn all_of(database: &Database, snapshot: &Snapshot) -> Result<Option<Vec<Country>>> {
        let dataset = snapshot.dataset.as_ref();
        let metadata = &dataset.schema().metadata;
        let pack = metadata.get(PACK).map(|id| id.split('@').next().unwrap_or(id).to_string());
        let said = |key: &str| metadata.get(key).map(String::as_str);
        let own = packs::harmonised::of_table(pack.as_deref(), said(PACK_PATH), said(CODES));
        let has_country = dataset
            .schema()
            .field(COUNTRY)
            .is_some_and(|f| matches!(plain(&f.data_type()), DataType::Utf8 | DataType::LargeUtf8));
        if !has_country {
            let alpha2 = own.as_ref().map(|codes| codes.country.clone());
            return Ok(pack.map(|_| vec![Country { name: None, alpha2, codes: own }]));
        }
        let mut countries = vec![];
        for name in known_names(database, snapshot).await? {
            let iso = alpha2(&name);
            let is_own = |codes: &Arc<population::Harmonised>| iso.as_ref().is_none_or(|iso| *iso == codes.country);
            let codes = match own.clone().filter(is_own) {
                Some(own) => Some(own),
                None => iso.as_ref().and_then(|iso| packs::harmonised::of_country(iso)).and_then(Result::ok),
            };
            let alpha2 = codes.as_ref().map(|codes| codes.country.clone()).or(iso);
            countries.push(Country { name: Some(name), alpha2, codes });
        }
        let known = pack.is_some() || countries.iter().any(|c| c.codes.is_some());
        Ok(known.then_some(countries))
    }
}

fn plain(kind: &DataType) -> &DataType {
    match kind {
        DataType::Dictionary(_, values) => plain(values),
        other => other,
    }
}

/// What a table's column `country` says, each once. The catalogue knows what an earlier version said, so that only files
/// that are new since are read; of rows that are deleted a name may stay.
async fn known_names(database: &Database, snapshot: &Snapshot) -> Result<BTreeSet<String>> {
    let (dataset, id) = (snapshot.dataset.as_ref(), &snapshot.table.id);
    let version = dataset.version().version;
    let catalog = database.existing_catalog()?;
    let known = catalog.as_ref().and_then(|catalog| catalog.table_countries(id).ok()?);
    let names = match known {
        Some(known) if known.version == version => return Ok(known.names.into_iter().collect()),
        Some(known) => match dataset.checkout_version(known.version).await {
            Ok(before) => {
                let new = changed_since(&before, dataset, |old, now| old.files == now.files);
                let mut names = names(dataset, Some(new)).await?;
                names.extend(known.names);
                names
            }
            // It was cleaned up.
            Err(_) => names(dataset, None).await?,
        },
        None => names(dataset, None).await?,
    };
    if let Some(catalog) = catalog {
        // Where it cannot be noted, it is read again.
        let known = TableCountries { version, names: names.iter().cloned().collect() };
        _ = catalog.set_table_countries(id, &known);
    }
    Ok(names)
}

async fn names(dataset: &Dataset, fragments: Option<Vec<Fragment>>) -> Result<BTreeSet<String>> {
    if fragments.as_ref().is_some_and(Vec::is_empty) {
        return Ok(BTreeSet::new());
    }
    let mut scan = dataset.scan();
    scan.project(&[COUNTRY])?;
    if let Some(fragments) = fragments {
        scan.with_fragments(fragments);
    }
    let mut batches = scan.try_into_stream().await?;
    let mut names = BTreeSet::new();
    while let Some(batch) = batches.try_next().await? {
        let column = cast(batch.column(0), &coded())?;
        let column = column.as_dictionary::<Int32Type>();
        let values = column.values().as_string::<i32>();
        // Values that no row has may stand in a dictionary.
        let mut used = vec![false; values.len()];
        column.keys().iter().flatten().for_each(|key| used[key as usize] = true);
        let said = values.iter().zip(used).filter_map(|(value, used)| value.filter(|_| used));
        said.for_each(|name| _ = names.insert(name.to_string()));
    }
    Ok(names)
}

/// Countries as their own published collections call them.
const OWN_NAMES: [(&str, &str); 5] =
    [("Brasil", "BR"), ("日本", "JP"), ("भारत", "IN"), ("United States", "US"), ("United States of America", "US")];

/// A country's code by its code of two or three letters, or its English name.
fn alpha2(country: &str) -> Option<String> {
    let known = match country.len() {
        2 => rust_iso3166::from_alpha2(country),
        3 => rust_iso3166::from_alpha3(country),
        _ => rust_iso3166::ALL.iter().find(|c| c.name.eq_ignore_ascii_case(country)).copied(),
    };
    let own = || OWN_NAMES.iter().find(|(name, _)| *name == country).map(|(_, code)| code.to_string());
    known.map(|c| c.alpha2.to_string()).or_else(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_known_by_code_and_name() {
        for (name, code) in [("USA", "US"), ("BR", "BR"), ("Japan", "JP"), ("Brasil", "BR"), ("日本", "JP")] {
            assert_eq!(alpha2(name).as_deref(), Some(code), "{name}");
        }
        for name in ["", "Tinyland", "ZZZ", "??", "é"] {
            assert_eq!(alpha2(name), None, "{name}");
        }
    }
}

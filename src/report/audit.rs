//! What an auditor asks of a table: what its texts give away, what is wrong with it, and which rows it was.

use std::collections::BTreeMap;

use datafusion::common::Result;
use futures::TryStreamExt;
use populace_udfs::facts_of;
use serde::Serialize;

use super::Subject;
use super::numbers::{count, words};
use crate::sql::quoted_name;

/// People whose texts are read for what they give away, and texts of each that are.
const READ: u32 = 1000;
const TEXTS: usize = 3;
/// What they may give away: an expression, its column, and what it is called.
const ATTRIBUTES: [(&str, &str, &str); 3] = [
    ("sex", "sex", "Sex"),
    ("age_band(age, 35, 65)", "age", "Age"),
    ("race_ethnicity", "race_ethnicity", "Race and ethnicity"),
];

/// How well a narrative tells an attribute.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    pub attribute: String,
    pub narrative: String,
    pub index: String,
    pub floor: String,
    pub p_value: String,
    pub words: String,
    pub tells: bool,
}

/// What the texts of a table give away.
#[derive(Debug, Default, Serialize)]
pub(super) struct Stereotypes {
    pub told: Vec<Told>,
    pub people: String,
    pub notice: Option<String>,
}

/// A kind of violation.
#[derive(Debug, Serialize)]
pub(super) struct Violation {
    pub check: String,
    pub of: String,
    pub severity: String,
    pub rows: String,
    pub example: String,
}

/// What `validate` found, or why it could not.
#[derive(Debug, Default, Serialize)]
pub(super) struct Validation {
    pub violations: Vec<Violation>,
    pub missing: Option<String>,
}

impl Subject<'_> {
    /// What the first narratives, that of the person as a whole before others, give away of their people.
    pub async fn stereotypes(&self) -> Result<Stereotypes> {
        let narratives = self.narratives();
        let named = narratives.iter().take(TEXTS).map(|name| quoted_name(name)).collect::<Vec<_>>().join(", ");
        let mut found = Stereotypes { people: count(self.rows.min(READ.into()) as f64), ..Stereotypes::default() };
        for (attribute, _, called) in ATTRIBUTES.into_iter().filter(|(_, column, _)| self.has(column)) {
            if narratives.is_empty() {
                break;
            }
            let sql = format!(
                "SELECT narrative, stereotype_index, noise_floor, adjusted_p_value, verdict, words, notice \
                 FROM stereotype_index({}, attribute => {attribute}, narratives => ({named}), size => {READ})",
                self.people
            );
            // An attribute of too many values is none of groups.
            let Ok(rows) = self.read(&sql).await else { continue };
            let (names, verdicts) = (rows.texts("narrative")?, rows.texts("verdict")?);
            let (telling, notices) = (rows.texts("words")?, rows.texts("notice")?);
            let (index, floor) = (rows.numbers("stereotype_index")?, rows.numbers("noise_floor")?);
            let p_values = rows.numbers("adjusted_p_value")?;
            found.notice = found.notice.or(notices.into_iter().flatten().next());
            for at in 0..rows.len() {
                // Too few texts of two groups to compare.
                let (Some(index), Some(floor), Some(p)) = (index[at], floor[at], p_values[at]) else { continue };
                found.told.push(Told {
                    attribute: called.into(),
                    narrative: words(names[at].as_deref().unwrap_or_default()),
                    index: format!("{index:.3}"),
                    floor: format!("{floor:.3}"),
                    p_value: p_value(p),
                    words: telling[at].clone().unwrap_or_default(),
                    tells: verdicts[at].as_deref() == Some("tells"),
                });
            }
        }
        Ok(found)
    }

    /// What is wrong with people and texts, by kinds.
    pub async fn validation(&self) -> Result<Validation> {
        let sql = format!(
            "SELECT check, narrative, severity, count(*) AS rows, min(detail) AS example \
             FROM validate({}, country => {}) GROUP BY 1, 2, 3 ORDER BY rows DESC, check, narrative",
            self.people,
            self.quoted_country()
        );
        let rows = match self.read(&sql).await {
            Ok(rows) => rows,
            Err(error) => {
                let missing = Some(format!("It cannot be checked: {}.", crate::engine::message(&error)));
                return Ok(Validation { violations: vec![], missing });
            }
        };
        let text = |name: &str| -> Result<Vec<String>> {
            Ok(rows.texts(name)?.into_iter().map(Option::unwrap_or_default).collect())
        };
        let (checks, of, severities, examples) =
            (text("check")?, text("narrative")?, text("severity")?, text("example")?);
        let numbers = rows.numbers("rows")?;
        let violation = |at: usize| Violation {
            check: words(&checks[at]),
            of: if of[at].is_empty() { "Facts".into() } else { words(&of[at]) },
            severity: severities[at].clone(),
            rows: count(numbers[at].unwrap_or(0.0)),
            example: examples[at].clone(),
        };
        Ok(Validation { violations: (0..rows.len()).map(violation).collect(), missing: None })
    }

    /// The version of the table that is read, where it is one that the database keeps.
    pub async fn version(&self) -> Option<String> {
        let versions = self.engine.database().versions(&self.options.table).await.ok()?;
        let newest = versions.first()?;
        let tags = match newest.tags.is_empty() {
            true => String::new(),
            false => format!(", tagged {}", newest.tags.join(", ")),
        };
        Some(format!("{} of {}{tags}", newest.version, newest.time.format("%Y-%m-%d %H:%M:%S UTC")))
    }

    /// A hash of what the rows hold but for vectors, in whatever order they come: BLAKE3 of the sorted BLAKE3 hashes of
    /// the rows, each as an object of JSON with its keys in order and without NULLs.
    pub async fn content_hash(&self) -> Result<String> {
        let columns = self.columns.iter().filter(|c| !c.is_vectors).map(|c| quoted_name(&c.name));
        let sql = format!("SELECT {} FROM {}", columns.collect::<Vec<_>>().join(", "), self.people);
        let mut batches = self.engine.query_one(&sql).await?;
        let mut hashes: Vec<[u8; 32]> = vec![];
        while let Some(batch) = batches.try_next().await? {
            for row in facts_of(&batch)? {
                let row: BTreeMap<String, serde_json::Value> = row.into_iter().collect();
                let text = serde_json::to_string(&row).map_err(|e| datafusion::common::exec_datafusion_err!("{e}"))?;
                hashes.push(*blake3::hash(text.as_bytes()).as_bytes());
            }
        }
        hashes.sort_unstable();
        Ok(blake3::hash(hashes.as_flattened()).to_hex().to_string())
    }
}

/// A p-value as a page has it.
pub(super) fn p_value(p: f64) -> String {
    if p < 0.001 { "< 0.001".into() } else { format!("{p:.3}") }
}

//! How many people each row of a table stands for.

use datafusion::arrow::datatypes::Schema;
use datafusion::common::{Result, plan_err};
use populace_population::there_are;

/// Columns of weights by their names: what `stratified_sample` adds, and `rake`.
const KNOWN: [&str; 2] = ["sampling_weight", "weight"];
/// What a stratified sample says beside them.
const DESIGN: [&str; 2] = ["stratum", "stratum_size"];
/// What is named for none.
const NONE: &str = "none";

/// The column that weighs the rows of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weights {
    pub column: String,
    /// Whether the rows say of what strata they are, and how large these are
    pub by_design: bool,
}

impl Weights {
    /// The weights of a table: in the column that is asked for, or in one that is known by its name; `none` asks for none.
    ///
    /// # Errors
    /// If the table has no such column of numbers.
    pub fn of(schema: &Schema, asked: Option<&str>) -> Result<Option<Weights>> {
        let numbers: Vec<&str> =
            schema.fields().iter().filter(|f| f.data_type().is_numeric()).map(|f| f.name().as_str()).collect();
        let column = match asked {
            Some(asked) if numbers.contains(&asked) => Some(asked),
            Some(NONE) => None,
            Some(asked) => {
                return plan_err!(
                    "weights: the table has no column of numbers `{asked}`{}",
                    there_are(asked, &numbers)
                );
            }
            None => KNOWN.into_iter().find(|known| numbers.contains(known)),
        };
        let designed = DESIGN.iter().all(|name| schema.column_with_name(name).is_some());
        Ok(column.map(|column| Weights { column: column.into(), by_design: column == KNOWN[0] && designed }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::datatypes::{DataType, Field};

    #[test]
    fn weights_are_known_by_their_names() {
        let schema = |names: &[&str]| {
            let kind = |name: &str| if name == "stratum" { DataType::Utf8 } else { DataType::Float64 };
            Schema::new(names.iter().map(|name| Field::new(*name, kind(name), true)).collect::<Vec<_>>())
        };
        let of = |names: &[&str], asked: Option<&str>| {
            Weights::of(&schema(names), asked).unwrap().map(|w| (w.column, w.by_design))
        };
        let sample = ["age", "stratum", "sampling_weight", "stratum_size"];
        assert_eq!(of(&sample, None), Some(("sampling_weight".into(), true)));
        assert_eq!(of(&sample, Some("age")), Some(("age".into(), false)));
        assert_eq!(of(&sample, Some("none")), None);
        assert_eq!(of(&["age", "weight"], None), Some(("weight".into(), false)));
        assert_eq!(of(&["age"], None), None);
        let wrong = Weights::of(&schema(&["stratum", "weight"]), Some("wieght")).unwrap_err().to_string();
        assert!(wrong.contains("did you mean `weight`"), "{wrong}");
        assert!(Weights::of(&schema(&["stratum"]), Some("stratum")).is_err());
    }
}

//! What writes narratives.

pub mod outline;

use std::sync::Arc;

use populace_udfs::Narrator;

/// The names that [`open`] takes.
pub const NAMES: [&str; 1] = ["outline"];

/// A narrator by name.
///
/// # Errors
/// If there is none of this name.
pub fn open(name: &str) -> Result<Arc<dyn Narrator>, String> {
    match name {
        "outline" => Ok(Arc::new(outline::OutlineNarrator)),
        other => {
            let hint = populace_population::nearest(other, NAMES);
            let hint = hint.map_or(String::new(), |h| format!("; did you mean `{h}`?"));
            Err(format!("unknown narrator `{other}`{hint} There are: {}", NAMES.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_in_names_are_pointed_out() {
        assert_eq!(open("outline").unwrap().name(), "outline");
        assert!(open("outlin").unwrap_err().contains("did you mean `outline`?"));
    }
}

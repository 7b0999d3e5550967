//! What models cost, as a file says: prices change, and differ by server and contract.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// US dollars for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    pub prompt: f64,
    pub completion: f64,
    /// The part of it that an answer in a batch costs; half where it is not said, as most providers have it
    #[serde(default = "half")]
    pub batch: f64,
}

fn half() -> f64 {
    0.5
}

impl Price {
    /// US dollars for so many tokens.
    pub fn of(&self, prompt_tokens: u64, completion_tokens: u64) -> f64 {
        (prompt_tokens as f64 * self.prompt + completion_tokens as f64 * self.completion) / 1e6
    }

    /// The price of answers in a batch.
    pub fn in_batch(&self) -> Price {
        Price { prompt: self.prompt * self.batch, completion: self.completion * self.batch, batch: 1.0 }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Prices {
    models: BTreeMap<String, Price>,
}

/// The price of a model in a file; in `populace/prices.toml` of the user's configuration where none is named.
///
/// ```toml
/// [models."MODEL"]
/// prompt = 0.15        # US dollars for a million tokens
/// completion = 0.60
/// batch = 0.5          # the part of it that an answer in a batch costs, where it is not half
/// ```
///
/// # Errors
/// If the file that is named is not there, or one is not of this form.
pub(crate) fn price(file: Option<&Path>, model: &str) -> Result<Option<Price>, String> {
    let path: PathBuf = match (file, dirs::config_dir()) {
        (Some(file), _) => file.into(),
        (None, Some(folder)) => folder.join("populace").join("prices.toml"),
        (None, None) => return Ok(None),
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if file.is_none() && e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(format!("the prices {}: {e}", path.display())),
    };
    let prices: Prices = toml::from_str(&text).map_err(|e| format!("the prices {}: {e}", path.display()))?;
    let price = prices.models.get(model).copied();
    match price {
        Some(Price { prompt, completion, batch }) if !(prompt >= 0.0 && completion >= 0.0 && batch >= 0.0) => {
            Err(format!("the prices {}: those of {model} are no amounts of dollars", path.display()))
        }
        price => Ok(price),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_dollars_for_a_million_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("prices.toml");
        assert!(price(Some(&file), "m").unwrap_err().contains("prices.toml"));
        std::fs::write(&file, "[models.\"a/b-1.5\"]\nprompt = 0.5\ncompletion = 2.0\n").unwrap();
        assert_eq!(price(Some(&file), "a/b-1.5").unwrap().unwrap().of(2_000_000, 500_000), 2.0);
        assert_eq!(price(Some(&file), "m").unwrap(), None);
        std::fs::write(&file, "[models.m]\nprompt = -1\ncompletion = 2\n").unwrap();
        assert!(price(Some(&file), "m").unwrap_err().contains("no amounts"));
        std::fs::write(&file, "[models.m]\nprice = 1\n").unwrap();
        assert!(price(Some(&file), "m").is_err());
    }
}

//! The country packs that the binary carries.

pub mod check;
pub mod harmonised;
pub mod path;
pub mod skeleton;

use std::sync::{Arc, OnceLock};

use populace_population::{Pack, Result};

static USA: &[u8] = include_bytes!("../datasets/usa/usa.pack");

/// The names of the countries.
pub const NAMES: [&str; 1] = ["usa"];

/// A country as whoever runs the program names it: by its name, or by the path of a pack of one's own. `None` if there
/// is no such country.
pub fn named(country: &str) -> Option<Result<Arc<Pack>>> {
    if path::is_path(country) { Some(path::open(country)) } else { open(country) }
}

/// The pack of a country by name, read once and only when asked for; `None` if there is no such country.
pub fn open(name: &str) -> Option<Result<Arc<Pack>>> {
    static USA_PACK: OnceLock<Arc<Pack>> = OnceLock::new();
    let (bytes, cell) = match name {
        "usa" => (USA, &USA_PACK),
        _ => return None,
    };
    if let Some(pack) = cell.get() {
        return Some(Ok(pack.clone()));
    }
    Some(Pack::from_bytes(bytes).map(|pack| cell.get_or_init(|| pack).clone()))
}

/// The prompts of a country: the names and texts of its templates; `None` if there is no such country.
pub fn prompts(name: &str) -> Option<&'static [(&'static str, &'static str)]> {
    macro_rules! files {
        ($folder:literal: $($file:literal),*) => {
            &[$(($file, include_str!(concat!("../datasets/", $folder, "/prompts/", $file)))),*]
        };
    }
    match name {
        "usa" => Some(files!("usa":
            "kinds.toml", "system.j2", "person.j2", "attributes.j2", "personas.j2", "template.j2", "judge.j2",
            "judge_system.j2")),
        _ => None,
    }
}

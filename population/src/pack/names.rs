//! What packs and columns may be called.

/// Columns that every draw has beside its facts: no variable and no list takes their names, in capitals or not.
pub(crate) const RESERVED: [&str; 6] = ["uuid", "country", "seed", "row_index", "pack", "given"];

/// What is wrong with the name of a pack: it names tables, folders and files.
pub(crate) fn pack_name(name: &str) -> Result<(), String> {
    let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    match name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(sound) && name.len() <= 60 {
        true => Ok(()),
        false => Err(format!(
            "{name:?} is no name for a country: use small letters, digits and _, begin with a letter, at most 60 of them"
        )),
    }
}

/// What is wrong with the name of a variable or a list.
pub(crate) fn column_name(name: &str) -> Result<(), String> {
    if let Some(reserved) = RESERVED.iter().find(|r| r.eq_ignore_ascii_case(name)) {
        return Err(format!("every draw has a column `{reserved}` of its own: call this one something else"));
    }
    match name.is_empty() || name.chars().any(char::is_control) {
        true => Err(format!("{name:?} is no name for a column")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_columns_and_folders() {
        for name in ["", "../escaped", "New Zealand", "7up", "é", "a/b", "a.b", "USA", &"a".repeat(61)] {
            assert!(pack_name(name).is_err(), "{name}");
        }
        assert!(pack_name("new_zealand_2").is_ok());
        for name in ["", "uuid", "Country", "SEED", "given", "a\nb"] {
            assert!(column_name(name).is_err(), "{name}");
        }
        assert!(column_name("país de nacimiento").is_ok());
    }
}

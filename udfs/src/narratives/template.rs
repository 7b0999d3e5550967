//! Templates of the caller's own: `Write one tweet by {{first_name}}, {{age}}.`

use std::io::{self, Write};

use minijinja::{Environment, Error, ErrorKind, Template};
use serde::Serialize;

/// Steps that a template may take; the longest of a pack's prompts takes some thousands.
const STEPS: u64 = 1_000_000;

/// Bytes that a template may come to: more than any model reads.
const LONGEST: usize = 4 << 20;

/// An environment whose templates end, whoever wrote them.
pub fn bounded<'a>() -> Environment<'a> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(STEPS));
    environment
}

/// What a template comes to, if it is no longer than any prompt may be.
///
/// # Errors
/// If it fails, takes too many steps, or comes to too much.
pub fn render_bounded(template: &Template<'_, '_>, facts: impl Serialize) -> Result<String, Error> {
    let mut text = Bounded(vec![]);
    match template.render_captured_to(facts, &mut text) {
        Ok(_) => String::from_utf8(text.0).map_err(|e| Error::new(ErrorKind::InvalidOperation, e.to_string())),
        Err(error) if error.kind() == ErrorKind::OutOfFuel => {
            Err(Error::new(ErrorKind::OutOfFuel, format!("it takes more than {STEPS} steps: its loops are too long")))
        }
        Err(error) if error.kind() == ErrorKind::WriteFailure => {
            Err(Error::new(ErrorKind::WriteFailure, format!("it comes to more than {} MiB", LONGEST >> 20)))
        }
        Err(error) => Err(error),
    }
}

/// A text that ends where it is too long.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST {
            return Err(io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The names that a template takes from a row, sorted.
///
/// # Errors
/// If it is no Jinja template; the message says where.
pub fn template_names(template: &str) -> Result<Vec<String>, String> {
    let environment = Environment::new();
    let parsed = environment.template_from_str(template).map_err(|e| format!("the template does not parse: {e}"))?;
    let functions: Vec<&str> = environment.globals().map(|(name, _)| name).collect();
    let names = parsed.undeclared_variables(false).into_iter();
    let mut names: Vec<String> = names.filter(|n| !functions.contains(&n.as_str())).collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_ends() {
        let told = |template: &str| {
            let environment = bounded();
            render_bounded(&environment.template_from_str(template).unwrap(), ()).map_err(|e| e.to_string())
        };
        assert_eq!(told("{% for a in range(3) %}{{ a }}{% endfor %}").unwrap(), "012");
        let loops = "{% for a in range(9999) %}{% for b in range(9999) %}{% set c = b %}{% endfor %}{% endfor %}";
        assert!(told(loops).unwrap_err().contains("more than 1000000 steps"));
        let long = "{% set x = range(99999) %}".to_string() + &"{{ x }}".repeat(20);
        assert!(told(&long).unwrap_err().contains("more than 4 MiB"));
    }

    #[test]
    fn names_are_those_of_the_row() {
        let template =
            "{% for h in hobbies %}{{ h }}{% endfor %} {{ age + range(3)|length }} {% set x = city %}{{ x }}";
        assert_eq!(template_names(template).unwrap(), ["age", "city", "hobbies"]);
        assert!(template_names("Write {{ age").unwrap_err().contains("does not parse"));
    }
}

//! Templates of the caller's own: `Write one tweet by {{first_name}}, {{age}}.`

use minijinja::Environment;

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
    fn names_are_those_of_the_row() {
        let template =
            "{% for h in hobbies %}{{ h }}{% endfor %} {{ age + range(3)|length }} {% set x = city %}{{ x }}";
        assert_eq!(template_names(template).unwrap(), ["age", "city", "hobbies"]);
        assert!(template_names("Write {{ age").unwrap_err().contains("does not parse"));
    }
}

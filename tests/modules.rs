//! The arrows between the modules of `src`: which may use which. None points back.

#[path = "support/arrows.rs"]
mod arrows;

/// What each module may use of the others; ARCHITECTURE.md draws it.
const ARROWS: &[(&str, &[&str])] = &[
    ("arrow", &[]),
    ("error", &[]),
    ("sql", &["error"]),
    ("packs", &[]),
    ("catalog", &[]),
    ("servers", &["catalog"]),
    ("embedders", &["catalog", "servers"]),
    ("rerankers", &["catalog", "servers"]),
    ("recipes", &["sql"]),
    ("narrators", &["catalog", "packs", "servers"]),
    ("database", &["arrow", "catalog", "embedders", "error", "packs", "servers", "sql"]),
    ("import", &["arrow", "database", "packs"]),
    (
        "engine",
        &["catalog", "database", "embedders", "error", "import", "narrators", "packs", "rerankers", "servers", "sql"],
    ),
    ("runs", &["catalog", "database", "engine", "packs", "sql"]),
    ("export", &["arrow", "catalog", "database", "engine", "packs", "sql"]),
    ("report", &["catalog", "database", "engine", "packs", "sql"]),
    ("serve", &["arrow", "catalog", "database", "engine", "packs", "recipes", "report", "runs", "servers", "sql"]),
    (
        "cli",
        &[
            "arrow",
            "catalog",
            "database",
            "engine",
            "export",
            "import",
            "packs",
            "recipes",
            "report",
            "rerankers",
            "runs",
            "serve",
            "servers",
            "sql",
        ],
    ),
];

#[test]
fn arrows_point_one_way() {
    arrows::point_one_way(env!("CARGO_MANIFEST_DIR"), ARROWS);
}

#[test]
fn nothing_that_is_allowed_points_back() {
    arrows::are_an_order(env!("CARGO_MANIFEST_DIR"), ARROWS);
}

#[test]
fn paths_are_read() {
    let read = |text: &str| arrows::names_after(text, "crate::").into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(read("use crate::engine::Engine;"), ["engine"]);
    assert_eq!(read("use crate::{packs,\n    runs::{self, Retried},\n    engine};"), ["packs", "runs", "engine"]);
    assert_eq!(read("pub(crate) fn of(x: crate::packs::Y) -> crate::engine::Z"), ["packs", "engine"]);
}

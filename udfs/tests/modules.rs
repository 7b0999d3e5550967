//! The arrows between the modules of the plugin: which may use which. None points back.

#[path = "../../tests/support/arrows.rs"]
mod arrows;

/// What each module may use of the others; ARCHITECTURE.md draws it.
const ARROWS: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("statistics", &[]),
    ("host", &[]),
    ("call", &["host", "types"]),
    ("nodes", &[]),
    ("scalars", &["host", "types"]),
    ("people", &["call", "host", "nodes"]),
    ("narratives", &["call", "host", "nodes", "people", "scalars"]),
    ("samples", &["call", "host", "narratives", "nodes", "people", "types"]),
    ("aggregates", &["statistics", "types"]),
    ("search", &["call", "host", "nodes", "samples", "scalars", "types"]),
    ("judgement", &["call", "host", "nodes", "samples", "statistics", "types"]),
    ("quality", &["call", "host", "nodes", "search"]),
    ("surveys", &["aggregates", "call", "types"]),
    (
        "session",
        &[
            "aggregates",
            "call",
            "host",
            "judgement",
            "narratives",
            "nodes",
            "people",
            "quality",
            "samples",
            "scalars",
            "search",
            "surveys",
        ],
    ),
    ("parts", &["call", "host", "narratives", "nodes", "people", "samples", "session"]),
    // A test of several of them together.
    ("simulation", &["aggregates", "host", "judgement", "samples", "session"]),
];

#[test]
fn arrows_point_one_way() {
    arrows::point_one_way(env!("CARGO_MANIFEST_DIR"), ARROWS);
}

#[test]
fn nothing_that_is_allowed_points_back() {
    arrows::are_an_order(env!("CARGO_MANIFEST_DIR"), ARROWS);
}

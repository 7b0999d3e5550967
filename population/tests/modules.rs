//! The arrows between the rooms of this crate: which may use which. None points back.

#[path = "../../tests/support/arrows.rs"]
mod arrows;

/// What each room may use of the others: `error` below all, `compile` on top.
const ARROWS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("interrupt", &["error"]),
    ("model", &["error", "interrupt"]),
    ("infer", &["error", "interrupt", "model"]),
    ("pack", &["error", "infer", "model"]),
    ("draw", &["error", "infer", "interrupt", "model", "pack"]),
    ("judge", &["error", "infer", "interrupt", "model", "pack"]),
    ("compile", &["error", "infer", "interrupt", "model", "pack"]),
];

#[test]
fn arrows_point_one_way() {
    arrows::point_one_way(env!("CARGO_MANIFEST_DIR"), ARROWS);
}

#[test]
fn nothing_that_is_allowed_points_back() {
    arrows::are_an_order(env!("CARGO_MANIFEST_DIR"), ARROWS);
}

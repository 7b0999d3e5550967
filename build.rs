//! The texts of countries are part of the binary: it is built again where a file of them is added or taken away, which
//! the compiler does not see.

use std::fs;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for country in fs::read_dir("datasets").into_iter().flatten().flatten() {
        for folder in ["prompts", "outline"].map(|name| country.path().join(name)) {
            if folder.is_dir() {
                println!("cargo::rerun-if-changed={}", folder.display());
            }
        }
    }
}

//! The command line.

use std::process::ExitCode;

/// Facts, prompts and answers are many small pieces, made on one thread and let go on another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    populace::cli::main()
}

//! The command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    populace::cli::main()
}

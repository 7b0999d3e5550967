//! Disks that are full, fail or are slow, programs that are killed at any moment, and a catalogue that another process
//! holds.
//!
//! This program is its own test: with `POPULACE_FAULT` in its environment it is `populace`, and one of the calls by which
//! it changes its database meets that fault (`support/faults.rs`). `POPULACE_LONG=1` tries every call.

mod support;

#[cfg(target_os = "linux")]
#[path = "support/faults.rs"]
mod faults;
#[cfg(target_os = "linux")]
#[path = "disk/faulty.rs"]
mod faulty;
#[cfg(target_os = "linux")]
#[path = "disk/killed_batches.rs"]
mod killed_batches;
#[path = "support/meeting.rs"]
mod meeting;
#[path = "disk/room.rs"]
mod room;
#[cfg(target_os = "linux")]
#[path = "disk/together.rs"]
mod together;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    if let Some(fault) = std::env::var_os("POPULACE_FAULT") {
        return faulty::program(&fault.to_string_lossy());
    }
    let mut trials = vec![
        trial("a_run_stops_where_the_disk_is_full_and_goes_on_when_there_is_room", room::full),
        trial("a_catalogue_that_another_process_holds_is_waited_for_and_then_named", room::held),
    ];
    #[cfg(target_os = "linux")]
    {
        trials.push(trial("a_killed_run_in_batches_pays_for_nothing_twice", killed_batches::killed));
        trials.push(trial("two_programs_at_once_leave_what_one_after_the_other_would", together::two_programs));
        trials.extend(faulty::trials());
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: &str, test: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, || {
        test();
        Ok(())
    })
}

/// Whether there is time.
fn is_long() -> bool {
    std::env::var_os("POPULACE_LONG").is_some()
}

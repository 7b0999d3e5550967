//! Two programs at once on a slow disk.

use std::collections::HashMap;
use std::process::{Output, Stdio};

use super::faults::Fault;
use super::faulty::{faulty, wait};
use super::is_long;
use super::meeting::{Base, HONEST, KINDS, session, state, stray, table_of};

/// What two statements leave, one after the other or one alone.
type Left = (bool, bool, Vec<String>);

/// One statement after another, in one session each; nothing for the second is the first alone.
async fn in_turn(
    base: &Base,
    first: (&str, u32),
    second: Option<(&str, u32)>,
    table: &str,
) -> (bool, bool, Vec<String>) {
    let place = base.copy();
    let one = base.perform(&session(place.path()), first.0, table, first.1).await.is_ok();
    let two = match second {
        Some((kind, n)) => base.perform(&session(place.path()), kind, table, n).await.is_ok(),
        None => false,
    };
    (one, two, state(place.path()).await.unwrap())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ")
}

pub fn two_programs() {
    let base = wait(Base::new());
    let long = is_long();
    let mut alone: HashMap<(&str, u32, &str), Left> = HashMap::new();
    let (mut meeting, mut faults) = (0u64, vec![]);
    for (at, first) in KINDS.into_iter().enumerate() {
        for second in &KINDS[at..] {
            let Some(table) = table_of(first, *second) else { continue };
            meeting += 1;
            if !long && meeting % 5 != 0 {
                continue;
            }
            let (one, two) = ((first.0, 2), (second.0, 3));
            let place = base.copy();
            let start = |(kind, n): (&str, u32), seed: u64| {
                let mut command = faulty(place.path(), Fault::Waits { seed, most: 20 });
                command.env("OPENAI_API_KEY", "sk-secret").args(base.arguments(kind, table, n));
                command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
            };
            let (a, b) = (start(one, meeting), start(two, meeting + 1000));
            let (a, b) = (a.wait_with_output().unwrap(), b.wait_with_output().unwrap());
            let (done, told) = ((a.status.success(), b.status.success()), (said(&a), said(&b)));
            for (kind, output, told) in [(one.0, &a, &told.0), (two.0, &b, &told.1)] {
                let honest = output.status.success() || HONEST.iter().any(|known| told.contains(known));
                if !honest || !matches!(output.status.code(), Some(0 | 1)) {
                    faults.push(format!("{} with {}: {kind}: {:?}: {told}", one.0, two.0, output.status));
                }
            }
            let now = wait(state(place.path())).unwrap_or_else(|error| vec![error]);
            let mut expected: Vec<Left> = vec![];
            for (kind, n) in [one, two] {
                let left =
                    alone.entry((kind, n, table)).or_insert_with(|| wait(in_turn(&base, (kind, n), None, table)));
                expected.push(match kind == one.0 && n == one.1 {
                    true => (true, false, left.2.clone()),
                    false => (false, true, left.2.clone()),
                });
            }
            let turns = wait(in_turn(&base, one, Some(two), table));
            let back = wait(in_turn(&base, two, Some(one), table));
            expected.extend([
                turns,
                (back.1, back.0, back.2),
                (false, false, wait(state(base.copy().path())).unwrap()),
            ]);
            let found = expected.iter().any(|(a, b, left)| (*a, *b) == done && *left == now);
            let word = |done| if done { "done" } else { "refused" };
            println!("{:17} with {:17}: {}, {}; {}", one.0, two.0, word(done.0), word(done.1), now.join("; "));
            if !found {
                faults.push(format!(
                    "{} with {}: {}, {}: {now:#?} is what no order leaves: {expected:#?}; {told:?}",
                    one.0,
                    two.0,
                    word(done.0),
                    word(done.1)
                ));
            }
            for folder in stray(place.path()) {
                faults.push(format!("{} with {}: {folder} is nobody's", one.0, two.0));
            }
        }
    }
    assert!(faults.is_empty(), "{} of {meeting}\n{}", faults.len(), faults.join("\n"));
}

//! What can be asked of every shipped country, and what an answer takes: no favourites.
//!
//! `POPULACE_LONG=1` asks everything; otherwise a tenth, and a sample of the levels of large variables.

mod support;

use std::time::Instant;

use populace_population::{Comparison, Error, Levels, Predicate, Sampler};
use support::questions::{Random, fact, fact_of, packs, visible};

/// What the questions of one kind took.
#[derive(Default)]
struct Took {
    milliseconds: Vec<f64>,
    bytes: u64,
    worst: String,
    refused: Vec<String>,
}

/// The processor time of all threads in milliseconds, where the machine tells it: what others do beside is not in it.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn processor() -> Option<f64> {
    unsafe extern "C" {
        fn clock_gettime(clock: i32, into: *mut [i64; 2]) -> i32;
    }
    const OF_THE_PROCESS: i32 = 2;
    let mut told = [0; 2];
    // It writes the two numbers of its `timespec`, and nothing else.
    let failed = unsafe { clock_gettime(OF_THE_PROCESS, &raw mut told) };
    (failed == 0).then(|| told[0] as f64 * 1e3 + told[1] as f64 / 1e6)
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
fn processor() -> Option<f64> {
    None
}

#[test]
fn every_country_answers_everything() {
    let long = std::env::var_os("POPULACE_LONG").is_some();
    let times = if long { 1 } else { 10 };
    let only = std::env::var("POPULACE_PACK").ok();
    let mut refused = vec![];
    println!("| country | kind | asked | median ms | worst ms | worst MB | worst |\n|---|---|---:|---:|---:|---:|---|");
    for (country, pack) in packs().into_iter().filter(|(c, _)| only.as_ref().is_none_or(|o| o == c)) {
        let variables = visible(&pack);
        let people = Sampler::new(pack.clone(), 2026).draw(0..400, None).unwrap();
        let mut random = Random(15);
        let mut questions: Vec<(&str, Predicate)> = vec![];
        for variable in &variables {
            let levels: Vec<usize> = (0..variable.len()).collect();
            let levels = if long { levels } else { random.some(&levels, 3) };
            questions.extend(levels.into_iter().map(|l| ("one level", fact(variable, l))));
        }
        for (kind, count) in [("2 facts", 2), ("3 facts", 3), ("5 facts", 5), ("8 facts", 8), ("a whole row", 99)] {
            for _ in 0..200 / times {
                let row = random.below(people.num_rows());
                let of = random.some(&variables, count);
                let facts = of.iter().map(|v| fact_of(&people, row, v)).collect();
                questions.push((kind, Predicate::And(facts)));
            }
        }
        for _ in 0..200 / times {
            let any = random.some(&variables, 3);
            let facts = any.iter().map(|v| fact_of(&people, random.below(people.num_rows()), v)).collect();
            questions.push(("an OR of 3", Predicate::Or(facts)));
        }
        let operators =
            [Comparison::Eq, Comparison::NotEq, Comparison::Lt, Comparison::LtEq, Comparison::Gt, Comparison::GtEq];
        let mut asked = 0;
        while asked < 100 / times {
            let pair = random.some(&variables, 2);
            let text = |at: usize| matches!(pair[at].levels, Levels::Text(_));
            let op = operators[random.below(6)];
            if text(0) == text(1) && pair[0].len() * pair[1].len() <= 1 << 22 {
                let (left, right) = (pair[0].name.clone(), pair[1].name.clone());
                questions.push(("between two", Predicate::CompareVariables { left, op, right }));
                asked += 1;
            }
        }
        let mut took: Vec<(&str, Took)> = vec![];
        for (kind, question) in questions {
            let (started, before) = (Instant::now(), processor());
            let answer = Sampler::given(pack.clone(), 1, &question);
            let elapsed = started.elapsed().as_secs_f64() * 1e3;
            let milliseconds = before.zip(processor()).map_or(elapsed, |(before, after)| after - before);
            let at = took.iter().position(|(k, _)| *k == kind).unwrap_or_else(|| {
                took.push((kind, Took::default()));
                took.len() - 1
            });
            let took = &mut took[at].1;
            if took.milliseconds.iter().all(|m| *m < milliseconds) {
                took.worst = question.to_string().chars().take(90).collect();
            }
            took.milliseconds.push(milliseconds);
            match answer {
                Ok(sampler) => took.bytes = took.bytes.max(sampler.plan().map_or(0, |p| p.bytes)),
                // Two variables without a text in common are never equal; some levels nobody has.
                Err(Error::Impossible { .. }) if kind == "between two" || kind == "one level" => {}
                Err(error) => took.refused.push(format!("{country}: {question}: {error}")),
            }
        }
        for (kind, mut took) in took {
            took.milliseconds.sort_by(f64::total_cmp);
            let median = took.milliseconds[took.milliseconds.len() / 2];
            let worst = took.milliseconds[took.milliseconds.len() - 1];
            println!(
                "| {country} | {kind} | {} | {median:.1} | {worst:.1} | {:.1} | {} |",
                took.milliseconds.len(),
                took.bytes as f64 / f64::from(1 << 20),
                took.worst
            );
            refused.extend(took.refused);
        }
    }
    assert!(refused.is_empty(), "{} refused:\n{}", refused.len(), refused.join("\n"));
}

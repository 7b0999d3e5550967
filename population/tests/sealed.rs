//! Packs that somebody has forged: changed inside the seal, with a checksum and a hash that are right. Each is refused in
//! a line or is a pack like any other: no panic, no abort, no memory beyond four times the file and 64 MiB.

#[path = "support/hostile.rs"]
mod hostile;
mod support;

use std::sync::{Mutex, MutexGuard};

use hostile::{Counting, WHOLE, exercise, forged, kept, resealed};
use populace_population::testing::{seal, seal_forged, unseal};
use populace_population::{Analysis, Error, Pack, Sampler};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use support::compile_files;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One test at a time: what is held is counted for the whole program.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn whole() -> Vec<u8> {
    compile_files(&WHOLE).unwrap().bytes
}

#[test]
fn a_sound_pack_is_opened_and_asked() {
    let _alone = alone();
    let bytes = whole();
    exercise(&bytes).unwrap();
    let (header, arrays) = unseal(&bytes).unwrap();
    assert_eq!(seal(&header, &arrays), bytes);
    // What decides who is drawn makes another hash, what describes them does not.
    let id = |bytes: &[u8]| Pack::from_bytes(bytes).unwrap().id();
    assert_eq!(id(&resealed(&bytes, |header, _| header["title"] = json!("Otherwise"))), id(&bytes));
    assert_ne!(id(&resealed(&bytes, |header, _| header["edition"] = json!(2))), id(&bytes));
    assert_ne!(id(&resealed(&bytes, |header, _| *variable(header, "unseen", "name") = json!("hidden"))), id(&bytes));
}

/// A pack that was opened, and from which people were drawn, holds little more than its file.
#[test]
fn a_pack_takes_little_more_than_its_file() {
    let _alone = alone();
    for country in ["brazil", "india", "japan", "singapore", "usa"] {
        let file = format!("{}/../datasets/{country}/{country}.pack", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(&file).unwrap();
        let (pack, opened) = kept(|| Pack::from_bytes(&bytes).unwrap());
        let (_, drawn) = kept(|| _ = Sampler::new(pack.clone(), 1).draw(0..20_000, None).unwrap());
        let times = (opened + drawn) as f64 / bytes.len() as f64;
        println!(
            "{country}: {} bytes, {opened} held, {drawn} more once many were drawn: {times:.2} times",
            bytes.len()
        );
        assert!(times <= 1.5, "{country}: {times} times its file");
    }
}

/// Some thousands of packs with one to four changes; `POPULACE_LONG=1` tries a million.
#[test]
fn mutations_inside_the_seal() {
    let _alone = alone();
    let long = std::env::var("POPULACE_LONG").is_ok_and(|v| v == "1");
    let bytes = whole();
    let config = Config { cases: if long { 1_000_000 } else { 4_000 }, failure_persistence: None, ..Config::default() };
    let (mut opened, mut refused) = (0, 0);
    let counts = std::cell::RefCell::new((&mut opened, &mut refused));
    TestRunner::new(config)
        .run(&vec(any::<[u32; 4]>(), 1..=4), |changes| {
            let mut counts = counts.borrow_mut();
            match exercise(&forged(&bytes, &changes)) {
                Ok(()) => *counts.0 += 1,
                Err(message) => {
                    assert!(!message.contains('\n') || message.len() < 3000, "{message}");
                    *counts.1 += 1;
                }
            }
            Ok(())
        })
        .unwrap();
    // Both ends are tried.
    assert!(opened > 100 && refused > 100, "{opened} opened, {refused} refused");
}

fn refusal(bytes: &[u8]) -> String {
    match exercise(bytes) {
        Err(message) => message,
        Ok(()) => panic!("it was opened"),
    }
}

/// A pack with other thresholds that claims the hash of the one it was made of.
#[test]
fn a_forged_pack_does_not_pass_for_another() {
    let _alone = alone();
    let bytes = whole();
    let (header, mut arrays) = unseal(&bytes).unwrap();
    let parsed: Value = serde_json::from_str(&header).unwrap();
    // The first array has the levels of `sex`, the second its thresholds.
    let from = parsed["variables"][0]["levels"]["text"].as_u64().unwrap() as usize;
    arrays[from..from + 4].fill(0xFF);
    let message = refusal(&seal_forged(&header, &arrays));
    assert!(message.contains("it calls itself whole@") && message.contains("holds the people of whole@"), "{message}");
    // Sealed with its own hash it is a pack, of other people.
    let own = seal(&header, &arrays);
    exercise(&own).unwrap();
    assert_ne!(Pack::from_bytes(&own).unwrap().id(), Pack::from_bytes(&bytes).unwrap().id());
}

#[test]
fn hostile_packs_are_refused_in_a_line() {
    let _alone = alone();
    let bytes = whole();
    let list = |max: u64| resealed(&bytes, |header, _| header["lists"][0]["max"] = json!(max));
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("list_2e40", list(1 << 40), "list `hobbies`: 1 to 1099511627776 of 3 items"),
        ("list_max", list(u64::MAX), "a list has at most 32"),
        ("more than there are", list(4), "no more than there are"),
        (
            "fewer than the least",
            resealed(&bytes, |header, _| {
                header["lists"][0]["min"] = json!(3);
                header["lists"][0]["max"] = json!(3);
            }),
            "list `hobbies`: 2 items in a row, fewer than the 3 of each person",
        ),
        (
            "unmet_class",
            // The classes of age of which `job` is drawn: the last one becomes one that no level leads up to.
            resealed(&bytes, |header, arrays| {
                let at = offset(header, "job");
                arrays[at + 22] = 2;
                arrays[at + 20] = 3;
            }),
            "variable `job`: classes that do not fit `age`",
        ),
        (
            "null_level",
            resealed(&bytes, |header, _| *variable(header, "job", "null_level") = json!(9)),
            "variable `job`: its level that is NULL is none of its levels",
        ),
        (
            "rows_2e63",
            resealed(&bytes, |header, _| header["figures"][0]["rows"] = json!(1u64 << 63)),
            "figure `people`: 9223372036854775808 cells",
        ),
        (
            "alias",
            // No array has an address, so that none can be shared: parents without classes of their own reach for more.
            resealed(&bytes, |header, _| {
                let parent = variable(header, "job", "table")["parents"][1].clone();
                let parents = variable(header, "job", "table")["parents"].as_array_mut().unwrap();
                parents.extend(vec![parent; 1_000]);
            }),
            "variable `job`: 1002 parents; a pack has at most 32",
        ),
        (
            "the same parent",
            resealed(&bytes, |header, _| {
                let parent = variable(header, "job", "table")["parents"][1].clone();
                variable(header, "job", "table")["parents"].as_array_mut().unwrap().push(parent);
            }),
            "variable `job`: `age` is a parent twice",
        ),
        (
            "cells_3GB",
            resealed(&bytes, |header, _| {
                let labels: Vec<String> = (0..60_000).map(|l| l.to_string()).collect();
                header["figures"][1]["columns"][0]["labels"] = json!(labels);
                header["figures"][1]["columns"][1]["labels"] = json!(labels);
                header["figures"][1]["rows"] = json!(250_000_000);
            }),
            "figure `ages`: 250000000 cells",
        ),
        ("escape", resealed(&bytes, |header, _| header["name"] = json!("../../x")), "is no name for a country"),
        (
            "reserved",
            resealed(&bytes, |header, _| header["variables"][0]["name"] = json!("Row_Index")),
            "every draw has a column `row_index` of its own",
        ),
        (
            "twice",
            resealed(&bytes, |header, _| header["variables"][1]["name"] = json!("sex")),
            "two variables or lists are called `sex`",
        ),
        ("key", resealed(&bytes, |header, _| header["flavour"] = json!(1)), "unknown field `flavour`"),
        (
            "feature",
            resealed(&bytes, |header, _| {
                header["required_features"] = json!(["households"]);
                header["households"] = json!([]);
            }),
            "it needs `households`, of which this program knows nothing",
        ),
        ("edition", resealed(&bytes, |header, _| header["edition"] = json!(0)), "editions are counted from 1"),
        ("behind", resealed(&bytes, |_, arrays| arrays.push(0)), "1 bytes behind its last array"),
        (
            "beyond",
            resealed(&bytes, |_, arrays| arrays.truncate(arrays.len() - 1)),
            "figure `hobbies_of`: an array reaches beyond the file",
        ),
        ("deep", seal(&format!("{{\"a\":{}", "[".repeat(100_000)), &[]), "its header: EOF"),
        ("long", seal(&" ".repeat(3 << 20), &[]), "it is damaged"),
    ];
    for (name, bytes, told) in cases {
        let message = refusal(&bytes);
        assert!(message.contains(told), "{name}: {message}\nshould say: {told}");
        assert!(!message.contains('\n') && message.starts_with("not a compiled country pack: "), "{name}: {message}");
    }
}

/// A part of what a header says of a variable.
fn variable<'a>(header: &'a mut Value, name: &str, part: &str) -> &'a mut Value {
    let variables = header["variables"].as_array_mut().unwrap();
    &mut variables.iter_mut().find(|v| v["name"] == name).unwrap()[part]
}

/// Where the classes of a variable's second parent lie: behind all arrays of the variables before it, and its own levels.
fn offset(header: &Value, name: &str) -> usize {
    fn lengths(value: &Value) -> u64 {
        match value {
            Value::Object(map) => {
                map.iter().filter(|(key, _)| *key != "null_level" && *key != "variable").map(|(_, v)| lengths(v)).sum()
            }
            Value::Array(values) => values.iter().map(lengths).sum(),
            value => value.as_u64().unwrap_or(0),
        }
    }
    let variables = header["variables"].as_array().unwrap();
    let at = variables.iter().position(|v| v["name"] == name).unwrap();
    let texts = |v: &Value| v["levels"]["text"].as_u64().unwrap_or(0);
    let before: u64 = variables[..at].iter().map(|v| texts(v) + lengths(&v["table"])).sum();
    (before + texts(&variables[at])) as usize
}

/// A pack as large as the limits allow where memory is dearest: many short levels, and a header of many short texts.
#[test]
fn the_dearest_packs_keep_within_the_bound() {
    let _alone = alone();
    let bytes = whole();
    let texts = |count: usize| json!((0..count).map(|l| format!("{l:x}")).collect::<Vec<_>>());
    let labels = resealed(&bytes, |header, _| header["figures"][0]["columns"][0]["labels"] = texts(60_000));
    _ = exercise(&labels);
    // Columns of no name, and levels of few letters: as many as can be written.
    let columns = resealed(&bytes, |header, _| header["columns"] = json!(vec![""; 650_000]));
    refusal(&columns);
    let levels = resealed(&bytes, |header, arrays| {
        let names = (0..65_536).map(|l| format!("{l:x}")).collect::<Vec<_>>().join("\n");
        let old = header["variables"].as_array().unwrap().clone();
        let mut front = vec![];
        let mut variables = vec![];
        for at in 0..3 {
            front.extend(names.as_bytes());
            for part in [0u32.to_le_bytes(), 1u32.to_le_bytes()] {
                front.extend(part);
            }
            front.extend(0u16.to_le_bytes());
            front.extend(u32::MAX.to_le_bytes());
            variables.push(json!({
                "name": format!("big{at}"), "description": "", "hidden": false, "null_level": null,
                "levels": { "text": names.len() },
                "table": { "parents": [], "rows": { "sparse": { "offsets": 8, "levels": 2, "thresholds": 4 } } },
            }));
        }
        // Those that were there count their parents from behind the new ones.
        for mut variable in old {
            for parent in variable["table"]["parents"].as_array_mut().unwrap() {
                parent["variable"] = json!(parent["variable"].as_u64().unwrap() + 3);
            }
            variables.push(variable);
        }
        for parent in header["lists"][0]["table"]["parents"].as_array_mut().unwrap() {
            parent["variable"] = json!(parent["variable"].as_u64().unwrap() + 3);
        }
        header["variables"] = json!(variables);
        front.append(arrays);
        *arrays = front;
    });
    let (pack, peak) = hostile::held(|| Pack::from_bytes(&levels));
    assert!(pack.is_ok(), "{}", pack.unwrap_err());
    assert!(peak <= hostile::bound(levels.len()), "{peak}");
}

/// Networks whose marginals would take more than there is: asked for, they are refused.
#[test]
fn networks_that_no_memory_holds_are_told_of() {
    let _alone = alone();
    let bytes = whole();
    let variable = |name: String, levels: Value, parents: Vec<Value>, rows: Value| {
        json!({ "name": name, "description": "", "hidden": false, "null_level": null, "levels": levels,
            "table": { "parents": parents, "rows": rows } })
    };
    let parent = |at: usize| json!({ "variable": at, "classes": null });
    let bits = || json!({ "integers": [0, 1] });
    // Some 140 children of one root, tied ten by ten: more joint states than numbers of 128 bits count.
    let tied = resealed(&bytes, |header, arrays| {
        let half = |rows: usize| [1u32 << 31, u32::MAX].map(u32::to_le_bytes).concat().repeat(rows);
        let mut variables = vec![variable("v".into(), bits(), vec![], json!({ "dense": { "thresholds": 8 } }))];
        let mut front = half(1);
        for child in 0..140 {
            let rows = json!({ "dense": { "thresholds": 16 } });
            variables.push(variable(format!("c{child}"), bits(), vec![parent(0)], rows));
            front.extend(half(2));
        }
        let mut columns = vec![];
        for tie in 0..14 {
            let parents = (0..10).map(|of| parent(1 + tie * 10 + of)).collect();
            variables.push(variable(format!("w{tie}"), bits(), parents, json!({ "dense": { "thresholds": 8 << 10 } })));
            front.extend(half(1 << 10));
            columns.push(json!({ "name": format!("w{tie}"), "variable": format!("w{tie}"), "labels": ["0", "1"] }));
        }
        replaced(header, arrays, variables, front, columns);
    });
    let pack = Pack::from_bytes(&tied).unwrap();
    let expected = Analysis::of(&pack).expected(&[&pack.figures()[0]]).remove(0).unwrap();
    assert!((expected.cells.iter().sum::<f64>() + expected.elsewhere - 1.0).abs() < 1e-6);
    // A million rows of a variable of 65,536 levels, each of which a child tells apart: 2^36 cells, from 6 MB.
    let wide = resealed(&bytes, |header, arrays| {
        let of = |levels: u32| json!({ "integers": [0, levels - 1] });
        let row = |levels: u32| {
            [0u32.to_le_bytes(), 1u32.to_le_bytes()]
                .concat()
                .into_iter()
                .chain(((levels - 1) as u16).to_le_bytes())
                .chain(u32::MAX.to_le_bytes())
                .collect::<Vec<u8>>()
        };
        let sparse = || json!({ "sparse": { "offsets": 8, "levels": 2, "thresholds": 4 } });
        let mut front = row(1024);
        front.extend(row(1024));
        front.extend((0..1u32 << 20).flat_map(|r| ((r >> 4) as u16).to_le_bytes()));
        front.extend((0..1u32 << 16).flat_map(|r| ((r & 1) as u16).to_le_bytes()));
        let variables = vec![
            variable("a".into(), of(1024), vec![], sparse()),
            variable("b".into(), of(1024), vec![], sparse()),
            variable("c".into(), of(1 << 16), vec![parent(0), parent(1)], json!({ "function": { "levels": 2 << 20 } })),
            variable("d".into(), bits(), vec![parent(2)], json!({ "function": { "levels": 2 << 16 } })),
        ];
        let columns = vec![json!({ "name": "d", "variable": "d", "labels": ["0", "1"] })];
        replaced(header, arrays, variables, front, columns);
    });
    let pack = Pack::from_bytes(&wide).unwrap();
    let (expected, peak) = hostile::held(|| Analysis::of(&pack).expected(&[&pack.figures()[0]]).remove(0));
    assert!(matches!(expected, Err(Error::TooLarge { .. })), "{expected:?}");
    assert!(peak <= hostile::bound(wide.len()), "{peak}");
}

/// A header with these variables alone, and one figure of a single cell.
fn replaced(header: &mut Value, arrays: &mut Vec<u8>, variables: Vec<Value>, mut front: Vec<u8>, columns: Vec<Value>) {
    let mut figure = header["figures"][0].clone();
    let mut cell = vec![0; columns.len() * 2];
    cell.extend(1.0f64.to_le_bytes());
    // Deflated as one block that is stored.
    let length = cell.len() as u16;
    let block = [&[1], &length.to_le_bytes()[..], &(!length).to_le_bytes(), &cell].concat();
    figure["rows"] = json!(1);
    figure["cells"] = json!(block.len());
    figure["columns"] = json!(columns);
    front.extend(block);
    header["variables"] = json!(variables);
    header["columns"] = json!([]);
    header["lists"] = json!([]);
    header["figures"] = json!([figure]);
    *arrays = front;
}

/// A pack of each version of the format that there has been, and what becomes of it.
#[test]
fn golden_files_of_every_version() {
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let old = Pack::open(&golden.join("tinyland-1.pack")).unwrap_err();
    assert!(
        matches!(&old, Error::NotAPack(why) if why.contains("version 1, this program reads version 2: compile it"))
    );
    let pack = Pack::open(&golden.join("tinyland-2.pack")).unwrap();
    assert_eq!((pack.id().as_str(), pack.edition()), ("tinyland@964ae8eb", 1));
    assert_eq!(pack.population(), 1000.0);
    assert_eq!(pack.figures().len(), 6);
    let job = pack.marginal("job").unwrap();
    assert_eq!(job.len(), 4);
    assert!((job.iter().sum::<f64>() - 1.0).abs() < 1e-9);
}

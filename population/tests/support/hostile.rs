//! What a forger might write, and everything that is then asked of it: shared by the tests and by `examples/fuzz_pack.rs`.
#![allow(dead_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use populace_population::testing::{seal, unseal};
use populace_population::{Analysis, Figure, Pack, Predicate, Sampler, equals};
use serde_json::{Value, json};

/// The system's allocator, and how much it has given out.
pub struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn more(bytes: usize) {
    PEAK.fetch_max(NOW.fetch_add(bytes, Relaxed) + bytes, Relaxed);
}

// It passes everything on as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        more(size);
        NOW.fetch_sub(layout.size(), Relaxed);
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

/// What something comes to, and the most memory that it held at a time.
pub fn held<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    let done = work();
    (done, PEAK.load(Relaxed).saturating_sub(before))
}

/// What something comes to, and the memory that it still holds then.
pub fn kept<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.load(Relaxed);
    let done = work();
    (done, NOW.load(Relaxed).saturating_sub(before))
}

/// The memory that may be held for a file of so many bytes.
pub fn bound(file: usize) -> usize {
    4 * file + (64 << 20)
}

/// Opens a pack and, if it is one, asks everything of it; whether it is one, or why not. Panics are faults.
pub fn exercise(bytes: &[u8]) -> Result<(), String> {
    let (pack, peak) = held(|| Pack::from_bytes(bytes));
    assert!(peak <= bound(bytes.len()), "{peak} bytes held to open {}", bytes.len());
    let pack = pack.map_err(|e| e.to_string())?;
    let ((), peak) = held(|| ask(&pack));
    assert!(peak <= bound(bytes.len()), "{peak} bytes held to ask of {}", bytes.len());
    Ok(())
}

fn ask(pack: &Arc<Pack>) {
    assert!(pack.edition() >= 1 && pack.id().starts_with(pack.name()));
    let people = Sampler::new(pack.clone(), 1).draw(0..1000, None).unwrap();
    assert_eq!(people.num_rows(), 1000);
    assert_eq!(people.schema(), pack.schema());
    let some: Vec<Predicate> = pack.variables().iter().map(|v| equals(&v.name, &v.label(v.len() / 2))).collect();
    let mut asked = some.clone();
    asked.push(Predicate::Or(some.iter().take(2).cloned().collect()));
    asked.push(Predicate::And(some.iter().take(3).cloned().collect()));
    asked.push(Predicate::Not(Box::new(Predicate::And(some.iter().rev().take(2).cloned().collect()))));
    for given in &asked {
        if let Ok(share) = pack.probability(given) {
            assert!((0.0..=1.0 + 1e-6).contains(&share), "{share}");
        }
        if let Ok(sampler) = Sampler::given(pack.clone(), 7, given) {
            assert_eq!(sampler.draw(5..205, None).unwrap().num_rows(), 200);
        }
    }
    let analysis = Analysis::of(pack);
    let figures: Vec<&Figure> = pack.figures().iter().collect();
    for (figure, expected) in figures.iter().zip(analysis.expected(&figures)) {
        if let Ok(expected) = expected {
            _ = expected.own_shares(figure);
        }
        _ = figure.batch();
        figure.columns.iter().for_each(|column| _ = pack.labels_of_levels(column));
    }
    for variable in pack.variables() {
        _ = pack.marginal(&variable.name);
        _ = pack.shown_as(&variable.name);
        if let (Some(first), Ok(association)) =
            (pack.variables().first(), analysis.association(&pack.variables()[0].name, &variable.name))
        {
            _ = association.co_occurrence(first.len() - 1, variable.len() - 1);
        }
    }
    _ = analysis.independences();
}

/// Where a value stands within another.
type Path = Vec<Step>;

#[derive(Clone)]
enum Step {
    Key(String),
    Index(usize),
}

fn paths(value: &Value, here: Path, all: &mut Vec<Path>) {
    let next = |step| here.iter().cloned().chain([step]).collect::<Path>();
    match value {
        Value::Object(map) => map.iter().for_each(|(key, v)| paths(v, next(Step::Key(key.clone())), all)),
        Value::Array(values) => values.iter().enumerate().for_each(|(i, v)| paths(v, next(Step::Index(i)), all)),
        _ => {}
    }
    all.push(here);
}

fn at<'a>(value: &'a mut Value, path: &Path) -> &'a mut Value {
    path.iter().fold(value, |value, step| match step {
        Step::Key(key) => &mut value[key.as_str()],
        Step::Index(index) => &mut value[*index],
    })
}

const NUMBERS: [u64; 12] = [0, 1, 2, 9, 32, 33, 65_535, 65_536, 1 << 31, 1 << 40, (1 << 63) - 1, u64::MAX];
const TEXTS: [&str; 10] = ["", "uuid", "Given", "../../x", "age", "sex", "18-19", "85+", "count", "a\nb"];

/// One change of a header or of the arrays; four numbers choose it.
pub fn mutate(header: &mut Value, arrays: &mut Vec<u8>, [kind, a, b, c]: [u32; 4]) {
    let (a, b, c) = (a as usize, b as usize, c as usize);
    if kind % 8 < 5 {
        let mut all = vec![];
        paths(header, vec![], &mut all);
        let path = all[a % all.len()].clone();
        let other = all[b % all.len()].clone();
        let other = at(header, &other).clone();
        let value = at(header, &path);
        match (value, kind % 8) {
            // What stands elsewhere in the header: often of the right kind, and never meant here.
            (value, 0) => *value = other,
            (Value::Array(values), _) if !values.is_empty() => match c % 4 {
                0 => _ = values.remove(b % values.len()),
                1 => values.push(values[b % values.len()].clone()),
                2 => values.rotate_left(1),
                _ => {
                    let (first, second) = (b % values.len(), c / 4 % values.len());
                    values.swap(first, second);
                }
            },
            (Value::Object(map), _) if !map.is_empty() => match c % 8 {
                0 => _ = map.insert("flavour".into(), json!(1)),
                _ => {
                    let key = map.keys().nth(b % map.len()).cloned().unwrap_or_default();
                    if c % 8 == 1 {
                        map.remove(&key);
                    }
                }
            },
            (Value::Number(number), _) => {
                let old = number.as_u64().unwrap_or(0);
                *header_number(header, &path) = match c % 4 {
                    0 => json!(NUMBERS[b % NUMBERS.len()]),
                    1 => json!(old.wrapping_add(1)),
                    2 => json!(old.saturating_sub(1)),
                    _ => json!(-(NUMBERS[b % NUMBERS.len()] as i64 & 0xFFFF)),
                };
            }
            (Value::Bool(value), _) => *value = !*value,
            (value, _) => match c % 8 {
                0 => *value = Value::Null,
                1 => *value = json!(NUMBERS[b % NUMBERS.len()]),
                2 => *value = json!("x".repeat(b % 2000)),
                _ => *value = json!(TEXTS[b % TEXTS.len()]),
            },
        }
    } else if !arrays.is_empty() {
        let from = a % arrays.len();
        match kind % 8 {
            5 => arrays[from] ^= (b | 1) as u8,
            6 => {
                let number = (NUMBERS[b % NUMBERS.len()] as u32).to_le_bytes();
                let to = (from + 4).min(arrays.len());
                arrays[from..to].copy_from_slice(&number[..to - from]);
            }
            _ => match c % 4 {
                0 => arrays.truncate(from),
                1 => _ = arrays.drain(from..(from + b % 16).min(arrays.len())),
                2 => arrays.extend(vec![b as u8; c % 16]),
                _ => {
                    let to = (from + 2).min(arrays.len());
                    arrays[from..to].fill(b as u8);
                }
            },
        }
    }
}

fn header_number<'a>(header: &'a mut Value, path: &Path) -> &'a mut Value {
    at(header, path)
}

/// A compiled pack with these changes inside its seal.
pub fn forged(compiled: &[u8], changes: &[[u32; 4]]) -> Vec<u8> {
    let (header, mut arrays) = unseal(compiled).unwrap();
    let mut header: Value = serde_json::from_str(&header).unwrap();
    changes.iter().for_each(|change| mutate(&mut header, &mut arrays, *change));
    seal(&header.to_string(), &arrays)
}

/// A compiled pack with this done to its header, inside its seal.
pub fn resealed(compiled: &[u8], change: impl FnOnce(&mut Value, &mut Vec<u8>)) -> Vec<u8> {
    let (header, mut arrays) = unseal(compiled).unwrap();
    let mut header: Value = serde_json::from_str(&header).unwrap();
    change(&mut header, &mut arrays);
    seal(&header.to_string(), &arrays)
}

const MANIFEST: &str = r#"
[pack]
name = "whole"
title = "Whole"
country = "W"
year = "2000"
population_figure = "people"
columns = ["name", "sex", "age", "life", "job", "hobbies"]
[[source]]
id = "office"
agency = "Office"
title = "Census"
year = "2000"
licence = "CC0"
[[variable]]
name = "sex"
levels = ["f", "m"]
[[variable]]
name = "age"
integers = [18, 29]
[[variable]]
name = "life"
levels = ["young", "old"]
[[variable]]
name = "job"
levels = ["none", "nurse", "smith"]
null_level = "none"
[[variable]]
name = "name"
levels = ["Ada", "Bo", "Cy", "Di"]
[[variable]]
name = "unseen"
integers = [-3, 2]
hidden = true
[[grouping]]
name = "halves"
variable = "age"
bands = ["18-23", "24-29"]
[[figure]]
name = "people"
file = "people.csv"
status = "official"
source = "office"
[[figure]]
name = "ages"
file = "ages.csv"
status = "official"
source = "office"
columns = { half = "age:halves" }
[[figure]]
name = "jobs"
file = "jobs.csv"
status = "official"
source = "office"
columns = { half = "age:halves" }
[[figure]]
name = "names"
file = "names.csv"
status = "estimate"
source = "office"
[[figure]]
name = "unseen"
file = "unseen.csv"
status = "estimate"
source = "office"
[[figure]]
name = "hobbies_of"
file = "hobbies_of.csv"
status = "estimate"
source = "office"
[[node]]
variable = "sex"
figures = [{ figure = "people" }]
[[node]]
variable = "age"
parents = ["sex"]
figures = [{ figure = "ages", given = ["sex"] }]
[[node]]
variable = "unseen"
tables = ["unseen"]
[[node]]
variable = "life"
parents = ["age"]
map = { bands = { young = "18-24", old = "25+" } }
[[node]]
variable = "job"
parents = ["sex", "age:halves"]
figures = [{ figure = "jobs", given = ["sex"] }]
[[node]]
variable = "name"
parents = ["sex"]
tables = ["names"]
[[list]]
name = "hobbies"
items_file = "hobby.csv"
item = "hobby"
parents = ["sex"]
tables = ["hobbies_of"]
size = [1, 2]
"#;

/// The sources of a small pack that has one of everything.
pub const WHOLE: [(&str, &str); 8] = [
    ("pack.toml", MANIFEST),
    ("people.csv", "sex,count\nf,51\nm,49\n"),
    ("ages.csv", "sex,half,share\nf,18-23,0.25\nf,24-29,0.75\nm,18-23,0.5\nm,24-29,0.5\n"),
    (
        "jobs.csv",
        "sex,half,job,share\nf,18-23,none,0.2\nf,18-23,nurse,0.05\nf,24-29,none,0.3\nf,24-29,nurse,0.45\n\
         m,18-23,none,0.2\nm,18-23,smith,0.3\nm,24-29,none,0.3\nm,24-29,smith,0.2\n",
    ),
    ("names.csv", "sex,name,weight\nf,Ada,3\nf,Di,1\nm,Bo,2\nm,Cy,1\nm,Di,1\n"),
    ("unseen.csv", "unseen,weight\n-3,1\n0,2\n2,1\n"),
    ("hobbies_of.csv", "sex,hobby,weight\nf,chess,1\nf,rowing,1\nf,weaving,2\nm,chess,1\nm,rowing,3\n"),
    ("hobby.csv", "level\nchess\nrowing\nweaving\n"),
];

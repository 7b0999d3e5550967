//! Fuzzes what reads a pack, inside its seal. Alone, `fuzz_pack SEED CASES` tries as many changes of a small pack as are
//! asked for; `fuzz_pack FILE` tries one input, four little-endian words a change, and is so a target for any fuzzer that
//! runs programs on files, on a stable toolchain: `honggfuzz -n -i inputs -- fuzz_pack ___FILE___`,
//! `afl-fuzz -n -i inputs -o found -- fuzz_pack @@`.

#[path = "../tests/support/hostile.rs"]
mod hostile;

use hostile::{Counting, WHOLE, exercise, forged};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = std::env::temp_dir().join(format!("fuzz_pack.{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the small pack");
    for (name, text) in WHOLE {
        std::fs::write(folder.join(name), text).expect("the small pack is written");
    }
    let compiled = populace_population::compile(&folder).expect("the small pack compiles").bytes;
    _ = std::fs::remove_dir_all(&folder);
    match &arguments[..] {
        [file] => {
            let input = std::fs::read(file).expect("the input is read");
            let words: Vec<u32> = input.as_chunks().0.iter().map(|b| u32::from_le_bytes(*b)).collect();
            println!("{:?}", exercise(&forged(&compiled, words.as_chunks().0)));
        }
        [seed, cases] => {
            let (seed, cases): (u64, u64) = (seed.parse().expect("a seed"), cases.parse().expect("a number of cases"));
            let word = |case: u64, at: u64| {
                let number = u128::from(case) << 64 | u128::from(at);
                populace_population::permuted(number, seed) as u32
            };
            let mut opened = 0u64;
            for case in 0..cases {
                let changes: Vec<[u32; 4]> = (0..u64::from(word(case, 0) % 4 + 1))
                    .map(|change| [0, 1, 2, 3].map(|at| word(case, 1 + change * 4 + at)))
                    .collect();
                let tried = std::panic::catch_unwind(|| exercise(&forged(&compiled, &changes)).is_ok());
                match tried {
                    Ok(is_a_pack) => opened += u64::from(is_a_pack),
                    Err(_) => {
                        println!("case {case} of seed {seed}: {changes:?}");
                        std::process::exit(1);
                    }
                }
                if case % 100_000 == 99_999 {
                    println!("{} cases, {opened} opened", case + 1);
                }
            }
        }
        _ => println!("usage: fuzz_pack SEED CASES | fuzz_pack FILE"),
    }
}

//! Writes a pack's network as XMLBIF, and numbers that another program is to find in it:
//! `cargo run -p populace-population --example network -- datasets/usa/usa.pack usa.bifxml usa.json`, then
//! `python3 benches/peers/network.py usa.bifxml usa.json`.

use populace_population::{Analysis, Pack, Predicate, Variable, equals};
use serde_json::{Value, json};

/// That a variable has a level, by `IS NULL` where that is what it is.
fn is(variable: &Variable, level: usize) -> Predicate {
    match variable.null_level.map(usize::from) == Some(level) {
        true => Predicate::IsNull { variable: variable.name.clone(), negated: false },
        false => equals(&variable.name, &variable.label(level)),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [pack, network, numbers] = &arguments[..] else {
        return Err("usage: network FILE.pack NETWORK.bifxml NUMBERS.json".into());
    };
    let pack = Pack::open(pack.as_ref())?;
    let text = Analysis::of(&pack).export_network();
    std::fs::write(network, &text)?;
    let written: Vec<_> =
        pack.variables().iter().filter(|v| text.contains(&format!("<FOR>{}</FOR>", v.name))).collect();
    let marginals: Vec<Value> = written
        .iter()
        .filter_map(|v| Some(json!({ "variable": v.name, "given": {}, "shares": pack.marginal(&v.name).ok()? })))
        .collect();
    // Each variable given the last but one level of the variable that is drawn three after it, for instance its
    // occupation given what comes of it; only where that is answered.
    let mut posteriors = vec![];
    for pair in written.windows(4) {
        let (of, given) = (pair[0], pair[3]);
        let evidence = given.len() - given.len().min(2);
        let Ok(total) = pack.probability(&is(given, evidence)) else { continue };
        if of.len() > 120 || total <= 0.0 {
            continue;
        }
        let share = |level: usize| {
            let both = vec![is(of, level), is(given, evidence)];
            pack.probability(&Predicate::And(both)).map(|both| both / total)
        };
        if let Ok(shares) = (0..of.len()).map(share).collect::<Result<Vec<f64>, _>>() {
            posteriors.push(
                json!({ "variable": of.name, "given": { &given.name: given.label(evidence) }, "shares": shares }),
            );
        }
    }
    println!("{}: {} marginals, {} posteriors", pack.id(), marginals.len(), posteriors.len());
    let all: Vec<Value> = marginals.into_iter().chain(posteriors).collect();
    Ok(std::fs::write(numbers, serde_json::to_string(&all)?)?)
}

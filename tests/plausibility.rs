//! What somebody who lives there would not dispute: `datasets/NAME/plausibility.toml` has statements about a country's
//! people, each a share with bounds, to which nothing is fitted. Of 200,000 people of each country the share is measured;
//! `tests/plausibility/NAME.csv` says which statements are met. One that was met and is no more fails, and so does one that
//! is met and not yet written down: `POPULACE_PIN=1 cargo test --test plausibility` writes them anew.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use populace::packs::plausibility;
use populace_udfs::PlausibilityStatement;

mod support;
use support::populace;

/// People who are drawn of each country.
const PEOPLE: u32 = 200_000;

/// How a statement does.
struct Held<'a> {
    statement: &'a PlausibilityStatement,
    people: f64,
    expected: f64,
}

impl Held<'_> {
    fn verdict(&self) -> String {
        self.statement.verdict(self.people, self.expected).to_string()
    }

    fn share(&self) -> f64 {
        self.expected / self.people.max(1.0)
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// The share of each statement among people of the country, by one query.
fn held<'a>(country: &str, statements: &'a [PlausibilityStatement]) -> Vec<Held<'a>> {
    let counts = statements.iter().enumerate().map(|(at, PlausibilityStatement { given, expect, .. })| {
        let given = given.as_deref().unwrap_or("true");
        format!("sum(CASE WHEN ({given}) THEN 1 ELSE 0 END) AS g{at}, sum(CASE WHEN ({given}) AND ({expect}) THEN 1 ELSE 0 END) AS e{at}")
    });
    let counts = counts.collect::<Vec<_>>().join(",\n");
    let sql = format!("SELECT {counts} FROM sample_persona('{country}', {PEOPLE}, seed => 17)");
    let directory = tempfile::tempdir().unwrap();
    let mut command = populace(directory.path());
    command.args(["sql", "--format", "csv"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{country}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<f64> = text.lines().nth(1).unwrap().split(',').map(|n| n.parse().unwrap()).collect();
    assert_eq!(numbers.len(), 2 * statements.len());
    let held = |(statement, counts): (&'a PlausibilityStatement, &[f64])| Held {
        statement,
        people: counts[0],
        expected: counts[1],
    };
    statements.iter().zip(numbers.chunks_exact(2)).map(held).collect()
}

fn of_country(country: &str) {
    let statements = plausibility::of_country(country).statements;
    assert!(statements.len() >= 40, "{country}: {} statements", statements.len());
    let held = held(country, &statements);
    let mut now = String::from("statement,people,share,low,high,verdict\n");
    for h in &held {
        let PlausibilityStatement { name, share: [low, high], .. } = h.statement;
        writeln!(now, "{name},{},{:.4},{low},{high},{}", h.people, h.share(), h.verdict()).unwrap();
    }
    let met = held.iter().filter(|h| h.verdict() == "met").count();
    println!("{country}: {met} of {} statements are met", held.len());
    let golden = root().join(format!("tests/plausibility/{country}.csv"));
    if std::env::var("POPULACE_PIN").is_ok_and(|pin| pin == "1") {
        std::fs::create_dir_all(golden.parent().unwrap()).unwrap();
        std::fs::write(&golden, now).unwrap();
        return;
    }
    let before = std::fs::read_to_string(&golden).expect("POPULACE_PIN=1 writes it");
    let verdict = |text: &str, name: &str| -> Option<String> {
        let line = text.lines().find(|line| line.split(',').next() == Some(name))?;
        line.rsplit(',').next().map(String::from)
    };
    let mut wrong = vec![];
    for h in &held {
        let (name, is) = (&h.statement.name, h.verdict());
        let was = verdict(&before, name);
        if was.as_deref() != Some(is.as_str()) {
            let was = was.unwrap_or_else(|| "not there".into());
            let [low, high] = h.statement.share;
            wrong.push(format!(
                "{name}: {is}, was {was}: {:.4}, bounds {low} to {high} ({})",
                h.share(),
                h.statement.says
            ));
        }
    }
    assert!(wrong.is_empty(), "{country}: if that is meant, POPULACE_PIN=1 writes it:\n{}", wrong.join("\n"));
    assert_eq!(
        before.lines().count(),
        held.len() + 1,
        "{country}: a statement is gone; POPULACE_PIN=1 writes the rest"
    );
}

#[test]
fn the_united_states() {
    of_country("usa");
}

#[test]
fn brazil() {
    of_country("brazil");
}

#[test]
fn india() {
    of_country("india");
}

#[test]
fn japan() {
    of_country("japan");
}

#[test]
fn singapore() {
    of_country("singapore");
}

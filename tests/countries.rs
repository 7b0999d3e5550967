//! Making a country of one's own: the skeleton, what `countries check` says, and the walk in CONTRIBUTING.md.

use std::fs;
use std::path::Path;
use std::process::Command;

mod support;
use support::{output, ran_on};

fn check(folder: &Path) -> (i32, String) {
    let (code, out, error) =
        ran_on(&folder.join("no-database"), &["countries", "check", &folder.display().to_string()]);
    (code, out + &error)
}

/// A skeleton in a folder of its own.
fn skeleton() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().display().to_string();
    let (code, _, error) = ran_on(folder.path(), &["countries", "new", "atlantis", "--dir", &dir]);
    assert_eq!(code, 0, "{error}");
    let path = folder.path().join("atlantis");
    (folder, path)
}

/// Changes a file: `from` becomes `to`; without `from`, `to` becomes the whole file.
fn plant(pack: &Path, (file, from, to): (&str, &str, &[u8])) {
    let path = pack.join(file);
    let text = match from {
        "" => to.to_vec(),
        from => {
            let text = fs::read(&path).unwrap();
            let at =
                text.windows(from.len()).position(|w| w == from.as_bytes()).unwrap_or_else(|| panic!("{file}: {from}"));
            [&text[..at], to, &text[at + from.len()..]].concat()
        }
    };
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

type Fault = ((&'static str, &'static str, &'static [u8]), &'static str);

/// What is planted, and what is said of it, with its place.
const FAULTS: [Fault; 36] = [
    (("plausibility.toml", "'tertiary'\"", b"'tertiary' )\""), "plausibility.toml:4:1, statement `few_graduates_below_25`: `expect`: it ends before `)`"),
    (("plausibility.toml", "age < 25", b"ages < 25"), "plausibility.toml:4:1, statement `few_graduates_below_25`: `given`: the pack has no column `ages`; did you mean `age`?"),
    (("plausibility.toml", "[0.0, 0.25]", b"[0.25, 0.0]"), "plausibility.toml:4:1, statement `few_graduates_below_25`: `share` is [0.25, 0]: it must rise, from 0 to 1"),
    (("plausibility.toml", "\"estimate\"", b"\"guess\""), "plausibility.toml:4:1, statement `few_graduates_below_25`: `status` is `guess`: official or estimate"),
    (("plausibility.toml", "expect", b"expects"), "plausibility.toml:8:1: unknown field `expects`"),
    (("plausibility.toml", "[[statement]]", b"[[statement]]\nname = \"few_graduates_below_25\"\nsays = \"x\"\nexpect = \"age > 20\"\nshare = [0, 1]\nstatus = \"official\"\nsource = \"office\"\n[[statement]]"), "plausibility.toml:11:1, statement `few_graduates_below_25`: there is another of this name at plausibility.toml:4:1"),
    (("pack.toml", "[\"Female\", \"Male\"]", b"[\"Female\", \"Male\", \"Other\"]"), "pack.toml:35:29, variable `sex`: the level `Other` of `sex` stands in no figure of its node"),
    (("levels/first_name.csv", "Ana", b"Zoe\nAna"), "levels/first_name.csv:2: the level `Zoe` of `first_name` stands in no figure of its node"),
    (("pack.toml", "\"25-44\"", b"\"24-44\""), "pack.toml:63:10, grouping `age_education`: 24 is in both `18-24` and `24-44`"),
    (("figures/population.csv", "North,Female,25-44", b"North,Female,20-44"), "figures/population.csv:3, column `age_group`: `20-44` overlaps `18-24`"),
    (("levels/first_name.csv", "Eva", b"\xc9va"), "levels/first_name.csv:3: byte 1 of the line, 0xc9, is not UTF-8 text"),
    (("figures/first_names.csv", "Eva", b"Jos\xe9"), "figures/first_names.csv:3: byte 11 of the line, 0xe9, is not UTF-8 text"),
    (("prompts/pt/kinds.toml", "", b"[[kind]]\nname = \"persona\"\nstep = \"personas\"\nask = \"x\"\n[[score]]\nname = \"judge_respect\"\nask = \"x\"\n"), "prompts/pt/kinds.toml:1: the narrative `travel_persona` of prompts/kinds.toml:20:8 has no translation"),
    (("prompts/pt/system.j2", "", b"x"), "prompts/pt/kinds.toml: there is no such file"),
    (("prompts/person.j2", "", b"a\n{% if %}"), "prompts/person.j2:2: "),
    (("prompts/kinds.toml", "[[kind]]", b"[[kind]]\nname = 5\n[[kind]]"), "prompts/kinds.toml:5:8: `name` is a text"),
    (("harmonised.toml", "tertiary = \"6\"", b"tertiary = \"9\""), "harmonised.toml:17:54: `9` is no level of ISCED 2011: those are 0 to 8"),
    (("harmonised.toml", "[education]", b"[occupation]\ncolumn = \"education_level\"\ncodes = { primary = \"9999\", secondary = \"\", tertiary = \"2\" }\n[education]"), "harmonised.toml:17:21: `9999` is no code of ISCO-08"),
    (("harmonised.toml", "primary = \"1\", ", b""), "harmonised.toml:17:9: the level `primary` of `education_level` has no education code"),
    (("harmonised.toml", "primary = \"1\"", b"primry = \"1\""), "harmonised.toml:17:20: unknown level of `education_level`: `primry`; did you mean `primary`?"),
    (("harmonised.toml", "North = \"XX-N\"", b"North = \"YY-N\""), "harmonised.toml:9:19: `YY-N` is no region of XX in ISO 3166-2"),
    (("harmonised.toml", "column = \"sex\"", b"column = \"sexx\""), "harmonised.toml:12:10: the pack has no column `sexx`; did you mean `sex`?"),
    (("harmonised.toml", "Female = \"female\"", b"Female = \"f\""), "harmonised.toml:13:20: `f` is no sex code"),
    (("harmonised.toml", "country = \"XX\"", b"country = \"Atlantis\""), "harmonised.toml:5:11: `country` is two capital letters"),
    (("harmonised.toml", "country = ", b"country "), "harmonised.toml:5:"),
    (("levels/first_name.csv", "Ana", b"Eva\nAna"), "levels/first_name.csv:4: level `Eva` stands there twice, first in line 2"),
    (("pack.toml", "[\"North\", \"South\"]", b"[\"North\", \"North\"]"), "pack.toml:40:11, variable `region`: level `North` stands there twice"),
    (("figures/population.csv", "43000", b"-43000"), "figures/population.csv:6: -43000 cannot be a count: it must be 0 or more"),
    (("figures/population.csv", "43000", b"43 000"), "figures/population.csv:6: `43 000` is not a number"),
    (("figures/population.csv", "region,sex,age_group,count", b"region,sex,ages,count"), "pack.toml:75:13, figure `population`: figures/population.csv has no column `age_group`"),
    (("levels/first_name.csv", "level\n", b"name\n"), "levels/first_name.csv:1: no column `level`; there are name"),
    (("figures/education.csv", "Male,18-24,primary,0.10", b"Male,18-24,0.10"), "figures/education.csv:14: this line has 3 fields, the first one 4"),
    (("figures/education.csv", "Male,18-24,primary", b"Male,18-24,primery"), "figures/education.csv:14: unknown level of `education_level`: `primery`; did you mean `primary`?"),
    (("pack.toml", "source = \"office\"", b"source = \"ofice\""), "pack.toml:74:10, figure `population`: no [[source]] has the id `ofice`; did you mean `office`?"),
    (("pack.toml", "figure = \"education\",", b"figure = \"educations\","), "pack.toml:114:23, node `education_level`: unknown figure `educations`; did you mean `education`?"),
    (("pack.toml", "file = \"figures/education.csv\"", b"file = \"figures/school.csv\""), "pack.toml:80:8, figure `education`: figures/school.csv: No such file"),
];

#[test]
fn every_fault_is_told_with_its_place() {
    for (fault, told) in &FAULTS {
        let (_folder, pack) = skeleton();
        plant(&pack, *fault);
        let (code, said) = check(&pack);
        assert_eq!(code, 1, "{told}: {said}");
        let prefixes = ["  ".to_string(), format!("error: {}: ", pack.display())];
        let found = said.lines().any(|line| prefixes.iter().any(|p| line.starts_with(&format!("{p}{told}"))));
        assert!(found, "{said}\nshould say: {told}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let (_folder, pack) = skeleton();
    for (file, from, to) in [
        ("pack.toml", "\"25-44\"", "\"24-44\""),
        ("pack.toml", "source = \"office\"", "source = \"ofice\""),
        ("figures/population.csv", "43000", "-43000"),
        ("figures/population.csv", "69000", "many"),
        ("figures/first_names.csv", "Female,Eva", "Femal,Eva"),
        ("levels/first_name.csv", "Leo", "Leo\nLeo"),
        ("harmonised.toml", "primary = \"1\"", "primary = \"9\""),
        ("prompts/person.j2", "{% macro", "{% marco"),
    ] {
        plant(&pack, (file, from, to.as_bytes()));
    }
    let (code, said) = check(&pack);
    assert_eq!(code, 1);
    for told in [
        "pack.toml:63:",
        "pack.toml:74:",
        "figures/population.csv:6: ",
        "figures/population.csv:14: ",
        "levels/first_name.csv:9: ",
        "harmonised.toml:17:",
        "prompts/person.j2:2: ",
    ] {
        assert!(said.contains(&format!("\n  {told}")), "{said}\nshould say: {told}");
    }
    assert!(said.contains(": 7 things are wrong"), "{said}");
}

#[test]
fn a_skeleton_is_a_country() {
    let (folder, pack) = skeleton();
    let path = pack.display().to_string();
    let (code, said) = check(&pack);
    assert!(code == 0 && said.contains("nothing is wrong"), "{said}");
    let ran = |arguments: &[&str]| {
        let (code, output, error) = ran_on(&folder.path().join("db"), arguments);
        assert_eq!(code, 0, "{arguments:?}: {error}");
        output
    };
    assert!(ran(&["countries", "compile", &path]).contains("atlantis.pack: atlantis@"));
    ran(&["generate", &path, "--count", "30", "--seed", "1", "--narrator", "none"]);
    let counted = "SELECT count(*) AS n, count(region_code) AS r, min(education_isced) AS e FROM personas_harmonised";
    assert!(ran(&["sql", "--format", "csv", counted]).starts_with("n,r,e\n30,30,"));
    // By its name alone it is none of those that the program knows.
    let mut by_name = Command::new(env!("CARGO_BIN_EXE_populace"));
    by_name.args(["generate", "atlantis", "--count", "1"]).current_dir(folder.path());
    let (code, _, error) = output(&mut by_name);
    assert!(code == 1 && error.contains("for the pack here, write its path: ./atlantis"), "{error}");
    // What judges a table by its country takes the path too.
    let report = ran(&["report", "atlantis", "--country", &path, "--out", "-"]);
    assert!(report.contains("Atlantis") && report.contains("atlantis@"), "{report}");
    let (code, _, error) = ran_on(&folder.path().join("db"), &["report", "atlantis", "--out", "-"]);
    assert!(code == 1 && error.contains("a pack of one's own, atlantis: name its file with --country"), "{error}");
    let to = folder.path().join("out");
    ran(&["export", "atlantis", "--to", to.to_str().unwrap(), "--country", &path]);
    let card = fs::read_to_string(to.join("README.md")).unwrap();
    assert!(card.contains("## Agreement with the figures of Atlantis") && !card.contains("Not judged"), "{card}");
    assert!(card.contains("Figures and their sources: Atlantis"), "{card}");
    let dir = folder.path().display().to_string();
    let (code, _, error) = ran_on(folder.path(), &["countries", "new", "atlantis", "--dir", &dir]);
    assert!(code == 1 && error.contains("is there already"), "{error}");
    let (code, _, error) = ran_on(folder.path(), &["countries", "new", "New Zealand", "--dir", &dir]);
    assert!(code == 1 && error.contains("is no name for a country"), "{error}");
    let (code, said) = check(Path::new("/nowhere/at/all"));
    assert!(code == 1 && said.contains("pack.toml"), "{said}");
}

/// Follows a walk in CONTRIBUTING.md: writes the files that it shows (```` ```csv atlantis/figures/x.csv ````), runs the
/// commands of its `sh` blocks, and compares what they print with the `text` blocks after them.
#[test]
fn the_walk_can_be_walked() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("CONTRIBUTING.md")).unwrap();
    let (_, walk) = text.split_once("## A country from two CSV tables in ten minutes\n").unwrap();
    let walk = walk.split("\n## ").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_populace")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let (mut files, mut commands, mut printed) = (0, 0, String::new());
    for block in walk.split("\n```").skip(1).step_by(2) {
        let (info, body) = block.split_once('\n').unwrap();
        let body = format!("{body}\n");
        match info.split(' ').collect::<Vec<_>>()[..] {
            ["sh"] => {
                let mut shell = Command::new("sh");
                shell
                    .args(["-e", "-c", &body])
                    .current_dir(folder.path())
                    .env("PATH", &path)
                    .env("POPULACE_EMBEDDER", "hash");
                let (code, out, error) = output(&mut shell);
                assert_eq!(code, 0, "{body}{out}{error}");
                printed = out + &error;
                commands += 1;
            }
            ["text"] => {
                for line in body.lines().filter(|line| !line.trim_matches(['…', ' ']).is_empty()) {
                    let parts = line.split('…').map(str::trim);
                    let mut rest = printed.as_str();
                    for part in parts {
                        let at = rest.find(part).unwrap_or_else(|| panic!("{printed}\nshould say: {line}"));
                        rest = &rest[at + part.len()..];
                    }
                }
            }
            [_, file] => {
                fs::write(folder.path().join(file), body).unwrap();
                files += 1;
            }
            _ => panic!("a block that is neither a file nor commands nor what they print: {info}"),
        }
    }
    assert!(files >= 3 && commands >= 4, "{files} files, {commands} commands");
}

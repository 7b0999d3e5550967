//! What grammars, lexicons and `outline.toml` can say, and what is told of their faults.

use super::*;
use serde_json::json;

const KINDS: Kinds = Kinds::Any(&["persona", "cultural_background"]);

const MANIFEST: &str = r#"
language = "pt"
full = "{first_name} {last_name}"
short = "{first_name}"
common = ["job"]

[families]
sport = ["team", "fit"]

[sex]
column = "sex"
female = ["Feminino"]
male = ["Masculino"]

[[levels]]
column = "marital_status"
prefix = "is_"

[[flag]]
name = "job"
all = [{ column = "occupation", not = ["nenhuma"] }]

[[flag]]
name = "old"
all = [{ column = "age", min = 65 }]

[[flag]]
name = "free"
all = [{ no_flag = "job" }, { flag = "old" }]

[[flag]]
name = "free"
all = [{ column = "occupation", missing = true }]

[[flag]]
name = "named"
all = [{ column = "first_name", present = true }, { column = "age", min = 18, max = 120 }]

[[flag]]
name = "south"
all = [{ flag = "sul" }]

[[slot]]
name = "age"
column = "age"

[[slot]]
name = "town"
column = "city"
no_ending = [" (distrito)"]
differs_from = ["state"]

[[slot]]
name = "rest"
value = "aposentad<o|a>"
when = ["free", "!job"]

[[slot]]
name = "task"
value = "@d_none"
when = ["!job"]

[[slot]]
name = "whole"
value = "{last_name}, {first_name} ({age}), <homem|mulher>"

[[lexicon]]
column = "occupation"
file = "occupations.csv"
when = ["job"]
otherwise = "job"

[[lexicon]]
column = "state"
file = "states.csv"

[hobbies]
column = "hobbies"
file = "hobbies.csv"
otherwise = "gosta de {phrase}"

[[list]]
column = "skills"
file = "skills.csv"
also = { handy = "skill" }
otherwise = "tool"
"#;

const OCCUPATIONS: &str = "occupation,job,task,flags\nenfermagem,enfermeir<o|a>,@d_*|@d_care,g_care\n\
                           ensino médio,professor<|a>,@d_*|@d_care,\n";
const STATES: &str =
    "state,em,prato,flags\nBahia,na Bahia,acarajé; moqueca,\nParaná,\"no Paraná, ao sul\",barreado,sul\n";
const HOBBIES: &str = "hobby,class,phrase,does\nfutebol,team,futebol,joga bola\nviagens,travel,viagens,viaja\n\
                       xadrez,quiet,,\n";
const SKILLS: &str = "skill,class,phrase\ncostura,handy,costura\nExcel,tool,\n";

fn files<'a>(manifest: &'a str, grammar: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("outline.toml", manifest),
        ("all.txt", grammar),
        ("occupations.csv", OCCUPATIONS),
        ("states.csv", STATES),
        ("hobbies.csv", HOBBIES),
        ("skills.csv", SKILLS),
    ]
}

const DUTIES: &str = "@d_care\ncuida\n@d_ensino_médio\nensina\n@d_none\ndescansa\n";

/// The outline of a grammar of one kind, `persona`.
fn outline(productions: &str) -> Outline {
    let grammar = format!("@persona\n{productions}\n{DUTIES}");
    Outline::parse("pt", &files(MANIFEST, &grammar), KINDS).unwrap()
}

fn ana() -> Value {
    json!({
        "uuid": "1", "first_name": "Ana", "last_name": "Sá", "sex": "Feminino", "age": 70, "occupation": "enfermagem",
        "city": "Salvador", "state": "Bahia", "marital_status": "Casado ou unido", "hobbies": ["viagens", "futebol"],
        "skills": ["costura", "Excel", "Rust"],
    })
}

/// What an outline of these productions writes of Ana, with some of her facts changed; null takes one away.
fn written(productions: &str, changed: Value) -> Result<String, String> {
    let mut facts = ana().as_object().unwrap().clone();
    facts.extend(changed.as_object().unwrap().clone());
    facts.retain(|_, value| !value.is_null());
    outline(productions).write("persona", &facts)
}

fn of_ana(productions: &str) -> String {
    written(productions, json!({})).unwrap()
}

#[test]
fn forms_follow_the_sex() {
    let text = "<Ele|Ela> é {job}, {F}.";
    assert_eq!(of_ana(text), "Ela é enfermeira, Ana.");
    assert_eq!(written(text, json!({ "sex": "Masculino" })).unwrap(), "Ele é enfermeiro, Ana.");
    assert_eq!(written(text, json!({ "sex": null })).unwrap(), "Ele é enfermeiro, Ana.");
    assert_eq!(written("{F} é {rest}.", json!({ "occupation": null })).unwrap(), "Ana é aposentada.");
}

#[test]
fn without_pronouns_it_is_always_the_name() {
    for seed in 0..50 {
        let text = written("{N} lê. {N} escreve. {N} ri.", json!({ "uuid": seed.to_string() })).unwrap();
        assert_eq!(text.matches("Ana").count(), 3, "{text}");
    }
    assert_eq!(of_ana("{F}: {they}, {them}, {their}, {theirs}, {themself}."), "Ana: Ana, Ana, Ana, Ana, Ana.");
    let with = MANIFEST.replace(
        "[sex]",
        "[pronouns]\nfemale = [\"ela\", \"ela\", \"sua\", \"sua\", \"si\"]\nmale = [\"ele\", \"ele\", \"seu\", \"seu\", \"si\"]\n[sex]",
    );
    let grammar = format!("@persona\n{{F}} diz que {{they}} tem {{their}} casa.\n{DUTIES}");
    let outline = Outline::parse("pt", &files(&with, &grammar), KINDS).unwrap();
    assert_eq!(outline.write("persona", ana().as_object().unwrap()).unwrap(), "Ana diz que ela tem sua casa.");
}

#[test]
fn lexicons_set_slots_and_flags() {
    assert_eq!(of_ana("[g_care] {F} {task}."), "Ana cuida.");
    assert_eq!(of_ana("{F} mora {em}."), "Ana mora na Bahia.");
    let both = of_ana("{F} come {prato} e {prato}.");
    assert!(["Ana come acarajé e moqueca.", "Ana come moqueca e acarajé."].contains(&both.as_str()), "{both}");
    // A third there is not.
    assert!(written("{F} come {prato}, {prato} e {prato}.", json!({})).is_err());
    // A symbol of the level comes before that of its group.
    assert_eq!(written("{F} {task}.", json!({ "occupation": "ensino médio" })).unwrap(), "Ana ensina.");
    // A level that the file lacks stands for itself, and has no other words.
    let unknown = json!({ "occupation": "criador_de_abelhas" });
    assert_eq!(written("{F} {task}.\n{F} é {job}.", unknown).unwrap(), "Ana é criador de abelhas.");
    assert_eq!(written("[south] {F} mora {em}.", json!({ "state": "Paraná" })).unwrap(), "Ana mora no Paraná, ao sul.");
    assert!(written("[south] {F} mora {em}.", json!({})).is_err());
}

#[test]
fn flags_are_tests_all_of_one_and_any_of_several() {
    let free = "[free] {F} descansa.\n[!free] {F} não para.";
    assert_eq!(of_ana(free), "Ana não para.");
    assert_eq!(written(free, json!({ "occupation": "nenhuma" })).unwrap(), "Ana descansa.");
    assert_eq!(written(free, json!({ "occupation": "nenhuma", "age": 30 })).unwrap(), "Ana não para.");
    assert_eq!(written(free, json!({ "occupation": null, "age": 30 })).unwrap(), "Ana descansa.");
    // Of a column without a value nothing holds but that it is missing.
    assert_eq!(
        written("[job|old] {F} vê.\n[last] {F} não.", json!({ "occupation": null, "age": null })).unwrap(),
        "Ana não."
    );
    assert_eq!(of_ana("[named is_Casado_ou_unido] {F} tem {age} anos."), "Ana tem 70 anos.");
    assert_eq!(written("{F} {task}.", json!({ "occupation": "nenhuma" })).unwrap(), "Ana descansa.");
}

#[test]
fn slots_are_passed_over_where_their_fact_is_missing() {
    let text = "{F} vive em {town}.\n[last] {F} vive.";
    assert_eq!(of_ana(text), "Ana vive em Salvador.");
    for city in [json!(null), json!(""), json!("Centro (distrito)"), json!("Bahia")] {
        assert_eq!(written(text, json!({ "city": city })).unwrap(), "Ana vive.");
    }
    assert_eq!(written("{N} ri.", json!({ "last_name": null })).unwrap(), "Ana ri.");
    assert_eq!(of_ana("{F}: {whole}."), "Ana: Sá, Ana (70), mulher.");
    assert!(written("{F}: {whole}.", json!({ "last_name": null })).is_err());
    assert!(written("{N} ri.", json!({ "first_name": null })).unwrap_err().contains("too few"));
}

#[test]
fn hobbies_have_classes_families_and_words() {
    assert_eq!(of_ana("[h_sport h_team] {F} {v_sport}."), "Ana joga bola.");
    // What one travels for is not done of an evening.
    assert_eq!(of_ana("À noite {F} {does}."), "À noite Ana joga bola.");
    assert_eq!(written("{F} {does}.", json!({ "hobbies": ["xadrez"] })).unwrap(), "Ana gosta de xadrez.");
    assert_eq!(written("{F} {does}.", json!({ "hobbies": ["crochê"] })).unwrap(), "Ana gosta de crochê.");
    // The first hobby that the text has named, not the first that there is.
    assert_eq!(of_ana("{F}: {h_team} {tail}.\n@tail\n[in_travel] e casa\n[in_sport] e suor"), "Ana: futebol e suor.");
}

#[test]
fn list_items_serve_the_slots_of_their_classes() {
    assert_eq!(of_ana("[handy skill tool] {F}: {skill}, {handy}."), "Ana: costura, costura.");
    let tools = of_ana("{F}: {tool} e {tool}.");
    assert!(["Ana: Excel e Rust.", "Ana: Rust e Excel."].contains(&tools.as_str()), "{tools}");
    assert!(written("[tool] {F}.", json!({ "skills": ["costura"] })).is_err());
}

#[test]
fn japanese_sentences_need_no_spaces() {
    let manifest = "language = \"ja\"\nfull = \"{last_name}{first_name}\"\nshort = \"{last_name}さん\"\n";
    let files = [("outline.toml", manifest), ("a.txt", "@persona\n{F}は（週末）走る。{F}は eBay を見る。\n")];
    let outline = Outline::parse("ja", &files, KINDS).unwrap();
    let facts = json!({ "last_name": "佐藤", "first_name": "葵" });
    let text = outline.write("persona", facts.as_object().unwrap()).unwrap();
    assert_eq!(text, "佐藤さんは（週末）走る。佐藤さんは eBay を見る。");
}

/// The faults of an outline with this in the place of that.
fn faults(that: &str, this: &str) -> Vec<String> {
    let grammar = format!("@persona\n{{F}} ri.\n{DUTIES}");
    let mut files: Vec<(&str, String)> =
        files(MANIFEST, &grammar).into_iter().map(|(name, text)| (name, text.to_string())).collect();
    assert!(files.iter().any(|(_, text)| text.contains(that)), "{that}");
    for (_, text) in &mut files {
        *text = text.replacen(that, this, 1);
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    Outline::parse("pt", &files, KINDS).unwrap_err()
}

#[test]
fn faults_have_a_file_and_a_line() {
    for (that, this, expected) in [
        ("{F} ri.", "{F} ri de {cidade}.", "pt/all.txt:2: no slot or symbol is named {cidade}"),
        ("{F} ri.", "{F} {taks}.", "pt/all.txt:2: no slot or symbol is named {taks}; did you mean `task`?"),
        ("{F} ri.", "[olde] {F} ri.", "pt/all.txt:2: no condition is named `olde`; did you mean `old`?"),
        ("{F} ri.", "{F} (ri.", "pt/all.txt:2: `(` is not closed"),
        ("{F} ri.", "{F} {h_sports}.", "pt/all.txt:2: no slot or symbol is named {h_sports}"),
        ("{F} ri.", "{F} {trait}.", "pt: no grammar has @t_o_hi"),
        ("@persona", "@personna", "pt: no grammar has a kind of text"),
        ("occupations.csv\"", "occupation.csv\"", "there is no file `occupation.csv`; did you mean `occupations.csv`?"),
        ("min = 65", "mni = 65", "pt/outline.toml:25: unknown field `mni`"),
        ("language = \"pt\"", "language = pt", "pt/outline.toml:2: "),
        ("all = [{ no_flag = \"job\" }, { flag = \"old\" }]", "all = []", "the flag `free` has no test"),
        (
            "{ column = \"age\", min = 65 }",
            "{ column = \"age\" }",
            "the flag `old`: a test of a column says what of it",
        ),
        (
            "column = \"city\"",
            "column = \"city\"\nvalue = \"x\"",
            "the slot `town` has a column or a value, one of them",
        ),
        ("\"aposentad<o|a>\"", "\"aposentad<o|a\"", "the slot `rest`: \"aposentad<o|a\": `<` is not closed"),
        ("name = \"age\"\ncolumn", "name = \"trait\"\ncolumn", "the slot `trait` is filled by the narrator itself"),
        ("value = \"{last_name}, ", "value = \"{last_name, ", "the slot `whole`: its value is no template"),
        ("{first_name} {last_name}", "{first_name", "\"{first_name\" is no template"),
        ("na Bahia,", "na Bahia,,,", "pt/states.csv:2: 6 fields, the header has 4"),
        ("Paraná,", "Bahia,", "pt/states.csv:3: `Bahia` is in line 2 already"),
        ("enfermeir<o|a>", "enfermeir<oa>", "pt/occupations.csv:2: \"enfermeir<oa>\""),
        ("@d_*|@d_care,g_care", "@d_*|@d_caring,g_care", "pt/occupations.csv:2: no grammar has any of @d_*|@d_caring"),
        ("hobby,class,", "hobby,kind,", "pt/hobbies.csv:1: there is no column `class`"),
        ("state,em,", "state,,", "pt/states.csv:1: a lexicon has names"),
        ("state,em,prato", "state,prato,prato", "pt/states.csv:1: two columns are named `prato`"),
    ] {
        let faults = faults(that, this);
        assert!(faults.iter().any(|f| f.contains(expected)), "{this}: {faults:#?}");
    }
    let none = Outline::parse("pt", &[("a.txt", "@persona\n{F}.")], KINDS).unwrap_err();
    assert_eq!(none, ["pt: there is no outline.toml"]);
    let bare = MANIFEST.split("[families]").next().unwrap();
    assert!(Outline::parse("pt", &[("outline.toml", bare)], KINDS).unwrap_err()[0].contains("there is no grammar"));
}

#[test]
fn all_faults_are_told_at_once() {
    let grammar = "@persona\n{F} (ri.\n{F} ri).\n";
    let mut files = files(MANIFEST, grammar);
    files[3].1 = "state,em\nBahia\nBahia,na Bahia\nBahia,na Bahia\n";
    let faults = Outline::parse("pt", &files, KINDS).unwrap_err();
    assert_eq!(faults.len(), 4, "{faults:#?}");
}

#[test]
fn kinds_are_the_packs() {
    let grammar = format!("@persona\n{{F}} ri.\n@sea_persona\n{{F}} nada.\n{DUTIES}");
    let kinds = ["persona", "sea_persona"].map(String::from);
    let files = files(MANIFEST, &grammar);
    let outline = Outline::parse("pt", &files, Kinds::All(&kinds)).unwrap();
    assert_eq!(outline.kinds(), kinds);
    assert_eq!(outline.write("sea_persona", ana().as_object().unwrap()).unwrap(), "Ana nada.");
    assert!(
        outline
            .write("arts_persona", ana().as_object().unwrap())
            .unwrap_err()
            .contains("it writes persona, sea_persona")
    );
    let wanting = Outline::parse("pt", &files, Kinds::All(&["persona", "see_persona"].map(String::from))).unwrap_err();
    assert!(wanting[0].contains("no grammar has @see_persona") && wanting[0].contains("`sea_persona`"), "{wanting:?}");
}

#[test]
fn a_folder_is_read_and_must_be_utf8() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files(MANIFEST, &format!("@persona\n{{F}} ri.\n{DUTIES}")) {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    assert_eq!(Outline::open(folder.path(), KINDS).unwrap().language(), "pt");
    std::fs::write(folder.path().join("states.csv"), b"state,em\nBahia,na Bahia\nParan\xe1,no sul\n").unwrap();
    let faults = Outline::open(folder.path(), KINDS).unwrap_err();
    assert!(faults.len() == 1 && faults[0].ends_with("states.csv:3: this is not UTF-8"), "{faults:?}");
    assert!(Outline::open(&folder.path().join("nowhere"), KINDS).is_err());
}

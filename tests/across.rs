//! Searches by meaning across countries and languages: what is asked in English is found in Portuguese, Japanese and
//! the Englishes of India and Singapore.

use datafusion::arrow::util::display::array_value_to_string;
use futures::TryStreamExt;
use populace::database::{Database, EmbedderChoice};
use populace::engine::{Engine, Options, message};

#[path = "across/facts.rs"]
mod facts;

use facts::{FACTS, NARRATIVES};

/// A pastime, and what is asked for in other words than the texts'.
const QUERIES: [(&str, [&str; 5]); 10] = [
    (
        "chess",
        [
            "someone who plays chess",
            "a board game of kings and pawns",
            "likes checkmates and opening moves",
            "a fan of chess or shogi",
            "sits for hours over a chessboard",
        ],
    ),
    (
        "fishing",
        [
            "someone who goes fishing",
            "waits by the water with a rod",
            "likes to catch fish on days off",
            "angling as a pastime",
            "spends weekends with bait and tackle",
        ],
    ),
    (
        "birds",
        [
            "someone who watches birds",
            "looks for wild birds with binoculars",
            "a birdwatcher",
            "photographs or lists birds",
            "knows the birds of the wetlands",
        ],
    ),
    (
        "yoga",
        [
            "someone who does yoga",
            "stretches and breathes on a mat",
            "practises asanas",
            "a yoga class every week",
            "calm through yoga",
        ],
    ),
    (
        "baking",
        [
            "someone who bakes at home",
            "makes bread or cakes in the oven",
            "kneads dough",
            "home baker",
            "bakes for family and friends",
        ],
    ),
    (
        "guitar",
        [
            "someone who plays the guitar",
            "practises chords on a guitar",
            "strums a six-stringed instrument",
            "an amateur guitarist",
            "makes music with a guitar",
        ],
    ),
    (
        "swimming",
        [
            "someone who swims",
            "does lengths in the pool",
            "likes to be in the water, swimming",
            "a swimmer",
            "swims for exercise",
        ],
    ),
    (
        "knitting",
        [
            "someone who knits",
            "makes sweaters from wool",
            "needles and yarn",
            "knitting or crochet in the evening",
            "handmade scarves",
        ],
    ),
    (
        "vegetables",
        [
            "someone who grows vegetables",
            "a kitchen garden",
            "tends a plot of vegetables",
            "grows food at home",
            "an amateur vegetable gardener",
        ],
    ),
    (
        "hiking",
        [
            "someone who hikes in the mountains",
            "walks trails on days off",
            "climbs hills and mountains",
            "a hiker",
            "goes trekking in nature",
        ],
    ),
];

/// The hobby that each of them is in a country, in the same order, and a word of the text that speaks of it.
const HOBBIES: [(&str, [(&str, &str); 10]); 5] = [
    (
        "brazil",
        [
            ("xadrez", "xadrez"),
            ("pescaria", "pesca"),
            ("observação de aves", "aves"),
            ("ioga", "ioga"),
            ("pão caseiro", "pão"),
            ("violão", "violão"),
            ("natação", "natação"),
            ("tricô", "tric"),
            ("horta no quintal", "horta"),
            ("trilhas e cachoeiras", "trilha"),
        ],
    ),
    (
        "india",
        [
            ("playing chess", "chess"),
            ("fishing", "fish"),
            ("bird watching", "bird"),
            ("practising yoga", "yoga"),
            ("baking cakes", "cake"),
            ("playing the guitar", "guitar"),
            ("swimming in the river", "swim"),
            ("knitting sweaters", "knit"),
            ("kitchen gardening", "garden"),
            ("trekking in the hills", "trek"),
        ],
    ),
    (
        "japan",
        [
            ("将棋", "将棋"),
            ("海釣り", "釣"),
            ("野鳥撮影", "野鳥"),
            ("ヨガ", "ヨガ"),
            ("パンづくり", "パン"),
            ("ギター", "ギター"),
            ("水泳", "泳"),
            ("編み物", "編み"),
            ("家庭菜園", "菜園"),
            ("登山", "山"),
        ],
    ),
    (
        "singapore",
        [
            ("chess", "chess"),
            ("fishing at Bedok Jetty", "fish"),
            ("birdwatching at Sungei Buloh", "bird"),
            ("yoga", "yoga"),
            ("home baking", "bak"),
            ("guitar", "guitar"),
            ("swimming at the ActiveSG pool", "swim"),
            ("crochet", "crochet"),
            ("community gardening", "garden"),
            ("MacRitchie treetop hikes", "MacRitchie"),
        ],
    ),
    (
        "usa",
        [
            ("online chess", "chess"),
            ("fly fishing", "fish"),
            ("birdwatching", "bird"),
            ("yoga", "yoga"),
            ("baking pies", "pie"),
            ("playing acoustic guitar", "guitar"),
            ("lap swimming", "swim"),
            ("knitting", "knit"),
            ("vegetable gardening", "vegetable"),
            ("day hiking", "hik"),
        ],
    ),
];

/// People with none of the hobbies, in each country.
const WITHOUT: usize = 50;

async fn rows(engine: &Engine, sql: &str) -> Vec<Vec<String>> {
    let mut rows = vec![];
    for statement in engine.parse(sql).unwrap() {
        let stream = engine.run(statement).await.unwrap_or_else(|e| panic!("{sql}: {}", message(&e)));
        for batch in stream.try_collect::<Vec<_>>().await.unwrap_or_else(|e| panic!("{sql}: {}", message(&e))) {
            for row in 0..batch.num_rows() {
                let text = |c| array_value_to_string(batch.column(c), row).unwrap();
                rows.push((0..batch.num_columns()).map(text).collect());
            }
        }
    }
    rows
}

/// Whether the model that turns texts into vectors is there; loudly, where it is not.
fn has_model(embedder: &EmbedderChoice) -> bool {
    match embedder.get() {
        Ok(_) => true,
        Err(error) if std::env::var_os("POPULACE_REQUIRE_MODELS").is_some() => panic!("{error}"),
        Err(error) => {
            eprintln!("SKIPPED, nothing is tested: {error}");
            false
        }
    }
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A database of its own and a session over it; nothing where there is no model.
fn open() -> Option<(tempfile::TempDir, Engine)> {
    let embedder = EmbedderChoice::named(None);
    if !has_model(&embedder) {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::new(Database::open(folder.path(), embedder).unwrap(), Options::default()).unwrap();
    Some((folder, engine))
}

const TABLES: [&str; 5] = ["brazil", "india", "japan", "singapore", "usa"];

/// How many of the people who are looked for are among the first ten, in each table: in one search over all tables, and
/// in a search in each.
#[derive(Debug)]
struct Found {
    over_all: [u32; 5],
    alone: [u32; 5],
}

impl Found {
    /// `queries` are texts and the topic of whom each looks for, one person in each table; `search` is the SQL of a
    /// search in a table for a text, with the columns shown.
    async fn by(engine: &Engine, queries: &[(usize, &str)], search: impl Fn(&str, &str, &str) -> String) -> Found {
        let (mut over_all, mut alone) = ([0; 5], [0; 5]);
        for (topic, query) in queries {
            for row in rows(engine, &search("table_name, topic", "personas_harmonised", query)).await {
                let at = TABLES.iter().position(|table| *table == row[0]).unwrap();
                over_all[at] += u32::from(row[1] == topic.to_string());
            }
            for (at, table) in TABLES.iter().enumerate() {
                let there = rows(engine, &search("topic", table, query)).await;
                alone[at] += u32::from(there.iter().any(|row| row[0] == topic.to_string()));
            }
        }
        Found { over_all, alone }
    }

    /// Recall@10 over all tables and in each, of so many queries, which is printed.
    fn shares(&self, what: &str, queries: usize) -> (f64, f64) {
        let share = |found: [u32; 5]| f64::from(found.iter().sum::<u32>()) / (queries * TABLES.len()) as f64;
        println!("recall@10 of {queries} queries in English, of {TABLES:?}, each of {queries}, {what}:");
        println!("in one search over all texts: {:.3}: {:?}", share(self.over_all), self.over_all);
        println!("in each country's: {:.3}: {:?}", share(self.alone), self.alone);
        (share(self.over_all), share(self.alone))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_in_english_finds_people_of_every_country() {
    let Some((_folder, engine)) = open() else { return };
    for (country, hobbies) in HOBBIES {
        let drawn = format!("SELECT * FROM sample_persona('{country}', 60000, seed => 5)");
        let written = "*, generate_narrative('hobbies_and_interests') AS hobbies_and_interests";
        let has = |hobby: &str| format!("array_has(hobbies_and_interests_list, {})", literal(hobby));
        // Who has the hobby, and a text that speaks of it, among few others.
        let mut parts: Vec<String> = vec![];
        for (at, (hobby, word)) in hobbies.into_iter().enumerate() {
            let few = format!(
                "SELECT * FROM ({drawn}) WHERE {} ORDER BY array_length(hobbies_and_interests_list), uuid LIMIT 60",
                has(hobby)
            );
            parts.push(format!(
                "(SELECT {at} AS topic, * FROM (SELECT {written} FROM ({few})) WHERE strpos(hobbies_and_interests, {}) > 0 LIMIT 1)",
                literal(word)
            ));
        }
        let none = hobbies.map(|(hobby, _)| format!("NOT {}", has(hobby))).join(" AND ");
        parts.push(format!("(SELECT -1 AS topic, {written} FROM ({drawn}) WHERE {none} LIMIT {WITHOUT})"));
        rows(&engine, &format!("CREATE TABLE {country} AS {}", parts.join(" UNION ALL "))).await;
        let topics = rows(&engine, &format!("SELECT count(DISTINCT topic) FROM {country} WHERE topic >= 0")).await;
        assert_eq!(topics[0][0], "10", "{country}");
    }

    let queries: Vec<(usize, &str)> =
        QUERIES.iter().enumerate().flat_map(|(topic, (_, queries))| queries.map(|query| (topic, query))).collect();
    let found = Found::by(&engine, &queries, |shown, table, query| {
        let query = literal(query);
        format!("SELECT {shown} FROM semantic_search({table}, {query}, 10, \"column\" => 'hobbies_and_interests')")
    });
    let found = found.await;
    // By chance it would be 0.03 and 0.17.
    let (over_all, alone) = found.shares("by meaning", queries.len());
    assert!(over_all >= 0.35 && alone >= 0.65, "{found:?}");
    assert!(found.over_all.iter().all(|found| *found >= 5), "{found:?}");
    let found = Found::by(&engine, &queries, |shown, table, query| {
        let query = literal(query);
        format!("SELECT {shown} FROM fact_search({table}, {query}, 10, \"column\" => 'hobbies_and_interests')")
    });
    let found = found.await;
    let (over_all, alone) = found.shares("by facts and meaning", queries.len());
    assert!(over_all >= 0.6 && alone >= 0.82, "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_found_by_what_is_known_of_them() {
    let Some((_folder, engine)) = open() else { return };
    for (at, country) in TABLES.into_iter().enumerate() {
        let cases: Vec<String> =
            FACTS.iter().map(|fact| format!("CASE WHEN {} THEN 1 ELSE 0 END", fact.holds[at])).collect();
        let topics: Vec<String> =
            FACTS.iter().enumerate().map(|(topic, fact)| format!("WHEN {} THEN {topic}", fact.holds[at])).collect();
        let written =
            NARRATIVES.map(|narrative| format!("generate_narrative('{narrative}') AS {narrative}")).join(", ");
        // Nobody of whom two of the facts hold.
        let sql = format!(
            "CREATE TABLE {country} AS SELECT * EXCLUDE (place, holding), {written} FROM (
                SELECT *, row_number() OVER (PARTITION BY topic ORDER BY uuid) AS place FROM (
                    SELECT CASE {} ELSE -1 END AS topic, {} AS holding, *
                    FROM sample_persona('{country}', 100000, seed => 11)
                ) WHERE holding <= 1
            ) WHERE place <= CASE topic WHEN -1 THEN {} ELSE 1 END",
            topics.join(" "),
            cases.join(" + "),
            facts::WITHOUT,
        );
        rows(&engine, &sql).await;
        let topics = rows(&engine, &format!("SELECT count(DISTINCT topic) FROM {country} WHERE topic >= 0")).await;
        assert_eq!(topics[0][0], FACTS.len().to_string(), "{country}");
    }
    let queries: Vec<(usize, &str)> =
        FACTS.iter().enumerate().flat_map(|(topic, fact)| fact.queries.map(|query| (topic, query))).collect();
    let columns = format!("({})", NARRATIVES.map(literal).join(", "));
    let search = |function: &'static str, columns: &str| {
        let columns = columns.to_string();
        move |shown: &str, table: &str, query: &str| {
            let query = literal(query);
            format!("SELECT {shown} FROM {function}({table}, {query}, 10, \"column\" => {columns})")
        }
    };
    // By chance it would be 0.03 and 0.17.
    let found = Found::by(&engine, &queries, search("semantic_search", &columns)).await;
    let (over_all, alone) = found.shares("by the meaning of four narratives", queries.len());
    assert!(over_all >= 0.1 && alone >= 0.3, "{found:?}");
    let found = Found::by(&engine, &queries, search("fact_search", &columns)).await;
    let (over_all, alone) = found.shares("by facts and the meaning of four narratives", queries.len());
    assert!(over_all >= 0.33 && alone >= 0.58, "{found:?}");
}

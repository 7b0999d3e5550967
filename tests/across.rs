//! Searches by meaning across countries and languages: what is asked in English is found in Portuguese, Japanese and
//! the Englishes of India and Singapore.

use datafusion::arrow::util::display::array_value_to_string;
use futures::TryStreamExt;
use populace::database::{Database, EmbedderChoice};
use populace::engine::{Engine, Options, message};

/// What is asked for in each country, in other words than the texts': the country, the hobby that the person has, and
/// the query.
const QUERIES: [(&str, &str, &str); 50] = [
    ("usa", "online chess", "somebody who plays a board game of kings and pawns against strangers on the internet"),
    ("brazil", "xadrez", "a Brazilian fond of checkmates and opening moves"),
    ("singapore", "Chinese chess", "a Singaporean who plays xiangqi with other uncles"),
    ("japan", "将棋", "a Japanese player of shogi, the local relative of chess"),
    ("india", "playing chess", "an Indian who thinks several moves ahead over a chessboard"),
    ("usa", "fly fishing", "casts a line for trout in cold rivers"),
    ("brazil", "pescaria", "a Brazilian who waits by the water for a bite"),
    ("singapore", "fishing at Bedok Jetty", "angling from a jetty in Singapore"),
    ("japan", "海釣り", "goes sea fishing in Japan"),
    ("india", "fishing", "an Indian who catches fish for pleasure"),
    ("usa", "birdwatching", "keeps a list of species seen through binoculars"),
    ("brazil", "observação de aves", "watches birds in Brazil"),
    ("singapore", "birdwatching at Sungei Buloh", "looks for kingfishers and herons in the mangroves of Singapore"),
    ("japan", "野鳥撮影", "photographs wild birds in Japan"),
    ("india", "bird watching", "an Indian who can tell birds by their calls"),
    ("usa", "yoga", "stretches and breathes on a mat"),
    ("brazil", "ioga", "a Brazilian who does asanas"),
    ("singapore", "yoga", "a Singaporean with a yoga mat"),
    ("japan", "ヨガ", "practises yoga in Japan"),
    ("india", "practising yoga", "begins the day with sun salutations in India"),
    ("usa", "baking pies", "makes apple tarts and crusts from scratch"),
    ("brazil", "pão caseiro", "a Brazilian who kneads and bakes loaves at home"),
    ("singapore", "home baking", "bakes cakes and cookies in a flat in Singapore"),
    ("japan", "パンづくり", "bakes bread at home in Japan"),
    ("india", "baking cakes", "an Indian who makes birthday cakes in the oven"),
    ("usa", "playing acoustic guitar", "plays a six-stringed instrument on the porch"),
    ("brazil", "violão", "a Brazilian who strums the guitar"),
    ("singapore", "guitar", "a Singaporean who practises chords on a guitar"),
    ("japan", "ギター", "plays the guitar in Japan"),
    ("india", "playing the guitar", "an Indian guitarist"),
    ("usa", "lap swimming", "does lengths of the pool"),
    ("brazil", "natação", "a Brazilian swimmer"),
    ("singapore", "swimming at the ActiveSG pool", "swims at a public pool in Singapore"),
    ("japan", "水泳", "swims for exercise in Japan"),
    ("india", "swimming in the river", "an Indian who bathes and swims in the river"),
    ("usa", "knitting", "makes scarves from wool with two needles"),
    ("brazil", "tricô", "knits sweaters in Brazil"),
    ("singapore", "crochet", "crochets in Singapore"),
    ("japan", "編み物", "knits in Japan"),
    ("india", "knitting sweaters", "an Indian who knits pullovers for the winter"),
    ("usa", "vegetable gardening", "grows tomatoes and beans behind the house"),
    ("brazil", "horta no quintal", "grows food in the yard in Brazil"),
    ("singapore", "community gardening", "tends a shared plot among the blocks of flats in Singapore"),
    ("japan", "家庭菜園", "raises vegetables at home in Japan"),
    ("india", "kitchen gardening", "an Indian who grows vegetables beside the kitchen"),
    ("usa", "day hiking", "walks mountain trails with a small backpack"),
    ("brazil", "trilhas e cachoeiras", "walks to waterfalls in Brazil"),
    ("singapore", "MacRitchie treetop hikes", "hikes through the rainforest around a reservoir in Singapore"),
    ("japan", "登山", "climbs mountains in Japan"),
    ("india", "trekking in the hills", "an Indian who goes trekking"),
];

/// People with each hobby, and people with none of them, in each country.
const WITH: usize = 4;
const WITHOUT: usize = 40;

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

#[tokio::test(flavor = "multi_thread")]
async fn a_query_in_english_finds_people_of_every_country() {
    let embedder = EmbedderChoice::named(None);
    if !has_model(&embedder) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::new(Database::open(folder.path(), embedder).unwrap(), Options::default()).unwrap();
    let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
    for country in ["brazil", "india", "japan", "singapore", "usa"] {
        let hobbies: Vec<&str> = QUERIES.iter().filter(|(c, ..)| *c == country).map(|(_, hobby, _)| *hobby).collect();
        let has = |hobby: &str| format!("array_has(hobbies_and_interests_list, {})", literal(hobby));
        let drawn = format!("SELECT * FROM sample_persona('{country}', 30000, seed => 5)");
        // The hobby is first in the list, so that the text dwells on it.
        let mut parts: Vec<String> = hobbies
            .iter()
            .map(|hobby| {
                let first = format!("hobbies_and_interests_list[1] = {}", literal(hobby));
                format!("(SELECT * FROM ({drawn}) WHERE {first} LIMIT {WITH})")
            })
            .collect();
        let none = hobbies.iter().map(|hobby| format!("NOT {}", has(hobby))).collect::<Vec<_>>().join(" AND ");
        parts.push(format!("(SELECT * FROM ({drawn}) WHERE {none} LIMIT {WITHOUT})"));
        let people = parts.join(" UNION ALL ");
        let made = format!(
            "CREATE TABLE {country} AS SELECT *, generate_narrative('hobbies_and_interests') AS hobbies_and_interests FROM ({people})"
        );
        rows(&engine, &made).await;
        for hobby in &hobbies {
            let count = rows(&engine, &format!("SELECT count(*) FROM {country} WHERE {}", has(hobby))).await;
            assert!(count[0][0].parse::<usize>().unwrap() >= WITH, "{country}: {hobby}: {count:?}");
        }
    }

    let mut found: Vec<(&str, usize, usize)> = vec![];
    for (country, hobby, query) in QUERIES {
        let sql = format!(
            "SELECT table_name, array_has(hobbies_and_interests_list, {}) FROM semantic_search(personas_harmonised, {}, 10,
             \"column\" => 'hobbies_and_interests')",
            literal(hobby),
            literal(query)
        );
        let there = rows(&engine, &sql).await;
        assert_eq!(there.len(), 10);
        let hit = there.iter().any(|row| row[0] == country && row[1] == "true");
        println!("{} {country}: {query}", if hit { "found " } else { "missed" });
        let at = found.iter().position(|(c, ..)| *c == country).unwrap_or_else(|| {
            found.push((country, 0, 0));
            found.len() - 1
        });
        found[at].1 += usize::from(hit);
        found[at].2 += 1;
    }
    let hits: usize = found.iter().map(|(_, hits, _)| hits).sum();
    println!("recall@10 over five countries: {hits} of {}: {found:?}", QUERIES.len());
    assert!(hits * 10 >= QUERIES.len() * 8, "{found:?}");
    assert!(found.iter().all(|(_, hits, of)| hits * 10 >= of * 6), "{found:?}");
}

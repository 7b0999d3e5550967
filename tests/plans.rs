//! What statements read: a filter, and ORDER BY … LIMIT, only what they must.

use datafusion::arrow::array::AsArray;
use futures::TryStreamExt;
use populace::database::{Database, EmbedderChoice};
use populace::engine::{Engine, Options, message};

async fn rows(engine: &Engine, sql: &str) -> Vec<Vec<String>> {
    let mut rows = vec![];
    for statement in engine.parse(sql).unwrap() {
        let stream = engine.run(statement).await.unwrap_or_else(|e| panic!("{sql}: {}", message(&e)));
        for batch in stream.try_collect::<Vec<_>>().await.unwrap() {
            for row in 0..batch.num_rows() {
                let text = |c| datafusion::arrow::util::display::array_value_to_string(batch.column(c), row).unwrap();
                rows.push((0..batch.num_columns()).map(text).collect());
            }
        }
    }
    rows
}

/// The physical plan, without what differs from run to run.
async fn plan(engine: &Engine, root: &std::path::Path, sql: &str) -> String {
    let mut plan = String::new();
    for statement in engine.parse(&format!("EXPLAIN {sql}")).unwrap() {
        for batch in engine.run(statement).await.unwrap().try_collect::<Vec<_>>().await.unwrap() {
            let (kinds, plans) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
            for (kind, text) in kinds.iter().zip(plans) {
                if kind == Some("physical_plan") {
                    plan = text.unwrap_or_default().into();
                }
            }
        }
    }
    let mut folders = std::fs::read_dir(root.join("tables")).unwrap().map(|e| e.unwrap().file_name());
    let table = folders.next().unwrap().into_string().unwrap();
    let root = root.display().to_string();
    plan.replace(&table, "usa.lance").replace(root.trim_start_matches('/'), "DB").replace("//DB", "/DB")
}

async fn engine(folder: &std::path::Path) -> Engine {
    let embedder = EmbedderChoice::named(Some("hash".into()));
    let engine = Engine::new(Database::open(folder, embedder).unwrap(), Options::default()).unwrap();
    let made = "CREATE TABLE usa AS SELECT uuid, age, sex, state, row_index, 'I am ' || first_name AS persona
                FROM sample_persona('usa', 20000, seed => 1)";
    rows(&engine, made).await;
    engine
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_read_what_they_must() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path()).await;
    for (name, sql) in [
        ("columns_asked_for", "SELECT age FROM usa"),
        ("filter_before_wide_columns", "SELECT persona, age FROM usa WHERE state = 'VT' AND age > 60"),
        ("filter_alone", "SELECT count(*) FROM usa WHERE state = 'VT'"),
        ("top_rows", "SELECT uuid, persona, age FROM usa ORDER BY age DESC, row_index LIMIT 5"),
        ("top_rows_of_a_filter", "SELECT uuid, persona FROM usa WHERE state = 'VT' ORDER BY age LIMIT 5"),
        ("first_rows", "SELECT persona FROM usa LIMIT 5"),
    ] {
        insta::assert_snapshot!(name, plan(&engine, folder.path(), sql).await, sql);
    }
}

/// What EXPLAIN ANALYZE says of a node: the first line with this text.
async fn counted(engine: &Engine, sql: &str, node: &str) -> String {
    let rows = rows(engine, &format!("EXPLAIN ANALYZE {sql}")).await.concat().concat();
    let line = rows.lines().find(|line| line.contains(node));
    line.unwrap_or_else(|| panic!("no {node} in {rows}")).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_not_asked_for_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path()).await;
    let few = &rows(&engine, "SELECT count(*) FROM usa WHERE state = 'VT' AND age > 60").await[0][0];
    assert!((1..200).contains(&few.parse::<u64>().unwrap()));
    let filtered = "SELECT persona, age FROM usa WHERE state = 'VT' AND age > 60";
    let wide = counted(&engine, filtered, "projection=[persona]").await;
    assert!(wide.contains(&format!("rows_scanned={few}, ")), "{wide}");
    let top = "SELECT uuid, persona, age FROM usa ORDER BY age DESC, row_index LIMIT 5";
    let wide = counted(&engine, top, "Take: columns=").await;
    assert!(wide.contains("(uuid), (persona)") && wide.contains("output_rows=5, "), "{wide}");
    let narrow = counted(&engine, top, "LanceRead").await;
    assert!(narrow.contains("projection=[age, row_index]") && narrow.contains("rows_scanned=20.00 K"), "{narrow}");
    let first = counted(&engine, "SELECT persona FROM usa LIMIT 5", "LanceRead").await;
    assert!(first.contains("rows_scanned=5, "), "{first}");
}

/// The late columns are those of the rows that were sorted out.
#[tokio::test(flavor = "multi_thread")]
async fn top_rows_are_the_right_ones() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path()).await;
    for order in ["age DESC, row_index", "state, age, row_index DESC", "persona, row_index"] {
        for filter in ["", "WHERE state IN ('VT', 'CA')", "WHERE age BETWEEN 40 AND 60 AND sex = 'Female'"] {
            let top = rows(
                &engine,
                &format!("SELECT * EXCEPT (persona_embedding) FROM usa {filter} ORDER BY {order} LIMIT 17 OFFSET 3"),
            )
            .await;
            // Numbered rows cannot be cut off before they are sorted.
            let all = format!(
                "SELECT * EXCEPT (persona_embedding, n) FROM (SELECT *, row_number() OVER (ORDER BY {order}) AS n FROM usa {filter})
                 WHERE n BETWEEN 4 AND 20 ORDER BY n"
            );
            assert_eq!(top.len(), 17);
            assert_eq!(top, rows(&engine, &all).await, "{order} {filter}");
        }
    }
}

/// Rows of numbers and coded text, by what can be worked out by hand.
const NUMBERS: u64 = 140_000;

/// What `BY_CODE` answers of the rows whose numbers hold.
fn by_code(holds: impl Fn(u64) -> Option<(u64, u64)>) -> Vec<Vec<String>> {
    let of = |code: u64| {
        let rows: Vec<(u64, u64)> = (1..=NUMBERS).filter(|n| n % 5 == code).filter_map(&holds).collect();
        let (n, k) = rows.iter().fold((0, 0), |sum, row| (sum.0 + row.0, sum.1 + row.1));
        vec![format!("r{code}"), rows.len().to_string(), n.to_string(), k.to_string()]
    };
    (0..5).map(of).collect()
}

const BY_CODE: &str = "SELECT code, count(*), sum(n), sum(k) FROM numbers GROUP BY code ORDER BY code";

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_are_read_again_are_kept_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let embedder = EmbedderChoice::named(Some("hash".into()));
    let engine = Engine::new(Database::open(folder.path(), embedder).unwrap(), Options::default()).unwrap();
    let codes = "arrow_cast(concat('r', value % 5), 'Dictionary(Int32, Utf8)') AS code";
    let select = format!("SELECT value AS n, value % 7 AS k, {codes}, concat('no. ', value) AS words");
    rows(&engine, &format!("CREATE TABLE numbers AS {select} FROM generate_series(1, {NUMBERS})")).await;
    let version = &rows(&engine, "SELECT max(version) FROM versions('numbers')").await[0][0];
    let plan = format!("EXPLAIN {BY_CODE}");
    let is_kept = async || rows(&engine, &plan).await.concat().concat().contains("CachedScanExec");

    // What is read once passes through.
    let all = by_code(|n| Some((n, n % 7)));
    assert!(!is_kept().await);
    for _ in 0..3 {
        assert_eq!(rows(&engine, BY_CODE).await, all);
    }
    assert!(counted(&engine, BY_CODE, "CachedScanExec").await.contains("output_rows=140.0 K"));
    // In their order where one is seen, by conditions, and beside wide columns, which are not kept.
    let first = rows(&engine, "SELECT n FROM numbers").await;
    assert!(first.iter().map(|row| row[0].parse::<u64>().unwrap()).eq(1..=NUMBERS));
    let odd = BY_CODE.replace("GROUP", "WHERE k > 2 AND code <> 'r9' AND n % 2 = 1 GROUP");
    let of_odd = by_code(|n| (n % 7 > 2 && n % 2 == 1).then_some((n, n % 7)));
    for _ in 0..2 {
        assert_eq!(rows(&engine, &odd).await, of_odd);
    }
    let words = "SELECT max(words) FROM numbers WHERE n = 77";
    assert_eq!(rows(&engine, words).await, [["no. 77"]]);
    assert!(!rows(&engine, &format!("EXPLAIN {words}")).await.concat().concat().contains("CachedScanExec"));
    // Nothing grows stale, whoever writes; and versions are what they were.
    rows(&engine, "DELETE FROM numbers WHERE n % 3 = 0").await;
    let some = by_code(|n| (n % 3 > 0).then_some((n, n % 7)));
    for _ in 0..2 {
        assert_eq!(rows(&engine, BY_CODE).await, some);
    }
    rows(&engine, "UPDATE numbers SET k = 10 WHERE n % 2 = 0").await;
    let changed = by_code(|n| (n % 3 > 0).then_some((n, if n % 2 == 0 { 10 } else { n % 7 })));
    for _ in 0..2 {
        assert_eq!(rows(&engine, BY_CODE).await, changed);
    }
    rows(&engine, "UPDATE numbers SET k = 1").await;
    let ones = by_code(|n| (n % 3 > 0).then_some((n, 1)));
    for _ in 0..2 {
        assert_eq!(rows(&engine, BY_CODE).await, ones);
    }
    rows(&engine, &format!("INSERT INTO numbers {select} FROM generate_series(1, {NUMBERS}) WHERE value % 3 = 0"))
        .await;
    let whole = by_code(|n| Some((n, if n % 3 > 0 { 1 } else { n % 7 })));
    for _ in 0..2 {
        assert_eq!(rows(&engine, BY_CODE).await, whole);
    }
    assert!(is_kept().await);
    let before = BY_CODE.replace("numbers", &format!("numbers VERSION AS OF {version}"));
    for _ in 0..2 {
        assert_eq!(rows(&engine, &before).await, all);
    }
}

/// Where statements may hold little, little is kept: an eighth of it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_in_memory_leaves_room_for_statements() {
    let folder = tempfile::tempdir().unwrap();
    let embedder = EmbedderChoice::named(Some("hash".into()));
    let database = Database::open_within(folder.path(), embedder, Some(16 << 20)).unwrap();
    let engine = Engine::new(database, Options::default()).unwrap();
    rows(
        &engine,
        "CREATE TABLE numbers AS SELECT value AS a, value % 9 AS b, value % 8 AS c FROM generate_series(1, 140000)",
    )
    .await;
    // Each column takes half of the room.
    for _ in 0..3 {
        for column in ["a", "b", "c"] {
            let sql = format!("SELECT count(DISTINCT {column}), min({column}) FROM numbers");
            let [row] = &rows(&engine, &sql).await[..] else { panic!() };
            assert_eq!(
                row[0],
                match column {
                    "a" => "140000",
                    "b" => "9",
                    _ => "8",
                }
            );
        }
    }
    let sorted = "SELECT max(x) FROM (SELECT row_number() OVER (ORDER BY a % 1000, b, a) AS x FROM numbers)";
    assert_eq!(rows(&engine, sorted).await, [["140000"]]);
}

//! Search by an index of vectors finds what exact search does, whatever part of the rows a filter keeps; and an index
//! that was half built when its process died does no harm.

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::arrow::array::{
    ArrayRef, AsArray, FixedSizeListArray, Float32Array, Int32Array, RecordBatch, StringArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::TryStreamExt;
use populace::database::{CreateTable, Database, EmbedderChoice, Shape};
use populace::engine::{Engine, Options};
use support::{one_table, populace, ran_on};

const ROWS: usize = 100_000;
const DIMENSION: usize = 16;
const CENTRES: usize = 500;
const ASKED: usize = 12;
const NEAREST: usize = 10;

/// Numbers between -1 and 1 (SplitMix64, Steele et al. 2014).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

/// Vectors about centres, as texts are about things.
fn vectors() -> Vec<f32> {
    let mut numbers = Numbers(7);
    let centres: Vec<f32> = (0..CENTRES * DIMENSION).map(|_| numbers.next()).collect();
    let mut vectors = Vec::with_capacity(ROWS * DIMENSION);
    for row in 0..ROWS {
        let start = row * 7919 % CENTRES * DIMENSION;
        let mut vector: Vec<f32> = centres[start..start + DIMENSION].iter().map(|c| c + 0.6 * numbers.next()).collect();
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|x| *x /= length);
        vectors.extend(vector);
    }
    vectors
}

fn uuid(row: usize) -> String {
    format!("{row:032x}")
}

async fn make(database: &Arc<Database>, vectors: &[f32]) {
    let item = Arc::new(Field::new("item", DataType::Float32, true));
    let list = FixedSizeListArray::new(item, DIMENSION as i32, Arc::new(Float32Array::from(vectors.to_vec())), None);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("uuid", Arc::new(StringArray::from_iter_values((0..ROWS).map(uuid)))),
        ("share", Arc::new(Int32Array::from_iter_values((0..ROWS).map(|row| (row * 37 % 1000) as i32)))),
        ("v", Arc::new(list)),
    ];
    let fields: Vec<Field> = columns.iter().map(|(n, c)| Field::new(*n, c.data_type().clone(), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(schema.clone(), columns.into_iter().map(|(_, c)| c).collect()).unwrap();
    let rows = Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter([Ok(batch)])));
    database.create_table("people", rows, CreateTable::new(Shape::AsQueried)).await.unwrap();
}

async fn rows(engine: &Engine, sql: &str) -> Vec<String> {
    let mut found = vec![];
    for statement in engine.parse(sql).unwrap() {
        let batches: Vec<_> = engine.run(statement).await.unwrap().try_collect().await.unwrap();
        for batch in batches {
            if let Some(texts) = batch.column(0).as_string_opt::<i32>() {
                found.extend(texts.iter().flatten().map(String::from));
            }
        }
    }
    found
}

/// The nearest of the rows that a filter keeps, one by one.
fn exactly(vectors: &[f32], asked: usize, keep: usize, k: usize) -> Vec<String> {
    let vector = |row: usize| &vectors[row * DIMENSION..(row + 1) * DIMENSION];
    let near = |row: usize| vector(asked).iter().zip(vector(row)).map(|(a, b)| a * b).sum::<f32>();
    let kept = (0..ROWS).filter(|row| *row != asked && row * 37 % 1000 < keep);
    let mut scored: Vec<(usize, f32)> = kept.map(|row| (row, near(row))).collect();
    scored.sort_unstable_by(|a, b| b.1.total_cmp(&a.1));
    scored.truncate(k);
    scored.into_iter().map(|(row, _)| uuid(row)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_finds_what_exact_search_does_under_filters() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open(directory.path(), EmbedderChoice::named(Some("hash".into()))).unwrap();
    let vectors = vectors();
    make(&database, &vectors).await;
    let engine = Engine::new(database, Options::default()).unwrap();
    let recall = async |keep: usize, k: usize| {
        let mut hits = 0;
        for asked in (0..ASKED).map(|i| i * 3989 % ROWS) {
            let (this, filter) = (uuid(asked), format!("share < {keep}"));
            let sql =
                format!("SELECT uuid FROM similar_to(people, '{this}', {k}, \"column\" => 'v', \"where\" => {filter})");
            let found = rows(&engine, &sql).await;
            assert_eq!(found.len(), k, "{filter}");
            let exact = exactly(&vectors, asked, keep, k);
            hits += found.iter().filter(|f| exact.contains(f)).count();
        }
        hits as f64 / (ASKED * k) as f64
    };
    assert_eq!(recall(100, NEAREST).await, 1.0, "without an index");
    let started = Instant::now();
    rows(&engine, "CREATE INDEX ON people USING vector (v)").await;
    eprintln!("indexed in {:?}", started.elapsed());
    let detail = rows(&engine, "SELECT detail FROM populace.indexes WHERE kind = 'vector'").await;
    assert!(detail[0].contains("recall@10"), "{detail:?}");
    // More than ten, too, which the index was not measured with.
    for (keep, k) in [(1000, NEAREST), (1000, 100), (500, NEAREST), (100, NEAREST), (10, NEAREST), (1, NEAREST)] {
        let found = recall(keep, k).await;
        eprintln!("{k} nearest of {keep} in 1000 rows: recall {found:.3}; {detail:?}");
        assert!(found >= 0.95, "{k} nearest of {keep} in 1000 rows: recall {found}; {detail:?}");
    }
    // Rows that are not in the index yet are searched too.
    rows(&engine, "INSERT INTO people SELECT 'new', 0, v FROM people WHERE uuid = '00000000000000000000000000000005'")
        .await;
    let sql = "SELECT uuid FROM similar_to(people, '00000000000000000000000000000005', 1, \"column\" => 'v')";
    assert_eq!(rows(&engine, sql).await, ["new"]);
    rows(&engine, "DROP INDEX v_vector").await;
    assert_eq!(rows(&engine, "SELECT index_name FROM populace.indexes").await, [""; 0]);
    assert_eq!(rows(&engine, sql).await, ["new"]);
}

#[test]
fn a_half_built_index_does_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    let on = directory.path();
    let sql = |sql: &str| ran_on(on, &["sql", "--format", "csv", sql]);
    let (code, _, error) = sql("CREATE TABLE usa AS SELECT * FROM generate_persona('usa', 3000, seed => 1)");
    assert_eq!(code, 0, "{error}");
    let found = "SELECT uuid FROM text_search(usa, 'plays guitar', 3000)";
    let before = sql(found);
    assert_eq!(before.0, 0, "{}", before.2);
    // Killed as soon as files of the index are there, before the commit that would name them.
    let indices = one_table(on).join("_indices");
    let mut child = populace(on).args(["index", "usa", "--text", "persona"]).spawn().unwrap();
    let patience = Instant::now();
    while !indices.exists() && child.try_wait().unwrap().is_none() {
        assert!(patience.elapsed() < Duration::from_secs(120), "no index begun");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(indices.exists());
    // Files of an index that no version names, whatever the moment of the kill was.
    let orphan = indices.join("01234567-89ab-cdef-0123-456789abcdef");
    std::fs::create_dir_all(&orphan).unwrap();
    std::fs::write(orphan.join("tokens.lance"), b"half").unwrap();
    let (code, state, error) = sql("SELECT index_name FROM populace.indexes WHERE rows_indexed < 3000");
    assert_eq!((code, state.lines().count()), (0, 1), "{state}{error}");
    let killed = sql(found);
    assert_eq!(sorted(&killed.1), sorted(&before.1), "{}", killed.2);
    // Made again, unless it was done before the kill.
    let (_, _, error) = ran_on(on, &["index", "usa", "--text", "persona"]);
    assert!(error.is_empty() || error.contains("such an index already"), "{error}");
    let (code, state, _) = sql("SELECT index_name, rows_indexed FROM populace.indexes");
    assert_eq!((code, state.lines().last()), (0, Some("persona_text,3000")));
    assert_eq!(sorted(&sql(found).1), sorted(&before.1));
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

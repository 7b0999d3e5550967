//! What embedding takes: a run that draws, writes, embeds and stores people, and the model alone with the same texts.
//! `cargo bench --bench embedding`; ONNX Runtime does the work, so that `--profile dev` says nearly as much.

use std::time::Instant;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use futures::TryStreamExt;
use populace::catalog::{Run, Work};
use populace::database::{Database, EmbedderChoice};
use populace::engine::{Engine, Options};
use populace::{embedders, runs};
use populace_udfs::Purpose;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let model = match embedders::open(None, None) {
        Ok(model) => model,
        Err(error) if std::env::var_os("POPULACE_REQUIRE_MODELS").is_some() => panic!("{error}"),
        Err(error) => return eprintln!("SKIPPED, no embedding model: {error}"),
    };
    // `cargo test` runs this too, to see that it works.
    let people = if std::env::args().any(|a| a == "--bench") { 200 } else { 4 };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(folder.path(), EmbedderChoice::named(None)).unwrap();
    let engine = Engine::new(database, Options::default()).unwrap();
    let pack = runs::pack_id("usa").unwrap();
    let generate = |table: &str, seed, count| {
        let work = Work::Generate { country: "usa".into(), pack: pack.clone(), seed, given: None, count };
        let run = Run::new(work, table, "outline", true);
        assert_eq!(runtime.block_on(runs::run(&engine, &run, None, |_| ())).unwrap(), count);
    };
    // Loads the model, on all cores.
    generate("before", 1, 4);
    let (started, cpu) = (Instant::now(), cpu_seconds());
    generate("people", 42, people);
    let run = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let texts = runtime.block_on(texts(&engine, "people"));
    let embed = |texts: &[String]| runtime.block_on(model.embed(texts.to_vec(), Purpose::Passage)).unwrap();
    embed(&texts[..texts.len().min(40)]);
    let (started, cpu) = (Instant::now(), cpu_seconds());
    embed(&texts);
    let alone = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    println!("| {} texts | seconds | CPU seconds | texts/s |\n|---|---|---|---|", texts.len());
    for (what, (seconds, cpu)) in [("a run", run), ("the model alone", alone)] {
        println!("| {what} | {seconds:.1} | {cpu:.1} | {:.1} |", texts.len() as f64 / seconds);
    }
}

/// The different texts of a table that have vectors.
async fn texts(engine: &Engine, table: &str) -> Vec<String> {
    let rows = engine.query_one(&format!("SELECT * FROM {table}")).await.unwrap();
    let rows: Vec<_> = rows.try_collect().await.unwrap();
    let mut texts = vec![];
    for batch in rows {
        for field in batch.schema().fields() {
            let Some(narrative) = field.name().strip_suffix("_embedding") else { continue };
            let column = batch.column_by_name(narrative).unwrap();
            let column = cast(column, &DataType::Utf8).unwrap();
            texts.extend(column.as_string::<i32>().iter().flatten().map(String::from));
        }
    }
    texts.sort();
    texts.dedup();
    texts
}

/// Of this process, on all cores; 0 where the system does not say.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = after.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok()).sum();
    ticks / 100.0
}

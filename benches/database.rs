//! Tables: writing people, counting them, searching them by meaning. `cargo bench --bench database`

use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures::TryStreamExt;
use populace::database::{Database, EmbedderChoice};
use populace::engine::{Engine, Options};
use tokio::runtime::Runtime;

const PEOPLE: u64 = 200_000;
const SEARCHED: u64 = 20_000;

struct Session {
    engine: Engine,
    runtime: Runtime,
    _folder: tempfile::TempDir,
}

impl Session {
    fn new() -> Session {
        let folder = tempfile::tempdir().unwrap();
        let database: Arc<Database> =
            Database::open(folder.path(), EmbedderChoice::named(Some("hash".into()))).unwrap();
        let runtime = Runtime::new().unwrap();
        Session { engine: Engine::new(database, Options::default()).unwrap(), runtime, _folder: folder }
    }

    fn run(&self, sql: &str) -> usize {
        self.runtime.block_on(async {
            let mut rows = 0;
            for statement in self.engine.parse(sql).unwrap() {
                let batches: Vec<_> = self.engine.run(statement).await.unwrap().try_collect().await.unwrap();
                rows += batches.iter().map(|b| b.num_rows()).sum::<usize>();
            }
            rows
        })
    }
}

fn write(c: &mut Criterion) {
    let session = Session::new();
    let mut group = c.benchmark_group("tables");
    group.throughput(Throughput::Elements(PEOPLE)).sample_size(10);
    group.bench_function("draw people and write them", |b| {
        b.iter(|| {
            session.run(&format!(
                "CREATE OR REPLACE TABLE people AS SELECT * FROM sample_persona('usa', {PEOPLE}, seed => 1)"
            ))
        })
    });
    group.finish();
}

fn read(c: &mut Criterion) {
    let session = Session::new();
    session.run(&format!("CREATE TABLE people AS SELECT * FROM sample_persona('usa', {PEOPLE}, seed => 1)"));
    let texts =
        format!("SELECT *, generate_narrative('persona') AS persona FROM sample_persona('usa', {SEARCHED}, seed => 2)");
    session.run(&format!("CREATE TABLE texts AS {texts}"));
    let mut group = c.benchmark_group("questions");
    group.sample_size(20);
    for (name, sql) in [
        ("SELECT 1", "SELECT 1"),
        ("filtered aggregate", "SELECT state, count(*), avg(age) FROM people WHERE age > 65 GROUP BY state"),
        (
            "search, half of the people",
            "SELECT uuid, score FROM semantic_search(texts, 'a retired nurse', 10, \"where\" => age > 47)",
        ),
        (
            "search, one in a hundred",
            "SELECT uuid, score FROM semantic_search(texts, 'a retired nurse', 10, \"where\" => age = 33)",
        ),
    ] {
        group.bench_function(name, |b| b.iter(|| session.run(sql)));
    }
    group.finish();
}

criterion_group!(benches, write, read);
criterion_main!(benches);

//! Who is drawn: some people of every country, with all that they are. Whatever changes them is seen here, and meant.
//! `POPULACE_PIN=1 cargo test -p populace-population --test people` writes them down anew.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use populace_population::{Comparison, Pack, Predicate, Sampler, Value, equals};

const COUNTRIES: [&str; 5] = ["brazil", "india", "japan", "singapore", "usa"];

/// A value as text; `-` for NULL.
fn text(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return "-".into();
    }
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row).to_string(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row).to_string(),
        DataType::Dictionary(..) => {
            let dictionary = column.as_dictionary::<Int32Type>();
            text(dictionary.values(), dictionary.keys().value(row) as usize)
        }
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            (0..items.len()).map(|item| text(&items, item)).collect::<Vec<_>>().join(" + ")
        }
        other => panic!("{other} is written nowhere here"),
    }
}

fn write(people: &RecordBatch, into: &mut String) {
    for row in 0..people.num_rows() {
        for (field, column) in people.schema().fields().iter().zip(people.columns()) {
            writeln!(into, "{}: {}", field.name(), text(column, row)).unwrap();
        }
        into.push('\n');
    }
}

/// Five people, and three women or men of 65 and over, by what the pack calls the last of its sexes.
fn people(pack: &Arc<Pack>, into: &mut String) {
    write(&Sampler::new(pack.clone(), 1).draw(0..5, None).unwrap(), into);
    let sex = pack.variable("sex").unwrap();
    let old = Predicate::Compare { variable: "age".into(), op: Comparison::GtEq, value: Value::Integer(65) };
    let given = Predicate::And(vec![old, equals("sex", &sex.label(sex.len() - 1))]);
    writeln!(into, "# given {given}\n").unwrap();
    write(&Sampler::given(pack.clone(), 1, &given).unwrap().draw(0..3, None).unwrap(), into);
}

#[test]
fn people_are_who_they_were() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let golden = root.join("tests/golden/people.txt");
    let mut now = String::new();
    for country in COUNTRIES {
        let pack = Pack::open(&root.join(format!("../datasets/{country}/{country}.pack"))).unwrap();
        writeln!(now, "# {}, edition {}\n", pack.id(), pack.edition()).unwrap();
        people(&pack, &mut now);
    }
    if std::env::var("POPULACE_PIN").is_ok_and(|pin| pin == "1") {
        std::fs::write(&golden, now).unwrap();
        return;
    }
    let before = std::fs::read_to_string(&golden).expect("tests/golden/people.txt: POPULACE_PIN=1 writes it");
    for (line, (was, is)) in before.lines().zip(now.lines()).enumerate() {
        assert_eq!(was, is, "people.txt:{}: somebody is another; if that is meant, POPULACE_PIN=1 writes it", line + 1);
    }
    assert_eq!(before.lines().count(), now.lines().count());
}

//! No stairs: figures tell of people by bands of age, and nobody becomes another on the birthday that begins a band. For every
//! fact of every country, the share of each of its levels at each year of age, exactly; a step from a year to the next that is
//! far beyond those beside it fails, unless it is known why it is there.

use std::collections::BTreeSet;
use std::path::Path;

use populace_population::{Analysis, Levels, Pack};

const COUNTRIES: [&str; 5] = ["brazil", "india", "japan", "singapore", "usa"];

/// The least step that can be seen, as a share of the people of an age.
const SEEN: f64 = 0.05;
/// How often it may be as large as the mean of those beside it.
const TIMES: f64 = 3.0;
/// How many years on either side are beside it.
const BESIDE: usize = 4;
/// Fewer people of an age than this share of all are nobody's stairs.
const FEW: f64 = 1e-3;
/// Variables of more levels are told by their share of the largest alone; a name's or a town's is never that large.
const MOST_LEVELS: usize = 200;

/// Steps that are real, or that are known to be left: country, variable, the ages at which they are, and why.
const KNOWN: &[(&str, &str, &[i32], &str)] = &[
    ("brazil", "education_detail", &[19, 23, 25], SCHOOL),
    ("brazil", "education_level", &[19, 23, 25], SCHOOL),
    (
        "brazil",
        "conjugal_status",
        &[20],
        "at 18 and 19 the bands of the census begin: nothing is known of 17 to smooth from",
    ),
    (
        "brazil",
        "living_arrangement",
        &[20],
        "at 18 and 19 the bands of the census begin: nothing is known of 17 to smooth from",
    ),
    ("india", "education_level", &[20], SCHOOL),
    ("india", "education_level", &[60], HEAPING),
    ("india", "marital_status", &[60, 70], HEAPING),
    ("india", "marital_status", &[80], OLDEST),
    ("india", "number_of_languages", &[70], BANDS),
    ("india", "second_language", &[70], BANDS),
    ("india", "labour_status", &[20], SCHOOL),
    ("india", "worker_category", &[60], "who is employed at 60 retires from offices: bands of the occupation"),
    ("india", "internet_use", &[20, 25], SCHOOL),
    ("india", "mobile_phone", &[75], HEAPING),
    ("japan", "education_level", &[19, 20, 21, 22, 23], SCHOOL),
    ("japan", "enrolment", &[19, 22], SCHOOL),
    ("japan", "employment_type", &[19], SCHOOL),
    ("japan", "household_type", &[20], SCHOOL),
    ("japan", "household_size", &[20], SCHOOL),
    ("japan", "household_type", &[65, 93], "what is lived in is told apart at 65; at 93 the last class begins"),
    ("japan", "household_size", &[93], "at 93 the last class of what is lived in begins"),
    ("japan", "occupation_group", &[25], BANDS),
    ("singapore", "education_level", &[19, 20], SCHOOL),
    ("singapore", "dwelling_type", &[65], BANDS),
    ("singapore", "language_at_home", &[25, 55, 65], BANDS),
    ("singapore", "second_language_at_home", &[25], BANDS),
    ("singapore", "labour_status", &[25], SCHOOL),
    ("singapore", "occupation_group", &[22, 25], SCHOOL),
    ("singapore", "industry", &[25], SCHOOL),
    ("singapore", "employment_status", &[25], SCHOOL),
    ("singapore", "monthly_income", &[25], SCHOOL),
    ("singapore", "monthly_income", &[28, 65], BANDS),
    ("singapore", "transport_to_work", &[19, 25], SCHOOL),
    ("singapore", "transport_to_work", &[30], BANDS),
    (
        "singapore",
        "national_service",
        &[21, 22, 40, 50, 76],
        "the law: two years of service, reserve to 40, officers' to 50",
    ),
    ("singapore", "name_order", &[60], "names are of generations"),
    ("usa", "education_level", &[19, 22], SCHOOL),
    ("usa", "bachelors_field", &[22], SCHOOL),
    ("usa", "occupation_group", &[25], BANDS),
];

/// Schools, colleges and what they make of work and homes have years of their own.
const SCHOOL: &str = "years of school, college and service, which begin and end on a date";
/// People who do not know their age say a round one.
const HEAPING: &str = "ages are heaped: those who do not read say a round one";
/// Of the oldest there is one band, of whatever age.
const OLDEST: &str = "the oldest are told of in one band";
/// Of some tables there is no room for narrower bands.
const BANDS: &str = "told by a few bands of age: the table is too wide for narrower ones";

/// A step that is far beyond those beside it.
struct Step {
    age: i32,
    level: String,
    by: f64,
    beside: f64,
}

fn steps(pack: &Pack, variable: &str) -> Option<Vec<Step>> {
    let age = pack.variable("age").unwrap();
    let Levels::Integer { min, .. } = age.levels else { panic!("age is of integers") };
    let of = pack.variable(variable).unwrap();
    let (ages, levels): (Vec<u16>, Vec<u16>) = ((0..age.len() as u16).collect(), (0..of.len() as u16).collect());
    let joint = Analysis::of(pack).joint(&[("age", &ages), (variable, &levels)]).ok()?;
    let rows: Vec<&[f64]> = joint.chunks_exact(of.len()).collect();
    let mut found = vec![];
    for level in 0..of.len() {
        let share = |at: usize| {
            let all: f64 = rows[at].iter().sum();
            (all > FEW).then(|| rows[at][level] / all)
        };
        let step = |at: usize| Some((share(at)? - share(at.checked_sub(1)?)?).abs());
        for at in 1..rows.len() {
            let Some(by) = step(at).filter(|by| *by > SEEN) else { continue };
            let around =
                (at.saturating_sub(BESIDE).max(1)..(at + BESIDE + 1).min(rows.len())).filter(|other| *other != at);
            let around: Vec<f64> = around.filter_map(step).collect();
            let beside = around.iter().sum::<f64>() / around.len().max(1) as f64;
            if by > TIMES * beside {
                found.push(Step { age: min + at as i32, level: of.label(level), by, beside });
            }
        }
    }
    Some(found)
}

#[test]
fn facts_change_with_age_without_stairs() {
    let (mut wrong, mut needed, mut known_steps) = (vec![], BTreeSet::new(), 0);
    for country in COUNTRIES {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets");
        let folder = std::env::var("POPULACE_PACKS").map_or(root, Into::into);
        let pack = Pack::open(&folder.join(format!("{country}/{country}.pack"))).unwrap();
        let shown = pack.variables().iter().filter(|v| !v.hidden && v.name != "age" && v.len() <= MOST_LEVELS);
        for variable in shown {
            let Some(steps) = steps(&pack, &variable.name) else {
                println!("{country}, {}: tied to more than memory has room for", variable.name);
                continue;
            };
            for Step { age, level, by, beside } in steps {
                let known = KNOWN
                    .iter()
                    .position(|(c, v, ages, _)| *c == country && *v == variable.name && ages.contains(&age));
                match known {
                    Some(at) => {
                        needed.insert(at);
                        known_steps += 1;
                    }
                    None => wrong.push(format!(
                        "{country}, {} = {level} at {age}: a step of {by:.3}, beside it {beside:.3}",
                        variable.name
                    )),
                }
            }
        }
    }
    println!("{known_steps} steps are known");
    assert!(wrong.is_empty(), "{} stairs:\n{}", wrong.len(), wrong.join("\n"));
    let idle: Vec<_> =
        KNOWN.iter().enumerate().filter(|(at, _)| !needed.contains(at)).map(|(_, known)| known).collect();
    assert!(idle.is_empty(), "known steps that are no more: {idle:?}");
}

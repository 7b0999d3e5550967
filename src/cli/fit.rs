//! Tables on a terminal: as wide as it is, with columns left out and texts cut where they are more; or a column a line.

use std::env;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float32Type, Float64Type, SchemaRef};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How rows are shown on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expanded {
    /// A row a line
    Off,
    /// A column a line
    On,
    /// A column a line where not all columns fit
    Auto,
}

/// Columns that are shown get at least so many letters, or as many as they need.
const LEAST: usize = 12;

/// Longer ones are texts. Of several, the longest are left out before other columns are.
const TEXT: usize = 40;

/// Digits of a double on a terminal; those before its point are all there.
const DIGITS: i32 = 6;

/// The columns of the terminal: `COLUMNS`, or what it says itself, or 80.
pub(super) fn terminal_width() -> usize {
    let told = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let own = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    told.or_else(own).filter(|width| *width > 0).unwrap_or(80)
}

/// The rows as a terminal of this width shows them, and how many of the columns they have; those that are `kept` are left
/// out last.
///
/// # Errors
/// If a value cannot be shown.
pub(super) fn fitted(
    schema: &SchemaRef,
    rows: &[RecordBatch],
    width: usize,
    (expanded, kept): (Expanded, &[String]),
) -> Result<(String, usize), ArrowError> {
    // Of vectors people read nothing: they are shown where nothing else was asked for.
    let vector = |kind: &DataType| matches!(kind, DataType::FixedSizeList(..));
    let fields = schema.fields();
    // Plans have lines of their own, which are read whole.
    if fields.len() == 2 && fields[0].name() == "plan_type" {
        let (kinds, plans) = (texts(rows, 0)?, texts(rows, 1)?);
        let plan = |(kind, plan): (String, String)| format!("{kind}\n{}\n", plan.trim_end());
        return Ok((kinds.into_iter().zip(plans).map(plan).collect(), 2));
    }
    let mut columns: Vec<usize> = (0..fields.len()).filter(|at| !vector(fields[*at].data_type())).collect();
    if columns.is_empty() {
        columns = (0..fields.len()).collect();
    }
    let names: Vec<String> = columns.iter().map(|at| readable(fields[*at].name())).collect();
    let cells = columns.iter().map(|at| texts(rows, *at)).collect::<Result<Vec<Vec<String>>, _>>()?;
    let longest = |(name, cells): (&String, &Vec<String>)| {
        cells.iter().map(|cell| line(cell).width()).chain([name.width()]).max().unwrap_or(0)
    };
    let natural: Vec<usize> = names.iter().zip(&cells).map(longest).collect();
    let is_kept = |at: usize| kept.contains(fields[columns[at]].name());
    let shown = fitting(&natural, width, is_kept);
    if expanded == Expanded::On || expanded == Expanded::Auto && shown.len() < names.len() {
        return Ok((lines(&names, &cells, width), names.len()));
    }
    let widths = widths(&shown.iter().map(|at| natural[*at]).collect::<Vec<_>>(), width);
    let right: Vec<bool> = shown.iter().map(|at| fields[columns[*at]].data_type().is_numeric()).collect();
    let rule = widths.iter().map(|width| "-".repeat(width + 2)).collect::<Vec<_>>().join("+");
    let rule = format!("+{rule}+\n");
    let row = |cell: &dyn Fn(usize) -> String, right: &dyn Fn(usize) -> bool| {
        let padded = widths.iter().enumerate().map(|(at, width)| pad(&cut(&cell(at), *width), *width, right(at)));
        format!("| {} |\n", padded.collect::<Vec<_>>().join(" | "))
    };
    let mut text = rule.clone() + &row(&|at| names[shown[at]].clone(), &|_| false) + &rule;
    let rows = 0..cells.first().map_or(0, Vec::len);
    text.extend(rows.map(|at| row(&|column| line(&cells[shown[column]][at]), &|column| right[column])));
    Ok((text + &rule, widths.len()))
}

/// What columns of these widths take that have at most so many letters: each has a bar and two spaces, and the last a
/// further bar.
fn taken(widths: impl Iterator<Item = usize>, most: usize) -> usize {
    widths.map(|width| width.min(most) + 3).sum::<usize>() + 1
}

/// The columns that fit: the first ones and those that are kept, with one text at most unless all fit. At least one.
fn fitting(natural: &[usize], width: usize, is_kept: impl Fn(usize) -> bool) -> Vec<usize> {
    let mut shown: Vec<usize> = (0..natural.len()).collect();
    while shown.len() > 1 && taken(shown.iter().map(|at| natural[*at]), LEAST) > width {
        let texts = shown.iter().enumerate().filter(|(_, at)| natural[**at] > TEXT);
        let others = texts.clone().filter(|(_, at)| !is_kept(**at));
        let longest = others.max_by_key(|(_, at)| natural[**at]).filter(|_| texts.count() > 1);
        let last = || shown.iter().rposition(|at| !is_kept(*at)).unwrap_or(shown.len() - 1);
        shown.remove(longest.map_or_else(last, |(place, _)| place));
    }
    shown
}

/// The widths of columns, the widest of them cut.
fn widths(natural: &[usize], width: usize) -> Vec<usize> {
    let widest = natural.iter().copied().max().unwrap_or(0);
    let most = (1..=widest).rev().find(|most| taken(natural.iter().copied(), *most) <= width).unwrap_or(1);
    natural.iter().map(|w| *w.min(&most)).collect()
}

/// A column a line, with texts whole.
fn lines(names: &[String], cells: &[Vec<String>], width: usize) -> String {
    let longest = names.iter().map(|name| name.width()).max().unwrap_or(0);
    let mut text = String::new();
    for at in 0..cells.first().map_or(0, Vec::len) {
        let head = format!("-[ {} ]", at + 1);
        text += &format!("{head}{}\n", "-".repeat(width.saturating_sub(head.len()).min(60)));
        for (name, cells) in names.iter().zip(cells) {
            text += &format!("{} | {}\n", pad(name, longest, false), cells[at]);
        }
    }
    text
}

/// The values of a column.
fn texts(rows: &[RecordBatch], at: usize) -> Result<Vec<String>, ArrowError> {
    let options = FormatOptions::default().with_display_error(true).with_null("NULL");
    let mut texts = vec![];
    for batch in rows {
        let column = batch.column(at);
        let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
        let text = |row: usize| match column.data_type() {
            _ if column.is_null(row) => "NULL".into(),
            DataType::Float64 => rounded(column.as_primitive::<Float64Type>().value(row)),
            DataType::Float32 => rounded(column.as_primitive::<Float32Type>().value(row).into()),
            DataType::FixedSizeList(_, length) => format!("[{length} numbers]"),
            _ => formatter.value(row).to_string(),
        };
        texts.extend((0..column.len()).map(text));
    }
    Ok(texts)
}

/// A double by its first digits, and all those before its point.
fn rounded(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return format!("{number:?}");
    }
    let before = number.abs().log10().floor() as i32 + 1;
    if !(-4..=15).contains(&before) {
        let text = format!("{number:.*e}", DIGITS as usize - 1);
        return match text.split_once('e') {
            Some((digits, power)) if digits.contains('.') => {
                format!("{}e{power}", digits.trim_end_matches('0').trim_end_matches('.'))
            }
            _ => text,
        };
    }
    let decimals = (DIGITS - before).max(0) as usize;
    let text = format!("{number:.decimals$}");
    match text.contains('.') {
        true => {
            let text = text.trim_end_matches('0');
            format!("{text}{}", if text.ends_with('.') { "0" } else { "" })
        }
        false => text,
    }
}

/// The name of a column without the types that constants have in it: `Int64(1)` is 1, `Utf8("a")` is "a".
fn readable(name: &str) -> String {
    let mut text = name.to_string();
    for kind in ["Int64(", "Float64(", "Boolean(", "Utf8("] {
        let mut from = 0;
        while let Some(start) = text[from..].find(kind).map(|at| at + from) {
            let word = text[..start].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
            let Some(end) = text[start..].find(')').map(|at| at + start).filter(|_| !word) else {
                from = start + kind.len();
                continue;
            };
            text = format!("{}{}{}", &text[..start], &text[start + kind.len()..end], &text[end + 1..]);
            from = start;
        }
    }
    text
}

/// A text in one line.
fn line(text: &str) -> String {
    text.replace(['\n', '\r', '\t'], " ")
}

/// As much of a text as fits, with … where it goes on.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.into();
    }
    let (mut kept, mut taken) = (String::new(), 1);
    for letter in text.chars() {
        taken += letter.width().unwrap_or(0);
        if taken > width {
            break;
        }
        kept.push(letter);
    }
    kept + "…"
}

fn pad(text: &str, width: usize, right: bool) -> String {
    let space = " ".repeat(width.saturating_sub(text.width()));
    if right { space + text } else { format!("{text}{space}") }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, FixedSizeListArray, Float64Array, StringArray};

    use super::*;

    fn people() -> RecordBatch {
        let text = |text: &str| Arc::new(StringArray::from(vec![Some(text), None])) as ArrayRef;
        let vector = FixedSizeListArray::from_iter_primitive::<Float64Type, _, _>(
            [Some([Some(1.0), Some(2.0)]), Some([Some(3.0), Some(4.0)])],
            2,
        );
        let columns: Vec<(String, ArrayRef)> = (0..20)
            .map(|at| (format!("c{at}"), text("庭いじりが好きな退職した教師で、\n毎朝散歩をする")))
            .chain([("v".to_string(), Arc::new(vector) as ArrayRef)])
            .collect();
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn tables_are_as_wide_as_the_terminal() {
        let rows = people();
        for width in [20, 80, 113] {
            let (text, shown) =
                fitted(&rows.schema(), std::slice::from_ref(&rows), width, (Expanded::Off, &[])).unwrap();
            assert!((1..20).contains(&shown), "{shown}");
            assert!(text.lines().all(|line| line.width() <= width), "{text}");
            assert!(text.contains('…') && text.contains("NULL") && !text.contains("numbers"), "{text}");
            assert_eq!(text.lines().count(), 6, "{text}");
        }
        let (text, shown) = fitted(&rows.schema(), std::slice::from_ref(&rows), 10_000, (Expanded::Auto, &[])).unwrap();
        // The vector is left out: it may be asked for alone.
        assert_eq!(shown, 20);
        assert!(text.starts_with("+--") && !text.contains('…'), "{text}");
        let (text, _) = fitted(&rows.schema(), std::slice::from_ref(&rows), 80, (Expanded::Auto, &[])).unwrap();
        assert!(text.starts_with("-[ 1 ]"), "{text}");
        let vector = rows.project(&[20]).unwrap();
        assert!(
            fitted(&vector.schema(), std::slice::from_ref(&vector), 80, (Expanded::Off, &[]))
                .unwrap()
                .0
                .contains("[2 numbers]")
        );
    }

    #[test]
    fn facts_are_shown_before_texts_and_plans_whole() {
        let text = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
        let long = |times| text(&"She keeps bees. ".repeat(times));
        let columns = [("uuid", text("a")), ("travel", long(9)), ("persona", long(4)), ("food", long(8))];
        let facts = ["name", "age", "state", "work"].map(|name| (name, text("some value")));
        let rows = RecordBatch::try_from_iter(columns.into_iter().chain(facts)).unwrap();
        let head = |width| {
            let (text, _) = fitted(&rows.schema(), std::slice::from_ref(&rows), width, (Expanded::Off, &[])).unwrap();
            let names = text.lines().nth(1).unwrap().split('|').map(|name| name.trim().to_string());
            names.filter(|name| !name.is_empty()).collect::<Vec<_>>()
        };
        assert_eq!(head(80), ["uuid", "persona", "name", "age", "state", "work"]);
        assert_eq!(head(60), ["uuid", "persona", "name", "age"]);
        assert_eq!(head(400).len(), 8);
        let plan = [("plan_type", text("physical_plan")), ("plan", text("SortExec\n  SamplePersonaExec: rows=5\n"))];
        let plan = RecordBatch::try_from_iter(plan).unwrap();
        let (text, _) = fitted(&plan.schema(), std::slice::from_ref(&plan), 20, (Expanded::Off, &[])).unwrap();
        assert_eq!(text, "physical_plan\nSortExec\n  SamplePersonaExec: rows=5\n");
    }

    #[test]
    fn what_a_search_is_about_is_kept() {
        let text = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
        let facts = ["uuid", "first_name", "last_name", "age", "city", "state", "occupation"];
        let facts = facts.map(|name| (name, text("some longer value")));
        let score = ("score", Arc::new(Float64Array::from(vec![2.345678])) as ArrayRef);
        let last = [("persona", text(&"She keeps bees. ".repeat(20))), score, ("fact", text("hobbies: keeping bees"))];
        let rows = RecordBatch::try_from_iter(facts.into_iter().chain(last)).unwrap();
        let kept = ["first_name", "persona", "score", "fact"].map(String::from);
        for width in [50, 80, 120] {
            let (text, shown) =
                fitted(&rows.schema(), std::slice::from_ref(&rows), width, (Expanded::Off, &kept)).unwrap();
            let head = text.lines().nth(1).unwrap();
            assert!(kept.iter().all(|name| width < 60 || head.contains(name.as_str())), "{text}");
            assert!(text.contains("2.34568") && shown < 10, "{text}");
            assert!(text.lines().all(|line| line.width() <= width), "{text}");
        }
    }

    #[test]
    fn expanded_rows_have_a_line_a_column_and_whole_texts() {
        let rows = people();
        let (text, shown) = fitted(&rows.schema(), std::slice::from_ref(&rows), 40, (Expanded::On, &[])).unwrap();
        assert_eq!(shown, 20);
        assert!(text.contains("c19 | 庭いじりが好きな退職した教師で、\n毎朝散歩をする\n"), "{text}");
        assert!(text.contains("-[ 2 ]") && text.contains("c0  | NULL"), "{text}");
    }

    #[test]
    fn doubles_have_the_digits_that_people_read() {
        for (number, text) in [
            (0.5101280049191407, "0.510128"),
            (5.0, "5.0"),
            (-7.904490866074647, "-7.90449"),
            (267_000_123.75, "267000124"),
            (1234.5, "1234.5"),
            (0.000123456789, "0.000123457"),
            (3e-9, "3e-9"),
            (1.23456789e20, "1.23457e20"),
            (f64::INFINITY, "inf"),
            (0.0, "0.0"),
        ] {
            assert_eq!(rounded(number), text);
        }
        let numbers = RecordBatch::try_from_iter([("x", Arc::new(Float64Array::from(vec![1.0 / 3.0])) as ArrayRef)]);
        let numbers = numbers.unwrap();
        let (text, _) = fitted(&numbers.schema(), std::slice::from_ref(&numbers), 80, (Expanded::Off, &[])).unwrap();
        assert!(text.contains("| 0.333333 |"), "{text}");
    }

    #[test]
    fn names_of_columns_are_without_the_types_of_constants() {
        assert_eq!(readable("Int64(1)"), "1");
        assert_eq!(
            readable("CASE WHEN sex = Utf8(\"Female\") THEN Float64(1) END"),
            "CASE WHEN sex = \"Female\" THEN 1 END"
        );
        assert_eq!(readable("myInt64(x)"), "myInt64(x)");
        assert_eq!(readable("Int64("), "Int64(");
    }
}

//! Reading figures: tidy CSV tables whose cells are checked one by one.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use super::manifest::{FigureSection, GroupingSection};
use super::places::{csv_error, source};
use crate::error::{Error, Result, did_you_mean};
use crate::model::partition::Partition;
use crate::model::variable::Variable;

/// A coarser view of a variable: labels, and the label of each level.
#[derive(Debug, Clone)]
pub(super) struct Grouping {
    pub variable: usize,
    pub labels: Vec<String>,
    pub label_of: Vec<Option<u16>>,
}

/// The figures' own columns: a variable, the labels that occur, and the label of each level.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub name: String,
    pub variable: usize,
    /// Whether its labels are those of a grouping.
    pub grouped: bool,
    pub labels: Vec<String>,
    pub label_of: Vec<Option<u16>>,
}

/// A figure as read: one value for each cell that it has.
#[derive(Debug, Clone)]
pub(super) struct Figure {
    pub name: String,
    pub measure: String,
    pub columns: Vec<Column>,
    pub codes: Vec<Vec<u16>>,
    pub values: Vec<f64>,
    /// How far the table may be from each cell, in its units; none where it is to be met exactly.
    pub tolerances: Option<Vec<f64>>,
}

/// Bytes that a file of a pack may hold, inflated: some 50 times the largest figure of the packs of `datasets/`.
const BYTES: u64 = 256 << 20;

/// The text of a file of a pack's folder, inflated if its name ends in `.gz`.
///
/// A pack may come from anywhere, so that it does not choose what is opened: a file is named by a path within the
/// folder, and lies there.
///
/// # Errors
/// If the name leads out of the folder, the file cannot be read, holds more than 256 MiB, or is not UTF-8: the first
/// byte that is not, by file, line and place in the line.
pub fn read_text(dir: &Path, file: &str) -> Result<String> {
    let path = inside(dir, file)?;
    let io = |source| Error::Io { path: path.clone(), source };
    let Some(bytes) = bounded(&path, BYTES).map_err(io)? else {
        let most = BYTES >> 20;
        return Err(source(
            file,
            format!("the file holds more than {most} MiB: leave out the cells that no node uses"),
        ));
    };
    String::from_utf8(bytes).map_err(|e| {
        let bad = e.utf8_error().valid_up_to();
        let (good, byte) = (&e.as_bytes()[..bad], e.as_bytes().get(bad).copied().unwrap_or_default());
        let line = good.iter().filter(|b| **b == b'\n').count() + 1;
        let column = bad - good.iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1) + 1;
        let message =
            format!("byte {column} of the line, {byte:#04x}, is not UTF-8 text; save the file in that encoding");
        source(format!("{file}:{line}"), message)
    })
}

/// What a file holds, inflated if its name ends in `.gz`; `None` if that is more than so many bytes.
fn bounded(path: &Path, most: u64) -> std::io::Result<Option<Vec<u8>>> {
    let file = std::fs::File::open(path)?;
    let mut bytes = vec![];
    let read = match path.extension().is_some_and(|e| e == "gz") {
        true => flate2::read::GzDecoder::new(std::io::BufReader::new(file)).take(most + 1).read_to_end(&mut bytes)?,
        false => file.take(most + 1).read_to_end(&mut bytes)?,
    };
    Ok((read as u64 <= most).then_some(bytes))
}

/// The path of a file that a pack names.
///
/// # Errors
/// If it is not within the folder, by its name or by a link.
fn inside(dir: &Path, file: &str) -> Result<PathBuf> {
    let out =
        || source(file, "the file is not in the pack's folder: name one below it, without `..`, and no link out of it");
    if file.is_empty()
        || !Path::new(file).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
    {
        return Err(out());
    }
    let path = dir.join(file);
    match (path.canonicalize(), dir.canonicalize()) {
        (Ok(real), Ok(dir)) if !real.starts_with(&dir) => Err(out()),
        // What is not there is told by whoever opens it.
        _ => Ok(path),
    }
}

/// A row of a level file.
pub(super) struct LevelRow {
    pub level: String,
    /// What one column says of it
    pub value: String,
    pub line: u64,
}

/// One column of a level file, by the value of its column `level`.
pub(super) fn read_levels(dir: &Path, file: &str, column: &str) -> Result<Vec<LevelRow>> {
    let text = read_text(dir, file)?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|e| source(format!("{file}:1"), e.to_string()))?.clone();
    let find = |name: &str| {
        headers.iter().position(|h| h == name).ok_or_else(|| {
            let have = headers.iter().collect::<Vec<_>>().join(", ");
            source(format!("{file}:1"), format!("no column `{name}`; there are {have}"))
        })
    };
    let (level, column) = (find("level")?, find(column)?);
    let (mut rows, mut errors) = (vec![], vec![]);
    for record in reader.records() {
        match record {
            Ok(record) => {
                let line = record.position().map_or(0, csv::Position::line);
                rows.push(LevelRow { level: record[level].into(), value: record[column].into(), line });
            }
            Err(error) => errors.push(csv_error(file, &error)),
        }
    }
    super::gather(errors)?;
    Ok(rows)
}

pub(super) fn grouping(section: &GroupingSection, variables: &[Variable]) -> Result<Grouping> {
    let place = format!("pack.toml, grouping `{}`", section.name);
    let variable =
        crate::model::variable::find(variables, &section.variable).map_err(|e| source(&place, e.to_string()))?;
    let v = &variables[variable];
    let mut grouping = Grouping { variable, labels: vec![], label_of: vec![None; v.len()] };
    let mut add = |label: &str, levels: Vec<usize>| -> Result<()> {
        for level in levels {
            if let Some(other) = grouping.label_of[level] {
                let message = format!(
                    "{} is in both `{}` and `{label}`: groups must not overlap",
                    v.label(level),
                    grouping.labels[usize::from(other)]
                );
                return Err(source(&place, message));
            }
            grouping.label_of[level] = Some(grouping.labels.len() as u16);
        }
        grouping.labels.push(label.to_string());
        Ok(())
    };
    match (&section.groups, &section.bands) {
        (Some(groups), None) => {
            for (label, levels) in groups {
                let levels =
                    levels.iter().map(|l| v.level(l).ok_or_else(|| source(&place, v.unknown_level(l).to_string())));
                add(label, levels.collect::<Result<_>>()?)?;
            }
        }
        (None, Some(bands)) => {
            for band in bands {
                let message = || format!("`{band}` is not a band of `{}`, such as 25-34, 85+ or 20", v.name);
                let (levels, straddles) = v.band(band).ok_or_else(|| source(&place, message()))?;
                if straddles {
                    return Err(source(&place, format!("band {band} reaches outside the range of `{}`", v.name)));
                }
                add(band, levels.collect())?;
            }
        }
        _ => return Err(source(place, "give either `groups` or `bands`")),
    }
    Ok(grouping)
}

/// The variable, and the grouping if one is named, of `variable` or `variable:grouping`.
pub(super) fn view<'a>(
    text: &str,
    variables: &[Variable],
    groupings: &'a HashMap<String, Grouping>,
) -> Result<(usize, Option<&'a Grouping>), String> {
    let (name, group) = match text.split_once(':') {
        Some((name, group)) => (name, Some(group)),
        None => (text, None),
    };
    let variable = crate::model::variable::find(variables, name).map_err(|e| e.to_string())?;
    let Some(group) = group else {
        return Ok((variable, None));
    };
    let grouping = groupings.get(group).ok_or_else(|| {
        let hint = did_you_mean(group, groupings.keys().map(String::as_str));
        format!("unknown grouping `{group}`{hint}")
    })?;
    if grouping.variable != variable {
        return Err(format!("grouping `{group}` is not of variable `{name}`"));
    }
    Ok((variable, Some(grouping)))
}

/// A variable seen through a grouping that covers all its levels.
pub(super) fn partition(variable: &Variable, grouping: Option<&Grouping>) -> Result<Partition, String> {
    let Some(grouping) = grouping else {
        return Ok(Partition::finest(variable.len()));
    };
    if let Some(level) = grouping.label_of.iter().position(Option::is_none) {
        return Err(format!(
            "a parent's grouping must cover every level of `{}`; it leaves out {}",
            variable.name,
            variable.label(level)
        ));
    }
    Ok(Partition::by_signature(&grouping.label_of))
}

/// The faults of one file that are told.
const MOST: usize = 20;

/// Reads a figure; nothing where it has a column for what is `broken`, of which enough has been said.
pub(super) fn read(
    dir: &Path,
    section: &FigureSection,
    variables: &[Variable],
    groupings: &HashMap<String, Grouping>,
    broken: &dyn Fn(&str) -> bool,
) -> Result<Option<Figure>> {
    let text = read_text(dir, &section.file)?;
    let file = &section.file;
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|e| source(format!("{file}:1"), e.to_string()))?.clone();
    let measure = headers.iter().next_back().unwrap_or_default().to_string();
    if !["count", "share", "weight"].contains(&measure.as_str()) {
        let message = format!("the last column must be `count`, `share` or `weight`, it is `{measure}`");
        return Err(source(format!("{file}:1"), message));
    }
    if let Some(unknown) = section.columns.keys().find(|c| !headers.iter().any(|h| h == c.as_str())) {
        let message = format!("{file} has no column `{unknown}`");
        return Err(source(format!("pack.toml, figure `{}`", section.name), message));
    }
    let margin = margin_of_error(section, &headers)?;
    let mut columns: Vec<Column> = vec![];
    let mut views: Vec<Option<&Grouping>> = vec![];
    for (at, header) in headers.iter().take(headers.len() - 1).enumerate() {
        if Some(at) == margin {
            continue;
        }
        let target = section.columns.get(header).map_or(header, String::as_str);
        if broken(target) {
            return Ok(None);
        }
        let (variable, grouping) =
            view(target, variables, groupings).map_err(|e| source(format!("{file}:1, column `{header}`"), e))?;
        if columns.iter().any(|c| c.variable == variable) {
            return Err(source(format!("{file}:1"), format!("two columns for `{}`", variables[variable].name)));
        }
        columns.push(Column {
            name: header.to_string(),
            variable,
            grouped: grouping.is_some(),
            labels: vec![],
            label_of: vec![None; variables[variable].len()],
        });
        views.push(grouping);
    }
    // What each column knows of a label: its code, nothing where it lies outside, and nothing at all where it is wrong.
    let mut known: Vec<BTreeMap<String, Option<Option<u16>>>> = columns.iter().map(|_| BTreeMap::new()).collect();
    let mut figure = Figure {
        name: section.name.clone(),
        measure,
        columns,
        codes: vec![vec![]; views.len()],
        values: vec![],
        tolerances: (section.tolerance.is_some() || margin.is_some()).then(Vec::new),
    };
    let mut cells = HashSet::new();
    let mut errors = vec![];
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                errors.push(csv_error(file, &error));
                continue;
            }
        };
        let line = record.position().map_or(0, |p| p.line());
        let place = || format!("{file}:{line}");
        let mut codes = vec![];
        let labels = record.iter().enumerate().filter(|(at, _)| Some(*at) != margin).map(|(_, label)| label);
        for (at, label) in labels.take(views.len()).enumerate() {
            let code = match known[at].get(label) {
                Some(code) => *code,
                None => {
                    let variable = &variables[figure.columns[at].variable];
                    let code = match admit(&mut figure.columns[at], views[at], variable, label) {
                        Ok(code) => Some(code),
                        Err(message) => {
                            let column = &figure.columns[at].name;
                            errors.push(match *column == variable.name {
                                true => source(place(), message),
                                false => source(format!("{file}:{line}, column `{column}`"), message),
                            });
                            None
                        }
                    };
                    known[at].insert(label.to_string(), code);
                    code
                }
            };
            codes.push(code);
        }
        let text = record.iter().next_back().unwrap_or_default().trim();
        let value: f64 = match text.parse() {
            Ok(value) => value,
            Err(_) => {
                errors.push(source(place(), format!("`{text}` is not a number")));
                continue;
            }
        };
        if !value.is_finite() || value < 0.0 {
            errors.push(source(place(), format!("{text} cannot be a {}: it must be 0 or more", figure.measure)));
            continue;
        }
        let tolerance = match margin {
            None => Some(section.tolerance.unwrap_or(0.0) * value),
            Some(at) => record[at].trim().parse().ok().filter(|t: &f64| t.is_finite() && *t >= 0.0),
        };
        let Some(tolerance) = tolerance else {
            let text = &record[margin.unwrap_or(0)];
            errors.push(source(place(), format!("`{text}` is no margin of error: it must be a number, 0 or more")));
            continue;
        };
        // A band outside the variable's range, children where the pack is of adults, is no part of the figure here; what
        // is wrong with a label has been said.
        let Some(codes) = codes.into_iter().map(Option::flatten).collect::<Option<Vec<u16>>>() else {
            continue;
        };
        if !cells.insert(codes.clone()) {
            errors.push(source(place(), "this cell stands in the table twice"));
            continue;
        }
        figure.codes.iter_mut().zip(codes).for_each(|(column, code)| column.push(code));
        figure.values.push(value);
        figure.tolerances.iter_mut().for_each(|tolerances| tolerances.push(tolerance));
    }
    if errors.len() > MOST {
        let more = errors.len() - MOST;
        errors.truncate(MOST);
        errors.push(source(file, format!("{more} more lines are wrong")));
    }
    super::gather(errors)?;
    if figure.values.iter().sum::<f64>() <= 0.0 {
        let message = "the figure has no cell above 0 within the ranges of its variables";
        return Err(source(format!("{file}:1"), message));
    }
    Ok(Some(figure))
}

/// Which column of a figure's file has the margins of error of its cells.
fn margin_of_error(section: &FigureSection, headers: &csv::StringRecord) -> Result<Option<usize>> {
    let wrong = |message: String| Err(source(format!("pack.toml, figure `{}`", section.name), message));
    match (&section.margin_of_error, section.tolerance) {
        (Some(_), Some(_)) => wrong("give `tolerance` or `margin_of_error`, not both".into()),
        (None, Some(share)) if !(0.0..=1.0).contains(&share) => {
            wrong(format!("`tolerance` is {share}: it is a share of each cell, from 0 to 1"))
        }
        (None, _) => Ok(None),
        (Some(name), None) => {
            let at = headers.iter().take(headers.len() - 1).position(|h| h == name);
            match at {
                Some(at) => Ok(Some(at)),
                None => wrong(format!("{} has no column `{name}` before its last one", section.file)),
            }
        }
    }
}

/// The code of a label met for the first time; `None` if it lies outside the variable's range.
fn admit(
    column: &mut Column,
    grouping: Option<&Grouping>,
    variable: &Variable,
    label: &str,
) -> Result<Option<u16>, String> {
    let levels: Vec<usize> = if let Some(grouping) = grouping {
        let at = grouping.labels.iter().position(|l| l == label).ok_or_else(|| {
            let hint = did_you_mean(label, grouping.labels.iter().map(String::as_str));
            format!("`{label}` is no group of `{}`{hint}", variable.name)
        })?;
        (0..variable.len()).filter(|l| grouping.label_of[*l] == Some(at as u16)).collect()
    } else {
        let (levels, straddles) = variable.named(label).map_err(|e| e.to_string())?;
        if levels.is_empty() {
            return Ok(None);
        }
        if straddles {
            return Err(format!("band {label} reaches outside the range of `{}`; split it", variable.name));
        }
        levels.collect()
    };
    let code = column.labels.len() as u16;
    for level in levels {
        if let Some(other) = column.label_of[level] {
            return Err(format!("`{label}` overlaps `{}`", column.labels[usize::from(other)]));
        }
        column.label_of[level] = Some(code);
    }
    column.labels.push(label.to_string());
    Ok(Some(code))
}

impl Figure {
    /// A table of counts without its columns for other variables: the sums over them. `None` where it is no table of
    /// counts, or lacks a cell or a level that would have to be counted.
    pub fn summed(&self, kept: &dyn Fn(usize) -> bool) -> Option<Figure> {
        let whole = self.columns.iter().map(|c| c.labels.len()).product::<usize>() == self.values.len();
        let covers = |c: &Column| kept(c.variable) || c.label_of.iter().all(Option::is_some);
        if self.measure != "count" || !whole || !self.columns.iter().all(covers) {
            return None;
        }
        let places: Vec<usize> = (0..self.columns.len()).filter(|at| kept(self.columns[*at].variable)).collect();
        let mut cells: BTreeMap<Vec<u16>, (f64, f64)> = BTreeMap::new();
        for (cell, value) in self.values.iter().enumerate() {
            let sum = cells.entry(places.iter().map(|at| self.codes[*at][cell]).collect()).or_default();
            sum.0 += value;
            // Errors that may all be of one sign.
            sum.1 += self.tolerances.as_ref().map_or(0.0, |t| t[cell]);
        }
        let mut codes = vec![vec![]; places.len()];
        for key in cells.keys() {
            codes.iter_mut().zip(key).for_each(|(column, code)| column.push(*code));
        }
        let columns = places.iter().map(|at| self.columns[*at].clone()).collect();
        let (values, tolerances): (Vec<f64>, Vec<f64>) = cells.into_values().unzip();
        let tolerances = self.tolerances.is_some().then_some(tolerances);
        Some(Figure { name: self.name.clone(), measure: self.measure.clone(), columns, codes, values, tolerances })
    }

    /// The label of each class of a partition; an error if a class is torn apart.
    pub fn class_labels(
        &self,
        column: usize,
        partition: &Partition,
        variables: &[Variable],
    ) -> Result<Vec<Option<u16>>> {
        let column = &self.columns[column];
        partition
            .members()
            .iter()
            .map(|levels| {
                let label = column.label_of[levels[0]];
                match levels.iter().find(|l| column.label_of[**l] != label) {
                    None => Ok(label),
                    Some(other) => {
                        let v = &variables[column.variable];
                        Err(source(
                            format!("figure `{}`", self.name),
                            format!(
                                "it tells {} from {} in `{}`, which the node's parent sees as one class; use a finer grouping",
                                v.label(levels[0]),
                                v.label(*other),
                                v.name
                            ),
                        ))
                    }
                }
            })
            .collect()
    }

    pub fn column(&self, variable: usize) -> Option<usize> {
        self.columns.iter().position(|c| c.variable == variable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_pack_reads_its_own_folder_alone() {
        let top = tempfile::tempdir().unwrap();
        let pack = top.path().join("pack");
        std::fs::create_dir_all(pack.join("figures")).unwrap();
        std::fs::write(top.path().join("secret.csv"), "level\nmine\n").unwrap();
        std::fs::write(pack.join("figures/own.csv"), "level\nours\n").unwrap();
        for own in ["figures/own.csv", "./figures/own.csv"] {
            assert_eq!(read_text(&pack, own).unwrap(), "level\nours\n");
        }
        let secret = top.path().join("secret.csv");
        let absolute = secret.display().to_string();
        for name in ["../secret.csv", "figures/../../secret.csv", "figures/../figures/own.csv", &absolute, ""] {
            let error = read_text(&pack, name).unwrap_err().to_string();
            assert!(error.contains("is not in the pack's folder"), "{name}: {error}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&secret, pack.join("link.csv")).unwrap();
            assert!(read_text(&pack, "link.csv").unwrap_err().to_string().contains("is not in the pack's folder"));
        }
        assert!(matches!(read_text(&pack, "none.csv"), Err(Error::Io { .. })));
    }

    #[test]
    fn what_inflates_without_end_is_not_inflated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("zeros.csv.gz");
        let file = std::fs::File::create(&path).unwrap();
        let mut zeros = flate2::write::GzEncoder::new(file, flate2::Compression::best());
        zeros.write_all(&[0; 4_096]).unwrap();
        zeros.finish().unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() < 100);
        assert_eq!(bounded(&path, 4_095).unwrap(), None);
        assert_eq!(bounded(&path, 4_096).unwrap().unwrap().len(), 4_096);
    }
}

//! The charts of a report, as SVG. They are drawn in four inks, which the page's style sheet gives their shades in light
//! and dark; a reader of SVG without it sees the inks as they are.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// The table, the country, text, and the lines of the grid.
const TABLE: RGBColor = RGBColor(0x1f, 0x6f, 0xb4);
const COUNTRY: RGBColor = RGBColor(0xc8, 0x50, 0x0a);
const INK: RGBColor = RGBColor(0x22, 0x22, 0x21);
const GRID: RGBColor = RGBColor(0xd8, 0xd8, 0xd7);

const FONT: &str = "sans-serif";
/// What a chart measures across, in its own units: about the pixels of a telephone.
const WIDTH: u32 = 400;
/// The size of letters; what is drawn has them a fifth smaller.
const LETTERS: i32 = 15;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// A bar of a chart, in percent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bar {
    pub label: String,
    /// Of how many rows it is a share
    pub rows: f64,
    /// In the table, where it has people enough to tell
    pub observed: Option<f64>,
    /// What a sample like this leaves open
    pub interval: Option<(f64, f64)>,
    /// In the country
    pub expected: f64,
}

/// A pair of bars, to the left and to the right, in percent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pair {
    pub label: String,
    pub observed: [f64; 2],
    pub expected: [f64; 2],
}

/// One curve of shares in percent over groups in their order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Curve {
    pub title: String,
    pub points: Vec<Bar>,
    /// The country between the points, by the place of a group (0 the middle of the first); its points' alone where this is
    /// empty
    pub line: Vec<(f64, f64)>,
}

fn letters(color: &RGBColor, x: HPos, y: VPos) -> TextStyle<'_> {
    TextStyle::from((FONT, LETTERS).into_font()).color(color).pos(Pos::new(x, y))
}

/// Draws on a picture of this height; `title` is what a screen reader says of it.
fn picture(title: &str, height: u32, draw: impl FnOnce(&Area) -> Drawn) -> Result<String, String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        draw(&area).and_then(|()| area.present().map_err(Into::into)).map_err(|e| format!("a chart: {e}"))?;
    }
    let title: String = title.chars().filter(|c| !"<>&\"".contains(*c)).collect();
    // Within a page it needs no name space, and takes its size from the page.
    let svg = svg.replace(" xmlns=\"http://www.w3.org/2000/svg\"", "");
    let size = format!("<svg width=\"{WIDTH}\" height=\"{height}\"");
    Ok(svg.replacen(&size, &format!("<svg role=\"img\" aria-label=\"{title}\""), 1))
}

/// A round number that is no less, for the end of an axis.
fn ceiling(value: f64) -> f64 {
    let unit = 10f64.powf(value.max(0.1).log10().floor());
    [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0].iter().map(|m| m * unit).find(|m| *m >= value).unwrap_or(value)
}

fn percent(value: f64, end: f64) -> String {
    if end < 5.0 { format!("{value:.1} %") } else { format!("{value:.0} %") }
}

/// Bars from the left, each with a mark where the country is.
pub(super) fn bars(title: &str, bars: &[Bar]) -> Result<String, String> {
    const ROW: u32 = 19;
    let longest = bars.iter().map(|b| b.label.chars().count()).max().unwrap_or(0) as u32;
    let left = (longest * 13 / 2 + 18).min(WIDTH * 11 / 20);
    let most = bars.iter().map(|b| b.observed.unwrap_or(0.0).max(b.expected)).fold(0.1, f64::max);
    let (end, n) = (ceiling(most * 1.02).min(100.0), bars.len());
    picture(title, n as u32 * ROW + 32, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin_right(22)
            .margin_top(4)
            .set_label_area_size(LabelAreaPosition::Left, left)
            .set_label_area_size(LabelAreaPosition::Bottom, 26)
            .build_cartesian_2d(0.0..end, 0.0..n as f64)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .y_labels(0)
            .x_labels(6)
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(GRID)
            .label_style(letters(&INK, HPos::Center, VPos::Top))
            .x_label_formatter(&|x| percent(*x, end))
            .draw()?;
        for (at, bar) in bars.iter().enumerate() {
            let y = (n - 1 - at) as f64;
            if let Some(observed) = bar.observed {
                chart.draw_series([Rectangle::new([(0.0, y + 0.2), (observed.min(end), y + 0.8)], TABLE.filled())])?;
            }
            if let Some((low, high)) = bar.interval {
                let line = vec![(low.min(end), y + 0.5), (high.min(end), y + 0.5)];
                chart.draw_series([PathElement::new(line, INK.stroke_width(1))])?;
            }
            let mark = vec![(bar.expected, y + 0.05), (bar.expected, y + 0.95)];
            chart.draw_series([PathElement::new(mark, COUNTRY.stroke_width(3))])?;
            let (x, y) = chart.backend_coord(&(0.0, y + 0.5));
            area.draw(&Text::new(shortened(&bar.label, left), (x - 6, y), letters(&INK, HPos::Right, VPos::Center)))?;
        }
        Ok(())
    })
}

/// A label that fits into so much room.
fn shortened(label: &str, room: u32) -> String {
    let fits = (room.saturating_sub(8) * 2 / 13) as usize;
    match label.chars().count() > fits {
        true => format!("{}…", label.chars().take(fits.saturating_sub(1)).collect::<String>().trim_end()),
        false => label.into(),
    }
}

/// Bars to both sides of a line, the lowest first, and an outline of the country.
pub(super) fn pyramid(title: &str, sides: [&str; 2], pairs: &[Pair]) -> Result<String, String> {
    const ROW: u32 = 19;
    let all = pairs.iter().flat_map(|p| p.observed.into_iter().chain(p.expected));
    let (end, n) = (ceiling(all.fold(0.1, f64::max) * 1.05), pairs.len());
    picture(title, n as u32 * ROW + 56, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin_right(14)
            .margin_top(26)
            .set_label_area_size(LabelAreaPosition::Left, 52)
            .set_label_area_size(LabelAreaPosition::Bottom, 26)
            .build_cartesian_2d(-end..end, 0.0..n as f64)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .y_labels(0)
            .x_labels(7)
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(GRID)
            .label_style(letters(&INK, HPos::Center, VPos::Top))
            .x_label_formatter(&|x| percent(x.abs(), end))
            .draw()?;
        for (at, pair) in pairs.iter().enumerate() {
            let y = at as f64;
            for (side, observed) in [-1.0, 1.0].into_iter().zip(pair.observed) {
                let corners = [(0.0, y + 0.12), (side * observed, y + 0.88)];
                chart.draw_series([Rectangle::new(corners, TABLE.filled())])?;
            }
            let (x, y) = chart.backend_coord(&(-end, y + 0.5));
            area.draw(&Text::new(pair.label.clone(), (x - 6, y), letters(&INK, HPos::Right, VPos::Center)))?;
        }
        for (at, side) in [-1.0, 1.0].into_iter().enumerate() {
            let steps = pairs.iter().enumerate().flat_map(|(row, pair)| {
                let x = side * pair.expected[at];
                [(x, row as f64), (x, row as f64 + 1.0)]
            });
            chart.draw_series([PathElement::new(steps.collect::<Vec<_>>(), COUNTRY.stroke_width(2))])?;
            let (x, _) = chart.backend_coord(&(side * end / 2.0, 0.0));
            area.draw(&Text::new(sides[at].to_string(), (x, 4), letters(&INK, HPos::Center, VPos::Top)))?;
        }
        Ok(())
    })
}

/// One small chart a curve: a line for the country, points for the table.
pub(super) fn curves(title: &str, curves: &[Curve]) -> Result<String, String> {
    let rows = curves.len().div_ceil(2);
    picture(title, (rows * 150) as u32, |area| {
        for (curve, area) in curves.iter().zip(area.split_evenly((rows, 2))) {
            let n = curve.points.len();
            let most = curve.points.iter().map(|p| {
                let high =
                    p.interval.map_or(0.0, |(_, high)| high).min(p.expected.max(p.observed.unwrap_or(0.0)) * 1.3);
                p.observed.unwrap_or(0.0).max(p.expected).max(high)
            });
            let most = most.chain(curve.line.iter().map(|(_, share)| *share));
            let end = ceiling(most.fold(1.0, f64::max)).min(100.0);
            let mut chart = ChartBuilder::on(&area)
                .margin_right(10)
                .margin_top(24)
                .set_label_area_size(LabelAreaPosition::Left, 44)
                .set_label_area_size(LabelAreaPosition::Bottom, 24)
                .build_cartesian_2d(-0.5..n as f64 - 0.5, 0.0..end)?;
            chart
                .configure_mesh()
                .disable_x_mesh()
                .x_labels(0)
                .y_labels(4)
                .bold_line_style(GRID)
                .light_line_style(TRANSPARENT)
                .axis_style(GRID)
                .label_style(letters(&INK, HPos::Right, VPos::Center))
                .y_label_formatter(&|y| percent(*y, end))
                .draw()?;
            let line = match curve.line.is_empty() {
                true => curve.points.iter().enumerate().map(|(at, p)| (at as f64, p.expected)).collect(),
                false => curve.line.clone(),
            };
            chart.draw_series([PathElement::new(line, COUNTRY.stroke_width(2))])?;
            for (at, point) in curve.points.iter().enumerate() {
                let x = at as f64;
                if let Some((low, high)) = point.interval {
                    chart.draw_series([PathElement::new(vec![(x, low), (x, high.min(end))], TABLE.stroke_width(1))])?;
                }
                if let Some(observed) = point.observed {
                    chart.draw_series([Circle::new((x, observed.min(end)), 3, TABLE.filled())])?;
                }
            }
            // Every other label has room.
            let base = area.get_base_pixel();
            for (at, point) in curve.points.iter().enumerate().filter(|(at, _)| at % 2 == 0) {
                let (x, y) = chart.backend_coord(&(at as f64, 0.0));
                let place = (x - base.0, y - base.1 + 5);
                area.draw(&Text::new(point.label.clone(), place, letters(&INK, HPos::Center, VPos::Top)))?;
            }
            area.draw(&Text::new(curve.title.clone(), (44, 3), letters(&INK, HPos::Left, VPos::Top)))?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(label: &str, observed: Option<f64>) -> Bar {
        Bar {
            label: label.into(),
            rows: 40.0,
            observed,
            interval: observed.map(|o| (o * 0.9, o * 1.1)),
            expected: 12.0,
        }
    }

    #[test]
    fn charts_are_svg_with_their_labels() {
        let drawn = [
            bars("Bars <of> it", &[bar("a & <b>", Some(10.0)), bar("nobody", None), bar(&"x".repeat(90), Some(0.0))]),
            pyramid(
                "P",
                ["Male", "Female"],
                &[Pair { label: "<20".into(), observed: [1.0, 2.0], expected: [2.0, 1.0] }],
            ),
            curves(
                "C",
                &[Curve {
                    title: "a & b".into(),
                    points: vec![bar("18", Some(3.0)), bar("20", None)],
                    line: vec![(-0.4, 1.0), (1.2, 7.0)],
                }],
            ),
            bars("nothing", &[]),
        ];
        for svg in drawn {
            let svg = svg.unwrap();
            let parsed = roxmltree::Document::parse(&svg).unwrap_or_else(|e| panic!("{e}: {svg}"));
            assert!(parsed.root_element().has_attribute("aria-label") && !svg.contains("http"), "{svg}");
        }
        let svg = bars("b", &[bar("a & <b>", Some(10.0))]).unwrap();
        assert!(
            roxmltree::Document::parse(&svg).unwrap().descendants().any(|n| n.text().map(str::trim) == Some("a & <b>"))
        );
    }

    #[test]
    fn axes_end_at_round_numbers() {
        for (value, end) in [(0.0, 0.1), (0.12, 0.15), (3.1, 4.0), (7.9, 8.0), (41.0, 50.0), (100.0, 100.0)] {
            assert!((ceiling(value) - end).abs() < 1e-9, "{value}: {}", ceiling(value));
        }
    }
}

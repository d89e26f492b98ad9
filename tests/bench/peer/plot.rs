//! Growth curves as SVG: a figure of each server against the size of a scene, both logarithmic.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
/// The space around the curves.
const MARGIN: f64 = 60.0;
const COLOURS: [&str; 4] = ["#c2410c", "#15803d", "#1d4ed8", "#6b7280"];

/// A server's name and its points, each a size and a figure.
type Curve = (&'static str, Vec<(f64, f64)>);

/// The curves of each plot, by its title.
#[derive(Default)]
pub struct Plots(BTreeMap<String, Vec<Curve>>);

impl Plots {
    pub fn add(&mut self, title: &str, name: &'static str, size: usize, figure: f64) {
        let curves = self.0.entry(title.to_owned()).or_default();
        let place = curves.iter().position(|curve| curve.0 == name).unwrap_or_else(|| {
            curves.push((name, Vec::new()));
            curves.len() - 1
        });
        curves[place].1.push((size as f64, figure));
    }

    /// Writes the plots with several sizes to this directory.
    pub fn write(&self, directory: &Path) {
        for (title, curves) in self.0.iter().filter(|(_, curves)| curves[0].1.len() > 1) {
            let name = title.split(':').next().unwrap_or_default().replace(", ", "-");
            let name = name.replace(' ', "-");
            fs::write(directory.join(name + ".svg"), svg(title, curves)).unwrap();
        }
    }
}

fn svg(title: &str, curves: &[Curve]) -> String {
    let points = Vec::from_iter(curves.iter().flat_map(|(_, points)| points));
    let sizes = Range::of(points.iter().map(|point| point.0));
    let figures = Range::of(points.iter().map(|point| point.1));
    let x = |size: f64| MARGIN + sizes.part(size) * (WIDTH - 2.0 * MARGIN);
    let y = |figure: f64| HEIGHT - MARGIN - figures.part(figure) * (HEIGHT - 2.0 * MARGIN);
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
<text x="{MARGIN}" y="24" font-size="15">{title}</text>
"#
    );
    for (size, _) in curves.iter().take(1).flat_map(|(_, points)| points) {
        let (x, y) = (x(*size), HEIGHT - MARGIN + 20.0);
        text(&mut svg, x, y, &format!(r#"text-anchor="middle">{size}"#));
    }
    for figure in figures.marks() {
        let (y, width) = (y(figure), WIDTH - 2.0 * MARGIN);
        writeln!(svg, r##"<path d="M{MARGIN} {y:.1}h{width}" stroke="#ddd"/>"##).unwrap();
        text(&mut svg, MARGIN - 6.0, y + 4.0, &format!(r#"text-anchor="end">{figure}"#));
    }
    for (number, ((name, points), colour)) in curves.iter().zip(COLOURS).enumerate() {
        let places =
            points.iter().map(|(size, figure)| format!("{:.1},{:.1}", x(*size), y(*figure)));
        let places = Vec::from_iter(places).join(" ");
        let style = format!(r#"fill="none" stroke="{colour}" stroke-width="2""#);
        writeln!(svg, r#"<polyline points="{places}" {style}/>"#).unwrap();
        text(&mut svg, MARGIN + 140.0 * number as f64, 44.0, &format!(r#"fill="{colour}">{name}"#));
    }
    svg + "</svg>\n"
}

fn text(svg: &mut String, x: f64, y: f64, rest: &str) {
    writeln!(svg, r#"<text x="{x:.1}" y="{y:.1}" {rest}</text>"#).unwrap();
}

/// The lowest and the highest value on an axis.
struct Range(f64, f64);

impl Range {
    fn of(values: impl Iterator<Item = f64> + Clone) -> Range {
        Range(values.clone().fold(f64::MAX, f64::min) * 0.9, values.fold(0.0, f64::max) * 1.1)
    }

    fn part(&self, value: f64) -> f64 {
        (value / self.0).ln() / (self.1 / self.0).ln()
    }

    /// The round numbers within the range.
    fn marks(&self) -> impl Iterator<Item = f64> {
        let powers = (-3..6).map(|power| 10f64.powi(power));
        let marks = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * power));
        marks.filter(|mark| (self.0..self.1).contains(mark))
    }
}

//! The report's pictures: inline SVG without scripts, in colours that the page's style gives them.
//!
//! In: counts and shares. Out: SVG text that is safe to put into a page: it holds numbers, and texts only as [`escape`] leaves
//! them. Each picture says in words what it shows. Whole and tenth pixels only, so that the same numbers give the same bytes.

use std::fmt::Write as _;

use super::words;
use crate::engines::local::profile::{Histogram, Measure};

const HISTOGRAM_WIDTH: u64 = 240;
const HISTOGRAM_HEIGHT: u64 = 56;
const SPARK_WIDTH: f64 = 96.0;
const SPARK_HEIGHT: f64 = 24.0;
const TREND_WIDTH: f64 = 960.0;
const TREND_HEIGHT: f64 = 190.0;

/// Bars of equal width; one path, since there may be thousands of these.
pub(super) fn histogram(histogram: &Histogram) -> String {
    let most = histogram.bins.iter().map(|bin| bin.n).max().unwrap_or(0).max(1);
    let n_bins = (histogram.bins.len() as u64).max(1);
    let edge = |bin: u64| bin * HISTOGRAM_WIDTH / n_bins;
    let mut path = String::new();
    for (place, bin) in (0..).zip(&histogram.bins) {
        // A bin that holds anything is seen.
        let height = if bin.n == 0 { 0 } else { (bin.n * (HISTOGRAM_HEIGHT - 2) / most).max(1) + 1 };
        let width = (edge(place + 1) - edge(place)).saturating_sub(1).max(1);
        if height > 0 {
            let _ = write!(path, "M{} {HISTOGRAM_HEIGHT}v-{height}h{width}v{height}z", edge(place));
        }
    }
    let label = escape(&histogram_label(histogram));
    format!(
        "<svg class=\"histogram\" viewBox=\"0 0 {HISTOGRAM_WIDTH} {HISTOGRAM_HEIGHT}\" preserveAspectRatio=\"none\" \
         role=\"img\" aria-label=\"{label}\"><path d=\"{path}\"/></svg>"
    )
}

fn histogram_label(histogram: &Histogram) -> String {
    let of = match histogram.measure {
        Measure::Value => "values",
        Measure::Length => "lengths of texts",
        Measure::Bytes => "sizes in bytes",
        Measure::Elements => "numbers of elements",
    };
    let Some(highest) = histogram.bins.iter().max_by_key(|bin| bin.n) else {
        return format!("Histogram of {of}: none");
    };
    let share = words::percent(words::ratio(highest.n, histogram.n_sampled));
    format!(
        "Histogram of {of}: most, {share}, from {} to {}",
        words::visible(&words::value(&highest.from)),
        words::visible(&words::value(&highest.to))
    )
}

/// A line over the runs that gave a value, or nothing where there are fewer than two.
pub(super) fn sparkline(trend: &[Option<f64>], subject: &str) -> Option<String> {
    let known: Vec<f64> = trend.iter().flatten().copied().collect();
    let (Some(first), Some(last), true) = (known.first(), known.last(), known.len() > 1) else { return None };
    let scale = Scale::of(&known, SPARK_WIDTH - 8.0, SPARK_HEIGHT - 8.0, trend.len());
    let (path, (x, y)) = scale.line(trend, 4.0, 4.0);
    let label =
        format!("{subject} over {} runs: first {}, now {}", known.len(), words::percent(*first), words::percent(*last));
    Some(format!(
        "<svg class=\"spark\" viewBox=\"0 0 {SPARK_WIDTH} {SPARK_HEIGHT}\" role=\"img\" aria-label=\"{}\">\
         <path d=\"{path}\"/><circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/></svg>",
        escape(&label)
    ))
}

/// One point of the big chart.
pub(super) struct Point {
    pub(super) share: Option<f64>,
    /// What its tooltip says.
    pub(super) label: String,
    pub(super) is_bad: bool,
}

/// Shares run by run, with a scale.
pub(super) fn trend(points: &[Point]) -> String {
    let trend: Vec<Option<f64>> = points.iter().map(|point| point.share).collect();
    let known: Vec<f64> = trend.iter().flatten().copied().collect();
    let (left, top) = (52.0, 12.0);
    let (width, height) = (TREND_WIDTH - left - 16.0, TREND_HEIGHT - top - 28.0);
    let scale = Scale::of(&known, width, height, trend.len());
    let (path, _) = scale.line(&trend, left, top);
    let mut svg = format!(
        "<svg class=\"trend\" viewBox=\"0 0 {TREND_WIDTH} {TREND_HEIGHT}\" role=\"img\" aria-label=\"Share of expectations that \
         hold, run by run; the table below has the numbers\">"
    );
    for step in 0..=2 {
        let share = scale.low + (1.0 - scale.low) * f64::from(step) / 2.0;
        let y = top + scale.y(share);
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{left} {y:.1}H{:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left + width,
            left - 8.0,
            y + 4.0,
            words::percent(share)
        );
    }
    let _ = write!(svg, "<path class=\"line\" d=\"{path}\"/>");
    for (place, point) in points.iter().enumerate() {
        let Some(share) = point.share else { continue };
        let (x, y) = (left + scale.x(place), top + scale.y(share));
        // Bad runs differ in form, not in colour alone.
        let mark = if point.is_bad {
            format!("<path class=\"bad\" d=\"M{x:.1} {:.1}l6 10h-12z\">", y - 6.0)
        } else {
            format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\">")
        };
        let end = if point.is_bad { "</path>" } else { "</circle>" };
        let _ = write!(svg, "{mark}<title>{}</title>{end}", escape(&words::visible(&point.label)));
    }
    let _ = write!(
        svg,
        "<text x=\"{left}\" y=\"{0:.1}\">older</text><text x=\"{1:.1}\" y=\"{0:.1}\" text-anchor=\"end\">newest run</text></svg>",
        TREND_HEIGHT - 6.0,
        left + width
    );
    svg
}

/// From runs and shares to pixels. The scale ends at 100% and begins at a round share below the least.
struct Scale {
    low: f64,
    width: f64,
    height: f64,
    n_places: usize,
}

impl Scale {
    fn of(known: &[f64], width: f64, height: f64, n_places: usize) -> Self {
        let least = known.iter().copied().fold(1.0, f64::min);
        let low = [0.99, 0.95, 0.9, 0.8, 0.5].into_iter().find(|low| least >= *low).unwrap_or(0.0);
        Scale { low, width, height, n_places }
    }

    #[expect(clippy::cast_precision_loss, reason = "places of runs")]
    fn x(&self, place: usize) -> f64 {
        if self.n_places < 2 { self.width / 2.0 } else { self.width * place as f64 / (self.n_places - 1) as f64 }
    }

    fn y(&self, share: f64) -> f64 {
        self.height * (1.0 - share) / (1.0 - self.low)
    }

    /// The line, interrupted by nothing: a run that did not check is passed over. And where it ends.
    fn line(&self, trend: &[Option<f64>], left: f64, top: f64) -> (String, (f64, f64)) {
        let mut path = String::new();
        let mut end = (left, top);
        for (place, share) in trend.iter().enumerate() {
            let Some(share) = share else { continue };
            end = (left + self.x(place), top + self.y(*share));
            let _ = write!(path, "{}{:.1} {:.1}", if path.is_empty() { 'M' } else { 'L' }, end.0, end.1);
        }
        (path, end)
    }
}

/// For text and double-quoted attributes.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engines::local::profile::Bin;

    #[test]
    fn a_bin_with_one_value_is_seen() {
        let bin = |n| Bin { from: json!(0), to: json!("<b>\""), n };
        let svg = histogram(&Histogram {
            measure: Measure::Value,
            bins: vec![bin(1_000_000), bin(1), bin(0)],
            n_sampled: 1_000_001,
            is_exact: true,
        });
        assert_eq!(svg.matches('M').count(), 2, "{svg}");
        assert!(svg.contains("v-2h") && !svg.contains("<b>"), "{svg}");
    }

    #[test]
    fn lines_pass_over_runs_that_did_not_check() {
        assert_eq!(sparkline(&[Some(1.0), None], "rows"), None);
        let svg = sparkline(&[Some(1.0), None, Some(0.9)], "rows").expect("two values");
        assert!(svg.contains("M4.0 4.0L92.0 20.0"), "{svg}");
    }
}

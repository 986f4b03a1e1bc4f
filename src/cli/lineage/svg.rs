//! Lineage as a picture: a layered layout of our own, one self-contained SVG that follows the reader's light or dark mode.
//!
//! In: a [`Drawing`]. Out: SVG text. Tables stand in ranks from left to right, each right of all that it reads; an edge
//! over several ranks gets a place in each of those between, so that it does not run through a box; the order within a
//! rank is by the mean place of the neighbours, swept a few times (Sugiyama, Tagawa and Toda 1981). Whole numbers only.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::drawing::{Drawing, Edge, Kind, Port, TableBox};
use super::{Signpost, formats};
use crate::check::Transformation;
use crate::ir::NodeId;

const TITLE_HEIGHT: i64 = 40;
const ROW_HEIGHT: i64 = 20;
const CHARACTER_WIDTH: i64 = 8;
const PADDING: i64 = 12;
const RANK_GAP: i64 = 90;
const BOX_GAP: i64 = 22;
const MARGIN: i64 = 24;
const WAYPOINT_HEIGHT: i64 = 4;
const N_SWEEPS: usize = 6;
const N_COLORS: usize = 6;

const STYLE: &str = "
  svg { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; --page: #ffffff; --ink: #1f2328;
    --faint: #656d76; --line: #afb8c1; --c0: #a8643c; --c1: #6e7781; --c2: #9a6700; --c3: #0969da; --c4: #1a7f37;
    --c5: #8250df; }
  @media (prefers-color-scheme: dark) { svg { --page: #0d1117; --ink: #e6edf3; --faint: #8d96a0; --line: #484f58;
    --c0: #e0925f; --c1: #9ea7b3; --c2: #d29922; --c3: #4493f8; --c4: #3fb950; --c5: #ab7df8; } }
  .page { fill: var(--page) }
  .box { fill: var(--page); stroke-width: 1.5 }
  .subject { stroke-width: 3 }
  .view { stroke-dasharray: 5 3 }
  text { fill: var(--ink) }
  .layer { fill: var(--faint); font-size: 11px }
  .title { font-weight: 600 }
  .edge { fill: none; stroke: var(--line); stroke-width: 1.5 }
  .expression { stroke-dasharray: 4 3 }
  .aggregation { stroke-width: 2.5 }
";

/// A box or a waypoint of an edge, as the layout sees it.
#[derive(Debug, Clone, Default)]
struct Spot {
    rank: usize,
    x: i64,
    y: i64,
    width: i64,
    height: i64,
    left: Vec<usize>,
    right: Vec<usize>,
}

/// Draws it.
pub(super) fn write(drawing: &Drawing) -> String {
    let layout = Layout::of(drawing, &|_| 0);
    let (width, height) = layout.size();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-label=\"Lineage\">\n<style>{STYLE}</style>\n\
         <rect class=\"page\" width=\"{width}\" height=\"{height}\"/>\n"
    );
    draw(drawing, &layout, None, &mut svg);
    svg.push_str("</svg>\n");
    svg
}

/// Draws it for a page that has a style for it: boxes lead somewhere, and say how their table stands.
pub(super) fn write_for_page(drawing: &Drawing, signpost: &dyn Fn(NodeId) -> Signpost) -> String {
    // The word stands beside the layer, one space between.
    let beside = |table: &TableBox| signpost(table.node).word.chars().count() + 1;
    let layout = Layout::of(drawing, &beside);
    let (width, height) = layout.size();
    let mut svg = format!(
        "<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"group\" aria-label=\"Lineage\">\n"
    );
    draw(drawing, &layout, Some(signpost), &mut svg);
    svg.push_str("</svg>\n");
    svg
}

fn draw(drawing: &Drawing, layout: &Layout, signpost: Option<&dyn Fn(NodeId) -> Signpost>, svg: &mut String) {
    for edge in &drawing.edges {
        layout.draw_edge(edge, svg);
    }
    let layers = formats::layers(drawing);
    for (index, table) in drawing.boxes.iter().enumerate() {
        let color = layers.iter().position(|layer| *layer == table.name.layer).unwrap_or(0) % N_COLORS;
        let spot = &layout.spots[index];
        let Some(signpost) = signpost.map(|signpost| signpost(table.node)) else {
            draw_box(table, spot, color, svg);
            continue;
        };
        let Signpost { href, class, word } = signpost;
        let _ =
            writeln!(svg, "<a href=\"{}\" aria-label=\"{}: {word}\">", escape(&href), escape(&table.name.to_string()));
        draw_box(table, spot, color, svg);
        let _ = writeln!(
            svg,
            "<text class=\"state {class}\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{word}</text></a>",
            spot.x + spot.width - PADDING,
            spot.y + 15
        );
    }
}

fn draw_box(table: &TableBox, spot: &Spot, color: usize, svg: &mut String) {
    let Spot { x, y, width, height, .. } = spot;
    let subject = if table.is_subject { " subject" } else { "" };
    let view = match table.kind {
        Kind::View => " view",
        Kind::Source | Kind::Table => "",
    };
    let _ = writeln!(
        svg,
        "<rect class=\"box{subject}{view}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\" \
         stroke=\"var(--c{color})\"/>"
    );
    let left = x + PADDING;
    let _ = writeln!(
        svg,
        "<text class=\"layer\" x=\"{left}\" y=\"{}\" style=\"fill: var(--c{color})\">{}</text>",
        y + 15,
        escape(&table.name.layer)
    );
    let _ = writeln!(svg, "<text class=\"title\" x=\"{left}\" y=\"{}\">{}</text>", y + 31, escape(&table.name.name));
    for (place, column) in (0..).zip(&table.columns) {
        let _ = writeln!(
            svg,
            "<text x=\"{left}\" y=\"{}\">{}</text>",
            y + TITLE_HEIGHT + place * ROW_HEIGHT + 14,
            escape(column)
        );
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

struct Layout {
    /// The boxes in the drawing's order, then the waypoints.
    spots: Vec<Spot>,
    /// The waypoints between two boxes, from left to right.
    waypoints: BTreeMap<(usize, usize), Vec<usize>>,
}

impl Layout {
    /// `beside` is how many characters stand beside a table's layer.
    fn of(drawing: &Drawing, beside: &dyn Fn(&TableBox) -> usize) -> Self {
        let spots = drawing.boxes.iter().map(|table| measured(table, beside(table))).collect();
        let mut layout = Layout { spots, waypoints: BTreeMap::new() };
        layout.rank(drawing);
        layout.connect(drawing);
        let mut ranks = layout.ranks();
        layout.order(&mut ranks);
        layout.place(&ranks);
        layout
    }

    /// Edges go from an earlier to a later box, so one pass finds the longest path to each.
    fn rank(&mut self, drawing: &Drawing) {
        let mut inputs: Vec<Vec<usize>> = vec![Vec::new(); drawing.boxes.len()];
        for edge in &drawing.edges {
            inputs[edge.to.table].push(edge.from.table);
        }
        for (index, inputs) in inputs.iter().enumerate() {
            self.spots[index].rank = inputs.iter().map(|input| self.spots[*input].rank + 1).max().unwrap_or(0);
        }
    }

    fn connect(&mut self, drawing: &Drawing) {
        for edge in &drawing.edges {
            let (from, to) = (edge.from.table, edge.to.table);
            if self.waypoints.contains_key(&(from, to)) {
                continue;
            }
            let mut previous = from;
            let mut way = Vec::new();
            for rank in self.spots[from].rank + 1..self.spots[to].rank {
                let waypoint = self.spots.len();
                self.spots.push(Spot { rank, height: WAYPOINT_HEIGHT, ..Spot::default() });
                self.join(previous, waypoint);
                way.push(waypoint);
                previous = waypoint;
            }
            self.join(previous, to);
            self.waypoints.insert((from, to), way);
        }
    }

    fn join(&mut self, left: usize, right: usize) {
        self.spots[left].right.push(right);
        self.spots[right].left.push(left);
    }

    fn ranks(&self) -> Vec<Vec<usize>> {
        let n_ranks = self.spots.iter().map(|spot| spot.rank + 1).max().unwrap_or(0);
        let mut ranks = vec![Vec::new(); n_ranks];
        for (index, spot) in self.spots.iter().enumerate() {
            ranks[spot.rank].push(index);
        }
        ranks
    }

    /// Sorts each rank by the mean place of its neighbours in the rank before, then behind, in turns.
    fn order(&self, ranks: &mut [Vec<usize>]) {
        let mut place = vec![0_usize; self.spots.len()];
        let remember = |rank: &[usize], place: &mut Vec<usize>| {
            for (at, spot) in rank.iter().enumerate() {
                place[*spot] = at;
            }
        };
        for rank in ranks.iter() {
            remember(rank, &mut place);
        }
        for sweep in 0..N_SWEEPS {
            let forward = sweep % 2 == 0;
            for step in 0..ranks.len() {
                let at = if forward { step } else { ranks.len() - 1 - step };
                let rank = &mut ranks[at];
                rank.sort_by_key(|spot| {
                    let Spot { left, right, .. } = &self.spots[*spot];
                    let neighbours = if forward { left } else { right };
                    mean_place(neighbours, &place).unwrap_or(place[*spot] * 1000)
                });
                remember(rank, &mut place);
            }
        }
    }

    /// Gives coordinates: ranks as wide as their widest box, each centred in the height of the tallest.
    fn place(&mut self, ranks: &[Vec<usize>]) {
        let height_of = |spots: &[Spot], rank: &[usize]| -> i64 {
            rank.iter().map(|spot| spots[*spot].height + BOX_GAP).sum::<i64>() - BOX_GAP
        };
        let tallest = ranks.iter().map(|rank| height_of(&self.spots, rank)).max().unwrap_or(0);
        let mut x = MARGIN;
        for rank in ranks {
            let width = rank.iter().map(|spot| self.spots[*spot].width).max().unwrap_or(0);
            let mut y = MARGIN + (tallest - height_of(&self.spots, rank)) / 2;
            for spot in rank {
                let spot = &mut self.spots[*spot];
                (spot.x, spot.y) = (x, y);
                // A waypoint is as wide as its rank, so that an edge passes level.
                if spot.width == 0 {
                    spot.width = width;
                }
                y += spot.height + BOX_GAP;
            }
            x += width + RANK_GAP;
        }
    }

    fn size(&self) -> (i64, i64) {
        let right = self.spots.iter().map(|spot| spot.x + spot.width).max().unwrap_or(0);
        let bottom = self.spots.iter().map(|spot| spot.y + spot.height).max().unwrap_or(0);
        (right + MARGIN, bottom + MARGIN)
    }

    fn draw_edge(&self, edge: &Edge, svg: &mut String) {
        let class = match edge.transformation {
            None | Some(Transformation::Identity) => "edge",
            Some(Transformation::Expression) => "edge expression",
            Some(Transformation::Aggregation) => "edge aggregation",
        };
        let (from, to) = (&self.spots[edge.from.table], &self.spots[edge.to.table]);
        let (mut x, mut y) = (from.x + from.width, port_height(from, edge.from));
        let mut path = format!("M{x} {y}");
        let mut curve = |to_x: i64, to_y: i64, path: &mut String| {
            let middle = x.midpoint(to_x);
            let _ = write!(path, " C{middle} {y} {middle} {to_y} {to_x} {to_y}");
            (x, y) = (to_x, to_y);
        };
        for waypoint in self.waypoints.get(&(edge.from.table, edge.to.table)).into_iter().flatten() {
            let spot = &self.spots[*waypoint];
            curve(spot.x, spot.y, &mut path);
            curve(spot.x + spot.width, spot.y, &mut path);
        }
        curve(to.x, port_height(to, edge.to), &mut path);
        let _ = writeln!(svg, "<path class=\"{class}\" d=\"{path}\"/>");
    }
}

fn measured(table: &TableBox, beside: usize) -> Spot {
    let characters = |text: &str| i64::try_from(text.chars().count()).unwrap_or(0);
    let widest = table
        .columns
        .iter()
        .map(String::as_str)
        .chain([table.name.name.as_str()])
        .map(characters)
        .chain([characters(&table.name.layer) + i64::try_from(beside).unwrap_or(0)])
        .max()
        .unwrap_or(0);
    let rows = i64::try_from(table.columns.len()).unwrap_or(0) * ROW_HEIGHT;
    let below = if rows == 0 { 0 } else { rows + 6 };
    Spot { width: widest * CHARACTER_WIDTH + 2 * PADDING, height: TITLE_HEIGHT + below, ..Spot::default() }
}

/// The mean place in thousandths, so that ties stay whole numbers.
fn mean_place(neighbours: &[usize], place: &[usize]) -> Option<usize> {
    let sum: usize = neighbours.iter().map(|neighbour| place[*neighbour] * 1000).sum();
    (!neighbours.is_empty()).then(|| sum / neighbours.len())
}

fn port_height(spot: &Spot, port: Port) -> i64 {
    match port.column {
        None => spot.y + spot.height / 2,
        Some(column) => spot.y + TITLE_HEIGHT + i64::try_from(column).unwrap_or(0) * ROW_HEIGHT + ROW_HEIGHT / 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::TableName;

    fn drawing(names: &[&str], edges: &[(usize, usize)]) -> Drawing {
        let boxes = (0..)
            .zip(names)
            .map(|(index, name)| TableBox {
                node: NodeId(index),
                name: TableName::parse(name).expect("a table name"),
                kind: Kind::Table,
                columns: Vec::new(),
                is_subject: false,
            })
            .collect();
        let port = |table| Port { table, column: None };
        let edges =
            edges.iter().map(|&(from, to)| Edge { from: port(from), to: port(to), transformation: None }).collect();
        Drawing { boxes, edges }
    }

    #[test]
    fn tables_stand_right_of_what_they_read_and_never_on_each_other() {
        let drawing = drawing(&["a.a", "a.b", "b.c", "b.d", "c.e"], &[(0, 2), (1, 2), (1, 3), (2, 4), (0, 4)]);
        let layout = Layout::of(&drawing, &|_| 0);
        for edge in &drawing.edges {
            let (from, to) = (&layout.spots[edge.from.table], &layout.spots[edge.to.table]);
            assert!(from.x + from.width < to.x);
        }
        for (index, one) in layout.spots.iter().enumerate() {
            for other in layout.spots.iter().skip(index + 1).filter(|other| other.rank == one.rank) {
                assert!(one.y + one.height <= other.y || other.y + other.height <= one.y);
            }
        }
        assert_eq!(layout.waypoints[&(0, 4)].len(), 1);
    }

    #[test]
    fn a_picture_of_nothing_is_a_picture() {
        assert!(write(&drawing(&[], &[])).ends_with("</svg>\n"));
    }
}

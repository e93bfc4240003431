//! A bar chart of where requests wait, as inline SVG.

use super::html::escape;
use super::words;
use crate::discovery::{Call, Discovery};

/// Most bars.
const BARS_MAX: usize = 12;
const ROW: usize = 44;
const WIDTH: usize = 720;

/// Bars of the calls with the most critical-path time; empty without calls.
pub(super) fn svg(discovery: &Discovery) -> String {
    let mut calls: Vec<&Call> = discovery.calls.iter().collect();
    calls.sort_by_key(|call| std::cmp::Reverse(call.critical));
    calls.truncate(BARS_MAX);
    let widest = calls.first().map_or(0.0, |call| call.critical_share);
    if widest <= 0.0 {
        return String::new();
    }
    let bars: String = calls
        .iter()
        .enumerate()
        .map(|(row, call)| bar(row, call, call.critical_share / widest))
        .collect();
    let height = calls.len() * ROW;
    format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"Share of all waiting that each call takes\">{bars}</svg>"
    )
}

fn bar(row: usize, call: &Call, part: f64) -> String {
    let top = row * ROW;
    let class = if call.class.is_feasible() {
        "could"
    } else {
        "stays"
    };
    let label = format!(
        "{} \u{2192} {}: {}",
        call.caller, call.callee, call.callee_operation
    );
    let wide = part * 600.0;
    let share = words::percent(call.critical_share);
    format!(
        "<g class=\"{class}\"><title>{title}</title>\
         <text class=\"label\" x=\"0\" y=\"{label_y}\">{label}</text>\
         <rect class=\"track\" x=\"0\" y=\"{bar_y}\" width=\"600\" height=\"12\" rx=\"6\"/>\
         <rect class=\"bar\" x=\"0\" y=\"{bar_y}\" width=\"{wide:.1}\" height=\"12\" rx=\"6\"/>\
         <text class=\"value\" x=\"612\" y=\"{value_y}\">{share}</text></g>",
        title = escape(&format!("{label}, {share}")),
        label = escape(&shortened(&label)),
        label_y = top + 16,
        bar_y = top + 23,
        value_y = top + 34,
    )
}

/// At most as many letters as fit above a bar.
fn shortened(label: &str) -> String {
    const LETTERS: usize = 92;
    if label.chars().count() <= LETTERS {
        return label.to_owned();
    }
    label
        .chars()
        .take(LETTERS - 1)
        .chain(['\u{2026}'])
        .collect()
}

//! Figures as inline SVG.

use std::time::Duration;

use super::sections::shortened;
use crate::process::report::words::long;
use crate::process::{Cause, Waits};
use crate::report::html::escape;

const WIDTH: f64 = 900.0;

/// The class in the style sheet of a cause.
pub(super) fn tone(cause: Cause) -> &'static str {
    match cause {
        Cause::Batching => "batching",
        Cause::Contention => "contention",
        Cause::Prioritisation => "prioritisation",
        Cause::Unavailability => "unavailability",
        Cause::Extraneous => "extraneous",
    }
}

/// One part of a stretch of time.
pub(super) struct Part {
    pub(super) tone: &'static str,
    pub(super) name: String,
    pub(super) time: Duration,
}

/// A wait in parts: by cause where they are known.
pub(super) fn parts(total: Duration, causes: Option<&Waits>) -> Vec<Part> {
    let Some(causes) = causes.filter(|causes| !causes.total().is_zero()) else {
        return vec![Part {
            tone: "wait",
            name: "waiting".to_owned(),
            time: total,
        }];
    };
    // Waiting of which the cause is not known is scaled in: the bar is as long as all of it.
    let scale = total.as_secs_f64() / causes.total().as_secs_f64();
    Cause::ALL
        .iter()
        .filter(|cause| !causes.of(**cause).is_zero())
        .map(|cause| Part {
            tone: tone(*cause),
            name: cause.words().to_owned(),
            time: causes.of(*cause).mul_f64(scale),
        })
        .collect()
}

/// One bar over the whole width, with the parts' names and shares below.
pub(super) fn ribbon(parts: &[Part], label: &str) -> String {
    let whole: Duration = parts.iter().map(|part| part.time).sum();
    if whole.is_zero() {
        return String::new();
    }
    let share = |time: Duration| time.as_secs_f64() / whole.as_secs_f64();
    let mut at = 0.0;
    let bars: String = parts
        .iter()
        .map(|part| {
            let wide = share(part.time) * WIDTH;
            let bar = format!(
                "<g class=\"{}\"><title>{}: {}</title><rect class=\"tone\" x=\"{at:.1}\" y=\"0\" \
                 width=\"{:.1}\" height=\"34\"/></g>",
                part.tone,
                escape(&part.name),
                long(part.time),
                (wide - 1.5).max(0.5)
            );
            at += wide;
            bar
        })
        .collect();
    let legend: String = parts
        .iter()
        .map(|part| {
            format!(
                "<li class=\"{}\"><b>{:.0}%</b> {}</li>",
                part.tone,
                share(part.time) * 100.0,
                escape(&part.name)
            )
        })
        .collect();
    format!(
        "<svg class=\"ribbon\" viewBox=\"0 0 {WIDTH} 34\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{}\">{bars}</svg>\n<ul class=\"legend\">{legend}</ul>\n",
        escape(label)
    )
}

/// One row of [`bars`].
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) note: String,
    pub(super) parts: Vec<Part>,
}

/// Bars below each other, the longest over the whole width, each in parts.
pub(super) fn bars(rows: &[Bar], label: &str) -> String {
    const ROW: usize = 52;
    const BAR: f64 = 640.0;
    let length = |row: &Bar| -> Duration { row.parts.iter().map(|part| part.time).sum() };
    let longest = rows.iter().map(length).max().unwrap_or_default();
    if longest.is_zero() {
        return String::new();
    }
    let drawn: String = rows
        .iter()
        .enumerate()
        .map(|(place, row)| {
            let top = place * ROW;
            let mut at = 0.0;
            let bars: String = row
                .parts
                .iter()
                .map(|part| {
                    let wide = part.time.as_secs_f64() / longest.as_secs_f64() * BAR;
                    let bar = format!(
                        "<g class=\"{}\"><title>{}: {}</title><rect class=\"tone\" x=\"{at:.1}\" y=\"{}\" \
                         width=\"{:.1}\" height=\"14\"/></g>",
                        part.tone,
                        escape(&part.name),
                        long(part.time),
                        top + 25,
                        wide.max(0.5)
                    );
                    at += wide;
                    bar
                })
                .collect();
            format!(
                "<g><text x=\"0\" y=\"{}\">{}</text>{bars}<text class=\"value\" x=\"{:.1}\" y=\"{}\">{}</text>\
                 <text class=\"soft\" x=\"{WIDTH}\" y=\"{}\" text-anchor=\"end\">{}</text></g>",
                top + 17,
                escape(&shortened(&row.name, 84)),
                at + 10.0,
                top + 37,
                long(length(row)),
                top + 17,
                escape(&row.note)
            )
        })
        .collect();
    let height = rows.len() * ROW;
    format!(
        "<svg class=\"figure\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">{drawn}</svg>\n",
        escape(label)
    )
}

/// One step of [`course`].
pub(super) struct Step {
    pub(super) name: String,
    /// Waiting before it, in parts.
    pub(super) wait: Vec<Part>,
    pub(super) work: Duration,
}

/// The steps of a case one below the other, each where it lies in time.
pub(super) fn course(steps: &[Step], label: &str) -> String {
    const ROW: usize = 34;
    const LEFT: f64 = 260.0;
    let wait = |step: &Step| -> Duration { step.wait.iter().map(|part| part.time).sum() };
    let whole: Duration = steps.iter().map(|step| wait(step) + step.work).sum();
    if whole.is_zero() {
        return String::new();
    }
    let scale = (WIDTH - LEFT) / whole.as_secs_f64();
    let height = steps.len() * ROW + 24;
    let mut at = LEFT;
    let mut drawn = String::new();
    for part in 0..=4_u32 {
        let x = LEFT + (WIDTH - LEFT) * f64::from(part) / 4.0;
        let anchor = if part == 4 { "end" } else { "start" };
        drawn.push_str(&format!(
            "<line class=\"grid\" x1=\"{x:.1}\" y1=\"0\" x2=\"{x:.1}\" y2=\"{}\"/>\
             <text class=\"soft\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
            height - 18,
            height - 3,
            if part == 0 {
                "start".to_owned()
            } else {
                long(whole * part / 4)
            }
        ));
    }
    for (place, step) in steps.iter().enumerate() {
        let top = place * ROW;
        drawn.push_str(&format!(
            "<text x=\"0\" y=\"{}\">{}</text>",
            top + 20,
            escape(&shortened(&step.name, 34))
        ));
        let work = Part {
            tone: "work",
            name: "work".to_owned(),
            time: step.work,
        };
        for (part, height) in step.wait.iter().map(|part| (part, 8)).chain([(&work, 18)]) {
            let wide = part.time.as_secs_f64() * scale;
            if part.time.is_zero() {
                continue;
            }
            drawn.push_str(&format!(
                "<g class=\"{}\"><title>{}: {}</title><rect class=\"tone\" x=\"{at:.1}\" y=\"{}\" width=\"{:.1}\" \
                 height=\"{height}\" rx=\"2\"/></g>",
                part.tone,
                escape(&part.name),
                long(part.time),
                top + 15 - height / 2,
                wide.max(1.5)
            ));
            at += wide;
        }
    }
    format!(
        "<svg class=\"figure\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">{drawn}</svg>\n",
        escape(label)
    )
}

/// Pairs of bars: now, and then.
pub(super) fn before_after(rows: &[(&str, Duration, Duration)]) -> String {
    const ROW: usize = 46;
    const LEFT: f64 = 190.0;
    const BAR: f64 = 560.0;
    let longest = rows.iter().map(|(_, now, then)| *now.max(then)).max();
    let longest = longest.unwrap_or_default();
    if longest.is_zero() {
        return String::new();
    }
    let wide = |time: Duration| (time.as_secs_f64() / longest.as_secs_f64() * BAR).max(1.0);
    let drawn: String = rows
        .iter()
        .enumerate()
        .map(|(place, (name, now, then))| {
            let top = place * ROW;
            let bar = |class: &str, word: &str, time: Duration, y: usize| {
                format!(
                    "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{y}\" width=\"{:.1}\" height=\"13\" rx=\"3\"/>\
                     <text class=\"soft\" x=\"{:.1}\" y=\"{}\">{} {word}</text>",
                    wide(time),
                    LEFT + wide(time) + 8.0,
                    y + 11,
                    long(time)
                )
            };
            format!(
                "<g><text x=\"0\" y=\"{}\">{}</text>{}{}</g>",
                top + 24,
                escape(name),
                bar("now", "today", *now, top + 4),
                bar("then", "then", *then, top + 21)
            )
        })
        .collect();
    format!(
        "<svg class=\"figure\" viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"Today and then\">{drawn}</svg>\n",
        rows.len() * ROW
    )
}

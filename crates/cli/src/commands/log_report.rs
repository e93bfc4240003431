//! What `tidegate log` prints.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tidegate_base::{Bytes, Name};
use tidegate_log::Damage;
use tidegate_log::inspect::{At, ChannelReport, Item, Lost, Mode, Repaired, Report, Step};

/// What the state is called.
const STATE: &str = "(state)";

/// The report of `verify` for people.
pub(crate) fn verified(report: &Report, paint: bool) -> String {
    let mut text = String::new();
    if !report.first_version {
        segments(&mut text, report);
        text.push('\n');
        channels(&mut text, report);
    }
    findings(&mut text, report);
    for leftover in &report.leftovers {
        let (file, bytes, kind) = (&leftover.file, Bytes(leftover.bytes), leftover.kind);
        line(&mut text, &format!("not needed: {file} ({kind}, {bytes})"));
    }
    if report.first_version {
        line(
            &mut text,
            "format version 1: the next open writes the log anew",
        );
    }
    text.push('\n');
    let (red, green, plain) = colours(paint);
    line(
        &mut text,
        &match report.is_whole() {
            true => format!("{green}whole{plain}: {}", totals(report)),
            false => format!("{red}damaged{plain}: {}", totals(report)),
        },
    );
    text
}

fn colours(paint: bool) -> (&'static str, &'static str, &'static str) {
    match paint {
        true => ("\x1b[1;31m", "\x1b[1;32m", "\x1b[0m"),
        false => ("", "", ""),
    }
}

fn totals(report: &Report) -> String {
    let segments = report.segments.len();
    let records: u64 = report.segments.iter().map(|segment| segment.records).sum();
    let bytes: u64 = report.segments.iter().map(|segment| segment.bytes).sum();
    let damages = report.damages().count();
    let bytes = Bytes(bytes);
    match report.first_version {
        true => format!("{segments} segments, {bytes}, damages {damages}"),
        false => format!("{segments} segments, {records} records, {bytes}, damages {damages}"),
    }
}

fn segments(text: &mut String, report: &Report) {
    let head = ["segment", "records", "frames", "size", "damages", "index"].map(str::to_owned);
    let rows = report.segments.iter().map(|segment| {
        [
            segment.name.clone(),
            segment.records.to_string(),
            segment.frames.to_string(),
            Bytes(segment.bytes).to_string(),
            segment.damages.len().to_string(),
            segment.index.to_string(),
        ]
    });
    table(text, &[head].into_iter().chain(rows).collect::<Vec<_>>());
}

fn channels(text: &mut String, report: &Report) {
    let head = ["channel", "records", "first", "last", "low", "lost"].map(str::to_owned);
    let rows = report.channels.iter().map(|channel| {
        let sequence = |sequence: Option<u64>| sequence.map_or("-".to_owned(), |s| s.to_string());
        let lost: u64 = channel.lost.iter().map(|lost| lost.next - lost.from).sum();
        [
            name(channel.channel.as_ref()).to_owned(),
            channel.records.to_string(),
            sequence(channel.sequences.map(|(first, _)| first)),
            sequence(channel.sequences.map(|(_, last)| last)),
            channel.low.to_string(),
            lost.to_string(),
        ]
    });
    table(text, &[head].into_iter().chain(rows).collect::<Vec<_>>());
}

/// Columns: the first one to the left, the others to the right.
fn table<const N: usize>(text: &mut String, rows: &[[String; N]]) {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.len());
        }
    }
    for row in rows {
        let cells = row.iter().zip(widths).enumerate();
        let cells = cells.map(|(at, (cell, width))| match at {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        line(text, &cells.collect::<Vec<_>>().join("  "));
    }
}

/// Damage, what is lost, and a torn tail.
fn findings(text: &mut String, report: &Report) {
    if !report.is_whole() || report.torn.is_some() {
        text.push('\n');
    }
    for found in report.damages() {
        line(text, &damage(found));
    }
    for channel in &report.channels {
        for lost in &channel.lost {
            line(text, &said_lost(channel, *lost));
        }
    }
    if report.lost_unseen > 0 {
        let most = report.lost_unseen;
        line(
            text,
            &format!("lost: up to {most} more records that no sequence shows"),
        );
    }
    if let Some(torn) = &report.torn {
        let (segment, byte, bytes) = (&torn.segment, torn.byte, torn.bytes);
        line(
            text,
            &format!(
                "torn tail: {segment} at byte {byte}, {bytes} bytes: never acknowledged, the next open cuts it off"
            ),
        );
    }
}

/// Damage for people.
pub(crate) fn damage(damage: &Damage) -> String {
    let Damage {
        segment,
        byte,
        bytes,
        reason,
    } = damage;
    format!("damage: {segment} at byte {byte}, {bytes} bytes: {reason}")
}

fn said_lost(channel: &ChannelReport, lost: Lost) -> String {
    let (name, from, last) = (name(channel.channel.as_ref()), lost.from, lost.next - 1);
    match lost.certain {
        true => format!("lost: {name} {from} to {last}"),
        false => {
            format!("lost: {name} {from} to {last}, unless compaction has removed them before")
        }
    }
}

fn name(channel: Option<&Name>) -> &str {
    channel.map_or(STATE, Name::as_str)
}

fn line(text: &mut String, line: &str) {
    // Writing to a String does not fail.
    let _written = writeln!(text, "{}", line.trim_end()).is_ok();
}

/// The report of `verify` for programs.
pub(crate) fn verified_json(report: &Report) -> Value {
    let mut value = json!({ "schema": "tidegate/log-verify/v1" });
    merge(&mut value, found_json(report));
    value
}

fn found_json(report: &Report) -> Value {
    let segments = report.segments.iter().map(|segment| {
        json!({
            "segment": segment.name,
            "position": segment.position,
            "next_position": segment.next_position,
            "bytes": segment.bytes,
            "frames": segment.frames,
            "records": segment.records,
            "rewritten": segment.rewritten,
            "index": segment.index.to_string(),
            "damages": segment.damages.iter().map(damage_json).collect::<Vec<_>>(),
        })
    });
    let channels = report.channels.iter().map(|channel| {
        let lost = channel.lost.iter();
        let lost = lost.map(|l| json!({"from": l.from, "next": l.next, "certain": l.certain}));
        json!({
            "channel": channel.channel,
            "records": channel.records,
            "first": channel.sequences.map(|(first, _)| first),
            "last": channel.sequences.map(|(_, last)| last),
            "low": channel.low,
            "lost": lost.collect::<Vec<_>>(),
        })
    });
    let leftovers = report.leftovers.iter();
    let leftovers =
        leftovers.map(|l| json!({"file": l.file, "bytes": l.bytes, "kind": l.kind.to_string()}));
    let torn = report.torn.as_ref();
    let torn = torn.map(
        |t| json!({"segment": t.segment, "byte": t.byte, "bytes": t.bytes, "reason": t.reason}),
    );
    json!({
        "whole": report.is_whole(),
        "format_version": if report.first_version { 1 } else { 2 },
        "segments": segments.collect::<Vec<_>>(),
        "channels": channels.collect::<Vec<_>>(),
        "lost_unseen": report.lost_unseen,
        "torn": torn,
        "leftovers": leftovers.collect::<Vec<_>>(),
    })
}

fn merge(value: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (value, more) {
        into.extend(more);
    }
}

fn damage_json(damage: &Damage) -> Value {
    json!({
        "segment": damage.segment,
        "byte": damage.byte,
        "bytes": damage.bytes,
        "reason": damage.reason,
    })
}

/// A record for people.
pub(crate) fn item(item: &Item<'_>) -> String {
    let said = |place: &At<'_>, rest: String| format!("{:>12}  {rest}", place.position);
    match item {
        Item::Record {
            place,
            channel,
            record,
        } => {
            let (sequence, time) = (record.sequence, record.time);
            let key = record
                .key()
                .map_or(String::new(), |key| format!("  key={key:?}"));
            let headers: Vec<String> = record
                .headers()
                .map(|(name, value)| format!("  {name}={value:?}"))
                .collect();
            let payload = shown(record.payload());
            let headers = headers.concat();
            said(
                place,
                format!("record  {channel} {sequence}  {time}{key}{headers}  {payload}"),
            )
        }
        Item::State {
            place,
            sequence,
            replaces,
            items,
        } => {
            let what = if *replaces { "replaces" } else { "adds" };
            let items: Vec<String> = items
                .iter()
                .map(|item| format!("  {}", shown(item)))
                .collect();
            said(
                place,
                format!("state   {sequence}  {what}{}", items.concat()),
            )
        }
        Item::Cursor {
            place,
            cursor,
            value,
        } => said(place, format!("cursor  {cursor} {value}")),
        Item::Trim {
            place,
            channel,
            low,
        } => said(place, format!("trim    {channel} {low}")),
        Item::Damage(found) => damage(found),
    }
}

/// Text as it is, on one line; other bytes as base64.
fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains(char::is_control) => text.to_owned(),
        Ok(text) => format!("{text:?}"),
        Err(_) => format!("base64:{}", STANDARD.encode(bytes)),
    }
}

/// A record for programs.
pub(crate) fn item_json(item: &Item<'_>) -> Value {
    match item {
        Item::Record {
            place,
            channel,
            record,
        } => {
            let mut value = placed("record", place);
            let headers: Vec<_> = record.headers().map(|(n, v)| json!([n, v])).collect();
            merge(
                &mut value,
                json!({
                    "channel": channel,
                    "sequence": record.sequence,
                    "time": record.time.to_string(),
                    "key": record.key(),
                    "headers": headers,
                }),
            );
            merge(
                &mut value,
                Value::Object(coded("payload", record.payload())),
            );
            value
        }
        Item::State {
            place,
            sequence,
            replaces,
            items,
        } => {
            let mut value = placed("state", place);
            let items = items.iter().map(|item| Value::Object(coded("item", item)));
            merge(
                &mut value,
                json!({
                    "sequence": sequence,
                    "replaces": replaces,
                    "items": items.collect::<Vec<_>>(),
                }),
            );
            value
        }
        Item::Cursor {
            place,
            cursor,
            value: to,
        } => {
            let mut value = placed("cursor", place);
            merge(&mut value, json!({ "cursor": cursor, "value": to }));
            value
        }
        Item::Trim {
            place,
            channel,
            low,
        } => {
            let mut value = placed("trim", place);
            merge(&mut value, json!({ "channel": channel, "low": low }));
            value
        }
        Item::Damage(found) => {
            let mut value = json!({ "kind": "damage" });
            merge(&mut value, damage_json(found));
            value
        }
    }
}

fn placed(kind: &str, place: &At<'_>) -> Value {
    json!({
        "kind": kind,
        "position": place.position,
        "segment": place.segment,
        "byte": place.byte,
    })
}

/// Text under `name`; bytes that are none under `name_base64`.
fn coded(name: &str, bytes: &[u8]) -> Map<String, Value> {
    let (name, text) = match std::str::from_utf8(bytes) {
        Ok(text) => (name.to_owned(), text.to_owned()),
        Err(_) => (format!("{name}_base64"), STANDARD.encode(bytes)),
    };
    Map::from_iter([(name, Value::String(text))])
}

/// What `repair` has done, for people.
pub(crate) fn repaired(repaired: &Repaired, mode: Mode, paint: bool) -> String {
    let mut text = String::new();
    let (red, green, plain) = colours(paint);
    for step in &repaired.steps {
        line(&mut text, &said_step(step));
    }
    let report = &repaired.report;
    findings(&mut text, report);
    if !text.is_empty() {
        text.push('\n');
    }
    let would = match mode {
        Mode::Plan => "would be ",
        Mode::Apply => "",
    };
    line(
        &mut text,
        &match (repaired.steps.is_empty(), report.has_lost()) {
            (true, _) => format!("{green}whole{plain}: nothing to repair"),
            (false, false) => format!("{would}{green}repaired{plain}: nothing is lost"),
            (false, true) => format!(
                "{would}{red}repaired, with losses{plain}: what is lost is listed above; damaged files are kept"
            ),
        },
    );
    text
}

fn said_step(step: &Step) -> String {
    match step {
        Step::Cut {
            segment,
            byte,
            bytes,
            kept,
        } => format!("cut       {segment} at byte {byte}: {bytes} bytes, kept in {kept}"),
        Step::Started { segment, skipped } => {
            format!(
                "start     {segment} behind the damage; {skipped} sequences a channel are skipped"
            )
        }
        Step::Aside { segment, kept } => format!("set aside {segment}, kept in {kept}"),
        Step::Covered {
            segment,
            position,
            end,
        } => {
            let last = end.saturating_sub(1);
            format!("cover     {segment} for the absent positions {position} to {last}")
        }
        Step::Rewritten {
            segment,
            anew,
            kept,
        } => format!("rewrite   {segment} as {anew}, kept in {kept}"),
        Step::Indexed { segment } => format!("index     {segment}"),
    }
}

/// What `repair` has done, for programs.
pub(crate) fn repaired_json(repaired: &Repaired, mode: Mode) -> Value {
    json!({
        "schema": "tidegate/log-repair/v1",
        "dry_run": mode == Mode::Plan,
        "complete": !repaired.report.has_lost(),
        "steps": repaired.steps.iter().map(step_json).collect::<Vec<_>>(),
        "before": found_json(&repaired.report),
    })
}

fn step_json(step: &Step) -> Value {
    match step {
        Step::Cut {
            segment,
            byte,
            bytes,
            kept,
        } => {
            json!({"step": "cut", "segment": segment, "byte": byte, "bytes": bytes, "kept": kept})
        }
        Step::Started { segment, skipped } => {
            json!({"step": "start", "segment": segment, "skipped": skipped})
        }
        Step::Aside { segment, kept } => {
            json!({"step": "set-aside", "segment": segment, "kept": kept})
        }
        Step::Covered {
            segment,
            position,
            end,
        } => json!({"step": "cover", "segment": segment, "position": position, "end": end}),
        Step::Rewritten {
            segment,
            anew,
            kept,
        } => json!({"step": "rewrite", "segment": segment, "anew": anew, "kept": kept}),
        Step::Indexed { segment } => json!({"step": "index", "segment": segment}),
    }
}

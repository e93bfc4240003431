//! `tidegate bench`: a design measured on the embedded log against its targets.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidegate_base::{Clock, format_duration};
use tidegate_broker_log::{LogBroker, Options};
use tidegate_model::Design;
use tidegate_runtime::{Runtime, Settings, TokioClock};
use tidegate_traffic::{
    Emitted, Measurement, Plan, ProbeCaller, SharedProbe, Span, Verdict, measure,
};

use crate::arguments::{Bench, ReportFormat};
use crate::commands::select::pretty;
use crate::design_files;
use crate::exit::{Exit, Failure, Kind};
use crate::terminal::{print, say};

/// The same load in every run.
const SEED: u64 = 1;

pub(crate) fn run(arguments: &Bench) -> Result<Exit, Failure> {
    let design = design_files::sound(&arguments.design)?;
    let plan = Plan::synthetic(&design, arguments.load, Emitted::ByPlan, SEED)
        .map_err(|error| Failure::caused(Kind::Configuration, &error))?;
    let span = Span {
        warm_up: arguments.warm_up,
        duration: arguments.duration,
    };
    say(&format!(
        "bench: {:.0} events/s, open loop, for {} after {} of warm-up; handlers wait for their declared time in process",
        plan.rate(),
        format_duration(span.duration),
        format_duration(span.warm_up)
    ));
    let temporary = tempfile::Builder::new().prefix("tidegate-bench-").tempdir();
    let temporary = temporary.map_err(|error| Failure::caused(Kind::Configuration, &error))?;
    let data = arguments.data.as_deref().unwrap_or(temporary.path());
    let threads = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let threads = threads.map_err(|error| Failure::caused(Kind::Configuration, &error))?;
    let measurement = threads.block_on(measured(&design, &plan, data, span))?;
    print(&match arguments.format {
        ReportFormat::Human => human(&measurement),
        ReportFormat::Json => pretty(&measurement),
        ReportFormat::Markdown => markdown(&measurement),
    })?;
    Ok(if measurement.verdict == Verdict::Met {
        Exit::Yes
    } else {
        Exit::No
    })
}

async fn measured(
    design: &Design,
    plan: &Plan,
    data: &Path,
    span: Span,
) -> Result<Measurement, Failure> {
    let failed = |error: &dyn std::error::Error| Failure::caused(Kind::Configuration, error);
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::new());
    let (broker, _recovery) =
        LogBroker::open(data, Options::default()).map_err(|error| failed(&error))?;
    let probe = Arc::new(ProbeCaller::new(design, Arc::clone(&clock)));
    let caller = Arc::new(SharedProbe(Arc::clone(&probe)));
    let pushed = pushed(design.clone());
    let runtime = Runtime::start(
        &pushed,
        Arc::new(broker.clone()),
        caller,
        clock,
        Settings::default(),
    )
    .await
    .map_err(|error| failed(&error))?;
    let measurement = measure(plan, &pushed, &runtime, &probe, span).await;
    runtime.drain(Duration::from_secs(5)).await;
    broker.close().await;
    measurement.map_err(|error| failed(&error))
}

/// Every consumer is pushed to: the probe is a caller.
fn pushed(mut design: Design) -> Design {
    for service in design.services.values_mut() {
        for consume in service.consumes.values_mut() {
            let place = consume.deliver.place.clone();
            consume
                .deliver
                .to
                .get_or_insert_with(|| tidegate_model::design::Located {
                    value: "http://127.0.0.1/".to_owned(),
                    place,
                });
        }
    }
    design
}

const HEAD: [&str; 7] = [
    "", "events", "events/s", "p50 ms", "p99 ms", "p99.9 ms", "max ms",
];

fn rows(measurement: &Measurement) -> Vec<[String; 7]> {
    let events = measurement
        .events
        .iter()
        .map(|(name, m)| (format!("{name} accepted"), m));
    let consumers = measurement
        .consumers
        .iter()
        .map(|(name, m)| (format!("{name} handled"), m));
    events
        .chain(consumers)
        .map(|(name, m)| {
            let millis = |value: f64| format!("{value:.2}");
            let rate = format!("{:.1}", m.per_second);
            [
                name,
                m.count.to_string(),
                rate,
                millis(m.p50_ms),
                millis(m.p99_ms),
                millis(m.p999_ms),
                millis(m.max_ms),
            ]
        })
        .collect()
}

fn targets(measurement: &Measurement) -> Vec<[String; 4]> {
    let row = |figure: &tidegate_traffic::Figure| {
        let word = if figure.verdict == Verdict::Met {
            "met"
        } else {
            "missed"
        };
        let number = |value: f64| format!("{value:.1} {}", figure.unit);
        let what = format!("{} {}", figure.subject, figure.what);
        [
            what,
            number(figure.target),
            number(figure.measured),
            word.to_owned(),
        ]
    };
    measurement.figures.iter().map(row).collect()
}

fn human(measurement: &Measurement) -> String {
    let rows = rows(measurement);
    let name = |row: &[String; 7]| row.first().map_or(0, |name| name.chars().count());
    let width = rows.iter().map(name).max().unwrap_or(0);
    let mut text = String::new();
    let mut line = |cells: &[String]| {
        let mut cells = cells.iter();
        let first = cells.next().map_or("", String::as_str);
        let rest: String = cells.map(|cell| format!("{cell:>11}")).collect();
        // Writing to a String does not fail.
        let _written = writeln!(text, "{first:<width$}{rest}").is_ok();
    };
    line(&HEAD.map(str::to_owned));
    rows.iter().for_each(|row| line(row));
    text.push('\n');
    let targets = targets(measurement);
    let name = |row: &[String; 4]| row.first().map_or(0, |name| name.chars().count());
    let width = targets.iter().map(name).max().unwrap_or(0);
    for [what, target, measured, word] in &targets {
        let line =
            format!("{word:<7} {what:<width$}  target {target:>14}  measured {measured:>14}\n");
        text.push_str(&line);
    }
    let met = targets
        .iter()
        .filter(|row| row.last().is_some_and(|word| word == "met"))
        .count();
    text.push_str(&format!("\n{met} of {} targets met\n", targets.len()));
    text
}

fn markdown(measurement: &Measurement) -> String {
    let mut text = format!("# Measured for {:.0} s\n\n", measurement.seconds);
    let mut line = |cells: &[String]| text.push_str(&format!("| {} |\n", cells.join(" | ")));
    line(&HEAD.map(str::to_owned));
    line(&["---", "--:", "--:", "--:", "--:", "--:", "--:"].map(str::to_owned));
    rows(measurement).iter().for_each(|row| line(row));
    text.push('\n');
    let mut line = |cells: &[String]| text.push_str(&format!("| {} |\n", cells.join(" | ")));
    line(&["target", "asked", "measured", "verdict"].map(str::to_owned));
    line(&["---", "--:", "--:", "---"].map(str::to_owned));
    targets(measurement).iter().for_each(|row| line(row));
    text
}

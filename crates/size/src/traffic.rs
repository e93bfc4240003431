//! What arrives: rates, sizes and keys of each event, from the design and the recording.

use tidegate_base::{Bytes, Name, Rate};
use tidegate_model::Design;
use tidegate_model::design::{CleanupPolicy, Event};
use tidegate_trace::recording::Recording;

use crate::figure::{Figure, Input, Source, Unit};
use crate::measured::{Measured, measured};

/// What arrives of one event.
#[derive(Clone, Debug)]
pub(crate) struct Traffic<'a> {
    pub(crate) name: &'a Name,
    pub(crate) event: &'a Event,
    pub(crate) measured: Option<Measured>,
    /// Events a second, usually; the peak where nothing else is said.
    pub(crate) rate: Option<Input>,
    pub(crate) peak: Option<Input>,
    pub(crate) size: Option<Input>,
    /// How many consumers it has: each reads everything.
    pub(crate) groups: u32,
}

impl<'a> Traffic<'a> {
    pub(crate) fn all(design: &'a Design, recording: Option<&Recording>) -> Vec<Self> {
        let events = design.events.iter();
        events
            .map(|(name, event)| {
                let measured = recording.and_then(|recording| measured(recording, name));
                let groups = design.consumers().filter(|c| c.event_name == name).count();
                Self {
                    name,
                    event,
                    rate: usual(name, event, measured.as_ref()),
                    peak: peak(name, event, measured.as_ref()),
                    size: size(name, event, measured.as_ref()),
                    measured,
                    groups: u32::try_from(groups).unwrap_or(u32::MAX),
                }
            })
            .collect()
    }

    /// A field of the event as a source.
    pub(crate) fn field(&self, field: &str) -> Source {
        target(self.name, self.event, field)
    }

    /// Bytes a second that producers write, usually and at the peak.
    pub(crate) fn ingest(&self) -> Option<(Figure, Figure)> {
        let size = self.size.as_ref()?;
        let figure = |name, formula, rate: &Input| {
            let value = rate.value * size.value;
            Figure::new(
                name,
                (value, Unit::BytesPerSecond),
                formula,
                vec![rate.clone(), size.clone()],
            )
        };
        Some((
            figure("ingest", "rate × size", self.rate.as_ref()?),
            figure("ingest at the peak", "peak × size", self.peak.as_ref()?),
        ))
    }

    /// Bytes that retention keeps, one copy; or why that is not known.
    pub(crate) fn kept(&self) -> Result<Figure, String> {
        let name = self.name;
        if self.event.cleanup_policy.value == CleanupPolicy::Compact {
            return Err(format!(
                "what is kept of `{name}`: the latest of each key, and how many keys there are is not known"
            ));
        }
        let (usual, _) = self
            .ingest()
            .ok_or_else(|| format!("what is kept of `{name}`: {}", self.missing()))?;
        let retention = Input::new(
            "retention",
            self.event.retention.value.as_secs_f64(),
            Unit::Seconds,
            self.placed("retention", &self.event.retention.place),
        );
        let by_age = usual.value * retention.value;
        let mut inputs = usual.inputs;
        inputs.push(retention);
        let Some(most) = &self.event.retention_size else {
            return Ok(Figure::new(
                "kept",
                (by_age, Unit::Bytes),
                "rate × size × retention",
                inputs,
            ));
        };
        let Bytes(bytes) = most.value;
        inputs.push(Input::new(
            "retention-size",
            bytes as f64,
            Unit::Bytes,
            self.placed("retention-size", &most.place),
        ));
        Ok(Figure::new(
            "kept",
            (by_age.min(bytes as f64), Unit::Bytes),
            "the less of rate × size × retention and retention-size",
            inputs,
        ))
    }

    /// What is not known of it.
    pub(crate) fn missing(&self) -> String {
        match (&self.rate, &self.size) {
            (None, _) => format!(
                "`{}` declares no rate; give it `targets: {{rate: …, peak: …}}`",
                self.name
            ),
            (_, None) => format!(
                "`{}` declares no size; give it `targets: {{size: …}}`",
                self.name
            ),
            _ => String::new(),
        }
    }

    fn placed(&self, field: &str, place: &tidegate_model::Place) -> Source {
        Source::Design {
            path: format!("events.{}.{field}", self.name),
            place: place.clone(),
        }
    }
}

fn target(name: &Name, event: &Event, field: &str) -> Source {
    let place = event.targets.place.clone();
    Source::Design {
        path: format!("events.{name}.targets.{field}"),
        place: place.unwrap_or_else(|| event.place.clone()),
    }
}

fn per_second(name: &'static str, value: f64, source: Source) -> Input {
    Input::new(name, value, Unit::PerSecond, source)
}

fn usual(name: &Name, event: &Event, measured: Option<&Measured>) -> Option<Input> {
    let targets = &event.targets;
    let declared = targets.rate.map(|rate| (rate, "rate"));
    let declared = declared.or_else(|| targets.peak.map(|peak| (peak, "peak")));
    let declared = declared
        .filter(|(rate, _)| rate.value() > 0.0)
        .map(|(rate, field)| per_second("rate", rate.value(), target(name, event, field)));
    declared.or_else(|| {
        let measured = measured?;
        let how = format!("mean of {} arrivals", measured.arrivals);
        Some(per_second("rate", measured.rate, Source::Recording { how }))
    })
}

/// The higher of what the design expects and what was seen.
fn peak(name: &Name, event: &Event, measured: Option<&Measured>) -> Option<Input> {
    let targets = &event.targets;
    let field = if targets.peak.is_some() {
        "peak"
    } else {
        "rate"
    };
    let declared = targets.peak_or_rate().map_or(0.0, Rate::value);
    let seen = measured.map_or(0.0, |measured| measured.peak);
    if declared <= 0.0 && seen <= 0.0 {
        return None;
    }
    if declared >= seen {
        return Some(per_second("peak", declared, target(name, event, field)));
    }
    let arrivals = measured.map_or(0, |measured| measured.arrivals);
    let how = format!("the most in one second, of {arrivals} arrivals");
    Some(per_second("peak", seen, Source::Recording { how }))
}

fn size(name: &Name, event: &Event, measured: Option<&Measured>) -> Option<Input> {
    if let Some(Bytes(bytes)) = event.targets.size {
        let source = target(name, event, "size");
        return Some(Input::new("size", bytes as f64, Unit::Bytes, source));
    }
    let bytes = measured?.bytes?;
    let how = "mean of payloads".to_owned();
    Some(Input::new(
        "size",
        bytes,
        Unit::Bytes,
        Source::Recording { how },
    ))
}

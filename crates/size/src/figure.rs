//! A number with how it came to be: its formula, what went into it, and where that stands.

use serde::Serialize;
use tidegate_base::{Bytes, Rate, format_duration};
use tidegate_model::Place;

use crate::facts::Fact;
use crate::formulas::enough;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Things.
    Count,
    /// Events, deliveries or messages a second.
    PerSecond,
    /// Bytes.
    Bytes,
    /// Bytes a second.
    BytesPerSecond,
    /// Seconds.
    Seconds,
    /// Of a whole, from 0 to 1.
    Share,
}

impl Unit {
    /// `value` as people read it.
    #[must_use]
    pub fn text(self, value: f64) -> String {
        match self {
            Self::Count => plain(value),
            Self::PerSecond => {
                Rate::per_second(value).map_or_else(|| value.to_string(), |rate| rate.to_string())
            }
            Self::Bytes => bytes(value),
            Self::BytesPerSecond => format!("{}/s", bytes(value)),
            Self::Seconds => seconds(value),
            Self::Share => format!("{}%", plain(value * 100.0)),
        }
    }
}

/// At most two decimals; three digits of what is smaller than one.
fn plain(value: f64) -> String {
    let text = if value != 0.0 && value.abs() < 0.1 {
        format!("{value:.3}")
    } else {
        format!("{value:.2}")
    };
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

pub(crate) fn seconds(value: f64) -> String {
    std::time::Duration::try_from_secs_f64(value)
        .map_or_else(|_| "for ever".to_owned(), format_duration)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "amounts are not negative, and the cast saturates"
)]
fn bytes(value: f64) -> String {
    const TIB: f64 = 1_099_511_627_776.0;
    if value >= TIB {
        return format!("{}TiB", plain(value / TIB));
    }
    Bytes(value.round() as u64).to_string()
}

/// Where a number comes from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum Source {
    /// The design says it.
    Design {
        /// The field: `events.OrderPlaced.targets`.
        path: String,
        /// Where it is written.
        place: Place,
    },
    /// It was measured in the recording.
    Recording {
        /// How.
        how: String,
    },
    /// A fact about a broker.
    Fact(Box<Fact>),
    /// An option of the command.
    Option {
        /// Its name: `--replicas`.
        name: &'static str,
    },
    /// A number of this report.
    Computed,
    /// Nobody says it.
    Assumed {
        /// Why this value.
        why: &'static str,
    },
}

impl Source {
    /// The source in a few words.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Design { place, .. } => place.to_string(),
            Self::Recording { how } => format!("recording: {how}"),
            Self::Fact(fact) => format!("{}, {}", fact.source, fact.as_of),
            Self::Option { name } => (*name).to_owned(),
            Self::Computed => "see there".to_owned(),
            Self::Assumed { why } => format!("assumed: {why}"),
        }
    }
}

/// What goes into a number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Input {
    /// Its name in the formula.
    pub name: &'static str,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: Unit,
    /// Where it comes from.
    #[serde(flatten)]
    pub source: Source,
}

impl Input {
    pub(crate) fn new(name: &'static str, value: f64, unit: Unit, source: Source) -> Self {
        Self {
            name,
            value,
            unit,
            source,
        }
    }

    pub(crate) fn computed(name: &'static str, value: f64, unit: Unit) -> Self {
        Self::new(name, value, unit, Source::Computed)
    }

    /// The same under another name.
    pub(crate) fn named(&self, name: &'static str) -> Self {
        Self {
            name,
            ..self.clone()
        }
    }
}

/// A number by a formula.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Its name.
    pub name: &'static str,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: Unit,
    /// How it was computed, in the names of the inputs.
    pub formula: &'static str,
    /// What went into it.
    pub inputs: Vec<Input>,
}

impl Figure {
    pub(crate) fn new(
        name: &'static str,
        (value, unit): (f64, Unit),
        formula: &'static str,
        inputs: Vec<Input>,
    ) -> Self {
        Self {
            name,
            value,
            unit,
            formula,
            inputs,
        }
    }

    /// Formula, inputs and sources in one line.
    #[must_use]
    pub fn text(&self) -> String {
        let inputs: Vec<String> = self
            .inputs
            .iter()
            .map(|input| match &input.source {
                Source::Computed => format!("{} {}", input.name, input.unit.text(input.value)),
                source => format!(
                    "{} {} ({})",
                    input.name,
                    input.unit.text(input.value),
                    source.text()
                ),
            })
            .collect();
        let value = self.unit.text(self.value);
        if inputs.is_empty() {
            return format!("{value} = {}", self.formula);
        }
        format!("{value} = {}; {}", self.formula, inputs.join(", "))
    }
}

/// A count that has to be enough by several terms.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Need {
    /// The count.
    pub count: u64,
    /// The term that asks for most.
    pub binds: &'static str,
    /// Every term, before it is rounded up.
    pub terms: Vec<Figure>,
    /// Terms that cannot be computed, each with what is missing.
    pub unknown: Vec<String>,
}

impl Need {
    /// Enough for every term; one without any.
    pub(crate) fn of(terms: Vec<Figure>, unknown: Vec<String>) -> Self {
        // The first of equals: terms stand in the order in which they explain most.
        let most = terms.iter().reduce(|most, term| {
            if enough(term.value) > enough(most.value) {
                term
            } else {
                most
            }
        });
        let (count, binds) = most.map_or((1, "nothing"), |term| (enough(term.value), term.name));
        Self {
            count,
            binds,
            terms,
            unknown,
        }
    }

    /// The term that asks for most.
    #[must_use]
    pub fn binding(&self) -> Option<&Figure> {
        self.terms.iter().find(|term| term.name == self.binds)
    }
}

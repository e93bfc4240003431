//! Who reads an event or one of its fields, and who breaks if it changes.

use indexmap::IndexMap;
use thiserror::Error;
use tidegate_base::Name;
use tidegate_model::design::{ConsumerRef, Event, SchemaFormat};
use tidegate_model::{Design, closest, field_segments};
use tidegate_schema::EventSchema;

use super::change::{Change, changed};
use super::demand::{self, Clause};
use super::judge::{Broken, Verdict, judge};
use super::matrix::schema_of;
use super::payload::Payload;
use super::promise::Promise;
use super::rule::{Expression, fields_read};
use super::shape::{Found, Shape};

/// What a change of an event, or of one of its fields, does.
#[derive(Clone, Debug)]
pub struct Impact {
    /// The event.
    pub event: Name,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The field, as a JSON pointer; `None` for the whole event.
    pub field: Option<String>,
    /// Services that publish it.
    pub producers: Vec<Party>,
    /// Consumers that rely on the field, or, without one, on anything they name.
    pub readers: Vec<Reader>,
    /// Consumers that name nothing, and so may read anything.
    pub whole: Vec<Party>,
    /// Consumers that name other fields and not this one.
    pub others: Vec<Party>,
    /// Whether the field is the event's key.
    pub is_key: bool,
    /// Rules of the event that read the field.
    pub rules: Vec<String>,
    /// Of every field that is relied on, by whom; without a field alone.
    pub fields: Vec<(String, Vec<Name>)>,
    /// What each change does; without a field, none.
    pub changes: Vec<Changed>,
}

/// A service with its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// The service.
    pub service: Name,
    /// Who answers for it.
    pub owner: Option<String>,
}

/// A consumer with what it relies on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Who it is.
    pub party: Party,
    /// What it relies on, in words.
    pub clauses: Vec<String>,
}

/// What one change does to every consumer.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The change.
    pub change: Change,
    /// The change in words.
    pub words: String,
    /// Consumers that break.
    pub breaks: Vec<(Party, Broken)>,
    /// Consumers of which it was not shown whether they break.
    pub not_proved: Vec<(Party, String)>,
    /// Consumers that go on as before.
    pub keeps: Vec<Party>,
    /// Consumers that are broken as it is, and by the change no more than that.
    pub already: Vec<Party>,
}

/// Why there is no impact to tell.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ImpactError {
    /// There is no such event.
    #[error("the design has no event `{name}`{}", match .did_you_mean {
        Some(close) => format!("; did you mean `{close}`?"),
        None => String::new(),
    })]
    UnknownEvent {
        /// The event as asked.
        name: String,
        /// The one that is close.
        did_you_mean: Option<String>,
    },
    /// The schema has no such field.
    #[error("the schema of `{event}` does not declare `{field}`{}", match .did_you_mean {
        Some(close) => format!("; did you mean `{close}`?"),
        None => String::new(),
    })]
    UnknownField {
        /// The event.
        event: String,
        /// The field as asked.
        field: String,
        /// The one that is close.
        did_you_mean: Option<String>,
    },
    /// The field is no JSON pointer.
    #[error("`{0}` is no JSON pointer: write it as in `OrderPlaced#/customer/id`")]
    NotAPointer(String),
}

impl Impact {
    /// The impact of `EVENT` or `EVENT#/field` in a design.
    ///
    /// # Errors
    ///
    /// [`ImpactError`] when there is no such event or field.
    pub fn of(design: &Design, asked: &str) -> Result<Self, ImpactError> {
        let (name, field) = match asked.split_once('#') {
            Some((name, field)) => (name, Some(field)),
            None => (asked, None),
        };
        let Some((name, event)) = design
            .events
            .iter()
            .find(|(known, _)| known.as_str() == name)
        else {
            let known = design.events.keys().map(Name::as_str);
            return Err(ImpactError::UnknownEvent {
                name: name.to_owned(),
                did_you_mean: closest(name, known).map(str::to_owned),
            });
        };
        let path = match field {
            None => None,
            Some(field) => Some(
                field_segments(field).map_err(|_| ImpactError::NotAPointer(field.to_owned()))?,
            ),
        };
        let promise = Promise::of(event, event.schema.as_ref());
        if let (Some(path), Some(shape)) = (&path, promise.shape()) {
            is_declared(name, path, shape)?;
        }
        let mut impact = Self::start(design, name, event, path.as_deref());
        for consumer in design.consumers().filter(|one| one.event_name == name) {
            impact.take(event, &consumer, path.as_deref(), promise.shape());
        }
        if let Some(path) = &path {
            impact.rules = rules(event, path, promise.shape());
            impact.changes = Change::ALL
                .iter()
                .filter_map(|change| Changed::of(design, (name, event), &promise, (path, *change)))
                .collect();
        }
        Ok(impact)
    }

    fn start(design: &Design, name: &Name, event: &Event, path: Option<&[String]>) -> Self {
        let producers = design
            .publishers(name)
            .map(|service| party(design, service));
        let key = event
            .key
            .as_ref()
            .map(|key| field_segments(&key.value).unwrap_or_default());
        Self {
            event: name.clone(),
            owner: event.owner.as_ref().map(|owner| owner.value.clone()),
            field: path.map(pointer),
            producers: producers.collect(),
            readers: Vec::new(),
            whole: Vec::new(),
            others: Vec::new(),
            is_key: path.is_some_and(|path| key.is_some_and(|key| key.starts_with(path))),
            rules: Vec::new(),
            fields: Vec::new(),
            changes: Vec::new(),
        }
    }

    fn take(
        &mut self,
        event: &Event,
        consumer: &ConsumerRef<'_>,
        path: Option<&[String]>,
        shape: Option<&Shape>,
    ) {
        let owner = consumer.service.owner.as_ref();
        let party = Party {
            service: consumer.service_name.clone(),
            owner: owner.map(|owner| owner.value.clone()),
        };
        let clauses = demand::clauses(consumer.consume, event);
        if matches!(clauses.as_slice(), [Clause::Whole(_)]) {
            self.whole.push(party);
            return;
        }
        let mut words = Vec::new();
        let mut named: IndexMap<String, ()> = IndexMap::new();
        for clause in &clauses {
            let paths = paths(clause, shape);
            if path.is_none_or(|path| paths.iter().any(|read| touches(read, path))) {
                words.push(clause.words());
            }
            named.extend(paths.iter().map(|path| (pointer(path), ())));
        }
        if path.is_none() {
            for field in named.into_keys() {
                match self.fields.iter_mut().find(|(known, _)| *known == field) {
                    Some((_, readers)) => readers.push(party.service.clone()),
                    None => self.fields.push((field, vec![party.service.clone()])),
                }
            }
        }
        if words.is_empty() {
            self.others.push(party);
        } else {
            self.readers.push(Reader {
                party,
                clauses: words,
            });
        }
    }

    /// Whether any of the changes breaks a consumer.
    #[must_use]
    pub fn breaks_any(&self) -> bool {
        self.changes
            .iter()
            .any(|changed| !changed.breaks.is_empty())
    }
}

impl Changed {
    fn of(
        design: &Design,
        (name, event): (&Name, &Event),
        now: &Promise<'_>,
        (path, change): (&[String], Change),
    ) -> Option<Self> {
        let (payload, shape) = (now.payload()?, now.shape()?);
        let (root, words) = changed(&payload.root, shape, path, change)?;
        let supposed = Payload {
            judge: EventSchema::json(&root.to_string()).ok()?,
            root,
            format: SchemaFormat::JsonSchema,
        };
        let then = Promise::supposed(supposed);
        let mut changed = Self {
            change,
            words,
            breaks: Vec::new(),
            not_proved: Vec::new(),
            keeps: Vec::new(),
            already: Vec::new(),
        };
        for consumer in design.consumers().filter(|one| one.event_name == name) {
            changed.take(design, event, &consumer, (now, &then));
        }
        Some(changed)
    }

    fn take(
        &mut self,
        design: &Design,
        event: &Event,
        consumer: &ConsumerRef<'_>,
        (now, then): (&Promise<'_>, &Promise<'_>),
    ) {
        let party = party(design, consumer.service_name);
        let mut unproved = None;
        let mut was_broken = false;
        for clause in demand::clauses(consumer.consume, event) {
            let read = |version: &str| schema_of(event, version);
            match judge(then, &clause, &read) {
                Verdict::Met => {}
                // What is broken as it is breaks no more by the change.
                verdict => match (judge(now, &clause, &read), verdict) {
                    (Verdict::Met, Verdict::Unmet(broken)) => {
                        self.breaks.push((party, broken));
                        return;
                    }
                    (Verdict::Met, Verdict::NotProved(why)) => unproved = unproved.or(Some(why)),
                    _ => was_broken = true,
                },
            }
        }
        match unproved {
            Some(why) => self.not_proved.push((party, why)),
            None if was_broken => self.already.push(party),
            None => self.keeps.push(party),
        }
    }
}

fn party(design: &Design, service: &Name) -> Party {
    let of = design.services.get(service);
    let owner = of.and_then(|of| of.owner.as_ref());
    Party {
        service: service.clone(),
        owner: owner.map(|owner| owner.value.clone()),
    }
}

/// The fields that a clause reads.
fn paths(clause: &Clause<'_>, shape: Option<&Shape>) -> Vec<Vec<String>> {
    match clause {
        Clause::Field(requirement) => vec![demand::path(requirement)],
        Clause::Rule(rule) => match Expression::read(&rule.expression.value, shape) {
            Ok(expression) => fields_read(&expression),
            Err(_) => Vec::new(),
        },
        Clause::Whole(_) => Vec::new(),
    }
}

/// Whether a change at `path` is one of what is read: the field, what is around it, or inside it.
fn touches(read: &[String], path: &[String]) -> bool {
    read.starts_with(path) || path.starts_with(read)
}

fn rules(event: &Event, path: &[String], shape: Option<&Shape>) -> Vec<String> {
    let reads = |text: &&str| {
        let read = Expression::read(text, shape).map(|rule| fields_read(&rule));
        read.is_ok_and(|fields| fields.iter().any(|read| touches(read, path)))
    };
    let rules = event
        .rules
        .iter()
        .map(|rule| rule.expression.value.as_str());
    rules.filter(reads).map(str::to_owned).collect()
}

fn is_declared(event: &Name, path: &[String], shape: &Shape) -> Result<(), ImpactError> {
    match shape.at(path) {
        Found::Undeclared { name, known } => Err(ImpactError::UnknownField {
            event: event.to_string(),
            field: pointer(path),
            did_you_mean: closest(&name, known).map(|close| {
                let mut right = path.to_vec();
                right
                    .iter_mut()
                    .filter(|one| **one == name)
                    .for_each(|one| *one = close.to_owned());
                pointer(&right)
            }),
        }),
        Found::Node(..) | Found::Untold => Ok(()),
    }
}

fn pointer(path: &[String]) -> String {
    let parts = path
        .iter()
        .map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1")));
    parts.collect()
}

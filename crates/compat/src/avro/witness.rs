//! A datum that a reader cannot read, made from the steps that lead to the place and the least
//! values beside them, and shown only after it was read.

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use tidegate_schema::avro::{Avro, DATUM_DEPTH_MAX, Datum, Kind, Logical, NodeId};

use super::read::read;
use super::walk::{Break, Found, Pair, Step};
use crate::verdict::Witness;

/// Most values of a datum that is made.
const VALUES_MAX: usize = 20_000;
/// Longest message of the library of Apache that is shown, in characters.
const MESSAGE_CHARS_MAX: usize = 200;

/// What came of making a datum.
#[derive(Debug)]
pub(super) enum Made {
    /// It was refused as it should be.
    Shown(Witness),
    /// No datum has a value at the place.
    Unreachable,
    /// It was not made, for this reason.
    Not(&'static str),
}

/// Makes data of a writer's schema.
#[derive(Debug)]
pub(super) struct Maker<'a> {
    pair: &'a Pair<'a>,
    least: Least,
    /// Both as the library of Apache reads them; `None` when it refuses one.
    apache: Option<(Schema, Schema)>,
}

impl<'a> Maker<'a> {
    pub(super) fn new(pair: &'a Pair<'a>) -> Self {
        let parse = |schema: &Avro| Schema::parse_str(schema.text()).ok();
        Self {
            pair,
            least: Least::of(pair.writer),
            apache: parse(pair.writer).zip(parse(pair.reader)),
        }
    }

    /// A datum that breaks at the place that was found.
    pub(super) fn witness(&self, found: &Found, breaks: &Break) -> Made {
        let writer = self.pair.writer;
        let steps = found.steps.iter().filter(|(_, step)| *step != Step::Stay);
        if steps.count() > DATUM_DEPTH_MAX {
            return Made::Not("it would be nested too deep");
        }
        let through = found.steps.iter().map(|(id, _)| *id).chain([found.at]);
        let mut waiting = through.map(|id| self.least.height(id));
        if waiting.any(|height| height.is_none()) {
            return if self.least.is_complete {
                Made::Unreachable
            } else {
                Made::Not("it would be nested too deep")
            };
        }
        let mut budget = VALUES_MAX;
        let Some(value) = self.breaking(found.at, breaks, &mut budget) else {
            return Made::Not("it would be too large");
        };
        let Some(datum) = self.wrap(&found.steps, value, &mut budget) else {
            return Made::Not("it would be too large");
        };
        let path = path(writer, &found.steps);
        self.verify(&datum, path)
    }

    fn verify(&self, datum: &Datum, path: String) -> Made {
        let Pair { writer, reader } = self.pair;
        let Some(bytes) = writer.encode(datum) else {
            return Made::Not("it could not be written");
        };
        let Ok(written) = writer.decode(&bytes) else {
            return Made::Not("the writer's own schema does not read it");
        };
        let Err(refusals) = read(writer, reader, &written) else {
            return Made::Not("the reader reads it");
        };
        let Some(refusal) = refusals.into_iter().find(|refusal| refusal.path == path) else {
            return Made::Not("the reader refuses it for another reason");
        };
        let error = match self.apache(&bytes) {
            Some(message) => format!("{}; apache-avro: {message}", refusal.message),
            None => format!(
                "{}; apache-avro does not notice and reads on",
                refusal.message
            ),
        };
        Made::Shown(Witness {
            event: writer.to_json(datum),
            bytes: Some(bytes),
            path,
            error,
        })
    }

    /// Why the library of Apache refuses the bytes; `None` when it reads them or cannot say.
    fn apache(&self, mut bytes: &[u8]) -> Option<String> {
        let (writer, reader) = self.apache.as_ref()?;
        let reading = GenericDatumReader::builder(writer)
            .reader_schema(reader)
            .build();
        let error = reading.ok()?.read_value(&mut bytes).err()?;
        let text = error.to_string();
        let short: String = text.chars().take(MESSAGE_CHARS_MAX).collect();
        Some(if short.len() < text.len() {
            format!("{short}…")
        } else {
            short
        })
    }

    fn breaking(&self, at: NodeId, breaks: &Break, budget: &mut usize) -> Option<Datum> {
        let node = self.pair.writer.node(at);
        match (breaks, &node.kind) {
            (Break::Symbol(index), Kind::Enum { .. }) => Some(Datum::Enum(*index)),
            (Break::NotText, Kind::Bytes) => Some(Datum::Bytes(vec![0xff])),
            (Break::Large, Kind::Long) => Some(Datum::Long(match node.logical {
                Some(Logical::TimeOfDay { per_day }) => per_day - 1,
                _ => i64::MAX,
            })),
            (Break::Large, Kind::Double) => Some(Datum::Double(f64::MAX)),
            (Break::Large, Kind::Float) => Some(Datum::Float(0.5)),
            (Break::Large, Kind::Bytes) if node.logical.is_none() => Some(Datum::Bytes(vec![0xff])),
            (Break::Large, Kind::String) if node.logical.is_none() => {
                Some(Datum::String("text".to_owned()))
            }
            _ => self.least.datum(self.pair.writer, at, budget),
        }
    }

    /// The value inside of everything that leads to it.
    fn wrap(&self, steps: &[(NodeId, Step)], value: Datum, budget: &mut usize) -> Option<Datum> {
        let mut datum = value;
        for (id, step) in steps.iter().rev() {
            datum = match (step, &self.pair.writer.node(*id).kind) {
                (Step::Stay, _) => datum,
                (Step::Item, _) => Datum::Array(vec![datum]),
                (Step::Value, _) => Datum::Map(vec![("key".to_owned(), datum)]),
                (Step::Branch(index), _) => Datum::Union(*index, Box::new(datum)),
                (Step::Field(index), Kind::Record { fields, .. }) => {
                    let mut values = Vec::with_capacity(fields.len());
                    for (at, field) in fields.iter().enumerate() {
                        values.push(if at == *index {
                            std::mem::replace(&mut datum, Datum::Null)
                        } else {
                            self.least.datum(self.pair.writer, field.node, budget)?
                        });
                    }
                    Datum::Record(values)
                }
                (Step::Field(_), _) => return None,
            };
        }
        Some(datum)
    }
}

/// Where the steps lead in the JSON encoding.
fn path(writer: &Avro, steps: &[(NodeId, Step)]) -> String {
    let mut path = String::new();
    for (id, step) in steps {
        match (step, &writer.node(*id).kind) {
            (Step::Item, _) => path.push_str("/0"),
            (Step::Value, _) => path.push_str("/key"),
            (Step::Field(index), Kind::Record { fields, .. }) => {
                let name = fields.get(*index).map_or("", |field| field.name.as_str());
                path.push('/');
                path.push_str(name);
            }
            (Step::Branch(index), Kind::Union(branches)) => {
                let branch = branches.get(*index).copied();
                if let Some(branch) = branch.filter(|id| writer.node(*id).kind != Kind::Null) {
                    path.push('/');
                    path.push_str(&writer.name(branch));
                }
            }
            _ => {}
        }
    }
    path
}

/// The least datum of every type: how deep it is nested.
#[derive(Debug)]
struct Least {
    heights: Vec<Option<usize>>,
    /// Whether a type without a height has no datum at all.
    is_complete: bool,
}

impl Least {
    fn of(schema: &Avro) -> Self {
        let mut least = Self {
            heights: vec![None; schema.len()],
            is_complete: false,
        };
        let ids: Vec<NodeId> = schema.ids().collect();
        for round in 0..DATUM_DEPTH_MAX {
            let mut changed = false;
            let mut visit = |id: &NodeId| {
                let known = least.height(*id);
                let found = least.reach(schema, *id);
                if found.is_some() && (known.is_none() || found < known) {
                    least.set(*id, found);
                    changed = true;
                }
            };
            // Both ways: a type stands before those inside of it, and after those it refers to.
            if round % 2 == 0 {
                ids.iter().rev().for_each(&mut visit);
            } else {
                ids.iter().for_each(&mut visit);
            }
            if !changed {
                least.is_complete = true;
                break;
            }
        }
        least
    }

    fn height(&self, id: NodeId) -> Option<usize> {
        self.heights.get(id.index()).copied().flatten()
    }

    fn set(&mut self, id: NodeId, height: Option<usize>) {
        if let Some(slot) = self.heights.get_mut(id.index()) {
            *slot = height;
        }
    }

    fn reach(&self, schema: &Avro, id: NodeId) -> Option<usize> {
        match &schema.node(id).kind {
            Kind::Union(branches) => {
                let heights = branches.iter().filter_map(|branch| self.height(*branch));
                heights.min().map(|height| height + 1)
            }
            Kind::Record { fields, .. } => {
                let mut most = 0;
                for field in fields {
                    most = most.max(self.height(field.node)?);
                }
                Some(most + 1)
            }
            Kind::Enum { symbols, .. } => (!symbols.is_empty()).then_some(0),
            _ => Some(0),
        }
    }

    fn datum(&self, schema: &Avro, id: NodeId, budget: &mut usize) -> Option<Datum> {
        *budget = budget.checked_sub(1)?;
        let height = self.height(id)?;
        if height > DATUM_DEPTH_MAX {
            return None;
        }
        let node = schema.node(id);
        Some(match &node.kind {
            Kind::Null => Datum::Null,
            Kind::Boolean => Datum::Boolean(false),
            Kind::Int => Datum::Int(0),
            Kind::Long => Datum::Long(0),
            Kind::Float => Datum::Float(0.0),
            Kind::Double => Datum::Double(0.0),
            Kind::Bytes => Datum::Bytes(Vec::new()),
            Kind::String if node.logical == Some(Logical::Uuid) => {
                Datum::String("00000000-0000-0000-0000-000000000000".to_owned())
            }
            Kind::String => Datum::String(String::new()),
            Kind::Array(_) => Datum::Array(Vec::new()),
            Kind::Map(_) => Datum::Map(Vec::new()),
            Kind::Union(branches) => {
                let known = branches.iter().enumerate();
                let known = known.filter_map(|(at, id)| Some((self.height(*id)?, at, *id)));
                let (_, at, branch) = known.min_by_key(|(height, at, _)| (*height, *at))?;
                Datum::Union(at, Box::new(self.datum(schema, branch, budget)?))
            }
            Kind::Record { fields, .. } => {
                let values = fields.iter();
                let values = values.map(|field| self.datum(schema, field.node, budget));
                Datum::Record(values.collect::<Option<_>>()?)
            }
            Kind::Enum { .. } => Datum::Enum(0),
            // A length that a schema asks for is not the length of a witness.
            Kind::Fixed { size, .. } if *size > VALUES_MAX => return None,
            Kind::Fixed { size, .. } => Datum::Fixed(vec![0; *size]),
        })
    }
}

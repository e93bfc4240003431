//! A schema that is asked about: compiled with what it uses, and in the form that it is known by.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::prost::Message as _;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tidegate_base::limit::{
    REGISTRY_METADATA_BYTES_MAX, REGISTRY_REFERENCES_MAX, SCHEMA_BYTES_MAX,
};
use tidegate_compat::json::{Draft, Named, Schema};
use tidegate_schema::avro::{Avro, inline};
use tidegate_schema::protobuf::{Protobuf, Sources};
use tidegate_schema::{SchemaError, proto_text};

use crate::avro_form;
use crate::body::{Body, Reference, SchemaType};
use crate::command::VersionWanted;
use crate::error::ApiError;
use crate::index::{Index, Listed};

/// Deepest chain of schemas that use each other.
const CHAIN_MAX: usize = 32;

/// A schema compiled.
#[derive(Clone, Debug)]
pub enum Parsed {
    /// An Avro schema, with the types that it takes from others in it.
    Avro(Arc<Avro>),
    /// A JSON Schema with the documents that it refers to.
    Json(Arc<Schema>),
    /// A Protobuf file with those that it imports.
    Protobuf {
        /// The name of the file itself.
        own: String,
        /// All files by their names.
        sources: Arc<Sources>,
        /// The same, compiled.
        compiled: Arc<Protobuf>,
    },
}

impl Parsed {
    /// What it is written in.
    #[must_use]
    pub const fn schema_type(&self) -> SchemaType {
        match self {
            Self::Avro(_) => SchemaType::Avro,
            Self::Json(_) => SchemaType::Json,
            Self::Protobuf { .. } => SchemaType::Protobuf,
        }
    }

    /// The text that `format` asks for: of a Protobuf file its descriptor in base64, of an Avro schema
    /// the one that stands alone; none when the text as registered will do.
    #[must_use]
    pub fn formatted(&self, format: &str) -> Option<String> {
        match (self, format) {
            (Self::Protobuf { own, compiled, .. }, "serialized") => {
                let bytes = proto_text::to_descriptor(compiled, own)?;
                Some(STANDARD.encode(bytes))
            }
            (Self::Avro(avro), "resolved") => Some(avro.text().to_owned()),
            _ => None,
        }
    }
}

/// A schema ready to be compared and kept.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// As it will be kept.
    pub body: Body,
    /// What it is recognised by.
    pub identity: String,
    /// What versions of Tidegate before the form of Avro schemas recognised it by.
    pub former_identity: String,
    /// The schema compiled.
    pub parsed: Parsed,
}

/// Reads a schema that a request carries.
///
/// # Errors
///
/// 42201 when it is no schema, or uses what is not there; 42209 when it is too large.
pub fn prepare(
    index: &Index,
    mut body: Body,
    normalize: bool,
    listed: Listed,
) -> Result<Prepared, ApiError> {
    check_size(&body)?;
    let texts = collect(index, &body.references, listed)?;
    if body.schema_type == SchemaType::Protobuf {
        body.schema = proto_source(&body.schema, &texts)?;
    }
    let parsed = compile(&body, &texts)?;
    if normalize && body.schema_type != SchemaType::Protobuf {
        let value = document(&body)?;
        let value = match body.schema_type {
            SchemaType::Avro => avro_form::of(&value),
            _ => value,
        };
        body.schema = sorted(&value).to_string();
    }
    let (identity, former_identity) = identities(&body, &parsed)?;
    Ok(Prepared {
        body,
        identity,
        former_identity,
        parsed,
    })
}

/// Compiles what is registered.
///
/// # Errors
///
/// 42201 when it is no schema any more, such as when what it uses is gone.
pub fn parse(index: &Index, body: &Body) -> Result<Parsed, ApiError> {
    let texts = collect(index, &body.references, Listed::All)?;
    compile(body, &texts)
}

/// As [`parse`], with the texts of the schemas that it uses by the names that it calls them.
///
/// # Errors
///
/// Those of [`parse`]; 42209 when it is too large.
pub fn parse_with(body: &Body, used: &[(String, String)]) -> Result<Parsed, ApiError> {
    check_size(body)?;
    compile(body, used)
}

fn check_size(body: &Body) -> Result<(), ApiError> {
    if body.schema.trim().is_empty() && body.schema_type != SchemaType::Protobuf {
        return Err(ApiError::invalid_schema("Invalid schema: it is empty"));
    }
    let large = |what: &str, bytes: usize, most: usize| {
        let message = format!("{what} is {bytes} bytes; the most is {most}");
        Err(ApiError::new(42209, message))
    };
    if body.schema.len() > SCHEMA_BYTES_MAX {
        return large("the schema", body.schema.len(), SCHEMA_BYTES_MAX);
    }
    let said = body.bytes() - body.schema.len();
    if said > REGISTRY_METADATA_BYTES_MAX {
        let what = "what is said beside the schema";
        return large(what, said, REGISTRY_METADATA_BYTES_MAX);
    }
    Ok(())
}

/// The texts of the schemas that are used, directly and through others: what is used comes before
/// what uses it, and each once.
fn collect(
    index: &Index,
    references: &[Reference],
    listed: Listed,
) -> Result<Vec<(String, String)>, ApiError> {
    let mut found = Vec::new();
    follow(index, references, listed, 0, &mut found)?;
    Ok(found)
}

fn follow(
    index: &Index,
    references: &[Reference],
    listed: Listed,
    depth: usize,
    found: &mut Vec<(String, String)>,
) -> Result<(), ApiError> {
    for reference in references {
        if found.iter().any(|(name, _)| *name == reference.name) {
            continue;
        }
        if depth > CHAIN_MAX || found.len() >= REGISTRY_REFERENCES_MAX {
            return Err(ApiError::invalid_schema(format!(
                "Invalid schema: it uses more than {REGISTRY_REFERENCES_MAX} others, or a chain of more than {CHAIN_MAX}"
            )));
        }
        let (subject, version) = (&reference.subject, reference.version);
        let wanted = VersionWanted::Number(version);
        let used = index.version(subject, wanted, listed).map_err(|_| {
            ApiError::invalid_schema(format!(
                "Invalid schema: No schema reference found for subject \"{subject}\" and version {version}"
            ))
        })?;
        // What was registered may use what is hidden since.
        follow(index, &used.body.references, Listed::All, depth + 1, found)?;
        found.push((reference.name.clone(), used.body.schema.clone()));
    }
    Ok(())
}

fn refused(error: &dyn std::fmt::Display) -> ApiError {
    ApiError::invalid_schema(format!("Invalid schema: {error}"))
}

fn compile(body: &Body, texts: &[(String, String)]) -> Result<Parsed, ApiError> {
    match body.schema_type {
        SchemaType::Avro => {
            let others: Vec<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
            let whole = inline(&body.schema, &others).map_err(|error| refused(&error))?;
            let avro = Avro::parse(&whole).map_err(|error| refused(&error))?;
            Ok(Parsed::Avro(avro.into()))
        }
        SchemaType::Json => {
            let others = texts.iter().map(|(name, text)| Named { name, text });
            let others: Vec<Named<'_>> = others.collect();
            let own = free_name(texts, "registered.json");
            let root = Named {
                name: &own,
                text: &body.schema,
            };
            let schema = Schema::read(root, &others, Draft::Seven).map_err(|e| refused(&e))?;
            Ok(Parsed::Json(schema.into()))
        }
        SchemaType::Protobuf => {
            let own = free_name(texts, "registered.proto");
            let mut sources: Sources = texts.iter().cloned().collect();
            sources.insert(own.clone(), body.schema.clone());
            let compiled = Protobuf::compile(&sources, None).map_err(|error| refused(&error))?;
            Ok(Parsed::Protobuf {
                own,
                sources: sources.into(),
                compiled: compiled.into(),
            })
        }
    }
}

/// A name that no other has.
fn free_name(texts: &[(String, String)], wanted: &str) -> String {
    let mut name = wanted.to_owned();
    while texts.iter().any(|(taken, _)| *taken == name) {
        name.insert(0, '_');
    }
    name
}

/// The source of a Protobuf file, also of one that is given as its descriptor in base64: a source
/// has signs that base64 has not.
fn proto_source(text: &str, texts: &[(String, String)]) -> Result<String, ApiError> {
    if text.trim().is_empty() || text.contains([';', '{', '}', '"']) {
        return Ok(text.to_owned());
    }
    let bytes = STANDARD.decode(text.trim());
    let bytes = bytes
        .map_err(|_| refused(&"it is neither a Protobuf source nor a descriptor in base64"))?;
    let imports: Sources = texts.iter().cloned().collect();
    let described: Result<_, SchemaError> = proto_text::of_descriptor(&bytes, &imports);
    Ok(described.map_err(|error| refused(&error))?.text)
}

fn document(body: &Body) -> Result<Value, ApiError> {
    match serde_json::from_str(&body.schema) {
        Ok(value) => Ok(value),
        // A bare name is how many tools write a primitive type of Avro.
        Err(_) if body.schema_type == SchemaType::Avro => {
            Ok(Value::String(body.schema.trim().to_owned()))
        }
        Err(error) => Err(refused(&error)),
    }
}

/// The word of `{"type": "string"}`, which in Avro is the same as `"string"`.
fn bare(value: &Value) -> Option<&Value> {
    let object = value.as_object()?;
    let kind = object.get("type").filter(|_| object.len() == 1)?;
    kind.is_string().then_some(kind)
}

/// What a schema is recognised by, and what it was before: white space says nothing, nor in Avro
/// what its own library drops, nor in Protobuf how the source is written.
fn identities(body: &Body, parsed: &Parsed) -> Result<(String, String), ApiError> {
    let form = match parsed {
        Parsed::Avro(_) => {
            let value = document(body)?;
            let former = sorted(bare(&value).unwrap_or(&value)).to_string();
            let form = sorted(&avro_form::of(&value)).to_string();
            return Ok((digest(body, &form), digest(body, &former)));
        }
        Parsed::Json(_) => document(body)?.to_string(),
        Parsed::Protobuf { own, compiled, .. } => {
            let file = compiled.pool().get_file_by_name(own);
            let plain = file.map(|file| proto_text::plain(file.file_descriptor_proto()));
            // Bytes as text, since they go into JSON.
            STANDARD.encode(plain.unwrap_or_default().encode_to_vec())
        }
    };
    let identity = digest(body, &form);
    Ok((identity.clone(), identity))
}

/// What an Avro schema that was written down is recognised by now; of the other formats that is
/// what is written with it.
pub(crate) fn identity_now(body: &Body) -> Option<String> {
    if body.schema_type != SchemaType::Avro {
        return None;
    }
    let value = document(body).ok()?;
    Some(digest(body, &sorted(&avro_form::of(&value)).to_string()))
}

fn digest(body: &Body, form: &str) -> String {
    let whole = json!([
        body.schema_type.name(),
        form,
        body.references
            .iter()
            .map(|one| json!([one.name, one.subject, one.version]))
            .collect::<Vec<_>>(),
        body.metadata.as_ref().map(sorted),
        body.rule_set.as_ref().map(sorted),
    ]);
    let digest = Sha256::digest(whole.to_string().as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The value with the names of its objects in their order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut names: Vec<&String> = object.keys().collect();
            names.sort_unstable();
            let fields = names.into_iter();
            let fields = fields.filter_map(|name| Some((name.clone(), sorted(object.get(name)?))));
            Value::Object(fields.collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

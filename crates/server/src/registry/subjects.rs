//! Subjects and their versions.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde_json::{Value, json};
use tidegate_registry::{ApiError, Command, Done, VersionWanted};
use tidegate_runtime::Runtime;

use super::request::{self, Parameters, SchemaRequest, flag, listed, page, read};
use super::{Refusal, answer, of};

pub(super) async fn list(
    State(runtime): State<Runtime>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Value>, Refusal> {
    let index = of(&runtime)?.index();
    let found = index.subjects(listed(&parameters), request::prefix(&parameters));
    Ok(Json(json!(page(found, &parameters))))
}

pub(super) async fn lookup(
    State(runtime): State<Runtime>,
    Path(subject): Path<String>,
    Query(parameters): Query<Parameters>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Refusal> {
    let asked: SchemaRequest = read(body)?;
    let subject = request::subject(&subject);
    let found = of(&runtime)?.beside(move |registry, _| {
        let index = registry.index();
        let normalize = flag(&parameters, "normalize");
        let body = asked.body(&index)?;
        let found = index.lookup(&subject, body, normalize, listed(&parameters))?;
        answer::versioned(&index, &found, format(&parameters))
    });
    Ok(Json(found.await?))
}

fn format(parameters: &Parameters) -> &str {
    parameters.get("format").map_or("", String::as_str)
}

pub(super) async fn register(
    State(runtime): State<Runtime>,
    Path(subject): Path<String>,
    Query(parameters): Query<Parameters>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Refusal> {
    let asked: SchemaRequest = read(body)?;
    let subject = request::subject(&subject);
    let registry = of(&runtime)?;
    let normalize = flag(&parameters, "normalize");
    let command = asked.registration(subject.clone(), normalize, &registry.index())?;
    let Done::Registered { version, .. } = registry.change(command).await? else {
        return Err(Refusal::new(50001, "the schema has no number"));
    };
    let shown = registry.beside(move |registry, _| {
        let index = registry.index();
        let wanted = VersionWanted::Number(version);
        let found = index.version(&subject, wanted, tidegate_registry::Listed::All)?;
        // Without the schema: clients keep what they sent under the id, in the form in which they read it, such as
        // the descriptor of a Protobuf file. The text that is kept may have another form.
        Ok(json!({"subject": found.subject, "id": found.id, "version": found.version, "guid": found.guid}))
    });
    Ok(Json(shown.await?))
}

pub(super) async fn versions(
    State(runtime): State<Runtime>,
    Path(subject): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Value>, Refusal> {
    let index = of(&runtime)?.index();
    let subject = request::subject(&subject);
    let found = index.versions(&subject, listed(&parameters))?;
    Ok(Json(json!(page(found, &parameters))))
}

async fn find(
    runtime: &Runtime,
    (subject, version): (String, String),
    parameters: Parameters,
) -> Result<Value, Refusal> {
    let wanted = VersionWanted::parse(&version)?;
    let subject = request::subject(&subject);
    let found = of(runtime)?.beside(move |registry, _| {
        let index = registry.index();
        let found = index.version(&subject, wanted, listed(&parameters))?;
        answer::versioned(&index, &found, format(&parameters))
    });
    Ok(found.await?)
}

pub(super) async fn version(
    State(runtime): State<Runtime>,
    Path(path): Path<(String, String)>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Value>, Refusal> {
    Ok(Json(find(&runtime, path, parameters).await?))
}

pub(super) async fn version_text(
    State(runtime): State<Runtime>,
    Path(path): Path<(String, String)>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Refusal> {
    let found = find(&runtime, path, parameters).await?;
    let text = found.get("schema").and_then(Value::as_str);
    Ok(answer::text(text.unwrap_or_default().to_owned()))
}

pub(super) async fn referenced_by(
    State(runtime): State<Runtime>,
    Path((subject, version)): Path<(String, String)>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Value>, Refusal> {
    let wanted = VersionWanted::parse(&version)?;
    let index = of(&runtime)?.index();
    let subject = request::subject(&subject);
    let found = index.version(&subject, wanted, tidegate_registry::Listed::All)?;
    let by = index.referenced_by(&found.subject, found.version, listed(&parameters));
    Ok(Json(json!(page(by, &parameters))))
}

pub(super) async fn delete(
    State(runtime): State<Runtime>,
    Path(subject): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Value>, Refusal> {
    let deleted = deleted(
        &runtime,
        Command::DeleteSubject {
            subject: request::subject(&subject),
            permanent: flag(&parameters, "permanent"),
        },
    );
    Ok(Json(json!(deleted.await?)))
}

pub(super) async fn delete_version(
    State(runtime): State<Runtime>,
    Path((subject, version)): Path<(String, String)>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Value>, Refusal> {
    let deleted = deleted(
        &runtime,
        Command::DeleteVersion {
            subject: request::subject(&subject),
            version: VersionWanted::parse(&version)?,
            permanent: flag(&parameters, "permanent"),
        },
    );
    Ok(Json(json!(deleted.await?.first())))
}

async fn deleted(runtime: &Runtime, command: Command) -> Result<Vec<u32>, Refusal> {
    match of(runtime)?.change(command).await? {
        Done::Versions(versions) => Ok(versions),
        _ => Err(ApiError::new(50001, "nothing was deleted").into()),
    }
}

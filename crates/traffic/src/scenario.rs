//! A story told to a running system: what is said, what fails and until when, what is slipped in.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;
use tidegate_base::{ConsumerId, Name, Ratio, parse_duration};
use tidegate_model::Design;

/// A story, scene by scene.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scenario {
    /// Its scenes, by the time that they begin.
    pub scenes: Vec<Scene>,
}

/// One scene.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// When it begins, from the start.
    pub at: Duration,
    /// When it ends; never when absent.
    pub until: Option<Duration>,
    /// What is told when it begins.
    pub say: Option<String>,
    /// What fails while it lasts.
    pub fault: Option<Fault>,
    /// What is published when it begins.
    pub inject: Option<Injection>,
}

/// What fails.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Only this consumer; every one when absent.
    pub consumer: Option<ConsumerId>,
    /// Only consumers that need this dependency.
    pub dependency: Option<Name>,
    /// Only payloads with this value at this JSON pointer.
    pub condition: Option<(String, Value)>,
    /// The share of deliveries that fail.
    pub share: Ratio,
    /// How they fail.
    pub answer: Answer,
    /// What the service says.
    pub error: String,
}

/// How a delivery fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// With this HTTP status.
    Status(u16),
    /// With no answer at all.
    Silence,
}

/// What is published.
#[derive(Clone, Debug, PartialEq)]
pub struct Injection {
    /// The event.
    pub event: Name,
    /// Its payload.
    pub data: Value,
}

/// Why a text is not a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ScenarioError {
    /// It is not the YAML of a scenario.
    #[error("{0}")]
    Syntax(String),
    /// A scene is wrong.
    #[error("scene {scene}: {reason}")]
    Scene {
        /// Its number, from 1.
        scene: usize,
        /// What is wrong.
        reason: String,
    },
}

/// A scenario as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    scenario: u32,
    scenes: Vec<FileScene>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileScene {
    at: String,
    until: Option<String>,
    say: Option<String>,
    fault: Option<FileFault>,
    inject: Option<FileInjection>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileFault {
    consumer: Option<String>,
    dependency: Option<String>,
    #[serde(rename = "where")]
    condition: Option<FileCondition>,
    share: Option<String>,
    answer: Value,
    error: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileCondition {
    path: String,
    equals: Value,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileInjection {
    event: String,
    data: Value,
}

impl Scenario {
    /// Reads a scenario and holds its names against the design.
    ///
    /// # Errors
    ///
    /// [`ScenarioError`] at the first thing that is wrong, with the scene.
    pub fn read(text: &str, design: &Design) -> Result<Self, ScenarioError> {
        let file: File = serde_saphyr::from_str(text)
            .map_err(|error| ScenarioError::Syntax(error.to_string()))?;
        if file.scenario != 1 {
            let reason = format!("scenario version {} is not supported; 1 is", file.scenario);
            return Err(ScenarioError::Syntax(reason));
        }
        let mut scenes = Vec::new();
        for (index, scene) in file.scenes.into_iter().enumerate() {
            let wrong = |reason| ScenarioError::Scene {
                scene: index + 1,
                reason,
            };
            scenes.push(resolve(scene, design).map_err(wrong)?);
        }
        scenes.sort_by_key(|scene| scene.at);
        Ok(Self { scenes })
    }
}

fn resolve(scene: FileScene, design: &Design) -> Result<Scene, String> {
    let time = |text: &str| parse_duration(text).map_err(|error| error.to_string());
    let inject = scene.inject.map(|injection| {
        let event = Name::new(&injection.event).map_err(|error| error.to_string())?;
        let known = design.events.contains_key(&event);
        let unknown = || format!("event `{event}` is not in the design");
        known.then_some(()).ok_or_else(unknown)?;
        Ok::<_, String>(Injection {
            event: event.clone(),
            data: injection.data,
        })
    });
    Ok(Scene {
        at: time(&scene.at)?,
        until: scene.until.as_deref().map(time).transpose()?,
        say: scene.say,
        fault: scene
            .fault
            .map(|fault| resolve_fault(fault, design))
            .transpose()?,
        inject: inject.transpose()?,
    })
}

fn resolve_fault(fault: FileFault, design: &Design) -> Result<Fault, String> {
    let consumer = fault
        .consumer
        .map(|text| text.parse::<ConsumerId>().map_err(|e| e.to_string()));
    let consumer = consumer.transpose()?;
    if let Some(id) = &consumer
        && !design.consumers().any(|known| known.id() == *id)
    {
        return Err(format!("consumer `{id}` is not in the design"));
    }
    let dependency = fault
        .dependency
        .map(|text| Name::new(&text).map_err(|e| e.to_string()));
    let dependency = dependency.transpose()?;
    if let Some(name) = &dependency
        && !design.dependencies.contains_key(name)
    {
        return Err(format!("dependency `{name}` is not in the design"));
    }
    let share = fault
        .share
        .map(|text| Ratio::parse(&text).map_err(|error| error.to_string()));
    Ok(Fault {
        consumer,
        dependency,
        condition: fault
            .condition
            .map(|condition| (condition.path, condition.equals)),
        share: share
            .transpose()?
            .or_else(|| Ratio::new(1.0))
            .unwrap_or_default(),
        answer: resolve_answer(&fault.answer)?,
        error: fault.error.unwrap_or_else(|| "injected fault".to_owned()),
    })
}

fn resolve_answer(answer: &Value) -> Result<Answer, String> {
    let status = answer
        .as_u64()
        .and_then(|status| u16::try_from(status).ok());
    match (status, answer.as_str()) {
        (Some(status @ 300..=599), _) => Ok(Answer::Status(status)),
        (_, Some("silence")) => Ok(Answer::Silence),
        _ => Err(format!(
            "answer {answer} is neither an HTTP status from 300 to 599 nor `silence`"
        )),
    }
}

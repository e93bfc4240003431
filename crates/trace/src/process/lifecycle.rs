//! From starts and completions to activity instances.

use tidegate_base::Timestamp;

use super::Instance;
use super::builder::Event;

/// What an event says of its activity: the transitions of the XES lifecycle extension that matter
/// to times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It can be worked on from now.
    Enable,
    /// Work on it starts.
    Start,
    /// It is complete.
    Complete,
    /// Something else, such as a pause.
    Other,
}

impl Step {
    pub(super) fn read(word: &str) -> Self {
        match word.trim().to_ascii_lowercase().as_str() {
            "start" | "started" | "begin" => Self::Start,
            "complete" | "completed" | "end" | "finish" | "" => Self::Complete,
            "schedule" | "assign" | "enable" | "enabled" => Self::Enable,
            _ => Self::Other,
        }
    }
}

/// Events that made no instance.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Left {
    open: usize,
    unstarted: usize,
    other: usize,
}

impl Left {
    pub(super) fn notes(self) -> Vec<String> {
        [
            (self.open, "starts without a completion left out"),
            (
                self.unstarted,
                "completions without a start: when work on them started is not known",
            ),
            (
                self.other,
                "events of other transitions (pauses, reassignments, aborts) left out",
            ),
        ]
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect()
    }
}

/// The instances of one case. A completion belongs to the earliest open start of its activity:
/// with the same `concept:instance` where events have one, else by the same resource where there
/// is one, else at all.
pub(super) fn instances(mut events: Vec<Event>, left: &mut Left) -> Vec<Instance> {
    let paired = events.iter().any(|event| event.step == Step::Start);
    events.sort_by_key(|event| event.time);
    let mut open: Vec<Event> = Vec::new();
    let mut enabled: Vec<Event> = Vec::new();
    let mut instances = Vec::with_capacity(events.len());
    for event in events {
        match event.step {
            Step::Enable => enabled.push(event),
            Step::Other => left.other += 1,
            Step::Start => open.push(event),
            Step::Complete => {
                let begun = take(&mut open, &event);
                if paired && begun.is_none() && event.start.is_none() {
                    left.unstarted += 1;
                }
                let start = event.start.or(begun.map(|begun| begun.time));
                let by = begun.and_then(|begun| begun.resource);
                let told = begun.and_then(|begun| begun.enabled).or(event.enabled);
                let before = |enabling: Timestamp| start.is_none_or(|start| enabling <= start);
                let enabled = told.or_else(|| take(&mut enabled, &event).map(|event| event.time));
                instances.push(Instance {
                    activity: event.activity,
                    resource: event.resource.or(by),
                    enabled: enabled.filter(|enabled| before(*enabled)),
                    start,
                    end: event.time,
                });
            }
        }
    }
    left.open += open.len();
    instances.sort_by_key(|instance| (instance.begin(), instance.end, instance.activity));
    instances
}

/// Takes the earliest event of `from` that belongs to `completion`.
fn take(from: &mut Vec<Event>, completion: &Event) -> Option<Event> {
    let same = |event: &&Event| event.activity == completion.activity;
    let position = if completion.instance.is_some() {
        from.iter()
            .position(|event| same(&event) && event.instance == completion.instance)
    } else {
        let by_resource = from.iter().position(|event| {
            same(&event) && event.resource.is_some() && event.resource == completion.resource
        });
        by_resource.or_else(|| from.iter().position(|event| same(&event)))
    }?;
    Some(from.remove(position))
}

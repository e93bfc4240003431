//! Which messages of which documents are one event, and what it is called.

use std::collections::{BTreeMap, HashSet};

use super::naming::Names;
use crate::application::{Application, Channel, Message};
use crate::bundle::references;

/// The names of the events, by the messages that carry them.
pub(super) struct Events {
    /// By file, position of the channel, position of the message in it.
    names: BTreeMap<(u32, usize, usize), String>,
    /// Types that several events would have.
    shared_types: HashSet<String>,
}

/// An event before it has a name.
struct Candidate {
    address: String,
    /// Whether each document has a single message there.
    is_single: bool,
    /// What the message is called in the documents.
    idents: Vec<String>,
    /// What it may be called, best first.
    wanted: Vec<String>,
    types: Vec<String>,
    carriers: Vec<(u32, usize, usize)>,
}

impl Events {
    pub(super) fn of(applications: &[Application<'_>]) -> Self {
        let mut candidates: Vec<Candidate> = Vec::new();
        for application in applications {
            let dead = dead_letter_channels(application);
            for (position, channel) in application.channels.iter().enumerate() {
                if dead.contains(&position) {
                    continue;
                }
                for (index, message) in channel.messages.iter().enumerate() {
                    let carrier = (application.file, position, index);
                    add(&mut candidates, application, channel, message, carrier);
                }
            }
        }
        let mut names = Names::default();
        let mut known = BTreeMap::new();
        let mut types: BTreeMap<&str, usize> = BTreeMap::new();
        for candidate in &candidates {
            let name = names.claim(&candidate.wanted);
            for carrier in &candidate.carriers {
                known.insert(*carrier, name.clone());
            }
            if let Some(own) = candidate.types.first() {
                *types.entry(own).or_default() += 1;
            }
        }
        let shared = types.iter().filter(|(_, count)| **count > 1);
        let shared_types = shared.map(|(own, _)| (*own).to_owned()).collect();
        Self {
            names: known,
            shared_types,
        }
    }

    /// The event that a message of a channel carries.
    pub(super) fn name(&self, file: u32, channel: usize, message: usize) -> Option<&str> {
        self.names
            .get(&(file, channel, message))
            .map(String::as_str)
    }

    /// Whether no two events would have this type.
    pub(super) fn is_own_type(&self, text: &str) -> bool {
        !self.shared_types.contains(text)
    }
}

fn add(
    candidates: &mut Vec<Candidate>,
    application: &Application<'_>,
    channel: &Channel<'_>,
    message: &Message<'_>,
    carrier: (u32, usize, usize),
) {
    // Without an address, a channel is known in its own document only.
    let address = match channel.address {
        Some(address) => address.to_owned(),
        None => format!("{}#{}", application.file, channel.id),
    };
    let idents = idents(message);
    let is_single = channel.messages.len() == 1;
    let same = candidates.iter_mut().find(|candidate| {
        let alike = candidate.idents.iter().any(|ident| idents.contains(ident));
        candidate.address == address && (candidate.is_single && is_single || alike)
    });
    let name = message.node().text_of("name").map(str::to_owned);
    match same {
        Some(candidate) => {
            candidate.is_single &= is_single;
            candidate.idents.extend(idents);
            candidate.types.extend(name);
            candidate.carriers.push(carrier);
        }
        None => {
            let place = channel.address.unwrap_or(channel.id).to_owned();
            let first = idents.first().cloned().unwrap_or_default();
            let mut wanted = idents.clone();
            wanted.truncate(1);
            if first != place {
                wanted.push(format!("{first}.{place}"));
            }
            candidates.push(Candidate {
                address,
                is_single,
                idents,
                wanted,
                types: name.into_iter().collect(),
                carriers: vec![carrier],
            });
        }
    }
}

/// What a message is called: as a component, by its name, by its id, by its key in the channel.
fn idents(message: &Message<'_>) -> Vec<String> {
    let mut idents = Vec::new();
    if message.at.path != message.listed.path {
        let component = message.at.path.rsplit('/').next().unwrap_or_default();
        idents.push(component.replace("~1", "/").replace("~0", "~"));
    }
    for key in ["name", "messageId"] {
        idents.extend(message.node().text_of(key).map(str::to_owned));
    }
    idents.push(message.key.clone());
    idents.retain(|ident| !ident.is_empty() && ident != "#");
    idents
}

/// The positions of channels that hold dead letters, and nothing else.
pub(super) fn dead_letter_channels(application: &Application<'_>) -> HashSet<usize> {
    let mut named = HashSet::new();
    for operation in &application.operations {
        for key in ["x-dead-letter", "deadLetter", "x-deadLetter"] {
            let Some(node) = operation.node().get(key) else {
                continue;
            };
            references(node, &mut |node, reference| {
                if let Ok(target) = application.bundle.target(node.span.file, reference) {
                    let mut channels = application.channels.iter();
                    named.extend(channels.position(|channel| channel.at.is(&target)));
                }
            });
        }
    }
    let used = application.operations.iter().filter_map(|o| o.channel);
    for position in used {
        named.remove(&position);
    }
    named
}

//! Version 3: channels, messages and operations are apart, and refer to each other.

use super::{Action, Application, Channel, Message, Operation, Reply, with_traits};
use crate::bundle::At;

pub(super) fn read(application: &mut Application<'_>) {
    read_channels(application);
    read_operations(application);
}

fn read_channels(application: &mut Application<'_>) {
    let (bundle, version) = (application.bundle, application.version);
    let Some(channels) = application.root.step("channels") else {
        return;
    };
    for (id, listed) in channels.children() {
        let entry = channels.node.map().and_then(|map| map.get(id));
        let key = entry.map_or(listed.node.span, |entry| entry.key);
        let at = bundle.followed(listed);
        let messages = at.step("messages").into_iter().flat_map(|messages| {
            messages
                .children()
                .map(|(key, listed)| Message::new(bundle, key.to_owned(), listed, version))
                .collect::<Vec<_>>()
        });
        application.channels.push(Channel {
            id,
            key,
            address: at.node.text_of("address"),
            messages: messages.collect(),
            at,
        });
    }
}

fn read_operations(application: &mut Application<'_>) {
    let (bundle, version) = (application.bundle, application.version);
    let Some(operations) = application.root.step("operations") else {
        return;
    };
    for (id, listed) in operations.children() {
        let at = bundle.followed(listed);
        let node = with_traits(bundle, &at, version);
        let action = match node.text_of("action") {
            Some("receive") => Action::Receive,
            _ => Action::Send,
        };
        let channel = channel_of(application, &at);
        let messages = messages_of(application, &at, channel);
        let reply = at.step("reply").map(|reply| {
            let at = bundle.followed(reply);
            let channel = channel_of(application, &at);
            let messages = messages_of(application, &at, channel);
            Reply {
                at,
                channel,
                messages,
            }
        });
        application.operations.push(Operation {
            id: id.to_owned(),
            action,
            at,
            node,
            channel,
            messages,
            reply,
        });
    }
}

/// The channel of the document that `at` refers to.
fn channel_of<'b>(application: &Application<'b>, at: &At<'b>) -> Option<usize> {
    let target = application.bundle.follow(at.step("channel")?).ok()?;
    let mut channels = application.channels.iter();
    channels.position(|channel| channel.at.is(&target))
}

/// The messages that `at` lists, as positions in its channel; all of them when it lists none.
fn messages_of<'b>(
    application: &Application<'b>,
    at: &At<'b>,
    channel: Option<usize>,
) -> Vec<usize> {
    let Some(channel) = channel.and_then(|position| application.channels.get(position)) else {
        return Vec::new();
    };
    let Some(list) = at.step("messages") else {
        return (0..channel.messages.len()).collect();
    };
    let positions = list.items().filter_map(|item| {
        let target = application.bundle.follow(item).ok()?;
        let mut messages = channel.messages.iter();
        messages.position(|message| message.at.is(&target))
    });
    positions.collect()
}

//! Version 2: a channel is its address, and `publish` is what others publish: the application
//! receives it.

use super::{Action, Application, Channel, Message, Operation, with_traits};
use crate::bundle::At;

pub(super) fn read(application: &mut Application<'_>) {
    let Some(channels) = application.root.step("channels") else {
        return;
    };
    for (id, at) in channels.children() {
        let key = application
            .root
            .node
            .get("channels")
            .and_then(|channels| channels.map()?.get(id))
            .map_or(at.node.span, |entry| entry.key);
        let at = application.bundle.followed(at);
        let position = application.channels.len();
        application.channels.push(Channel {
            id,
            key,
            at: at.clone(),
            address: Some(id),
            messages: Vec::new(),
        });
        for (name, action) in [("publish", Action::Receive), ("subscribe", Action::Send)] {
            if let Some(operation) = at.step(name) {
                read_operation(application, position, id, (name, action), operation);
            }
        }
    }
}

fn read_operation<'b>(
    application: &mut Application<'b>,
    channel: usize,
    address: &str,
    (name, action): (&str, Action),
    at: At<'b>,
) {
    let bundle = application.bundle;
    let version = application.version;
    let listed: Vec<At<'b>> = match at.step("message") {
        None => Vec::new(),
        Some(message) => match bundle.followed(message.clone()).step("oneOf") {
            Some(list) => list.items().collect(),
            None => vec![message],
        },
    };
    let mut positions = Vec::new();
    let Some(messages) = application
        .channels
        .get_mut(channel)
        .map(|c| &mut c.messages)
    else {
        return;
    };
    let is_single = listed.len() == 1;
    for (index, listed) in listed.into_iter().enumerate() {
        let target = bundle.followed(listed.clone());
        // Both operations of a channel may carry the same message.
        let known = messages.iter().position(|message| message.at.is(&target));
        let position = known.unwrap_or_else(|| {
            let id = ["messageId", "name"]
                .into_iter()
                .find_map(|key| target.node.text_of(key));
            let component = target.path.strip_prefix("#/components/messages/");
            let key = match component.or(id) {
                Some(key) => key.to_owned(),
                None if is_single => address.to_owned(),
                None => format!("{address} {name} {index}"),
            };
            messages.push(Message::new(bundle, key, listed, version));
            messages.len() - 1
        });
        positions.push(position);
    }
    let node = with_traits(bundle, &at, version);
    let id = node.text_of("operationId");
    let id = id.map_or_else(|| format!("{name} {address}"), str::to_owned);
    application.operations.push(Operation {
        id,
        action,
        at,
        node,
        channel: Some(channel),
        messages: positions,
        reply: None,
    });
}

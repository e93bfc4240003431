//! One document as what it describes, whatever its version: an application with its servers,
//! channels, messages and operations.

mod v2;
mod v3;

use std::borrow::Cow;

use crate::bundle::{At, Bundle};
use crate::node::{Node, Span};
use crate::traits;
use crate::version::Version;

/// An application.
pub(crate) struct Application<'b> {
    pub(crate) bundle: &'b Bundle,
    pub(crate) file: u32,
    pub(crate) root: At<'b>,
    pub(crate) version: Version,
    pub(crate) servers: Vec<Server<'b>>,
    pub(crate) channels: Vec<Channel<'b>>,
    pub(crate) operations: Vec<Operation<'b>>,
}

/// A server that the application connects to.
pub(crate) struct Server<'b> {
    pub(crate) name: &'b str,
    pub(crate) at: At<'b>,
}

impl<'b> Server<'b> {
    pub(crate) fn protocol(&self) -> Option<&'b str> {
        self.at.node.text_of("protocol")
    }
}

/// A channel.
pub(crate) struct Channel<'b> {
    /// Its key.
    pub(crate) id: &'b str,
    /// Where it is listed.
    pub(crate) key: Span,
    pub(crate) at: At<'b>,
    /// `None` when it is not known before the application runs.
    pub(crate) address: Option<&'b str>,
    pub(crate) messages: Vec<Message<'b>>,
}

/// A message of a channel.
pub(crate) struct Message<'b> {
    /// Its key among those of the channel, or its id.
    pub(crate) key: String,
    /// Where it is listed: the reference, where it is one.
    pub(crate) listed: At<'b>,
    /// Where it is written.
    pub(crate) at: At<'b>,
    node: Cow<'b, Node>,
}

impl<'b> Message<'b> {
    fn new(bundle: &'b Bundle, key: String, listed: At<'b>, version: Version) -> Self {
        let at = bundle.followed(listed.clone());
        Self {
            key,
            listed,
            node: with_traits(bundle, &at, version),
            at,
        }
    }

    /// The message with its traits.
    pub(crate) fn node(&self) -> &Node {
        &self.node
    }
}

/// What the application does with a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Send,
    Receive,
}

/// An operation.
pub(crate) struct Operation<'b> {
    pub(crate) id: String,
    pub(crate) action: Action,
    pub(crate) at: At<'b>,
    node: Cow<'b, Node>,
    /// The channel, by its position; `None` when it is not one of the document.
    pub(crate) channel: Option<usize>,
    /// Its messages, by their positions in the channel.
    pub(crate) messages: Vec<usize>,
    pub(crate) reply: Option<Reply<'b>>,
}

impl Operation<'_> {
    /// The operation with its traits.
    pub(crate) fn node(&self) -> &Node {
        &self.node
    }
}

/// What is answered to an operation.
pub(crate) struct Reply<'b> {
    pub(crate) at: At<'b>,
    pub(crate) channel: Option<usize>,
    pub(crate) messages: Vec<usize>,
}

impl<'b> Application<'b> {
    /// The application of the document in `file`.
    pub(crate) fn read(bundle: &'b Bundle, file: u32, root: &'b Node, version: Version) -> Self {
        let root = At {
            node: root,
            path: "#".to_owned(),
        };
        let mut application = Self {
            bundle,
            file,
            root,
            version,
            servers: Vec::new(),
            channels: Vec::new(),
            operations: Vec::new(),
        };
        application.read_servers();
        if version.major < 3 {
            v2::read(&mut application);
        } else {
            v3::read(&mut application);
        }
        application
    }

    fn read_servers(&mut self) {
        let Some(servers) = self.root.step("servers") else {
            return;
        };
        for (name, at) in servers.children() {
            let at = self.bundle.followed(at);
            self.servers.push(Server { name, at });
        }
    }

    /// The servers of a channel: those that it names, or all.
    pub(crate) fn servers_of(&self, channel: &Channel<'b>) -> Vec<&Server<'b>> {
        let named: Vec<_> = channel
            .at
            .step("servers")
            .map(|list| list.items().collect())
            .unwrap_or_default();
        if named.is_empty() {
            return self.servers.iter().collect();
        }
        let is_named = |server: &&Server<'b>| {
            named.iter().any(|item| match item.node.text() {
                Some(name) => name == server.name,
                None => self.bundle.followed(item.clone()).is(&server.at),
            })
        };
        self.servers.iter().filter(is_named).collect()
    }

    /// Every message with its channel.
    pub(crate) fn messages(&self) -> impl Iterator<Item = (&Channel<'b>, &Message<'b>)> {
        self.channels.iter().flat_map(|channel| {
            channel
                .messages
                .iter()
                .map(move |message| (channel, message))
        })
    }

    /// The media type of a message: its own, or that of the document.
    pub(crate) fn content_type<'m>(&'m self, message: &'m Message<'b>) -> Option<&'m str> {
        let own = message.node().text_of("contentType");
        own.or_else(|| self.root.node.text_of("defaultContentType"))
    }
}

fn with_traits<'b>(bundle: &'b Bundle, at: &At<'b>, version: Version) -> Cow<'b, Node> {
    match traits::merged(bundle, at, version.major) {
        Some(node) => Cow::Owned(node),
        None => Cow::Borrowed(at.node),
    }
}

/// A message with its traits, at its place.
pub(crate) fn whole<'m>(message: &'m Message<'_>) -> At<'m> {
    At {
        node: message.node(),
        path: message.at.path.clone(),
    }
}

//! From text to tree, within limits.
//!
//! Unlike a design, a document may have anchors, aliases, tags and merge keys: other tools write
//! them. Each alias costs what it stands for, so no text grows beyond the limit of nodes.

use std::collections::HashMap;

use indexmap::IndexMap;
use saphyr_parser::{Event, Parser, ScalarStyle, Span as EventSpan};
use serde_json::Value;
use tidegate_base::limit::{DESIGN_DEPTH_MAX, DESIGN_FILE_BYTES_MAX, DESIGN_NODES_MAX};
use tidegate_model::plain_value;

use super::tree::{Entry, Kind, Map, Node, Span};

/// Why a text has no tree.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) span: Span,
    pub(crate) message: String,
}

/// Reads the text of the file with this index; also says which keys are written twice.
pub(crate) fn load(text: &str, file: u32) -> (Result<Node, Unreadable>, Vec<(Span, String)>) {
    let start = Span {
        file,
        line: 1,
        column: 1,
        length: 1,
    };
    if text.len() > DESIGN_FILE_BYTES_MAX {
        let message = format!(
            "the file is {} bytes; the most is {DESIGN_FILE_BYTES_MAX}",
            text.len()
        );
        let unreadable = Unreadable {
            span: start,
            message,
        };
        return (Err(unreadable), Vec::new());
    }
    let mut builder = Builder {
        file,
        open: Vec::new(),
        root: None,
        anchors: HashMap::new(),
        nodes: 0,
        twice: Vec::new(),
    };
    let outcome = builder.run(text);
    let twice = std::mem::take(&mut builder.twice);
    let outcome = match outcome {
        Ok(()) => Ok(builder.root.unwrap_or(Node {
            span: start,
            kind: Kind::Null,
        })),
        // JSON has escapes that YAML does not.
        Err(error) => json(text, start).ok_or(error),
    };
    (outcome, twice)
}

/// A JSON text that YAML readers refuse; every place is its start.
fn json(text: &str, start: Span) -> Option<Node> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    Some(of_json(value, start))
}

fn of_json(value: Value, span: Span) -> Node {
    let kind = match value {
        Value::Null => Kind::Null,
        Value::Bool(value) => Kind::Bool(value),
        Value::Number(number) => Kind::Number(number),
        Value::String(text) => Kind::Text(text.into()),
        Value::Array(items) => {
            Kind::List(items.into_iter().map(|item| of_json(item, span)).collect())
        }
        Value::Object(object) => {
            let entries = object.into_iter().map(|(key, value)| {
                let node = of_json(value, span);
                (Box::from(key), Entry { key: span, node })
            });
            Kind::Map(entries.collect())
        }
    };
    Node { span, kind }
}

struct Builder {
    file: u32,
    open: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    twice: Vec<(Span, String)>,
}

/// A list or map whose end has not come yet.
struct Open {
    span: Span,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        map: Map,
        /// What `<<` brought in: written keys come before it.
        merged: Vec<Node>,
        key: Option<(Box<str>, Span)>,
    },
}

impl Builder {
    fn run(&mut self, text: &str) -> Result<(), Unreadable> {
        for event in Parser::new_from_str(text) {
            let (event, at) = event.map_err(|error| Unreadable {
                span: self.span(EventSpan::empty(*error.marker())),
                message: error.info().to_owned(),
            })?;
            self.take(event, at)?;
        }
        Ok(())
    }

    fn take(&mut self, event: Event<'_>, at: EventSpan) -> Result<(), Unreadable> {
        let span = self.span(at);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = tag.is_some_and(|tag| tag.suffix == "str");
                let kind = match plain_value(&text) {
                    Value::Null if style == ScalarStyle::Plain && !is_text => Kind::Null,
                    Value::Bool(b) if style == ScalarStyle::Plain && !is_text => Kind::Bool(b),
                    Value::Number(n) if style == ScalarStyle::Plain && !is_text => Kind::Number(n),
                    _ => Kind::Text(text.into()),
                };
                self.add(Node { span, kind }, anchor, 1)
            }
            Event::SequenceStart(anchor, _) => self.begin(span, anchor, Content::List(Vec::new())),
            Event::MappingStart(anchor, _) => {
                let content = Content::Map {
                    map: IndexMap::new(),
                    merged: Vec::new(),
                    key: None,
                };
                self.begin(span, anchor, content)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open {
                    span,
                    anchor,
                    content,
                }) => self.add(closed(span, content), anchor, 1),
                None => Ok(()),
            },
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(node) => {
                    let (node, size) = (node.clone(), node.size());
                    self.add(node, 0, size)
                }
                None => Err(refused(span, "an alias stands inside of what it names")),
            },
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(refused(span, "there is a second YAML document"))
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, span: Span, anchor: usize, content: Content) -> Result<(), Unreadable> {
        if self.open.len() >= DESIGN_DEPTH_MAX {
            let message = format!("it is nested more than {DESIGN_DEPTH_MAX} levels deep");
            return Err(refused(span, &message));
        }
        self.open.push(Open {
            span,
            anchor,
            content,
        });
        Ok(())
    }

    fn add(&mut self, node: Node, anchor: usize, size: usize) -> Result<(), Unreadable> {
        self.nodes = self.nodes.saturating_add(size);
        if self.nodes > DESIGN_NODES_MAX {
            let message = format!("there are more than {DESIGN_NODES_MAX} values");
            return Err(refused(node.span, &message));
        }
        if anchor != 0 {
            self.nodes = self.nodes.saturating_add(node.size());
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { map, merged, key }) => match key.take() {
                None => {
                    let text = key_text(&node)
                        .ok_or_else(|| refused(node.span, "a key is a list or a mapping"))?;
                    *key = Some((text, node.span));
                }
                Some((name, _)) if &*name == "<<" => merged.push(node),
                Some((name, at)) => {
                    if map.contains_key(&name) {
                        self.twice.push((at, name.into()));
                    } else {
                        map.insert(name, Entry { key: at, node });
                    }
                }
            },
        }
        Ok(())
    }

    fn span(&self, at: EventSpan) -> Span {
        let small = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let one_line = at.start.line() == at.end.line();
        Span {
            file: self.file,
            line: small(at.start.line().max(1)),
            column: small(at.start.col() + 1),
            length: if one_line { small(at.len().max(1)) } else { 1 },
        }
    }
}

fn closed(span: Span, content: Content) -> Node {
    let kind = match content {
        Content::List(items) => Kind::List(items),
        Content::Map {
            mut map, merged, ..
        } => {
            for node in merged {
                let sources = match node.kind {
                    Kind::List(items) => items,
                    _ => vec![node],
                };
                for source in sources {
                    if let Kind::Map(more) = source.kind {
                        for (key, entry) in more {
                            map.entry(key).or_insert(entry);
                        }
                    }
                }
            }
            Kind::Map(map)
        }
    };
    Node { span, kind }
}

/// A scalar as a key; `null` is the text `null`.
fn key_text(node: &Node) -> Option<Box<str>> {
    match &node.kind {
        Kind::Text(text) => Some(text.clone()),
        Kind::Null => Some("null".into()),
        Kind::Bool(value) => Some(value.to_string().into()),
        Kind::Number(number) => Some(number.to_string().into()),
        Kind::List(_) | Kind::Map(_) => None,
    }
}

fn refused(span: Span, message: &str) -> Unreadable {
    Unreadable {
        span,
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        load(text, 0).0.unwrap().to_json()
    }

    #[test]
    fn anchors_aliases_tags_and_merge_keys_are_read() {
        let text = "a: &x {p: 1, q: !!str 2}\nb: *x\nc: {<<: *x, p: 3}\nd: [no, ~, 1.10, \"1\"]\n";
        let expected = serde_json::json!({
            "a": {"p": 1, "q": "2"},
            "b": {"p": 1, "q": "2"},
            "c": {"p": 3, "q": "2"},
            "d": ["no", null, 1.1, "1"],
        });
        assert_eq!(value(text), expected);
    }

    #[test]
    fn json_with_escapes_of_its_own_is_read() {
        assert_eq!(
            value(r#"{"a": "\ud83d\ude00"}"#),
            serde_json::json!({"a": "😀"})
        );
    }

    #[test]
    fn aliases_cannot_grow_without_end() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let below = vec![format!("*a{}", level - 1); 10].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{below}]\n"));
        }
        let error = load(&text, 0).0.unwrap_err();
        assert!(error.message.contains("more than"), "{}", error.message);
    }

    #[test]
    fn keys_written_twice_are_told_and_the_first_counts() {
        let (node, twice) = load("a: 1\na: 2\n", 0);
        assert_eq!(node.unwrap().to_json(), serde_json::json!({"a": 1}));
        assert_eq!(twice.len(), 1);
        assert_eq!(twice[0].0.line, 2);
    }
}

//! From text to tree, within limits: no depth, size or repetition of the input costs more than it.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span as EventSpan};
use tidegate_base::limit::{DESIGN_DEPTH_MAX, DESIGN_FILE_BYTES_MAX, DESIGN_NODES_MAX};

use super::parts;
use super::tree::{Content, Entry, Node, Span, Style};
use crate::code::{DUPLICATE, REFUSED_YAML, SYNTAX, WRONG_TYPE};
use crate::findings::{Findings, Problem, excerpt};

/// Keys after this many of one mapping are looked up in a map instead of one after the other.
const SCANNED_ENTRIES_MAX: usize = 16;

/// Reads the text of the file with this index. Returns an empty mapping for an empty file, and
/// `None` when the text has no tree, which is a finding.
pub(crate) fn load<'s>(text: &'s str, file: u32, findings: &mut Findings) -> Option<Node<'s>> {
    if text.len() > DESIGN_FILE_BYTES_MAX {
        let message = format!(
            "the file is {} bytes; the most is {DESIGN_FILE_BYTES_MAX}",
            text.len()
        );
        let problem = Problem::new(&REFUSED_YAML, message).hint("split it into several files");
        findings.report(Span::start_of(file), &"", problem);
        return None;
    }
    match parts::cut(text).and_then(|at| in_parts(text, at, file, findings)) {
        Some(tree) => Some(tree),
        None => load_from(text, Start { file, line: 0 }, findings).map(|(tree, _)| tree),
    }
}

/// The tree of a text that is cut in two; `None` when there is anything to say about it.
pub(super) fn in_parts<'s>(
    text: &'s str,
    at: usize,
    file: u32,
    findings: &Findings,
) -> Option<Node<'s>> {
    let (first, second) = text.split_at_checked(at)?;
    let line = u32::try_from(first.matches('\n').count()).ok()?;
    let part = |text, line| {
        let mut findings = findings.of_a_part();
        let (tree, nodes) = load_from(text, Start { file, line }, &mut findings)?;
        findings.is_empty().then_some((tree, nodes))
    };
    let (first, second) = rayon::join(|| part(first, 0), || part(second, line));
    let ((first, some), (second, more)) = (first?, second?);
    (some + more <= DESIGN_NODES_MAX).then(|| parts::join(first, second))?
}

/// Where a text begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) file: u32,
    /// Lines of the file before it.
    pub(super) line: u32,
}

/// The tree of a text, and how many values it has.
pub(super) fn load_from<'s>(
    text: &'s str,
    start: Start,
    findings: &mut Findings,
) -> Option<(Node<'s>, usize)> {
    let mut builder = Builder {
        start,
        findings,
        open: Vec::new(),
        root: None,
        nodes: 0,
        documents: 0,
    };
    let mut parser = Parser::new_from_str(text);
    while let Some(next) = parser.next_event() {
        match next {
            Ok((event, span)) => builder.take(event, span)?,
            Err(error) => {
                builder.syntax_error(&error);
                return None;
            }
        }
    }
    let empty = Node {
        span: Span::start_of(start.file),
        content: Content::Mapping(Vec::new()),
    };
    let root = builder.root.filter(|root| !root.is_null());
    Some((root.unwrap_or(empty), builder.nodes))
}

/// The tree so far.
struct Builder<'s, 'f> {
    start: Start,
    findings: &'f mut Findings,
    open: Vec<Collection<'s>>,
    root: Option<Node<'s>>,
    nodes: usize,
    documents: usize,
}

/// A sequence or mapping whose end has not come yet.
enum Collection<'s> {
    Sequence {
        span: Span,
        items: Vec<Node<'s>>,
    },
    Mapping {
        span: Span,
        entries: Vec<Entry<'s>>,
        later: HashMap<Cow<'s, str>, Span>,
        next: Next<'s>,
    },
}

/// What the next node of a mapping is.
enum Next<'s> {
    Key,
    ValueOf(Cow<'s, str>, Span, Style),
    /// The value of a key that was refused.
    Nothing,
}

impl<'s> Builder<'s, '_> {
    /// Takes one event; `None` when the file is given up.
    fn take(&mut self, event: Event<'s>, at: EventSpan) -> Option<()> {
        let span = self.span(at);
        match event {
            Event::DocumentStart(_) => self.start_document(span),
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_extras(span, anchor, tag.is_some());
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    _ => Style::Quoted,
                };
                self.close(Node {
                    span,
                    content: Content::Scalar { text, style },
                })
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_extras(span, anchor, tag.is_some());
                self.open(
                    Collection::Sequence {
                        span,
                        items: Vec::new(),
                    },
                    span,
                )
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_extras(span, anchor, tag.is_some());
                let later = HashMap::new();
                self.open(
                    Collection::Mapping {
                        span,
                        entries: Vec::new(),
                        later,
                        next: Next::Key,
                    },
                    span,
                )
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let node = match self.open.pop()? {
                    Collection::Sequence { span, items } => Node {
                        span,
                        content: Content::Sequence(items),
                    },
                    Collection::Mapping { span, entries, .. } => Node {
                        span,
                        content: Content::Mapping(entries),
                    },
                };
                self.attach(node);
                Some(())
            }
            Event::Alias(_) => {
                let problem = Problem::new(&REFUSED_YAML, "aliases are not allowed")
                    .hint("write the value out, or share a default by leaving the field out");
                self.report(span, problem);
                self.close(Node {
                    span,
                    content: Content::Refused,
                })
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Some(()),
        }
    }

    fn start_document(&mut self, span: Span) -> Option<()> {
        self.documents += 1;
        if self.documents == 1 {
            return Some(());
        }
        let problem = Problem::new(&REFUSED_YAML, "a second YAML document starts here")
            .hint("one file holds one document: remove `---`, or move the rest to its own file");
        self.report(span, problem);
        None
    }

    fn open(&mut self, collection: Collection<'s>, span: Span) -> Option<()> {
        if self.open.len() >= DESIGN_DEPTH_MAX {
            let message = format!("nested deeper than {DESIGN_DEPTH_MAX} levels");
            self.report(span, Problem::new(&REFUSED_YAML, message));
            return None;
        }
        self.count(span)?;
        self.open.push(collection);
        Some(())
    }

    fn close(&mut self, node: Node<'s>) -> Option<()> {
        self.count(node.span)?;
        self.attach(node);
        Some(())
    }

    fn count(&mut self, span: Span) -> Option<()> {
        self.nodes += 1;
        if self.nodes <= DESIGN_NODES_MAX {
            return Some(());
        }
        let message = format!("more than {DESIGN_NODES_MAX} values in one file");
        let problem = Problem::new(&REFUSED_YAML, message).hint("split it into several files");
        self.report(span, problem);
        None
    }

    /// Puts a finished node where it belongs.
    fn attach(&mut self, node: Node<'s>) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Collection::Sequence { items, .. }) => items.push(node),
            Some(Collection::Mapping {
                entries,
                later,
                next,
                ..
            }) => match std::mem::replace(next, Next::Key) {
                Next::Key => self.take_key(node),
                Next::ValueOf(key, key_span, key_style) => {
                    if entries.len() >= SCANNED_ENTRIES_MAX {
                        later.insert(key.clone(), key_span);
                    }
                    entries.push(Entry {
                        key,
                        key_span,
                        key_style,
                        value: node,
                    });
                }
                Next::Nothing => {}
            },
        }
    }

    fn take_key(&mut self, node: Node<'s>) {
        let (refusal, first, after) = match node.content {
            Content::Scalar { text, style } => match self.first_with_key(&text) {
                None => (None, None, Next::ValueOf(text, node.span, style)),
                Some(first) => {
                    let message = format!("`{}` is written twice", excerpt(&text));
                    let problem = Problem::new(&DUPLICATE, message)
                        .hint("the first one counts; merge the two, or rename one");
                    (Some((problem, text)), Some(first), Next::Nothing)
                }
            },
            Content::Refused => (None, None, Next::Nothing),
            Content::Sequence(_) | Content::Mapping(_) => {
                let problem = Problem::new(&WRONG_TYPE, "a key is a list or a mapping")
                    .hint("a key is a text; after `{` and `[`, quotes make a text");
                (Some((problem, Cow::Borrowed(""))), None, Next::Nothing)
            }
        };
        if let Some((problem, key)) = refusal {
            let path = self.path(&key);
            let related: Vec<_> = first
                .map(|at| (at, "first written here"))
                .into_iter()
                .collect();
            self.findings
                .report_related(node.span, &path, problem, &related);
        }
        if let Some(Collection::Mapping { next, .. }) = self.open.last_mut() {
            *next = after;
        }
    }

    /// Where the innermost mapping already has this key.
    fn first_with_key(&self, key: &str) -> Option<Span> {
        let Some(Collection::Mapping { entries, later, .. }) = self.open.last() else {
            return None;
        };
        let first = entries
            .iter()
            .take(SCANNED_ENTRIES_MAX)
            .find(|entry| entry.key == key);
        first
            .map(|entry| entry.key_span)
            .or_else(|| later.get(key).copied())
    }

    fn refuse_extras(&mut self, span: Span, anchor: usize, tagged: bool) {
        if anchor != 0 {
            let problem = Problem::new(&REFUSED_YAML, "anchors are not allowed")
                .hint("remove the `&name`; a text that starts with `&` goes into quotes");
            self.report(span, problem);
        }
        if tagged {
            let problem = Problem::new(&REFUSED_YAML, "tags are not allowed")
                .hint("remove the `!name`; a text that starts with `!` goes into quotes");
            self.report(span, problem);
        }
    }

    fn report(&mut self, span: Span, problem: Problem) {
        let path = self.path("");
        self.findings.report(span, &path, problem);
    }

    fn syntax_error(&mut self, error: &ScanError) {
        let marker = error.marker();
        let at = EventSpan::empty(*marker);
        let span = self.span(at);
        let path = self.path("");
        let mut problem = Problem::new(&SYNTAX, excerpt(error.info()));
        problem.hint = syntax_hint(error.info()).map(str::to_owned);
        self.findings.report(span, &path, problem);
    }

    /// The path of what is being read, and of `key` in it unless that is empty.
    fn path(&self, key: &str) -> String {
        let mut path = String::new();
        let mut step = |name: &str| {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&excerpt(name));
        };
        for collection in &self.open {
            if let Collection::Mapping {
                next: Next::ValueOf(name, ..),
                ..
            } = collection
            {
                step(name);
            }
        }
        if !key.is_empty() {
            step(key);
        }
        path
    }

    fn span(&self, at: EventSpan) -> Span {
        let small = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let one_line = at.start.line() == at.end.line();
        Span {
            file: self.start.file,
            line: small(at.start.line().max(1)).saturating_add(self.start.line),
            column: small(at.start.col() + 1),
            length: if one_line { small(at.len().max(1)) } else { 1 },
        }
    }
}

/// What most likely led to a syntax error.
fn syntax_hint(info: &str) -> Option<&'static str> {
    const HINTS: &[(&str, &str)] = &[
        ("tab", "indent with spaces, not tabs"),
        (
            "mapping values are not allowed",
            "a text that holds `: ` goes into quotes; otherwise check the indentation of this line",
        ),
        (
            "unknown anchor",
            "a text that starts with `*` goes into quotes",
        ),
        (
            "unexpected character",
            "a text that starts with this character goes into quotes",
        ),
        ("unexpected end of stream", "close the quote"),
        (
            "flow sequence",
            "close the `[` with `]`, and separate the items with `,`",
        ),
        (
            "flow mapping",
            "close the `{` with `}`, and separate the entries with `,`",
        ),
        (
            "expected <block end>",
            "check that the indentation fits the lines above",
        ),
        (
            "did not find expected key",
            "check that the indentation fits the lines above",
        ),
        (
            "could not find expected ':'",
            "write `name: value`, with a space after the colon",
        ),
    ];
    HINTS
        .iter()
        .find(|(part, _)| info.contains(part))
        .map(|(_, hint)| *hint)
}

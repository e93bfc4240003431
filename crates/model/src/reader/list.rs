//! Reading lists.

use std::collections::HashMap;

use super::record::Value;
use super::section::{Reader, what};
use crate::code::{DUPLICATE, WRONG_TYPE};
use crate::design::Located;
use crate::findings::{Problem, excerpt};
use crate::path::Path;
use crate::shape::{Kind, Repeats};
use crate::yaml::{Content, Node, Span};

impl Reader<'_> {
    pub(super) fn list(
        &mut self,
        item: &'static Kind,
        repeats: Repeats,
        node: &Node<'_>,
        at: &Path<'_>,
        key: Span,
    ) -> Option<Vec<Located<Value>>> {
        let items = self.items(node, at, key)?;
        let mut before: HashMap<&str, Span> = HashMap::new();
        let mut read = Vec::with_capacity(items.len());
        for (index, node) in items.iter().enumerate() {
            let at = at.item(index);
            let Some(value) = self.value(item, node, &at, node.span) else {
                continue;
            };
            let text = node.text().filter(|_| repeats == Repeats::Refused);
            match text.and_then(|text| Some((text, before.insert(text, node.span)?))) {
                Some((text, same)) => {
                    let message = format!("`{}` is in the list twice", excerpt(text));
                    let problem = Problem::new(&DUPLICATE, message).hint("remove one");
                    let related = [(same, "also written here")];
                    self.findings
                        .report_related(node.span, &at, problem, &related);
                }
                None => read.push(value),
            }
        }
        Some(read)
    }

    /// The items of a list; `None`, which is a finding, where there is none.
    fn items<'n, 's>(
        &mut self,
        node: &'n Node<'s>,
        at: &Path<'_>,
        key: Span,
    ) -> Option<&'n [Node<'s>]> {
        match &node.content {
            Content::Sequence(items) => Some(items),
            // One item without its brackets: reported, and read as what it is meant to be.
            Content::Scalar { text, .. } if !node.is_null() => {
                let problem = Problem::new(&WRONG_TYPE, "a list is expected here, not one value")
                    .hint(format!("write `[{}]`", excerpt(text)));
                self.findings.report(node.span, at, problem);
                Some(std::slice::from_ref(node))
            }
            _ => {
                let message = format!("a list is expected here, not {}", what(node));
                let problem = Problem::new(&WRONG_TYPE, message)
                    .hint("write `[]` for none, `[first, second]` for some");
                self.findings.report(key, at, problem);
                None
            }
        }
    }
}

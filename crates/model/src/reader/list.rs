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
        let items = match &node.content {
            Content::Sequence(items) => items.as_slice(),
            // One item without its brackets: reported, and read as what it is meant to be.
            Content::Scalar { text, .. } if !node.is_null() => {
                let problem = Problem::new(&WRONG_TYPE, "a list is expected here, not one value")
                    .hint(format!("write `[{}]`", excerpt(text)));
                self.findings.report(node.span, at, problem);
                std::slice::from_ref(node)
            }
            _ => {
                let message = format!("a list is expected here, not {}", what(node));
                let problem = Problem::new(&WRONG_TYPE, message)
                    .hint("write `[]` for none, `[first, second]` for some");
                self.findings.report(key, at, problem);
                return None;
            }
        };
        let mut first_with: HashMap<String, Span> = HashMap::new();
        let mut read = Vec::new();
        for (index, node) in items.iter().enumerate() {
            let at = at.item(index);
            let Some(value) = self.value(item, node, &at, node.span) else {
                continue;
            };
            let text = value.value.as_text().unwrap_or_default();
            match (repeats, first_with.get(text)) {
                (Repeats::Refused, Some(first)) => {
                    let message = format!("`{}` is in the list twice", excerpt(text));
                    let problem = Problem::new(&DUPLICATE, message).hint("remove one");
                    let related = [(*first, "first written here")];
                    self.findings
                        .report_related(node.span, &at, problem, &related);
                }
                (Repeats::Refused, None) => {
                    first_with.insert(text.to_owned(), node.span);
                    read.push(value);
                }
                (Repeats::Allowed, _) => read.push(value),
            }
        }
        Some(read)
    }
}

//! The reader's keywords about arrays.

use tidegate_schema::Types;

use super::failure::Step;
use super::flat::Flat;
use super::keywords::Why;
use super::known::{Known, Node};
use super::study::Study;

/// Most items that are looked at one by one.
pub(crate) const POSITIONS_MAX: usize = 64;

impl<'a> Study<'a, '_> {
    /// What is known of the item at a position.
    pub(crate) fn item(&mut self, flat: &Flat<'a>, position: usize) -> Known<'a> {
        // The last position stands for all behind it, also where they are told apart.
        let is_apart = |node: &&Node<'a>| {
            position < POSITIONS_MAX || node.list("prefixItems").len() <= POSITIONS_MAX
        };
        let alike = flat.atoms.iter().filter(is_apart);
        let schemas = alike.filter_map(|node| schema_of_item(node, position));
        let mut fits: Vec<Node<'a>> = schemas.collect();
        for node in &flat.atoms {
            let is_plain = !has_parts(node) && node.get("contains").is_none();
            let is_beyond =
                node.get("items").is_none() && node.list("prefixItems").len() <= position;
            if is_plain && is_beyond {
                fits.extend(node.one("unevaluatedItems"));
            }
        }
        let mut known = Known::of(fits);
        known.spoken = self.spoken_of_items(flat.spoken.as_ref(), position);
        known
    }

    /// The first position for which nothing says anything of its own.
    pub(crate) fn positions(flat: &Flat<'a>, goal: Option<&Node<'a>>) -> usize {
        let nodes = flat.atoms.iter().chain(goal);
        let lengths = nodes.map(|node| node.list("prefixItems").len());
        let spoken = flat.spoken.iter().map(|spoken| spoken.positions());
        lengths.chain(spoken).max().unwrap_or(0).min(POSITIONS_MAX)
    }

    /// Whether the items that must be there can be.
    pub(crate) fn has_room_for_items(&mut self, known: &Known<'a>, flat: &Flat<'a>) -> bool {
        let last = Self::positions(flat, None);
        let least = usize::try_from(flat.items.least).unwrap_or(usize::MAX);
        (0..=last)
            .take_while(|position| *position < least)
            .all(|position| {
                let item = self.item(flat, position);
                !self.within(known, Step::Item(position), |study| {
                    study.is_impossible(&item)
                })
            })
    }

    /// The most items there can be.
    fn items_most(&mut self, known: &Known<'a>, flat: &Flat<'a>) -> Option<u64> {
        let last = Self::positions(flat, None);
        let first_impossible = (0..=last).find(|position| {
            let item = self.item(flat, *position);
            self.within(known, Step::Item(*position), |study| {
                study.is_impossible(&item)
            })
        });
        let by_schema = first_impossible.and_then(|position| u64::try_from(position).ok());
        match (flat.items.most, by_schema) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    pub(crate) fn prove_items(
        &mut self,
        known: &Known<'a>,
        flat: &Flat<'a>,
        goal: &Node<'a>,
    ) -> bool {
        let known = &known.of_types(Types::ARRAY);
        let most = self.items_most(known, flat).unwrap_or(u64::MAX);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let longest = goal.list("prefixItems").len();
        if longest > POSITIONS_MAX {
            return self.not_understood(known, (goal, "prefixItems"));
        }
        let mut all = true;
        for position in 0..=Self::positions(flat, Some(goal)) {
            if position >= most {
                break;
            }
            let Some(wanted) = schema_of_item(goal, position) else {
                continue;
            };
            let item = self.item(flat, position);
            all &= self.within(known, Step::Item(position), |study| {
                if wanted.schema == &serde_json::Value::Bool(false) {
                    return study.is_impossible(&item)
                        || study.refuse(&item, (&wanted, ""), |_| {
                            Why::new(
                                "items-closed",
                                format!("the reader takes no item at position {position}"),
                            )
                            .fix("go on taking as many items as the writer may send")
                        });
                }
                study.prove(&item, &wanted)
            });
            if !all && self.is_quiet() {
                return false;
            }
        }
        all
    }

    pub(crate) fn prove_unevaluated_items(
        &mut self,
        known: &Known<'a>,
        flat: &Flat<'a>,
        goal: &Node<'a>,
    ) -> bool {
        let Some(wanted) = goal.one("unevaluatedItems") else {
            return true;
        };
        if goal.get("items").is_some() || wanted.schema == &serde_json::Value::Bool(true) {
            return true;
        }
        if has_parts(goal) || goal.get("contains").is_some() {
            return self.not_understood(known, (goal, "unevaluatedItems"));
        }
        let first = goal.list("prefixItems").len();
        let most = self.items_most(known, flat).unwrap_or(u64::MAX);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let mut all = true;
        for position in first..=Self::positions(flat, Some(goal)).max(first) {
            if position >= most {
                break;
            }
            let item = self.item(flat, position);
            all &= self.within(known, Step::Item(position), |study| {
                study.prove(&item, &wanted)
            });
        }
        all
    }

    pub(crate) fn prove_length(
        &mut self,
        known: &Known<'a>,
        flat: &Flat<'a>,
        (goal, keyword): (&Node<'a>, &str),
    ) -> bool {
        let mut known = known.of_types(Types::ARRAY);
        let count = goal.count(keyword).unwrap_or(0);
        let is_unique = |node: &Node<'_>| node.get("uniqueItems") == goal.get("uniqueItems");
        let (holds, code, says) = match keyword {
            "minItems" | "maxItems" => {
                let failing = flat.items.failing(keyword, count);
                known.items = failing.unwrap_or(known.items);
                let holds = failing.is_none() || self.is_impossible(&known);
                match keyword {
                    "minItems" => (
                        holds,
                        "min-items-raised",
                        "may have fewer items than the reader wants",
                    ),
                    _ => (
                        holds,
                        "max-items-lowered",
                        "may have more items than the reader takes",
                    ),
                }
            }
            _ => (
                goal.get("uniqueItems") == Some(&serde_json::Value::Bool(false))
                    || flat.atoms.iter().any(is_unique)
                    || self.items_most(&known, flat).is_some_and(|most| most <= 1),
                "unique-items-added",
                "may have equal items, which the reader refuses",
            ),
        };
        holds
            || self.refuse(&known, (goal, keyword), |subject| {
                Why::new(code, format!("{subject} {says}"))
                    .fix(format!("loosen `{keyword}` in the reader"))
            })
    }

    pub(crate) fn prove_contains(
        &mut self,
        known: &Known<'a>,
        flat: &Flat<'a>,
        goal: &Node<'a>,
    ) -> bool {
        let known = &known.of_types(Types::ARRAY);
        let Some(wanted) = goal.one("contains") else {
            return true;
        };
        let least = goal.count("minContains").unwrap_or(1);
        let most = goal.count("maxContains");
        let has_least = least == 0 || self.contains_least(known, flat, (&wanted, least));
        let has_most = match most {
            None => true,
            Some(most) => self.contains_most(known, flat, (&wanted, most)),
        };
        has_least && has_most
            || self.refuse(known, (goal, "contains"), |subject| {
                Why::new(
                    "contains-narrowed",
                    format!("{subject} may not contain the items that the reader wants"),
                )
                .fix("want in the reader no item that the writer may leave out")
            })
    }

    /// Whether so many items at least are sure to fit.
    fn contains_least(
        &mut self,
        known: &Known<'a>,
        flat: &Flat<'a>,
        (wanted, least): (&Node<'a>, u64),
    ) -> bool {
        for node in &flat.atoms {
            if let Some(contained) = node.one("contains")
                && node.count("minContains").unwrap_or(1) >= least
            {
                let mut item = Known::of(vec![contained]);
                // It may be any of them.
                if Self::positions(flat, None) == 0 {
                    item.spoken = self.spoken_of_items(flat.spoken.as_ref(), 0);
                }
                let step = Step::Item(0);
                if self.within(known, step, |study| {
                    study.attempt(|study| study.prove(&item, wanted))
                }) {
                    return true;
                }
            }
        }
        let last = Self::positions(flat, None);
        let sure = usize::try_from(flat.items.least).unwrap_or(usize::MAX);
        let mut count = 0_u64;
        for position in 0..=last {
            if position >= sure {
                break;
            }
            let item = self.item(flat, position);
            let fits = self.within(known, Step::Item(position), |study| {
                study.attempt(|study| study.prove(&item, wanted))
            });
            if fits {
                // Behind the last one that is told apart, all are alike.
                let alike = if position == last { sure - position } else { 1 };
                count = count.saturating_add(u64::try_from(alike).unwrap_or(u64::MAX));
            }
        }
        count >= least
    }

    /// Whether so many items at most can fit.
    fn contains_most(
        &mut self,
        known: &Known<'a>,
        flat: &Flat<'a>,
        (wanted, most): (&Node<'a>, u64),
    ) -> bool {
        if self.items_most(known, flat).is_some_and(|all| all <= most) {
            return true;
        }
        for node in &flat.atoms {
            if let Some(contained) = node.one("contains")
                && node.count("maxContains").is_some_and(|known| known <= most)
            {
                // Each item that the reader counts must be one that the writer counts.
                let item = Known::of(vec![wanted.clone()]);
                if self.within(known, Step::Item(0), |study| {
                    study.attempt(|study| study.prove(&item, &contained))
                }) {
                    return true;
                }
            }
        }
        let last = Self::positions(flat, None);
        let can_fit = (0..=last).filter(|position| {
            let item = self.item(flat, *position).and(wanted.clone());
            !self.within(known, Step::Item(*position), |study| {
                study.is_impossible(&item)
            })
        });
        let can_fit: Vec<usize> = can_fit.collect();
        let rest = can_fit.last() == Some(&last);
        !rest && u64::try_from(can_fit.len()).is_ok_and(|count| count <= most)
    }
}

/// The schema of the item at a position, by one schema's own keywords.
pub(crate) fn schema_of_item<'a>(node: &Node<'a>, position: usize) -> Option<Node<'a>> {
    let first = node.list("prefixItems");
    match first.get(position) {
        Some(one) => Some(one.clone()),
        None => node.one("items"),
    }
}

/// Whether a schema has others that look at the same value.
pub(crate) fn has_parts(node: &Node<'_>) -> bool {
    ["$ref", "allOf", "anyOf", "oneOf", "if", "dependentSchemas"]
        .into_iter()
        .any(|keyword| node.get(keyword).is_some())
}

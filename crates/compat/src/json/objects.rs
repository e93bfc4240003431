//! The reader's other keywords about objects.

use serde_json::Value;
use tidegate_schema::Types;

use super::failure::Step;
use super::flat::{Flat, required};
use super::keywords::Why;
use super::known::{Known, Node};
use super::study::Study;

impl<'a> Study<'a, '_> {
    pub(crate) fn prove_required(
        &mut self,
        known: &Known<'a>,
        flat: &Flat<'a>,
        goal: &Node<'a>,
    ) -> bool {
        let known = &known.of_types(Types::OBJECT);
        let mut all = true;
        for name in required(goal) {
            if flat.present.contains(&name) {
                continue;
            }
            let lacking = known.lacking(&name);
            all &= self.is_impossible(&lacking)
                || self.refuse(&lacking, (goal, "required"), |subject| {
                    let of = match subject {
                        "the event" => String::new(),
                        path => format!(" of {path}"),
                    };
                    Why::new(
                        "required-added",
                        format!("the writer may leave out `{name}`{of}, which the reader requires"),
                    )
                    .fix(format!(
                        "make `{name}` optional in the reader, or have the writer require it first"
                    ))
                });
            if !all && self.is_quiet() {
                return false;
            }
        }
        all
    }

    pub(crate) fn prove_size(
        &mut self,
        known: &Known<'a>,
        flat: &Flat<'a>,
        (goal, keyword): (&Node<'a>, &str),
    ) -> bool {
        let mut known = known.of_types(Types::OBJECT);
        let count = goal.count(keyword).unwrap_or(0);
        let failing = flat.fields.failing(keyword, count);
        known.fields = failing.unwrap_or(known.fields);
        let mut holds = failing.is_none() || self.is_impossible(&known);
        let (code, says) = match keyword {
            "minProperties" => (
                "min-properties-raised",
                "may have fewer fields than the reader wants",
            ),
            _ => {
                holds = holds
                    || self.possible_names(&known, flat).is_some_and(|names| {
                        u64::try_from(names.len()).is_ok_and(|most| most <= count)
                    });
                (
                    "max-properties-lowered",
                    "may have more fields than the reader takes",
                )
            }
        };
        holds
            || self.refuse(&known, (goal, keyword), |subject| {
                Why::new(code, format!("{subject} {says}"))
                    .fix(format!("loosen `{keyword}` in the reader"))
            })
    }

    pub(crate) fn prove_names(
        &mut self,
        known: &Known<'a>,
        flat: &Flat<'a>,
        goal: &Node<'a>,
    ) -> bool {
        let known = &known.of_types(Types::OBJECT);
        let Some(wanted) = goal.one("propertyNames") else {
            return true;
        };
        let mut refused = None;
        let names = self.declared(flat, None);
        for name in &names {
            let text = Value::String(name.clone());
            if self.fits(&wanted, &text) == Some(true) {
                continue;
            }
            let step = Step::Field(name.clone());
            if let Some(field) = self.field(flat, name)
                && !self.within(known, step, |study| study.is_impossible(&field))
            {
                refused = Some(name.clone());
            }
        }
        let others = match refused {
            Some(_) => false,
            None => self.prove_other_names(known, flat, (goal, &wanted, &names)),
        };
        if refused.is_none() && others {
            return true;
        }
        let known = match &refused {
            Some(name) => known.with(name),
            None => known.clone(),
        };
        self.refuse(&known, (goal, "propertyNames"), |subject| {
            let example = refused.map_or_else(String::new, |name| format!(" (`{name}`)"));
            Why::new(
                "names-narrowed",
                format!("{subject} may have a field whose name the reader refuses{example}"),
            )
            .fix("go on taking every name that the writer may use")
        })
    }

    fn prove_other_names(
        &mut self,
        known: &Known<'a>,
        flat: &Flat<'a>,
        (goal, wanted, names): (&Node<'a>, &Node<'a>, &std::collections::BTreeSet<String>),
    ) -> bool {
        let Some(kinds) = self.kinds(flat, Some(goal), names) else {
            return false;
        };
        for kind in kinds {
            let Some(field) = self.field_of(flat, &kind) else {
                continue;
            };
            let step = Step::Field(kind.example.clone().unwrap_or_default());
            if self.within(known, step, |study| study.is_impossible(&field)) {
                continue;
            }
            let own = flat
                .atoms
                .iter()
                .filter_map(|node| node.one("propertyNames"));
            let mut name = Known::of(own.collect()).of_types(Types::STRING);
            name.strings = kind.strings.clone();
            name.strings
                .other_than
                .extend(names.iter().take(100).cloned());
            if !self.attempt(|study| study.prove(&name, wanted)) {
                return false;
            }
        }
        true
    }

    pub(crate) fn prove_dependent_required(
        &mut self,
        known: &Known<'a>,
        flat: &Flat<'a>,
        goal: &Node<'a>,
    ) -> bool {
        let all = goal.get("dependentRequired").and_then(Value::as_object);
        let mut holds = true;
        for (name, wanted) in all.into_iter().flatten() {
            if self.field(flat, name).is_none() {
                continue;
            }
            let with = known.of_types(Types::OBJECT).with(name);
            let Some(facts) = self.facts(&with) else {
                continue;
            };
            let wanted = wanted.as_array().into_iter().flatten();
            for needed in wanted.filter_map(Value::as_str) {
                if facts.present.contains(needed) {
                    continue;
                }
                let lacking = with.lacking(needed);
                holds &= self.is_impossible(&lacking)
                    || self.refuse(&lacking, (goal, "dependentRequired"), |subject| {
                        Why::new(
                            "dependency-added",
                            format!(
                                "{subject} may have `{name}` without `{needed}`, which the reader \
                                 wants beside it"
                            ),
                        )
                        .fix(format!("make `{needed}` optional in the reader"))
                    });
            }
        }
        holds
    }

    pub(crate) fn prove_dependent_schemas(
        &mut self,
        known: &Known<'a>,
        flat: &Flat<'a>,
        goal: &Node<'a>,
    ) -> bool {
        let mut all = true;
        for name in goal.names("dependentSchemas") {
            let Some(wanted) = goal.named("dependentSchemas", name) else {
                continue;
            };
            if self.field(flat, name).is_none() {
                continue;
            }
            let with = known.of_types(Types::OBJECT).with(name);
            all &= self.prove(&with, &wanted);
        }
        all
    }
}

//! The reader's choices: `anyOf`, `oneOf`, `not`, `if`.

use tidegate_schema::Types;

use super::flat::Flat;
use super::keywords::Why;
use super::known::{Known, Node};
use super::study::Study;

impl<'a> Study<'a, '_> {
    pub(crate) fn prove_any(
        &mut self,
        known: &Known<'a>,
        flat: &Flat<'a>,
        goal: &Node<'a>,
    ) -> bool {
        let branches = goal.list("anyOf");
        for branch in &branches {
            if self.attempt(|study| study.prove(known, branch)) {
                return true;
            }
        }
        // Or one of them holds wherever the others do not.
        for (last, branch) in branches.iter().enumerate() {
            let others = branches.iter().enumerate().filter(|(i, _)| *i != last);
            let mut rest = known.clone();
            rest.misses.extend(others.map(|(_, other)| other.clone()));
            if self.attempt(|study| study.prove(&rest, branch)) {
                return true;
            }
        }
        self.no_branch(known, flat, (goal, "anyOf", &branches))
    }

    pub(crate) fn prove_one(
        &mut self,
        known: &Known<'a>,
        flat: &Flat<'a>,
        goal: &Node<'a>,
    ) -> bool {
        let branches = goal.list("oneOf");
        let mut overlapping = None;
        for (chosen, branch) in branches.iter().enumerate() {
            if !self.attempt(|study| study.prove(known, branch)) {
                continue;
            }
            let mut others = branches.iter().enumerate();
            let second = others.find(|(index, other)| {
                *index != chosen && !self.is_impossible(&known.and((*other).clone()))
            });
            match second {
                None => return true,
                Some((_, other)) => overlapping = Some(other.clone()),
            }
        }
        match overlapping {
            Some(other) => self.refuse(&known.and(other), (goal, "oneOf"), |subject| {
                Why::new(
                    "one-of-overlaps",
                    format!(
                        "{subject} may fit more than one branch of the reader's `oneOf`, which \
                             then refuses it"
                    ),
                )
                .fix("make the branches exclude each other, or write `anyOf`")
            }),
            None => self.no_branch(known, flat, (goal, "oneOf", &branches)),
        }
    }

    /// No branch was shown to hold. Where only one can be meant, the reasons are its own.
    fn no_branch(
        &mut self,
        known: &Known<'a>,
        flat: &Flat<'a>,
        (goal, keyword, branches): (&Node<'a>, &str, &[Node<'a>]),
    ) -> bool {
        if self.is_quiet() {
            return false;
        }
        let mut meant = Vec::new();
        for branch in branches {
            if !self.is_impossible(&known.and(branch.clone())) {
                meant.push(branch);
            }
        }
        if let [one] = meant.as_slice() {
            return self.prove(known, one);
        }
        let types = flat.types;
        self.refuse(known, (goal, keyword), |subject| {
            let of = match types {
                Types::ALL => String::new(),
                types => format!(" of type {}", types.words()),
            };
            Why::new(
                "no-branch-fits",
                format!("{subject}{of} may fit no branch of the reader's `{keyword}`"),
            )
            .fix("keep a branch for everything that the writer may send")
        })
    }

    pub(crate) fn prove_not(&mut self, known: &Known<'a>, goal: &Node<'a>) -> bool {
        let Some(barred) = goal.one("not") else {
            return true;
        };
        let both = known.and(barred);
        if self.is_impossible(&both) {
            return true;
        }
        // Where the writer's choices decide, the cases are gone through above.
        self.refuse(&both, (goal, "not"), |subject| {
            Why::new(
                "not-widened",
                format!("{subject} may be something that the reader's `not` refuses"),
            )
            .fix("bar in the reader nothing that the writer may send")
        })
    }

    pub(crate) fn prove_condition(&mut self, known: &Known<'a>, goal: &Node<'a>) -> bool {
        let Some(test) = goal.one("if") else {
            return true;
        };
        let mut all = true;
        if let Some(then) = goal.one("then") {
            all &= self.prove(&known.and(test.clone()), &then);
        }
        if let Some(or_else) = goal.one("else") {
            all &= self.prove(&known.and_not(test), &or_else);
        }
        all
    }
}

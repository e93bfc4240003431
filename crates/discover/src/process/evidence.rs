//! What speaks for and against making a part of a process events.

use std::collections::BTreeSet;

use tidegate_base::format_duration;

use super::found::{CandidateClass, Cause, Reason, Waits};
use super::study::Study;
use crate::discovery::Weight;
use crate::statistics::Proportion;

/// From this index of dispersion on arrivals are bursts.
const BURSTY: f64 = 2.0;

/// What is known of a candidate.
pub(super) struct Facts<'a> {
    pub(super) waits: Waits,
    pub(super) explained: usize,
    pub(super) handoffs: Proportion,
    pub(super) dispersion: Option<f64>,
    pub(super) shared: Option<Proportion>,
    pub(super) slack: Proportion,
    pub(super) joins: &'a [String],
}

impl Facts<'_> {
    pub(super) fn reasons(&self, class: &CandidateClass) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let is_stream = matches!(
            class,
            CandidateClass::OwnStream | CandidateClass::JoinNeeded
        );
        if is_stream {
            reasons.push(reason(
                Weight::For,
                format!(
                    "it could end later without the case ending later in {} of {}",
                    self.slack.hits, self.slack.total
                ),
                Some(self.slack),
            ));
        } else if self.explained > 0 {
            self.waiting(&mut reasons);
        }
        if self.handoffs.total > 0 {
            let Proportion { hits, total } = self.handoffs;
            let weight = if self.handoffs.share() >= 0.5 {
                Weight::For
            } else {
                Weight::Against
            };
            let claim = format!("somebody else goes on with the work in {hits} of {total}");
            reasons.push(reason(weight, claim, Some(self.handoffs)));
        }
        if let Some(dispersion) = self.dispersion.filter(|found| *found >= BURSTY) {
            let claim = format!(
                "it arrives in bursts (index of dispersion {dispersion:.1} an hour): a queue evens them out"
            );
            reasons.push(reason(Weight::Benefit, claim, None));
        }
        if let Some(shared) = self.shared {
            let weight = if shared.share() > 0.5 {
                Weight::Against
            } else {
                Weight::For
            };
            let claim = format!(
                "{} of its {} events touch objects that work elsewhere touches too",
                shared.hits, shared.total
            );
            reasons.push(reason(weight, claim, Some(shared)));
        }
        if !self.joins.is_empty() {
            let claim = format!("its end is waited for by {}", self.joins.join(", "));
            reasons.push(reason(Weight::Against, claim, None));
        }
        reasons
    }

    fn waiting(&self, reasons: &mut Vec<Reason>) {
        let total = self.waits.total();
        let claim = |causes: &[Cause]| {
            let parts: Vec<String> = causes
                .iter()
                .filter(|cause| !self.waits.of(**cause).is_zero())
                .map(|cause| {
                    let time = format_duration(self.waits.of(*cause));
                    format!("{time} {}", cause.words())
                })
                .collect();
            parts.join("; ")
        };
        let whole = format_duration(total);
        let goes: Vec<Cause> = Cause::ALL
            .into_iter()
            .filter(|c| c.goes_with_an_event())
            .collect();
        let stays: Vec<Cause> = Cause::ALL
            .into_iter()
            .filter(|c| !c.goes_with_an_event())
            .collect();
        if !self.waits.removable().is_zero() {
            let claim = format!(
                "of {whole} waiting, an event can take away: {}",
                claim(&goes)
            );
            reasons.push(reason(Weight::For, claim, None));
        }
        if !self.waits.of(Cause::Extraneous).is_zero() {
            let claim = "the log does not say whether somebody outside, such as a customer, is \
                         waited for: an event does not make them faster";
            reasons.push(reason(Weight::Against, claim.to_owned(), None));
        }
        if self.waits.removable() < total {
            let claim = format!("of {whole} waiting, it leaves: {}", claim(&stays));
            reasons.push(reason(Weight::Against, claim, None));
        }
    }
}

fn reason(weight: Weight, claim: String, share: Option<Proportion>) -> Reason {
    Reason {
        weight,
        claim,
        share,
    }
}

/// Instances of these activities that have slack.
pub(super) fn slack(study: &Study<'_>, set: &BTreeSet<usize>) -> Proportion {
    let mut slack = Proportion::default();
    for (work, free) in study.timeline.works.iter().zip(&study.slacks) {
        if let Some(free) = free.filter(|_| set.contains(&work.activity)) {
            slack.count(free.into());
        }
    }
    slack
}

/// Events of these activities that touch an object which other activities touch too; `None`
/// without objects.
pub(super) fn shared(study: &Study<'_>, set: &BTreeSet<usize>) -> Option<Proportion> {
    let objects = study.objects?;
    let mut elsewhere = vec![false; objects.kinds.len()];
    for event in objects
        .events
        .iter()
        .filter(|event| !set.contains(&event.activity))
    {
        for object in &event.objects {
            if let Some(place) = elsewhere.get_mut(*object) {
                *place = true;
            }
        }
    }
    let mut shared = Proportion::default();
    for event in objects
        .events
        .iter()
        .filter(|event| set.contains(&event.activity))
    {
        let touches = |object: &usize| elsewhere.get(*object).copied().unwrap_or_default();
        shared.count(event.objects.iter().any(touches).into());
    }
    Some(shared)
}

/// What is the same for events that must keep their order: the object type that most events of
/// these activities touch exactly once, else the case.
pub(super) fn key(study: &Study<'_>, set: &BTreeSet<usize>) -> String {
    let Some(objects) = study.objects else {
        return "case".to_owned();
    };
    let mut single = vec![0_usize; objects.types.len()];
    for event in objects
        .events
        .iter()
        .filter(|event| set.contains(&event.activity))
    {
        let mut touched = vec![0_usize; objects.types.len()];
        for object in &event.objects {
            let kind = objects.kinds.get(*object).copied().unwrap_or_default();
            if let Some(place) = touched.get_mut(kind) {
                *place += 1;
            }
        }
        for (place, times) in single.iter_mut().zip(touched) {
            *place += usize::from(times == 1);
        }
    }
    let best = (0..single.len()).rev().max_by_key(|kind| single.get(*kind));
    let name = best.and_then(|kind| objects.types.get(kind));
    name.map_or_else(|| "case".to_owned(), |kind| kind.name.clone())
}

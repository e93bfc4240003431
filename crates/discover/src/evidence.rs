//! The observations of one call path, weighed: what speaks for and against an event.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::time::Duration;

use tidegate_base::format_duration;

use crate::discovery::{Evidence, Signal, Weight};
use crate::observe::Observation;
use crate::operation;
use crate::signals::SMALL_ANSWER_BYTES;
use crate::signals::independence::Test;
use crate::statistics::Proportion;
use crate::vocabulary::{self, Verb};

/// The share of calls that comes last at least, for its place alone to say something.
const POSITION_SHARE: f64 = 0.6;

/// All observations of one call path.
pub(crate) struct Facts<'a> {
    pub(crate) observations: &'a [Observation],
    pub(crate) callee: &'a str,
    pub(crate) callee_operation: &'a str,
    pub(crate) words: Vec<String>,
    /// Whether words count as evidence for a change.
    pub(crate) vocabulary: bool,
    /// How often the same session reads from the callee soon afterwards.
    pub(crate) reads_after: Proportion,
    /// The test of independence, once it was asked for.
    pub(crate) independence: OnceCell<Option<Test>>,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(
        observations: &'a [Observation],
        (callee, operation): (&'a str, &'a str),
        vocabulary: bool,
        reads_after: Proportion,
    ) -> Self {
        let words = operation::words(operation);
        Self {
            observations,
            callee,
            callee_operation: operation,
            words,
            vocabulary,
            reads_after,
            independence: OnceCell::new(),
        }
    }

    pub(crate) fn share(&self, mut is: impl FnMut(&Observation) -> bool) -> Proportion {
        let mut share = Proportion::default();
        for observation in self.observations {
            share.count(is(observation).into());
        }
        share
    }

    fn sum(&self, count: impl Fn(&Observation) -> usize) -> usize {
        self.observations.iter().map(count).sum()
    }

    pub(crate) fn method(&self) -> Option<&'static str> {
        self.observations
            .iter()
            .find_map(|observation| observation.method)
    }

    pub(crate) fn side_work(&self) -> Option<String> {
        self.vocabulary
            .then(|| vocabulary::side_work(&self.words, self.callee))?
    }

    /// A word that says that the call only tells somebody something.
    pub(crate) fn notice(&self) -> Option<String> {
        self.vocabulary
            .then(|| vocabulary::notice(&self.words, self.callee))?
    }

    /// A word that says that the answer decides about something, such as a payment.
    pub(crate) fn decision(&self) -> Option<String> {
        self.vocabulary
            .then(|| vocabulary::decision(&self.words, self.callee))?
    }

    /// Whether its place alone speaks for an event: it comes last, the caller does more than to
    /// forward it, and below it nothing is read.
    pub(crate) fn is_by_position(&self) -> bool {
        let tail = self.share(|observation| observation.is_tail).interval();
        let forwarded = self.share(|observation| observation.is_forwarded).share();
        tail.is_some_and(|(low, _)| low >= POSITION_SHARE)
            && forwarded < crate::classify::FORWARDED_SHARE
            && self.sum(|observation| observation.reads) == 0
    }

    /// Whether the caller goes on in one way, in so many of its requests that chance does not explain it.
    pub(crate) fn is_followed_alike(&self) -> bool {
        let share = self.followed_alike().interval();
        share.is_some_and(|(low, _)| low >= POSITION_SHARE)
    }

    /// How often the caller goes on in its most frequent way.
    fn followed_alike(&self) -> Proportion {
        let mut ways: HashMap<u64, usize> = HashMap::new();
        for observation in self.observations {
            *ways.entry(observation.marks.next).or_default() += 1;
        }
        Proportion {
            hits: ways.into_values().max().unwrap_or_default(),
            total: self.observations.len(),
        }
    }

    /// Why the answer is needed, when the call only reads.
    pub(crate) fn read_only(&self) -> Option<String> {
        let (reads, writes) = (self.sum(|o| o.reads), self.sum(|o| o.writes + o.sends));
        if writes > 0 {
            return None;
        }
        let word = self.words.first().map(String::as_str).unwrap_or_default();
        if vocabulary::verb(&self.words) == Verb::Answer {
            return Some(format!(
                "`{word}` in `{}` asks for an answer",
                self.callee_operation
            ));
        }
        if let Some(method @ ("GET" | "HEAD" | "OPTIONS")) = self.method() {
            return Some(format!(
                "{method} asks for an answer, and nothing seen below it changes anything"
            ));
        }
        if reads > 0 && vocabulary::verb(&self.words) != Verb::Change {
            return Some(format!("below it are {reads} database reads and no write"));
        }
        let gets = self.share(|observation| observation.serves_get);
        let changes = self.change().is_some() || self.side_work().is_some();
        (gets.hits == gets.total && !changes).then(|| {
            "it serves GET requests, and nothing seen below it changes anything".to_owned()
        })
    }

    /// What shows that the call changes something.
    pub(crate) fn change(&self) -> Option<String> {
        let (writes, sends) = (self.sum(|o| o.writes), self.sum(|o| o.sends));
        if writes > 0 {
            return Some(format!("{writes} database writes are below it"));
        }
        if sends > 0 {
            return Some(format!("{sends} messages are sent below it"));
        }
        if let Some(method @ ("POST" | "PUT" | "PATCH" | "DELETE")) = self.method() {
            return Some(format!("{method} changes something, by its definition"));
        }
        let word = self
            .words
            .first()
            .filter(|_| self.vocabulary && vocabulary::verb(&self.words) == Verb::Change)?;
        Some(format!(
            "`{word}` in `{}` is a change, by its name",
            self.callee_operation
        ))
    }

    /// How often what [`Facts::change`] names was seen.
    fn changing(&self) -> Proportion {
        let below: [fn(&Observation) -> bool; 3] = [
            |observation| observation.writes > 0,
            |observation| observation.sends > 0,
            |observation| {
                matches!(
                    observation.method,
                    Some("POST" | "PUT" | "PATCH" | "DELETE")
                )
            },
        ];
        let shares = below.into_iter().map(|is| self.share(is));
        // Its name alone is that of all.
        let named = self.share(|_| true);
        shares
            .into_iter()
            .find(|share| share.hits > 0)
            .unwrap_or(named)
    }

    /// Everything that was seen, strongest first.
    pub(crate) fn evidence(&self) -> Vec<Evidence> {
        let mut all = Vec::new();
        if let Some(reason) = self.read_only() {
            // In none of them anything below it changes something.
            let share = self.share(|_| true);
            all.push(Evidence::share(Signal::Read, Weight::Veto, reason, share));
        }
        let (vetoes, marks): (Vec<_>, Vec<_>) = self
            .marks()
            .into_iter()
            .partition(|evidence| evidence.weight == Weight::Veto);
        all.extend(vetoes);
        all.extend(self.messaging());
        all.push(self.tail());
        if let Some(claim) = self.change() {
            let share = self.changing();
            all.push(Evidence::share(Signal::Write, Weight::For, claim, share));
        }
        if let Some(word) = self.side_work() {
            let claim = format!("`{word}` is a word of side work that users rarely wait for");
            // All occurrences have the name.
            let share = self.share(|_| true);
            let signal = Signal::Vocabulary;
            all.push(Evidence::share(signal, Weight::For, claim, share));
        }
        all.extend(self.small_answer());
        all.extend(self.forwarding());
        all.extend(self.local_write());
        all.extend(self.coupling());
        all.extend(self.failing());
        all.extend(self.slow_tail());
        all.extend(marks);
        all
    }

    fn messaging(&self) -> Option<Evidence> {
        let messages = self.share(|observation| observation.is_message);
        let left = self.share(|observation| observation.marks.is_left_behind);
        let (claim, share) = if messages.hits > 0 {
            (
                format!(
                    "{} of {} are messages already",
                    messages.hits, messages.total
                ),
                messages,
            )
        } else {
            (
                format!("no request waits for it in {} of {}", left.hits, left.total),
                left,
            )
        };
        (share.hits > 0).then(|| Evidence::share(Signal::Messaging, Weight::Against, claim, share))
    }

    fn tail(&self) -> Evidence {
        let share = self.share(|observation| observation.is_tail);
        let later = Proportion {
            hits: share.total - share.hits,
            total: share.total,
        };
        let is_tail = share.share() >= crate::classify::TAIL_SHARE;
        let (weight, claim, share) = if is_tail {
            let claim = "it is the last thing the caller does";
            (
                Weight::For,
                format!("{claim} in {} of {}", share.hits, share.total),
                share,
            )
        } else {
            let claim = format!(
                "the caller does more after it in {} of {}",
                later.hits, later.total
            );
            (
                Weight::Against,
                format!("{claim}; it may read the answer"),
                later,
            )
        };
        Evidence::share(Signal::Tail, weight, claim, share)
    }

    fn forwarding(&self) -> Option<Evidence> {
        let share = self.share(|observation| observation.is_forwarded);
        let is_forwarded = share.share() >= crate::classify::FORWARDED_SHARE;
        (is_forwarded && !self.is_ignored()).then(|| {
            let claim = format!(
                "the caller does hardly anything else in {} of {}: its answer is this answer",
                share.hits, share.total
            );
            Evidence::share(Signal::Forwarding, Weight::Against, claim, share)
        })
    }

    fn local_write(&self) -> Option<Evidence> {
        let share = self.share(|observation| observation.writes_locally);
        (share.hits > 0).then(|| {
            let claim = format!(
                "the caller changes its own data in {} of {}: event and change must commit together",
                share.hits, share.total
            );
            Evidence::share(Signal::LocalWrite, Weight::Against, claim, share)
        })
    }

    fn small_answer(&self) -> Option<Evidence> {
        let mut share = Proportion::default();
        for bytes in self
            .observations
            .iter()
            .filter_map(|observation| observation.answer_bytes)
        {
            share.count((bytes <= SMALL_ANSWER_BYTES).into());
        }
        if share.total == 0 {
            return None;
        }
        let weight = if share.share() >= crate::classify::TAIL_SHARE {
            Weight::For
        } else {
            Weight::Against
        };
        let claim = format!(
            "the answer has at most {SMALL_ANSWER_BYTES} bytes in {} of {}",
            share.hits, share.total
        );
        Some(Evidence::share(Signal::SmallAnswer, weight, claim, share))
    }

    /// Requests that failed, among those in which the call failed.
    pub(crate) fn coupled(&self) -> Proportion {
        let mut share = Proportion::default();
        for observation in self
            .observations
            .iter()
            .filter(|observation| observation.failed)
        {
            share.count(observation.request_failed.into());
        }
        share
    }

    fn coupling(&self) -> Option<Evidence> {
        let share = self.coupled();
        let (low, high) = share.interval()?;
        let ignored = high < 0.1 && share.total >= 20;
        let (weight, claim) = if ignored {
            (
                Weight::For,
                format!(
                    "requests go on when it fails: {} of {} failed",
                    share.hits, share.total
                ),
            )
        } else if low > 0.5 {
            let claim = format!(
                "requests fail with it: {} of {}; that coupling would go, if the answer is not needed",
                share.hits, share.total
            );
            (Weight::Benefit, claim)
        } else {
            let claim = format!(
                "when it failed, {} of {} requests failed: too few to tell",
                share.hits, share.total
            );
            (Weight::Benefit, claim)
        };
        Some(Evidence::share(Signal::Coupling, weight, claim, share))
    }

    fn failing(&self) -> Option<Evidence> {
        let failures = self.share(|observation| observation.failed);
        (failures.hits > 0).then(|| {
            let claim = format!("it fails in {} of {}", failures.hits, failures.total);
            Evidence::share(Signal::Reliability, Weight::Benefit, claim, failures)
        })
    }

    /// How much longer its slowest hundredth takes than half of it.
    fn slow_tail(&self) -> Option<Evidence> {
        let waited = self.observations.iter().map(|o| o.waited).collect();
        let latency = crate::services::latency(waited);
        let (p50, p99) = (latency.p50.ends()?, latency.p99.ends()?);
        let ratio = |of: Duration, to: Duration| of.as_secs_f64() / to.as_secs_f64();
        (p50.1 > Duration::ZERO && p99.0 > p50.0 * 5).then(|| {
            let (long, usual) = (format_duration(p99.0), format_duration(p50.0));
            let claim = format!("p99 {long} is over 5 times p50 {usual}");
            Evidence {
                number: Some((
                    ratio(p99.0, p50.0),
                    ratio(p99.1, p50.2),
                    ratio(p99.2, p50.1),
                )),
                n: self.observations.len(),
                ..Evidence::plain(Signal::Reliability, Weight::Benefit, claim)
            }
        })
    }

    /// Evidence that the capture does not hold, each with the way to get it.
    pub(crate) fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if self.observations.iter().all(|o| o.marks.tainted.is_none()) {
            let claim =
                "whether anything of the answer is used later: needs values of the answer in spans";
            missing.push(claim.to_owned());
        }
        if self.observations.iter().all(|o| o.reads + o.writes == 0) {
            missing.push(
                "what it does to data: needs database spans with their statements".to_owned(),
            );
        }
        if self.observations.iter().all(|o| o.answer_bytes.is_none()) {
            missing.push("the size of the answer: needs `http.response.body.size`".to_owned());
        }
        if self.coupled().total == 0 {
            let n = self.observations.len();
            missing.push(format!(
                "what happens when it fails: no failure in {n}; inject some in a test environment"
            ));
        }
        if self
            .observations
            .iter()
            .any(|observation| !observation.has_answer_span)
        {
            missing.push("the callee's own view: it is not traced".to_owned());
        }
        missing
    }
}

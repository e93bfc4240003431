//! All work of a set of logs in one table: what every analysis reads.

use std::ops::Range;

use indexmap::IndexSet;
use tidegate_base::Timestamp;
use tidegate_trace::process::EventLog;

/// One activity instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) case: usize,
    pub(super) activity: usize,
    pub(super) resource: Option<usize>,
    /// When it could have started, as the log says.
    pub(super) told: Option<Timestamp>,
    pub(super) start: Option<Timestamp>,
    pub(super) end: Timestamp,
}

impl Work {
    pub(super) fn begin(&self) -> Timestamp {
        self.start.unwrap_or(self.end)
    }
}

/// The work of all cases: that of one case side by side, by begin.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    pub(super) activities: Vec<String>,
    pub(super) resources: Vec<String>,
    pub(super) works: Vec<Work>,
    pub(super) cases: Vec<Range<usize>>,
    pub(super) ids: Vec<String>,
    /// Offset from UTC of working hours, in seconds.
    pub(super) zone: i32,
}

impl Timeline {
    /// The work of `logs`: activities and resources of the same name are the same; cases of
    /// different logs are different.
    pub(super) fn new(logs: &[&EventLog]) -> Self {
        let mut activities: IndexSet<String> = IndexSet::new();
        let mut resources: IndexSet<String> = IndexSet::new();
        let mut works = Vec::new();
        let mut cases = Vec::new();
        let mut ids = Vec::new();
        for log in logs {
            let of_log = |texts: &[String], all: &mut IndexSet<String>| -> Vec<usize> {
                let index = |text: &String| all.insert_full(text.clone()).0;
                texts.iter().map(index).collect()
            };
            let acts = of_log(&log.activities, &mut activities);
            let by = of_log(&log.resources, &mut resources);
            for case in &log.cases {
                let first = works.len();
                works.extend(case.instances.iter().map(|instance| Work {
                    case: cases.len(),
                    activity: acts.get(instance.activity).copied().unwrap_or_default(),
                    resource: instance.resource.and_then(|one| by.get(one).copied()),
                    told: instance.enabled,
                    start: instance.start,
                    end: instance.end,
                }));
                cases.push(first..works.len());
                ids.push(case.id.clone());
            }
        }
        Self {
            activities: activities.into_iter().collect(),
            resources: resources.into_iter().collect(),
            works,
            cases,
            ids,
            zone: logs.first().map_or(0, |log| log.zone),
        }
    }

    /// Every case: the index of its first work, and its work.
    pub(super) fn each(&self) -> impl Iterator<Item = (usize, &[Work])> {
        self.cases.iter().map(|range| {
            (
                range.start,
                self.works.get(range.clone()).unwrap_or_default(),
            )
        })
    }

    /// From the first begin to the last end.
    pub(super) fn span(&self) -> (Timestamp, Timestamp) {
        let first = self.works.iter().map(Work::begin).min();
        let last = self.works.iter().map(|work| work.end).max();
        (first.unwrap_or_default(), last.unwrap_or_default())
    }
}

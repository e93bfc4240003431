//! The queue in front of one consumer, by recursion instead of a list of events.
//!
//! A delivery starts when it has arrived, its key is free and a handler is free. Without keys that is
//! Lindley's recursion with a heap of the times at which handlers become free (Kiefer and Wolfowitz,
//! 1955). With keys, deliveries are taken in the order in which their key lets them go; the only heap
//! is then that of waiting keys. Both are exact for work-conserving handlers.
//!
//! Approximations: the attempts of one delivery keep a handler busy in one piece at its first start,
//! and its retry delays lengthen only its own time and that of its key.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use tidegate_base::Rate;
use tidegate_model::design::Order;

use crate::keys::KeySampler;
use crate::work::{Work, Worker};

/// A stretch of time in which nothing starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) from_ns: u64,
    pub(crate) to_ns: u64,
}

/// One delivery, done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) arrived_ns: u64,
    pub(crate) started_ns: u64,
    pub(crate) finished_ns: u64,
    pub(crate) work: Work,
}

/// What a consumer is, for the queue in front of it.
#[derive(Clone, Debug)]
pub(crate) struct Station {
    /// Most deliveries at the same time.
    pub(crate) servers: u32,
    pub(crate) order: Order,
    pub(crate) worker: Worker,
    /// Draws keys; only asked when order is by key.
    pub(crate) keys: KeySampler,
    /// In order, without overlap.
    pub(crate) holds: Vec<Hold>,
    /// How fast attempts may start.
    pub(crate) pace: Option<Pace>,
}

/// How fast attempts may start: the same bucket as that of the machine (the generic cell rate algorithm).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pace {
    /// Starts a second in the long run.
    pub(crate) rate: Rate,
    /// Between two starts in the long run.
    pub(crate) interval_ns: u64,
    /// Most starts at once.
    pub(crate) burst: u32,
}

/// The bucket of a pace: when it is full again.
struct Bucket {
    pace: Option<Pace>,
    full_ns: u64,
}

impl Bucket {
    fn new(pace: Option<Pace>) -> Self {
        Self { pace, full_ns: 0 }
    }

    /// The first moment from `time_ns` on at which a delivery may start; all its attempts are paid for then.
    fn take(&mut self, time_ns: u64, attempts: u64) -> u64 {
        let Some(pace) = self.pace else {
            return time_ns;
        };
        let room = u64::from(pace.burst.saturating_sub(1)).saturating_mul(pace.interval_ns);
        let started_ns = time_ns.max(self.full_ns.saturating_sub(room));
        let cost = pace.interval_ns.saturating_mul(attempts);
        self.full_ns = self.full_ns.max(started_ns).saturating_add(cost);
        started_ns
    }
}

impl Station {
    /// Serves `arrivals` (nanoseconds, in order) and hands each delivery to `done`.
    pub(crate) fn run(&self, arrivals: impl Iterator<Item = u64>, mut done: impl FnMut(Served)) {
        match self.order {
            Order::None => self.run_unordered(arrivals, &mut done),
            Order::Key => self.run_by_key(arrivals, &mut done),
            Order::Total => self.run_total(arrivals, &mut done),
        }
    }

    fn run_unordered(&self, arrivals: impl Iterator<Item = u64>, done: &mut impl FnMut(Served)) {
        let mut handlers = Handlers::new(self.servers);
        let mut bucket = Bucket::new(self.pace);
        for (index, arrived_ns) in (0..).zip(arrivals) {
            let work = self.worker.work(index);
            done(self.serve((&mut handlers, &mut bucket), arrived_ns, arrived_ns, work));
        }
    }

    /// One at a time: the retry delays of a delivery hold up everything behind it.
    fn run_total(&self, arrivals: impl Iterator<Item = u64>, done: &mut impl FnMut(Served)) {
        let mut free_ns = 0;
        let mut bucket = Bucket::new(self.pace);
        for (index, arrived_ns) in (0..).zip(arrivals) {
            let work = self.worker.work(index);
            let started_ns = self.start(arrived_ns.max(free_ns), &mut bucket, work);
            let finished_ns = started_ns.saturating_add(work.elapsed_ns);
            free_ns = started_ns.saturating_add(work.lane_ns);
            done(Served {
                arrived_ns,
                started_ns,
                finished_ns,
                work,
            });
        }
    }

    fn run_by_key(&self, arrivals: impl Iterator<Item = u64>, done: &mut impl FnMut(Served)) {
        let mut handlers = Handlers::new(self.servers);
        let mut bucket = Bucket::new(self.pace);
        let mut lanes = Lanes::new(self.keys.count());
        for (index, arrived_ns) in (0..).zip(arrivals) {
            while let Some((ready_ns, key, waiting)) = lanes.next_before(arrived_ns) {
                let work = self.worker.work(waiting.index);
                let served = self.serve(
                    (&mut handlers, &mut bucket),
                    waiting.arrived_ns,
                    ready_ns,
                    work,
                );
                lanes.release(key, served.started_ns.saturating_add(work.lane_ns));
                done(served);
            }
            let key = self.keys.key(index);
            if lanes.enter(key, Waiting { index, arrived_ns }) {
                let work = self.worker.work(index);
                let served = self.serve((&mut handlers, &mut bucket), arrived_ns, arrived_ns, work);
                lanes.release(key, served.started_ns.saturating_add(work.lane_ns));
                done(served);
            }
        }
        while let Some((ready_ns, key, waiting)) = lanes.next_before(u64::MAX) {
            let work = self.worker.work(waiting.index);
            let served = self.serve(
                (&mut handlers, &mut bucket),
                waiting.arrived_ns,
                ready_ns,
                work,
            );
            lanes.release(key, served.started_ns.saturating_add(work.lane_ns));
            done(served);
        }
    }

    fn serve(
        &self,
        (handlers, bucket): (&mut Handlers, &mut Bucket),
        arrived_ns: u64,
        ready_ns: u64,
        work: Work,
    ) -> Served {
        let started_ns = handlers.take(
            |free_ns| self.start(ready_ns.max(free_ns), bucket, work),
            work.busy_ns,
        );
        let finished_ns = started_ns.saturating_add(work.elapsed_ns);
        Served {
            arrived_ns,
            started_ns,
            finished_ns,
            work,
        }
    }

    /// When a delivery starts that could at `time_ns`.
    fn start(&self, time_ns: u64, bucket: &mut Bucket, work: Work) -> u64 {
        self.after_holds(bucket.take(self.after_holds(time_ns), work.attempts))
    }

    /// `time_ns`, or the end of the hold that it falls into.
    fn after_holds(&self, time_ns: u64) -> u64 {
        self.holds
            .iter()
            .filter(|hold| (hold.from_ns..hold.to_ns).contains(&time_ns))
            .map(|hold| hold.to_ns)
            .max()
            .unwrap_or(time_ns)
    }
}

/// When each handler becomes free.
enum Handlers {
    One(u64),
    Many(BinaryHeap<Reverse<u64>>),
}

impl Handlers {
    fn new(count: u32) -> Self {
        match count {
            0 | 1 => Self::One(0),
            count => Self::Many((0..count).map(|_| Reverse(0)).collect()),
        }
    }

    /// Starts work on the handler that is free first; returns when. `start` turns the time at which
    /// that handler is free into the start.
    fn take(&mut self, start: impl FnOnce(u64) -> u64, busy_ns: u64) -> u64 {
        match self {
            Self::One(free_ns) => {
                let started_ns = start(*free_ns);
                *free_ns = started_ns.saturating_add(busy_ns);
                started_ns
            }
            Self::Many(heap) => {
                // Changing the top and sifting it down once is half the cost of a pop and a push.
                let Some(mut top) = heap.peek_mut() else {
                    return start(0);
                };
                let started_ns = start(top.0);
                top.0 = started_ns.saturating_add(busy_ns);
                started_ns
            }
        }
    }
}

/// A delivery behind another one with its key.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    index: u64,
    arrived_ns: u64,
}

/// The keys, and what waits behind each. Bounded by the messages of the run.
struct Lanes {
    /// When each key becomes free.
    free_ns: Vec<u64>,
    queues: HashMap<usize, VecDeque<Waiting>>,
    /// Keys with a queue, by the time at which they become free.
    ready: BinaryHeap<Reverse<(u64, u64, usize)>>,
}

impl Lanes {
    fn new(count: usize) -> Self {
        Self {
            free_ns: vec![0; count],
            queues: HashMap::new(),
            ready: BinaryHeap::new(),
        }
    }

    /// Whether a delivery with `key` can start at once; otherwise it is queued.
    fn enter(&mut self, key: usize, waiting: Waiting) -> bool {
        if let Some(queue) = self.queues.get_mut(&key) {
            queue.push_back(waiting);
            return false;
        }
        let free_ns = self.free_ns.get(key).copied().unwrap_or(0);
        if free_ns <= waiting.arrived_ns {
            return true;
        }
        self.ready.push(Reverse((free_ns, waiting.index, key)));
        self.queues.insert(key, VecDeque::from([waiting]));
        false
    }

    /// The waiting delivery whose key becomes free first, if by `time_ns`: when, its key, and it.
    fn next_before(&mut self, time_ns: u64) -> Option<(u64, usize, Waiting)> {
        let &Reverse((ready_ns, _, key)) = self.ready.peek()?;
        if ready_ns > time_ns {
            return None;
        }
        self.ready.pop();
        let waiting = self.queues.get_mut(&key)?.pop_front()?;
        Some((ready_ns, key, waiting))
    }

    /// The delivery that had `key` is done with it at `free_ns`.
    fn release(&mut self, key: usize, free_ns: u64) {
        if let Some(lane) = self.free_ns.get_mut(key) {
            *lane = free_ns;
        }
        match self.queues.get(&key).map(VecDeque::front) {
            Some(Some(next)) => self.ready.push(Reverse((free_ns, next.index, key))),
            Some(None) => drop(self.queues.remove(&key)),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_lets_a_burst_go_and_then_one_an_interval() {
        let pace = Pace {
            rate: Rate::per_second(1e8).unwrap(),
            interval_ns: 10,
            burst: 3,
        };
        let mut bucket = Bucket::new(Some(pace));
        let starts: Vec<u64> = (0..6).map(|_| bucket.take(100, 1)).collect();
        assert_eq!(starts, [100, 100, 100, 110, 120, 130]);
        // A delivery pays for its retries, too; after quiet there is a burst again, and no more than that.
        assert_eq!(bucket.take(500, 3), 500);
        assert_eq!(bucket.take(500, 1), 510);
        assert_eq!(Bucket::new(None).take(7, 9), 7);
    }
}

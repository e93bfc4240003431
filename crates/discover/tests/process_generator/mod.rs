//! Processes whose waiting has known causes: cases go through stations, and every moment of every
//! wait is booked by what caused it while it happens. It shares nothing with the analysis.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write as _;

use tidegate_base::{Random, Timestamp};

/// Seconds.
pub(crate) type Seconds = u64;
const MINUTE: Seconds = 60;
pub(crate) const HOUR: Seconds = 3_600;
const DAY: Seconds = 86_400;
/// 2025-03-03, a Monday.
const MONDAY: Seconds = 1_740_960_000;

/// The causes in the order of the analysis.
pub(crate) const CAUSES: [&str; 5] = [
    "BATCHING",
    "CONTENTION",
    "PRIORITISATION",
    "UNAVAILABILITY",
    "EXTRANEOUS",
];
const BATCHING: usize = 0;
const CONTENTION: usize = 1;
const PRIORITISATION: usize = 2;
const UNAVAILABILITY: usize = 3;
const EXTRANEOUS: usize = 4;

/// When a station is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hours {
    Always,
    /// Monday to Friday, from and to whole hours.
    Office(u64, u64),
}

impl Hours {
    fn is_open(self, at: Seconds) -> bool {
        match self {
            Self::Always => true,
            Self::Office(from, to) => {
                let (day, hour) = ((at - MONDAY) / DAY % 7, (at - MONDAY) % DAY / HOUR);
                day < 5 && (from..to).contains(&hour)
            }
        }
    }

    /// The next whole hour at which it is open, after `at`.
    fn opens(self, at: Seconds) -> Seconds {
        let mut next = (at / HOUR + 1) * HOUR;
        while !self.is_open(next) {
            next += HOUR;
        }
        next
    }
}

/// How work is done at one station.
#[derive(Clone, Debug)]
pub(crate) struct Station {
    pub(crate) name: &'static str,
    pub(crate) servers: usize,
    pub(crate) hours: Hours,
    /// The mean time of one work; exponential when `even` is false.
    pub(crate) work: Seconds,
    pub(crate) even: bool,
    /// Works that are collected; 1 for none.
    pub(crate) batch: usize,
    /// The share of cases that go first.
    pub(crate) urgent: f64,
    /// The mean of what nothing in the log explains, before work can start.
    pub(crate) timer: Seconds,
    /// Stations that must be through before: none for the first.
    pub(crate) after: &'static [usize],
}

impl Station {
    pub(crate) fn new(name: &'static str, work: Seconds, after: &'static [usize]) -> Self {
        Self {
            name,
            servers: 1,
            hours: Hours::Always,
            work,
            even: true,
            batch: 1,
            urgent: 0.0,
            timer: 0,
            after,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times of a few months"
)]
fn seconds(value: f64) -> Seconds {
    value as Seconds
}

/// A log as text, and what its waiting was for.
pub(crate) struct Generated {
    pub(crate) csv: String,
    /// Seconds by cause.
    pub(crate) truth: [Seconds; 5],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Finish {
        station: usize,
        server: usize,
        case: usize,
    },
    Arrive {
        case: usize,
    },
    Available {
        station: usize,
        case: usize,
    },
    Open {
        station: usize,
    },
}

/// One wait in a queue.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    case: usize,
    urgent: bool,
    ready: Seconds,
    /// Since when it waits for hands, and what has been booked of it.
    booked: Seconds,
}

#[derive(Clone, Copy, Debug)]
struct Busy {
    since: Seconds,
    ready: Seconds,
}

struct World<'a> {
    stations: &'a [Station],
    random: Random,
    draws: u64,
    events: BinaryHeap<Reverse<(Seconds, u64, Event)>>,
    sequence: u64,
    now: Seconds,
    queues: Vec<Vec<Waiting>>,
    buckets: Vec<Vec<(usize, Seconds)>>,
    servers: Vec<Vec<Option<Busy>>>,
    through: Vec<Vec<Option<Seconds>>>,
    ready: Vec<Vec<Seconds>>,
    truth: [Seconds; 5],
    rows: Vec<(Seconds, String)>,
}

/// Runs `cases` cases that arrive `every` so many seconds on average.
pub(crate) fn generate(stations: &[Station], cases: usize, every: Seconds, seed: u64) -> Generated {
    let mut world = World {
        stations,
        random: Random::new(seed, "process", "generator"),
        draws: 0,
        events: BinaryHeap::new(),
        sequence: 0,
        now: MONDAY,
        queues: vec![Vec::new(); stations.len()],
        buckets: vec![Vec::new(); stations.len()],
        servers: stations.iter().map(|one| vec![None; one.servers]).collect(),
        through: vec![vec![None; stations.len()]; cases],
        ready: vec![vec![0; stations.len()]; cases],
        truth: [0; 5],
        rows: Vec::new(),
    };
    let mut at = MONDAY;
    for case in 0..cases {
        at += world.exponential(every);
        world.schedule(at, Event::Arrive { case });
    }
    while let Some(Reverse((at, _, event))) = world.events.pop() {
        world.now = at;
        world.happen(event);
    }
    world.rows.sort();
    let mut csv = "case,activity,start,end,resource\n".to_owned();
    for (_, row) in &world.rows {
        csv.push_str(row);
    }
    Generated {
        csv,
        truth: world.truth,
    }
}

impl World<'_> {
    fn uniform(&mut self) -> f64 {
        self.draws += 1;
        self.random.uniform(self.draws)
    }

    fn exponential(&mut self, mean: Seconds) -> Seconds {
        self.draws += 1;
        seconds(self.random.exponential(self.draws) * mean as f64)
    }

    fn schedule(&mut self, at: Seconds, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((at, self.sequence, event)));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive { case } => {
                // Cases are written down on arrival, at once and by the machine.
                self.row("receive", case, self.now, self.now, "portal");
                self.enable(case);
            }
            Event::Available { station, case } => self.available(station, case),
            Event::Open { station } => self.start(station),
            Event::Finish {
                station,
                server,
                case,
            } => {
                self.book(station);
                self.servers[station][server] = None;
                self.through[case][station] = Some(self.now);
                self.start(station);
                self.enable(case);
            }
        }
    }

    /// Sends the case to every station whose predecessors it is through.
    fn enable(&mut self, case: usize) {
        for station in 0..self.stations.len() {
            let after = self.stations[station].after;
            let done = |one: &usize| self.through[case][*one].is_some();
            if self.ready[case][station] == 0 && after.iter().all(done) {
                self.ready[case][station] = self.now;
                let timer = self.stations[station].timer;
                let timer = if timer == 0 {
                    0
                } else {
                    self.exponential(timer)
                };
                self.truth[EXTRANEOUS] += timer;
                self.schedule(self.now + timer, Event::Available { station, case });
            }
        }
    }

    fn available(&mut self, station: usize, case: usize) {
        self.buckets[station].push((case, self.now));
        if self.buckets[station].len() < self.stations[station].batch {
            return;
        }
        self.book(station);
        for (case, since) in std::mem::take(&mut self.buckets[station]) {
            self.truth[BATCHING] += self.now - since;
            let urgent = self.uniform() < self.stations[station].urgent;
            self.queues[station].push(Waiting {
                case,
                urgent,
                ready: self.ready[case][station],
                booked: self.now,
            });
        }
        self.start(station);
    }

    /// Books what each wait of the queue was for since it was booked last. Hands are busy in the
    /// same way since then: this is called before every change.
    fn book(&mut self, station: usize) {
        let hours = self.stations[station].hours;
        let servers: Vec<Option<Busy>> = self.servers[station].clone();
        for index in 0..self.queues[station].len() {
            let waiting = self.queues[station][index];
            let mut at = waiting.booked;
            while at < self.now {
                let next = ((at / HOUR + 1) * HOUR).min(self.now);
                let busy = servers.iter().flatten().filter(|busy| busy.since <= at);
                let cause = if busy.clone().count() == servers.len() {
                    let overtaken = busy.clone().all(|busy| busy.ready > waiting.ready);
                    if overtaken {
                        PRIORITISATION
                    } else {
                        CONTENTION
                    }
                } else if hours.is_open(at) {
                    // Free and open, and yet not begun: only within a moment.
                    CONTENTION
                } else {
                    UNAVAILABILITY
                };
                self.truth[cause] += next - at;
                at = next;
            }
            self.queues[station][index].booked = self.now;
        }
    }

    fn start(&mut self, station: usize) {
        self.book(station);
        let one = &self.stations[station];
        if !one.hours.is_open(self.now) {
            if !self.queues[station].is_empty() {
                self.schedule(one.hours.opens(self.now), Event::Open { station });
            }
            return;
        }
        let (name, work, even) = (one.name, one.work, one.even);
        while !self.queues[station].is_empty() {
            let Some(server) = self.servers[station].iter().position(Option::is_none) else {
                return;
            };
            let urgent = self.queues[station]
                .iter()
                .position(|waiting| waiting.urgent);
            let next = self.queues[station].remove(urgent.unwrap_or(0));
            let took = if even {
                work / 2 + seconds(self.uniform() * work as f64)
            } else {
                self.exponential(work)
            };
            let took = took.max(MINUTE / 2);
            self.servers[station][server] = Some(Busy {
                since: self.now,
                ready: next.ready,
            });
            let by = format!("{name} {server}");
            self.row(name, next.case, self.now, self.now + took, &by);
            let case = next.case;
            self.schedule(
                self.now + took,
                Event::Finish {
                    station,
                    server,
                    case,
                },
            );
        }
    }

    fn row(&mut self, activity: &str, case: usize, start: Seconds, end: Seconds, by: &str) {
        let time = |at: Seconds| Timestamp::from_millis(at * 1_000).to_string();
        let mut row = String::new();
        writeln!(row, "{case},{activity},{},{},{by}", time(start), time(end)).unwrap();
        self.rows.push((start, row));
    }
}

/// A name, the stations, how many cases, and how often one comes.
pub(crate) type Scenario = (&'static str, Vec<Station>, usize, Seconds);

const OFFICE: Hours = Hours::Office(9, 17);

fn check() -> Station {
    Station::new("check", 40 * MINUTE, &[])
}

/// Processes with one cause, with two, and with all.
pub(crate) fn scenarios() -> Vec<Scenario> {
    let mut all = queues();
    all.extend(from_outside());
    all.extend(batches());
    all.push(side_by_side());
    all
}

fn queues() -> Vec<Scenario> {
    let mut uneven = check();
    (uneven.servers, uneven.even) = (3, false);
    let mut office = check();
    office.hours = OFFICE;
    let mut busy = office.clone();
    busy.servers = 2;
    let mut urgent = check();
    urgent.urgent = 0.3;
    vec![
        ("queue", vec![check()], 1_200, 48 * MINUTE),
        (
            "queue, uneven work, three hands",
            vec![uneven],
            1_200,
            16 * MINUTE,
        ),
        ("office hours", vec![office], 900, 6 * HOUR),
        ("office hours, busy", vec![busy], 1_500, 100 * MINUTE),
        ("urgent first", vec![urgent], 1_500, 44 * MINUTE),
    ]
}

fn from_outside() -> Vec<Scenario> {
    let mut outside = check();
    outside.timer = 5 * HOUR;
    let mut urgent = outside.clone();
    urgent.urgent = 0.3;
    let mut hands = outside.clone();
    hands.servers = 3;
    let mut office = outside.clone();
    (office.timer, office.hours) = (30 * HOUR, OFFICE);
    vec![
        ("answers from outside", vec![outside.clone()], 900, 6 * HOUR),
        ("answers from outside, busy", vec![outside], 1_500, HOUR),
        (
            "answers from outside, office hours",
            vec![office],
            900,
            5 * HOUR,
        ),
        (
            "answers from outside, urgent first",
            vec![urgent],
            1_500,
            50 * MINUTE,
        ),
        (
            "answers from outside, three hands",
            vec![hands],
            1_500,
            16 * MINUTE,
        ),
    ]
}

fn batches() -> Vec<Scenario> {
    let mut light = check();
    (light.batch, light.work) = (6, 10 * MINUTE);
    let mut busy = light.clone();
    busy.work = 45 * MINUTE;
    let mut office = light.clone();
    (office.batch, office.hours, office.work) = (4, OFFICE, 12 * MINUTE);
    vec![
        ("batches of 6", vec![light], 900, HOUR),
        ("batches of 6, busy", vec![busy], 1_200, HOUR),
        ("batches of 4, office hours", vec![office], 900, 3 * HOUR),
    ]
}

fn side_by_side() -> Scenario {
    let mut first = check();
    (first.servers, first.hours) = (2, OFFICE);
    let mut ask = Station::new("ask", 30 * MINUTE, &[0]);
    ask.timer = 20 * HOUR;
    let mut weigh = Station::new("weigh", 20 * MINUTE, &[0]);
    weigh.batch = 5;
    let mut decide = Station::new("decide", 80 * MINUTE, &[1, 2]);
    decide.urgent = 0.3;
    let mut pay = Station::new("pay", 15 * MINUTE, &[3]);
    pay.hours = OFFICE;
    let stations = vec![first, ask, weigh, decide, pay];
    ("all of it, side by side", stations, 1_500, 100 * MINUTE)
}

/// A process that the analysis cannot see through: batches are collected from answers, which come
/// in any order.
pub(crate) fn beyond() -> Vec<Scenario> {
    let mut batches = check();
    (batches.batch, batches.timer, batches.work) = (4, 5 * HOUR, 10 * MINUTE);
    vec![(
        "batches of answers from outside",
        vec![batches],
        1_200,
        HOUR,
    )]
}

//! Random systems whose counterfactuals are known exactly: the same requests run again, with the same
//! random numbers, as if a call were not waited for.
//!
//! A system is a program for each operation. It is run, not replayed: nothing here looks at the
//! times of a run to tell what another one would take.

pub(crate) mod capture;
pub(crate) mod predict;

use tidegate_base::Random;

/// What is outside the assumptions of a replay, when anything is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum World {
    /// Sequences, fork and join, loops, conditions, timeouts, calls that nobody waits for.
    Plain,
    /// The same, with several calls in each branch of a fork: where one branch always is ahead of the
    /// others, no trace shows whether they wait for each other.
    Branches,
    /// The same with hardly any variation of times: orders cannot be told from accidents.
    Steady,
    /// The same, where one request is slow in everything that it does.
    SlowRequests,
    /// Work of the caller beside its calls, pools with fewer workers than tasks, and hedged calls.
    Contended,
}

/// How long something takes: a log-normal number of nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time {
    median: f64,
    sigma: f64,
}

/// One call of an operation, with the time that request and answer travel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    pub(crate) operation: usize,
    travel: Time,
}

/// One step of a program.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Work(Time),
    Call(Site),
    /// All branches at once; goes on when all have ended.
    Fork(Vec<Vec<Step>>),
    /// Nobody waits.
    Forget(Site),
    /// One to so many times, one after the other.
    Repeat(Site, u64),
    /// In this share of requests.
    Maybe(f64, Site),
    /// Given up after so long.
    Limited(Site, i64),
    /// Tasks for so many workers.
    Pool(Vec<Site>, usize),
    /// Asked again after so long; the first answer counts.
    Hedged(Site, i64),
}

/// One system: operation 0 is what users ask for.
#[derive(Clone, Debug)]
pub(crate) struct System {
    pub(crate) programs: Vec<Vec<Step>>,
    world: World,
    seed: u64,
}

/// A span as it was run; nanoseconds from the start of the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ran {
    pub(crate) operation: usize,
    pub(crate) parent: Option<usize>,
    pub(crate) is_client: bool,
    pub(crate) start: i64,
    pub(crate) end: i64,
}

/// One request, run.
struct Run<'a> {
    system: &'a System,
    /// The operation that nobody waits for in this run.
    detached: Option<usize>,
    random: Random,
    slow: f64,
    spans: Vec<Ran>,
}

fn mix(a: u64, b: u64) -> u64 {
    Random::new(a, "step", "").bits(b)
}

impl System {
    /// A random system of about `calls` calls.
    pub(crate) fn random(seed: u64, world: World, calls: usize) -> Self {
        let mut system = Self {
            programs: Vec::new(),
            world,
            seed,
        };
        let mut dice = Dice(Random::new(seed, "system", ""), 0);
        let mut left = calls;
        system.operation(&mut dice, &mut left, 0);
        system
    }

    fn operation(&mut self, dice: &mut Dice, left: &mut usize, depth: usize) -> usize {
        let index = self.programs.len();
        self.programs.push(Vec::new());
        let steps = if depth == 0 { 6 } else { 1 + dice.below(4) };
        let mut program = vec![Step::Work(self.time(dice, 0.2, 3.0))];
        for _ in 0..steps {
            if depth < 4 && *left > 0 && (depth == 0 || dice.below(3) > 0) {
                let step = self.step(dice, left, depth);
                program.push(step);
            }
            program.push(Step::Work(self.time(dice, 0.05, 2.0)));
        }
        self.programs[index] = program;
        index
    }

    fn step(&mut self, dice: &mut Dice, left: &mut usize, depth: usize) -> Step {
        let contended = self.world == World::Contended;
        match dice.below(if contended { 14 } else { 10 }) {
            0..=3 => Step::Call(self.site(dice, left, depth)),
            4 | 5 => {
                let branches = 2 + dice.below(2);
                Step::Fork(
                    (0..branches)
                        .map(|_| self.branch(dice, left, depth))
                        .collect(),
                )
            }
            6 => Step::Forget(self.site(dice, left, depth)),
            7 => Step::Repeat(self.site(dice, left, 3), 4),
            8 => Step::Maybe(dice.uniform(0.2, 0.9), self.site(dice, left, depth)),
            9 => Step::Limited(self.site(dice, left, depth), 20_000_000),
            10 | 11 => {
                let mut branches = vec![self.branch(dice, left, depth)];
                branches.push(vec![Step::Work(self.time(dice, 1.0, 20.0))]);
                Step::Fork(branches)
            }
            12 => Step::Pool((0..4).map(|_| self.site(dice, left, 3)).collect(), 2),
            _ => Step::Hedged(self.site(dice, left, 3), 8_000_000),
        }
    }

    fn branch(&mut self, dice: &mut Dice, left: &mut usize, depth: usize) -> Vec<Step> {
        let one = !matches!(self.world, World::Branches | World::Contended);
        let calls = if one { 1 } else { 1 + dice.below(2) };
        (0..calls)
            .flat_map(|_| {
                let call = Step::Call(self.site(dice, left, depth));
                [call, Step::Work(self.time(dice, 0.02, 0.5))]
            })
            .collect()
    }

    fn site(&mut self, dice: &mut Dice, left: &mut usize, depth: usize) -> Site {
        *left = left.saturating_sub(1);
        let travel = self.time(dice, 0.1, 1.0);
        Site {
            operation: self.operation(dice, left, depth + 1),
            travel,
        }
    }

    fn time(&self, dice: &mut Dice, least: f64, most: f64) -> Time {
        let median = (dice.uniform(least.ln(), most.ln())).exp() * 1e6;
        let sigma = dice.uniform(0.2, 0.9);
        let steady = if self.world == World::Steady {
            0.1
        } else {
            1.0
        };
        Time {
            median,
            sigma: sigma * steady,
        }
    }

    /// The spans of one request; the first is the request itself. With `detached`, nobody waits
    /// for calls of that operation, and what they would cause is left out.
    pub(crate) fn run(&self, request: u64, detached: Option<usize>) -> Vec<Ran> {
        let random = Random::new(self.seed, "request", "");
        let slow = if self.world == World::SlowRequests {
            (0.5 * random.normal(mix(request, 1) >> 2)).exp()
        } else {
            1.0
        };
        let mut run = Run {
            system: self,
            detached,
            random,
            slow,
            spans: Vec::new(),
        };
        run.serve(0, None, 0, mix(request, 2));
        run.spans
    }

    /// The services are fewer than the operations, so that some have several.
    pub(crate) fn service(operation: usize) -> String {
        format!("service-{}", operation % 7)
    }
}

impl Run<'_> {
    fn draw(&self, time: Time, key: u64) -> i64 {
        let number = self.random.normal(key >> 2);
        (time.median * self.slow * (time.sigma * number).exp()) as i64
    }

    /// Runs an operation from `start`; when it ends.
    fn serve(&mut self, operation: usize, parent: Option<usize>, start: i64, key: u64) -> i64 {
        let span = self.open(operation, parent, false, start);
        let program = &self.system.programs[operation];
        let end = self.steps(program, span, start, key);
        self.spans[span].end = end;
        end
    }

    fn open(
        &mut self,
        operation: usize,
        parent: Option<usize>,
        is_client: bool,
        start: i64,
    ) -> usize {
        self.spans.push(Ran {
            operation,
            parent,
            is_client,
            start,
            end: start,
        });
        self.spans.len() - 1
    }

    fn steps(&mut self, steps: &[Step], parent: usize, start: i64, key: u64) -> i64 {
        let mut now = start;
        for (index, step) in steps.iter().enumerate() {
            now = self.step(step, parent, now, mix(key, index as u64));
        }
        now
    }

    fn step(&mut self, step: &Step, parent: usize, now: i64, key: u64) -> i64 {
        match step {
            Step::Work(time) => now + self.draw(*time, key),
            Step::Call(site) => self.call(*site, parent, now, key, None),
            Step::Fork(branches) => {
                let ends: Vec<i64> = branches
                    .iter()
                    .enumerate()
                    .map(|(index, branch)| self.steps(branch, parent, now, mix(key, index as u64)))
                    .collect();
                ends.into_iter().max().unwrap_or(now)
            }
            Step::Forget(site) => {
                self.call(*site, parent, now, key, None);
                now
            }
            Step::Repeat(site, most) => {
                let times = 1 + mix(key, 7) % most;
                (0..times).fold(now, |now, time| {
                    self.call(*site, parent, now, mix(key, 100 + time), None) + 10_000
                })
            }
            Step::Maybe(share, site) => {
                if self.random.uniform(key) < *share {
                    self.call(*site, parent, now, key, None)
                } else {
                    now
                }
            }
            Step::Limited(site, limit) => self.call(*site, parent, now, key, Some(*limit)),
            Step::Pool(sites, workers) => self.pool(sites, *workers, parent, now, key),
            Step::Hedged(site, after) => {
                let first = self.call(*site, parent, now, key, None);
                if first <= now + after {
                    return first;
                }
                first.min(self.call(*site, parent, now + after, mix(key, 9), None))
            }
        }
    }

    fn pool(&mut self, sites: &[Site], workers: usize, parent: usize, now: i64, key: u64) -> i64 {
        let mut free = vec![now; workers];
        for (index, site) in sites.iter().enumerate() {
            let worker = (0..workers).min_by_key(|worker| free[*worker]).unwrap_or(0);
            let start = free[worker];
            free[worker] = self.call(*site, parent, start, mix(key, index as u64), None);
        }
        free.into_iter().max().unwrap_or(now)
    }

    /// Calls; when the caller goes on.
    fn call(&mut self, site: Site, parent: usize, now: i64, key: u64, limit: Option<i64>) -> i64 {
        if self.detached == Some(site.operation) {
            return now;
        }
        let client = self.open(site.operation, Some(parent), true, now);
        let there = self.draw(site.travel, mix(key, 3));
        let back = self.draw(site.travel, mix(key, 4));
        let answered = self.serve(site.operation, Some(client), now + there, mix(key, 5)) + back;
        let end = limit.map_or(answered, |limit| answered.min(now + limit));
        self.spans[client].end = end;
        end
    }
}

/// Throws of one sequence.
struct Dice(Random, u64);

impl Dice {
    fn uniform(&mut self, from: f64, to: f64) -> f64 {
        self.1 += 1;
        from + (to - from) * self.0.uniform(self.1)
    }

    fn below(&mut self, count: usize) -> usize {
        self.uniform(0.0, count as f64) as usize
    }
}

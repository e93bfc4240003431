//! `kill -9`, again and again: of processes that have effects, and of relays.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::{Postgres, Sqlite};
use tidegate_base::Random;

use crate::order;
use crate::support::{Case, TestEngine, assert_order, eventually, postgres, sqlite};

/// How often is killed; more by the environment.
fn rounds() -> u64 {
    let rounds = std::env::var_os("TIDEGATE_KILL_ROUNDS");
    rounds
        .and_then(|text| text.to_str()?.parse().ok())
        .unwrap_or(30)
}

/// A process that has effects, and what it acknowledged.
struct Applier {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Applier {
    fn start(url: &str, first: u64, epoch: u64) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_apply-until-killed"))
            .args([url, &first.to_string(), &epoch.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// Waits until it has acknowledged something, and then so long.
    fn work(&mut self, acknowledged: &mut Acknowledged, time: Duration) {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        acknowledged.read(&line);
        std::thread::park_timeout(time);
    }

    fn kill(mut self, acknowledged: &mut Acknowledged) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        for line in self.lines.lines() {
            acknowledged.read(&line.unwrap());
        }
    }
}

#[derive(Default)]
struct Acknowledged {
    /// The first that is not acknowledged.
    next: u64,
    duplicates: u64,
    fenced: u64,
}

impl Acknowledged {
    fn read(&mut self, line: &str) {
        match line.trim_end().split_once(' ') {
            Some((number, answer)) => {
                self.next = self.next.max(number.parse::<u64>().unwrap() + 1);
                self.duplicates += u64::from(answer == "duplicate");
            }
            None => self.fenced += u64::from(line.trim_end() == "fenced"),
        }
    }
}

async fn appliers<D: TestEngine>(case: &Case<D>) {
    let random = Random::new(7, "kill", "time");
    let mut acknowledged = Acknowledged::default();
    tokio::task::block_in_place(|| {
        let mut zombie: Option<Applier> = None;
        for round in 1..=rounds() {
            let mut applier = Applier::start(&case.url, acknowledged.next, round);
            let time = Duration::from_millis(random.bits(round) % 60);
            applier.work(&mut acknowledged, time);
            // Whoever is left of the round before has had time with the same deliveries.
            if let Some(zombie) = zombie.take() {
                zombie.kill(&mut acknowledged);
            }
            match round % 3 {
                0 => zombie = Some(applier),
                _ => applier.kill(&mut acknowledged),
            }
        }
        if let Some(zombie) = zombie {
            zombie.kill(&mut acknowledged);
        }
        // What was committed last and not acknowledged is met again.
        let mut last = Applier::start(&case.url, acknowledged.next, rounds() + 1);
        last.work(&mut acknowledged, Duration::from_millis(50));
        last.kill(&mut acknowledged);
    });
    let wrong = "SELECT count(*) FROM (SELECT delivery FROM effect GROUP BY delivery HAVING count(*) <> 1) AS w";
    assert_eq!(
        case.number(wrong).await,
        0,
        "deliveries with another number of effects than one"
    );
    let effects = case.number("SELECT count(*) FROM effect").await;
    let next = i64::try_from(acknowledged.next).unwrap();
    let below = case
        .number(&format!(
            "SELECT count(*) FROM effect WHERE delivery < {next}"
        ))
        .await;
    assert_eq!(below, next, "acknowledged deliveries have their effect");
    assert_eq!(case.number("SELECT balance FROM account").await, effects);
    assert_eq!(
        case.number("SELECT count(*) FROM tidegate_inbox").await,
        effects
    );
    assert_eq!(
        case.number("SELECT count(*) FROM tidegate_outbox").await,
        effects
    );
    // Or else the test has not met what it is about.
    let text = format!(
        "{} of {next}; {} fenced",
        acknowledged.duplicates, acknowledged.fenced
    );
    assert!(
        acknowledged.duplicates >= rounds() / 5,
        "duplicates: {text}"
    );
    assert!(acknowledged.fenced >= rounds() / 10, "duplicates: {text}");
}

async fn relays<D: TestEngine>(
    case: &Case<D>,
    write: impl AsyncFnOnce(Arc<AtomicBool>) -> BTreeMap<String, Vec<String>>,
) {
    let file = case.folder.path().join("published");
    let ended = Arc::new(AtomicBool::new(false));
    let killer = tokio::task::spawn_blocking({
        let (file, url, ended) = (file.clone(), case.url.clone(), Arc::clone(&ended));
        move || {
            let random = Random::new(8, "kill", "time");
            let start = || {
                let relay = env!("CARGO_BIN_EXE_relay-until-killed");
                Command::new(relay).arg(&url).arg(&file).spawn().unwrap()
            };
            // One leads, one waits to take over.
            let mut waiting = start();
            for round in 1..=rounds() {
                let next = start();
                std::thread::park_timeout(Duration::from_millis(40 + random.bits(round) % 120));
                waiting.kill().unwrap();
                waiting.wait().unwrap();
                waiting = next;
            }
            ended.store(true, Ordering::SeqCst);
            waiting
        }
    });
    let truth = write(Arc::clone(&ended)).await;
    let mut last = killer.await.unwrap();
    let new = "SELECT count(*) FROM tidegate_outbox WHERE state <> 'sent'";
    eventually("all is sent", async || {
        (case.number(new).await == 0).then_some(())
    })
    .await;
    last.kill().unwrap();
    last.wait().unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let published: Vec<String> = text.lines().map(str::to_owned).collect();
    assert_order(&published, &truth);
    let different: HashSet<&String> = published.iter().collect();
    assert_eq!(different.len(), truth.values().map(Vec::len).sum::<usize>());
    assert!(
        published.len() > different.len(),
        "no kill has hit between publishing and its note"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn effects_on_postgres_are_had_once() {
    let Some(case) = postgres("kill_effects").await else {
        return;
    };
    appliers::<Postgres>(&case).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn effects_on_sqlite_are_had_once() {
    appliers::<Sqlite>(&sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_relay_on_postgres_loses_nothing() {
    let Some(case) = postgres("kill_relays").await else {
        return;
    };
    relays(&case, async |ended| {
        order::write_postgres(&case, 4, || ended.load(Ordering::SeqCst)).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_relay_on_sqlite_loses_nothing() {
    let case = sqlite().await;
    relays(&case, async |ended| {
        order::write_sqlite(&case, || ended.load(Ordering::SeqCst)).await
    })
    .await;
}

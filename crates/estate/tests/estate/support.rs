//! What the tests of every broker have in common.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use tidegate_base::Timestamp;
use tidegate_estate::{Address, Broker};
use tidegate_model::{Design, Source};
use tidegate_topology::doctor::{Examination, examine};
use tidegate_topology::{Desired, Engine, Options, Plan, desired};

/// Longest wait for what a broker does by itself.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const DESIGN: &str = "
tidegate: 1
system: SYSTEM
events:
  OrderPlaced: {key: /orderId, retention: 7d}
  Viewed: {retention: 1d}
services:
  orders: {publishes: [OrderPlaced, Viewed]}
  billing:
    consumes:
      OrderPlaced:
        deliver: {timeout: 10s}
        retry: {attempts: 8}
        dead-letter: {owner: team, retention: 30d}
  stats:
    consumes:
      Viewed: {order: none, deliver: {concurrency: 4}}
";

pub(crate) fn design(system: &str) -> Design {
    read(&DESIGN.replace("SYSTEM", system))
}

pub(crate) fn read(text: &str) -> Design {
    let file = Source {
        name: "design.yaml".into(),
        text: text.to_owned(),
    };
    let reading = tidegate_model::read(&[file], &|_| Err("no files here".to_owned()));
    assert!(reading.findings.is_empty(), "{:#?}", reading.findings);
    reading.design.unwrap()
}

/// A broker with a design on it.
pub(crate) struct Estate {
    pub(crate) broker: Broker,
    pub(crate) design: Design,
    pub(crate) options: Options,
}

impl Estate {
    pub(crate) fn open(url: &str, system: &str) -> Self {
        let address = Address::parse(url).unwrap();
        let options = Options {
            replication: Some(1),
            prefix: format!("{system}."),
            ..address.options.clone()
        };
        let options = match address.engine {
            // Names of streams and exchanges have the system in them.
            Engine::Kafka => options,
            _ => Options {
                prefix: String::new(),
                ..options
            },
        };
        Self {
            broker: Broker::open(&address).unwrap(),
            design: design(system),
            options,
        }
    }

    pub(crate) fn desired(&self) -> Desired {
        let mut desired = desired(&self.design, self.broker.engine(), &self.options);
        desired.only_users(&[]);
        desired
    }

    pub(crate) fn plan(&self) -> Plan {
        let mut actual = self.broker.topology().unwrap();
        actual.unread.clear();
        Plan::new(&self.desired(), &actual)
    }

    /// What is said of a plan: `create topic x`.
    pub(crate) fn told(&self) -> Vec<String> {
        let plan = self.plan();
        let changes = plan.changes.iter();
        changes
            .map(|change| format!("{:?} {}", change.class, change.id))
            .collect()
    }

    #[track_caller]
    pub(crate) fn apply(&self, confirmed: &[&str]) {
        let confirmed: BTreeSet<String> = confirmed.iter().map(|&name| name.to_owned()).collect();
        for applied in self.broker.apply(&self.plan(), &confirmed) {
            assert!(applied.error.is_none(), "{applied:#?}");
        }
    }

    /// Makes everything, and holds that nothing is left to do.
    #[track_caller]
    pub(crate) fn make(&self) {
        let first = self.plan();
        assert!(first.changes.len() > 2, "{first:#?}");
        self.apply(&[]);
        assert_eq!(self.told(), [""; 0], "after everything was made");
    }

    pub(crate) fn examined(&self) -> Examination {
        examine(
            &self.design,
            &self.options,
            &self.broker.topology().unwrap(),
        )
    }

    pub(crate) fn codes(&self) -> BTreeSet<&'static str> {
        let findings = self.examined().findings;
        findings.iter().map(|finding| finding.code.0).collect()
    }
}

#[track_caller]
pub(crate) fn ran(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

pub(crate) fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "a real broker has its own time")]
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::from_nanos(u64::try_from(since.unwrap().as_nanos()).unwrap())
}

/// Asks until there is an answer.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "a real broker has its own time")]
pub(crate) fn eventually<T>(what: &str, ask: impl Fn() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Whether `check` accepts a design that was imported: there are no errors.
#[track_caller]
pub(crate) fn is_accepted(imported: &serde_json::Value) {
    let text = tidegate_generate::to_yaml(imported);
    let design = read(&text);
    let findings = tidegate_check::check(&design);
    let errors = findings
        .iter()
        .filter(|finding| finding.severity == tidegate_model::Severity::Error);
    assert_eq!(errors.count(), 0, "{findings:#?}\n{text}");
}

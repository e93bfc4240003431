//! The registry beside a small model of what it promises, with restarts at any point; and races.

use std::sync::Arc;

use proptest::prelude::*;
use tidegate_base::Clock;
use tidegate_broker::{Broker, MemoryBroker};
use tidegate_compat::{Mode, Profile};
use tidegate_model::{Design, Source, read};
use tidegate_registry::{
    Access, ApiError, Body, Command, ConfigChange, Done, Listed, VersionWanted,
};
use tidegate_runtime::{Registry, TokioClock};

use crate::model::{self, Model, SCHEMAS, SUBJECTS};

fn design(text: &str) -> Design {
    let source = Source {
        name: Arc::from("design.yaml"),
        text: text.to_owned(),
    };
    let reading = read(&[source], &|_| Err("no files".to_owned()));
    reading.design.expect("the design is readable")
}

const NOTHING: &str = "tidegate: 1\nsystem: shop\nevents: {}\nservices: {}\n";

async fn open(design: &Design, broker: &Arc<dyn Broker>) -> Registry {
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::new());
    Registry::open(design, Arc::clone(broker), clock, Profile::Confluent)
        .await
        .expect("it opens")
}

fn body(schema: usize) -> Body {
    Body {
        schema: SCHEMAS[schema].to_owned(),
        ..Body::default()
    }
}

/// What is asked of both.
#[derive(Clone, Debug)]
enum Step {
    Register(usize, usize),
    DeleteSubject(usize, bool),
    DeleteVersion(usize, Option<u32>, bool),
    SetConfig(Option<usize>, Mode),
    DeleteConfig(Option<usize>),
    SetAccess(Option<usize>, Access),
    DeleteAccess(Option<usize>),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let subject = 0..SUBJECTS.len();
    let somewhere = proptest::option::of(subject.clone());
    let version = proptest::option::of(1_u32..6);
    let mode = proptest::sample::select(Mode::ALL.to_vec());
    let access = prop_oneof![
        3 => Just(Access::ReadWrite),
        1 => Just(Access::ReadOnly),
        1 => Just(Access::Import)
    ];
    let step = prop_oneof![
        12 => (subject.clone(), 0..SCHEMAS.len()).prop_map(|(a, b)| Step::Register(a, b)),
        3 => (subject.clone(), any::<bool>()).prop_map(|(a, b)| Step::DeleteSubject(a, b)),
        6 => (subject, version, any::<bool>()).prop_map(|(a, b, c)| Step::DeleteVersion(a, b, c)),
        4 => (somewhere.clone(), mode).prop_map(|(a, b)| Step::SetConfig(a, b)),
        2 => somewhere.clone().prop_map(Step::DeleteConfig),
        2 => (somewhere.clone(), access).prop_map(|(a, b)| Step::SetAccess(a, b)),
        2 => somewhere.prop_map(Step::DeleteAccess),
        3 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..40)
}

fn command(step: &Step) -> Option<Command> {
    let name = |subject: usize| SUBJECTS[subject].to_owned();
    let named = |subject: Option<usize>| subject.map(name);
    Some(match step {
        Step::Register(subject, schema) => Command::Register {
            subject: name(*subject),
            body: body(*schema),
            normalize: false,
            id: None,
            version: None,
        },
        Step::DeleteSubject(subject, permanent) => Command::DeleteSubject {
            subject: name(*subject),
            permanent: *permanent,
        },
        Step::DeleteVersion(subject, version, permanent) => Command::DeleteVersion {
            subject: name(*subject),
            version: version.map_or(VersionWanted::Latest, VersionWanted::Number),
            permanent: *permanent,
        },
        Step::SetConfig(subject, mode) => Command::SetConfig {
            subject: named(*subject),
            change: ConfigChange {
                compatibility: Some(*mode),
                ..ConfigChange::default()
            },
        },
        Step::DeleteConfig(subject) => Command::DeleteConfig {
            subject: named(*subject),
        },
        Step::SetAccess(subject, access) => Command::SetAccess {
            subject: named(*subject),
            access: *access,
            force: false,
        },
        Step::DeleteAccess(subject) => Command::DeleteAccess {
            subject: named(*subject),
        },
        Step::Restart => return None,
    })
}

/// What the model says to a step: a number of refusal, or what was done in words.
fn expected(model: &mut Model, step: &Step) -> Result<String, u32> {
    match step {
        Step::Register(subject, schema) => model
            .register(*subject, *schema)
            .map(|(id, version)| format!("id {id} version {version}")),
        Step::DeleteSubject(subject, permanent) => {
            let deleted = model.delete_subject(*subject, *permanent)?;
            Ok(format!("{deleted:?}"))
        }
        Step::DeleteVersion(subject, version, permanent) => {
            let deleted = model.delete_version(*subject, *version, *permanent)?;
            Ok(format!("[{deleted}]"))
        }
        Step::SetConfig(subject, mode) => model
            .set_config(*subject, *mode)
            .map(|()| mode.name().to_owned()),
        Step::DeleteConfig(subject) => model
            .delete_config(*subject)
            .map(|mode| mode.name().to_owned()),
        Step::SetAccess(subject, access) => model
            .set_access(*subject, *access)
            .map(|()| access.name().to_owned()),
        Step::DeleteAccess(subject) => model
            .delete_access(*subject)
            .map(|access| access.name().to_owned()),
        Step::Restart => Ok("restarted".to_owned()),
    }
}

fn told(done: Result<Done, ApiError>) -> Result<String, u32> {
    match done.map_err(|error| error.code)? {
        Done::Registered { id, version } => Ok(format!("id {id} version {version}")),
        Done::Versions(versions) => Ok(format!("{versions:?}")),
        Done::Config(config) => Ok(config.compatibility.map_or("", Mode::name).to_owned()),
        Done::Access(access) => Ok(access.name().to_owned()),
    }
}

/// Everything that can be asked, in one text.
fn seen(registry: &Registry) -> String {
    let index = registry.index();
    let mut seen = format!(
        "live {:?} all {:?} level {:?} mode {:?}\n",
        index.subjects(Listed::Live, ""),
        index.subjects(Listed::All, ""),
        index.config(None).and_then(|config| config.compatibility),
        index.access(None),
    );
    for subject in SUBJECTS {
        let config = index.config(Some(subject));
        seen.push_str(&format!(
            "{subject}: live {:?} all {:?} level {:?} mode {:?}\n",
            index.versions(subject, Listed::Live).ok(),
            index.versions(subject, Listed::All).ok(),
            config.and_then(|config| config.compatibility),
            index.access(Some(subject)),
        ));
        for (number, _) in SCHEMAS.iter().enumerate() {
            let found = index.lookup(subject, body(number), false, Listed::All);
            let found = found.map(|one| (one.version, one.id, one.is_deleted));
            seen.push_str(&format!(
                "  {number}: {:?}\n",
                found.map_err(|error| error.code)
            ));
        }
    }
    for id in 1..=index.last_id() {
        let uses = index.uses(id, Listed::All).map_err(|error| error.code);
        seen.push_str(&format!("id {id}: {uses:?}\n"));
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn it_answers_as_the_model_whenever_it_is_restarted(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let design = design(NOTHING);
            let broker: Arc<dyn Broker> = Arc::new(MemoryBroker::new());
            let mut registry = open(&design, &broker).await;
            let mut model = Model::default();
            for step in &steps {
                let wanted = expected(&mut model, step);
                let found = match command(step) {
                    Some(command) => told(registry.change(command).await),
                    None => {
                        let before = seen(&registry);
                        // What later records say again is gone from the channel.
                        broker.clean(TokioClock::new().now()).await.unwrap();
                        registry = open(&design, &broker).await;
                        prop_assert_eq!(&before, &seen(&registry));
                        Ok("restarted".to_owned())
                    }
                };
                prop_assert_eq!(&found, &wanted, "{:?} of {:?}", step, steps);
                prop_assert_eq!(model.seen(), model::seen(&registry), "after {:?}", step);
            }
            let before = seen(&registry);
            prop_assert_eq!(before, seen(&open(&design, &broker).await));
            Ok(())
        })?;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_register_at_the_same_time_get_one_number() {
    let design = design(NOTHING);
    let broker: Arc<dyn Broker> = Arc::new(MemoryBroker::new());
    let registry = open(&design, &broker).await;
    let mut asked = Vec::new();
    for number in 0..60 {
        let registry = registry.clone();
        let schema = format!(
            r#"{{"type":"record","name":"R{}","fields":[]}}"#,
            number % 6
        );
        let subject = format!("s{}", number % 3);
        let none = ConfigChange {
            compatibility: Some(Mode::None),
            ..ConfigChange::default()
        };
        asked.push(tokio::spawn(async move {
            let set = Command::SetConfig {
                subject: None,
                change: none,
            };
            registry.change(set).await.unwrap();
            let body = Body {
                schema: schema.clone(),
                ..Body::default()
            };
            let register = Command::Register {
                subject: subject.clone(),
                body,
                normalize: false,
                id: None,
                version: None,
            };
            (subject, schema, registry.change(register).await.unwrap())
        }));
    }
    let mut answers = std::collections::BTreeMap::new();
    let mut ids = std::collections::BTreeMap::new();
    for one in asked {
        let (subject, schema, done) = one.await.unwrap();
        let Done::Registered { id, version } = done else {
            panic!("{done:?}")
        };
        assert_eq!(
            *answers
                .entry((subject, schema.clone()))
                .or_insert((id, version)),
            (id, version)
        );
        assert_eq!(*ids.entry(schema).or_insert(id), id);
    }
    let mut given: Vec<u32> = ids.values().copied().collect();
    given.sort_unstable();
    assert_eq!(given, [1, 2, 3, 4, 5, 6], "dense, one for each schema");
}

const V1: &str = r#"
tidegate: 1
system: shop
events:
  OrderPlaced:
    compatibility: full
    schema:
      type: object
      required: [id]
      properties: {id: {type: string}}
services:
  shop: {publishes: [OrderPlaced]}
"#;

#[tokio::test]
async fn the_design_speaks_for_its_events() {
    let broker: Arc<dyn Broker> = Arc::new(MemoryBroker::new());
    let subject = "OrderPlaced-value";
    let registry = open(&design(V1), &broker).await;
    assert_eq!(
        registry.index().versions(subject, Listed::Live),
        Ok(vec![1])
    );
    drop(registry);
    // The same design again adds nothing; a change of it is a version.
    let registry = open(&design(V1), &broker).await;
    assert_eq!(
        registry.index().versions(subject, Listed::Live),
        Ok(vec![1])
    );
    let v2 = V1.replace(
        "id: {type: string}",
        "id: {type: string}, note: {type: string}",
    );
    let registry = open(&design(&v2), &broker).await;
    assert_eq!(
        registry.index().versions(subject, Listed::Live),
        Ok(vec![1, 2])
    );
    let config = registry.index().config(Some(subject)).unwrap();
    assert_eq!(config.compatibility, Some(Mode::Full));
    // What breaks the design's level is refused, and nobody takes the level away.
    let code = |done: Result<Done, ApiError>| done.map_err(|error| error.code);
    let broken = Command::Register {
        subject: subject.to_owned(),
        body: Body {
            schema_type: tidegate_registry::SchemaType::Json,
            schema: r#"{"type":"object","required":["id"],"properties":{"id":{"type":"integer"}}}"#
                .to_owned(),
            ..Body::default()
        },
        normalize: false,
        id: None,
        version: None,
    };
    assert_eq!(code(registry.change(broken).await), Err(40901));
    let loose = Command::SetConfig {
        subject: Some(subject.to_owned()),
        change: ConfigChange {
            compatibility: Some(Mode::None),
            ..ConfigChange::default()
        },
    };
    assert_eq!(code(registry.change(loose).await), Err(42205));
    let delete = |version| Command::DeleteVersion {
        subject: subject.to_owned(),
        version: VersionWanted::Number(version),
        permanent: false,
    };
    assert_eq!(
        code(registry.change(delete(2)).await),
        Err(42205),
        "in force"
    );
    assert_eq!(
        code(registry.change(delete(1)).await),
        Ok(Done::Versions(vec![1]))
    );
}

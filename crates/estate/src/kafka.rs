//! Kafka by its admin interface, and by consumers that join no group.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigEntry, ConfigSource, NewPartitions, NewTopic,
    ResourceSpecifier, TopicReplication,
};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::{ClientConfig, ClientContext, Message, Offset, TopicPartitionList};
use tidegate_base::Timestamp;
use tidegate_topology::import::Groups;
use tidegate_topology::letters::{Header, Raw};
use tidegate_topology::{Change, Engine, How, Id, Kind, Settings, Topology, Value};
use tokio::runtime::{Builder, Runtime};

use crate::address::Address;
use crate::error::EstateError;
use crate::lag::{Lag, Method};

/// How long an answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(20);
/// How long one look for a message may take.
const LOOK: Duration = Duration::from_millis(500);
/// How often it is looked for a message that has to be there, or for a topic that was made.
const LOOKS_MAX: u32 = 20;
const NAME: &str = "Kafka";

/// Says nothing: what matters comes back as an error.
#[derive(Clone, Copy, Debug)]
struct Silent;

impl ClientContext for Silent {
    fn log(&self, _level: RDKafkaLogLevel, _facility: &str, _message: &str) {}

    fn error(&self, _error: KafkaError, _reason: &str) {}
}

impl ConsumerContext for Silent {}

type Reader = BaseConsumer<Silent>;
type TopicResult = Result<String, (String, RDKafkaErrorCode)>;

pub(crate) struct Kafka {
    admin: AdminClient<Silent>,
    runtime: Runtime,
    config: ClientConfig,
    at: String,
}

impl Kafka {
    pub(crate) fn open(address: &Address) -> Result<Self, EstateError> {
        let wrong = |reason: String| EstateError::Address { reason };
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| wrong(error.to_string()))?;
        let mut config = ClientConfig::new();
        for (name, value) in &address.settings {
            config.set(name, value);
        }
        config
            .set("bootstrap.servers", &address.servers)
            .set("client.id", "tidegate")
            .set("log.connection.close", "false");
        let admin: AdminClient<Silent> = config
            .create_with_context(Silent)
            .map_err(|error| wrong(error.to_string()))?;
        Ok(Self {
            admin,
            runtime,
            config,
            at: address.servers.clone(),
        })
    }

    fn failed(&self, error: &KafkaError) -> EstateError {
        let reason = error.to_string();
        match error.rdkafka_error_code() {
            Some(
                RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed
                | RDKafkaErrorCode::Authentication
                | RDKafkaErrorCode::SaslAuthenticationFailed,
            ) => EstateError::NotAllowed {
                broker: NAME,
                reason,
            },
            Some(
                RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::Resolve,
            ) => EstateError::Unreachable {
                broker: NAME,
                at: self.at.clone(),
                reason,
            },
            _ => EstateError::Refused {
                broker: NAME,
                reason,
            },
        }
    }

    pub(crate) fn topology(&self) -> Result<Topology, EstateError> {
        let failed = |error: KafkaError| self.failed(&error);
        let mut topology = Topology::new(Engine::Kafka);
        let client = self.admin.inner();
        let metadata = client
            .fetch_metadata(None, ANSWER_TIME_MAX)
            .map_err(failed)?;
        let servers = i64::try_from(metadata.brokers().len()).unwrap_or(i64::MAX);
        topology.facts.insert("servers".to_owned(), servers.into());
        for topic in metadata.topics() {
            if topic.name().starts_with("__") {
                continue;
            }
            let partitions = topic.partitions();
            let fewest = |count: fn(&rdkafka::metadata::MetadataPartition) -> usize| {
                let fewest = partitions.iter().map(count).min().unwrap_or_default();
                Value::Number(i64::try_from(fewest).unwrap_or(i64::MAX))
            };
            let count = i64::try_from(partitions.len()).unwrap_or(i64::MAX);
            let settings: Settings = [
                ("partitions".to_owned(), count.into()),
                ("replication".to_owned(), fewest(|p| p.replicas().len())),
                ("in-sync".to_owned(), fewest(|p| p.isr().len())),
            ]
            .into();
            let id = Id::new(Kind::Topic, topic.name());
            topology.resources.insert(id, settings);
        }
        let names: Vec<String> = topology
            .resources
            .keys()
            .map(|id| id.name.clone())
            .collect();
        // Many at once are one large answer.
        for names in names.chunks(200) {
            for (name, entries) in self.configs(names)? {
                let settings = topology.resources.entry(Id::new(Kind::Topic, name));
                let settings = settings.or_default();
                for entry in entries {
                    if let Some(value) = &entry.value {
                        settings.insert(entry.name.clone(), Value::parse(value));
                    }
                }
            }
        }
        Ok(topology)
    }

    fn configs(&self, names: &[String]) -> Result<Vec<(String, Vec<ConfigEntry>)>, EstateError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let topics: Vec<ResourceSpecifier<'_>> = names
            .iter()
            .map(|name| ResourceSpecifier::Topic(name))
            .collect();
        let options = options();
        let described = self.admin.describe_configs(&topics, &options);
        let described = self.runtime.block_on(described);
        let described = described.map_err(|error| self.failed(&error))?;
        let mut configs = Vec::new();
        for (name, result) in names.iter().zip(described) {
            let resource = result.map_err(|code| self.failed(&KafkaError::AdminOp(code)))?;
            configs.push((name.clone(), resource.entries));
        }
        Ok(configs)
    }

    pub(crate) fn change(&self, change: &Change) -> Result<(), EstateError> {
        match change.how {
            How::Create => self.create(change),
            How::Alter => self.alter(change),
            How::Recreate | How::Nothing => Err(EstateError::Refused {
                broker: NAME,
                reason: "a topic is never deleted here".to_owned(),
            }),
        }
    }

    fn create(&self, change: &Change) -> Result<(), EstateError> {
        let number = |setting: &str, usual: i32| {
            let value = change.becomes.get(setting).and_then(Value::number);
            value.map_or(usual, |value| i32::try_from(value).unwrap_or(i32::MAX))
        };
        let configs: Vec<(&str, String)> = configured(&change.becomes).collect();
        let replication = TopicReplication::Fixed(number("replication", -1));
        let mut topic = NewTopic::new(&change.id.name, number("partitions", -1), replication);
        for (name, value) in &configs {
            topic = topic.set(name, value);
        }
        let options = options();
        let created = self.admin.create_topics([&topic], &options);
        let created = self.runtime.block_on(created);
        for result in created.map_err(|error| self.failed(&error))? {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((_, code)) => return Err(self.failed(&KafkaError::AdminOp(code))),
            }
        }
        let partitions = usize::try_from(number("partitions", 1)).unwrap_or(1);
        self.await_topic(&change.id.name, partitions)
    }

    /// Waits until the cluster tells of so many partitions, so that whoever asks next finds them.
    fn await_topic(&self, name: &str, partitions: usize) -> Result<(), EstateError> {
        for _ in 0..LOOKS_MAX * 5 {
            let client = self.admin.inner();
            let metadata = client.fetch_metadata(Some(name), ANSWER_TIME_MAX);
            let metadata = metadata.map_err(|error| self.failed(&error))?;
            let mut topics = metadata.topics().iter();
            if topics.any(|t| t.error().is_none() && t.partitions().len() >= partitions) {
                return Ok(());
            }
            self.runtime
                .block_on(async { tokio::time::sleep(Duration::from_millis(100)).await });
        }
        Err(EstateError::Refused {
            broker: NAME,
            reason: format!("topic `{name}` was made, and the cluster does not tell of it yet"),
        })
    }

    fn alter(&self, change: &Change) -> Result<(), EstateError> {
        let name = &change.id.name;
        let changed: BTreeSet<&str> = change
            .differences
            .iter()
            .map(|difference| difference.setting.as_str())
            .collect();
        if changed.contains("partitions") {
            let count = change.becomes.get("partitions").and_then(Value::number);
            let count = usize::try_from(count.unwrap_or(1)).unwrap_or(1);
            let options = options();
            let partitions = NewPartitions::new(name, count);
            let made = self.admin.create_partitions([&partitions], &options);
            self.done(self.runtime.block_on(made))?;
            self.await_topic(name, count)?;
        }
        let mut wanted: BTreeMap<String, String> = configured(&change.becomes)
            .filter(|(setting, _)| changed.contains(setting))
            .map(|(setting, value)| (setting.to_owned(), value))
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        // This interface replaces all that was set on the topic: what was, is said again.
        for (_, entries) in self.configs(std::slice::from_ref(name))? {
            let own = entries.into_iter();
            for entry in own.filter(|entry| entry.source == ConfigSource::DynamicTopic) {
                if let Some(value) = entry.value {
                    wanted.entry(entry.name).or_insert(value);
                }
            }
        }
        let mut alter = AlterConfig::new(ResourceSpecifier::Topic(name));
        for (setting, value) in &wanted {
            alter = alter.set(setting, value);
        }
        let options = options();
        let altered = self
            .runtime
            .block_on(self.admin.alter_configs([&alter], &options));
        for result in altered.map_err(|error| self.failed(&error))? {
            if let Err((_, code)) = result {
                return Err(self.failed(&KafkaError::AdminOp(code)));
            }
        }
        self.await_configs(name, &wanted)
    }

    /// A controller takes a change before every server tells of it.
    fn await_configs(
        &self,
        name: &String,
        wanted: &BTreeMap<String, String>,
    ) -> Result<(), EstateError> {
        for _ in 0..LOOKS_MAX * 5 {
            let configs = self.configs(std::slice::from_ref(name))?;
            let entries: Vec<&ConfigEntry> = configs.iter().flat_map(|(_, e)| e).collect();
            let is_so = |(name, value): (&String, &String)| {
                let mut entries = entries.iter();
                entries.any(|entry| entry.name == *name && entry.value.as_ref() == Some(value))
            };
            if wanted.iter().all(is_so) {
                return Ok(());
            }
            self.runtime
                .block_on(async { tokio::time::sleep(Duration::from_millis(100)).await });
        }
        Ok(())
    }

    fn done(&self, results: Result<Vec<TopicResult>, KafkaError>) -> Result<(), EstateError> {
        for result in results.map_err(|error| self.failed(&error))? {
            if let Err((_, code)) = result {
                return Err(self.failed(&KafkaError::AdminOp(code)));
            }
        }
        Ok(())
    }

    /// A consumer that may ask what a group has committed, and joins none.
    fn reader(&self, group: &str) -> Result<Reader, EstateError> {
        let mut config = self.config.clone();
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true");
        config
            .create_with_context(Silent)
            .map_err(|error| self.failed(&error))
    }

    fn group_names(&self) -> Result<Vec<(String, u64)>, EstateError> {
        let listed = self.admin.inner().fetch_group_list(None, ANSWER_TIME_MAX);
        let listed = listed.map_err(|error| self.failed(&error))?;
        let groups = listed.groups().iter();
        let members = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Ok(groups
            .filter(|group| matches!(group.protocol_type(), "" | "consumer"))
            .map(|group| (group.name().to_owned(), members(group.members().len())))
            .collect())
    }

    fn all_partitions(&self) -> Result<TopicPartitionList, EstateError> {
        let client = self.admin.inner();
        let metadata = client.fetch_metadata(None, ANSWER_TIME_MAX);
        let metadata = metadata.map_err(|error| self.failed(&error))?;
        let mut list = TopicPartitionList::new();
        for topic in metadata.topics() {
            if !topic.name().starts_with("__") {
                for partition in topic.partitions() {
                    list.add_partition(topic.name(), partition.id());
                }
            }
        }
        Ok(list)
    }

    /// What a group has committed: topic, partition, offset.
    fn committed(
        &self,
        reader: &Reader,
        list: &TopicPartitionList,
    ) -> Result<Vec<(String, i32, i64)>, EstateError> {
        if list.count() == 0 {
            return Ok(Vec::new());
        }
        let committed = reader.committed_offsets(list.clone(), ANSWER_TIME_MAX);
        let committed = committed.map_err(|error| self.failed(&error))?;
        let elements = committed.elements();
        let told = elements
            .iter()
            .filter_map(|element| match element.offset() {
                Offset::Offset(offset) => {
                    Some((element.topic().to_owned(), element.partition(), offset))
                }
                _ => None,
            });
        Ok(told.collect())
    }

    pub(crate) fn groups(&self) -> Result<Groups, EstateError> {
        let list = self.all_partitions()?;
        let mut groups = Groups::new();
        for (group, _) in self.group_names()? {
            let reader = self.reader(&group)?;
            for (topic, ..) in self.committed(&reader, &list)? {
                groups.entry(group.clone()).or_default().insert(topic);
            }
        }
        Ok(groups)
    }

    pub(crate) fn lag(&self, only: Option<&str>, now: Timestamp) -> Result<Vec<Lag>, EstateError> {
        let list = self.all_partitions()?;
        let mut lags = Vec::new();
        let groups = self.group_names()?.into_iter();
        for (group, members) in groups.filter(|(name, _)| only.is_none_or(|only| only == name)) {
            let reader = self.reader(&group)?;
            let mut topics: BTreeMap<String, Lag> = BTreeMap::new();
            for (topic, partition, offset) in self.committed(&reader, &list)? {
                let lag = topics.entry(topic.clone()).or_insert_with(|| Lag {
                    reader: group.clone(),
                    source: topic.clone(),
                    messages: 0,
                    seconds: Some(0.0),
                    method: Method::CaughtUp,
                    members,
                });
                self.add(lag, &reader, (&topic, partition, offset), now)?;
            }
            lags.extend(topics.into_values());
        }
        Ok(lags)
    }

    /// Adds a partition to the lag of a group on a topic.
    fn add(
        &self,
        lag: &mut Lag,
        reader: &Reader,
        (topic, partition, offset): (&str, i32, i64),
        now: Timestamp,
    ) -> Result<(), EstateError> {
        let ends = reader.fetch_watermarks(topic, partition, ANSWER_TIME_MAX);
        let (low, high) = ends.map_err(|error| self.failed(&error))?;
        // What retention has removed before it was read is not to be read any more.
        let next = offset.max(low);
        let behind = u64::try_from(high - next).unwrap_or_default();
        if behind == 0 {
            return Ok(());
        }
        // Only marks of transactions may be left there: then nothing is.
        let Some(first) = self.first(reader, (topic, partition, next))? else {
            return Ok(());
        };
        lag.messages += u64::try_from(high - first.0).unwrap_or_default();
        let age = first.1.map(|time| now.since(time).as_secs_f64());
        let oldest = match (lag.seconds, age) {
            (Some(before), Some(age)) => Some(before.max(age)),
            _ => None,
        };
        lag.seconds = oldest;
        lag.method = match oldest {
            Some(_) => Method::RecordAtCommittedOffset,
            None => Method::Unknown,
        };
        Ok(())
    }

    /// The offset and the time of the first record from an offset on.
    fn first(
        &self,
        reader: &Reader,
        (topic, partition, offset): (&str, i32, i64),
    ) -> Result<Option<(i64, Option<Timestamp>)>, EstateError> {
        let mut list = TopicPartitionList::new();
        let failed = |error: KafkaError| self.failed(&error);
        list.add_partition_offset(topic, partition, Offset::Offset(offset))
            .map_err(failed)?;
        reader.assign(&list).map_err(failed)?;
        let mut found = None;
        for _ in 0..LOOKS_MAX {
            match reader.poll(LOOK) {
                None => {}
                Some(Ok(message)) => {
                    let time = message.timestamp().to_millis();
                    let time = time.and_then(|millis| u64::try_from(millis).ok());
                    found = Some((message.offset(), time.map(Timestamp::from_millis)));
                    break;
                }
                Some(Err(KafkaError::PartitionEOF(_))) => break,
                Some(Err(error)) => return Err(self.failed(&error)),
            }
        }
        reader.unassign().map_err(failed)?;
        Ok(found)
    }

    pub(crate) fn letters(&self, source: &str, most: usize) -> Result<Vec<Raw>, EstateError> {
        let failed = |error: KafkaError| self.failed(&error);
        let all = self.all_partitions()?;
        let mut list = TopicPartitionList::new();
        for element in all.elements_for_topic(source) {
            list.add_partition_offset(source, element.partition(), Offset::Beginning)
                .map_err(failed)?;
        }
        if list.count() == 0 {
            return Err(EstateError::Refused {
                broker: NAME,
                reason: format!("there is no topic `{source}`"),
            });
        }
        let reader = self.reader("tidegate-letters")?;
        reader.assign(&list).map_err(failed)?;
        let mut ended = 0;
        let mut silent = 0;
        let mut letters = Vec::new();
        while letters.len() < most && ended < list.count() && silent < LOOKS_MAX {
            match reader.poll(LOOK) {
                None => silent += 1,
                Some(Ok(message)) => letters.push(raw(source, &message)),
                Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
                Some(Err(error)) => return Err(self.failed(&error)),
            }
        }
        Ok(letters)
    }
}

/// What is a setting of a topic, as text.
fn configured(settings: &Settings) -> impl Iterator<Item = (&str, String)> {
    let known = ["partitions", "replication", "in-sync"];
    let settings = settings.iter();
    let own = settings.filter(move |(name, _)| !known.contains(&name.as_str()));
    own.map(|(name, value)| (name.as_str(), value.to_string()))
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(ANSWER_TIME_MAX))
        .operation_timeout(Some(ANSWER_TIME_MAX))
}

fn raw(source: &str, message: &BorrowedMessage<'_>) -> Raw {
    let headers = message.headers().map(|headers| {
        let headers = headers.iter();
        let bytes = |value: Option<&[u8]>| value.unwrap_or_default().to_vec();
        headers
            .map(|header| (header.key.to_owned(), Header::Bytes(bytes(header.value))))
            .collect()
    });
    let key = message
        .key()
        .map(|key| String::from_utf8_lossy(key).into_owned());
    Raw {
        source: source.to_owned(),
        position: format!("{}@{}", message.partition(), message.offset()),
        key,
        headers: headers.unwrap_or_default(),
        payload: message.payload().unwrap_or_default().to_vec(),
    }
}

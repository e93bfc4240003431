//! Orders of messages that have to be decided right, one by one.

use std::sync::Arc;

use bytes::Bytes;
use tidegate_base::{Name, Timestamp};
use tidegate_broker::{
    Append, Batch, Broker, CommitError, Durability, ReadLimit, Shard, StateChange,
};
use tidegate_broker_journal::{Journal, JournalBroker, MemoryJournal, Message, OpenError, Target};

const LIMIT: ReadLimit = ReadLimit {
    records: 100,
    bytes: 1 << 20,
};

fn message(channel: Option<&str>, control: Option<&str>, payload: &str) -> Message {
    Message {
        target: channel.map_or(Target::System, |name| {
            Target::Channel(Name::new(name).unwrap())
        }),
        key: None,
        time: Timestamp::from_millis(1),
        attributes: Vec::new(),
        payload: Bytes::from(payload.to_owned()),
        control: control.map(str::to_owned),
    }
}

async fn open(journal: &MemoryJournal) -> JournalBroker {
    let journal: Arc<dyn Journal> = Arc::new(journal.clone());
    JournalBroker::open(0, vec![journal]).await.unwrap()
}

async fn put(journal: &MemoryJournal, messages: &[(Option<&str>, Option<&str>, &str)]) {
    let message = |(channel, control, payload): &(Option<&str>, Option<&str>, &str)| {
        message(*channel, *control, payload)
    };
    journal
        .append(messages.iter().map(message).collect())
        .await
        .unwrap();
}

/// What is in channel `a`.
async fn events(broker: &JournalBroker) -> Vec<String> {
    let a = Name::new("a").unwrap();
    let read = broker.read(&a, 0, LIMIT).await.unwrap();
    let text = |payload: &[u8]| String::from_utf8_lossy(payload).into_owned();
    read.iter().map(|record| text(&record.payload)).collect()
}

const A: Option<&str> = Some("a");

#[tokio::test]
async fn only_the_next_number_of_the_present_owner_counts() {
    let journal = MemoryJournal::new();
    put(
        &journal,
        &[
            (None, Some("o:1:11"), ""),
            (A, Some("m:1:0:E"), "first"),
            // Again, and one that has overtaken what was lost.
            (A, Some("m:1:0:E"), "first"),
            (A, Some("m:1:2:E"), "third too early"),
            (A, Some("m:1:1:E"), "second"),
            (A, Some("m:1:2:E"), "third"),
            (None, Some("o:3:33"), ""),
            // Of an owner that is fenced off; and an owner that comes too late.
            (A, Some("m:1:3:E"), "void"),
            (None, Some("o:2:22"), ""),
            (A, Some("m:2:0:E"), "void"),
            (A, Some("m:3:0:E"), "fourth"),
            // The opening once more: it changes nothing.
            (None, Some("o:3:33"), ""),
            (A, Some("m:3:1:E"), "fifth"),
            (A, Some("nonsense"), "void"),
            // Who may write events only takes no shard over, nor is an event among what is the broker's own.
            (A, Some("o:9:99"), "void"),
            (None, Some("m:3:2:E"), "void"),
            (A, None, "foreign"),
        ],
    )
    .await;
    let broker = open(&journal).await;
    let expected = ["first", "second", "third", "fourth", "fifth", "foreign"];
    assert_eq!(events(&broker).await, expected);
}

#[tokio::test]
async fn a_batch_that_its_owner_never_ended_is_void() {
    let journal = MemoryJournal::new();
    put(
        &journal,
        &[
            (None, Some("o:1:11"), ""),
            (A, Some("m:1:0:e"), "half"),
            (A, None, "foreign, behind the half"),
            (None, Some("m:1:1:a"), "\u{1}\0\0\0x"),
            (A, None, "another"),
        ],
    )
    .await;
    let broker = open(&journal).await;
    // What others wrote behind it was held back with it, and counts.
    assert_eq!(
        events(&broker).await,
        ["foreign, behind the half", "another"]
    );
    assert_eq!(broker.state().await.unwrap(), Vec::<Bytes>::new());
    // Its end comes too late.
    put(&journal, &[(None, Some("m:1:2:A"), "")]).await;
    assert_eq!(events(&open(&journal).await).await.len(), 2);
}

#[tokio::test]
async fn what_another_shard_passes_on_counts_once_and_in_order() {
    let journal = MemoryJournal::new();
    put(
        &journal,
        &[
            (A, Some("f:1:50:40"), "its forerunner is missing"),
            (A, Some("f:1:40:0"), "one"),
            (A, Some("f:1:40:0"), "one"),
            (A, Some("f:2:7:0"), "of another"),
            (A, Some("f:1:50:40"), "two"),
            (A, Some("f:1:40:0"), "one"),
            (A, Some("f:1:50:40"), "two"),
            (A, Some("f:1:60:50"), "three"),
        ],
    )
    .await;
    let broker = open(&journal).await;
    assert_eq!(events(&broker).await, ["one", "of another", "two", "three"]);
}

#[tokio::test]
async fn whoever_was_owner_learns_that_it_is_no_more() {
    let journal = MemoryJournal::new();
    let former = open(&journal).await;
    let batch = |text: &'static str| Batch {
        appends: vec![Append {
            channel: Name::new("a").unwrap(),
            key: None,
            time: Timestamp::from_millis(1),
            headers: Vec::new(),
            payload: Bytes::from_static(text.as_bytes()),
        }],
        state: StateChange::NONE,
    };
    former
        .commit(batch("one"), Durability::Durable)
        .await
        .unwrap();
    let next = open(&journal).await;
    let late = former.commit(batch("late"), Durability::Durable).await;
    assert!(matches!(late, Err(CommitError::Stopped { .. })), "{late:?}");
    let reason = former.stopped().unwrap();
    assert_eq!(reason, "another process has taken this shard over");
    next.commit(batch("two"), Durability::Durable)
        .await
        .unwrap();
    assert_eq!(events(&next).await, ["one", "two"]);
    next.close().await;
    assert_eq!(next.stopped().unwrap(), "the broker is closed");
    let closed = next.commit(batch("three"), Durability::Durable).await;
    assert!(
        matches!(closed, Err(CommitError::Stopped { .. })),
        "{closed:?}"
    );
}

#[tokio::test]
async fn a_shard_that_is_not_there_is_told() {
    let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
    let error = JournalBroker::open(1, vec![journal]).await.unwrap_err();
    assert_eq!(
        error,
        OpenError::Shard {
            shard: 1,
            shards: 1
        }
    );
}

#[tokio::test]
async fn what_is_larger_than_the_engine_takes_is_refused() {
    let journal = MemoryJournal::new();
    let broker = open(&journal).await;
    let append = Append {
        channel: Name::new("a").unwrap(),
        key: None,
        time: Timestamp::from_millis(1),
        headers: Vec::new(),
        payload: Bytes::from(vec![0; 5 << 20]),
    };
    let batch = Batch {
        appends: vec![append],
        state: StateChange::NONE,
    };
    let refused = broker.commit(batch, Durability::Durable).await.unwrap_err();
    assert!(
        refused.to_string().contains("let it take larger messages"),
        "{refused}"
    );
    // A state of any size is written in parts.
    let records = vec![Bytes::from(vec![1; 1 << 20]); 12];
    let state = StateChange::Replace(records.clone());
    let batch = Batch {
        appends: Vec::new(),
        state,
    };
    broker.commit(batch, Durability::Durable).await.unwrap();
    assert_eq!(broker.state().await.unwrap(), records);
}

//! Every limit of the system, in one place: at a limit the system pushes back, and drops nothing.

/// Longest name of a system, event, service or dependency, in bytes.
pub const NAME_BYTES_MAX: usize = 200;
/// Largest event payload, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;
/// Largest value of one event attribute, in bytes.
pub const ATTRIBUTE_BYTES_MAX: usize = 8 << 10;
/// Most extension attributes of one event.
pub const EXTENSIONS_MAX: usize = 64;
/// Largest HTTP request body, in bytes: a full batch fits.
pub const REQUEST_BODY_BYTES_MAX: usize = 8 << 20;
/// Most events of one published batch.
pub const BATCH_EVENTS_MAX: usize = 1_000;
/// Longest partition key, in bytes.
pub const KEY_BYTES_MAX: usize = 1 << 10;
/// Largest design file, in bytes.
pub const DESIGN_FILE_BYTES_MAX: usize = 16 << 20;
/// Deepest nesting of a design file.
pub const DESIGN_DEPTH_MAX: usize = 64;
/// Largest piece of a trace file that has to be read whole, in bytes: a batch of spans, or one trace.
pub const TRACE_UNIT_BYTES_MAX: usize = 256 << 20;
/// Most bytes of spans that wait in memory for the rest of their traces; further ones go to temporary files.
pub const SPAN_STORE_BYTES_MAX: usize = 1 << 30;
/// Most bytes of spans that a command keeps in memory when it has a place for temporary files.
pub const SPAN_MEMORY_BYTES_MAX: usize = 192 << 20;
/// Most spans that are looked at one by one; of more, whole traces are chosen by chance, and the report
/// says so.
pub const SPANS_ANALYSED_MAX: usize = 1_000_000;
/// Most traces that are looked at one by one: short ones cost more than their spans do.
pub const TRACES_ANALYSED_MAX: usize = 100_000;
/// Most bytes of one message of traces that a daemon receives, decompressed.
pub const RECEIVED_MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Most bytes of traces that a daemon takes in one second; at the limit senders are told to wait.
pub const RECEIVED_BYTES_A_SECOND_MAX: usize = 32 << 20;
/// Most bytes of received traces that a daemon holds, as they came; beyond it the oldest are forgotten
/// before their time.
pub const RECEIVED_BYTES_MAX: usize = 256 << 20;
/// Most operations of captures of which it is learned what is usual.
pub const TRACE_OPERATIONS_MAX: usize = 100_000;
/// Largest process log, in bytes, unpacked.
pub const LOG_FILE_BYTES_MAX: usize = 1 << 30;
/// Most events of one process log.
pub const LOG_EVENTS_MAX: usize = 20_000_000;
/// Most different activities of one process log: pairs of them are counted.
pub const LOG_ACTIVITIES_MAX: usize = 2_000;
/// Most objects that the events of one process log name, each time counted.
pub const LOG_RELATIONS_MAX: usize = 100_000_000;
/// Most deliveries of one consumer held in memory; the rest wait in the channel.
pub const WINDOW_DELIVERIES_MAX: usize = 4_096;
/// Most deliveries of one consumer that may run at the same time.
pub const CONCURRENCY_MAX: u32 = 1_024;
/// Most attempts of all consumers of a process at the same time, unless it is told otherwise.
pub const IN_FLIGHT_MAX: u32 = 16_384;
/// Most dead letters of one consumer; at the limit the consumer halts.
pub const DEAD_LETTERS_MAX: usize = 10_000;
/// Most records of one channel, from its tail back, in which an event is looked for by its id.
pub const SEARCH_RECORDS_MAX: u64 = 100_000;
/// Most discarded dead letters of one consumer that can be taken back; beyond it the oldest are gone for
/// good.
pub const DISCARDED_LETTERS_MAX: usize = 1_000;
/// Most dead letters of one consumer that are given up at once because nobody looked after them in time.
pub const LETTERS_GIVEN_UP_MAX: usize = 100;
/// Most attempts kept in the history of one delivery; the first and the latest stay.
pub const ATTEMPT_HISTORY_MAX: usize = 16;
/// Longest error text kept with an attempt, in bytes.
pub const ERROR_TEXT_BYTES_MAX: usize = 1 << 10;
/// Largest text of one schema, in bytes.
pub const SCHEMA_BYTES_MAX: usize = 1 << 20;
/// Most subschemas that one value may be held against, references followed: bounds validation.
pub const SCHEMA_FANOUT_MAX: usize = 10_000;
/// Most types of one Avro schema.
pub const SCHEMA_TYPES_MAX: usize = 20_000;
/// Most values of one Avro datum.
pub const DATUM_VALUES_MAX: usize = 1 << 20;
/// Most files of one Protobuf schema.
pub const SCHEMA_FILES_MAX: usize = 256;
/// Most violations reported for one payload.
pub const VIOLATIONS_MAX: usize = 16;
/// Most channels of one broker.
pub const CHANNELS_MAX: usize = 60_000;
/// Most cursors of one log.
pub const CURSORS_MAX: usize = 60_000;
/// Most keys that one compaction by key holds; records of further keys stay until the next one.
pub const COMPACTION_KEYS_MAX: usize = 1 << 20;
/// Largest batch that is written together, in bytes as written: a full published batch fits.
pub const BATCH_BYTES_MAX: usize = 16 << 20;
/// Most records of one batch.
pub const BATCH_RECORDS_MAX: usize = 60_000;
/// Most bytes of batches that wait for the log's writer.
pub const LOG_QUEUE_BYTES_MAX: usize = 64 << 20;
/// Most bytes that a memory broker holds.
pub const MEMORY_BROKER_BYTES_MAX: usize = 1 << 30;
/// Most headers of one record: every attribute of an event and the runtime's own.
pub const RECORD_HEADERS_MAX: usize = 256;
/// Longest attribute value that is kept of a span, in bytes.
pub const SPAN_ATTRIBUTE_BYTES_MAX: usize = 512;
/// Longest payload in an attribute of a span that is looked at, in bytes.
pub const SPAN_PAYLOAD_BYTES_MAX: usize = 64 << 10;
/// Most bytes of such attributes that are read for a draft; of more, those of some traces, by chance.
pub const SPAN_PAYLOADS_BYTES_MAX: usize = 64 << 20;
/// Most YAML nodes of one design file.
pub const DESIGN_NODES_MAX: usize = 1_000_000;
/// Most findings of one reading of a design.
pub const DESIGN_FINDINGS_MAX: usize = 1_000;
/// Largest recording of traffic, in bytes.
pub const RECORDING_BYTES_MAX: usize = 1 << 30;
/// Most deliveries of one consumer that wait behind dead letters of their keys; at the limit the
/// rest stays in the window.
pub const FOLLOWERS_MAX: usize = 50_000;
/// Most identities of finished deliveries that a deduplicated consumer remembers of those that it
/// may forget.
pub const DONE_IDENTITIES_MAX: usize = 65_536;
/// Most identities of finished deliveries that a deduplicated consumer may not forget; at the limit it
/// starts nothing but its oldest delivery, which lets it forget some.
pub const INBOX_IDENTITIES_MAX: usize = 1_000_000;
/// Most ranges of deliveries that the replays of one consumer, or its remembered skips, are kept as.
pub const SEEK_RANGES_MAX: usize = 10_000;
/// Most replays of one consumer that are under way, and most skips that it remembers.
pub const SEEKS_MAX: usize = 32;
/// Most histories of deliveries that are over which one consumer remembers; beyond it the oldest go.
pub const ENDED_HISTORIES_MAX: usize = 500;
/// Most redrives of one dead letter.
pub const REDRIVES_MAX: u32 = 100;
/// Most crashes of the process while a delivery ran alone, before it becomes a dead letter.
pub const SOLO_CRASHES_MAX: u32 = 3;
/// Longest time that a handler may ask to be left alone, in seconds.
pub const RETRY_AFTER_SECONDS_MAX: u64 = 3_600;
/// Most pulls of one consumer that wait for a delivery at the same time.
pub const PULLS_WAITING_MAX: usize = 1_024;
/// Largest answer of a daemon that a command reads, in bytes.
pub const ANSWER_BYTES_MAX: u64 = 256 << 20;
/// Most events that one handling of an event may publish.
pub const OUTPUTS_MAX: usize = 100;
/// Most bytes of the events that one handling of an event may publish.
pub const OUTPUT_BYTES_MAX: usize = 4 << 20;
/// Most requests of one program that wait for their replies.
pub const REQUESTS_WAITING_MAX: usize = 10_000;
/// Largest state that a handler keeps for a key, in bytes.
pub const KEY_STATE_BYTES_MAX: usize = 16 << 10;
/// Most bytes of the keys and states of one consumer.
pub const KEY_STATES_BYTES_MAX: usize = 1 << 20;
/// Most bytes of events that were read with their channels and have not started yet.
pub const AT_HAND_BYTES_MAX: usize = 32 << 20;
/// Most bytes of outbox rows that a relay reads at once.
pub const OUTBOX_BATCH_BYTES_MAX: usize = 4 << 20;
/// Most events that the handler of one delivery emits in its transaction.
pub const EMITTED_EVENTS_MAX: usize = 1_000;
/// Most rows that a collection of an inbox or an outbox deletes in one transaction.
pub const COLLECTED_ROWS_MAX: usize = 1_000;
/// Most redrive jobs that are kept; beyond it the oldest that has ended is forgotten, and while none has,
/// no other is begun.
pub const JOBS_MAX: usize = 20;
/// Most letters of one redrive job.
pub const JOB_LETTERS_MAX: usize = 10_000;
/// Largest edited event that is kept with a dead letter, in bytes as JSON.
pub const EDITED_EVENT_BYTES_MAX: usize = 256 << 10;
/// Most bytes of edited events that are kept in all; a checkpoint has to hold them.
pub const EDITED_EVENTS_BYTES_MAX: usize = 2 << 20;
/// Most edits of one dead letter.
pub const EDITS_MAX: usize = 16;
/// Most dead letters whose events one request reads to look into them; it says where to go on.
pub const SEARCH_LETTERS_MAX: usize = 1_000;
/// Most bytes of events that one request reads to look into them.
pub const SEARCH_BYTES_MAX: usize = 16 << 20;
/// Most conditions on the payload of one search.
pub const SEARCH_CONDITIONS_MAX: usize = 16;
/// Most subschemas of one schema that is compared with another, those it refers to once each.
pub const COMPAT_NODES_MAX: usize = 50_000;
/// Longest rule on data, in bytes.
pub const RULE_BYTES_MAX: usize = 4 << 10;
/// Most parts of one rule on data.
pub const RULE_NODES_MAX: usize = 1_000;
/// Most steps that judging one event by one rule may take.
pub const RULE_STEPS_MAX: u64 = 2_000_000;
/// Most schemas of the registry.
pub const REGISTRY_SCHEMAS_MAX: usize = 50_000;
/// Most versions of all subjects of the registry, hidden ones too.
pub const REGISTRY_VERSIONS_MAX: usize = 100_000;
/// Most bytes of the registry's schemas, with what is said about them.
pub const REGISTRY_BYTES_MAX: usize = 256 << 20;
/// Most subjects for which a compatibility, and most for which a mode, is said.
pub const REGISTRY_SETTINGS_MAX: usize = 50_000;
/// Longest name of a subject, in bytes.
pub const REGISTRY_SUBJECT_BYTES_MAX: usize = 500;
/// Most schemas that one schema uses, directly and through others.
pub const REGISTRY_REFERENCES_MAX: usize = 200;
/// Most bytes of references, metadata and rules of one schema.
pub const REGISTRY_METADATA_BYTES_MAX: usize = 64 << 10;
/// Most schemas that are kept compiled to read payloads; beyond it some are forgotten and compiled anew.
pub const REGISTRY_COMPILED_MAX: usize = 1_000;
/// Most records of one shard on an ordered list of messages: its owner knows the place of each.
pub const JOURNAL_RECORDS_MAX: u64 = 8 << 20;

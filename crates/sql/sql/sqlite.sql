-- Tables for exactly-once effects and for events published from a database. SQLite 3.35 or later.
-- Run this in the database of the service. It may be run again at any time.
-- What is promised, and why it is so: docs/reference/outbox.md.

-- Readers, such as the relay, do not stop the writer. Kept in the file.
PRAGMA journal_mode = WAL;

-- Events to be published. A service adds a row in the transaction of the change that the event tells of.
CREATE TABLE IF NOT EXISTS tidegate_outbox (
    -- The row's name, for people, and the order of publishing: SQLite has one writer at a time, so that
    -- rows are numbered in the order of their commits.
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    -- CloudEvents `id`. With `source` the event's identity: the daemon drops what it has already taken.
    id           TEXT NOT NULL CHECK (id <> ''),
    -- CloudEvents `source`: who says so, such as /orders.
    source       TEXT NOT NULL CHECK (source <> ''),
    -- CloudEvents `type`: that of an event of the design.
    type         TEXT NOT NULL CHECK (type <> ''),
    -- Events of one key are published in the order of their commits. NULL: in no order.
    key          TEXT          CHECK (key <> ''),
    -- CloudEvents `time`: when it happened, RFC 3339.
    time         TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    -- CloudEvents `datacontenttype`: the media type of `data`.
    content_type TEXT NOT NULL DEFAULT 'application/json' CHECK (content_type <> ''),
    -- The payload, as text or as a blob. NULL: an event without one.
    data         BLOB,
    -- More attributes by their CloudEvents names: subject, dataschema, traceparent and others; a JSON object.
    attributes   TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(attributes) AND json_type(attributes) = 'object'),

    -- The columns below belong to the relay: leave them out.
    -- new; sent: the daemon has it; refused: it will never take it; skipped: given up by an operator.
    state        TEXT NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'sent', 'refused', 'skipped')),
    -- Why it was refused or skipped.
    reason       TEXT,
    -- When `state` changed.
    changed_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    UNIQUE (source, id)
);

CREATE INDEX IF NOT EXISTS tidegate_outbox_new ON tidegate_outbox (number) WHERE state = 'new';
CREATE INDEX IF NOT EXISTS tidegate_outbox_refused ON tidegate_outbox (key) WHERE state = 'refused';
CREATE INDEX IF NOT EXISTS tidegate_outbox_over ON tidegate_outbox (changed_at) WHERE state IN ('sent', 'skipped');

-- Deliveries that have had their effect in this database.
CREATE TABLE IF NOT EXISTS tidegate_inbox (
    -- service/event: two consumers in one database do not hide events from each other.
    consumer   TEXT    NOT NULL,
    -- The event's identity.
    source     TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    -- Which deliberate replay of the event; 0 is its first handling and all repeats of that.
    generation INTEGER NOT NULL DEFAULT 0,
    -- The latest sequence under which the event came: the row goes when no delivery below that can come again.
    position   INTEGER NOT NULL,
    -- The owner's epoch of the run.
    epoch      INTEGER NOT NULL,
    -- How many events it emitted.
    outputs    INTEGER NOT NULL DEFAULT 0,
    done_at    TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    PRIMARY KEY (consumer, source, id, generation)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS tidegate_inbox_position ON tidegate_inbox (consumer, position);

-- What is known of a consumer.
CREATE TABLE IF NOT EXISTS tidegate_owner (
    consumer   TEXT    PRIMARY KEY,
    -- The largest epoch that has run it: an older process is refused.
    epoch      INTEGER NOT NULL,
    -- Deliveries below this position, and not of a later generation than the next column, are over for good: their
    -- rows in the inbox may be gone, and a run that comes late is refused.
    below      INTEGER NOT NULL DEFAULT 0,
    generation INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- Tables for exactly-once effects and for events published from a database. PostgreSQL 13 or later.
-- Run this in the schema of the service, as the owner of its tables. It may be run again at any time.
-- What is promised, and why it is so: docs/reference/outbox.md.

BEGIN;

-- The order of publishing. Numbers are drawn at commit, one by one: a cache would break the order.
CREATE SEQUENCE IF NOT EXISTS tidegate_outbox_position AS bigint CACHE 1;

-- Events to be published. A service adds a row in the transaction of the change that the event tells of.
CREATE TABLE IF NOT EXISTS tidegate_outbox (
    -- The row's name, for people.
    number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- CloudEvents `id`. With `source` the event's identity: the daemon drops what it has already taken.
    id           text        NOT NULL CHECK (id <> ''),
    -- CloudEvents `source`: who says so, such as /orders.
    source       text        NOT NULL CHECK (source <> ''),
    -- CloudEvents `type`: that of an event of the design.
    type         text        NOT NULL CHECK (type <> ''),
    -- Events of one key are published in the order of their commits. NULL: in no order.
    key          text                 CHECK (key <> ''),
    -- CloudEvents `time`: when it happened.
    time         timestamptz NOT NULL DEFAULT now(),
    -- CloudEvents `datacontenttype`: the media type of `data`.
    content_type text        NOT NULL DEFAULT 'application/json' CHECK (content_type <> ''),
    -- The payload; JSON as UTF-8 text. NULL: an event without one.
    data         bytea,
    -- More attributes by their CloudEvents names: subject, dataschema, traceparent and others.
    attributes   jsonb       NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(attributes) = 'object'),

    -- The columns below belong to the relay: leave them out.
    -- new; sent: the daemon has it; refused: it will never take it; skipped: given up by an operator.
    state        text        NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'sent', 'refused', 'skipped')),
    -- The place in the order of publishing; drawn by a trigger when the transaction commits.
    position     bigint,
    -- Why it was refused or skipped.
    reason       text,
    -- When `state` changed.
    changed_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (source, id)
);

CREATE INDEX IF NOT EXISTS tidegate_outbox_new ON tidegate_outbox (position, number) WHERE state = 'new';
CREATE INDEX IF NOT EXISTS tidegate_outbox_refused ON tidegate_outbox (key) WHERE state = 'refused';
CREATE INDEX IF NOT EXISTS tidegate_outbox_over ON tidegate_outbox (changed_at) WHERE state IN ('sent', 'skipped');

-- Deliveries that have had their effect in this database.
CREATE TABLE IF NOT EXISTS tidegate_inbox (
    -- service/event: two consumers in one database do not hide events from each other.
    consumer   text        NOT NULL,
    -- The event's identity.
    source     text        NOT NULL,
    id         text        NOT NULL,
    -- Which deliberate replay of the event; 0 is its first handling and all repeats of that.
    generation bigint      NOT NULL DEFAULT 0,
    -- The latest sequence under which the event came: the row goes when no delivery below that can come again.
    position   bigint      NOT NULL,
    -- The owner's epoch of the run.
    epoch      bigint      NOT NULL,
    -- How many events it emitted.
    outputs    integer     NOT NULL DEFAULT 0,
    done_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, source, id, generation)
);

CREATE INDEX IF NOT EXISTS tidegate_inbox_position ON tidegate_inbox (consumer, position);

-- What is known of a consumer.
CREATE TABLE IF NOT EXISTS tidegate_owner (
    consumer   text   PRIMARY KEY,
    -- The largest epoch that has run it: an older process is refused.
    epoch      bigint NOT NULL,
    -- Deliveries below this position, and not of a later generation than the next column, are over for good: their
    -- rows in the inbox may be gone, and a run that comes late is refused.
    below      bigint NOT NULL DEFAULT 0,
    generation bigint NOT NULL DEFAULT 0
);

-- Runs when the transaction commits, with all its locks held: transactions that wait for each other, for
-- whatever row, get their positions in the order of their commits. Rows restored from a dump keep theirs.
CREATE OR REPLACE FUNCTION tidegate_outbox_place() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE tidegate_outbox SET position = nextval('tidegate_outbox_position')
     WHERE number = NEW.number AND position IS NULL;
    RETURN NULL;
END
$$;

-- Wakes the relay. Where commits are many, disable this trigger: then the relay polls.
CREATE OR REPLACE FUNCTION tidegate_outbox_wake() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('tidegate_outbox', '');
    RETURN NULL;
END
$$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger
                    WHERE tgrelid = 'tidegate_outbox'::regclass AND tgname = 'tidegate_outbox_place') THEN
        CREATE CONSTRAINT TRIGGER tidegate_outbox_place AFTER INSERT ON tidegate_outbox
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.position IS NULL)
            EXECUTE FUNCTION tidegate_outbox_place();
    END IF;
    IF NOT EXISTS (SELECT FROM pg_trigger
                    WHERE tgrelid = 'tidegate_outbox'::regclass AND tgname = 'tidegate_outbox_wake') THEN
        CREATE TRIGGER tidegate_outbox_wake AFTER INSERT ON tidegate_outbox
            FOR EACH STATEMENT EXECUTE FUNCTION tidegate_outbox_wake();
    END IF;
END
$$;

COMMIT;

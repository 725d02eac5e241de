-- Each start of the gateway on this data directory; no duration is computed across two.
CREATE TABLE run (
    id            INTEGER PRIMARY KEY,
    began_wall_us INTEGER NOT NULL
) STRICT;

-- The ledger. Append-only; everything that is said of a call is computed from these rows in order.
CREATE TABLE fact (
    call    BLOB    NOT NULL,
    n       INTEGER NOT NULL,
    run     INTEGER NOT NULL,
    mono_ns INTEGER NOT NULL,
    wall_us INTEGER NOT NULL,
    version INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    body    TEXT    NOT NULL,
    PRIMARY KEY (call, n)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER fact_is_never_changed BEFORE UPDATE ON fact
BEGIN
    SELECT RAISE(ABORT, 'a fact is never changed');
END;

CREATE TRIGGER fact_is_never_deleted BEFORE DELETE ON fact
BEGIN
    SELECT RAISE(ABORT, 'a fact is never deleted');
END;

-- Callers' numbers, apart from the facts so that they can be erased (number becomes NULL).
-- keyed_hash finds repeat callers: HMAC-SHA256 of the number with the key of this data directory.
CREATE TABLE subject (
    id         BLOB PRIMARY KEY,
    number     TEXT,
    keyed_hash BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX subject_by_hash ON subject (keyed_hash);

-- One row a call, computed from its facts; may be deleted and rebuilt at any time. The record holds no number.
CREATE TABLE call (
    id              BLOB    PRIMARY KEY,
    hotline         TEXT    NOT NULL,
    subject         BLOB    NOT NULL,
    offered_wall_us INTEGER NOT NULL,
    ended_wall_us   INTEGER,
    outcome         TEXT,
    -- 1: ended, and no recording is still open.
    closed          INTEGER NOT NULL,
    record          TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX call_by_time ON call (offered_wall_us);
CREATE INDEX call_by_hotline ON call (hotline, offered_wall_us);
CREATE INDEX call_open ON call (id) WHERE closed = 0;

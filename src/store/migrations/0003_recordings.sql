-- The recording ledger: exactly one row for each call that was connected and is closed. Computed from the call's facts, so it may be
-- rebuilt; what people decide about recordings stands in the tables below it, which may not.
CREATE TABLE recording (
    call            BLOB    PRIMARY KEY,
    hotline         TEXT    NOT NULL,
    outcome         TEXT,
    offered_wall_us INTEGER NOT NULL,
    ended_wall_us   INTEGER NOT NULL,
    -- connected → ended by the monotonic clock; NULL where a crash lies between.
    expected_ms     INTEGER,
    -- ok, partial or none; the latter two have a reason.
    status          TEXT    NOT NULL,
    reason          TEXT,
    path            TEXT,
    duration_ms     INTEGER NOT NULL,
    sha256          TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX recording_by_time ON recording (offered_wall_us, call);
CREATE INDEX call_by_subject ON call (subject);

-- A recording that nobody may delete until the hold is lifted.
CREATE TABLE legal_hold (
    call       BLOB    PRIMARY KEY,
    by_whom    TEXT    NOT NULL,
    why        TEXT    NOT NULL,
    at_wall_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Recordings that are gone on purpose. Written before the file goes: a crash between leaves a file to delete again, never a
-- missing one that nobody can explain.
CREATE TABLE removal (
    call       BLOB    PRIMARY KEY,
    -- retention, erasure, destruction
    cause      TEXT    NOT NULL,
    by_whom    TEXT,
    at_wall_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER removal_is_never_undone BEFORE DELETE ON removal
BEGIN
    SELECT RAISE(ABORT, 'a removal is never undone');
END;

-- One asks for a recording's destruction, another one confirms it.
CREATE TABLE destruction (
    call              BLOB    PRIMARY KEY,
    asked_by          TEXT    NOT NULL,
    why               TEXT    NOT NULL,
    asked_wall_us     INTEGER NOT NULL,
    confirmed_by      TEXT,
    confirmed_wall_us INTEGER
) STRICT, WITHOUT ROWID;

-- Receipts of what was erased on a caller's demand. The number itself stands nowhere; its keyed hash shows that it was this one.
CREATE TABLE erasure (
    id         INTEGER PRIMARY KEY,
    keyed_hash BLOB    NOT NULL,
    by_whom    TEXT    NOT NULL,
    at_wall_us INTEGER NOT NULL,
    subjects   INTEGER NOT NULL,
    calls      INTEGER NOT NULL,
    recordings INTEGER NOT NULL,
    held       INTEGER NOT NULL
) STRICT;

-- Callers whom the house owes a call: one row for each such call. Computed from facts, so it may be rebuilt.
CREATE TABLE owed (
    call          BLOB    PRIMARY KEY,
    hotline       TEXT    NOT NULL,
    why           TEXT    NOT NULL,
    since_wall_us INTEGER NOT NULL,
    due_wall_us   INTEGER NOT NULL,
    attempts      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX owed_by_time ON owed (since_wall_us);

-- Primary from here on: what people promised and did.
CREATE TABLE callback_promise (
    call        BLOB    PRIMARY KEY,
    due_wall_us INTEGER NOT NULL,
    by_whom     TEXT    NOT NULL,
    note        TEXT    NOT NULL,
    at_wall_us  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX callback_promise_by_time ON callback_promise (at_wall_us);

CREATE TABLE callback_deed (
    call          BLOB    NOT NULL,
    -- From 1.
    n             INTEGER NOT NULL,
    at_wall_us    INTEGER NOT NULL,
    by_whom       TEXT    NOT NULL,
    -- NULL: the entry was taken; else what came of an attempt.
    code          TEXT,
    -- With `later`: when to try again.
    until_wall_us INTEGER,
    note          TEXT    NOT NULL,
    PRIMARY KEY (call, n)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER callback_deed_is_never_changed BEFORE UPDATE ON callback_deed
BEGIN
    SELECT RAISE(ABORT, 'a deed is never changed');
END;

CREATE TRIGGER callback_deed_is_never_deleted BEFORE DELETE ON callback_deed
BEGIN
    SELECT RAISE(ABORT, 'a deed is never deleted');
END;

-- Calls that the gateway makes to callers of the list of callbacks: as `call`, and apart from it, for they are nobody's offered
-- calls and stand in no figure of those. Computed from facts, so it may be rebuilt.
CREATE TABLE callback_call (
    id              BLOB    PRIMARY KEY,
    -- The call by which the list names the entry.
    entry           BLOB    NOT NULL,
    hotline         TEXT    NOT NULL,
    subject         BLOB    NOT NULL,
    offered_wall_us INTEGER NOT NULL,
    ended_wall_us   INTEGER,
    outcome         TEXT,
    closed          INTEGER NOT NULL,
    record          TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX callback_call_by_entry ON callback_call (entry);
CREATE INDEX callback_call_by_subject ON callback_call (subject);
CREATE INDEX callback_call_open ON callback_call (id) WHERE closed = 0;

-- What callers wanted, as agents wrote it down. Primary: nothing of it can be computed from facts.
CREATE TABLE note (
    id       INTEGER PRIMARY KEY,
    -- Day, agent and serial in one word, as people read it out.
    number   TEXT    NOT NULL UNIQUE,
    day      TEXT    NOT NULL,
    agent    TEXT    NOT NULL,
    serial   INTEGER NOT NULL,
    -- NULL: it came by another way than a call.
    call     BLOB,
    hotline  TEXT    NOT NULL,
    -- Who has to settle it; NULL: whoever serves the hotline next.
    holder   TEXT,
    name     TEXT    NOT NULL,
    -- NULL: the number that the call came from.
    caller   TEXT,
    class    TEXT    NOT NULL,
    content  TEXT    NOT NULL,
    promise  TEXT    NOT NULL,
    promised_wall_us    INTEGER,
    written_wall_us     INTEGER NOT NULL,
    due_wall_us         INTEGER NOT NULL,
    called_back_wall_us INTEGER,
    done_wall_us        INTEGER,
    -- 1: the caller's words and number were erased.
    erased   INTEGER NOT NULL DEFAULT 0,
    UNIQUE (day, agent, serial)
) STRICT;

CREATE UNIQUE INDEX note_once ON note (call, agent) WHERE call IS NOT NULL;
CREATE INDEX note_open ON note (due_wall_us) WHERE done_wall_us IS NULL;
CREATE INDEX note_by_agent ON note (agent, id);

-- What was done with a note, and by whom. The words of a change are those that stood there before.
CREATE TABLE note_step (
    note       INTEGER NOT NULL,
    n          INTEGER NOT NULL,
    step       TEXT    NOT NULL,
    by_whom    TEXT    NOT NULL,
    at_wall_us INTEGER NOT NULL,
    text       TEXT    NOT NULL,
    PRIMARY KEY (note, n)
) STRICT, WITHOUT ROWID;

-- Who has looked at what was left from the days before, once a day.
CREATE TABLE note_seen (
    person     INTEGER NOT NULL,
    day        TEXT    NOT NULL,
    at_wall_us INTEGER NOT NULL,
    notes      INTEGER NOT NULL,
    PRIMARY KEY (person, day)
) STRICT, WITHOUT ROWID;

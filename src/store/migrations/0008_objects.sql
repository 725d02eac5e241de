-- Recordings that lie on this disk alone: each is to be copied to the object store, if there is one. Written with the recording's row.
CREATE TABLE outbox (
    call          BLOB    PRIMARY KEY,
    ended_wall_us INTEGER NOT NULL,
    -- Not before: what failed for a reason of its own waits.
    due_wall_us   INTEGER NOT NULL DEFAULT 0,
    -- Why it failed last.
    fault         TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX outbox_by_time ON outbox (due_wall_us, ended_wall_us);

-- Files of recordings in the object store, by their names below its prefix.
CREATE TABLE object (
    key            TEXT    PRIMARY KEY,
    call           BLOB    NOT NULL,
    ended_wall_us  INTEGER NOT NULL,
    -- Of the file as it lies on the disk, sealed or not.
    bytes          INTEGER NOT NULL,
    sha256         TEXT    NOT NULL,
    -- NULL: the copy may have been begun, and is not known to be whole.
    stored_wall_us INTEGER,
    -- Whether the file is on this disk too.
    is_here        INTEGER NOT NULL DEFAULT 1
) STRICT, WITHOUT ROWID;

CREATE INDEX object_by_call ON object (call);
CREATE INDEX object_here ON object (ended_wall_us) WHERE is_here = 1;

-- Objects whose recording is gone on purpose: they are deleted as soon as the store can be reached.
CREATE TABLE doomed_object (
    key         TEXT    PRIMARY KEY,
    since_wall_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO outbox (call, ended_wall_us)
SELECT call, ended_wall_us FROM recording
WHERE status IN ('ok', 'partial') AND NOT EXISTS (SELECT 1 FROM removal WHERE removal.call = recording.call);

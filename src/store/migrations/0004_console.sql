-- Who works with the console. Primary: these rows cannot be computed from facts.
CREATE TABLE person (
    id            INTEGER PRIMARY KEY,
    -- What is typed to log in; lower case.
    name          TEXT    NOT NULL UNIQUE,
    -- What others see.
    shown         TEXT    NOT NULL,
    -- Words of the closed list, one space between them.
    roles         TEXT    NOT NULL,
    -- 工号, of whoever is an agent too.
    agent         TEXT,
    -- NULL: what the browser asks for.
    language      TEXT,
    -- Argon2id as a PHC string. NULL: nobody can log in by a password.
    password      TEXT,
    disabled      INTEGER NOT NULL DEFAULT 0,
    since_wall_us INTEGER NOT NULL
) STRICT;

-- Logged in. The browser has the secret, here is only its SHA-256.
CREATE TABLE session (
    hash          BLOB    PRIMARY KEY,
    person        INTEGER NOT NULL,
    began_wall_us INTEGER NOT NULL,
    seen_wall_us  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX session_by_person ON session (person);

-- What people did. Each row's hash is taken over the hash of the row before it, so a change shows in every later one.
CREATE TABLE audit (
    -- From 1, without gaps.
    n          INTEGER PRIMARY KEY,
    at_wall_us INTEGER NOT NULL,
    who        TEXT    NOT NULL,
    what       TEXT    NOT NULL,
    about      TEXT    NOT NULL,
    -- JSON.
    details    TEXT    NOT NULL,
    hash       BLOB    NOT NULL
) STRICT;

CREATE INDEX audit_by_about ON audit (about, n);

CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'an audit row is never changed');
END;

CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'an audit row is never deleted');
END;

-- Filters of the list of calls that somebody gave a name.
CREATE TABLE saved_view (
    person INTEGER NOT NULL,
    name   TEXT    NOT NULL,
    query  TEXT    NOT NULL,
    PRIMARY KEY (person, name)
) STRICT, WITHOUT ROWID;

-- What the list of calls is filtered by: a narrow row for each ended call, in the order of the list. Computed from facts, so it may
-- be rebuilt.
CREATE TABLE listed (
    offered_wall_us INTEGER NOT NULL,
    call            BLOB    NOT NULL,
    hotline         TEXT    NOT NULL,
    agent           TEXT,
    outcome         TEXT    NOT NULL,
    talk_ms         INTEGER NOT NULL,
    hold_ms         INTEGER NOT NULL,
    wait_ms         INTEGER NOT NULL,
    -- NULL: no agent answered.
    in_time         INTEGER,
    -- The worse of both legs, in hundredths; NULL: not rated.
    mos_100         INTEGER,
    -- Rules that were broken, each between spaces; NULL: not judged yet.
    failed          TEXT,
    PRIMARY KEY (offered_wall_us, call)
) STRICT, WITHOUT ROWID;

CREATE INDEX listed_by_agent ON listed (agent, offered_wall_us, call) WHERE agent IS NOT NULL;

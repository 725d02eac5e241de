-- What agents said of themselves, and what became of it: a stream of its own beside the calls. Append-only.
-- n counts over all agents of a run.
CREATE TABLE agent_fact (
    run     INTEGER NOT NULL,
    n       INTEGER NOT NULL,
    agent   TEXT    NOT NULL,
    mono_ns INTEGER NOT NULL,
    wall_us INTEGER NOT NULL,
    version INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    body    TEXT    NOT NULL,
    PRIMARY KEY (run, n)
) STRICT, WITHOUT ROWID;

CREATE INDEX agent_fact_by_agent ON agent_fact (agent, run, n);

CREATE TRIGGER agent_fact_is_never_changed BEFORE UPDATE ON agent_fact
BEGIN
    SELECT RAISE(ABORT, 'a fact is never changed');
END;

CREATE TRIGGER agent_fact_is_never_deleted BEFORE DELETE ON agent_fact
BEGIN
    SELECT RAISE(ABORT, 'a fact is never deleted');
END;

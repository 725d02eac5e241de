-- Calls of kinds of their own: those that the gateway makes to callers of the list of callbacks, and those that agents make. As
-- `call`, and apart from it, for they are nobody's offered calls and stand in no figure of those. Computed from facts, so it may be
-- rebuilt.
CREATE TABLE call_apart (
    id              BLOB    PRIMARY KEY,
    hotline         TEXT    NOT NULL,
    subject         BLOB    NOT NULL,
    offered_wall_us INTEGER NOT NULL,
    ended_wall_us   INTEGER,
    outcome         TEXT,
    closed          INTEGER NOT NULL,
    record          TEXT    NOT NULL,
    -- callback, internal, outbound
    kind            TEXT    NOT NULL,
    -- Of a callback: the call by which the list names its entry.
    entry           BLOB
) STRICT, WITHOUT ROWID;

INSERT INTO call_apart (id, hotline, subject, offered_wall_us, ended_wall_us, outcome, closed, record, kind, entry)
SELECT id, hotline, subject, offered_wall_us, ended_wall_us, outcome, closed, json_set(record, '$.kind', 'callback'),
       'callback', entry
FROM callback_call;

DROP TABLE callback_call;

CREATE INDEX call_apart_by_entry ON call_apart (entry) WHERE entry IS NOT NULL;
CREATE INDEX call_apart_by_subject ON call_apart (subject);
CREATE INDEX call_apart_by_time ON call_apart (kind, offered_wall_us);
CREATE INDEX call_apart_open ON call_apart (id) WHERE closed = 0;

-- One call, whatever its kind.
CREATE VIEW any_call AS
    SELECT id, hotline, subject, offered_wall_us, ended_wall_us, outcome, closed, record FROM call
    UNION ALL
    SELECT id, hotline, subject, offered_wall_us, ended_wall_us, outcome, closed, record FROM call_apart;

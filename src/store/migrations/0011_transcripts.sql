-- What a recogniser outside the process heard in a call: the newest transcript of each. Words are personal data, so they are no facts:
-- they go when the recording goes, and when the caller's number is erased.
CREATE TABLE transcript (
    call          BLOB    PRIMARY KEY,
    recogniser    TEXT    NOT NULL,
    version       TEXT    NOT NULL,
    language      TEXT    NOT NULL,
    -- JSON lines, as it was given.
    body          TEXT    NOT NULL,
    by_whom       TEXT    NOT NULL,
    added_wall_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What puts calls into the targeted pool by itself. The last row holds; the others say what held before.
CREATE TABLE qa_targeting (
    n          INTEGER PRIMARY KEY,
    -- JSON.
    targeting  TEXT    NOT NULL,
    by_whom    TEXT    NOT NULL,
    at_wall_us INTEGER NOT NULL
) STRICT;

CREATE TRIGGER qa_targeting_is_never_changed BEFORE UPDATE ON qa_targeting
BEGIN
    SELECT RAISE(ABORT, 'what held is never changed');
END;

CREATE TRIGGER qa_targeting_is_never_deleted BEFORE DELETE ON qa_targeting
BEGIN
    SELECT RAISE(ABORT, 'what held is never deleted');
END;

-- Calls offered before this were looked at.
CREATE TABLE qa_targeted_until (
    one             INTEGER PRIMARY KEY CHECK (one = 1),
    offered_wall_us INTEGER NOT NULL
) STRICT;

-- Who had a hearing before, and why it was given to somebody else.
CREATE TABLE qa_given (
    review     INTEGER NOT NULL,
    n          INTEGER NOT NULL,
    -- NULL: nobody had it.
    from_whom  TEXT,
    to_whom    TEXT    NOT NULL,
    by_whom    TEXT    NOT NULL,
    at_wall_us INTEGER NOT NULL,
    reason     TEXT    NOT NULL,
    PRIMARY KEY (review, n)
) STRICT, WITHOUT ROWID;

-- The file's version that was last put in force by itself: a form that was changed in the console stays in force while the file is
-- what it was.
ALTER TABLE qa_form_in_force ADD COLUMN file_version TEXT;
UPDATE qa_form_in_force SET file_version = version;

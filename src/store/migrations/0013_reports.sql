-- Reports of periods that are over, as they stood when somebody closed them. Each row's hash is taken over the hash of the row before
-- it, so a change shows in every later one.
CREATE TABLE report (
    -- From 1, without gaps.
    n              INTEGER PRIMARY KEY,
    closed_wall_us INTEGER NOT NULL,
    by_whom        TEXT    NOT NULL,
    -- day, week or month, and the first day of it.
    span           TEXT    NOT NULL,
    first          TEXT    NOT NULL,
    -- JSON, the keys of each object in order.
    content        TEXT    NOT NULL,
    hash           BLOB    NOT NULL,
    UNIQUE (span, first)
) STRICT;

CREATE TRIGGER report_is_never_changed BEFORE UPDATE ON report
BEGIN
    SELECT RAISE(ABORT, 'a closed report is never changed');
END;

CREATE TRIGGER report_is_never_deleted BEFORE DELETE ON report
BEGIN
    SELECT RAISE(ABORT, 'a closed report is never deleted');
END;

-- Who made the link by which somebody's password was last replaced, and when: the person is shown it.
ALTER TABLE person ADD COLUMN link_by TEXT;
ALTER TABLE person ADD COLUMN link_wall_us INTEGER;

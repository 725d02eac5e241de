-- Recordings of more than one file, and what of a recording is silence on purpose: lists in JSON, NULL for an empty one.
ALTER TABLE recording ADD COLUMN parts TEXT;
ALTER TABLE recording ADD COLUMN blanked TEXT;

-- Copies that people took out: who, and why. What people did is not computed from facts.
CREATE TABLE export (
    id         INTEGER PRIMARY KEY,
    call       BLOB    NOT NULL,
    by_whom    TEXT    NOT NULL,
    why        TEXT    NOT NULL,
    at_wall_us INTEGER NOT NULL
) STRICT;

CREATE TRIGGER export_is_never_changed BEFORE UPDATE ON export
BEGIN
    SELECT RAISE(ABORT, 'an export is never changed');
END;

CREATE TRIGGER export_is_never_deleted BEFORE DELETE ON export
BEGIN
    SELECT RAISE(ABORT, 'an export is never deleted');
END;

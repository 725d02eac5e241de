-- Recordings of more than one file, and what of a recording is silence on purpose: lists in JSON, NULL for an empty one.
ALTER TABLE recording ADD COLUMN parts TEXT;
ALTER TABLE recording ADD COLUMN blanked TEXT;

-- What a draw asks of each call stands in the list's narrow row: an index over the record's JSON is not read in its place
-- (what json_extract gives has a subtype, which an index does not keep), and cost more with each write.
ALTER TABLE listed ADD COLUMN subject BLOB NOT NULL DEFAULT x'';
-- 1: its recording is in too.
ALTER TABLE listed ADD COLUMN closed INTEGER NOT NULL DEFAULT 0;
-- Who talked longest with the caller: whose call it is.
ALTER TABLE listed ADD COLUMN whose TEXT;
-- ok, partial or none.
ALTER TABLE listed ADD COLUMN recording TEXT NOT NULL DEFAULT 'none';
ALTER TABLE listed ADD COLUMN class TEXT;

UPDATE listed SET (subject, closed, whose, recording, class) = (
    SELECT c.subject, c.closed,
        CASE WHEN json_array_length(c.record, '$.segments') > 1 THEN (
            SELECT json_extract(segment.value, '$.agent') FROM json_each(c.record, '$.segments') AS segment
            ORDER BY json_extract(segment.value, '$.talk_ms') DESC, segment.key LIMIT 1
        ) ELSE json_extract(c.record, '$.agent') END,
        CASE json_extract(c.record, '$.recording.status') WHEN 'ok' THEN 'ok' WHEN 'partial' THEN 'partial' ELSE 'none' END,
        json_extract(c.record, '$.class')
    FROM call AS c WHERE c.id = listed.call
);

DROP INDEX call_to_draw;

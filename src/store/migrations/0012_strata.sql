-- A call's class is part of its stratum: what a draw asks of each call, with the class.
DROP INDEX call_to_draw;
CREATE INDEX call_to_draw ON call (
    offered_wall_us, id, hotline, subject, outcome,
    json_extract(record, '$.agent'), json_extract(record, '$.talk_ms'), json_extract(record, '$.segments'),
    json_extract(record, '$.recording.status'), json_extract(record, '$.class')
) WHERE closed = 1;

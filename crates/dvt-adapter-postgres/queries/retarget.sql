-- Replaces the destination if it is the one named, and tells the one that was bound; no row if there is none.
-- $1 from, $2 to, $3 who, $4 why, $5 clock shift in microseconds.
WITH bound AS MATERIALIZED (
    SELECT d.singleton, d.destination FROM outbox_destination AS d FOR UPDATE
),
replaced AS (
    UPDATE outbox_destination AS d
    SET destination = $2, retargeted_from = $1, retargeted_by = $3, retargeted_reason = $4,
        retargeted_at = clock_timestamp() + $5::bigint * interval '1 microsecond'
    FROM bound
    WHERE d.singleton = bound.singleton AND bound.destination = $1 AND $1::text <> $2::text
)
SELECT destination FROM bound

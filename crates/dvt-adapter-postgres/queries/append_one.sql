-- append_new.sql for one event: what such an append costs is for the most part what its statement costs to set up.
--
-- One row, as append_new.sql's, if the event was written. None: append.sql tells why.
--
-- $1 tenant id, $2 run id, $3 expected head (NULL: any), $4 six digits: the status after it by the status before it, $5-$11 the
-- event's columns. $12 clock shift in microseconds.
WITH advanced AS (
    UPDATE outbox AS o
    SET last_seq = o.last_seq + 1,
        last_persisted_at = greatest(
            statement_timestamp() + $12::bigint * interval '1 microsecond', o.last_persisted_at
        ),
        status = (ARRAY['Pending', 'Running', 'Paused', 'Completed', 'Failed', 'Cancelled'])[
            substr(
                $4::text,
                array_position(ARRAY['Pending', 'Running', 'Paused', 'Completed', 'Failed', 'Cancelled'], o.status),
                1
            )::int
        ],
        -- The time when the row was got, not when it was asked for: a claim's floor may have risen meanwhile.
        due_at = CASE
            WHEN o.due_at IS NULL AND o.parked_at IS NULL
                THEN clock_timestamp() + $12::bigint * interval '1 microsecond'
            ELSE o.due_at
        END,
        pending_since = CASE
            WHEN o.delivered_seq = o.last_seq
                THEN greatest(statement_timestamp() + $12::bigint * interval '1 microsecond', o.last_persisted_at)
            ELSE o.pending_since
        END
    WHERE o.tenant_id = $1 AND o.run_id = $2
      AND o.pruned_at IS NULL
      AND ($3::bigint IS NULL OR $3::bigint = o.last_seq)
      AND o.last_seq < 9223372036854775807
    RETURNING o.last_seq, o.last_persisted_at
)
INSERT INTO run_events (
    tenant_id, run_id, run_seq, event_type, step_id, logical_attempt, engine_attempt,
    idempotency_key, emitted_at, persisted_at, payload, payload_size
)
SELECT $1, $2, a.last_seq, $5::text, $6::text, $7::bigint, $8::bigint,
       $9::text, $10::timestamptz, a.last_persisted_at, $11::text::json, octet_length($11::text)
FROM advanced AS a
RETURNING 1::bigint AS "request_no!", run_seq - 1 AS "head!", persisted_at AS "persisted_at!: Moment"

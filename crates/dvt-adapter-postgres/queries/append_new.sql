-- Appends requests to logs whose keys are all taken to be new, without a look at them: if one is known, its unique index refuses
-- the statement as a whole, and append.sql goes in its place. At most one request for each run, in the byte order of their run keys.
--
-- A row for each request that was written, as head + 1 and so on. One without a row wrote nothing: its run is missing or pruned,
-- its head is not the expected one, or the numbers would not fit. append.sql tells which.
--
-- An UPDATE that waited for its row goes on with the newest version of it, so the head is always the last one; and it locks
-- rows in the order in which it meets them, which is that of the requests.
--
-- $1 tenant ids, $2 run ids, $3 expected heads (NULL: any), $4 for each request six digits: the status after it by the status
-- before it; $5 how many events come before its own, $6 how many are its own. $7 the events' request numbers, $8-$14 their
-- columns. $15 clock shift in microseconds.
WITH request AS MATERIALIZED (
    SELECT given.*, clock_timestamp() + $15::bigint * interval '1 microsecond' AS now
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[])
        WITH ORDINALITY AS given (tenant_id, run_id, expected, status_after, events_before, events, request_no)
    ORDER BY given.tenant_id COLLATE "C", given.run_id COLLATE "C"
),
-- Side by side in the list: as functions in FROM each of them would first be kept as a whole.
sent AS NOT MATERIALIZED (
    SELECT unnest($7::bigint[]) AS request_no, unnest($8::text[]) AS event_type, unnest($9::text[]) AS step_id,
           unnest($10::bigint[]) AS logical_attempt, unnest($11::bigint[]) AS engine_attempt,
           unnest($12::text[]) AS idempotency_key, unnest($13::timestamptz[]) AS emitted_at, unnest($14::text[]) AS payload,
           generate_subscripts($7::bigint[], 1)::bigint AS event_no
),
advanced AS (
    UPDATE outbox AS o
    SET last_seq = o.last_seq + r.events,
        last_persisted_at = greatest(r.now, o.last_persisted_at),
        status = (ARRAY['Pending', 'Running', 'Paused', 'Completed', 'Failed', 'Cancelled'])[
            substr(
                r.status_after,
                array_position(ARRAY['Pending', 'Running', 'Paused', 'Completed', 'Failed', 'Cancelled'], o.status),
                1
            )::int
        ],
        -- The time when the row was got, not when it was asked for: a claim's floor may have risen meanwhile.
        due_at = CASE
            WHEN o.due_at IS NULL AND o.parked_at IS NULL
                THEN clock_timestamp() + $15::bigint * interval '1 microsecond'
            ELSE o.due_at
        END,
        pending_since = CASE
            WHEN o.delivered_seq = o.last_seq THEN greatest(r.now, o.last_persisted_at)
            ELSE o.pending_since
        END
    FROM request AS r
    WHERE o.tenant_id = r.tenant_id AND o.run_id = r.run_id
      AND o.pruned_at IS NULL
      AND (r.expected IS NULL OR r.expected = o.last_seq)
      AND o.last_seq <= 9223372036854775807 - r.events
    RETURNING r.request_no, o.tenant_id, o.run_id, r.events_before, o.last_seq - r.events AS head,
              o.last_persisted_at AS persisted_at
),
written AS (
    INSERT INTO run_events (
        tenant_id, run_id, run_seq, event_type, step_id, logical_attempt, engine_attempt,
        idempotency_key, emitted_at, persisted_at, payload, payload_size
    )
    SELECT a.tenant_id, a.run_id, a.head + (e.event_no - a.events_before), e.event_type, e.step_id,
           e.logical_attempt, e.engine_attempt,
           e.idempotency_key, e.emitted_at, a.persisted_at, e.payload::json, octet_length(e.payload)
    FROM advanced AS a
    JOIN sent AS e ON e.request_no = a.request_no
)
SELECT a.request_no AS "request_no!", a.head AS "head!", a.persisted_at AS "persisted_at!: Moment"
FROM advanced AS a

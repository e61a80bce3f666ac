-- Appends requests to logs: at most one request for each run, in the byte order of their run keys.
--
-- The rows tell each request's verdict, in its first event's row at least, and the stored event of each known key:
--   missing, pruned       nothing written
--   duplicates            all keys known
--   conflict              a key is new, and the head is not the expected one
--   partial               some keys known: nothing written, the caller asks again with the others
--   overflow              the numbers would not fit
--   append                all keys new: written as last_seq + 1 and so on
--
-- $1 tenant ids, $2 run ids, $3 expected heads (NULL: any; -1: none, only look), $4 for each request six digits: the status
-- after it by the status before it. $5 the events' request numbers, $6-$12 their columns. $13 clock shift in microseconds.
WITH request AS MATERIALIZED (
    SELECT r.request_no, r.tenant_id, r.run_id, r.expected, r.status_after,
           head.last_seq, head.pruned_at,
           -- What this statement's snapshot sees: less than the locked head if the lock had to be waited for.
           seen.last_seq AS seen_seq,
           head.last_persisted_at,
           clock_timestamp() + $13::bigint * interval '1 microsecond' AS now
    FROM (
        SELECT *
        FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[])
            WITH ORDINALITY AS given (tenant_id, run_id, expected, status_after, request_no)
        ORDER BY given.tenant_id COLLATE "C", given.run_id COLLATE "C"
    ) AS r
    LEFT JOIN LATERAL (
        SELECT o.last_seq, o.pruned_at, o.last_persisted_at
        FROM outbox AS o
        WHERE o.tenant_id = r.tenant_id AND o.run_id = r.run_id
        FOR UPDATE
    ) AS head ON true
    LEFT JOIN LATERAL (
        SELECT o.last_seq
        FROM outbox AS o
        WHERE o.tenant_id = r.tenant_id AND o.run_id = r.run_id
        LIMIT 1
    ) AS seen ON true
),
event AS MATERIALIZED (
    SELECT e.*, q.tenant_id, q.run_id, q.expected, q.status_after,
           q.last_seq, q.seen_seq, q.pruned_at, q.now,
           greatest(q.now, q.last_persisted_at) AS persisted_at,
           known.run_seq AS known_seq, known.event_type AS known_event_type, known.step_id AS known_step_id,
           known.logical_attempt AS known_logical_attempt, known.engine_attempt AS known_engine_attempt,
           known.emitted_at AS known_emitted_at, known.persisted_at AS known_persisted_at,
           known.payload AS known_payload,
           row_number() OVER (PARTITION BY e.request_no ORDER BY e.event_no) AS place,
           count(*) OVER (PARTITION BY e.request_no) AS events,
           count(known.run_seq) OVER (PARTITION BY e.request_no) AS known_events
    FROM unnest(
        $5::bigint[], $6::text[], $7::text[], $8::bigint[], $9::bigint[], $10::text[], $11::timestamptz[], $12::text[]
    ) WITH ORDINALITY AS e (
        request_no, event_type, step_id, logical_attempt, engine_attempt, idempotency_key, emitted_at, payload, event_no
    )
    JOIN request AS q ON q.request_no = e.request_no
    LEFT JOIN LATERAL (
        SELECT k.run_seq, k.event_type, k.step_id, k.logical_attempt, k.engine_attempt, k.emitted_at, k.persisted_at, k.payload
        FROM run_events AS k
        WHERE k.tenant_id = q.tenant_id AND k.run_id = q.run_id AND k.idempotency_key = e.idempotency_key
        LIMIT 1
    ) AS known ON true
),
judged AS MATERIALIZED (
    SELECT event.*,
           CASE
               WHEN last_seq IS NULL THEN 'missing'
               WHEN pruned_at IS NOT NULL THEN 'pruned'
               WHEN known_events = events THEN 'duplicates'
               WHEN expected <> last_seq THEN 'conflict'
               WHEN known_events > 0 THEN 'partial'
               WHEN last_seq > 9223372036854775807 - events THEN 'overflow'
               ELSE 'append'
           END AS verdict
    FROM event
),
written AS (
    INSERT INTO run_events (
        tenant_id, run_id, run_seq, event_type, step_id, logical_attempt, engine_attempt,
        idempotency_key, emitted_at, persisted_at, payload, payload_size
    )
    SELECT tenant_id, run_id, last_seq + place, event_type, step_id, logical_attempt, engine_attempt,
           idempotency_key, emitted_at, persisted_at, payload::json, octet_length(payload)
    FROM judged
    WHERE verdict = 'append'
),
advanced AS (
    UPDATE outbox AS o
    SET last_seq = o.last_seq + j.events,
        last_persisted_at = j.persisted_at,
        status = (ARRAY['Pending', 'Running', 'Paused', 'Completed', 'Failed', 'Cancelled'])[
            substr(
                j.status_after,
                array_position(ARRAY['Pending', 'Running', 'Paused', 'Completed', 'Failed', 'Cancelled'], o.status),
                1
            )::int
        ],
        due_at = CASE WHEN o.due_at IS NULL AND o.parked_at IS NULL THEN j.now ELSE o.due_at END,
        pending_since = CASE WHEN o.delivered_seq = o.last_seq THEN j.persisted_at ELSE o.pending_since END
    FROM judged AS j
    WHERE j.place = 1 AND j.verdict = 'append' AND o.tenant_id = j.tenant_id AND o.run_id = j.run_id
)
SELECT request_no AS "request_no!", event_no AS "event_no!", verdict AS "verdict!",
       last_seq AS "last_seq?", seen_seq AS "seen_seq?",
       pruned_at AS "pruned_at?: Moment", persisted_at AS "persisted_at?: Moment",
       known_seq AS "known_seq?", known_event_type AS "known_event_type?", known_step_id AS "known_step_id?",
       known_logical_attempt AS "known_logical_attempt?", known_engine_attempt AS "known_engine_attempt?",
       known_emitted_at AS "known_emitted_at?: Moment", known_persisted_at AS "known_persisted_at?: Moment",
       known_payload::text AS "known_payload?"
FROM judged
WHERE place = 1 OR known_seq IS NOT NULL

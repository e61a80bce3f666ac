-- Appends requests to logs: at most one request for each run, in the byte order of their run keys.
--
-- A request that is repeated lies in the log as it was sent: its first key is looked for, and what was stored from there on is compared
-- with it as a whole. Only if that is not it, each of its keys is looked for (docs/adr/0031).
--
-- The rows tell each request's verdict, once at least, and the stored events of known keys: those that say what was sent as
-- arrays, each of the others in a row.
--   missing, pruned       nothing written
--   duplicates            all keys known: nothing written, and no head locked unless the server waits for a standby
--   conflict              a key is new, and the head is not the expected one
--   partial               some keys known: nothing written, the caller asks again with the others
--   overflow              the numbers would not fit
--   append                all keys new: written as last_seq + 1 and so on
--
-- $1 tenant ids, $2 run ids, $3 expected heads (NULL: any; -1: none, only look), $4 for each request six digits: the status
-- after it by the status before it; $5 how many events come before its own, $6 how many are its own. $7 the events' request
-- numbers, $8-$14 their columns, $15 how many bytes each payload has. $16 clock shift in microseconds.
WITH given AS MATERIALIZED (
    SELECT r.*, seen.last_seq AS seen_seq, seen.pruned_at AS seen_pruned_at, seen.last_persisted_at AS seen_persisted_at
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[])
        WITH ORDINALITY AS r (tenant_id, run_id, expected, status_after, events_before, events, request_no)
    -- What this statement's snapshot sees: less than the locked head if the lock has to be waited for.
    LEFT JOIN LATERAL (
        SELECT o.last_seq, o.pruned_at, o.last_persisted_at
        FROM outbox AS o
        WHERE o.tenant_id = r.tenant_id AND o.run_id = r.run_id
        LIMIT 1
    ) AS seen ON true
),
-- Side by side in the list: as functions in FROM each of them would first be kept as a whole.
sent AS NOT MATERIALIZED (
    SELECT unnest($7::bigint[]) AS request_no, unnest($8::text[]) AS event_type, unnest($9::text[]) AS step_id,
           unnest($10::bigint[]) AS logical_attempt, unnest($11::bigint[]) AS engine_attempt,
           unnest($12::text[]) AS idempotency_key, unnest($13::timestamptz[]) AS emitted_at, unnest($14::text[]) AS payload,
           generate_subscripts($7::bigint[], 1)::bigint AS event_no
),
recalled AS MATERIALIZED (
    SELECT g.request_no, found.*
    FROM given AS g
    CROSS JOIN LATERAL (
        SELECT k.run_seq
        FROM run_events AS k
        WHERE k.tenant_id = g.tenant_id AND k.run_id = g.run_id
          -- Not `=`: a server that has never counted takes the primary key's index for as good, and walks the whole run. This
          -- one has the order that is asked for.
          AND k.idempotency_key BETWEEN ($12::text[])[g.events_before + 1] AND ($12::text[])[g.events_before + 1]
        ORDER BY k.idempotency_key
        LIMIT 1
    ) AS first
    CROSS JOIN LATERAL (
        SELECT array_agg(k.run_seq - first.run_seq + 1) AS places, array_agg(k.run_seq::bigint) AS run_seqs,
               array_agg(k.engine_attempt::bigint) AS engine_attempts, array_agg(k.emitted_at::timestamptz) AS emitted_at,
               array_agg(k.persisted_at::timestamptz) AS persisted_at
        FROM (
            SELECT log.*
            FROM run_events AS log
            WHERE log.tenant_id = g.tenant_id AND log.run_id = g.run_id AND log.run_seq >= first.run_seq
            ORDER BY log.run_seq
            LIMIT g.events
        ) AS k
        -- Places are told from numbers.
        HAVING max(k.run_seq) - first.run_seq = g.events - 1
           AND array_agg(k.idempotency_key::text) = ($12::text[])[g.events_before + 1:g.events_before + g.events]
           AND array_agg(k.event_type) = ($8::text[])[g.events_before + 1:g.events_before + g.events]
           AND array_agg(k.step_id) = ($9::text[])[g.events_before + 1:g.events_before + g.events]
           AND array_agg(k.logical_attempt::bigint) = ($10::bigint[])[g.events_before + 1:g.events_before + g.events]
           -- What lies there may be others' payloads, of any size: one is read if it is as long as the one that was sent.
           AND array_agg(
                   CASE
                       WHEN k.payload_size = ($15::bigint[])[g.events_before + least(k.run_seq - first.run_seq, g.events) + 1]
                           THEN k.payload::text
                   END
               ) = ($14::text[])[g.events_before + 1:g.events_before + g.events]
    ) AS found
),
-- Those of which it is not known yet which keys are.
open AS MATERIALIZED (
    SELECT g.request_no, g.tenant_id, g.run_id, g.events_before
    FROM given AS g
    WHERE NOT EXISTS (SELECT FROM recalled AS r WHERE r.request_no = g.request_no)
),
known AS MATERIALIZED (
    SELECT e.request_no, e.event_no - q.events_before AS place, k.run_seq, k.engine_attempt, k.emitted_at, k.persisted_at,
           same.content AS same_content,
           -- What was sent is not sent back.
           CASE WHEN NOT same.content THEN k.event_type END AS event_type,
           CASE WHEN NOT same.content THEN k.step_id END AS step_id,
           CASE WHEN NOT same.content THEN k.logical_attempt END AS logical_attempt,
           CASE WHEN NOT same.content THEN k.payload END AS payload
    FROM sent AS e
    JOIN open AS q ON q.request_no = e.request_no
    JOIN LATERAL (
        SELECT run_events.run_seq, run_events.event_type, run_events.step_id, run_events.logical_attempt,
               run_events.engine_attempt, run_events.emitted_at, run_events.persisted_at, run_events.payload::text AS payload
        FROM run_events
        WHERE run_events.tenant_id = q.tenant_id AND run_events.run_id = q.run_id
          AND run_events.idempotency_key BETWEEN e.idempotency_key AND e.idempotency_key
        ORDER BY run_events.idempotency_key
        LIMIT 1
    ) AS k ON true
    CROSS JOIN LATERAL (
        SELECT k.event_type = e.event_type AND k.step_id IS NOT DISTINCT FROM e.step_id
               AND k.logical_attempt = e.logical_attempt AND k.payload = e.payload AS content
        -- Once, not for each of the columns above.
        OFFSET 0
    ) AS same
    -- Does not look at what was sent where all of it was recalled.
    WHERE EXISTS (SELECT FROM open)
),
looked AS MATERIALIZED (
    SELECT g.*, coalesce(found.events, 0) AS known_events,
           -- All of it is stored, and is as durable as it will be: what this snapshot sees was flushed before it could be
           -- seen, and there is no standby whose word it may still wait for. Nothing is locked, and nothing written.
           found.events = g.events AND g.seen_pruned_at IS NULL
               AND current_setting('synchronous_standby_names') = ''
               AND current_setting('synchronous_commit') <> 'off' AS is_settled
    FROM given AS g
    LEFT JOIN (
        SELECT known.request_no, count(*) AS events FROM known GROUP BY known.request_no
        UNION ALL
        SELECT recalled.request_no, cardinality(recalled.places) FROM recalled
    ) AS found
        ON found.request_no = g.request_no
),
judged AS MATERIALIZED (
    SELECT q.*, greatest(q.now, q.last_persisted_at) AS persisted_at,
           CASE
               WHEN q.last_seq IS NULL THEN 'missing'
               WHEN q.pruned_at IS NOT NULL THEN 'pruned'
               WHEN q.known_events = q.events THEN 'duplicates'
               WHEN q.expected <> q.last_seq THEN 'conflict'
               WHEN q.known_events > 0 THEN 'partial'
               WHEN q.last_seq > 9223372036854775807 - q.events THEN 'overflow'
               ELSE 'append'
           END AS verdict
    FROM (
        SELECT r.request_no, r.tenant_id, r.run_id, r.expected, r.status_after, r.events_before, r.events, r.known_events,
               r.seen_seq, head.pruned_at,
               CASE WHEN r.is_settled THEN r.seen_seq ELSE head.last_seq END AS last_seq,
               CASE WHEN r.is_settled THEN r.seen_persisted_at ELSE head.last_persisted_at END AS last_persisted_at,
               clock_timestamp() + $16::bigint * interval '1 microsecond' AS now
        FROM (SELECT * FROM looked AS l ORDER BY l.tenant_id COLLATE "C", l.run_id COLLATE "C") AS r
        LEFT JOIN LATERAL (
            SELECT o.last_seq, o.pruned_at, o.last_persisted_at
            FROM outbox AS o
            WHERE o.tenant_id = r.tenant_id AND o.run_id = r.run_id AND r.is_settled IS NOT TRUE
            FOR UPDATE
        ) AS head ON true
        -- Above the locks, so that the clock is read after them.
        OFFSET 0
    ) AS q
),
written AS (
    INSERT INTO run_events (
        tenant_id, run_id, run_seq, event_type, step_id, logical_attempt, engine_attempt,
        idempotency_key, emitted_at, persisted_at, payload, payload_size
    )
    SELECT j.tenant_id, j.run_id, j.last_seq + (e.event_no - j.events_before), e.event_type, e.step_id,
           e.logical_attempt, e.engine_attempt,
           e.idempotency_key, e.emitted_at, j.persisted_at, e.payload::json, octet_length(e.payload)
    FROM judged AS j
    JOIN sent AS e ON e.request_no = j.request_no
    -- Does not look at what was sent where there is nothing to do.
    WHERE j.verdict = 'append' AND (SELECT bool_or(judged.verdict = 'append') FROM judged)
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
    WHERE j.verdict = 'append' AND o.tenant_id = j.tenant_id AND o.run_id = j.run_id
)
SELECT j.request_no AS "request_no!", j.verdict AS "verdict!", j.last_seq AS "last_seq?", j.seen_seq AS "seen_seq?",
       j.pruned_at AS "pruned_at?: Moment", j.persisted_at AS "persisted_at?: Moment",
       same.places AS "same_places?", same.run_seqs AS "same_run_seqs?", same.engine_attempts AS "same_engine_attempts?",
       same.emitted_at AS "same_emitted_at?: Vec<Moment>", same.persisted_at AS "same_persisted_at?: Vec<Moment>",
       other.place AS "place?",
       other.run_seq AS "run_seq?", other.event_type AS "event_type?", other.step_id AS "step_id?",
       other.logical_attempt AS "logical_attempt?", other.engine_attempt AS "engine_attempt?",
       other.emitted_at AS "other_emitted_at?: Moment", other.persisted_at AS "other_persisted_at?: Moment",
       other.payload AS "payload?"
FROM judged AS j
LEFT JOIN (
    SELECT k.request_no, array_agg(k.place) AS places, array_agg(k.run_seq::bigint) AS run_seqs,
           array_agg(k.engine_attempt::bigint) AS engine_attempts, array_agg(k.emitted_at::timestamptz) AS emitted_at,
           array_agg(k.persisted_at::timestamptz) AS persisted_at
    FROM known AS k
    WHERE k.same_content
    GROUP BY k.request_no
    UNION ALL
    SELECT * FROM recalled
) AS same ON same.request_no = j.request_no
LEFT JOIN known AS other ON other.request_no = j.request_no AND NOT other.same_content

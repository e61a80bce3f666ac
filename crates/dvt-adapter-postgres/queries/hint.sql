-- Tells whoever listens that there is work. $1 channel.
-- Notifications are committed one after another in the whole database: a commit that needs no disk keeps that short, and
-- a hint that others hold up is given up. The store's sessions have more to do than to wait for it.
SELECT set_config('synchronous_commit', 'off', true) AS "synchronous_commit!", set_config('lock_timeout', '100ms', true) AS "lock_timeout!",
       pg_notify($1, '')::text AS "notified!"

-- Which process serves this statement, and what its session was last told to remember.
SELECT pg_backend_pid() AS "pid!", coalesce(current_setting('dvt.probe', true), '') AS "probe!",
       clock_timestamp() AS "now!: Moment"

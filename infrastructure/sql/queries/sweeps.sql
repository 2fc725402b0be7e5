-- begin
-- Take the janitor's lease and record a run.
SELECT app.begin_sweep_v1(%(sweep)s, %(by)s, %(holder)s, %(period)s, %(lease)s) AS run_id;

-- keep
-- Renew the lease and record what was done so far.
SELECT app.keep_sweep_v1(%(run_id)s, %(lease)s, %(scanned)s, %(fixed)s, %(actions)s) AS kept;

-- end
-- Record the end of a run and give the lease back.
SELECT * FROM app.end_sweep_v1(%(run_id)s, %(status)s, %(scanned)s, %(fixed)s, %(actions)s, %(error)s);

-- skip
-- Record that a sweep did not run.
INSERT INTO app.janitor_runs (run_type, status, triggered_by, ended_at)
VALUES (%(sweep)s, 'skipped', %(by)s, now())
RETURNING *;

-- list
-- Runs, newest first.
SELECT * FROM app.janitor_runs
 WHERE (%(sweep)s::text IS NULL OR run_type = %(sweep)s)
   AND (%(status)s::text IS NULL OR status = %(status)s)
   AND (%(started_after)s::timestamptz IS NULL OR started_at >= %(started_after)s)
   AND (%(started_before)s::timestamptz IS NULL OR started_at < %(started_before)s)
   AND (%(before)s::bigint IS NULL OR run_id < %(before)s)
 ORDER BY run_id DESC
 LIMIT %(limit)s;

-- states
-- How each sweep is doing.
SELECT s.*, now() AS now FROM app.sweep_states s ORDER BY s.period, s.sweep;

-- totals
-- What the runs of a while came to.
SELECT count(*) AS runs, count(*) FILTER (WHERE status = 'failed') AS failed,
       count(*) FILTER (WHERE status = 'skipped') AS skipped, coalesce(sum(fixed), 0) AS fixed
  FROM app.janitor_runs
 WHERE started_at >= now() - %(within)s;

-- prune
-- Remove runs that nobody will ask for again.
DELETE FROM app.janitor_runs WHERE run_id IN (
    SELECT run_id FROM app.janitor_runs
     WHERE started_at < now() - %(age)s AND status <> 'running'
     ORDER BY run_id LIMIT %(limit)s);

-- The janitor: one lease for all sweeps, and a row for every run.

CREATE TABLE app.sweeps (
    sweep   text        PRIMARY KEY,
    -- How often it should run, as its last run was told.
    period  interval    NOT NULL,
    -- From when on its runs are missed.
    since   timestamptz NOT NULL DEFAULT now()
);
INSERT INTO app.sweeps (sweep, period)
VALUES ('task_watchdog', '5 minutes'), ('job_health', '10 minutes'), ('orphan_detector', '15 minutes'),
       ('prune', '1 day');

CREATE TABLE app.sweep_lease (
    singleton  boolean     PRIMARY KEY DEFAULT true CONSTRAINT sweep_lease_one_row CHECK (singleton),
    run_id     bigint,
    -- Unique per wish to run, so that a call whose answer was lost can be repeated.
    holder     text,
    until      timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO app.sweep_lease DEFAULT VALUES;

CREATE INDEX janitor_runs_running ON app.janitor_runs (run_id) WHERE status = 'running';

-- The revision whose tasks and events have been pruned.
ALTER TABLE app.jobs ADD COLUMN pruned_revision integer NOT NULL DEFAULT 0;
CREATE INDEX jobs_unpruned ON app.jobs (completed_at) WHERE completed_at IS NOT NULL AND pruned_revision < revision;
CREATE INDEX jobs_rerun ON app.jobs (job_id) WHERE revision > 1;
-- For prefixes that hold the first eight digits of an id.
CREATE INDEX jobs_by_short_id ON app.jobs (left(job_id, 8));

-- Take the janitor's lease and record a run; NULL while another run holds it.
CREATE FUNCTION app.begin_sweep_v1(
    p_sweep text, p_by text, p_holder text, p_period interval, p_lease interval)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_run bigint;
BEGIN
    SELECT run_id INTO v_run FROM app.sweep_lease WHERE holder = p_holder;
    IF FOUND THEN
        RETURN v_run;
    END IF;
    UPDATE app.sweep_lease SET holder = p_holder, until = now() + p_lease WHERE until < now();
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    UPDATE app.janitor_runs
       SET status = 'failed', ended_at = now(),
           error = app.error_v1('janitor.run_lost', 'The process that ran it fell silent.')
     WHERE status = 'running';
    INSERT INTO app.janitor_runs (run_type, status, triggered_by) VALUES (p_sweep, 'running', p_by)
    RETURNING run_id INTO v_run;
    UPDATE app.sweep_lease SET run_id = v_run;
    UPDATE app.sweeps SET period = p_period WHERE sweep = p_sweep AND period <> p_period;
    UPDATE app.engine SET watchdog_period = p_period
     WHERE p_sweep = 'task_watchdog' AND watchdog_period <> p_period;
    RETURN v_run;
END
$$;

-- Renew the lease, also when it ran out and nobody took it, and record what was done so far.
CREATE FUNCTION app.keep_sweep_v1(p_run bigint, p_lease interval, p_scanned integer, p_fixed integer, p_actions jsonb)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE app.sweep_lease SET until = now() + p_lease WHERE run_id = p_run;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE app.janitor_runs SET scanned = p_scanned, fixed = p_fixed, actions = p_actions
     WHERE run_id = p_run AND status = 'running';
    RETURN FOUND;
END
$$;

-- Record the end of a run and give the lease back.
CREATE FUNCTION app.end_sweep_v1(
    p_run bigint, p_status text, p_scanned integer, p_fixed integer, p_actions jsonb, p_error jsonb)
RETURNS SETOF app.janitor_runs LANGUAGE plpgsql AS $$
BEGIN
    UPDATE app.janitor_runs
       SET status = p_status, ended_at = now(), scanned = p_scanned, fixed = p_fixed, actions = p_actions,
           error = p_error
     WHERE run_id = p_run AND status = 'running';
    UPDATE app.sweep_lease SET run_id = NULL, holder = NULL, until = '-infinity' WHERE run_id = p_run;
    RETURN QUERY SELECT * FROM app.janitor_runs WHERE run_id = p_run;
END
$$;

-- How each sweep is doing.
CREATE VIEW app.sweep_states AS
SELECT s.sweep, s.period, s.since, done.completed_at, coalesce(skipped.skips, 0) AS skips,
       last.run_id, last.run_type, last.status, last.triggered_by, last.started_at, last.ended_at, last.scanned,
       last.fixed, last.actions, last.error,
       coalesce(last.status = 'running' AND (l.run_id IS DISTINCT FROM last.run_id OR l.until < now()), false)
           AS dead
  FROM app.sweeps s
 CROSS JOIN app.sweep_lease l
  LEFT JOIN LATERAL (
       SELECT r.* FROM app.janitor_runs r WHERE r.run_type = s.sweep
        ORDER BY r.started_at DESC, r.run_id DESC LIMIT 1) AS last ON true
  LEFT JOIN LATERAL (
       SELECT r.started_at AS completed_at FROM app.janitor_runs r
        WHERE r.run_type = s.sweep AND r.status = 'completed' ORDER BY r.started_at DESC LIMIT 1) AS done ON true
  LEFT JOIN LATERAL (
       SELECT count(*)::integer AS skips FROM app.janitor_runs r
        WHERE last.status = 'skipped' AND r.run_type = s.sweep AND r.status = 'skipped'
          AND r.started_at > coalesce(
              (SELECT max(o.started_at) FROM app.janitor_runs o
                WHERE o.run_type = s.sweep AND o.status <> 'skipped'), '-infinity')) AS skipped ON true;

-- The laws of the janitor itself stand beside those of the engine.
ALTER VIEW app.violations RENAME TO engine_violations;
CREATE VIEW app.violations AS
SELECT code, job_id, task_id, overdue, what FROM app.engine_violations
UNION ALL
SELECT 'sweep.overdue', NULL, NULL, now() - greatest(s.completed_at, s.since),
       s.sweep || ' has not run to its end for two of its periods; its last run: ' || coalesce(s.status, 'none')
  FROM app.sweep_states s
 WHERE greatest(s.completed_at, s.since) < now() - 2 * s.period - interval '1 minute';

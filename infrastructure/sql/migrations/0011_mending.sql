-- What the janitor's rules do for one job, task or artifact at a time. Nothing here waits for work
-- that others are at: what is locked is left for the next sweep. Lock order: tasks, slots, stage, job.

-- The stage at which a revision stands: the first that is not completed.
CREATE FUNCTION app.present_stage_v1(p_job_id text, p_revision integer) RETURNS app.stages
LANGUAGE sql STABLE AS $$
    SELECT g.* FROM app.stages g
     WHERE g.job_id = p_job_id AND g.revision = p_revision AND g.status <> 'completed'
     ORDER BY g.number LIMIT 1
$$;

-- Set a stage's ledger by its tasks. With its slots locked no end can be counted meanwhile, and each
-- end that is under way counts itself afterwards. True if it was wrong.
CREATE FUNCTION app.recount_stage_v1(p_stage app.stages) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    v_wrong boolean;
    v_open  integer;
    v_total integer;
BEGIN
    PERFORM 1 FROM app.stage_slots s
      WHERE s.job_id = p_stage.job_id AND s.revision = p_stage.revision AND s.stage = p_stage.number
      ORDER BY s.slot FOR UPDATE;
    PERFORM 1 FROM app.stages g
      WHERE g.job_id = p_stage.job_id AND g.revision = p_stage.revision AND g.number = p_stage.number FOR UPDATE;
    WITH counted AS (
        SELECT t.slot, count(*) FILTER (WHERE t.completed_at IS NULL) AS open,
               count(*) FILTER (WHERE t.status = 'completed') AS completed,
               count(*) FILTER (WHERE t.status = 'failed') AS failed,
               count(*) FILTER (WHERE t.status = 'cancelled') AS cancelled
          FROM app.tasks t
         WHERE t.job_id = p_stage.job_id AND t.revision = p_stage.revision AND t.stage = p_stage.number
           AND t.kind = 'work'
         GROUP BY t.slot
    ), mended AS (
        INSERT INTO app.stage_slots AS s (job_id, revision, stage, slot, open, completed, failed, cancelled)
        SELECT p_stage.job_id, p_stage.revision, p_stage.number, c.slot, c.open, c.completed, c.failed, c.cancelled
          FROM counted c
        ON CONFLICT (job_id, revision, stage, slot) DO UPDATE
           SET open = excluded.open, completed = excluded.completed, failed = excluded.failed,
               cancelled = excluded.cancelled
         WHERE (s.open, s.completed, s.failed, s.cancelled)
               IS DISTINCT FROM (excluded.open, excluded.completed, excluded.failed, excluded.cancelled)
        RETURNING 1
    ), emptied AS (
        DELETE FROM app.stage_slots s
         WHERE s.job_id = p_stage.job_id AND s.revision = p_stage.revision AND s.stage = p_stage.number
           AND s.slot NOT IN (SELECT c.slot FROM counted c)
        RETURNING 1
    )
    SELECT EXISTS (SELECT FROM mended) OR EXISTS (SELECT FROM emptied),
           (SELECT count(*) FROM counted c WHERE c.open > 0),
           (SELECT coalesce(sum(c.open + c.completed + c.failed + c.cancelled), 0) FROM counted c)
      INTO v_wrong, v_open, v_total;
    -- A total above the rows stays: tasks that were planned are missing, and mend_job_v1 says so.
    UPDATE app.stages g SET open_slots = v_open, total = greatest(g.total, v_total)
     WHERE g.job_id = p_stage.job_id AND g.revision = p_stage.revision AND g.number = p_stage.number
       AND (g.open_slots <> v_open OR g.total < v_total);
    RETURN v_wrong OR FOUND;
END
$$;

-- What a stage under way needs: its failure to be drawn, its end, or nothing.
CREATE FUNCTION app.mend_processing_v1(p_job app.jobs, p_stage app.stages, OUT action text, OUT follow_ups app.follow_up[])
LANGUAGE plpgsql AS $$
DECLARE
    v_fatal jsonb;
    v_rows  bigint;
BEGIN
    SELECT (array_agg(t.error || jsonb_build_object('task_id', t.task_id) ORDER BY t.task_id)
                FILTER (WHERE t.status = 'failed' AND p_stage.on_task_failure = 'stop'))[1], count(*)
      INTO v_fatal, v_rows
      FROM app.tasks t
     WHERE t.job_id = p_job.job_id AND t.revision = p_job.revision AND t.stage = p_stage.number
       AND t.kind = 'work';
    IF v_rows < p_stage.total THEN
        v_fatal := app.error_v1('job.tasks_missing',
            format('Stage %s has %s of the %s tasks that were planned.', p_stage.number, v_rows, p_stage.total));
    END IF;
    IF v_fatal IS NOT NULL AND p_job.stop_to IS NULL THEN
        action := 'stopped for its failed task';
        follow_ups := app.follow_stage_v1(
            p_job.job_id, p_job.revision, p_stage.number, p_stage.open_slots = 0, v_fatal);
    ELSIF p_stage.open_slots = 0 THEN
        action := CASE WHEN p_job.stop_to IS NULL THEN 'moved on' ELSE 'stopped to the end' END;
        follow_ups := app.finish_stage_v1(p_job, p_stage.number);
    END IF;
END
$$;

-- What a stage in planning needs, its plan task being locked or missing.
CREATE FUNCTION app.mend_planning_v1(
    p_job app.jobs, p_stage app.stages, p_plan app.tasks, OUT action text, OUT follow_ups app.follow_up[])
LANGUAGE plpgsql AS $$
BEGIN
    IF p_plan.status IN ('queued', 'processing') THEN
        RETURN;
    ELSIF p_plan.task_id IS NULL AND p_job.stop_to IS NULL THEN
        action := 'planned again';
        PERFORM app.insert_plan_v1(p_job, p_stage.number);
        follow_ups := ARRAY[ROW('ring', 'light', 1)::app.follow_up];
    ELSIF p_plan.status = 'completed' AND EXISTS (
            SELECT FROM app.tasks t
             WHERE t.job_id = p_job.job_id AND t.revision = p_job.revision AND t.stage = p_stage.number
               AND t.kind = 'work') THEN
        action := 'begun';
        UPDATE app.stages SET status = 'processing'
         WHERE job_id = p_job.job_id AND revision = p_job.revision AND number = p_stage.number;
        INSERT INTO app.events (job_id, revision, subject, stage, event)
        VALUES (p_job.job_id, p_job.revision, 'stage', p_stage.number, 'processing');
        follow_ups := ARRAY[ROW('ring', 'light', 1), ROW('ring', 'heavy', 1)]::app.follow_up[];
    ELSIF p_plan.status = 'completed' AND coalesce((p_plan.result ->> 'planned')::bigint, 0) = 0
          OR p_job.stop_to IS NOT NULL THEN
        action := CASE WHEN p_job.stop_to IS NULL THEN 'moved on' ELSE 'stopped to the end' END;
        follow_ups := app.finish_stage_v1(p_job, p_stage.number);
    ELSE
        action := 'stopped for its failed plan';
        follow_ups := app.follow_stage_v1(
            p_job.job_id, p_job.revision, p_stage.number, true,
            coalesce(p_plan.error, app.error_v1('job.tasks_missing',
                format('Nothing is left of the plan of stage %s.', p_stage.number)))
            || jsonb_build_object('task_id', p_plan.task_id));
    END IF;
END
$$;

-- What a job needs that stands at no stage under way: the next stage, or its end.
CREATE FUNCTION app.mend_between_v1(p_job app.jobs, p_stage app.stages, OUT action text, OUT follow_ups app.follow_up[])
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM app.stages WHERE job_id = p_job.job_id AND revision = p_job.revision) THEN
        action := 'failed';
        follow_ups := app.end_job_v1(p_job, 'failed', NULL, app.error_v1('job.tasks_missing',
            'Nothing is left of the stages of the job.'));
    ELSIF p_job.stop_to IS NOT NULL THEN
        action := 'stopped to the end';
        follow_ups := app.end_job_v1(p_job, p_job.stop_to, NULL, p_job.stop_error);
    ELSIF p_stage.status = 'pending' THEN
        action := 'moved on';
        follow_ups := app.begin_stage_v1(p_job, p_stage.number);
    ELSIF p_stage.status IS NULL THEN
        action := 'completed';
        follow_ups := app.complete_job_v1(p_job);
    ELSE
        action := 'ended as its stage';
        follow_ups := app.end_job_v1(p_job, p_stage.status, NULL, app.error_v1(
            CASE p_stage.status WHEN 'cancelled' THEN 'job.cancelled' ELSE 'stage.failed' END,
            format('Stage %s is %s.', p_stage.number, p_stage.status)));
    END IF;
END
$$;

-- Do for an active job what was left undone. Everything is decided under its locks, so that a job in
-- the middle of a transition is never mistaken for a broken one. No action: nothing to do, or
-- somebody is at it.
CREATE FUNCTION app.mend_job_v1(p_job_id text, p_revision integer, OUT action text, OUT follow_ups jsonb)
LANGUAGE plpgsql AS $$
DECLARE
    v_stage   app.stages := app.present_stage_v1(p_job_id, p_revision);
    v_plan_id text := app.task_id_v1(p_job_id, p_revision, v_stage.number, 'plan', 'plan');
    v_plan    app.tasks;
    v_job     app.jobs;
    v_counted boolean := false;
    v_follow_ups app.follow_up[];
BEGIN
    follow_ups := '[]';
    IF v_stage.status = 'planning' THEN
        SELECT * INTO v_plan FROM app.tasks WHERE task_id = v_plan_id FOR UPDATE SKIP LOCKED;
        IF NOT FOUND AND EXISTS (SELECT FROM app.tasks WHERE task_id = v_plan_id) THEN
            RETURN;
        END IF;
    END IF;
    IF v_stage.status IN ('planning', 'processing') THEN
        v_counted := app.recount_stage_v1(v_stage);
    END IF;
    SELECT * INTO v_job FROM app.jobs
     WHERE job_id = p_job_id AND revision = p_revision AND completed_at IS NULL FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND OR (app.present_stage_v1(p_job_id, p_revision)).number IS DISTINCT FROM v_stage.number
       OR v_plan.task_id IS NULL AND v_stage.status = 'planning'
          AND EXISTS (SELECT FROM app.tasks WHERE task_id = v_plan_id) THEN
        RETURN;
    END IF;
    v_stage := app.present_stage_v1(p_job_id, p_revision);
    IF v_stage.status = 'processing' OR v_stage.number IS NULL THEN
        -- Somebody claimed its tasks once, whatever its own row says.
        WITH begun AS (
            UPDATE app.jobs SET status = 'processing', started_at = coalesce(started_at, now())
             WHERE job_id = p_job_id AND status = 'queued'
            RETURNING job_id, revision
        )
        INSERT INTO app.events (job_id, revision, subject, event)
        SELECT job_id, revision, 'job', 'processing' FROM begun;
        SELECT * INTO v_job FROM app.jobs WHERE job_id = p_job_id;
    END IF;
    CASE coalesce(v_stage.status, 'none')
        WHEN 'planning' THEN
            SELECT m.action, m.follow_ups INTO action, v_follow_ups FROM app.mend_planning_v1(v_job, v_stage, v_plan) m;
        WHEN 'processing' THEN
            SELECT m.action, m.follow_ups INTO action, v_follow_ups FROM app.mend_processing_v1(v_job, v_stage) m;
        ELSE
            SELECT m.action, m.follow_ups INTO action, v_follow_ups FROM app.mend_between_v1(v_job, v_stage) m;
    END CASE;
    IF action IS NULL AND v_counted THEN
        action := 'counted again';
    END IF;
    IF action IS NOT NULL THEN
        INSERT INTO app.events (job_id, revision, subject, event, actor, reason)
        VALUES (p_job_id, p_revision, 'job', 'mended', 'janitor', action);
    END IF;
    SELECT coalesce(jsonb_agg(jsonb_build_array(f.action, f.subject, f.number)), '[]')
      INTO follow_ups FROM unnest(v_follow_ups) AS f;
END
$$;

-- Tasks that have not ended, by the two partial indexes that know them.
CREATE VIEW app.open_tasks AS
SELECT task_id, job_id, revision, kind, created_at FROM app.tasks WHERE status = 'queued'
UNION ALL
SELECT task_id, job_id, revision, kind, created_at FROM app.tasks WHERE status = 'processing';

-- Cancel open tasks whose job, or whose revision of it, ended long enough ago. A worker that holds
-- one loses its fence.
CREATE FUNCTION app.cancel_stray_v1(p_age interval, p_limit integer, OUT answers jsonb, OUT follow_ups jsonb)
LANGUAGE plpgsql AS $$
DECLARE
    v_ids    text[];
    v_fences bigint[];
    v_none   integer[];
BEGIN
    answers := '[]';
    follow_ups := '[]';
    SELECT array_agg(t.task_id), array_agg(t.fence), ARRAY[count(*)::integer]
      INTO v_ids, v_fences, v_none
      FROM (SELECT t.task_id, t.fence
              FROM app.tasks t
             WHERE t.task_id IN (
                       SELECT o.task_id
                         FROM app.open_tasks o JOIN app.jobs j ON j.job_id = o.job_id
                        WHERE (j.completed_at IS NOT NULL OR o.revision <> j.revision) AND o.kind <> 'cleanup'
                          AND j.updated_at < now() - p_age AND o.created_at < now() - p_age
                        ORDER BY o.task_id LIMIT p_limit)
               AND t.completed_at IS NULL
             ORDER BY t.task_id
               FOR UPDATE SKIP LOCKED) AS t;
    IF v_ids IS NOT NULL THEN
        SELECT e.answers, e.follow_ups INTO answers, follow_ups
          FROM app.end_tasks_v1(
               v_ids, v_fences, array_fill('cancelled'::text, v_none), array_fill(NULL::jsonb, v_none),
               array_fill(NULL::jsonb, v_none), array_fill(NULL::interval, v_none), 0) AS e;
    END IF;
END
$$;

-- Queue the clean-up of a revision once more. A task ends once, so each further one has a key of its own.
CREATE FUNCTION app.insert_cleanup_v1(p_job app.jobs, p_revision integer, p_number integer) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO app.tasks (task_id, job_id, revision, stage, kind, key, task_type, lane, rank, deadline,
                           row_version, max_attempts)
    SELECT app.task_id_v1(p_job.job_id, p_revision, 0, 'cleanup', k.key), p_job.job_id, p_revision,
           0, 'cleanup', k.key, 'clean_up', 'light', 9 - p_job.priority, now() + interval '24 hours',
           p_job.row_version, 5
      FROM (SELECT CASE p_number WHEN 1 THEN 'cleanup' ELSE 'cleanup.' || p_number END AS key) AS k
    ON CONFLICT (task_id) DO NOTHING
$$;

-- Revisions that need a clean-up and have none under way: `tried` counts those they had.
CREATE VIEW app.cleanups_due AS
WITH wanted AS (
    SELECT j.job_id, j.revision, j.completed_at AS since, false AS after_grace
      FROM app.jobs j
     WHERE j.cleanup IN ('pending', 'failed')
    UNION
    SELECT a.job_id, a.revision, max(greatest(a.updated_at, j.completed_at)), true
      FROM app.artifacts a JOIN app.jobs j ON j.job_id = a.job_id
     WHERE a.state = 'writing'
       AND (a.revision < j.revision OR j.completed_at IS NOT NULL AND j.cleanup IN ('none', 'done'))
     GROUP BY a.job_id, a.revision
)
SELECT w.job_id, w.revision, w.since, w.after_grace, t.tried, t.last_at
  FROM wanted w
 CROSS JOIN LATERAL (
       SELECT count(*)::integer AS tried, max(c.completed_at) AS last_at, bool_or(c.completed_at IS NULL) AS open
         FROM app.tasks c
        WHERE c.job_id = w.job_id AND c.revision = w.revision AND c.stage = 0 AND c.kind = 'cleanup') AS t
 WHERE t.open IS NOT TRUE;

-- Queue clean-ups that are due; each further one of a revision waits twice as long, a day at most.
CREATE FUNCTION app.retry_cleanups_v1(
    p_age interval, p_grace interval, p_limit integer, OUT job_ids text[], OUT follow_ups jsonb)
LANGUAGE plpgsql AS $$
DECLARE
    v_due record;
    v_job app.jobs;
BEGIN
    job_ids := '{}';
    FOR v_due IN
        SELECT * FROM app.cleanups_due d
         WHERE d.since < now() - CASE WHEN d.after_grace THEN p_grace ELSE p_age END
           AND coalesce(d.last_at < now() - least(p_age * power(2, least(d.tried, 20) - 1), interval '1 day'), true)
         ORDER BY d.since LIMIT p_limit
    LOOP
        SELECT * INTO v_job FROM app.jobs WHERE job_id = v_due.job_id FOR NO KEY UPDATE SKIP LOCKED;
        IF FOUND THEN
            PERFORM app.insert_cleanup_v1(v_job, v_due.revision, v_due.tried + 1);
            job_ids := job_ids || v_job.job_id;
        END IF;
    END LOOP;
    follow_ups := CASE cardinality(job_ids) WHEN 0 THEN '[]'
                  ELSE jsonb_build_array(jsonb_build_array('ring', 'light', cardinality(job_ids))) END;
END
$$;

-- Remove tasks and events of an ended revision, and at last its stages unless it is the present one.
CREATE FUNCTION app.prune_revision_v1(p_job_id text, p_revision integer, p_limit integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_job    app.jobs;
    v_tasks  integer;
    v_events integer;
BEGIN
    SELECT * INTO v_job FROM app.jobs WHERE job_id = p_job_id FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND OR v_job.revision < p_revision OR v_job.revision = p_revision AND v_job.completed_at IS NULL THEN
        RETURN 0;
    END IF;
    DELETE FROM app.tasks WHERE task_id IN (
        SELECT t.task_id FROM app.tasks t
         WHERE t.job_id = p_job_id AND t.revision = p_revision AND t.completed_at IS NOT NULL LIMIT p_limit);
    GET DIAGNOSTICS v_tasks = ROW_COUNT;
    DELETE FROM app.events WHERE event_id IN (
        SELECT e.event_id FROM app.events e
         WHERE e.job_id = p_job_id AND e.revision = p_revision LIMIT p_limit - v_tasks);
    GET DIAGNOSTICS v_events = ROW_COUNT;
    IF v_tasks + v_events = p_limit THEN
        RETURN p_limit;
    ELSIF v_job.revision = p_revision THEN
        UPDATE app.jobs SET pruned_revision = p_revision WHERE job_id = p_job_id;
    ELSE
        DELETE FROM app.stages WHERE job_id = p_job_id AND revision = p_revision;
    END IF;
    RETURN v_tasks + v_events;
END
$$;

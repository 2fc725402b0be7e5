-- Stages and jobs: how they move on, stop and end. All of it runs under the job's row lock.
-- A task may end in the transaction of a long load, so that now() would be when the load began.

CREATE FUNCTION app.insert_plan_v1(p_job app.jobs, p_stage integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO app.tasks (task_id, job_id, revision, stage, kind, key, task_type, lane, rank, deadline,
                           row_version, max_attempts)
    VALUES (app.task_id_v1(p_job.job_id, p_job.revision, p_stage, 'plan', 'plan'), p_job.job_id, p_job.revision,
            p_stage, 'plan', 'plan', 'plan', 'light', 9 - p_job.priority, now() + interval '24 hours',
            p_job.row_version, 5);
    INSERT INTO app.events (job_id, revision, subject, stage, event)
    VALUES (p_job.job_id, p_job.revision, 'stage', p_stage, 'planning')
$$;

-- Close a stage whose last task has ended, or whose plan has ended without tasks.
CREATE FUNCTION app.finish_stage_v1(p_job app.jobs, p_stage integer) RETURNS app.follow_up[]
LANGUAGE plpgsql AS $$
DECLARE
    v_completed bigint;
    v_failed    bigint;
    v_status    text;
BEGIN
    SELECT coalesce(sum(completed), 0), coalesce(sum(failed), 0) INTO v_completed, v_failed
      FROM app.stage_slots
     WHERE job_id = p_job.job_id AND revision = p_job.revision AND stage = p_stage;
    v_status := CASE WHEN p_job.stop_to IS NOT NULL THEN p_job.stop_to
                     WHEN v_completed = 0 AND v_failed > 0 THEN 'failed'
                     ELSE 'completed' END;
    UPDATE app.stages
       SET status = v_status, completed_at = clock_timestamp(), started_at = coalesce(started_at, now())
     WHERE job_id = p_job.job_id AND revision = p_job.revision AND number = p_stage
       AND status IN ('planning', 'processing');
    IF NOT FOUND THEN
        RAISE EXCEPTION 'stage % of job % is not running', p_stage, p_job.job_id USING ERRCODE = 'TR003';
    END IF;
    INSERT INTO app.events (job_id, revision, subject, stage, event)
    VALUES (p_job.job_id, p_job.revision, 'stage', p_stage, v_status);
    IF p_job.stop_to IS NOT NULL THEN
        RETURN app.end_job_v1(p_job, p_job.stop_to, NULL, p_job.stop_error);
    ELSIF v_status = 'failed' THEN
        RETURN app.end_job_v1(p_job, 'failed', NULL, app.error_v1('stage.failed',
            format('All %s tasks of stage %s failed.', v_failed, p_stage)));
    ELSIF p_stage < p_job.total_stages THEN
        RETURN app.begin_stage_v1(p_job, p_stage + 1);
    END IF;
    RETURN app.complete_job_v1(p_job);
END
$$;

CREATE FUNCTION app.begin_stage_v1(p_job app.jobs, p_stage integer) RETURNS app.follow_up[]
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE app.stages SET status = 'planning', started_at = clock_timestamp()
     WHERE job_id = p_job.job_id AND revision = p_job.revision AND number = p_stage AND status = 'pending';
    UPDATE app.jobs SET stage = p_stage, updated_at = now() WHERE job_id = p_job.job_id;
    PERFORM app.insert_plan_v1(p_job, p_stage);
    RETURN ARRAY[ROW('ring', 'light', 1)::app.follow_up];
END
$$;

-- The job's result is its last stage's if that is one task, else the ledger of its stages.
CREATE FUNCTION app.complete_job_v1(p_job app.jobs) RETURNS app.follow_up[] LANGUAGE plpgsql AS $$
DECLARE
    v_ledger jsonb;
    v_failed bigint;
    v_last   integer;
    v_result jsonb;
BEGIN
    SELECT jsonb_agg(jsonb_build_object('number', l.number, 'name', l.name, 'planned', l.total,
                                        'completed', l.completed, 'failed', l.failed, 'cancelled', l.cancelled)
                     ORDER BY l.number),
           sum(l.failed), (array_agg(l.total ORDER BY l.number DESC))[1]
      INTO v_ledger, v_failed, v_last
      FROM (SELECT g.number, g.name, g.total, coalesce(sum(s.completed), 0) AS completed,
                   coalesce(sum(s.failed), 0) AS failed, coalesce(sum(s.cancelled), 0) AS cancelled
              FROM app.stages g
              LEFT JOIN app.stage_slots s
                     ON s.job_id = g.job_id AND s.revision = g.revision AND s.stage = g.number
             WHERE g.job_id = p_job.job_id AND g.revision = p_job.revision
             GROUP BY g.number, g.name, g.total) AS l;
    IF v_last = 1 THEN
        SELECT result INTO v_result FROM app.tasks
         WHERE job_id = p_job.job_id AND revision = p_job.revision AND stage = p_job.total_stages
           AND kind = 'work';
    END IF;
    RETURN app.end_job_v1(p_job, CASE WHEN v_failed > 0 THEN 'completed_with_errors' ELSE 'completed' END,
                          coalesce(v_result, jsonb_build_object('stages', v_ledger)), NULL);
END
$$;

-- Make a job terminal: release what it only reserved, and let a clean-up task take the rest.
CREATE FUNCTION app.end_job_v1(p_job app.jobs, p_status text, p_result jsonb, p_error jsonb)
RETURNS app.follow_up[] LANGUAGE plpgsql AS $$
DECLARE
    v_dirty boolean;
BEGIN
    UPDATE app.stages SET status = 'cancelled', completed_at = clock_timestamp()
     WHERE job_id = p_job.job_id AND revision = p_job.revision AND completed_at IS NULL;
    UPDATE app.artifacts SET state = 'released', updated_at = now()
     WHERE job_id = p_job.job_id AND revision = p_job.revision AND state = 'reserved';
    v_dirty := p_job.has_intermediates OR EXISTS (
        SELECT 1 FROM app.artifacts
         WHERE job_id = p_job.job_id AND revision = p_job.revision AND state = 'writing');
    UPDATE app.jobs
       SET status = p_status, result = p_result, error = p_error, completed_at = clock_timestamp(),
           updated_at = clock_timestamp(),
           cleanup = CASE WHEN v_dirty THEN 'pending' ELSE 'none' END
     WHERE job_id = p_job.job_id AND revision = p_job.revision AND completed_at IS NULL
       AND (status = 'processing' OR p_status IN ('failed', 'cancelled'));
    IF NOT FOUND THEN
        RAISE EXCEPTION 'job % cannot become %', p_job.job_id, p_status USING ERRCODE = 'TR003';
    END IF;
    INSERT INTO app.events (job_id, revision, subject, event, actor, reason, error)
    VALUES (p_job.job_id, p_job.revision, 'job', p_status, p_job.stop_by, NULL, p_error);
    IF NOT v_dirty THEN
        RETURN '{}';
    END IF;
    INSERT INTO app.tasks (task_id, job_id, revision, stage, kind, key, task_type, lane, rank, deadline,
                           row_version, max_attempts)
    VALUES (app.task_id_v1(p_job.job_id, p_job.revision, 0, 'cleanup', 'cleanup'), p_job.job_id, p_job.revision,
            0, 'cleanup', 'cleanup', 'clean_up', 'light', 9 - p_job.priority, now() + interval '24 hours',
            p_job.row_version, 5);
    RETURN ARRAY[ROW('ring', 'light', 1)::app.follow_up];
END
$$;

-- What ends of tasks mean for their jobs. `p_closed` are the stages whose last slot was emptied.
CREATE FUNCTION app.follow_ends_v1(p_ends app.task_end[], p_closed app.stage_ref[]) RETURNS app.follow_up[]
LANGUAGE plpgsql AS $$
DECLARE
    v_ref        record;
    v_follow_ups app.follow_up[];
BEGIN
    v_follow_ups := ARRAY(
        SELECT ROW(CASE WHEN e.outcome IN ('release', 'rescue') THEN 'ring' ELSE 'later' END,
                   e.lane, count(*)::integer)::app.follow_up
          FROM unnest(p_ends) AS e
         WHERE e.answer = 'ended' AND e.outcome IN ('retry', 'snooze', 'release', 'rescue')
         GROUP BY e.outcome IN ('release', 'rescue'), e.lane);
    FOR v_ref IN
        SELECT e.job_id, e.revision, e.stage,
               bool_or(e.kind = 'plan' AND e.outcome IN ('completed', 'failed', 'cancelled'))
                   OR bool_or(c.job_id IS NOT NULL) AS finished,
               bool_or(e.outcome NOT IN ('completed', 'failed', 'cancelled')) AS put_back,
               (array_agg(e.error || jsonb_build_object('task_id', e.task_id) ORDER BY e.task_id)
                   FILTER (WHERE e.outcome = 'failed' AND (e.kind = 'plan' OR g.on_task_failure = 'stop')))[1]
                   AS fatal
          FROM unnest(p_ends) AS e
          JOIN app.stages g ON g.job_id = e.job_id AND g.revision = e.revision AND g.number = e.stage
          LEFT JOIN unnest(p_closed) AS c
                 ON c.job_id = e.job_id AND c.revision = e.revision AND c.stage = e.stage
         WHERE e.answer = 'ended' AND e.kind IN ('work', 'plan')
         GROUP BY e.job_id, e.revision, e.stage
        HAVING bool_or(e.kind = 'plan') OR bool_or(c.job_id IS NOT NULL) OR bool_or(e.outcome NOT IN ('completed', 'cancelled'))
         ORDER BY e.job_id
    LOOP
        IF v_ref.put_back THEN
            PERFORM app.hold_running_v1(v_ref.job_id, v_ref.finished OR v_ref.fatal IS NOT NULL);
        END IF;
        IF v_ref.finished OR v_ref.fatal IS NOT NULL THEN
            v_follow_ups := v_follow_ups
                || app.follow_stage_v1(v_ref.job_id, v_ref.revision, v_ref.stage, v_ref.finished, v_ref.fatal);
        END IF;
    END LOOP;
    RETURN v_follow_ups;
END
$$;

-- Keep a job from stopping until the end of the transaction, which puts tasks of it back into the
-- queue; if it stops already, the whole transaction begins again and sees it.
CREATE FUNCTION app.hold_running_v1(p_job_id text, p_to_write boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_stop_to text;
BEGIN
    IF p_to_write THEN
        SELECT stop_to INTO v_stop_to FROM app.jobs WHERE job_id = p_job_id FOR NO KEY UPDATE;
    ELSE
        SELECT stop_to INTO v_stop_to FROM app.jobs WHERE job_id = p_job_id FOR SHARE;
    END IF;
    IF v_stop_to IS NOT NULL THEN
        RAISE EXCEPTION 'job % is stopping', p_job_id USING ERRCODE = 'serialization_failure';
    END IF;
END
$$;

CREATE FUNCTION app.follow_stage_v1(
    p_job_id text, p_revision integer, p_stage integer, p_finished boolean, p_fatal jsonb)
RETURNS app.follow_up[] LANGUAGE plpgsql AS $$
DECLARE
    v_job app.jobs;
BEGIN
    SELECT * INTO v_job FROM app.jobs
     WHERE job_id = p_job_id AND revision = p_revision AND completed_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN '{}';
    END IF;
    IF p_fatal IS NOT NULL AND v_job.stop_to IS NULL THEN
        v_job := app.mark_stopping_v1(v_job, 'failed', p_fatal, NULL);
    END IF;
    IF p_finished THEN
        RETURN app.finish_stage_v1(v_job, p_stage);
    ELSIF p_fatal IS NOT NULL THEN
        RETURN ARRAY[ROW('cancel', p_job_id, p_revision)::app.follow_up];
    END IF;
    RETURN '{}';
END
$$;

CREATE FUNCTION app.mark_stopping_v1(p_job app.jobs, p_to text, p_error jsonb, p_by text) RETURNS app.jobs
LANGUAGE plpgsql AS $$
DECLARE
    v_job app.jobs;
BEGIN
    UPDATE app.jobs
       SET stop_to = p_to, stop_error = p_error, stop_by = p_by, stop_at = now(), updated_at = now()
     WHERE job_id = p_job.job_id
    RETURNING * INTO v_job;
    INSERT INTO app.events (job_id, revision, subject, event, actor, reason, error)
    VALUES (p_job.job_id, p_job.revision, 'job', 'stopping', p_by, p_error ->> 'message', p_error);
    RETURN v_job;
END
$$;

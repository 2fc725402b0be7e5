-- Plans become visible whole; jobs stop from outside.

-- End a plan task in the transaction that copied its `p_total` task rows; they are dealt over
-- `p_slots` slots by their position.
-- Errors: TR001 the fence is lost, TR002 the job is stopping; both undo the copy.
CREATE FUNCTION app.end_plan_v1(p_task_id text, p_fence bigint, p_total integer, p_slots integer)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    v_plan app.tasks;
    v_job  app.jobs;
    v_follow_ups app.follow_up[];
BEGIN
    SELECT * INTO v_plan FROM app.tasks
     WHERE task_id = p_task_id AND fence = p_fence AND status = 'processing' FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'plan % is no longer held with fence %', p_task_id, p_fence USING ERRCODE = 'TR001';
    END IF;
    INSERT INTO app.stage_slots (job_id, revision, stage, slot, open)
    SELECT v_plan.job_id, v_plan.revision, v_plan.stage, n,
           p_total / p_slots + CASE WHEN n < p_total % p_slots THEN 1 ELSE 0 END
      FROM generate_series(0, least(p_slots, p_total) - 1) AS n;
    UPDATE app.stages
       SET status = CASE WHEN p_total > 0 THEN 'processing' ELSE status END, total = p_total,
           slots = least(p_slots, p_total), open_slots = least(p_slots, p_total)
     WHERE job_id = v_plan.job_id AND revision = v_plan.revision AND number = v_plan.stage;
    SELECT * INTO v_job FROM app.jobs WHERE job_id = v_plan.job_id FOR NO KEY UPDATE;
    IF v_job.stop_to IS NOT NULL THEN
        RAISE EXCEPTION 'job % is stopping', v_job.job_id USING ERRCODE = 'TR002';
    END IF;
    PERFORM app.write_ends_v1(ARRAY[ROW(
        v_plan.task_id, v_plan.job_id, v_plan.revision, v_plan.stage, NULL, 'plan', v_plan.lane, p_fence,
        'ended', 'completed', jsonb_build_object('planned', p_total), NULL, NULL,
        v_plan.worker, v_plan.claimed_at)::app.task_end]);
    IF p_total = 0 THEN
        v_follow_ups := app.finish_stage_v1(v_job, v_plan.stage);
    ELSE
        INSERT INTO app.events (job_id, revision, subject, stage, event)
        VALUES (v_plan.job_id, v_plan.revision, 'stage', v_plan.stage, 'processing');
        v_follow_ups := ARRAY(
            SELECT ROW('ring', t.lane, count(*)::integer)::app.follow_up
              FROM (SELECT lane FROM app.tasks
                     WHERE job_id = v_plan.job_id AND revision = v_plan.revision AND stage = v_plan.stage
                       AND kind = 'work' LIMIT 1000) AS t
             GROUP BY t.lane);
    END IF;
    RETURN (SELECT coalesce(jsonb_agg(jsonb_build_array(f.action, f.subject, f.number)), '[]')
              FROM unnest(v_follow_ups) AS f);
END
$$;

-- Stop a job. Answers `ended`, `already`, `stopping` (its queued tasks are still to be cancelled)
-- or `stopped` (nothing ran, so it is terminal now); NULL if there is no such job.
CREATE FUNCTION app.stop_job_v1(p_job_id text, p_to text, p_error jsonb, p_by text, OUT answer text, OUT follow_ups jsonb)
LANGUAGE plpgsql AS $$
DECLARE
    v_plan app.tasks;
    v_job  app.jobs;
    v_follow_ups app.follow_up[] := '{}';
BEGIN
    -- A plan that nobody has claimed yet is locked before the job, as everywhere.
    SELECT t.* INTO v_plan
      FROM app.jobs j
      JOIN app.tasks t ON t.task_id = app.task_id_v1(j.job_id, j.revision, j.stage, 'plan', 'plan')
     WHERE j.job_id = p_job_id AND t.completed_at IS NULL
       FOR UPDATE OF t;
    SELECT * INTO v_job FROM app.jobs WHERE job_id = p_job_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    ELSIF v_job.completed_at IS NOT NULL THEN
        answer := 'ended';
    ELSIF v_job.stop_to IS NOT NULL THEN
        answer := 'already';
    ELSIF v_plan.task_id IS DISTINCT FROM app.open_plan_v1(v_job) THEN
        RAISE EXCEPTION 'job % moved on', p_job_id USING ERRCODE = 'serialization_failure';
    ELSE
        v_job := app.mark_stopping_v1(v_job, p_to, p_error, p_by);
        answer := 'stopping';
        IF v_plan.status = 'queued' THEN
            PERFORM app.write_ends_v1(ARRAY[ROW(
                v_plan.task_id, v_plan.job_id, v_plan.revision, v_plan.stage, NULL, 'plan', v_plan.lane,
                v_plan.fence, 'ended', 'cancelled', NULL, NULL, NULL, NULL, NULL)::app.task_end]);
            v_follow_ups := app.finish_stage_v1(v_job, v_plan.stage);
            answer := 'stopped';
        ELSIF v_plan.task_id IS NULL AND app.has_closed_stage_v1(v_job) THEN
            v_follow_ups := app.finish_stage_v1(v_job, v_job.stage);
            answer := 'stopped';
        ELSE
            v_follow_ups := ARRAY[ROW('cancel', p_job_id, v_job.revision)::app.follow_up];
        END IF;
    END IF;
    SELECT coalesce(jsonb_agg(jsonb_build_array(f.action, f.subject, f.number)), '[]')
      INTO follow_ups FROM unnest(v_follow_ups) AS f;
END
$$;

-- Whether the job's stage has nothing left that could end and so end it; call under the job's lock.
CREATE FUNCTION app.has_closed_stage_v1(p_job app.jobs) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT 1 FROM app.stages
                    WHERE job_id = p_job.job_id AND revision = p_job.revision AND number = p_job.stage
                      AND status IN ('planning', 'processing') AND open_slots = 0)
$$;

CREATE FUNCTION app.open_plan_v1(p_job app.jobs) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT task_id FROM app.tasks
     WHERE task_id = app.task_id_v1(p_job.job_id, p_job.revision, p_job.stage, 'plan', 'plan')
       AND completed_at IS NULL
$$;

-- Cancel queued tasks of a stopping job behind `p_after`, in order of key; the last key looked at,
-- or NULL when the end was reached.
CREATE FUNCTION app.cancel_queued_v1(
    p_job_id text, p_revision integer, p_after text, p_limit integer, OUT last_key text, OUT follow_ups jsonb)
LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    v_ids    text[];
    v_fences bigint[];
    v_seen   integer;
BEGIN
    SELECT array_agg(p.task_id) FILTER (WHERE p.status = 'queued'),
           array_agg(p.fence) FILTER (WHERE p.status = 'queued'), max(p.key), count(*)
      INTO v_ids, v_fences, last_key, v_seen
      FROM (SELECT t.task_id, t.fence, t.key, t.status
              FROM app.tasks t
              JOIN app.jobs j ON j.job_id = t.job_id AND j.revision = t.revision AND j.stage = t.stage
             WHERE t.job_id = p_job_id AND t.revision = p_revision AND t.kind = 'work' AND t.key > p_after
               AND j.stop_to IS NOT NULL AND j.completed_at IS NULL
             ORDER BY t.key
             LIMIT p_limit) AS p;
    IF v_seen < p_limit THEN
        last_key := NULL;
    END IF;
    follow_ups := '[]';
    IF v_ids IS NOT NULL THEN
        follow_ups := (app.end_tasks_v1(
            v_ids, v_fences, array_fill('cancelled'::text, ARRAY[cardinality(v_ids)]),
            array_fill(NULL::jsonb, ARRAY[cardinality(v_ids)]), array_fill(NULL::jsonb, ARRAY[cardinality(v_ids)]),
            array_fill(NULL::interval, ARRAY[cardinality(v_ids)]), 0)).follow_ups;
    END IF;
END
$$;

-- End the claims whose leases have run out, at most p_limit; rescue_after holds it back.
CREATE FUNCTION app.rescue_v1(p_limit integer, p_max_rescues integer, OUT answers jsonb, OUT follow_ups jsonb)
LANGUAGE plpgsql AS $$
DECLARE
    v_ids    text[];
    v_fences bigint[];
    v_none   integer[];
BEGIN
    answers := '[]';
    follow_ups := '[]';
    IF (SELECT rescue_after > now() FROM app.engine) THEN
        RETURN;
    END IF;
    SELECT array_agg(t.task_id), array_agg(t.fence), ARRAY[count(*)::integer]
      INTO v_ids, v_fences, v_none
      FROM (SELECT task_id, fence FROM app.tasks
             WHERE status = 'processing' AND lease_until < now()
             ORDER BY lease_until LIMIT p_limit FOR UPDATE SKIP LOCKED) AS t;
    IF v_ids IS NOT NULL THEN
        SELECT e.answers, e.follow_ups INTO answers, follow_ups
          FROM app.end_tasks_v1(
               v_ids, v_fences, array_fill('rescue'::text, v_none), array_fill(NULL::jsonb, v_none),
               array_fill(NULL::jsonb, v_none), array_fill(NULL::interval, v_none), p_max_rescues) AS e;
    END IF;
END
$$;

-- Fail queued tasks whose deadline has passed, at most p_limit.
CREATE FUNCTION app.expire_v1(p_limit integer, OUT answers jsonb, OUT follow_ups jsonb) LANGUAGE plpgsql AS $$
DECLARE
    v_ids    text[];
    v_fences bigint[];
    v_errors jsonb[];
    v_none   integer[];
BEGIN
    answers := '[]';
    follow_ups := '[]';
    SELECT array_agg(t.task_id), array_agg(t.fence), array_agg(t.error), ARRAY[count(*)::integer]
      INTO v_ids, v_fences, v_errors, v_none
      FROM (SELECT task_id, fence, error FROM app.tasks
             WHERE status = 'queued' AND deadline < now() ORDER BY task_id LIMIT p_limit
               FOR UPDATE SKIP LOCKED) AS t;
    IF v_ids IS NOT NULL THEN
        -- A snooze past the deadline is what decide_end_v1 turns into the failure, which tells of the last error.
        SELECT e.answers, e.follow_ups INTO answers, follow_ups
          FROM app.end_tasks_v1(
               v_ids, v_fences, array_fill('snooze'::text, v_none), array_fill(NULL::jsonb, v_none),
               v_errors, array_fill(NULL::interval, v_none), 0) AS e;
    END IF;
END
$$;

-- Every end of a task, and what follows from it for slots, stages and jobs.
-- Lock order everywhere: tasks, slots, stage, job, each by key.

-- One end as it goes through app.end_tasks_v1. `fence` is the claim's, `outcome` what the caller
-- asks for at first and what the store decided in the end.
CREATE TYPE app.task_end AS (
    task_id     text,
    job_id      text,
    revision    integer,
    stage       integer,
    slot        smallint,
    kind        text,
    lane        text,
    fence       bigint,
    answer      text,
    outcome     text,
    result      jsonb,
    error       jsonb,
    delay       interval,
    worker      text,
    claimed_at  timestamptz
);

-- What the caller has to do after the commit: ring `number` bells in lane `subject`, or cancel the
-- queued tasks of job `subject`.
CREATE TYPE app.follow_up AS (action text, subject text, number integer);

CREATE TYPE app.stage_ref AS (job_id text, revision integer, stage integer);

-- An error that the store itself finds; readers add the remedy from the catalogue of codes.
CREATE FUNCTION app.error_v1(p_code text, p_message text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object('code', p_code, 'message', p_message)
$$;

-- What becomes of a claim whose holder asks for `p_outcome`, by the task's own limits.
CREATE FUNCTION app.decide_end_v1(
    p_outcome text, p_stopping boolean, p_late boolean, p_no_attempt_left boolean, p_no_rescue_left boolean,
    p_no_release_left boolean)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN p_outcome IN ('completed', 'failed', 'cancelled') THEN p_outcome
        WHEN p_stopping THEN 'cancelled'
        WHEN p_late THEN 'deadline'
        WHEN p_outcome = 'retry' AND p_no_attempt_left THEN 'failed'
        WHEN p_outcome = 'rescue' AND p_no_rescue_left THEN 'worker_lost'
        WHEN p_outcome = 'release' AND p_no_release_left AND p_no_attempt_left THEN 'worker_lost'
        ELSE p_outcome
    END
$$;

-- Lock the tasks in order of key and answer each end: `ended`, `already` or `lost`. An end that is
-- named twice is one. FOR UPDATE returns a row as it is once it is locked, whatever the snapshot shows; whether
-- a job stops is read by the snapshot and made sure of in app.follow_ends_v1, whose turn in the order of
-- locks it is; a stop is never taken back.
CREATE FUNCTION app.classify_ends_v1(
    p_ids text[], p_fences bigint[], p_outcomes text[], p_results jsonb[], p_errors jsonb[],
    p_delays interval[], p_max_rescues integer)
RETURNS app.task_end[] LANGUAGE plpgsql AS $$
DECLARE
    v_ends app.task_end[];
BEGIN
    WITH held AS (
        SELECT t.task_id, t.job_id, t.revision, t.stage, t.slot, t.kind, t.lane, t.fence, t.ended_fence,
               t.ended_outcome, t.worker, t.claimed_at, t.completed_at, t.deadline <= now() AS late,
               t.attempt >= t.max_attempts AS no_attempt_left, t.rescues >= p_max_rescues AS no_rescue_left,
               t.releases >= 20 AS no_release_left
          FROM app.tasks t WHERE t.task_id = ANY (p_ids) ORDER BY t.task_id FOR UPDATE
    )
    SELECT array_agg(ROW(
               t.task_id, t.job_id, t.revision, t.stage, t.slot, t.kind, t.lane, e.fence,
               CASE WHEN t.fence = e.fence AND t.completed_at IS NULL THEN 'ended'
                    WHEN t.ended_fence = e.fence THEN 'already'
                    ELSE 'lost' END,
               CASE WHEN t.ended_fence = e.fence THEN t.ended_outcome
                    WHEN t.fence <> e.fence OR t.completed_at IS NOT NULL THEN e.outcome
                    ELSE app.decide_end_v1(e.outcome, j.stop_to IS NOT NULL AND t.kind <> 'cleanup', t.late,
                                           t.no_attempt_left, t.no_rescue_left, t.no_release_left) END,
               e.result, e.error, e.delay, t.worker, t.claimed_at)::app.task_end
               ORDER BY t.task_id)
      INTO v_ends
      FROM (SELECT DISTINCT ON (n.task_id, n.fence) n.*
              FROM unnest(p_ids, p_fences, p_outcomes, p_results, p_errors, p_delays) WITH ORDINALITY
                   AS n (task_id, fence, outcome, result, error, delay, place)
             ORDER BY n.task_id, n.fence, n.place) AS e
      JOIN held t ON t.task_id = e.task_id
      JOIN app.jobs j ON j.job_id = t.job_id;
    RETURN app.name_limits_v1(coalesce(v_ends, '{}'));
END
$$;

-- Turn the limits that decide_end_v1 found into failures that say so.
CREATE FUNCTION app.name_limits_v1(p_ends app.task_end[]) RETURNS app.task_end[] LANGUAGE plpgsql AS $$
DECLARE
    v_end app.task_end;
    v_ends app.task_end[] := '{}';
BEGIN
    FOREACH v_end IN ARRAY p_ends LOOP
        IF v_end.answer = 'ended' AND v_end.outcome = 'deadline' THEN
            v_end.error := app.error_v1('task.deadline',
                coalesce('The task ran past its deadline; last: ' || (v_end.error ->> 'message'),
                         'The task ran past its deadline.'));
            v_end.outcome := 'failed';
        ELSIF v_end.answer = 'ended' AND v_end.outcome = 'worker_lost' THEN
            v_end.error := app.error_v1('task.worker_lost',
                'The last of its workers, ' || coalesce(v_end.worker, 'unknown') || ', died or was stopped too.');
            v_end.outcome := 'failed';
        END IF;
        v_ends := v_ends || v_end;
    END LOOP;
    RETURN v_ends;
END
$$;

-- Write the task rows. Every way out of a claim adds one to the fence. Functions of a batch are in PL/pgSQL, which
-- keeps their plans; those in SQL are planned at every call.
CREATE FUNCTION app.write_ends_v1(p_ends app.task_end[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE app.tasks t
       SET status = CASE WHEN e.outcome IN ('completed', 'failed', 'cancelled') THEN e.outcome ELSE 'queued' END,
           fence = t.fence + 1, ended_fence = e.fence, ended_outcome = e.outcome,
           worker = NULL, lease_until = NULL, claim_id = NULL,
           result = e.result,
           error = CASE WHEN e.outcome = 'completed' THEN NULL ELSE coalesce(e.error, t.error) END,
           progress = CASE WHEN e.outcome = 'completed' THEN 1 ELSE t.progress END,
           message = CASE WHEN e.outcome = 'snooze' THEN coalesce(e.error ->> 'message', t.message) ELSE t.message END,
           completed_at = CASE WHEN e.outcome IN ('completed', 'failed', 'cancelled') THEN clock_timestamp() END,
           attempt = t.attempt - CASE
               WHEN t.status = 'processing' AND (e.outcome IN ('snooze', 'rescue')
                    OR e.outcome = 'release' AND t.releases < 20) THEN 1 ELSE 0 END,
           rescues = t.rescues + CASE WHEN e.outcome = 'rescue' THEN 1 ELSE 0 END,
           releases = t.releases + CASE WHEN e.outcome = 'release' THEN 1 ELSE 0 END,
           run_after = now() + coalesce(e.delay, interval '0'),
           turn = CASE WHEN e.outcome IN ('retry', 'snooze') THEN now() + coalesce(e.delay, interval '0')
                       ELSE t.turn END
      FROM unnest(p_ends) AS e
     WHERE t.task_id = e.task_id AND e.answer = 'ended';

    INSERT INTO app.events (job_id, revision, subject, stage, task_id, event, worker, started_at, error)
    SELECT e.job_id, e.revision, 'task', e.stage, e.task_id, e.outcome, e.worker, e.claimed_at,
           CASE WHEN e.outcome <> 'completed' THEN e.error END
      FROM unnest(p_ends) AS e
     WHERE e.answer = 'ended' AND (e.worker IS NOT NULL OR e.outcome = 'failed');
END
$$;

-- The end of a clean-up task is the end of its job's clean-up.
CREATE FUNCTION app.note_cleanups_v1(p_ends app.task_end[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE app.jobs j
       SET cleanup = CASE e.outcome WHEN 'completed' THEN 'done' ELSE 'failed' END, updated_at = now()
      FROM unnest(p_ends) AS e
     WHERE e.kind = 'cleanup' AND e.answer = 'ended' AND e.outcome IN ('completed', 'failed', 'cancelled')
       AND j.job_id = e.job_id AND j.revision = e.revision;
END
$$;

-- Count the ends in their slots; return the stages that have no open slot left.
CREATE FUNCTION app.count_ends_v1(p_ends app.task_end[]) RETURNS SETOF app.stage_ref
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM 1
       FROM app.stage_slots s
      WHERE (s.job_id, s.revision, s.stage, s.slot) IN (
                SELECT e.job_id, e.revision, e.stage, e.slot FROM unnest(p_ends) AS e
                 WHERE e.answer = 'ended' AND e.kind = 'work'
                   AND e.outcome IN ('completed', 'failed', 'cancelled'))
      ORDER BY s.job_id, s.revision, s.stage, s.slot FOR UPDATE;
    RETURN QUERY
        WITH counts AS (
            SELECT e.job_id, e.revision, e.stage, e.slot, count(*) AS ended,
                   count(*) FILTER (WHERE e.outcome = 'completed') AS completed,
                   count(*) FILTER (WHERE e.outcome = 'failed') AS failed,
                   count(*) FILTER (WHERE e.outcome = 'cancelled') AS cancelled
              FROM unnest(p_ends) AS e
             WHERE e.answer = 'ended' AND e.kind = 'work' AND e.outcome IN ('completed', 'failed', 'cancelled')
             GROUP BY 1, 2, 3, 4
        ), counted AS (
            UPDATE app.stage_slots s
               SET open = s.open - c.ended, completed = s.completed + c.completed,
                   failed = s.failed + c.failed, cancelled = s.cancelled + c.cancelled
              FROM counts c
             WHERE (s.job_id, s.revision, s.stage, s.slot) = (c.job_id, c.revision, c.stage, c.slot)
            RETURNING s.job_id, s.revision, s.stage, s.open
        ), emptied AS (
            SELECT job_id, revision, stage, count(*)::integer AS slots FROM counted WHERE open = 0
             GROUP BY 1, 2, 3
        ), held AS (
            SELECT g.job_id, g.revision, g.number, m.slots
              FROM app.stages g
              JOIN emptied m ON (g.job_id, g.revision, g.number) = (m.job_id, m.revision, m.stage)
             ORDER BY 1, 2, 3 FOR NO KEY UPDATE OF g
        ), closed AS (
            UPDATE app.stages g
               SET open_slots = g.open_slots - h.slots
              FROM held h
             WHERE (g.job_id, g.revision, g.number) = (h.job_id, h.revision, h.number)
            RETURNING g.job_id, g.revision, g.number, g.open_slots
        )
        SELECT c.job_id, c.revision, c.number FROM closed c WHERE c.open_slots = 0;
END
$$;

-- End claims: the one way in which a task leaves a worker, or the queue.
CREATE FUNCTION app.end_tasks_v1(
    p_ids text[], p_fences bigint[], p_outcomes text[], p_results jsonb[], p_errors jsonb[],
    p_delays interval[], p_max_rescues integer,
    OUT answers jsonb, OUT follow_ups jsonb) LANGUAGE plpgsql AS $$
DECLARE
    v_ends app.task_end[];
    v_follow_ups app.follow_up[];
BEGIN
    v_ends := app.classify_ends_v1(p_ids, p_fences, p_outcomes, p_results, p_errors, p_delays, p_max_rescues);
    PERFORM app.write_ends_v1(v_ends);
    v_follow_ups := app.follow_ends_v1(v_ends, ARRAY(SELECT c::app.stage_ref FROM app.count_ends_v1(v_ends) AS c));
    PERFORM app.note_cleanups_v1(v_ends);
    SELECT coalesce(jsonb_agg(jsonb_build_array(e.task_id, e.answer, e.outcome)), '[]')
      INTO answers FROM unnest(v_ends) AS e;
    SELECT coalesce(jsonb_agg(jsonb_build_array(f.action, f.subject, f.number)), '[]')
      INTO follow_ups FROM unnest(v_follow_ups) AS f;
END
$$;

-- Claims, heartbeats, fences and the lanes' scheduled bells.

-- The one formula of a task's id; core.identity.task_id computes the same.
CREATE FUNCTION app.task_id_v1(p_job_id text, p_revision integer, p_stage integer, p_kind text, p_key text)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT left(encode(sha256(convert_to(
        concat_ws('|', p_job_id, p_revision, p_stage, p_kind, p_key), 'UTF8')), 'hex'), 32)
$$;

CREATE FUNCTION app.is_paused_v1() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT paused_at IS NOT NULL AND coalesce(paused_until > now(), true) FROM app.engine
$$;

-- A claim as its holder sees it: the task, and what of its job matters.
CREATE TYPE app.claim AS (
    task_id       text,
    job_id        text,
    revision      integer,
    stage         integer,
    kind          text,
    key           text,
    task_type     text,
    lane          text,
    rank          smallint,
    turn          timestamptz,
    fence         bigint,
    attempt       integer,
    max_attempts  integer,
    row_version   smallint,
    last_code     text,
    parameters    jsonb,
    job_type      text,
    stopping      boolean,
    claimed_for   interval,
    time_left     interval
);

CREATE FUNCTION app.claims_v1(p_ids text[]) RETURNS SETOF app.claim LANGUAGE sql STABLE AS $$
    SELECT t.task_id, t.job_id, t.revision, t.stage, t.kind, t.key, t.task_type, t.lane, t.rank, t.turn, t.fence,
           t.attempt, t.max_attempts, t.row_version, t.error ->> 'code', t.parameters, j.job_type,
           j.stop_to IS NOT NULL AND j.completed_at IS NULL, now() - t.started_at, t.deadline - now()
      FROM app.tasks t
      JOIN app.jobs j ON j.job_id = t.job_id
     WHERE t.task_id = ANY (p_ids)
     ORDER BY t.rank, t.turn, t.task_id
$$;

-- Take up to p_limit runnable tasks, beginning at (p_rank, p_turn) in the lane's order.
-- A generic plan for LIMIT $n scans: hence plan_cache_mode.
-- The jobs are read in here, by a statement of its own: the snapshot of the caller's statement may be older
-- than what the scan finds, and a claim that a join leaves out is held by nobody until its lease is over.
CREATE FUNCTION app.claim_v1(
    p_lane text, p_limit integer, p_worker text, p_claim_id text, p_lease interval,
    p_rank smallint, p_turn timestamptz)
RETURNS SETOF app.claim LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    v_ids    text[];
    v_places tid[];
    v_jobs   text[];
BEGIN
    IF app.is_paused_v1() THEN
        RETURN;
    END IF;
    WITH picked AS (
        SELECT task_id, job_id, kind, ctid
          FROM app.tasks
         WHERE lane = p_lane AND status = 'queued' AND (rank, turn) >= (p_rank, p_turn) AND run_after <= now()
         ORDER BY rank, turn, task_id
         LIMIT p_limit
           FOR UPDATE SKIP LOCKED)
    SELECT array_agg(task_id), array_agg(ctid), array_agg(DISTINCT job_id) FILTER (WHERE kind <> 'cleanup')
      INTO v_ids, v_places, v_jobs FROM picked;
    IF v_ids IS NULL THEN
        RETURN;
    END IF;
    -- A locked row stays where it is, so that it need not be searched for again.
    UPDATE app.tasks
       SET status = 'processing', fence = fence + 1, attempt = attempt + 1,
           worker = p_worker, claim_id = p_claim_id, claimed_at = now(),
           lease_until = now() + p_lease, heartbeat_at = now(), progress = NULL, message = NULL,
           started_at = coalesce(started_at, now())
     WHERE ctid = ANY (v_places);
    PERFORM app.note_claim_v1(p_lane, v_jobs);
    RETURN QUERY SELECT * FROM app.claims_v1(v_ids);
END
$$;

-- What a claim changes beside its tasks: jobs begin, the lane shows that it is alive.
CREATE FUNCTION app.note_claim_v1(p_lane text, p_jobs text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH queued AS (
        SELECT j.job_id
          FROM app.jobs j
         WHERE j.job_id = ANY (p_jobs) AND j.status = 'queued'
         ORDER BY j.job_id
           FOR NO KEY UPDATE
    ), begun AS (
        UPDATE app.jobs j
           SET status = 'processing', started_at = coalesce(j.started_at, now()), updated_at = now()
          FROM queued
         WHERE j.job_id = queued.job_id AND j.status = 'queued'
        RETURNING j.job_id, j.revision
    )
    INSERT INTO app.events (job_id, revision, subject, event)
    SELECT job_id, revision, 'job', 'processing' FROM begun;

    UPDATE app.lanes
       SET last_claim_at = now()
     WHERE lane = (SELECT lane FROM app.lanes
                    WHERE lane = p_lane AND coalesce(last_claim_at < now() - interval '1 second', true)
                      FOR NO KEY UPDATE SKIP LOCKED);
END
$$;

-- The tasks of a claim whose answer was lost.
CREATE FUNCTION app.claimed_v1(p_claim_id text) RETURNS SETOF app.claim LANGUAGE sql STABLE AS $$
    SELECT * FROM app.claims_v1(ARRAY(
        SELECT task_id FROM app.tasks WHERE status = 'processing' AND claim_id = p_claim_id))
$$;

-- Renew the leases that these fences hold. A locked row is being written by its own holder and
-- cannot be rescued meanwhile, so it is skipped and not waited for.
CREATE FUNCTION app.beat_v1(
    p_ids text[], p_fences bigint[], p_progress real[], p_messages text[], p_lease interval)
RETURNS TABLE (task_id text, answer text, stopping boolean) LANGUAGE sql AS $$
    WITH beats AS (
        SELECT * FROM unnest(p_ids, p_fences, p_progress, p_messages) AS b (task_id, fence, progress, message)
    ), held AS (
        SELECT t.task_id
          FROM app.tasks t JOIN beats b ON b.task_id = t.task_id AND b.fence = t.fence
         WHERE t.status = 'processing'
           FOR NO KEY UPDATE OF t SKIP LOCKED
    ), kept AS (
        UPDATE app.tasks t
           SET lease_until = now() + p_lease, heartbeat_at = now(),
               progress = coalesce(b.progress, t.progress), message = coalesce(b.message, t.message)
          FROM beats b JOIN held h ON h.task_id = b.task_id
         WHERE t.task_id = b.task_id
        RETURNING t.task_id
    )
    SELECT b.task_id,
           CASE WHEN k.task_id IS NOT NULL THEN 'kept'
                WHEN t.fence IS DISTINCT FROM b.fence THEN 'lost'
                ELSE 'skipped' END,
           -- A job that was stopped has ended when it is cleaned up: that goes on.
           coalesce(j.stop_to IS NOT NULL AND j.completed_at IS NULL, false)
      FROM beats b
      LEFT JOIN kept k ON k.task_id = b.task_id
      LEFT JOIN app.tasks t ON t.task_id = b.task_id
      LEFT JOIN app.jobs j ON j.job_id = t.job_id AND j.revision = t.revision
$$;

-- After an outage nobody rescues at once: every worker was silent, none is dead.
CREATE FUNCTION app.defer_rescue_v1(p_by interval) RETURNS void LANGUAGE sql AS $$
    UPDATE app.engine SET rescue_after = greatest(rescue_after, now() + p_by)
$$;

-- Hold a claim's fence until the end of the transaction, or end the transaction.
CREATE FUNCTION app.hold_fence_v1(p_task_id text, p_fence bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM app.tasks WHERE task_id = p_task_id AND fence = p_fence AND status = 'processing' FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'task % is no longer held with fence %', p_task_id, p_fence USING ERRCODE = 'TR001';
    END IF;
END
$$;

-- When the lane next has something to do that no bell rings for now: NULL if never.
CREATE FUNCTION app.lane_due_v1(p_lane text) RETURNS timestamptz LANGUAGE sql STABLE
SET plan_cache_mode = force_custom_plan AS $$
    SELECT greatest(CASE WHEN e.paused_at IS NOT NULL AND coalesce(e.paused_until > now(), true)
                         THEN e.paused_until
                         ELSE least(q.due, l.due) END,
                    now() + interval '1 second')
      FROM app.engine e,
           (SELECT min(first.run_after) AS due
              FROM generate_series(0, 9) AS r (rank)
             CROSS JOIN LATERAL (SELECT t.run_after FROM app.tasks t
                                  WHERE t.lane = p_lane AND t.status = 'queued' AND t.rank = r.rank
                                  ORDER BY t.turn LIMIT 1) AS first) AS q,
           (SELECT min(t.lease_until) AS due FROM app.tasks t
             WHERE t.status = 'processing' AND t.lane = p_lane) AS l
     WHERE CASE WHEN e.paused_at IS NOT NULL AND coalesce(e.paused_until > now(), true)
                THEN e.paused_until ELSE least(q.due, l.due) END IS NOT NULL
$$;

-- Take the right to send the lane's one scheduled bell; the delay to send it with, or NULL.
CREATE FUNCTION app.schedule_bell_v1(p_lane text) RETURNS interval LANGUAGE plpgsql AS $$
DECLARE
    v_due timestamptz := app.lane_due_v1(p_lane);
BEGIN
    UPDATE app.lanes
       SET bell_at = v_due
     WHERE lane = p_lane AND v_due IS NOT NULL
       AND (bell_at IS NULL OR bell_at > v_due OR bell_at < now() + interval '1 second');
    RETURN CASE WHEN FOUND THEN v_due - now() END;
END
$$;

-- The scheduled bell could not be sent: whoever comes next may.
CREATE FUNCTION app.unschedule_bell_v1(p_lane text) RETURNS void LANGUAGE sql AS $$
    UPDATE app.lanes SET bell_at = NULL WHERE lane = p_lane
$$;

-- How many tasks of the lane are runnable now, counted no further than p_limit.
CREATE FUNCTION app.runnable_v1(p_lane text, p_limit integer) RETURNS integer LANGUAGE sql STABLE
SET plan_cache_mode = force_custom_plan AS $$
    SELECT count(*)::integer
      FROM (SELECT 1 FROM app.tasks
             WHERE lane = p_lane AND status = 'queued' AND run_after <= now() AND NOT app.is_paused_v1()
             LIMIT p_limit) AS counted
$$;

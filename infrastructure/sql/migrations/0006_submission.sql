-- Submission: one transaction that finds, joins or makes a revision of a job.

-- Answers:
--   created    a new job, or a new revision of it, is queued
--   joined     the job is active
--   found      the job is completed and stands for ever
--   stopping   the job is stopping
--   cleaning   the clean-up of its last revision is pending
--   owned      `owner` owns or claims `location`, which this job would write
CREATE FUNCTION app.submit_v1(
    p_job app.jobs, p_stages jsonb, p_reservations jsonb, p_replace boolean, p_rerun boolean,
    p_seen_revision integer,
    OUT answer text, OUT status text, OUT revision integer, OUT owner text, OUT location text)
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
    v_job app.jobs;
    v_new app.jobs := p_job;
BEGIN
    INSERT INTO app.jobs AS j (job_id, job_type, status, priority, identity, row_version, parameters, total_stages,
                          has_intermediates, sources, requested_by, traceparent)
    VALUES (v_new.job_id, v_new.job_type, 'queued', v_new.priority, v_new.identity, v_new.row_version,
            v_new.parameters, jsonb_array_length(p_stages), v_new.has_intermediates, v_new.sources,
            v_new.requested_by, v_new.traceparent)
    ON CONFLICT ON CONSTRAINT jobs_pkey DO NOTHING
    RETURNING j.* INTO v_job;
    IF v_job.job_id IS NULL THEN
        SELECT * INTO v_job FROM app.jobs AS j WHERE j.job_id = v_new.job_id FOR NO KEY UPDATE;
        answer := app.answer_existing_v1(v_job, p_rerun, p_seen_revision);
        status := v_job.status;
        revision := v_job.revision;
        IF answer <> 'created' THEN
            RETURN;
        END IF;
        v_new.revision := v_job.revision + 1;
        v_job := app.renew_job_v1(v_new, jsonb_array_length(p_stages));
    END IF;
    SELECT r.owner, r.location INTO owner, location FROM app.reserve_v1(v_job, p_reservations, p_replace) AS r;
    IF owner IS NOT NULL THEN
        answer := 'owned';
        RAISE EXCEPTION 'owned' USING ERRCODE = 'TR004', DETAIL = jsonb_build_array(owner, location)::text;
    END IF;
    PERFORM app.insert_stages_v1(v_job, p_stages);
    answer := 'created';
    status := v_job.status;
    revision := v_job.revision;
END
$$;

CREATE FUNCTION app.answer_existing_v1(p_job app.jobs, p_rerun boolean, p_seen_revision integer) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN p_job.completed_at IS NULL AND p_job.stop_to IS NOT NULL THEN 'stopping'
        WHEN p_job.completed_at IS NULL THEN 'joined'
        WHEN p_job.status = 'completed' AND p_job.identity = 'for_ever' AND p_job.unpublished_at IS NULL
             AND p_job.superseded_by IS NULL
             AND NOT (p_rerun AND p_job.revision = coalesce(p_seen_revision, p_job.revision)) THEN 'found'
        WHEN p_job.cleanup = 'pending' THEN 'cleaning'
        ELSE 'created'
    END
$$;

CREATE FUNCTION app.renew_job_v1(p_new app.jobs, p_total_stages integer) RETURNS app.jobs LANGUAGE sql AS $$
    UPDATE app.jobs
       SET status = 'queued', revision = p_new.revision, priority = p_new.priority,
           row_version = p_new.row_version, parameters = p_new.parameters, stage = 1,
           total_stages = p_total_stages, stop_to = NULL, stop_error = NULL, stop_by = NULL, stop_at = NULL,
           cleanup = 'none', has_intermediates = p_new.has_intermediates, sources = p_new.sources,
           result = NULL, error = NULL, requested_by = p_new.requested_by, traceparent = p_new.traceparent,
           superseded_by = NULL, unpublished_at = NULL, started_at = NULL, completed_at = NULL,
           updated_at = now()
     WHERE job_id = p_new.job_id
    RETURNING *
$$;

CREATE FUNCTION app.insert_stages_v1(p_job app.jobs, p_stages jsonb) RETURNS void LANGUAGE sql AS $$
    INSERT INTO app.stages (job_id, revision, number, name, task_type, parallelism, on_task_failure, status,
                            started_at)
    SELECT p_job.job_id, p_job.revision, s.number, s.declared ->> 'name', s.declared ->> 'task_type',
           s.declared ->> 'parallelism', s.declared ->> 'on_task_failure',
           CASE s.number WHEN 1 THEN 'planning' ELSE 'pending' END, CASE s.number WHEN 1 THEN now() END
      FROM jsonb_array_elements(p_stages) WITH ORDINALITY AS s (declared, number);
    INSERT INTO app.events (job_id, revision, subject, event, actor)
    VALUES (p_job.job_id, p_job.revision, 'job', 'queued', p_job.requested_by);
    SELECT app.insert_plan_v1(p_job, 1);
$$;

-- Reserve what the job will publish; the first location that is another job's, if any. A location
-- that this job owns from an earlier revision is its own.
CREATE FUNCTION app.reserve_v1(p_job app.jobs, p_reservations jsonb, p_replace boolean, OUT owner text, OUT location text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_row record;
BEGIN
    FOR v_row IN
        SELECT r.kind, r.location FROM jsonb_to_recordset(p_reservations) AS r (kind text, location text)
         ORDER BY r.kind, r.location
    LOOP
        SELECT a.job_id, a.location INTO owner, location
          FROM app.artifacts a
         WHERE a.kind = v_row.kind AND a.location = v_row.location AND a.job_id <> p_job.job_id
           AND (a.state IN ('reserved', 'writing') OR a.state = 'live' AND NOT p_replace)
         LIMIT 1;
        IF owner IS NOT NULL THEN
            RETURN;
        END IF;
        INSERT INTO app.artifacts AS a (kind, location, job_id, revision, role, state)
        VALUES (v_row.kind, v_row.location, p_job.job_id, p_job.revision, 'published', 'reserved')
        ON CONFLICT (kind, location) WHERE state IN ('reserved', 'writing') DO NOTHING;
        IF NOT FOUND THEN
            SELECT a.job_id, a.location INTO owner, location
              FROM app.artifacts a
             WHERE a.kind = v_row.kind AND a.location = v_row.location AND a.state IN ('reserved', 'writing');
            IF owner IS DISTINCT FROM p_job.job_id THEN
                owner := coalesce(owner, 'unknown');
                location := v_row.location;
                RETURN;
            END IF;
            -- A write of an earlier revision whose clean-up failed: this revision takes it over.
            owner := NULL;
            location := NULL;
            UPDATE app.artifacts AS a SET revision = p_job.revision, updated_at = now()
             WHERE a.kind = v_row.kind AND a.location = v_row.location AND a.state IN ('reserved', 'writing');
        END IF;
    END LOOP;
END
$$;

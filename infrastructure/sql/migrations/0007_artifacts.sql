-- Artifacts: intent before effect, one claimant and one owner of a location.

-- Declare that a claim is about to write a location. Call under the held fence.
-- `etag` is what the claimant may already have written there; `live_etag` is what stands there now.
CREATE FUNCTION app.begin_artifact_v1(
    p_kind text, p_location text, p_task_id text, p_role text, p_target text,
    OUT owner text, OUT etag text, OUT live_etag text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_task app.tasks;
    v_mine app.artifacts;
BEGIN
    SELECT * INTO v_task FROM app.tasks t WHERE t.task_id = p_task_id;
    SELECT o.owner INTO owner FROM app.live_owner_v1(p_kind, p_location, v_task.job_id, v_task.revision) AS o (owner);
    IF owner IS NOT NULL THEN
        RETURN;
    END IF;
    INSERT INTO app.artifacts AS a (kind, location, job_id, revision, task_id, role, state, target)
    VALUES (p_kind, p_location, v_task.job_id, v_task.revision, p_task_id, p_role, 'writing', p_target)
    ON CONFLICT (kind, location) WHERE state IN ('reserved', 'writing') DO UPDATE
       SET state = 'writing', task_id = p_task_id, role = p_role, target = p_target, updated_at = now()
     WHERE a.job_id = v_task.job_id AND a.revision = v_task.revision
    RETURNING a.* INTO v_mine;
    IF v_mine.artifact_id IS NULL THEN
        SELECT a.job_id INTO owner FROM app.artifacts a
         WHERE a.kind = p_kind AND a.location = p_location AND a.state IN ('reserved', 'writing');
        owner := coalesce(owner, 'unknown');
        RETURN;
    END IF;
    etag := v_mine.etag;
    SELECT a.etag INTO live_etag FROM app.artifacts a
     WHERE a.kind = p_kind AND a.location = p_location AND a.state = 'live';
END
$$;

-- The job that stands in the way of a claim's write because its artifact is live there. A place that
-- the submission reserved was judged there: it may belong to a job that is to be replaced.
CREATE FUNCTION app.live_owner_v1(p_kind text, p_location text, p_job_id text, p_revision integer) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT a.job_id FROM app.artifacts a
     WHERE a.kind = p_kind AND a.location = p_location AND a.state = 'live' AND a.job_id <> p_job_id
       AND NOT EXISTS (SELECT 1 FROM app.artifacts m
                        WHERE m.kind = p_kind AND m.location = p_location AND m.job_id = p_job_id
                          AND m.revision = p_revision AND m.state IN ('reserved', 'writing'))
$$;

-- Record what was written. Call under the held fence.
CREATE FUNCTION app.record_artifact_v1(
    p_kind text, p_location text, p_job_id text, p_etag text, p_nbytes bigint, p_checksum text)
RETURNS void LANGUAGE sql AS $$
    UPDATE app.artifacts SET etag = p_etag, nbytes = p_nbytes, checksum = p_checksum, updated_at = now()
     WHERE kind = p_kind AND location = p_location AND job_id = p_job_id AND state = 'writing'
$$;

-- Make everything that the revision wrote for publication its own; former owners are superseded.
-- Items and tables are written in the same transaction, so their reservations are all there is of them.
CREATE FUNCTION app.publish_artifacts_v1(p_job_id text, p_revision integer) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    WITH former AS (
        UPDATE app.artifacts AS a SET state = 'deleted', updated_at = now()
          FROM app.artifacts AS mine
         WHERE mine.job_id = p_job_id AND mine.revision = p_revision AND mine.role = 'published'
           AND (mine.state = 'writing' OR mine.state = 'reserved' AND mine.kind IN ('item', 'table'))
           AND a.kind = mine.kind AND a.location = mine.location AND a.state = 'live'
        RETURNING a.job_id
    )
    UPDATE app.jobs SET superseded_by = p_job_id, updated_at = now()
     WHERE job_id IN (SELECT former.job_id FROM former WHERE former.job_id <> p_job_id);
    UPDATE app.artifacts SET state = 'live', updated_at = now()
     WHERE job_id = p_job_id AND revision = p_revision AND role = 'published'
       AND (state = 'writing' OR state = 'reserved' AND kind IN ('item', 'table'));
END
$$;

-- Keep a job from stopping until the end of the transaction; if it stops already, TR002 undoes what
-- the transaction shows. To be called last, for the job's lock comes after those of its tasks.
CREATE FUNCTION app.hold_unstopped_v1(p_job_id text, p_revision integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM app.jobs
      WHERE job_id = p_job_id AND revision = p_revision AND stop_to IS NULL FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'job % is stopping', p_job_id USING ERRCODE = 'TR002';
    END IF;
END
$$;

-- Taking published data back.

-- Tables wait here for a restoration; nobody is served from it.
CREATE SCHEMA IF NOT EXISTS vector_trash;
GRANT USAGE, CREATE ON SCHEMA vector_trash TO terrane_app;

-- The audit outlives its jobs: nothing refers to their rows.
CREATE TABLE app.unpublished_jobs (
    id                   uuid        PRIMARY KEY,
    original_job_id      text,
    original_job_type    text,
    original_parameters  jsonb,
    original_revision    integer,
    unpublish_job_id     text        NOT NULL,
    unpublish_revision   integer     NOT NULL,
    stac_item_id         text,
    collection_id        text,
    artifacts_deleted    jsonb       NOT NULL,
    collection_deleted   boolean     NOT NULL,
    item                 jsonb,
    collection           jsonb,
    unpublished_at       timestamptz NOT NULL DEFAULT now(),
    purge_after          timestamptz,
    restored_at          timestamptz,
    restored_by          text,
    purged_at            timestamptz,
    CONSTRAINT unpublished_restored_by_somebody CHECK ((restored_at IS NULL) = (restored_by IS NULL)),
    CONSTRAINT unpublished_restored_or_purged CHECK (restored_at IS NULL OR purged_at IS NULL)
);
CREATE INDEX unpublished_jobs_newest ON app.unpublished_jobs (unpublished_at DESC, id DESC);
CREATE INDEX unpublished_jobs_overdue ON app.unpublished_jobs (purge_after)
    WHERE restored_at IS NULL AND purged_at IS NULL;

-- Keep everybody else from writing what a run is to remove; the first that another job writes now.
-- What is reserved and not withdrawn is let go by the end of the job.
CREATE FUNCTION app.reserve_removals_v1(
    p_task_id text, p_removals jsonb, OUT location text, OUT owner text, OUT numbers bigint[])
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_task app.tasks;
BEGIN
    SELECT * INTO v_task FROM app.tasks t WHERE t.task_id = p_task_id;
    INSERT INTO app.artifacts AS a (kind, location, job_id, revision, task_id, role, state, nbytes, etag, checksum)
    SELECT r.kind, r.location, v_task.job_id, v_task.revision, p_task_id, 'intermediate', 'reserved',
           r.nbytes, r.etag, r.checksum
      FROM jsonb_to_recordset(p_removals) AS r (kind text, location text, nbytes bigint, etag text, checksum text)
     ORDER BY r.kind, r.location
    ON CONFLICT (kind, location) WHERE state IN ('reserved', 'writing') DO UPDATE
       SET role = 'intermediate', task_id = p_task_id, nbytes = excluded.nbytes, etag = excluded.etag,
           checksum = excluded.checksum, updated_at = now()
     WHERE a.job_id = v_task.job_id AND a.revision = v_task.revision AND a.state = 'reserved';
    SELECT a.location, a.job_id INTO location, owner
      FROM jsonb_to_recordset(p_removals) AS r (kind text, location text)
      JOIN app.artifacts a ON a.kind = r.kind AND a.location = r.location AND a.state IN ('reserved', 'writing')
     WHERE a.job_id <> v_task.job_id OR a.revision <> v_task.revision
     ORDER BY a.kind, a.location
     LIMIT 1;
    numbers := ARRAY(
        SELECT a.artifact_id
          FROM jsonb_array_elements(p_removals) WITH ORDINALITY AS r (removal, position)
          JOIN app.artifacts a ON a.kind = r.removal ->> 'kind' AND a.location = r.removal ->> 'location'
                              AND a.state IN ('reserved', 'writing')
         ORDER BY r.position);
END
$$;

-- What a run reserved goes: its former owners have it no longer, and the clean-up after the run
-- deletes the blobs.
CREATE FUNCTION app.withdraw_removals_v1(p_job_id text, p_revision integer) RETURNS void LANGUAGE sql AS $$
    UPDATE app.artifacts a SET state = 'deleted', updated_at = now()
      FROM app.artifacts mine
     WHERE mine.job_id = p_job_id AND mine.revision = p_revision AND mine.state = 'reserved'
       AND a.kind = mine.kind AND a.location = mine.location AND a.state = 'live';
    UPDATE app.artifacts SET state = CASE kind WHEN 'blob' THEN 'writing' ELSE 'released' END, updated_at = now()
     WHERE job_id = p_job_id AND revision = p_revision AND state = 'reserved';
$$;

-- Record one removal, and mark the job that had published what is gone.
CREATE FUNCTION app.record_unpublished_v1(
    p_job_id text, p_revision integer, p_withdrawal jsonb, p_grace interval)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_original app.jobs;
BEGIN
    UPDATE app.jobs SET unpublished_at = now(), updated_at = now()
     WHERE job_id = p_withdrawal ->> 'original_job_id' AND completed_at IS NOT NULL
    RETURNING * INTO v_original;
    INSERT INTO app.unpublished_jobs (
           id, original_job_id, original_job_type, original_parameters, original_revision, unpublish_job_id,
           unpublish_revision, stac_item_id, collection_id, artifacts_deleted, collection_deleted, item,
           collection, purge_after)
    VALUES ((p_withdrawal ->> 'audit_id')::uuid, p_withdrawal ->> 'original_job_id', v_original.job_type,
            v_original.parameters, v_original.revision, p_job_id, p_revision, p_withdrawal ->> 'item_id',
            p_withdrawal ->> 'collection_id', p_withdrawal -> 'artifacts_deleted',
            (p_withdrawal ->> 'collection_deleted')::boolean, nullif(p_withdrawal -> 'item', 'null'),
            nullif(p_withdrawal -> 'collection', 'null'), now() + p_grace);
END
$$;

-- Give what a record removed back to the job that had published it; false if it cannot be.
-- Blobs that the restoring run has copied back are its own, live since a moment ago.
CREATE FUNCTION app.restore_unpublished_v1(p_id uuid, p_job_id text, p_revision integer)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    v_record app.unpublished_jobs;
    v_owner  app.jobs;
BEGIN
    UPDATE app.unpublished_jobs SET restored_at = now(), restored_by = p_job_id
     WHERE id = p_id AND restored_at IS NULL AND purged_at IS NULL
    RETURNING * INTO v_record;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    -- The mark goes only if the job has not run since; a new run has made its own.
    UPDATE app.jobs SET unpublished_at = NULL, updated_at = now()
     WHERE job_id = v_record.original_job_id AND revision = v_record.original_revision
       AND unpublished_at IS NOT NULL;
    SELECT * INTO v_owner FROM app.jobs WHERE job_id = v_record.original_job_id;
    IF FOUND THEN
        UPDATE app.artifacts a
           SET job_id = v_owner.job_id, revision = v_owner.revision, updated_at = now()
         WHERE a.job_id = p_job_id AND a.revision = p_revision AND a.state = 'live' AND a.role = 'published';
        -- Of items and tables there is no more than a record of whose they are; views have no rows.
        INSERT INTO app.artifacts (kind, location, job_id, revision, role, state)
        SELECT place.kind, place.location, v_owner.job_id, v_owner.revision, 'published', 'live'
          FROM (SELECT 'item' AS kind, v_record.collection_id || '/' || v_record.stac_item_id AS location
                 UNION ALL
                SELECT 'table', t ->> 'table'
                  FROM jsonb_array_elements(v_record.artifacts_deleted -> 'tables') AS t
                 WHERE jsonb_typeof(t -> 'rows') = 'number') AS place
         WHERE place.location IS NOT NULL;
    END IF;
    -- The copies that waited are to be deleted by the clean-up after the run.
    UPDATE app.artifacts a
       SET state = 'writing', role = 'intermediate', job_id = p_job_id, revision = p_revision, updated_at = now()
     WHERE a.state = 'live' AND a.kind = 'blob' AND a.job_id = v_record.unpublish_job_id
       AND a.location IN (
           SELECT b ->> 'moved_to' FROM jsonb_array_elements(v_record.artifacts_deleted -> 'blobs') AS b);
    RETURN true;
END
$$;

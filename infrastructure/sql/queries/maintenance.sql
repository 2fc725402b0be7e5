-- stamp
-- A name for this run that sorts by time.
SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD"T"HH24MISSUS"Z"') AS stamp;

-- exists
-- Is there such a table?
SELECT to_regclass(%(table)s) IS NOT NULL AS found;

-- lock_jobs
-- Let nobody submit, claim or end anything until the transaction is over.
LOCK TABLE app.jobs, app.tasks, app.artifacts IN ACCESS EXCLUSIVE MODE;

-- active_jobs
-- Jobs that run, wait, or are being cleaned up after.
SELECT count(*) AS jobs FROM app.jobs j WHERE j.completed_at IS NULL OR j.cleanup = 'pending';

-- drop_app
-- The engine's schema, and what its loads have half done.
DROP SCHEMA IF EXISTS app, vector_staging CASCADE;

-- drop_geo
-- The published tables.
DROP SCHEMA IF EXISTS geo CASCADE;

-- drop_pgstac
-- The catalogue, with everything in it.
DROP SCHEMA IF EXISTS pgstac CASCADE;

-- archive_jobs
-- Jobs whose outputs are still there.
SELECT to_jsonb(j)::text AS row
  FROM app.jobs j
 WHERE EXISTS (SELECT FROM app.artifacts a WHERE a.job_id = j.job_id AND a.state = 'live')
 ORDER BY j.job_id;

-- archive_stages
-- How these jobs came to their end.
SELECT to_jsonb(g)::text AS row
  FROM app.jobs j
  JOIN app.stages g ON g.job_id = j.job_id AND g.revision = j.revision
 WHERE EXISTS (SELECT FROM app.artifacts a WHERE a.job_id = j.job_id AND a.state = 'live')
 ORDER BY g.job_id, g.number;

-- archive_stage_slots
-- Their ledgers.
SELECT to_jsonb(s)::text AS row
  FROM app.jobs j
  JOIN app.stage_slots s ON s.job_id = j.job_id AND s.revision = j.revision
 WHERE EXISTS (SELECT FROM app.artifacts a WHERE a.job_id = j.job_id AND a.state = 'live')
 ORDER BY s.job_id, s.stage, s.slot;

-- archive_artifacts
-- What is published.
SELECT to_jsonb(a)::text AS row FROM app.artifacts a WHERE a.state = 'live' ORDER BY a.artifact_id;

-- archive_unpublished_jobs
-- What was taken back, and by whom.
SELECT to_jsonb(u)::text AS row FROM app.unpublished_jobs u;

-- published_tables
-- Tables of the schema geo; those that the owner may not read are estimated.
SELECT c.relname AS name, has_table_privilege(c.oid, 'SELECT') AS readable,
       greatest(c.reltuples, 0)::bigint AS estimated_rows
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'geo' AND c.relkind = 'r'
 ORDER BY c.relname;

-- columns
-- A table's columns that can be written, and whether the server numbers them.
SELECT a.attname AS name, a.attidentity <> '' AS is_numbered
  FROM pg_attribute a
 WHERE a.attrelid = %(table)s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
 ORDER BY a.attnum;

-- settle_jobs
-- What was being done about these jobs is not done any more: a clean-up has no task, and a job that
-- was started anew has lost that run.
WITH cut AS (
    UPDATE app.jobs
       SET status = 'cancelled', completed_at = now(), updated_at = now(), cleanup = 'none',
           error = app.error_v1('job.cancelled', 'The database was rebuilt while the job ran.')
     WHERE completed_at IS NULL
    RETURNING job_id, revision
), closed AS (
    UPDATE app.stages g
       SET status = 'cancelled', completed_at = now(), open_slots = 0
      FROM cut
     WHERE g.job_id = cut.job_id AND g.revision = cut.revision AND g.completed_at IS NULL
)
UPDATE app.jobs SET cleanup = 'none' WHERE completed_at IS NOT NULL AND cleanup = 'pending';

-- lose_artifacts
-- What went with its schema is published no longer, and its job can be submitted again.
WITH lost AS (
    UPDATE app.artifacts SET state = 'deleted', updated_at = now()
     WHERE state = 'live' AND kind = ANY (%(kinds)s)
    RETURNING job_id
), unpublished AS (
    UPDATE app.jobs SET unpublished_at = coalesce(unpublished_at, now()), updated_at = now()
     WHERE job_id IN (SELECT lost.job_id FROM lost)
    RETURNING job_id
)
SELECT (SELECT count(*) FROM lost) AS artifacts, (SELECT count(*) FROM unpublished) AS jobs;

-- end_sessions
-- Sessions of the app remember types and functions that are gone; its pools open new ones.
SELECT count(*) FILTER (WHERE pg_terminate_backend(a.pid)) AS sessions
  FROM pg_stat_activity a
 WHERE a.datname = current_database() AND a.usename = %(role)s AND a.pid <> pg_backend_pid();

-- submit
-- Find, join or make a revision of a job.
SELECT answer, status, revision, owner, location
  FROM app.submit_v1(
       jsonb_populate_record(NULL::app.jobs, %(job)s), %(stages)s, %(reservations)s, %(replace)s, %(rerun)s,
       %(seen_revision)s);

-- get_job
-- A job, with what its running task said last.
SELECT j.*, t.message, t.progress AS task_progress
  FROM app.jobs j
  LEFT JOIN LATERAL (
       SELECT t.message, t.progress FROM app.tasks t
        WHERE t.status = 'processing' AND t.job_id = j.job_id AND t.revision = j.revision
        ORDER BY t.heartbeat_at DESC LIMIT 1) AS t ON j.status = 'processing'
 WHERE j.job_id = %(job_id)s;

-- get_stages
-- The stages of a revision with their ledgers.
SELECT * FROM app.stage_counts
 WHERE job_id = %(job_id)s AND revision = %(revision)s
 ORDER BY number;

-- statuses
-- The statuses of some jobs.
SELECT job_id, status FROM app.jobs WHERE job_id = ANY (%(job_ids)s);

-- with_prefix
-- The jobs whose ids begin with at least eight digits.
SELECT job_id, completed_at FROM app.jobs
 WHERE left(job_id, 8) = left(%(prefix)s, 8) AND starts_with(job_id, %(prefix)s);

-- list_jobs
-- Jobs, newest first.
SELECT * FROM app.jobs
 WHERE (%(status)s::text IS NULL OR status = %(status)s)
   AND (%(job_type)s::text IS NULL OR job_type = %(job_type)s)
   AND (%(code)s::text IS NULL OR error ->> 'code' = %(code)s)
   AND (%(submitted_after)s::timestamptz IS NULL OR created_at >= %(submitted_after)s)
   AND (%(submitted_before)s::timestamptz IS NULL OR created_at < %(submitted_before)s)
   AND (%(before_created)s::timestamptz IS NULL
        OR (created_at, job_id) < (%(before_created)s, %(before_id)s))
 ORDER BY created_at DESC, job_id DESC
 LIMIT %(limit)s;

-- events
-- A job's history in order.
SELECT * FROM app.events
 WHERE job_id = %(job_id)s AND event_id > %(after)s
 ORDER BY event_id
 LIMIT %(limit)s;

-- stop
-- Ask a job to end early.
SELECT answer, follow_ups FROM app.stop_job_v1(%(job_id)s, %(to)s, %(error)s, %(by)s);

-- cancel_queued
-- Cancel a batch of a stopping job's queued tasks.
SELECT last_key, follow_ups FROM app.cancel_queued_v1(%(job_id)s, %(revision)s, %(after_key)s, %(limit)s);

-- violations
-- Rows older than their law allows.
SELECT code, job_id, task_id, extract(epoch FROM overdue)::double precision AS overdue_seconds, what
  FROM app.violations
 ORDER BY overdue DESC NULLS LAST
 LIMIT %(limit)s;

-- count_active
-- Jobs that have not ended, counted no further than a limit on the index of the active ones.
SELECT count(*) AS jobs FROM (SELECT 1 FROM app.jobs WHERE completed_at IS NULL LIMIT %(limit)s) AS counted;

-- count_violations
-- How many there are.
SELECT count(*) AS violations FROM app.violations;

-- ping
-- The server's version, to see whether anybody answers.
SELECT current_setting('server_version') AS version;

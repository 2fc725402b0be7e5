-- suspect_counters
-- Active jobs with a stage under way, and whether its ledger agrees with its tasks. One statement sees
-- one instant, at which every end is counted or has not happened.
SELECT g.job_id, g.revision,
       g.total = counted.total AND g.open_slots = counted.open_slots AND NOT counted.differs AS sound
  FROM (SELECT j.job_id, j.revision, g.number, g.total, g.open_slots
          FROM app.jobs j
          JOIN app.stages g ON g.job_id = j.job_id AND g.revision = j.revision AND g.status = 'processing'
         WHERE j.completed_at IS NULL AND j.updated_at < now() - %(age)s
           AND j.job_id > %(after)s AND (%(upto)s = '' OR j.job_id <= %(upto)s)
         ORDER BY j.job_id
         LIMIT %(limit)s) AS g
 CROSS JOIN LATERAL (
       SELECT coalesce(sum(t.ended + t.open), 0) AS total, count(*) FILTER (WHERE t.open > 0) AS open_slots,
              coalesce(bool_or((t.open, t.completed, t.failed, t.cancelled)
                               IS DISTINCT FROM (s.open, s.completed, s.failed, s.cancelled)), false) AS differs
         FROM (SELECT t.slot, count(*) FILTER (WHERE t.completed_at IS NULL) AS open,
                      count(t.completed_at) AS ended,
                      count(*) FILTER (WHERE t.status = 'completed') AS completed,
                      count(*) FILTER (WHERE t.status = 'failed') AS failed,
                      count(*) FILTER (WHERE t.status = 'cancelled') AS cancelled
                 FROM app.tasks t
                WHERE t.job_id = g.job_id AND t.revision = g.revision AND t.stage = g.number AND t.kind = 'work'
                GROUP BY t.slot) AS t
         FULL JOIN (SELECT s.slot, s.open, s.completed, s.failed, s.cancelled
                      FROM app.stage_slots s
                     WHERE s.job_id = g.job_id AND s.revision = g.revision AND s.stage = g.number) AS s
           ON s.slot = t.slot) AS counted
 ORDER BY g.job_id;

-- suspect_unmoved
-- Active jobs whose present stage is over, or failed, and nothing followed.
SELECT j.job_id, j.revision, false AS sound
  FROM app.jobs j
  JOIN app.stages g ON g.job_id = j.job_id AND g.revision = j.revision AND g.number = j.stage
 WHERE j.completed_at IS NULL AND j.updated_at < now() - %(age)s
   AND j.job_id > %(after)s AND (%(upto)s = '' OR j.job_id <= %(upto)s)
   AND (g.status IN ('completed', 'failed', 'cancelled')
        OR g.status = 'processing' AND g.open_slots = 0
        OR j.stop_to IS NULL AND g.status = 'processing' AND g.on_task_failure = 'stop'
           AND EXISTS (SELECT FROM app.stage_slots s
                        WHERE s.job_id = g.job_id AND s.revision = g.revision AND s.stage = g.number
                          AND s.failed > 0))
 ORDER BY j.job_id
 LIMIT %(limit)s;

-- suspect_stopping
-- Jobs that are stopping for longer than that takes.
SELECT j.job_id, j.revision, false AS sound
  FROM app.jobs j
 WHERE j.completed_at IS NULL AND j.stop_at < now() - %(age)s
   AND j.job_id > %(after)s AND (%(upto)s = '' OR j.job_id <= %(upto)s)
 ORDER BY j.job_id
 LIMIT %(limit)s;

-- suspect_idle
-- Active jobs without an open task: nothing will ever move them.
SELECT j.job_id, j.revision, false AS sound
  FROM app.jobs j
 WHERE j.completed_at IS NULL AND j.updated_at < now() - %(age)s
   AND j.job_id > %(after)s AND (%(upto)s = '' OR j.job_id <= %(upto)s)
   AND NOT EXISTS (SELECT FROM app.tasks t
                    WHERE t.job_id = j.job_id AND t.revision = j.revision AND t.completed_at IS NULL)
 ORDER BY j.job_id
 LIMIT %(limit)s;

-- mend
-- Do for an active job what was left undone.
SELECT action, follow_ups FROM app.mend_job_v1(%(job_id)s, %(revision)s);

-- cancel_stray_tasks
-- Cancel open tasks of ended jobs and of former revisions.
SELECT answers, follow_ups FROM app.cancel_stray_v1(%(age)s, %(limit)s);

-- remove_jobless_tasks
-- Delete open tasks without a job.
DELETE FROM app.tasks WHERE task_id IN (
    SELECT t.task_id FROM app.tasks t
     WHERE t.task_id IN (SELECT o.task_id FROM app.open_tasks o
                          WHERE NOT EXISTS (SELECT FROM app.jobs j WHERE j.job_id = o.job_id)
                          LIMIT %(limit)s)
       FOR UPDATE SKIP LOCKED)
RETURNING task_id;

-- retry_cleanups
-- Queue clean-ups again that are due.
SELECT job_ids, follow_ups FROM app.retry_cleanups_v1(%(age)s, %(grace)s, %(limit)s);

-- release_reservations
-- Release what ended jobs have only reserved.
UPDATE app.artifacts SET state = 'released', updated_at = now() WHERE artifact_id IN (
    SELECT a.artifact_id FROM app.artifacts a JOIN app.jobs j ON j.job_id = a.job_id
     WHERE a.state = 'reserved' AND (j.completed_at IS NOT NULL OR a.revision < j.revision)
       AND j.updated_at < now() - %(age)s AND a.updated_at < now() - %(age)s
     ORDER BY a.artifact_id LIMIT %(limit)s
       FOR UPDATE OF a SKIP LOCKED)
RETURNING location;

-- forsaken
-- Ids, or beginnings of ids, all of whose jobs ended long enough ago and have been cleaned up after: a
-- clean-up that failed may still have to put back what lies there.
SELECT k.key, now() - %(grace)s AS before
  FROM unnest(%(keys)s::text[]) AS k (key)
 CROSS JOIN LATERAL (
       SELECT bool_and(coalesce(j.completed_at < now() - %(grace)s, false) AND j.cleanup IN ('none', 'done')) AS ended
         FROM app.jobs j
        WHERE left(j.job_id, 8) = left(k.key, 8) AND starts_with(j.job_id, k.key)) AS jobs
 WHERE jobs.ended;

-- outdated_blobs
-- Live blobs below a location that were published long ago, the oldest first.
SELECT kind, location, job_id, revision, role, state, target, nbytes, checksum, etag
  FROM app.artifacts
 WHERE kind = 'blob' AND state = 'live' AND starts_with(location, %(prefix)s) AND updated_at < now() - %(age)s
 ORDER BY updated_at, location
 LIMIT %(limit)s;

-- forget_blobs
-- Say of live blobs that they are deleted.
UPDATE app.artifacts SET state = 'deleted', updated_at = now()
 WHERE kind = 'blob' AND state = 'live' AND location = ANY(%(locations)s);

-- prunable
-- Revisions that ended long ago: present ones with tasks or events, former ones with stages.
(SELECT job_id, revision, false AS sound
   FROM app.jobs
  WHERE completed_at < now() - %(age)s AND completed_at IS NOT NULL AND pruned_revision < revision
    AND cleanup IN ('none', 'done')
  ORDER BY completed_at
  LIMIT %(limit)s)
UNION ALL
(SELECT g.job_id, g.revision, false
   FROM app.jobs j JOIN app.stages g ON g.job_id = j.job_id AND g.revision < j.revision
  WHERE j.revision > 1
    AND NOT EXISTS (SELECT FROM app.tasks t
                     WHERE t.job_id = g.job_id AND t.revision = g.revision AND t.completed_at IS NULL)
  GROUP BY g.job_id, g.revision
 HAVING max(g.completed_at) < now() - %(age)s
  LIMIT %(limit)s);

-- prune
-- Remove tasks and events of an ended revision.
SELECT app.prune_revision_v1(%(job_id)s, %(revision)s, %(limit)s) AS removed;

-- silent_tasks
-- Tasks in work that nobody has beaten for, longest silence first.
SELECT t.task_id, t.job_id, j.job_type, t.revision, t.stage, t.kind, t.key, t.task_type, t.lane, t.worker, t.attempt,
       t.rescues, t.claimed_at, t.heartbeat_at, t.lease_until, t.deadline, t.progress, t.message,
       now() - t.heartbeat_at AS silence, now() - t.claimed_at AS running_for,
       j.stop_to IS NOT NULL AND j.completed_at IS NULL AS stopping, now() AS now,
       nullif(e.rescue_after, '-infinity') AS rescue_after
  FROM app.tasks t
  JOIN app.jobs j ON j.job_id = t.job_id
 CROSS JOIN app.engine e
 WHERE t.status = 'processing' AND t.heartbeat_at <= now() - %(silence)s
   AND (%(after_beat)s::timestamptz IS NULL OR (t.heartbeat_at, t.task_id) > (%(after_beat)s, %(after_id)s))
 ORDER BY t.heartbeat_at, t.task_id
 LIMIT %(limit)s;

-- scratch_tables
-- Tables aside that only artifacts of the past name.
SELECT n.nspname AS schema, c.relname AS name
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (
       SELECT count(*) AS named,
              count(*) FILTER (WHERE a.state NOT IN ('deleted', 'released')
                                  OR a.updated_at >= now() - %(age)s) AS wanted
         FROM app.artifacts a
        WHERE a.kind = 'table' AND a.location = n.nspname || '.' || c.relname) AS a
 WHERE n.nspname = 'vector_staging' AND c.relkind = 'r' AND pg_has_role(c.relowner, 'USAGE')
   AND a.named > 0 AND a.wanted = 0
 ORDER BY c.relname
 LIMIT %(limit)s;

-- What can be asked of the engine.

-- Stages with their ledgers: queued = open - processing, and nothing counts tasks but live leases.
CREATE VIEW app.stage_counts AS
SELECT g.job_id, g.revision, g.number, g.name, g.task_type, g.parallelism, g.status, g.started_at, g.completed_at,
       g.total, coalesce(s.open, 0) - coalesce(p.processing, 0) AS queued, coalesce(p.processing, 0) AS processing,
       coalesce(s.completed, 0) AS completed, coalesce(s.failed, 0) AS failed, coalesce(s.cancelled, 0) AS cancelled
  FROM app.stages g
  LEFT JOIN LATERAL (
       SELECT sum(open) AS open, sum(completed) AS completed, sum(failed) AS failed, sum(cancelled) AS cancelled
         FROM app.stage_slots s
        WHERE s.job_id = g.job_id AND s.revision = g.revision AND s.stage = g.number) AS s ON true
  LEFT JOIN LATERAL (
       SELECT count(*) AS processing FROM app.tasks t
        WHERE g.status = 'processing' AND t.status = 'processing' AND t.kind = 'work'
          AND t.job_id = g.job_id AND t.revision = g.revision AND t.stage = g.number) AS p ON true;

-- Every row that is older than its law allows. Empty means healthy.
CREATE VIEW app.violations AS
WITH law AS (
    SELECT watchdog_period + interval '1 minute' AS patience,
           paused_at IS NOT NULL AND coalesce(paused_until > now(), true) AS paused
      FROM app.engine
)
SELECT 'lease.expired' AS code, t.job_id, t.task_id, now() - t.lease_until AS overdue,
       'worker ' || t.worker || ' is silent and nobody has rescued its task' AS what
  FROM app.tasks t, law
 WHERE t.status = 'processing' AND t.lease_until < now() - law.patience
UNION ALL
-- A lane is as silent as its oldest runnable task is old: one that never had work has claimed nothing. While
-- claims of it are alive its workers may all be busy, for hours in the heavy lane; the watchdog rings anyhow.
SELECT 'lane.silent', NULL, NULL, now() - greatest(l.last_claim_at, w.since),
       'lane ' || l.lane || ' has runnable tasks and has claimed nothing'
  FROM law
  JOIN app.lanes l ON NOT law.paused AND coalesce(l.last_claim_at < now() - law.patience, true)
 CROSS JOIN LATERAL (SELECT min(t.run_after) AS since FROM app.tasks t
                      WHERE t.lane = l.lane AND t.status = 'queued' AND t.run_after < now() - law.patience) AS w
 WHERE w.since IS NOT NULL
   AND NOT EXISTS (SELECT FROM app.tasks t
                    WHERE t.status = 'processing' AND t.lane = l.lane AND t.lease_until >= now())
UNION ALL
SELECT 'task.past_deadline', t.job_id, t.task_id, now() - t.deadline, 'the queued task is past its deadline'
  FROM app.tasks t, law
 WHERE t.status = 'queued' AND t.deadline < now() - law.patience
UNION ALL
SELECT 'stage.closed', g.job_id, NULL, now() - j.updated_at,
       'stage ' || g.number || ' has no open task and its job has not moved on'
  FROM app.stages g JOIN app.jobs j ON j.job_id = g.job_id AND j.revision = g.revision, law
 WHERE j.completed_at IS NULL AND g.status = 'processing' AND g.open_slots = 0
   AND j.updated_at < now() - law.patience
UNION ALL
SELECT 'job.stopping', j.job_id, NULL, now() - j.stop_at, 'the job is stopping and has queued tasks left'
  FROM app.jobs j, law
 WHERE j.completed_at IS NULL AND j.stop_at < now() - law.patience
   AND EXISTS (SELECT 1 FROM app.tasks t
                WHERE t.job_id = j.job_id AND t.revision = j.revision AND t.status = 'queued')
UNION ALL
SELECT 'job.idle', j.job_id, NULL, now() - j.updated_at, 'the job is active and has no task that could move it'
  FROM app.jobs j, law
 WHERE j.completed_at IS NULL AND j.updated_at < now() - law.patience
   AND NOT EXISTS (SELECT 1 FROM app.tasks t
                    WHERE t.job_id = j.job_id AND t.revision = j.revision AND t.completed_at IS NULL)
UNION ALL
SELECT 'cleanup.failed', j.job_id, NULL, now() - j.completed_at, 'the clean-up failed after every attempt'
  FROM app.jobs j
 WHERE j.cleanup = 'failed'
UNION ALL
SELECT 'cleanup.pending', j.job_id, NULL, now() - j.completed_at, 'the clean-up is pending and has no task'
  FROM app.jobs j, law
 WHERE j.cleanup = 'pending' AND j.completed_at < now() - law.patience
   AND NOT EXISTS (SELECT 1 FROM app.tasks t WHERE t.job_id = j.job_id AND t.completed_at IS NULL);

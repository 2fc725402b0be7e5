-- claim
-- Take runnable tasks.
SELECT *
  FROM app.claim_v1(%(lane)s, %(limit)s, %(worker)s, %(claim_id)s, %(lease)s, %(rank)s::smallint, %(turn)s);

-- claimed
-- What an earlier claim took whose answer was lost.
SELECT * FROM app.claimed_v1(%(claim_id)s);

-- end
-- End claims; in binary, because psycopg writes arrays as text several times slower.
SELECT answers, follow_ups
  FROM app.end_tasks_v1(
       %(ids)b::text[], %(fences)b::bigint[], %(outcomes)b::text[], %(results)b::text[]::jsonb[],
       %(errors)b::text[]::jsonb[], %(delays)b::interval[], %(max_rescues)s);

-- copy_plan
-- The rows of a plan.
COPY app.tasks (task_id, job_id, revision, stage, kind, key, position, slot, task_type, lane, rank, turn,
                run_after, deadline, row_version, max_attempts, parameters, created_at)
FROM STDIN;

-- plan_clock
-- What the rows of a plan have in common: the store's instant, and the job's rank.
SELECT now() AS now, 9 - priority AS rank FROM app.jobs WHERE job_id = %(job_id)s;

-- end_plan
-- End a plan task with its rows.
SELECT app.end_plan_v1(%(task_id)s, %(fence)s, %(total)s, %(slots)s) AS follow_ups;

-- beat
-- Renew leases.
SELECT task_id, answer, stopping
  FROM app.beat_v1(%(ids)s::text[], %(fences)s::bigint[], %(progress)s::real[], %(messages)s::text[], %(lease)s);

-- defer_rescue
-- Let nobody rescue for a while.
SELECT app.defer_rescue_v1(%(by)s);

-- rescue
-- End claims whose leases have run out.
SELECT answers, follow_ups FROM app.rescue_v1(%(limit)s, %(max_rescues)s);

-- expire
-- Fail queued tasks past their deadline.
SELECT answers, follow_ups FROM app.expire_v1(%(limit)s);

-- results
-- Results of a stage in order of key.
SELECT key, result FROM app.tasks
 WHERE job_id = %(job_id)s AND revision = %(revision)s AND stage = %(stage)s AND kind = 'work'
   AND key > %(after_key)s AND status = 'completed'
 ORDER BY key
 LIMIT %(limit)s;

-- failures
-- Failed tasks of a stage in order of key.
SELECT * FROM app.tasks
 WHERE job_id = %(job_id)s AND revision = %(revision)s AND stage = %(stage)s AND kind = 'work'
   AND key > %(after_key)s AND status = 'failed'
 ORDER BY key
 LIMIT %(limit)s;

-- list_tasks
-- Tasks of one kind of the present revision, last stage first.
SELECT t.task_id, t.job_id, t.revision, t.stage, t.kind, t.task_type, t.key, t.lane, t.status, t.attempt,
       t.max_attempts, t.created_at, t.run_after, t.deadline, t.worker, t.progress, t.message, t.error,
       t.started_at, t.heartbeat_at, t.lease_until, t.completed_at,
       CASE WHEN %(with_parameters)s THEN t.parameters END AS parameters,
       CASE WHEN %(with_result)s THEN t.result END AS result
  FROM app.jobs j
  JOIN app.tasks t ON t.job_id = j.job_id AND t.revision = j.revision
 WHERE j.job_id = %(job_id)s
   AND t.kind = %(kind)s
   AND (%(stage)s::integer IS NULL OR t.stage = %(stage)s)
   AND (%(status)s::text IS NULL OR t.status = %(status)s)
   AND (%(before_stage)s::integer IS NULL
        OR (t.stage, t.key) < (%(before_stage)s, %(before_key)s))
 ORDER BY t.stage DESC, t.key DESC
 LIMIT %(limit)s;

-- get_task
-- One task, whole.
SELECT * FROM app.tasks WHERE task_id = %(task_id)s;

-- schedule_bell
-- Take the right to send the lane's scheduled bell.
SELECT app.schedule_bell_v1(%(lane)s) AS delay;

-- unschedule_bell
-- Give that right back.
SELECT app.unschedule_bell_v1(%(lane)s);

-- runnable
-- Runnable tasks of a lane, counted up to a limit.
SELECT app.runnable_v1(%(lane)s, %(limit)s) AS runnable;

-- silent_lanes
-- Lanes that have claimed nothing for half a minute, though work was runnable all the while. A whole
-- watchdog period would let a lane that fell silent just after a sweep wait for nearly two.
SELECT l.lane
  FROM app.lanes l
 WHERE NOT app.is_paused_v1()
   AND coalesce(l.last_claim_at < now() - interval '30 seconds', true)
   AND EXISTS (SELECT 1 FROM app.tasks t
                WHERE t.lane = l.lane AND t.status = 'queued' AND t.run_after < now() - interval '30 seconds')
 ORDER BY l.lane;

-- pause
-- Let nothing be claimed.
UPDATE app.engine
   SET paused_at = now(), paused_until = %(until)s, pause_reason = %(reason)s, paused_by = %(by)s
RETURNING singleton;

-- resume
-- Let tasks be claimed again.
UPDATE app.engine SET paused_at = NULL, paused_until = NULL, pause_reason = NULL, paused_by = NULL
RETURNING singleton;

-- pause_state
-- Whether claiming is paused.
SELECT app.is_paused_v1() AS paused, paused_until, pause_reason, paused_by FROM app.engine;

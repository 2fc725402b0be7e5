-- running
-- Sessions of this database that are at work, the longest at it first.
SELECT a.pid, a.usename AS "user", a.application_name AS application, host(a.client_addr) AS client, a.state,
       a.query_start AS started_at, a.xact_start AS transaction_started_at,
       extract(epoch FROM clock_timestamp() - a.query_start)::double precision AS seconds,
       a.wait_event_type, a.wait_event, pg_blocking_pids(a.pid) AS blocked_by, a.query
  FROM pg_stat_activity a
 WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
   AND a.state <> 'idle'
 ORDER BY a.query_start NULLS LAST
 LIMIT %(limit)s;

-- statements_schema
-- Where pg_stat_statements is, if it is there.
SELECT n.nspname AS schema
  FROM pg_extension e
  JOIN pg_namespace n ON n.oid = e.extnamespace
 WHERE e.extname = 'pg_stat_statements';

-- locks
-- Who waits for a lock, and who holds it.
SELECT l.pid, a.usename AS "user", a.application_name AS application, l.locktype AS kind, l.mode,
       CASE WHEN l.relation IS NOT NULL THEN l.relation::regclass::text END AS relation,
       extract(epoch FROM clock_timestamp() - coalesce(l.waitstart, a.state_change))::double precision AS seconds,
       a.query, b.pid AS holder_pid, b.usename AS holder_user, b.application_name AS holder_application,
       b.state AS holder_state, b.query AS holder_query,
       extract(epoch FROM clock_timestamp() - b.xact_start)::double precision AS holder_transaction_seconds
  FROM pg_locks l
  JOIN pg_stat_activity a ON a.pid = l.pid
  CROSS JOIN LATERAL unnest(pg_blocking_pids(l.pid)) AS blocking (pid)
  LEFT JOIN pg_stat_activity b ON b.pid = blocking.pid
 WHERE NOT l.granted AND a.datname = current_database()
 ORDER BY seconds DESC NULLS LAST
 LIMIT %(limit)s;

-- connections
-- Sessions of the server, summed up by who they are and what they do.
SELECT a.datname AS database, a.usename AS "user", a.application_name AS application, a.state,
       count(*) AS connections,
       max(extract(epoch FROM clock_timestamp() - a.backend_start))::double precision AS oldest_seconds,
       max(extract(epoch FROM clock_timestamp() - a.xact_start))::double precision AS longest_transaction_seconds
  FROM pg_stat_activity a
 WHERE a.backend_type = 'client backend'
 GROUP BY a.datname, a.usename, a.application_name, a.state
 ORDER BY connections DESC, application
 LIMIT %(limit)s;

-- connection_limits
-- How many sessions there may be, and are.
SELECT current_setting('max_connections')::integer AS most,
       current_setting('superuser_reserved_connections')::integer AS reserved,
       (SELECT count(*) FROM pg_stat_activity a WHERE a.backend_type = 'client backend') AS used;

-- health
-- What tells a database that is well from one that is not.
SELECT current_setting('server_version') AS version, pg_is_in_recovery() AS in_recovery,
       extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::double precision AS uptime_seconds,
       pg_database_size(d.datname) AS nbytes, s.deadlocks, s.temp_files, s.temp_bytes AS temp_nbytes,
       s.xact_commit AS commits, s.xact_rollback AS rollbacks, s.stats_reset,
       CASE WHEN s.blks_hit + s.blks_read > 0
            THEN s.blks_hit::double precision / (s.blks_hit + s.blks_read) END AS cache_hit_ratio,
       age(p.datfrozenxid)::bigint AS transaction_id_age,
       (SELECT max(extract(epoch FROM clock_timestamp() - a.xact_start))::double precision
          FROM pg_stat_activity a
         WHERE a.datname = d.datname AND a.pid <> pg_backend_pid()) AS longest_transaction_seconds,
       (SELECT count(*) FROM pg_locks l WHERE NOT l.granted) AS waiting_for_locks
  FROM (SELECT current_database() AS datname) AS d
  JOIN pg_stat_database s ON s.datname = d.datname
  JOIN pg_database p ON p.datname = d.datname;

-- most_dead_rows
-- Tables that vacuum has most to do in.
SELECT s.schemaname || '.' || s.relname AS "table", s.n_live_tup AS live_rows, s.n_dead_tup AS dead_rows,
       greatest(s.last_vacuum, s.last_autovacuum) AS vacuumed_at
  FROM pg_stat_user_tables s
 WHERE s.n_dead_tup > 0
 ORDER BY s.n_dead_tup DESC
 LIMIT 10;

-- job_counts
-- Jobs by type and state.
SELECT j.job_type, j.status, count(*) AS jobs, min(j.created_at) AS oldest, max(j.created_at) AS newest
  FROM app.jobs j
 GROUP BY j.job_type, j.status
 ORDER BY j.job_type, j.status;

-- lanes
-- What each lane has to do; only live tasks are counted, by their partial indexes.
SELECT l.lane, l.bell_at, l.last_claim_at, coalesce(q.queued, 0) AS queued, coalesce(q.runnable, 0) AS runnable,
       q.oldest_turn, coalesce(p.processing, 0) AS processing, coalesce(p.silent, 0) AS silent
  FROM app.lanes l
  LEFT JOIN LATERAL (
       SELECT count(*) AS queued, count(*) FILTER (WHERE t.run_after <= now()) AS runnable, min(t.turn) AS oldest_turn
         FROM app.tasks t WHERE t.lane = l.lane AND t.status = 'queued') AS q ON true
  LEFT JOIN LATERAL (
       SELECT count(*) AS processing, count(*) FILTER (WHERE t.lease_until < now()) AS silent
         FROM app.tasks t WHERE t.lane = l.lane AND t.status = 'processing') AS p ON true
 ORDER BY l.lane;

-- artifact_counts
-- What jobs wrote, by kind and state.
SELECT a.kind, a.role, a.state, count(*) AS artifacts, coalesce(sum(a.nbytes), 0)::bigint AS nbytes
  FROM app.artifacts a
 GROUP BY a.kind, a.role, a.state
 ORDER BY a.kind, a.role, a.state;

-- migrations
-- What was applied to this database.
SELECT m.name, m.applied_at FROM public.terrane_migrations m ORDER BY m.name;

-- tasks
-- Tasks of every job's present revision, of every kind, the newest job's first.
SELECT t.task_id, t.job_id, t.revision, t.stage, t.kind, t.task_type, t.key, t.lane, t.status, t.attempt,
       t.max_attempts, t.created_at, t.run_after, t.deadline, t.worker, t.progress, t.message, t.error,
       t.started_at, t.heartbeat_at, t.lease_until, t.completed_at, j.created_at AS job_created_at
  FROM app.jobs j
  JOIN app.tasks t ON t.job_id = j.job_id AND t.revision = j.revision
 WHERE (%(status)s::text IS NULL OR t.status = %(status)s)
   AND (%(lane)s::text IS NULL OR t.lane = %(lane)s)
   AND (%(task_type)s::text IS NULL OR t.task_type = %(task_type)s)
   AND (%(before_created)s::timestamptz IS NULL
        OR j.created_at <= %(before_created)s
           AND (j.created_at, j.job_id, t.stage, t.kind, t.key)
               < (%(before_created)s, %(before_id)s, %(before_stage)s, %(before_kind)s, %(before_key)s))
 ORDER BY j.created_at DESC, j.job_id DESC, t.stage DESC, t.kind DESC, t.key DESC
 LIMIT %(limit)s;

-- get_unpublished
-- An audit record.
SELECT u.*, u.id::text AS id FROM app.unpublished_jobs u WHERE u.id = %(id)s::uuid;

-- list_unpublished
-- Audit records, newest first.
SELECT u.*, u.id::text AS id
  FROM app.unpublished_jobs u
 WHERE (%(collection_id)s::text IS NULL OR collection_id = %(collection_id)s)
   AND (%(stac_item_id)s::text IS NULL OR stac_item_id = %(stac_item_id)s)
   AND (%(unpublish_job_id)s::text IS NULL OR unpublish_job_id = %(unpublish_job_id)s)
   AND (%(restorable)s::boolean IS NULL
        OR %(restorable)s = (restored_at IS NULL AND purged_at IS NULL AND purge_after IS NOT NULL))
   AND (%(before)s::timestamptz IS NULL OR (u.unpublished_at, u.id) < (%(before)s, %(before_id)s::uuid))
 ORDER BY u.unpublished_at DESC, u.id DESC
 LIMIT %(limit)s;

-- owners
-- Who owns what is published in these places.
SELECT location, job_id, etag, checksum
  FROM app.artifacts
 WHERE kind = %(kind)s AND location = ANY(%(locations)s) AND state = 'live';

-- published_by
-- Where a job's publications are live.
SELECT location FROM app.artifacts
 WHERE job_id = %(job_id)s AND kind = %(kind)s AND state = 'live' AND role = 'published'
 ORDER BY location;

-- list_removals
-- What a run has set its hand on.
SELECT artifact_id AS number, kind, location, nbytes, etag, checksum
  FROM app.artifacts
 WHERE job_id = %(job_id)s AND revision = %(revision)s AND state = 'reserved'
   AND artifact_id BETWEEN %(first)s AND %(last)s
 ORDER BY artifact_id;

-- overdue_unpublished
-- Records whose grace is over.
SELECT u.*, u.id::text AS id
  FROM app.unpublished_jobs u
 WHERE restored_at IS NULL AND purged_at IS NULL AND purge_after < now()
 ORDER BY purge_after
 LIMIT %(limit)s;

-- mark_purged
-- Nothing of a record is kept any longer.
UPDATE app.unpublished_jobs SET purged_at = now()
 WHERE id = %(id)s::uuid AND restored_at IS NULL AND purged_at IS NULL
RETURNING id;

-- forget_trash
-- The copies that a record had moved aside are deleted.
UPDATE app.artifacts a SET state = 'deleted', updated_at = now()
  FROM app.unpublished_jobs u
 WHERE u.id = %(id)s::uuid AND a.job_id = u.unpublish_job_id AND a.state = 'live' AND a.kind = 'blob'
   AND a.location IN (SELECT b ->> 'moved_to' FROM jsonb_array_elements(u.artifacts_deleted -> 'blobs') AS b);

-- reserve_removals
-- Keep everybody else from writing what is to go.
SELECT location, owner, numbers FROM app.reserve_removals_v1(%(task_id)s, %(removals)s);

-- withdraw_removals
-- What a run reserved goes.
SELECT app.withdraw_removals_v1(%(job_id)s, %(revision)s);

-- record_unpublished
-- Record one removal.
SELECT app.record_unpublished_v1(%(job_id)s, %(revision)s, %(withdrawal)s, %(grace)s);

-- restore_unpublished
-- Give what a record removed back.
SELECT app.restore_unpublished_v1(%(id)s::uuid, %(job_id)s, %(revision)s) AS restored;

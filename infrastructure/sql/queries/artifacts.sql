-- hold_fence
-- Keep a claim's fence until the end of the transaction.
SELECT app.hold_fence_v1(%(task_id)s, %(fence)s);

-- begin_artifact
-- Declare an intent to write.
SELECT owner, etag, live_etag
  FROM app.begin_artifact_v1(%(kind)s, %(location)s, %(task_id)s, %(role)s, %(target)s);

-- record_artifact
-- Record what was written.
SELECT app.record_artifact_v1(%(kind)s, %(location)s, %(job_id)s, %(etag)s, %(nbytes)s, %(checksum)s);

-- publish_artifacts
-- Make what a revision wrote for publication live.
SELECT app.publish_artifacts_v1(%(job_id)s, %(revision)s);

-- hold_unstopped
-- Keep a job from stopping until the end of the transaction, or refuse if it stops already.
SELECT app.hold_unstopped_v1(%(job_id)s, %(revision)s);

-- list_artifacts
-- What a revision has reserved, written or published.
SELECT kind, location, job_id, revision, role, state, target, nbytes, checksum, etag
  FROM app.artifacts
 WHERE job_id = %(job_id)s AND revision = %(revision)s
 ORDER BY artifact_id;

-- live_artifact
-- What is published at a location.
SELECT kind, location, job_id, revision, role, state, target, nbytes, checksum, etag
  FROM app.artifacts
 WHERE kind = %(kind)s AND location = %(location)s AND state = 'live';

-- correct_live
-- Record what stands at a live place: a revision put it there and never showed it.
UPDATE app.artifacts SET etag = %(etag)s, nbytes = %(nbytes)s, checksum = NULL, updated_at = now()
 WHERE kind = %(kind)s AND location = %(location)s AND state = 'live' AND etag IS NOT DISTINCT FROM %(former)s
RETURNING artifact_id;

-- close_artifact
-- Say what became of an artifact that was being written.
UPDATE app.artifacts SET state = %(state)s, updated_at = now()
 WHERE kind = %(kind)s AND location = %(location)s AND job_id = %(job_id)s AND revision = %(revision)s
   AND state = 'writing'
RETURNING artifact_id;

-- lock_bootstrap
-- Let one deployment at a time install or migrate; released with the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('terrane.pgstac_bootstrap', 0));

-- find_schema
-- Is there a pgSTAC in this database, of whatever version?
SELECT to_regclass('pgstac.migrations') IS NOT NULL AS installed;

-- get_version
-- The version that the last finished migration left.
SELECT version
  FROM pgstac.migrations
 ORDER BY datetime DESC, version DESC
 LIMIT 1;

-- create_roles
-- pgSTAC's own script makes them too, but does not let its caller act as pgstac_ingest.
DO $$
DECLARE
    _role text;
BEGIN
    FOREACH _role IN ARRAY ARRAY['pgstac_admin', 'pgstac_ingest', 'pgstac_read'] LOOP
        IF to_regrole(_role) IS NULL THEN
            EXECUTE format('CREATE ROLE %I', _role);
        END IF;
        IF NOT pg_has_role(current_user, _role, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO %I', _role, current_user);
        END IF;
    END LOOP;
END
$$;

-- discard_queued_statistics
-- A migration queues statistics of every partition, which would also put a CHECK on its times; the
-- next item outside it then rewrites the CHECK under an ACCESS EXCLUSIVE lock held to its commit.
DELETE FROM pgstac.query_queue
 WHERE query LIKE 'SELECT update_partition_stats(%';

-- act_as_owner
-- Own what is created next as pgSTAC owns its tables.
SET LOCAL ROLE pgstac_admin;

-- act_as_self
-- Undo act_as_owner, or what a migration script left.
RESET ROLE;

-- create_ensure_partition
-- pgSTAC makes a partition by CREATE TABLE ... PARTITION OF, which locks every item of every
-- collection until the caller's commit; ATTACH lets readers and writers of the others go on.
CREATE OR REPLACE FUNCTION pgstac.terrane_ensure_partition_v1(_collection text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pgstac, public AS $$
DECLARE
    _key bigint;
    _trunc text;
    _partition text;
BEGIN
    IF EXISTS (SELECT FROM partition_stats WHERE collection = _collection) THEN
        RETURN true;
    END IF;
    -- ATTACH takes this lock for the foreign key; taken later, it would be an upgrade, and two
    -- upgrades are a deadlock.
    LOCK TABLE collections IN SHARE ROW EXCLUSIVE MODE;
    SELECT key, partition_trunc INTO _key, _trunc FROM collections WHERE id = _collection;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    -- A collection that is cut by time gets its partitions from pgSTAC, as items come.
    IF _trunc IS NOT NULL OR EXISTS (SELECT FROM partition_stats WHERE collection = _collection) THEN
        RETURN true;
    END IF;
    _partition := format('_items_%s', _key);
    EXECUTE format('CREATE TABLE %I (LIKE items INCLUDING DEFAULTS)', _partition);
    EXECUTE format('CREATE UNIQUE INDEX %I ON %I (id)', _partition || '_pk', _partition);
    EXECUTE format('ALTER TABLE items ATTACH PARTITION %I FOR VALUES IN (%L)', _partition, _collection);
    EXECUTE format('GRANT ALL ON %I TO pgstac_ingest', _partition);
    INSERT INTO partition_stats (partition, collection, partition_dtrange)
    VALUES (_partition, _collection, tstzrange('-infinity', 'infinity', '[]'));
    PERFORM maintain_partitions(_partition);
    RETURN true;
END
$$;

-- create_ensure_collection
-- The lock is given back with the inner block's savepoint if somebody else was first, so that a
-- hundred callers wait for one commit and not for one another's.
CREATE OR REPLACE FUNCTION pgstac.terrane_ensure_collection_v1(_content jsonb) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pgstac, public AS $$
DECLARE
    _created boolean;
BEGIN
    IF EXISTS (SELECT FROM partition_stats WHERE collection = _content->>'id') THEN
        RETURN false;
    END IF;
    BEGIN
        LOCK TABLE collections IN SHARE ROW EXCLUSIVE MODE;
        IF EXISTS (SELECT FROM partition_stats WHERE collection = _content->>'id') THEN
            RAISE EXCEPTION USING ERRCODE = 'TR001', MESSAGE = 'somebody else was first';
        END IF;
        INSERT INTO collections (content) VALUES (_content) ON CONFLICT (id) DO NOTHING;
        _created := FOUND;
    EXCEPTION WHEN SQLSTATE 'TR001' THEN
        RETURN false;
    END;
    PERFORM terrane_ensure_partition_v1(_content->>'id');
    RETURN _created;
END
$$;

-- restrict_functions
-- New functions are everybody's; these run as the owner of the catalogue.
REVOKE ALL ON FUNCTION
    pgstac.terrane_ensure_partition_v1(text), pgstac.terrane_ensure_collection_v1(jsonb)
  FROM public;

-- grant_functions
-- Who may write items may make the place for them.
GRANT EXECUTE ON FUNCTION
    pgstac.terrane_ensure_partition_v1(text), pgstac.terrane_ensure_collection_v1(jsonb)
   TO pgstac_ingest;

-- ensure_collection
-- Create a collection and its partition unless they exist.
SELECT pgstac.terrane_ensure_collection_v1(%(collection)s) AS created;

-- find_missing_privileges
-- What the app's role cannot do although it has to.
SELECT privilege
  FROM (VALUES
        ('SELECT on pgstac.items', has_table_privilege(%(role)s, 'pgstac.items', 'SELECT')),
        ('INSERT on pgstac.items_staging_upsert',
         has_table_privilege(%(role)s, 'pgstac.items_staging_upsert', 'INSERT')),
        ('TEMPORARY on the database', has_database_privilege(%(role)s, current_database(), 'TEMPORARY')),
        ('EXECUTE on pgstac.terrane_ensure_collection_v1',
         has_function_privilege(%(role)s, 'pgstac.terrane_ensure_collection_v1(jsonb)', 'EXECUTE'))
       ) AS needed (privilege, granted)
 WHERE NOT granted;

-- replace_content_hydrate
-- pgSTAC drops every null of an item, also the one that STAC demands: `datetime` of a time range.
-- All items that pgSTAC hands out pass through this function; the rest of it is pgSTAC's.
CREATE OR REPLACE FUNCTION pgstac.content_hydrate(
    _item jsonb, _base_item jsonb, fields jsonb DEFAULT '{}'::jsonb
) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
             WHEN merged->'properties' ? 'start_datetime' AND NOT merged->'properties' ? 'datetime'
             THEN jsonb_set(merged, '{properties,datetime}', 'null')
             ELSE merged
           END
      FROM (SELECT pgstac.merge_jsonb(
                     pgstac.jsonb_fields(_item, fields), pgstac.jsonb_fields(_base_item, fields)
                   ) AS merged) AS hydrated;
$$;

-- replace_bbox_geom
-- pgSTAC makes a solid of a box with heights, which nothing can be intersected with, and of one that
-- crosses the antimeridian the box of everything else. Items are searched from above.
CREATE OR REPLACE FUNCTION pgstac.bbox_geom(_bbox jsonb) RETURNS geometry
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE
             WHEN west <= east THEN ST_MakeEnvelope(west, south, east, north, 4326)
             ELSE ST_Collect(
                    ST_MakeEnvelope(west, south, 180, north, 4326),
                    ST_MakeEnvelope(-180, south, east, north, 4326)
                  )
           END
      FROM (SELECT jsonb_array_length(_bbox) / 2 AS dimensions) AS shape
     CROSS JOIN LATERAL (
             SELECT (_bbox->>0)::float8 AS west,
                    (_bbox->>1)::float8 AS south,
                    (_bbox->>dimensions)::float8 AS east,
                    (_bbox->>(dimensions + 1))::float8 AS north
           ) AS box
     WHERE jsonb_array_length(_bbox) IN (4, 6);
$$;

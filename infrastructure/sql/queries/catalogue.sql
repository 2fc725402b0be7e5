-- get_collection
-- A collection as it was written, its extent grown.
SELECT content
  FROM pgstac.collections
 WHERE id = %(collection_id)s;

-- list_collections
-- Every collection.
SELECT content
  FROM pgstac.collections
 ORDER BY id;

-- get_item
-- An item with what its collection's base item holds for it.
SELECT pgstac.get_item(%(item_id)s, %(collection_id)s) AS content;

-- list_items
-- The next page of a collection's items; the index of each partition is in this order.
SELECT id, pgstac.get_item(id, collection) AS content
  FROM pgstac.items
 WHERE collection = %(collection_id)s
   AND id > %(after)s
 ORDER BY id
 LIMIT %(limit)s;

-- search
-- Items that a STAC search finds.
SELECT jsonb_array_elements(pgstac.search(%(search)s) -> 'features') AS content;

-- referring
-- Items with an asset at one of these addresses. It reads every item once.
SELECT asset.value ->> 'href' AS href, i.collection AS collection_id, i.id AS item_id
  FROM pgstac.items i
 CROSS JOIN LATERAL jsonb_each(i.content -> 'assets') AS asset (key, value)
 WHERE asset.value ->> 'href' = ANY(%(hrefs)s);

-- count_items
-- How many items a collection has.
SELECT count(*) AS items
  FROM pgstac.items
 WHERE collection = %(collection_id)s;

-- version
-- The version of pgSTAC that is installed.
SELECT pgstac.get_version() AS version;

-- ensure_collection
-- Create a collection and the place for its items unless they exist.
SELECT pgstac.terrane_ensure_collection_v1(%(collection)s) AS created;

-- ensure_partition
-- Make the place for a collection's items; false if there is no such collection.
SELECT pgstac.terrane_ensure_partition_v1(%(collection_id)s) AS found;

-- lock_partitions
-- Every write to a collection begins here, in one order: pgSTAC's triggers lock these rows to the
-- commit anyway, but too late to keep two writers of one item, or of one extent, apart.
SELECT collection
  FROM pgstac.partition_stats
 WHERE collection = ANY(%(collection_ids)s)
 ORDER BY collection, partition
   FOR UPDATE;

-- upsert_items
-- Write items.
SELECT pgstac.upsert_items(%(items)s);

-- known_of_collections
-- What may have to grow of collections: it is read under the lock.
SELECT jsonb_object_agg(
         id,
         jsonb_build_object(
           'extent', content->'extent',
           'countries', COALESCE(content #> '{summaries,geo:iso3}', '[]'),
           'renders', COALESCE(content->'renders', '{}'),
           'extensions', COALESCE(content->'stac_extensions', '[]'),
           'describes_assets', content ?| '{assets,item_assets}',
           'renders_are_of_items', COALESCE((private->>'renders_are_of_items')::boolean, false)
         )
       ) AS known
  FROM pgstac.collections
 WHERE id = ANY(%(collection_ids)s);

-- empty_collections
-- Which of these have no items.
SELECT id
  FROM pgstac.collections AS collection
 WHERE id = ANY(%(collection_ids)s)
   AND NOT EXISTS (SELECT FROM pgstac.items AS item WHERE item.collection = collection.id);

-- item_bounds
-- How far items reach that there are already, in which countries they lie, and how they are drawn.
SELECT id, content->'bbox' AS bbox, datetime AS starts, end_datetime AS ends,
       COALESCE(content #> '{properties,geo:iso3}', '[]') AS countries,
       COALESCE(content #> '{properties,renders}', '{}') AS renders
  FROM pgstac.items
 WHERE collection = %(collection_id)s
   AND id = ANY(%(item_ids)s);

-- measure_extent
-- How far all items of a collection reach; heights are left out.
SELECT count(*) AS items,
       jsonb_build_array(min(west), min(south), max(east), max(north)) AS bbox,
       min(datetime) AS starts,
       max(end_datetime) AS ends,
       COALESCE(bool_or(west > east), false) AS crosses
  FROM pgstac.items
 CROSS JOIN LATERAL (
         SELECT jsonb_array_length(content->'bbox') / 2 AS dimensions
       ) AS shape
 CROSS JOIN LATERAL (
         SELECT (content #>> '{bbox,0}')::float8 AS west,
                (content #>> '{bbox,1}')::float8 AS south,
                (content->'bbox'->>dimensions)::float8 AS east,
                (content->'bbox'->>(dimensions + 1))::float8 AS north
       ) AS box
 WHERE collection = %(collection_id)s;

-- countries_left
-- In which of these countries items of a collection still lie; all items are read for one that is gone.
SELECT given.iso3
  FROM unnest(%(countries)s::text[]) AS given (iso3)
 WHERE EXISTS (
         SELECT
           FROM pgstac.items AS item
          WHERE item.collection = %(collection_id)s
            AND item.content #> '{properties,geo:iso3}' ? given.iso3
       );

-- set_countries
-- Say in which countries the items of a collection lie; STAC allows no empty summary.
UPDATE pgstac.collections
   SET content = CASE
         WHEN %(countries)s::jsonb = '[]' THEN content #- '{summaries,geo:iso3}'
         ELSE jsonb_set(
                content,
                '{summaries}',
                COALESCE(content->'summaries', '{}') || jsonb_build_object('geo:iso3', %(countries)s::jsonb)
              )
       END
 WHERE id = %(collection_id)s;

-- set_extent
-- Replace a collection's extent.
UPDATE pgstac.collections
   SET content = jsonb_set(content, '{extent}', %(extent)s)
 WHERE id = %(collection_id)s;

-- update_collection
-- Replace a collection's metadata.
SELECT pgstac.update_collection(%(collection)s);

-- delete_items
-- Delete items of a collection.
DELETE FROM pgstac.items
 WHERE collection = %(collection_id)s
   AND id = ANY(%(item_ids)s)
RETURNING id, content->'bbox' AS bbox, datetime AS starts, end_datetime AS ends,
       COALESCE(content #> '{properties,geo:iso3}', '[]') AS countries,
       COALESCE(content #> '{properties,renders}', '{}') AS renders;

-- lock_collections
-- Dropping a partition locks the items of all collections; whoever makes one comes this way first.
LOCK TABLE pgstac.collections IN SHARE ROW EXCLUSIVE MODE;

-- is_empty
-- Does the collection exist, and has it no item?
SELECT id
  FROM pgstac.collections
 WHERE id = %(collection_id)s
   AND NOT EXISTS (SELECT FROM pgstac.items WHERE collection = %(collection_id)s);

-- delete_collection
-- Delete a collection and its partitions.
SELECT pgstac.delete_collection(%(collection_id)s);

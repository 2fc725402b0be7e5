-- base_items
-- What items of these collections need not repeat; none for a collection that is cut by time.
SELECT c.id, b.base_item, b.base_item_id
  FROM pgstac.collections AS c
 CROSS JOIN LATERAL pgstac.current_base_item(c.id) AS b
 WHERE c.id = ANY(%(collection_ids)s)
   AND c.partition_trunc IS NULL;

-- create_rows
-- Where the rows of a batch wait for their turn. PostGIS reads GeoJSON into a geometry as it comes,
-- while the next rows are still being made.
CREATE TEMPORARY TABLE terrane_items (
    id text, collection text, starts timestamptz, ends timestamptz, outline geometry, content jsonb
) ON COMMIT DROP;

-- copy_rows
-- Hand the rows of a batch over.
COPY terrane_items (id, collection, starts, ends, outline, content) FROM STDIN;

-- delete_replaced
-- Make room, in one order of locks.
WITH locked AS (
    SELECT item.collection, item.id
      FROM terrane_items AS given
      JOIN pgstac.items AS item USING (collection, id)
     ORDER BY item.collection, item.id
       FOR UPDATE OF item
)
DELETE FROM pgstac.items AS item
 USING locked
 WHERE item.collection = locked.collection
   AND item.id = locked.id;

-- insert_rows
-- Write the batch.
INSERT INTO pgstac.items (id, geometry, collection, datetime, end_datetime, content, private)
SELECT id, ST_SetSRID(outline, 4326), collection, starts, ends, content, NULL
  FROM terrane_items
    ON CONFLICT DO NOTHING;

-- drop_rows
-- A transaction may write another batch.
DROP TABLE terrane_items;

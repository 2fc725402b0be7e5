-- item_renders
-- How the next items of a collection like to be drawn.
SELECT id, COALESCE(content #> '{properties,renders}', '{}') AS renders
  FROM pgstac.items
 WHERE collection = %(collection_id)s
   AND id > %(after)s
 ORDER BY id
 LIMIT %(limit)s;

-- set_renders
-- Say how all items of a collection can be drawn, and that nobody else has said it.
UPDATE pgstac.collections
   SET content = (content - 'renders') || %(changes)s,
       private = COALESCE(private, '{}') || '{"renders_are_of_items": true}'
 WHERE id = %(collection_id)s;

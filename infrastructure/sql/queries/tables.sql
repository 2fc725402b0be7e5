-- schemas
-- Schemas that are ours to look at, with the number and the size of what is in them.
SELECT n.nspname AS name, pg_get_userbyid(n.nspowner) AS owner,
       count(c.oid) FILTER (WHERE c.relkind IN ('r', 'p', 'f')) AS tables,
       count(c.oid) FILTER (WHERE c.relkind IN ('v', 'm')) AS views,
       coalesce(sum(pg_total_relation_size(c.oid)) FILTER (WHERE c.relkind IN ('r', 'm')), 0)::bigint AS nbytes
  FROM pg_namespace n
  LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND has_schema_privilege(n.oid, 'USAGE')
   AND n.nspname > %(after)s
   AND (%(name)s::text IS NULL OR n.nspname = %(name)s)
 GROUP BY n.oid, n.nspname, n.nspowner
 ORDER BY n.nspname
 LIMIT %(limit)s;

-- tables
-- Tables and views of a schema, by name; rows are the statistics' estimate.
SELECT n.nspname AS schema, c.relname AS name,
       CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'f' THEN 'foreign table'
                      WHEN 'v' THEN 'view' ELSE 'materialized view' END AS kind,
       CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END AS estimated_rows,
       coalesce(pg_total_relation_size(c.oid), 0) AS nbytes
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p', 'f', 'v', 'm') AND c.relname > %(after)s
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND has_schema_privilege(n.oid, 'USAGE')
 ORDER BY c.relname
 LIMIT %(limit)s;

-- table
-- One table or view, with its sizes and what vacuum did to it.
SELECT n.nspname AS schema, c.relname AS name,
       CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'f' THEN 'foreign table'
                      WHEN 'v' THEN 'view' ELSE 'materialized view' END AS kind,
       CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END AS estimated_rows,
       coalesce(pg_total_relation_size(c.oid), 0) AS nbytes,
       pg_get_userbyid(c.relowner) AS owner, obj_description(c.oid, 'pg_class') AS comment,
       has_table_privilege(c.oid, 'SELECT') AS readable,
       coalesce(pg_table_size(c.oid), 0) AS table_nbytes, coalesce(pg_indexes_size(c.oid), 0) AS indexes_nbytes,
       s.n_live_tup AS live_rows, s.n_dead_tup AS dead_rows, s.seq_scan AS sequential_scans,
       s.idx_scan AS index_scans, s.last_vacuum, s.last_autovacuum, s.last_analyze, s.last_autoanalyze
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
 WHERE n.nspname = %(schema)s AND c.relname = %(name)s AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND has_schema_privilege(n.oid, 'USAGE');

-- columns
-- Columns of a table in order. A type's own schema is told so that its functions can be named.
SELECT a.attnum AS position, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
       t.typname AS type_name, tn.nspname AS type_schema, NOT a.attnotnull AS nullable,
       pg_get_expr(d.adbin, d.adrelid) AS "default", col_description(c.oid, a.attnum) AS comment
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type t ON t.oid = a.atttypid
  JOIN pg_namespace tn ON tn.oid = t.typnamespace
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE n.nspname = %(schema)s AND c.relname = %(name)s
 ORDER BY a.attnum;

-- indexes
-- Indexes of a table, by name.
SELECT i.relname AS name, pg_get_indexdef(x.indexrelid) AS definition, am.amname AS method,
       x.indisprimary AS is_primary, x.indisunique AS is_unique, x.indisvalid AS is_valid,
       pg_relation_size(x.indexrelid) AS nbytes, coalesce(s.idx_scan, 0) AS scans
  FROM pg_index x
  JOIN pg_class c ON c.oid = x.indrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class i ON i.oid = x.indexrelid
  JOIN pg_am am ON am.oid = i.relam
  LEFT JOIN pg_stat_user_indexes s ON s.indexrelid = x.indexrelid
 WHERE n.nspname = %(schema)s AND c.relname = %(name)s
 ORDER BY i.relname;

-- can_create_in
-- Is there a schema in which this role may make tables?
SELECT has_schema_privilege(oid, 'CREATE') AS allowed
  FROM pg_namespace
 WHERE nspname = %(schema)s;

-- list_tables
-- The tables of a schema, but for those of extensions.
SELECT c.relname AS name
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname = %(schema)s AND c.relkind = 'r'
   AND NOT EXISTS (SELECT 1 FROM pg_depend AS d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY c.relname;

-- relation
-- A relation of any kind, by schema and name.
SELECT c.oid, c.relkind, pg_has_role(c.relowner, 'USAGE') AS owned, obj_description(c.oid, 'pg_class') AS comment,
       pg_total_relation_size(c.oid) AS nbytes, c.reltuples AS rows
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname = %(schema)s AND c.relname = %(name)s AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c', 'i', 'I');

-- columns
-- The columns of a relation in order.
SELECT attname AS name, format_type(atttypid, atttypmod) AS type, col_description(attrelid, attnum) AS comment
  FROM pg_attribute
 WHERE attrelid = %(oid)s AND attnum > 0 AND NOT attisdropped
 ORDER BY attnum;

-- dependents
-- What reads a relation, directly or through views, nearest first.
WITH RECURSIVE reading AS (
    SELECT %(oid)s::oid AS oid, 0 AS depth
    UNION
    SELECT rule.ev_class, reading.depth + 1
      FROM reading
      JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = reading.oid
                         AND d.classid = 'pg_rewrite'::regclass
      JOIN pg_rewrite AS rule ON rule.oid = d.objid AND rule.ev_class <> reading.oid
), other AS (
    SELECT conrelid AS oid, 1 AS depth FROM pg_constraint
     WHERE contype = 'f' AND confrelid = %(oid)s AND conrelid <> %(oid)s
    UNION ALL
    SELECT inhrelid, 1 FROM pg_inherits WHERE inhparent = %(oid)s
)
SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind, pg_has_role(c.relowner, 'USAGE') AS owned,
       max(found.depth) AS depth
  FROM (SELECT * FROM reading WHERE depth > 0 UNION ALL SELECT * FROM other) AS found
  JOIN pg_class AS c ON c.oid = found.oid
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 GROUP BY c.oid, n.nspname, c.relname, c.relkind, c.relowner
 ORDER BY max(found.depth), n.nspname, c.relname;

-- attachments
-- What goes with a table or view when it is dropped, and changes what it does: triggers, rules, policies,
-- publications, constraints; and the defaults of a view's columns, which its definition does not have.
SELECT 'row-level security' AS name FROM pg_class WHERE oid = %(oid)s AND relrowsecurity
UNION ALL
SELECT 'trigger ' || tgname AS name FROM pg_trigger WHERE tgrelid = %(oid)s AND NOT tgisinternal
UNION ALL
SELECT 'rule ' || rulename FROM pg_rewrite WHERE ev_class = %(oid)s AND rulename <> '_RETURN'
UNION ALL
SELECT 'policy ' || polname FROM pg_policy WHERE polrelid = %(oid)s
UNION ALL
SELECT 'publication ' || p.pubname FROM pg_publication_rel AS r JOIN pg_publication AS p ON p.oid = r.prpubid
 WHERE r.prrelid = %(oid)s
UNION ALL
SELECT CASE contype WHEN 'f' THEN 'foreign key ' ELSE 'check constraint ' END || conname
  FROM pg_constraint WHERE conrelid = %(oid)s AND contype IN ('c', 'f')
UNION ALL
SELECT 'default of column ' || a.attname
  FROM pg_attrdef AS d
  JOIN pg_class AS c ON c.oid = d.adrelid AND c.relkind = 'v'
  JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
 WHERE d.adrelid = %(oid)s;

-- privileges
-- What the grantees of a relation and of its columns may do; the owner's own are left out.
SELECT NULL AS column, coalesce(role.rolname, '') AS grantee, acl.privilege_type AS privilege, acl.is_grantable AS grantable
  FROM pg_class AS c
  CROSS JOIN LATERAL aclexplode(c.relacl) AS acl
  LEFT JOIN pg_roles AS role ON role.oid = acl.grantee
 WHERE c.oid = %(oid)s AND acl.grantee <> c.relowner
UNION ALL
SELECT a.attname, coalesce(role.rolname, ''), acl.privilege_type, acl.is_grantable
  FROM pg_attribute AS a
  CROSS JOIN LATERAL aclexplode(a.attacl) AS acl
  LEFT JOIN pg_roles AS role ON role.oid = acl.grantee
 WHERE a.attrelid = %(oid)s AND NOT a.attisdropped;

-- default_privileges
-- What is granted on new tables of a schema that this role makes.
SELECT NULL AS column, coalesce(role.rolname, '') AS grantee, acl.privilege_type AS privilege, acl.is_grantable AS grantable
  FROM pg_default_acl AS d
  JOIN pg_namespace AS n ON n.oid = d.defaclnamespace
  CROSS JOIN LATERAL aclexplode(d.defaclacl) AS acl
  LEFT JOIN pg_roles AS role ON role.oid = acl.grantee
 WHERE n.nspname = %(schema)s AND d.defaclobjtype = 'r' AND d.defaclrole = current_user::regrole
   AND acl.grantee <> d.defaclrole;

-- view
-- How a view is made, with every name qualified if the search path is empty.
SELECT pg_get_viewdef(c.oid) AS definition, pg_get_userbyid(c.relowner) AS owner, c.reloptions AS options,
       obj_description(c.oid, 'pg_class') AS comment
  FROM pg_class AS c
 WHERE c.oid = %(oid)s;

-- owner
-- Who owns a relation.
SELECT pg_get_userbyid(relowner) AS owner FROM pg_class WHERE oid = %(oid)s;

-- indexes
-- The indexes of a table, with the columns that they begin with.
SELECT c.relname AS name, i.indisprimary AS is_primary, coalesce(a.attname, 'expression') AS first_column,
       m.amname AS method
  FROM pg_index AS i
  JOIN pg_class AS c ON c.oid = i.indexrelid
  JOIN pg_am AS m ON m.oid = c.relam
  LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
 WHERE i.indrelid = %(oid)s
 ORDER BY c.relname;

-- statistics
-- The extended statistics of a table.
SELECT stxname AS name FROM pg_statistic_ext WHERE stxrelid = %(oid)s ORDER BY stxname;

-- identity_sequence
-- The sequence from which a table's ids come.
SELECT s.relname AS name
  FROM pg_depend AS d
  JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
 WHERE d.refobjid = %(oid)s AND d.deptype = 'i';

-- set_local
-- Set a parameter until the end of the transaction; return what it was.
SELECT current_setting(%(name)s) AS before, set_config(%(name)s, %(value)s, true);

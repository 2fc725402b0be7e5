-- Vector tables are loaded in a schema of their own, which readers are given no use of.
CREATE SCHEMA vector_staging;
GRANT USAGE, CREATE ON SCHEMA vector_staging TO terrane_app;

-- The polygons of which a TIN, a polyhedral surface or a triangle is made, as one geometry.
CREATE FUNCTION app.surface_faces_v1(p_geom geometry) RETURNS geometry
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ST_Collect(
               CASE WHEN ST_GeometryType(part.geom) = 'ST_Triangle'
                    THEN ST_MakePolygon(ST_ExteriorRing(part.geom)) ELSE part.geom END
               ORDER BY part.path)
      FROM ST_Dump(p_geom) AS part
$$;

-- A geometry made valid, without parts of other dimensions than its own.
CREATE FUNCTION app.repair_geometry_v1(p_geom geometry) RETURNS geometry
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN ST_GeometryType(p_geom) = 'ST_GeometryCollection' THEN made.valid
                ELSE ST_CollectionExtract(made.valid, ST_Dimension(p_geom) + 1) END
      FROM (SELECT ST_MakeValid(p_geom, 'method=structure keepcollapsed=false') AS valid) AS made
$$;

-- Whether a line or an area goes from one point to the next by more than half the globe, or beyond 180 degrees.
CREATE FUNCTION app.jumps_v1(p_geom geometry) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN ST_Dimension(p_geom) = 0 OR ST_XMax(p_geom) <= 180 AND ST_XMax(p_geom) - ST_XMin(p_geom) <= 180
            THEN false
        WHEN ST_XMax(p_geom) > 180 THEN true
        ELSE (SELECT coalesce(bool_or(abs(step) > 180), false)
                FROM (SELECT ST_X(point.geom) - lag(ST_X(point.geom)) OVER (
                                 PARTITION BY trim_array(point.path, 1) ORDER BY point.path) AS step
                        FROM ST_DumpPoints(p_geom) AS point) AS steps)
    END
$$;

-- A geometry in degrees, cut at the antimeridian where it jumps, so that each part lies on one side.
CREATE FUNCTION app.split_at_antimeridian_v1(p_geom geometry) RETURNS geometry
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    WITH parts AS (
        SELECT path, geom, app.jumps_v1(geom) AS jumps FROM ST_Dump(p_geom)
    ), unwrapped AS (
        SELECT path, app.repair_geometry_v1(
                   CASE WHEN ST_XMax(geom) > 180 THEN geom ELSE ST_ShiftLongitude(geom) END) AS geom
          FROM parts WHERE jumps
    ), pieces AS (
        SELECT path, 0 AS side, geom FROM parts WHERE NOT jumps
        UNION ALL
        SELECT u.path, s.side, ST_CollectionExtract(ST_Translate(ST_Intersection(
                   u.geom, ST_MakeEnvelope(-180 + s.side * 360, -90, 180 + s.side * 360, 90, ST_SRID(u.geom))),
                   s.side * -360, 0), ST_Dimension(u.geom) + 1)
          FROM unwrapped AS u CROSS JOIN (VALUES (0), (1)) AS s (side)
    )
    SELECT ST_CollectionHomogenize(ST_Collect(geom ORDER BY path, side)) FROM pieces WHERE NOT ST_IsEmpty(geom)
$$;

-- A line or an area without points that repeat the one before, measure included. With heights such a point may
-- be the top of a wall, so it stays.
CREATE FUNCTION app.without_repeated_points_v1(p_geom geometry) RETURNS geometry
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN ST_Zmflag(p_geom) IN (0, 1)
                     AND ST_GeometryType(p_geom) IN ('ST_LineString', 'ST_Polygon', 'ST_MultiLineString',
                                                     'ST_MultiPolygon')
                THEN ST_RemoveRepeatedPoints(p_geom, 0) ELSE p_geom END
$$;

-- A geometry whose areas have outer rings that run counter-clockwise, and holes that run clockwise. What lies in a
-- collection is turned part by part, for PostGIS would turn the lines in it as well.
CREATE FUNCTION app.orient_rings_v1(p_geom geometry) RETURNS geometry
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF ST_IsPolygonCCW(p_geom) THEN
        RETURN p_geom;
    ELSIF ST_GeometryType(p_geom) <> 'ST_GeometryCollection' THEN
        RETURN ST_ForcePolygonCCW(p_geom);
    END IF;
    RETURN (SELECT ST_ForceCollection(ST_Collect(app.orient_rings_v1(ST_GeometryN(p_geom, part)) ORDER BY part))
              FROM generate_series(1, ST_NumGeometries(p_geom)) AS part);
END
$$;

-- A geometry as the table wants it, from one that only PostGIS can read: linearised, repaired, without
-- repeated points, reprojected, cut at the antimeridian, simplified, put on a grid, its rings in order, with the
-- type and the dimensions of the table's column.
-- `actions` says what was done beyond that; `problem` why there is no geometry. Faces of a surface
-- touch along their edges, which repairing would dissolve, so they are left as they are.
CREATE FUNCTION app.prepare_geometry_v1(
    p_wkb bytea, p_rules jsonb, OUT geom geometry, OUT actions text[], OUT problem text)
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    v_geom geometry;
    v_dimensions text := substring(p_rules ->> 'geometry_type' FROM '(ZM|Z|M)$');
    v_type text := regexp_replace(p_rules ->> 'geometry_type', '(ZM|Z|M)$', '');
    v_target integer := (p_rules ->> 'target_srid')::integer;
    v_source integer := (p_rules ->> 'source_srid')::integer;
    v_tolerance float8 := (p_rules ->> 'tolerance')::float8;
    v_grid float8 := (p_rules ->> 'grid')::float8;
    v_faces boolean := false;
    v_points integer;
    v_empty geometry := ST_GeomFromText(
        concat_ws(' ', CASE v_type WHEN 'Geometry' THEN 'GeometryCollection' ELSE v_type END, v_dimensions, 'EMPTY'),
        v_target);
BEGIN
    actions := '{}';
    v_geom := ST_GeomFromWKB(p_wkb);
    IF v_geom IS NULL OR ST_IsEmpty(v_geom) THEN
        -- In a column of all types it stays the kind that it was.
        geom := CASE WHEN v_geom IS NULL THEN NULL
                     WHEN v_type = 'Geometry'
                          AND ST_GeometryType(v_geom) IN ('ST_Point', 'ST_LineString', 'ST_Polygon', 'ST_MultiPoint',
                                                          'ST_MultiLineString', 'ST_MultiPolygon')
                     THEN ST_GeomFromText(
                              concat_ws(' ', substr(ST_GeometryType(v_geom), 4), v_dimensions, 'EMPTY'), v_target)
                     ELSE v_empty END;
        RETURN;
    END IF;
    IF ST_GeometryType(v_geom) IN ('ST_CircularString', 'ST_CompoundCurve', 'ST_CurvePolygon', 'ST_MultiCurve',
                                   'ST_MultiSurface') OR ST_HasArc(v_geom) THEN
        v_geom := CASE WHEN p_rules ->> 'curve_tolerance' IS NULL THEN ST_CurveToLine(v_geom, 32, 0, 1)
                       ELSE ST_CurveToLine(v_geom, (p_rules ->> 'curve_tolerance')::float8, 1, 1) END;
        actions := actions || 'linearised'::text;
    END IF;
    IF ST_GeometryType(v_geom) IN ('ST_Tin', 'ST_PolyhedralSurface', 'ST_Triangle') THEN
        v_geom := app.surface_faces_v1(v_geom);
        v_faces := true;
        actions := actions || 'faces'::text;
    END IF;
    IF NOT v_faces AND NOT ST_IsValid(v_geom) THEN
        v_geom := app.repair_geometry_v1(v_geom);
        actions := actions || 'made_valid'::text;
    END IF;
    IF NOT v_faces THEN
        v_points := ST_NPoints(v_geom);
        v_geom := app.without_repeated_points_v1(v_geom);
        IF ST_NPoints(v_geom) < v_points THEN
            actions := actions || 'repeated_points'::text;
        END IF;
    END IF;
    IF v_source IS NULL THEN
        v_geom := ST_Transform(v_geom, p_rules ->> 'source_crs', v_target);
    ELSIF v_source <> v_target THEN
        v_geom := ST_Transform(ST_SetSRID(v_geom, v_source), v_target);
    END IF;
    v_geom := ST_SetSRID(v_geom, v_target);
    IF (p_rules ->> 'split')::boolean AND app.jumps_v1(v_geom)
       AND EXISTS (SELECT 1 FROM spatial_ref_sys WHERE srid = v_target AND proj4text LIKE '%longlat%') THEN
        v_geom := app.split_at_antimeridian_v1(v_geom);
        actions := actions || 'split_at_antimeridian'::text;
    END IF;
    IF v_tolerance IS NOT NULL THEN
        v_geom := CASE WHEN (p_rules ->> 'preserve_topology')::boolean
                       THEN ST_SimplifyPreserveTopology(v_geom, v_tolerance)
                       ELSE ST_Simplify(v_geom, v_tolerance) END;
    END IF;
    IF v_grid IS NOT NULL THEN
        v_geom := ST_SnapToGrid(v_geom, v_grid);
    END IF;
    IF (v_tolerance IS NOT NULL OR v_grid IS NOT NULL) AND NOT v_faces AND NOT ST_IsValid(v_geom) THEN
        v_geom := app.repair_geometry_v1(v_geom);
    END IF;
    IF NOT v_faces AND NOT ST_IsPolygonCCW(v_geom) THEN
        v_geom := app.orient_rings_v1(v_geom);
        actions := actions || 'ring_order'::text;
    END IF;
    v_geom := CASE v_dimensions WHEN 'ZM' THEN ST_Force4D(v_geom) WHEN 'Z' THEN ST_Force3DZ(v_geom)
                                WHEN 'M' THEN ST_Force3DM(v_geom) ELSE ST_Force2D(v_geom) END;
    v_geom := CASE WHEN v_type = 'GeometryCollection' THEN ST_ForceCollection(v_geom)
                   WHEN v_type LIKE 'Multi%' THEN ST_Multi(v_geom) ELSE v_geom END;
    IF ST_IsEmpty(v_geom) THEN
        geom := v_empty;
        RETURN;
    END IF;
    IF ST_XMin(v_geom) = '-Infinity' OR ST_XMax(v_geom) = 'Infinity' OR ST_YMin(v_geom) = '-Infinity'
       OR ST_YMax(v_geom) = 'Infinity' OR ST_XMax(v_geom) = 'NaN' OR ST_YMax(v_geom) = 'NaN' THEN
        problem := 'it has coordinates that are not finite';
    ELSIF v_type <> 'Geometry' AND lower(ST_GeometryType(v_geom)) <> 'st_' || lower(v_type) THEN
        problem := format('it became %s where the table holds %s', substr(ST_GeometryType(v_geom), 4), v_type);
    ELSE
        geom := v_geom;
    END IF;
EXCEPTION WHEN others THEN
    problem := SQLERRM;
END
$$;
GRANT EXECUTE ON FUNCTION app.surface_faces_v1, app.repair_geometry_v1, app.jumps_v1,
    app.without_repeated_points_v1, app.orient_rings_v1, app.split_at_antimeridian_v1,
    app.prepare_geometry_v1 TO terrane_app;

"""Where the rows of a table lie on the Earth, in bounded memory whatever their number."""

import json
from collections.abc import Sequence

from psycopg import sql

from core.models.tables import Extent
from infrastructure.database import Connection

# The bounds of all rows are gathered in this many cells each way, and the hull is that of the cells.
_CELLS = 32

_CELLS_OF_ROWS = sql.SQL("""
WITH whole AS (
    SELECT ST_Extent(geom)::box2d AS box FROM {table}
), cells AS (
    SELECT ST_SetSRID(ST_Extent(t.geom)::geometry, max(ST_SRID(t.geom))) AS box
      FROM {table} AS t, whole
     WHERE NOT ST_IsEmpty(t.geom)
     GROUP BY floor(({cells} * ((ST_XMin(t.geom) + ST_XMax(t.geom)) / 2 - ST_XMin(whole.box)))
                    / nullif(ST_XMax(whole.box) - ST_XMin(whole.box), 0)),
              floor(({cells} * ((ST_YMin(t.geom) + ST_YMax(t.geom)) / 2 - ST_YMin(whole.box)))
                    / nullif(ST_YMax(whole.box) - ST_YMin(whole.box), 0))
), placed AS (
    SELECT CASE WHEN ST_SRID(box) = 4326 THEN box
                ELSE ST_Transform(ST_Segmentize(box, greatest(ST_Perimeter(box) / 256, 1e-9)), 4326)
           END AS box
      FROM cells
), shifted AS (
    SELECT ST_WrapX(ST_ConvexHull(ST_Collect(ST_ShiftLongitude(box))), 180, -360) AS hull FROM placed
)
SELECT ST_XMin(whole.box) AS xmin, ST_YMin(whole.box) AS ymin, ST_XMax(whole.box) AS xmax,
       ST_YMax(whole.box) AS ymax,
       (SELECT array_agg(ARRAY[ST_XMin(box), ST_XMax(box)]) FROM placed) AS spans,
       (SELECT min(ST_YMin(box)) FROM placed) AS south, (SELECT max(ST_YMax(box)) FROM placed) AS north,
       (SELECT ST_AsGeoJSON(ST_ConvexHull(ST_Collect(box)), 9) FROM placed) AS plain,
       (SELECT ST_AsGeoJSON(hull, 9) FROM shifted) AS shifted
  FROM whole
""")


def extent(connection: Connection, table: sql.Identifier) -> Extent | None:
    """Return the bounds and the hull of a table's rows; None if no row has a point."""
    statement = _CELLS_OF_ROWS.format(table=table, cells=sql.Literal(_CELLS))
    row = connection.execute(statement).fetchone()
    if row is None or row["xmin"] is None:
        return None
    west, east = narrowest(row["spans"])
    crosses = west > east
    return Extent(
        bbox=(west, row["south"], east, row["north"]),
        footprint=json.loads(row["shifted"] if crosses else row["plain"]),
        native_bbox=(row["xmin"], row["ymin"], row["xmax"], row["ymax"]),
    )


def narrowest(spans: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Return west and east of spans of longitude; west > east if they are shorter across 180 degrees.

    Two places on the shores of one ocean are taken for neighbours across it only if all the
    longitudes between them the other way, more than half the globe, are empty.
    """
    ordered = sorted((float(west), float(east)) for west, east in spans)
    reach, widest, west_of_gap = ordered[0][1], 0.0, ordered[0][1]
    east_of_gap = ordered[0][0]
    for west, east in ordered[1:]:
        if west - reach > widest:
            widest, west_of_gap, east_of_gap = west - reach, reach, west
        reach = max(reach, east)
    if widest > 180:
        return east_of_gap, west_of_gap
    return ordered[0][0], reach

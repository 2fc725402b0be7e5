"""Error codes and finding codes of vectors."""

from core.errors import ErrorCode

UNSUPPORTED_FORMAT = ErrorCode(
    "vector.unsupported_format",
    "The file is not a vector file of a supported format",
    "Send GeoJSON, newline-delimited GeoJSON, TopoJSON, GeoPackage, a zipped Shapefile, File Geodatabase or "
    "MapInfo table, KML, KMZ, CSV, GPX, FlatGeobuf or GeoParquet; convert other formats with ogr2ogr.",
)
CONTENT_MISMATCH = ErrorCode(
    "vector.content_mismatch",
    "The content is not what the extension says",
    "Submit again with the `file_extension` of what the file is, or send the file that was meant.",
)
EXTERNAL_REFERENCE = ErrorCode(
    "vector.external_reference",
    "The file points at another file or address",
    "Send one file that holds its own features: open it where it works and export it, e.g. with ogr2ogr.",
)
NETWORK_LINKS = ErrorCode(
    "vector.network_links",
    "The KML file holds links to other files",
    "Links are not followed: open the links, save what they show as KML, and send that.",
)
UNREADABLE = ErrorCode(
    "vector.unreadable",
    "The file cannot be read",
    "The file is damaged: check it with ogrinfo -al, write it anew and upload it again.",
)
TRUNCATED = ErrorCode(
    "vector.truncated",
    "The file ends before its features do",
    "The upload or the export broke off: compare the sizes and upload the file again.",
)
ZIP_UNSAFE = ErrorCode(
    "vector.zip_unsafe",
    "The archive is refused",
    "Pack the files anew: plain files and folders, no links, no passwords, no archives within.",
)
ZIP_AMBIGUOUS = ErrorCode(
    "vector.zip_ambiguous",
    "The archive holds several data sets",
    "Send one data set an archive, or name the one that is meant in `converter_params` "
    "(`shp_name`, `kml_name`).",
)
ZIP_WITHOUT_DATA = ErrorCode(
    "vector.zip_without_data",
    "The archive holds no data set of a supported format",
    "Pack the files of one data set: for a Shapefile .shp, .shx, .dbf and .prj.",
)
SHAPEFILE_LOOSE = ErrorCode(
    "vector.shapefile_loose",
    "A .shp file alone is only a part of a Shapefile",
    "Put .shp, .shx, .dbf and .prj in one ZIP archive and send that.",
)
PART_MISSING = ErrorCode(
    "vector.part_missing",
    "A part of the data set is missing",
    "Add the file that is named and send the archive again.",
)
LAYER_AMBIGUOUS = ErrorCode(
    "vector.layer_ambiguous",
    "The file has several layers",
    "Name one in `layer`, or pass `layer=*` to merge them.",
)
LAYER_UNKNOWN = ErrorCode(
    "vector.layer_unknown", "The file has no such layer", "Use one of the layers that are listed."
)
LAYERS_DIFFER = ErrorCode(
    "vector.layers_differ",
    "The layers cannot be merged",
    "Submit each layer by itself, naming it in `layer`.",
)
EMPTY = ErrorCode(
    "vector.empty", "The file has no features", "Check the export; the layer or the filter may be wrong."
)
GEOMETRIES_MISSING = ErrorCode(
    "vector.geometries_missing",
    "No feature has a usable geometry",
    "Check the export: attributes without geometries cannot be put on a map.",
)
NOT_SPATIAL = ErrorCode(
    "vector.not_spatial",
    "The layer has no geometries",
    "Choose a layer with geometries, or send the table as CSV with coordinates.",
)
CRS_MISSING = ErrorCode(
    "vector.crs_missing",
    "The file has no coordinate reference system",
    "Submit again with `input_crs`, e.g. EPSG:25832, or add the .prj file.",
)
CRS_UNKNOWN = ErrorCode(
    "vector.crs_unknown",
    "The coordinate reference system is not known",
    "Use a code that PROJ knows (EPSG:4326, ESRI:54009) or WKT 2; where the file's own is damaged, send it "
    "without (a Shapefile without its .prj) and with `input_crs`.",
)
CRS_MISMATCH = ErrorCode(
    "vector.crs_mismatch",
    "`input_crs` contradicts the file",
    "Leave `input_crs` out to use the file's own, or correct the file with ogr2ogr -a_srs.",
)
CRS_ASSUMED = ErrorCode(
    "vector.crs_assumed",
    "The CRS comes from outside the file",
    "Check that the features lie where they should.",
)
TARGET_CRS_UNSUITABLE = ErrorCode(
    "vector.target_crs_unsuitable",
    "`target_crs` cannot be that of a table",
    "Use a CRS with an EPSG code, e.g. EPSG:4326.",
)
COLUMNS_TOO_MANY = ErrorCode(
    "vector.columns_too_many",
    "The file has more columns than a table can have",
    "Keep the columns that matter (ogr2ogr -select), or put the others in one JSON column.",
)
COLUMN_RENAMED = ErrorCode(
    "vector.column_renamed",
    "Columns were given other names",
    "Nothing: the result and the comments of the columns have both names.",
)
COLUMN_TYPE_WIDENED = ErrorCode(
    "vector.column_type_widened",
    "A column's values do not fit into one narrow type",
    "Nothing, if text is fine; else clean the column at its source.",
)
VALUES_CHANGED = ErrorCode(
    "vector.values_changed",
    "Values that a table cannot hold were changed",
    "Correct them at their source if they matter.",
)
ENCODING_ASSUMED = ErrorCode(
    "vector.encoding_assumed",
    "The encoding of the text was guessed",
    "Give `converter_params.encoding`, or add the .cpg file, if letters look wrong.",
)
ENCODING_UNKNOWN = ErrorCode(
    "vector.encoding_unknown",
    "The text is not in the encoding named",
    "Give the right `converter_params.encoding`, e.g. utf-8 or cp1252.",
)
CSV_COLUMNS_MISSING = ErrorCode(
    "vector.csv_columns_missing",
    "The CSV file lacks the columns of the coordinates",
    "Name columns of the header in `converter_params`: `lat_name` and `lon_name`, or `wkt_column`.",
)
CSV_HEADER_INVALID = ErrorCode(
    "vector.csv_header_invalid",
    "The CSV file has no usable header",
    "Put the names of the columns in the first row, separated as the rows are.",
)
BAD_ROWS = ErrorCode(
    "vector.bad_rows",
    "Too many rows cannot be read",
    "Correct the rows that are listed, or raise `converter_params.max_bad_rows_percent`.",
)
ROW_MALFORMED = ErrorCode(
    "vector.row_malformed",
    "Rows that cannot be read",
    "Correct the rows that are listed.",
)
COORDINATES_MALFORMED = ErrorCode(
    "vector.coordinates_malformed",
    "Coordinates that are no numbers",
    "Correct the rows that are listed; `converter_params.decimal` tells the decimal mark.",
)
COORDINATES_OUT_OF_RANGE = ErrorCode(
    "vector.coordinates_out_of_range",
    "Coordinates outside what the CRS can hold",
    "Check for swapped axes and for a wrong CRS (`input_crs`).",
)
COORDINATES_NOT_FINITE = ErrorCode(
    "vector.coordinates_not_finite",
    "Coordinates that are infinite or not a number",
    "Correct the features that are listed.",
)
GEOMETRY_MALFORMED = ErrorCode(
    "vector.geometry_malformed",
    "Geometries that cannot be read",
    "Correct the features that are listed.",
)
GEOMETRY_NULL = ErrorCode(
    "vector.geometry_null", "Features without a geometry", "Pass `geometry_params.null=keep` to keep them."
)
GEOMETRY_EMPTY = ErrorCode(
    "vector.geometry_empty",
    "Features whose geometry has no point",
    "Pass `geometry_params.empty=keep` to keep them.",
)
GEOMETRY_COLLAPSED = ErrorCode(
    "vector.geometry_collapsed",
    "Geometries of which nothing is left",
    "They have no area or length after repair or rounding: correct them, or choose a finer tolerance.",
)
NOT_REPROJECTABLE = ErrorCode(
    "vector.not_reprojectable",
    "Geometries that the target CRS cannot hold",
    "Check the CRS of the file (`input_crs`), or choose another `target_crs`.",
)
GEOMETRY_REPAIRED = ErrorCode(
    "vector.geometry_repaired",
    "Geometries were repaired",
    "Nothing; the result says how many and why.",
)
EXTENT_SUSPICIOUS = ErrorCode(
    "vector.extent_suspicious",
    "The extent is odd for the CRS",
    "Check that the CRS is the right one.",
)
READER_WARNING = ErrorCode(
    "vector.reader_warning",
    "The reader noticed something",
    "Check the features if the warning concerns them.",
)
GEOMETRY_UNUSABLE = ErrorCode(
    "vector.geometry_unusable",
    "Geometries that PostGIS cannot use",
    "Correct the features that are listed, or convert curves and surfaces before the upload.",
)
INDEX_COLUMN_UNKNOWN = ErrorCode(
    "vector.index_column_unknown",
    "A column to be indexed does not exist",
    "Name columns of the file in `indexes`, by the names that are listed.",
)
INDEX_COLUMN_NOT_TEMPORAL = ErrorCode(
    "vector.index_column_not_temporal",
    "A column to be indexed as a time holds no times",
    "Name columns of dates, times or years in `indexes.temporal`, and others in `indexes.attributes`; the "
    "values of the file tell the type of its columns.",
)
CHUNKS_INCOMPLETE = ErrorCode(
    "vector.chunks_incomplete",
    "Rows that were read are in no chunk",
    "This is a bug: report it with the job id.",
)
ROWS_LOST = ErrorCode(
    "vector.rows_lost",
    "Rows that were prepared are not in the table",
    "This is a bug, or something else writes to the staging schema: report it with the job id.",
)

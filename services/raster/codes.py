"""Error codes and finding codes of rasters."""

from core.errors import ErrorCode

UNSUPPORTED_FORMAT = ErrorCode(
    "raster.unsupported_format",
    "The file is not a raster of a supported format",
    "Send GeoTIFF, Erdas Imagine (.img), JPEG 2000, Arc/Info ASCII grid, SRTM .hgt, DTED or PNG; "
    "convert other formats with gdal_translate.",
)
UNREADABLE = ErrorCode(
    "raster.unreadable",
    "The raster cannot be opened",
    "The header is damaged: check the file with gdalinfo, write it anew and upload it again.",
)
TRUNCATED = ErrorCode(
    "raster.truncated",
    "The file ends before its pixels do",
    "The upload or the copy broke off: compare the sizes and upload the file again.",
)
CORRUPT = ErrorCode(
    "raster.corrupt",
    "Pixels of the raster cannot be decoded",
    "The file is damaged: check it with gdalinfo -checksum, write it anew and upload it again.",
)
EXTERNAL_REFERENCE = ErrorCode(
    "raster.external_reference",
    "The raster points at another file",
    "Send one file that holds its own pixels: gdal_translate writes one without OVERVIEW_FILE, "
    "geolocation arrays or external parts.",
)
SIZE_ZERO = ErrorCode("raster.size_zero", "The raster has no pixels", "Write the file anew from its source.")
BANDS_INVALID = ErrorCode(
    "raster.bands_invalid",
    "The raster has bands that cannot be published together",
    "Send bands of one data type, at most 1,000 of them.",
)
COMPLEX_UNSUPPORTED = ErrorCode(
    "raster.complex_unsupported",
    "Complex numbers cannot be published",
    "Send amplitude, phase or real and imaginary parts as bands of real numbers.",
)
CRS_MISSING = ErrorCode(
    "raster.crs_missing",
    "The raster has no coordinate reference system",
    "Submit again with `input_crs`, e.g. EPSG:32633, or send a .prj file of the same name beside it.",
)
CRS_UNKNOWN = ErrorCode(
    "raster.crs_unknown",
    "The coordinate reference system is not known",
    "Use a code that PROJ knows (EPSG:4326, ESRI:54009) or WKT 2.",
)
CRS_MISMATCH = ErrorCode(
    "raster.crs_mismatch",
    "`input_crs` contradicts the file",
    "Leave `input_crs` out to use the file's own, or correct the file with gdal_edit.py -a_srs.",
)
CRS_ASSUMED = ErrorCode(
    "raster.crs_assumed",
    "The CRS comes from outside the file",
    "Check that the item lies where it should.",
)
GEOREFERENCING_MISSING = ErrorCode(
    "raster.georeferencing_missing",
    "Nothing says where the pixels lie",
    "Send a world file (.tfw) of the same name beside it, or georeference it with gdal_translate -a_ullr.",
)
GEOTRANSFORM_INVALID = ErrorCode(
    "raster.geotransform_invalid",
    "The geotransform is not usable",
    "Georeference the file anew: gdal_translate -a_ullr or a world file.",
)
GRID_ROTATED = ErrorCode(
    "raster.grid_rotated", "The grid is rotated", "Nothing: it is kept, or straightened by the warp."
)
GRID_FLIPPED = ErrorCode(
    "raster.grid_flipped",
    "Rows run from south to north, or columns from east to west",
    "Nothing: it is kept where nothing is resampled, and turned by a warp.",
)
GEOREFERENCED_BY_GCPS = ErrorCode(
    "raster.gcps",
    "The raster is placed by ground control points",
    "Check the result against a map; an orthorectified source is more exact.",
)
GCPS_TOO_FEW = ErrorCode(
    "raster.gcps_too_few",
    "The ground control points do not place the raster",
    "Give at least three ground control points that do not lie on one line; of six or more, one at "
    "least must lie beside the others' circle or pair of lines.",
)
GEOREFERENCED_BY_RPCS = ErrorCode(
    "raster.rpcs",
    "The raster is placed by rational polynomials at one height",
    "Set `rpc_height` to the mean height above the ellipsoid; relief shifts pixels: "
    "orthorectify with a DEM first where that matters.",
)
EXTENT_IMPOSSIBLE = ErrorCode(
    "raster.extent_impossible",
    "The extent lies outside what the CRS can hold",
    "The CRS or the geotransform is wrong: correct it, or give the right `input_crs`.",
)
EXTENT_SUSPICIOUS = ErrorCode(
    "raster.extent_suspicious",
    "The extent is odd for the CRS",
    "Check that the CRS is the right one.",
)
ANTIMERIDIAN = ErrorCode(
    "raster.antimeridian",
    "The raster crosses the antimeridian",
    "Nothing: the footprint is split; longitudes of the COG run beyond 180.",
)
POLE = ErrorCode(
    "raster.pole",
    "The raster holds a pole",
    "Choose a polar `target_crs` such as EPSG:3413 or EPSG:3031 to keep its resolution.",
)
OUTPUT_TOO_LARGE = ErrorCode(
    "raster.output_too_large",
    "The warped raster would be far larger than the source",
    "Choose a `target_crs` made for the area, or give `resolution`.",
)
DISK_FULL = ErrorCode(
    "raster.disk_full",
    "The worker's disk has too little room for this raster now",
    "Try again when other tasks have ended, or run the worker with more disk.",
    retryable=True,
)
DISK_TOO_SMALL = ErrorCode(
    "raster.disk_too_small",
    "The worker's disk is too small for this raster, even when it is empty",
    "Split the raster, or run the worker with more disk.",
)
TYPE_MISMATCH = ErrorCode(
    "raster.type_mismatch",
    "The data are not of the type that `raster_type` says",
    "Leave `raster_type` out, or submit what the data are.",
)
TYPE_UNCERTAIN = ErrorCode(
    "raster.type_uncertain",
    "What the raster shows could not be told for sure",
    "Give `raster_type`: it decides how pixels are resampled.",
)
TYPE_ASSERTED = ErrorCode(
    "raster.type_asserted",
    "`raster_type` overrules an uncertain detection",
    "Nothing, if the type is right.",
)
BIT_DEPTH_WASTEFUL = ErrorCode(
    "raster.bit_depth",
    "The data type is wider than any sensor",
    "Convert to float32, int16 or uint16 with gdal_translate -ot.",
)
BIT_DEPTH_CLASSES = ErrorCode(
    "raster.bit_depth_classes",
    "A few values are stored as floating point",
    "Convert classes to uint8 with gdal_translate -ot Byte.",
)
BIT_DEPTH_INTEGERS = ErrorCode(
    "raster.bit_depth_integers",
    "Whole numbers are stored as floating point",
    "Convert to the smallest integer type that holds them.",
)
NODATA_INVALID = ErrorCode(
    "raster.nodata_invalid",
    "The nodata value does not fit the data type",
    "Correct it with gdal_edit.py -a_nodata, or give `nodata`.",
)
NODATA_DIFFERS = ErrorCode(
    "raster.nodata_differs",
    "Bands declare different nodata values",
    "GeoTIFF holds one: give all bands the same with gdalwarp -dstnodata.",
)
NODATA_SUSPECTED = ErrorCode(
    "raster.nodata_suspected",
    "One value fills the border and is not declared as nodata",
    "If it means `no data`, declare it: gdal_edit.py -a_nodata.",
)
NO_DATA = ErrorCode("raster.no_data", "Every pixel is nodata", "Check the file and its nodata value or mask.")
BLANK = ErrorCode(
    "raster.blank",
    "Every pixel has the same value",
    "Check the file; if one class is all that it should hold, submit it with raster_type=categorical.",
)
TIER_UNSUITABLE = ErrorCode(
    "raster.tier_unsuitable",
    "The output tier does not suit the data",
    "visualization (JPEG) holds three 8-bit bands, or four with alpha; use analysis or archive.",
)
PAGES_IGNORED = ErrorCode(
    "raster.pages_ignored",
    "Only the first image of the file is used",
    "Split a file of several pages, and submit each.",
)
RESAMPLING_INVALID = ErrorCode(
    "raster.resampling_invalid",
    "The resampling method does not suit the data",
    "Classes and palettes take nearest or mode only.",
)
VALIDITY_ADDED = ErrorCode(
    "raster.validity_added",
    "The warp leaves corners without data, so validity was added",
    "Declare nodata in the source to choose how.",
)
COG_INVALID = ErrorCode(
    "raster.cog_invalid",
    "What was written is not the COG asked for",
    "This is a bug: report it with the job id.",
)
THUMBNAIL_EMPTY = ErrorCode(
    "raster.thumbnail_empty", "There is nothing to draw", "The raster holds no valid pixel."
)

"""What one stage of a vector job hands to the next."""

from collections.abc import Container
from itertools import groupby

from pydantic import AwareDatetime, BaseModel

from core.models.tables import GeometryRules
from core.ports.blobs import BlobRef
from core.vector_options import GeometryOptions
from services.vector.models import ChunkFile, Dropped, PreparedVector

#: Schema of tables that are being loaded.
STAGING_SCHEMA = "vector_staging"


class VectorSource(BaseModel):
    """A source as it was when the job first looked; a changed one is refused later."""

    container: str
    name: str
    etag: str | None = None
    nbytes: int | None = None
    last_modified: AwareDatetime | None = None

    @property
    def ref(self) -> BlobRef:
        """Return the source's place."""
        return BlobRef(self.container, self.name)


class ChunkRun(BaseModel):
    """Chunks that follow each other and differ in nothing but their numbers.

    Args:
        rules: Set if PostGIS has to work on the geometries.
        is_loaded: Whether they are in the table already.
    """

    count: int
    rows: int
    rules: GeometryRules | None = None
    is_loaded: bool = False


class LoadedChunk(BaseModel):
    """Result of ``process_vector_upload``, or what several such loads come to."""

    chunks: int = 1
    rows: int
    replaced: int
    nbytes: int
    repaired: dict[str, int] = {}
    dropped: list[Dropped] = []
    seconds: float


class PreparedChunks(BaseModel):
    """Result of ``process_vector_prepare``; what is long of it lies in the blob `prepared`.

    Args:
        staged: Table that the chunks are loaded into.
        geometry_type: Modifier of its geometries.
        container: Of the chunks.
        prefix: Of their names; ``chunk_00000.parquet`` and so on follow.
        attributes: Columns of the table that get a B-tree.
        temporal: Columns that get a BRIN.
        loaded: What was loaded while the file was being read.
    """

    source: VectorSource
    staged: str
    geometry_type: str
    container: str
    prefix: str
    prepared: str
    runs: list[ChunkRun]
    chunks: int
    rows_read: int
    rows_prepared: int
    attributes: list[str]
    temporal: list[str]
    loaded: LoadedChunk | None = None
    seconds: dict[str, float]


def chunk_runs(
    prepared: PreparedVector, options: GeometryOptions, loaded: Container[str] = ()
) -> list[ChunkRun]:
    """Say the same of a hundred thousand equal chunks in one line.

    Args:
        prepared: What the child said.
        options: What the caller wants.
        loaded: Names of chunks that are in the table already.
    """
    described = [
        (chunk.rows, _rules(chunk, prepared, options), chunk.name in loaded) for chunk in prepared.chunks
    ]
    return [
        ChunkRun(count=len(list(group)), rows=rows, rules=rules, is_loaded=is_loaded)
        for (rows, rules, is_loaded), group in groupby(described)
    ]


def _rules(chunk: ChunkFile, prepared: PreparedVector, options: GeometryOptions) -> GeometryRules | None:
    if not chunk.sql_path:
        return _as_prepared(prepared) if prepared.geometry_type.endswith("M") else None
    simplify, quantize = options.simplify, options.quantize
    return GeometryRules(
        source_srid=chunk.source_srid,
        source_crs=chunk.source_crs,
        target_srid=prepared.target_srid,
        geometry_type=prepared.geometry_type,
        curve_tolerance=options.curve_tolerance,
        split=options.antimeridian == "split",
        tolerance=simplify.tolerance if simplify else None,
        preserve_topology=simplify.preserve_topology if simplify else True,
        grid=quantize.snap_to_grid if quantize else None,
        keep_empty=options.empty == "keep",
    )


def _as_prepared(prepared: PreparedVector) -> GeometryRules:
    """Let PostGIS give geometries that are ready the measures that others of the table have."""
    return GeometryRules(
        source_srid=prepared.target_srid,
        source_crs=None,
        target_srid=prepared.target_srid,
        geometry_type=prepared.geometry_type,
        keep_empty=True,
    )

"""Settings of a deployment, from environment variables; each class is one concern."""

from datetime import timedelta
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from config.defaults import StorageDefaults, is_kept_schema


class DatabaseSettings(BaseSettings):
    """The app database: engine, catalogue and vector tables."""

    model_config = SettingsConfigDict(env_prefix="POSTGIS_")

    host: str = Field(default="localhost", description="Host name or socket directory of the server.")
    port: int = Field(default=5432, description="Port; 6432 for the built-in PgBouncer.")
    database: str = Field(default="terrane", description="Name of the app database.")
    user: str = Field(default="terrane_app", description="Role of the running app; owns nothing.")
    password: SecretStr | None = Field(
        default=None, description="Password; without one an Entra ID token is used."
    )
    sslmode: str = Field(default="prefer", description="libpq's sslmode; `require` in Azure.")
    pool_size: int = Field(default=4, ge=1, le=50, description="Most pooled connections of a process.")
    connect_timeout_seconds: int = Field(default=10, ge=1, description="Time to open a connection.")
    statement_timeout_seconds: int = Field(
        default=30, ge=1, description="Longest statement, but for effects that set their own."
    )
    prepare_threshold: int | None = Field(
        default=5, description="Executions before a statement is prepared; empty behind an old PgBouncer."
    )

    @field_validator("prepare_threshold", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value


class MaintenanceSettings(BaseSettings):
    """The role that owns the schemas, for the routes that rebuild them; without it they refuse."""

    model_config = SettingsConfigDict(env_prefix="MAINTENANCE_")

    user: str = Field(default="", description="Role that owns the schemas; empty: no rebuild over HTTP.")
    password: SecretStr | None = Field(
        default=None, description="Its password; without one an Entra ID token is used."
    )

    @field_validator("password", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value


class StorageSettings(BaseSettings):
    """The storage account and its zones."""

    model_config = SettingsConfigDict(env_prefix="STORAGE_")

    account_name: str = Field(default="", description="Account, when an identity is used.")
    connection_string: SecretStr | None = Field(
        default=None, description="Connection string, when none is; Azurite's on a laptop."
    )
    bronze_rasters: str = Field(default=StorageDefaults.BRONZE_RASTERS, description="Raster sources.")
    bronze_vectors: str = Field(default=StorageDefaults.BRONZE_VECTORS, description="Vector sources.")
    silver_cogs: str = Field(default=StorageDefaults.SILVER_COGS, description="Published COGs.")
    silver_mosaicjson: str = Field(
        default=StorageDefaults.SILVER_MOSAICJSON, description="Published mosaics."
    )
    silver_vectors: str = Field(
        default=StorageDefaults.SILVER_VECTORS, description="Pictures of published tables."
    )
    temp: str = Field(default=StorageDefaults.TEMP, description="Intermediate blobs.")
    timeout_seconds: int = Field(default=60, ge=1, description="Longest wait for one request.")


class BusSettings(BaseSettings):
    """Service Bus. The connection's name is fixed because the bindings of the triggers use it."""

    model_config = SettingsConfigDict(env_prefix="SERVICE_BUS_", populate_by_name=True)

    connection_string: SecretStr | None = Field(
        default=None, alias="ServiceBusConnection", description="Connection string, if no identity is used."
    )
    namespace: str = Field(
        default="",
        alias="ServiceBusConnection__fullyQualifiedNamespace",
        description="Host name of the namespace, when an identity is used.",
    )
    light_queue: str = Field(default="terrane-light", description="Queue of the light lane.")
    heavy_queue: str = Field(default="terrane-heavy", description="Queue of the heavy lane.")
    send_timeout_seconds: float = Field(
        default=1.0, gt=0, description="How long a request waits for its bell to be sent."
    )


class EngineSettings(BaseSettings):
    """The engine's times and limits."""

    model_config = SettingsConfigDict(env_prefix="ENGINE_")

    serve_lanes: tuple[Literal["light", "heavy"], ...] = Field(
        default=("light", "heavy"), description="Lanes whose triggers this app registers, as JSON."
    )
    heartbeat_seconds: float = Field(default=10, gt=0, description="Time between heartbeats.")
    lease_seconds: float = Field(default=45, gt=0, description="How long a silent worker keeps its tasks.")
    bells: int = Field(default=200, ge=1, description="Most bells rung for one commit.")
    light_pace_ms: float = Field(default=2, ge=0, description="Turn of a light task per position, in ms.")
    heavy_pace_ms: float = Field(default=1000, ge=0, description="The same for heavy tasks.")
    one_slot_up_to: int = Field(default=256, ge=1, description="Largest stage counted in one slot, in tasks.")
    slots: int = Field(default=16, ge=1, le=256, description="Slots of a larger stage.")
    claim_batch: int = Field(default=100, ge=1, le=500, description="Most light tasks claimed at once.")
    invocation_seconds: float = Field(
        default=20, gt=0, description="How long an invocation goes on claiming light tasks."
    )
    max_rescues: int = Field(default=5, ge=0, description="Deaths of workers that a task survives.")
    child_memory_mib: int = Field(default=1024, ge=128, description="Resident memory of an isolated child.")
    child_deadline_seconds: float = Field(
        default=1500, gt=0, description="Longest isolated call; below host.json's functionTimeout."
    )
    workspace: str = Field(default="", description="Directory of the tasks' workspaces; empty: the system's.")
    database_patience_seconds: float = Field(
        default=120, ge=0, description="How long an invocation waits for a lost database."
    )
    retention_days: int = Field(default=90, ge=1, description="Age at which events and ended tasks go.")

    @property
    def lease(self) -> timedelta:
        """Return how long a claim holds without a heartbeat."""
        return timedelta(seconds=self.lease_seconds)


class RasterSettings(BaseSettings):
    """Limits and defaults of raster jobs."""

    model_config = SettingsConfigDict(env_prefix="RASTER_")

    target_crs: str = Field(default="EPSG:4326", description="CRS of COGs unless a job names one.")
    max_file_size_mb: int = Field(default=20_000, ge=0, description="Largest source in MB; 0: no limit.")
    gdal_threads: int = Field(default=2, ge=1, description="Threads of one GDAL call.")
    gdal_cache_mib: int = Field(default=256, ge=32, description="GDAL's block cache.")
    default_collection: str = Field(default="system-rasters", description="Collection of single rasters.")


class VectorSettings(BaseSettings):
    """Limits and defaults of vector jobs."""

    model_config = SettingsConfigDict(env_prefix="VECTOR_")

    schemas: tuple[str, ...] = Field(default=("geo",), description="Schemas that jobs publish in, as JSON.")
    max_file_size_mb: int = Field(default=20_000, ge=0, description="Largest source in MB; 0: no limit.")

    @field_validator("schemas")
    @classmethod
    def _are_for_vectors(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        kept = [name for name in value if is_kept_schema(name)]
        if kept:
            raise ValueError(f"{', '.join(kept)}: vector tables are never published there")
        return value


class CatalogueSettings(BaseSettings):
    """pgSTAC and the addresses that items link to."""

    model_config = SettingsConfigDict(env_prefix="CATALOGUE_")

    public_url: str = Field(
        default="",
        description="Address of this app as clients see it; empty: what a proxy or the request says.",
    )
    apis: tuple[Literal["stac", "features", "raster"], ...] = Field(
        default=("stac", "features", "raster"), description="Reading APIs that this app serves, as JSON."
    )
    features_url: str = Field(
        default="", description="Address of `/features` if another app serves it; empty: this one's."
    )
    raster_url: str = Field(
        default="", description="Address of `/raster` if another app serves it; empty: this one's."
    )
    keyed: bool = Field(default=True, description="Whether the reading APIs need a function key in Azure.")
    transactions: bool = Field(
        default=False, description="Whether the STAC API takes collections and items; needs a key always."
    )
    country_table: str = Field(
        default="app.countries",
        pattern=r"^([^.]+\.[^.]+)?$",
        description="Table with `iso3` and `geom`, as schema.table, for `geo:iso3`; empty: no countries.",
    )
    api_pool_size: int = Field(
        default=2, ge=1, le=50, description="Most pooled connections of each reading API in a process."
    )


class JanitorSettings(BaseSettings):
    """The sweeps' schedules and ages."""

    model_config = SettingsConfigDict(env_prefix="JANITOR_")

    enabled: bool = Field(default=True, description="Whether the timers sweep.")
    task_watchdog_schedule: str = Field(default="0 */5 * * * *", description="NCRONTAB of task_watchdog.")
    job_health_schedule: str = Field(default="0 2-59/10 * * * *", description="NCRONTAB of job_health.")
    orphan_detector_schedule: str = Field(
        default="0 8-59/15 * * * *", description="NCRONTAB of orphan_detector."
    )
    prune_schedule: str = Field(default="0 17 3 * * *", description="NCRONTAB of prune.")
    watchdog_period_seconds: float = Field(
        default=300, gt=0, description="The period of that schedule, for the ages of app.violations."
    )
    job_health_period_seconds: float = Field(default=600, gt=0, description="The same of job_health.")
    orphan_detector_period_seconds: float = Field(
        default=900, gt=0, description="The same of orphan_detector."
    )
    prune_period_seconds: float = Field(default=86_400, gt=0, description="The same of prune.")
    minimum_age_seconds: float = Field(
        default=60, ge=0, description="How long a state lasts that should not before it is mended."
    )
    intermediates_grace_hours: float = Field(
        default=24, ge=0, description="How long what an ended job left behind is kept."
    )
    budget_seconds: float = Field(
        default=50, gt=0, description="How long a run goes on; the next one does the rest."
    )
    lease_seconds: float = Field(
        default=120, gt=0, description="How long a run may be silent before another one begins."
    )
    patience_seconds: float = Field(
        default=60, ge=0, description="How long a run waits for another one to end."
    )

    @property
    def schedules(self) -> dict[str, str]:
        """Return each sweep's schedule by its name."""
        return {
            "task_watchdog": self.task_watchdog_schedule,
            "job_health": self.job_health_schedule,
            "orphan_detector": self.orphan_detector_schedule,
            "prune": self.prune_schedule,
        }

    @property
    def periods(self) -> dict[str, timedelta]:
        """Return how often each sweep runs, by its name."""
        return {
            "task_watchdog": timedelta(seconds=self.watchdog_period_seconds),
            "job_health": timedelta(seconds=self.job_health_period_seconds),
            "orphan_detector": timedelta(seconds=self.orphan_detector_period_seconds),
            "prune": timedelta(seconds=self.prune_period_seconds),
        }


class ApiSettings(BaseSettings):
    """The HTTP interface."""

    model_config = SettingsConfigDict(env_prefix="API_")

    max_wait_seconds: int = Field(default=60, ge=0, description="Longest `?wait=` of the status route.")
    max_body_bytes: int = Field(default=1_048_576, ge=1, description="Largest request body.")
    max_active_jobs: int = Field(
        default=50_000, ge=0, description="Active jobs from which further ones are refused; 0: no limit."
    )


class Settings:
    """Every concern's settings, read and validated together.

    Raises:
        pydantic.ValidationError: A variable is missing or malformed; it names the variable.
    """

    def __init__(self) -> None:
        self.database = DatabaseSettings()
        self.maintenance = MaintenanceSettings()
        self.storage = StorageSettings()
        self.bus = BusSettings()
        self.engine = EngineSettings()
        self.raster = RasterSettings()
        self.vector = VectorSettings()
        self.catalogue = CatalogueSettings()
        self.janitor = JanitorSettings()
        self.api = ApiSettings()

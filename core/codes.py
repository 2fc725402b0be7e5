"""Error codes of the engine and of what every job type shares."""

from core.errors import ErrorCode

PARAMETERS_INVALID = ErrorCode(
    "parameters.invalid",
    "Parameters are wrong",
    "Correct every parameter listed under `errors`; GET /api/jobs/types/{job_type} shows the schema.",
)
RESOURCES_INVALID = ErrorCode(
    "resources.invalid",
    "What the parameters name cannot be used",
    "Correct every parameter listed under `errors`.",
)
BODY_NOT_JSON = ErrorCode(
    "request.not_json", "The body is not JSON", "Send the parameters as one JSON object."
)
BODY_NOT_OBJECT = ErrorCode(
    "request.not_an_object",
    "The body is not a JSON object",
    'Send the parameters as one flat JSON object, e.g. {"n": 3}.',
)
BODY_TOO_LARGE = ErrorCode(
    "request.too_large",
    "The body is too large",
    "Parameters are names and numbers; put bulk data in a blob and name it.",
)
MEDIA_TYPE = ErrorCode(
    "request.media_type", "The content type is not JSON", "Send `Content-Type: application/json`."
)
QUERY_INVALID = ErrorCode(
    "request.query_invalid",
    "Query parameters are wrong",
    "Correct every query parameter listed under `errors`.",
)
JOB_TYPE_UNKNOWN = ErrorCode(
    "job_type.unknown", "No such job type", "GET /api/jobs/types lists what can be submitted."
)
JOB_UNKNOWN = ErrorCode("job.unknown", "No such job", "Check the id; GET /api/jobs lists jobs.")
JOBS_TOO_MANY = ErrorCode(
    "jobs.too_many_active",
    "Too many jobs are active",
    "Submit again after the time in `Retry-After`; GET /api/jobs?status=queued lists what waits, and "
    "API_MAX_ACTIVE_JOBS sets the limit.",
    retryable=True,
)
JOB_STOPPING = ErrorCode(
    "job.stopping",
    "The job is stopping",
    "Wait until it has ended, then submit again.",
    retryable=True,
)
JOB_CLEANING_UP = ErrorCode(
    "job.cleaning_up",
    "The job's last run is being cleaned up",
    "Submit again after the time in `Retry-After`.",
    retryable=True,
)
JOB_ENDED = ErrorCode("job.ended", "The job has ended", "An ended job cannot be cancelled.")
JOB_NOT_RESUBMITTABLE = ErrorCode(
    "job.not_resubmittable",
    "The job cannot be resubmitted",
    "Only failed, cancelled, partly failed or unpublished jobs run again this way; "
    "POST the parameters with ?rerun=true to repeat a completed one.",
)
JOB_CANCELLED = ErrorCode("job.cancelled", "The job was cancelled", "Resubmit it to run it again.")
ARTIFACT_OWNED = ErrorCode(
    "artifact.owned",
    "Another job owns what this one would write",
    "Choose another name or folder, unpublish the other job, or pass if_exists=replace.",
)
ARTIFACT_CONFLICT = ErrorCode(
    "artifact.conflict",
    "Something else wrote to the job's output",
    "Find out who writes to the output container, then resubmit the job.",
)
TASK_TYPE_UNKNOWN = ErrorCode(
    "worker.too_old",
    "No worker knows this task type",
    "Deploy the release that the job was submitted to.",
)
TASK_WORKER_LOST = ErrorCode(
    "task.worker_lost",
    "Its workers died again and again",
    "Look at the task's events for the workers and at their logs; the input may exhaust memory.",
)
TASK_DEADLINE = ErrorCode(
    "task.deadline",
    "The task did not end within its time",
    "Find out what it waited for with /why, then resubmit the job.",
)
TASK_CRASHED = ErrorCode(
    "task.unexpected_error",
    "The handler raised an unexpected error",
    "This is a bug: report it with the job id and the log record.",
)
TASK_STOPPED_ITSELF = ErrorCode(
    "task.attempts_exhausted",
    "Every attempt met a passing fault",
    "See the task's last error; resubmit the job when what it names is well again.",
    retryable=True,
)
NATIVE_CRASH = ErrorCode(
    "native.crash",
    "Native code crashed on this input",
    "The file is probably damaged or crafted: repair or convert it and submit the new file.",
)
NATIVE_OUT_OF_MEMORY = ErrorCode(
    "native.out_of_memory",
    "The work needed more memory than a worker may use",
    "Submit a smaller or tiled source, or raise ENGINE_CHILD_MEMORY_MIB.",
)
NATIVE_DEADLINE = ErrorCode(
    "native.deadline",
    "The work did not end within its time",
    "The file may make the library hang: check it, or raise ENGINE_CHILD_DEADLINE_SECONDS.",
)
WORKSPACE_FULL = ErrorCode(
    "workspace.full",
    "The worker's disk is full",
    "Let fewer heavy tasks run at once, or set ENGINE_WORKSPACE to a larger disk.",
    retryable=True,
)
PLAN_FAILED = ErrorCode(
    "plan.failed", "The stage could not be planned", "This is a bug: report it with the job id."
)
PLAN_PARAMETERS_TOO_LARGE = ErrorCode(
    "plan.parameters_too_large",
    "A planned task's parameters exceed 64 KiB",
    "This is a bug of the job type: bulk belongs in a blob.",
)
PLAN_KEY_DUPLICATE = ErrorCode(
    "plan.key_duplicate",
    "Two planned tasks have one key",
    "This is a bug of the job type: keys are unique in a stage.",
)
RESULT_TOO_LARGE = ErrorCode(
    "result.too_large",
    "A task's result exceeds 256 KiB",
    "This is a bug of the job type: bulk belongs in a blob.",
)
STAGE_FAILED = ErrorCode(
    "stage.failed",
    "Every task of a stage failed",
    "GET /api/jobs/{job_id}/tasks?status=failed shows the errors.",
)
STAGE_NEEDS = ErrorCode(
    "stage.too_few_results",
    "Too few tasks succeeded for the next stage",
    "GET /api/jobs/{job_id}/tasks?status=failed shows the errors; resubmit after mending them.",
)
JOB_TASKS_MISSING = ErrorCode(
    "job.tasks_missing",
    "Rows of the job are missing",
    "Somebody deleted them: find out who, then resubmit the job.",
)
SWEEP_UNKNOWN = ErrorCode(
    "janitor.sweep_unknown", "No such sweep", "GET /api/cleanup/status lists the sweeps."
)
SWEEP_RUN_LOST = ErrorCode(
    "janitor.run_lost",
    "The process that ran a sweep died",
    "The next run goes on; look at that process's log if it happens again.",
    retryable=True,
)
SWEEP_RULE_FAILED = ErrorCode(
    "janitor.rule_failed",
    "A rule of a sweep broke",
    "The other rules ran. This is a bug: report it with the run's error and the log record.",
)
TRANSITION_ILLEGAL = ErrorCode(
    "engine.illegal_transition", "A change of state is not allowed", "This is a bug: report it."
)
DATABASE_UNAVAILABLE = ErrorCode(
    "database.unavailable",
    "The database does not answer",
    "Try again later; /api/readyz shows when it is back.",
    retryable=True,
)
MAINTENANCE_JOBS_ACTIVE = ErrorCode(
    "maintenance.jobs_active",
    "Jobs would be lost",
    "Wait until they have ended, or cancel them; pause first so that none begins. `force=yes` loses them.",
)
DIAGNOSTICS_TIMEOUT = ErrorCode(
    "diagnostics.timeout",
    "The question takes the database too long",
    "Ask for less (a smaller `limit`, a filter), or look with a SQL client.",
    retryable=True,
)
DATABASE_REFUSED = ErrorCode(
    "database.refused",
    "The database refused the statement",
    "This is a bug or a missing privilege: report it with the log record.",
)
STORAGE_UNAVAILABLE = ErrorCode(
    "storage.unavailable",
    "The blob store does not answer",
    "Try again later.",
    retryable=True,
)
STORAGE_FORBIDDEN = ErrorCode(
    "storage.forbidden",
    "The blob store refuses access",
    "Grant the app's identity Storage Blob Data Contributor on the account; "
    "a new grant takes up to a minute to spread.",
    retryable=True,
)
STORAGE_REFUSED = ErrorCode(
    "storage.refused",
    "The blob store refused the request",
    "Check the name of the container and of the blob.",
)
STORAGE_PREFIX_REFUSED = ErrorCode(
    "storage.prefix_refused",
    "Blobs are not deleted under this prefix",
    "Give a prefix of at least two path segments outside the source containers.",
)
BUS_UNAVAILABLE = ErrorCode(
    "bus.unavailable", "Service Bus does not answer", "Try again later.", retryable=True
)
CONTAINER_MISSING = ErrorCode(
    "container.missing", "The container does not exist", "Check the container's name."
)
BLOB_MISSING = ErrorCode(
    "blob.missing",
    "The blob does not exist",
    "Check the blob's name (case matters) and its container.",
)
BLOB_CHANGED = ErrorCode(
    "blob.changed",
    "The blob changed while it was used",
    "Wait until its upload is complete, then resubmit the job.",
    retryable=True,
)
BLOB_EMPTY = ErrorCode("blob.empty", "The blob is empty", "Upload the file again.")
BLOB_NAME_INVALID = ErrorCode(
    "blob.name_invalid",
    "The blob name is not usable",
    "Use a relative path without `..`, backslashes, control characters or a leading slash.",
)
CATALOGUE_COLLECTION_MISSING = ErrorCode(
    "catalogue.collection_missing", "The STAC collection does not exist", "Check `collection_id`."
)
CATALOGUE_ITEM_MISSING = ErrorCode(
    "catalogue.item_missing", "The STAC item does not exist", "Check `stac_item_id` and `collection_id`."
)
CATALOGUE_ITEM_TAKEN = ErrorCode(
    "catalogue.item_taken",
    "The STAC item shows another table",
    "Choose another `item_id`, or unpublish that table first.",
)
CATALOGUE_SEARCH_INVALID = ErrorCode(
    "catalogue.search_invalid",
    "The search cannot be carried out",
    "Correct bbox, datetime or filter as the message says; the filter is CQL2 JSON.",
)
CATALOGUE_ITEM_INVALID = ErrorCode(
    "catalogue.item_invalid", "The STAC item is not valid", "This is a bug: report it with the job id."
)
CATALOGUE_VERSION = ErrorCode(
    "catalogue.version_mismatch",
    "pgSTAC has another version than this release needs",
    "Run the migrations of this release with the migrating role, or deploy the release that fits.",
)
CATALOGUE_PRIVILEGE = ErrorCode(
    "catalogue.privilege_missing",
    "The app's role may not use the catalogue",
    "Run the migrations of this release with the migrating role: they grant what is missing.",
)
UNPUBLISH_NOTHING_NAMED = ErrorCode(
    "unpublish.selection",
    "It is not clear what is to go",
    "Give exactly one of the parameters that the message lists.",
)
UNPUBLISH_TOO_MUCH = ErrorCode(
    "unpublish.too_much",
    "Too much is to go for one job",
    "Name fewer items, or set a smaller `limit`; submit again until nothing remains.",
)
UNPUBLISH_UNKNOWN = ErrorCode(
    "unpublish.unknown",
    "There is no such audit record",
    "GET /api/dbadmin/unpublished lists what was taken back.",
)
UNPUBLISH_NOT_RESTORABLE = ErrorCode(
    "unpublish.not_restorable",
    "It cannot be put back",
    "It was put back or deleted for good already: publish the source again.",
)
UNPUBLISH_IN_THE_WAY = ErrorCode(
    "unpublish.in_the_way",
    "Something stands where it would be put back",
    "Unpublish or rename what the message names, then restore again.",
)
TABLE_MISSING = ErrorCode(
    "table.missing", "The table does not exist", "Check the schema and the table's name."
)
TABLE_EXISTS = ErrorCode(
    "table.exists",
    "A table of this name exists",
    "Choose another table_name, or pass if_exists=replace.",
)
TABLE_FOREIGN = ErrorCode(
    "table.foreign",
    "What stands in the table's place is not Terrane's to change",
    "Choose another table_name, or let the owner of what stands there move or drop it.",
)
TABLE_DEPENDENTS = ErrorCode(
    "table.dependents",
    "Something depends on the table",
    "Drop or change what is named first, or choose another table_name.",
)
TABLE_ROW_REFUSED = ErrorCode(
    "table.row_refused",
    "The database refused a row",
    "Correct the value that the message names in the source, or report it with the job id.",
)
TABLE_CHUNK_DIFFERS = ErrorCode(
    "table.chunk_differs",
    "A chunk does not have the rows that were prepared",
    "Something else writes to the temp container: find it, then resubmit the job.",
)
SCHEMA_NOT_ALLOWED = ErrorCode(
    "schema.not_allowed",
    "Tables are not published in this schema",
    "Name one of the schemas in the message, or add it to VECTOR_SCHEMAS and create it.",
)
TABLE_INDEX_REFUSED = ErrorCode(
    "table.index_refused",
    "A column cannot have the index that was asked for",
    "Leave the column out of `indexes`: its values are too long for one.",
)

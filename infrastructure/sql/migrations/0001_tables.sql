-- Tables of the engine. Laws that one row can break are checked here; laws between rows are kept by
-- the functions of the following migrations, which are the only writers of jobs, stages and tasks.

CREATE SCHEMA IF NOT EXISTS app;

-- One row: what the whole engine shares.
CREATE TABLE app.engine (
    singleton         boolean     PRIMARY KEY DEFAULT true CONSTRAINT engine_one_row CHECK (singleton),
    rescue_after      timestamptz NOT NULL DEFAULT '-infinity',
    paused_at         timestamptz,
    paused_until      timestamptz,
    pause_reason      text,
    paused_by         text,
    -- How often the watchdog runs: the ages in app.violations are reckoned from it.
    watchdog_period   interval    NOT NULL DEFAULT '5 minutes'
);
INSERT INTO app.engine DEFAULT VALUES;

CREATE TABLE app.lanes (
    lane           text        PRIMARY KEY,
    -- When the one scheduled bell of the lane comes; saves bells, is never believed.
    bell_at        timestamptz,
    last_claim_at  timestamptz
);
INSERT INTO app.lanes (lane) VALUES ('light'), ('heavy');

CREATE TABLE app.jobs (
    job_id          text        PRIMARY KEY CONSTRAINT jobs_id_is_sha256 CHECK (job_id ~ '^[0-9a-f]{64}$'),
    job_type        text        NOT NULL,
    status          text        NOT NULL CONSTRAINT jobs_status_known CHECK (status IN
                        ('queued', 'processing', 'completed', 'completed_with_errors', 'failed', 'cancelled')),
    revision        integer     NOT NULL DEFAULT 1,
    priority        smallint    NOT NULL CONSTRAINT jobs_priority_range CHECK (priority BETWEEN 0 AND 9),
    identity        text        NOT NULL CONSTRAINT jobs_identity_known CHECK (identity IN ('for_ever', 'while_active')),
    row_version     smallint    NOT NULL,
    parameters      jsonb       NOT NULL,
    stage           integer     NOT NULL DEFAULT 1,
    total_stages    integer     NOT NULL,
    stop_to         text        CONSTRAINT jobs_stop_known CHECK (stop_to IN ('failed', 'cancelled')),
    stop_error      jsonb,
    stop_by         text,
    stop_at         timestamptz,
    cleanup         text        NOT NULL DEFAULT 'none' CONSTRAINT jobs_cleanup_known
                        CHECK (cleanup IN ('none', 'pending', 'done', 'failed')),
    has_intermediates boolean   NOT NULL DEFAULT false,
    sources         jsonb       NOT NULL DEFAULT '{}',
    result          jsonb,
    error           jsonb,
    requested_by    text        NOT NULL,
    traceparent     text,
    superseded_by   text,
    unpublished_at  timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    started_at      timestamptz,
    completed_at    timestamptz,
    CONSTRAINT jobs_ended_iff_completed_at
        CHECK ((status NOT IN ('queued', 'processing')) = (completed_at IS NOT NULL))
);
CREATE INDEX jobs_newest ON app.jobs (created_at DESC, job_id DESC);
CREATE INDEX jobs_active ON app.jobs (updated_at) WHERE completed_at IS NULL;
CREATE INDEX jobs_cleaning ON app.jobs (completed_at) WHERE cleanup IN ('pending', 'failed');

CREATE TABLE app.stages (
    job_id           text        NOT NULL REFERENCES app.jobs ON DELETE CASCADE,
    revision         integer     NOT NULL,
    number           integer     NOT NULL,
    name             text        NOT NULL,
    task_type        text        NOT NULL,
    parallelism      text        NOT NULL,
    on_task_failure  text        NOT NULL CONSTRAINT stages_on_failure_known
                         CHECK (on_task_failure IN ('stop', 'continue')),
    status           text        NOT NULL CONSTRAINT stages_status_known CHECK (status IN
                         ('pending', 'planning', 'processing', 'completed', 'failed', 'cancelled')),
    total            integer     NOT NULL DEFAULT 0,
    slots            integer     NOT NULL DEFAULT 0,
    open_slots       integer     NOT NULL DEFAULT 0 CONSTRAINT stages_open_slots_natural CHECK (open_slots >= 0),
    started_at       timestamptz,
    completed_at     timestamptz,
    PRIMARY KEY (job_id, revision, number),
    CONSTRAINT stages_ended_iff_completed_at
        CHECK ((status IN ('completed', 'failed', 'cancelled')) = (completed_at IS NOT NULL))
);

-- The stage's ledger in parts: one hot row would serialise the ends of all its tasks.
CREATE TABLE app.stage_slots (
    job_id     text     NOT NULL,
    revision   integer  NOT NULL,
    stage      integer  NOT NULL,
    slot       smallint NOT NULL,
    open       integer  NOT NULL CONSTRAINT slots_open_natural CHECK (open >= 0),
    completed  integer  NOT NULL DEFAULT 0,
    failed     integer  NOT NULL DEFAULT 0,
    cancelled  integer  NOT NULL DEFAULT 0,
    PRIMARY KEY (job_id, revision, stage, slot),
    FOREIGN KEY (job_id, revision, stage) REFERENCES app.stages ON DELETE CASCADE
) WITH (fillfactor = 50);

-- Neither tasks nor events refer to their job by a foreign key: its check costs 16 us a row, an eighth of a small
-- task's life, and locks the job's row once more for every batch. They are written by functions that hold the
-- job or a task of it, jobs are never deleted, and the orphan detector looks for what breaks that.
CREATE TABLE app.tasks (
    task_id        text        NOT NULL,
    job_id         text        NOT NULL,
    revision       integer     NOT NULL,
    stage          integer     NOT NULL,
    kind           text        NOT NULL CONSTRAINT tasks_kind_known CHECK (kind IN ('work', 'plan', 'cleanup')),
    key            text        COLLATE "C" NOT NULL,
    position       integer     NOT NULL DEFAULT 0,
    slot           smallint,
    task_type      text        NOT NULL,
    lane           text        NOT NULL,
    -- 9 - priority, so that one ascending index serves priority and turn.
    rank           smallint    NOT NULL,
    turn           timestamptz NOT NULL DEFAULT now(),
    run_after      timestamptz NOT NULL DEFAULT now(),
    deadline       timestamptz NOT NULL,
    row_version    smallint    NOT NULL,
    status         text        NOT NULL DEFAULT 'queued' CONSTRAINT tasks_status_known CHECK (status IN
                       ('queued', 'processing', 'completed', 'failed', 'cancelled')),
    fence          bigint      NOT NULL DEFAULT 0,
    ended_fence    bigint,
    ended_outcome  text,
    attempt        integer     NOT NULL DEFAULT 0,
    max_attempts   integer     NOT NULL,
    rescues        integer     NOT NULL DEFAULT 0,
    releases       integer     NOT NULL DEFAULT 0,
    worker         text,
    claim_id       text,
    claimed_at     timestamptz,
    lease_until    timestamptz,
    heartbeat_at   timestamptz,
    progress       real,
    message        text,
    parameters     jsonb       NOT NULL DEFAULT '{}',
    result         jsonb,
    error          jsonb,
    created_at     timestamptz NOT NULL DEFAULT now(),
    started_at     timestamptz,
    completed_at   timestamptz,
    CONSTRAINT tasks_pkey PRIMARY KEY (task_id),
    CONSTRAINT tasks_processing_iff_leased CHECK ((status = 'processing') = (lease_until IS NOT NULL)),
    CONSTRAINT tasks_processing_iff_worker CHECK ((status = 'processing') = (worker IS NOT NULL)),
    CONSTRAINT tasks_ended_iff_completed_at
        CHECK ((status IN ('completed', 'failed', 'cancelled')) = (completed_at IS NOT NULL)),
    CONSTRAINT tasks_work_in_slot CHECK ((kind = 'work') = (slot IS NOT NULL))
) WITH (
    -- A job's tasks are rewritten twice within seconds: vacuum early, before the queue's head fills
    -- with dead entries.
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05
);
CREATE INDEX tasks_runnable ON app.tasks (lane, rank, turn, task_id) WHERE status = 'queued';
CREATE INDEX tasks_leased ON app.tasks (lease_until) WHERE status = 'processing';
CREATE INDEX tasks_by_key ON app.tasks (job_id, revision, stage, kind, key);

CREATE TABLE app.events (
    event_id    bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id      text        NOT NULL,
    revision    integer     NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    subject     text        NOT NULL CONSTRAINT events_subject_known CHECK (subject IN ('job', 'stage', 'task')),
    stage       integer,
    task_id     text,
    event       text        NOT NULL,
    actor       text,
    reason      text,
    worker      text,
    started_at  timestamptz,
    error       jsonb
);
CREATE INDEX events_by_job ON app.events (job_id, event_id);

CREATE TABLE app.artifacts (
    artifact_id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind              text        NOT NULL CONSTRAINT artifacts_kind_known CHECK (kind IN ('blob', 'table', 'item')),
    location          text        NOT NULL,
    job_id            text        NOT NULL REFERENCES app.jobs,
    revision          integer     NOT NULL,
    task_id           text,
    role              text        NOT NULL CONSTRAINT artifacts_role_known CHECK (role IN ('intermediate', 'published')),
    state             text        NOT NULL CONSTRAINT artifacts_state_known CHECK (state IN
                          ('reserved', 'writing', 'live', 'deleted', 'released')),
    -- The published place that an intermediate one is copied to when the job publishes.
    target            text,
    nbytes            bigint,
    checksum          text,
    etag              text,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX artifacts_owner ON app.artifacts (kind, location) WHERE state = 'live';
CREATE UNIQUE INDEX artifacts_claimant ON app.artifacts (kind, location) WHERE state IN ('reserved', 'writing');
CREATE INDEX artifacts_by_job ON app.artifacts (job_id, revision);

CREATE TABLE app.janitor_runs (
    run_id        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_type      text        NOT NULL,
    status        text        NOT NULL CONSTRAINT janitor_status_known CHECK (status IN
                      ('running', 'completed', 'failed', 'skipped')),
    triggered_by  text        NOT NULL,
    started_at    timestamptz NOT NULL DEFAULT now(),
    ended_at      timestamptz,
    scanned       integer     NOT NULL DEFAULT 0,
    fixed         integer     NOT NULL DEFAULT 0,
    actions       jsonb       NOT NULL DEFAULT '[]',
    error         jsonb
);
CREATE INDEX janitor_runs_newest ON app.janitor_runs (run_type, started_at DESC);

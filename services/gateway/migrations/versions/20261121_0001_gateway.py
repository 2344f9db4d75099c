"""People, tokens, limits, idempotency keys, live channels and the asset library."""

from alembic import op

from fenta.chassis.migrations import create_chassis_tables, drop_chassis_tables, guard

revision = "gateway_0001"
down_revision = None
branch_labels = None
depends_on = None

PEOPLE = """
CREATE TABLE person (
    id text PRIMARY KEY,
    email text NOT NULL UNIQUE,
    name text NOT NULL,
    password_hash text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE organisation (
    org_id text PRIMARY KEY,
    name text NOT NULL,
    slug text NOT NULL UNIQUE,
    plan text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE member (
    org_id text NOT NULL REFERENCES organisation ON DELETE CASCADE,
    person_id text NOT NULL REFERENCES person ON DELETE CASCADE,
    role text NOT NULL CONSTRAINT role CHECK (role IN ('viewer', 'editor', 'admin', 'owner')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, person_id)
);
CREATE INDEX ix_member_person_id ON member (person_id);
CREATE TABLE sign_in (
    id text PRIMARY KEY,
    person_id text NOT NULL REFERENCES person ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    end_reason text
);
CREATE INDEX ix_sign_in_person_id ON sign_in (person_id);
CREATE TABLE refresh_token (
    hash bytea PRIMARY KEY,
    sign_in_id text NOT NULL REFERENCES sign_in ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX ix_refresh_token_sign_in_id ON refresh_token (sign_in_id);
CREATE TABLE sign_in_failure (
    account_hash bytea PRIMARY KEY,
    failures integer NOT NULL,
    first_at timestamptz NOT NULL
);
CREATE TABLE access_token (
    id text PRIMARY KEY,
    org_id text NOT NULL REFERENCES organisation ON DELETE CASCADE,
    person_id text NOT NULL REFERENCES person ON DELETE CASCADE,
    name text NOT NULL,
    hash bytea NOT NULL UNIQUE,
    ending text NOT NULL,
    scopes jsonb NOT NULL,
    expires_at timestamptz,
    last_used_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (org_id, person_id) REFERENCES member ON DELETE CASCADE
);
CREATE INDEX ix_access_token_org_id_person_id ON access_token (org_id, person_id, created_at);
CREATE INDEX ix_access_token_person_id ON access_token (person_id);
"""

DOOR = """
CREATE TABLE rate_window (
    subject text NOT NULL,
    window_seconds integer NOT NULL,
    started_at timestamptz NOT NULL,
    requests integer NOT NULL,
    PRIMARY KEY (subject, window_seconds)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);
CREATE TABLE idempotency_key (
    org_id text NOT NULL,
    person_id text NOT NULL,
    method text NOT NULL,
    path text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    new_id uuid NOT NULL,
    holder text,
    locked_until timestamptz,
    status integer,
    headers jsonb,
    body bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, person_id, method, path, key)
);
CREATE INDEX ix_idempotency_key_created_at ON idempotency_key (created_at);
CREATE INDEX ix_idempotency_key_holder ON idempotency_key (holder) WHERE holder IS NOT NULL;
"""

LIVE = """
CREATE TABLE channel (
    name text PRIMARY KEY,
    org_id text NOT NULL,
    last_seq bigint NOT NULL DEFAULT 0,
    state jsonb NOT NULL DEFAULT '{}',
    ended_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
CREATE INDEX ix_channel_ended_at ON channel (ended_at);
CREATE TABLE channel_event (
    channel text NOT NULL REFERENCES channel (name) ON DELETE CASCADE,
    seq bigint NOT NULL,
    org_id text NOT NULL,
    body jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (channel, seq)
);
"""

ASSETS = """
CREATE TABLE asset (
    id text PRIMARY KEY,
    org_id text NOT NULL,
    project_id text,
    job_id text,
    step_id text,
    name text NOT NULL,
    type text NOT NULL,
    kind text NOT NULL,
    source text NOT NULL,
    content_type text NOT NULL,
    size_bytes bigint NOT NULL,
    sha256 text NOT NULL,
    width integer,
    height integer,
    duration_ms integer,
    lineage jsonb NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX ix_asset_org_id_created_at ON asset (org_id, created_at DESC, id DESC);
CREATE INDEX ix_asset_job_id ON asset (job_id);
"""

PRIVATE = ("person", "sign_in", "refresh_token", "sign_in_failure", "rate_window")


def upgrade() -> None:
    create_chassis_tables(op, service="gateway")
    for tables in (PEOPLE, DOOR, LIVE, ASSETS):
        for statement in filter(str.strip, tables.split(";")):
            op.execute(statement)
    # What has no organisation is none of the API path's business.
    for table in PRIVATE:
        op.execute(f"REVOKE ALL ON {table} FROM fenta_gateway_api")
    guard(op, "organisation", "member", "access_token", "idempotency_key", "channel", "channel_event", "asset")


def downgrade() -> None:
    for table in (
        "asset", "channel_event", "channel", "idempotency_key", "rate_window", "access_token", "sign_in_failure",
        "refresh_token", "sign_in", "member", "organisation", "person",
    ):  # fmt: skip
        op.execute(f"DROP TABLE {table}")
    drop_chassis_tables(op)

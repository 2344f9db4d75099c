"""Endpoints, public events, deliveries and their attempts."""

from alembic import op

from fenta.chassis.migrations import create_chassis_tables, drop_chassis_tables, guard

revision = "notifier_0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = ("attempt", "delivery", "event", "endpoint")

STATEMENTS = (
    """
    CREATE TABLE endpoint (
        id text PRIMARY KEY,
        number bigint GENERATED ALWAYS AS IDENTITY,
        org_id text NOT NULL,
        url text NOT NULL,
        description text NOT NULL,
        events jsonb NOT NULL,
        filters jsonb NOT NULL,
        status text NOT NULL CONSTRAINT ck_endpoint_status CHECK (status IN ('enabled', 'paused', 'disabled')),
        disabled_reason text,
        failing_since timestamptz,
        secret_key_id text NOT NULL,
        secret_box bytea NOT NULL,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        deleted_at timestamptz
    )
    """,
    "CREATE INDEX ix_endpoint_org_id_number ON endpoint (org_id, number) WHERE deleted_at IS NULL",
    """
    CREATE TABLE event (
        id text PRIMARY KEY,
        org_id text NOT NULL,
        source_event_id uuid,
        type text NOT NULL,
        subject text NOT NULL,
        project_id text,
        body bytea NOT NULL,
        occurred_at timestamptz NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT uq_event_source_event_id_type UNIQUE (source_event_id, type)
    )
    """,
    "CREATE INDEX ix_event_created_at ON event (created_at)",
    """
    CREATE TABLE delivery (
        id text PRIMARY KEY,
        number bigint GENERATED ALWAYS AS IDENTITY,
        org_id text NOT NULL,
        event_id text NOT NULL REFERENCES event ON DELETE CASCADE,
        endpoint_id text NOT NULL REFERENCES endpoint ON DELETE CASCADE,
        state text NOT NULL CONSTRAINT ck_delivery_state
            CHECK (state IN ('pending', 'delivered', 'failed', 'held')),
        tries integer NOT NULL,
        attempts integer NOT NULL,
        next_attempt_at timestamptz,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        CONSTRAINT uq_delivery_event_id_endpoint_id UNIQUE (event_id, endpoint_id)
    )
    """,
    "CREATE INDEX ix_delivery_endpoint_id_number ON delivery (endpoint_id, number)",
    "CREATE INDEX ix_delivery_next_attempt_at ON delivery (next_attempt_at) WHERE state = 'pending'",
    """
    CREATE TABLE attempt (
        delivery_id text NOT NULL REFERENCES delivery ON DELETE CASCADE,
        number integer NOT NULL,
        org_id text NOT NULL,
        task_id text,
        trigger text NOT NULL,
        url text NOT NULL,
        headers jsonb NOT NULL,
        started_at timestamptz NOT NULL,
        finished_at timestamptz,
        status integer,
        cause text,
        answer text NOT NULL,
        latency_ms integer,
        PRIMARY KEY (delivery_id, number)
    )
    """,
)


def upgrade() -> None:
    create_chassis_tables(op, service="notifier")
    for statement in STATEMENTS:
        op.execute(statement)
    guard(op, *TABLES)


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
    drop_chassis_tables(op)

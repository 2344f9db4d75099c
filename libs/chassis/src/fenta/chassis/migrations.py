"""What every service's first migration creates: inbox, outbox, dead letters, tasks; and row-level security."""

from typing import Any

_TABLES = """
CREATE TABLE inbox (event_id uuid PRIMARY KEY, handled_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL,
    topic text NOT NULL,
    key text NOT NULL,
    value bytea NOT NULL,
    headers jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
CREATE TABLE dead_letter (
    id uuid PRIMARY KEY,
    topic text NOT NULL,
    partition integer NOT NULL,
    kafka_offset bigint NOT NULL,
    reason text NOT NULL,
    error text NOT NULL,
    attempts integer NOT NULL,
    key bytea,
    headers jsonb NOT NULL,
    value bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    replayed_at timestamptz,
    CONSTRAINT uq_dead_letter_topic_partition_kafka_offset UNIQUE (topic, partition, kafka_offset)
);
CREATE TABLE task (
    id text PRIMARY KEY,
    kind text NOT NULL,
    org_id text NOT NULL,
    job_id text,
    lane text NOT NULL,
    priority smallint NOT NULL,
    vt bigint NOT NULL,
    state smallint NOT NULL DEFAULT 0,
    attempt integer NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    owner text,
    leased_at timestamptz,
    run_at timestamptz,
    cancel_reason text,
    error text,
    payload jsonb NOT NULL,
    traceparent text,
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX ix_task_ready ON task (lane, priority, vt, id) WHERE state IN (0, 2);
CREATE INDEX ix_task_later ON task (run_at) WHERE state = 2;
CREATE INDEX ix_task_owner ON task (owner) WHERE state = 1;
CREATE INDEX ix_task_job_id ON task (job_id);
CREATE TABLE task_clock (org_id text NOT NULL, lane text NOT NULL, vt bigint NOT NULL, PRIMARY KEY (org_id, lane));
CREATE TABLE task_mark (lane text PRIMARY KEY, vt bigint NOT NULL);
CREATE TABLE worker (instance_id text PRIMARY KEY, owner text NOT NULL UNIQUE, lease_until timestamptz NOT NULL);
"""

_PRIVATE = ("inbox", "outbox", "dead_letter", "task_mark", "worker")


def create_chassis_tables(op: Any, *, service: str) -> None:
    """To be called first in a service's first migration; `op` is Alembic's."""
    for statement in filter(str.strip, _TABLES.split(";")):
        op.execute(statement)
    for table in _PRIVATE:
        op.execute(f"REVOKE ALL ON {table} FROM fenta_{service}_api")
    op.execute(f"GRANT INSERT ON outbox TO fenta_{service}_api")
    guard(op, "task", "task_clock")


_LETTER_COLUMNS = {"stack": "text NOT NULL DEFAULT ''", "note": "text", "dropped_at": "timestamptz"}


def extend_dead_letters(op: Any) -> None:
    """For a service's second migration: where a letter's handler failed, and that a person let go of it, and why."""
    for column, kind in _LETTER_COLUMNS.items():
        op.execute(f"ALTER TABLE dead_letter ADD COLUMN {column} {kind}")
    op.execute("CREATE INDEX ix_dead_letter_created_at ON dead_letter (created_at, id)")


def restore_dead_letters(op: Any) -> None:
    """The way back from `extend_dead_letters`."""
    op.execute("DROP INDEX ix_dead_letter_created_at")
    for column in _LETTER_COLUMNS:
        op.execute(f"ALTER TABLE dead_letter DROP COLUMN {column}")


def forget_owners(op: Any) -> None:
    """For a service's third migration: an index of who holds what is written with every lease and hardly ever read."""
    op.execute("DROP INDEX ix_task_owner")


def remember_owners(op: Any) -> None:
    """The way back from `forget_owners`."""
    op.execute("CREATE INDEX ix_task_owner ON task (owner) WHERE state = 1")


def keep_headers_as_written(op: Any) -> None:
    """For a service's migration after these: headers of events are written once and read once, never searched."""
    op.execute("ALTER TABLE outbox ALTER COLUMN headers TYPE json USING headers::json")


def take_headers_apart(op: Any) -> None:
    """The way back from `keep_headers_as_written`."""
    op.execute("ALTER TABLE outbox ALTER COLUMN headers TYPE jsonb USING headers::jsonb")


def make_outbox_take(op: Any) -> None:
    """For a service's migration after these: what the relay asks for first, the lock of the outbox and its first rows.

    The rows are read after the lock was taken: of what another relay has sent until then nothing is seen any more.
    """
    op.execute("""
        CREATE FUNCTION outbox_take(most integer, OUT taken boolean, OUT ids bigint[], OUT event_ids text[])
        LANGUAGE plpgsql AS $$
        BEGIN
            taken := pg_try_advisory_lock(hashtext('outbox:' || current_schema()));
            IF taken THEN
                SELECT array_agg(id ORDER BY id), array_agg(CAST(event_id AS text) ORDER BY id) INTO ids, event_ids
                FROM (SELECT id, event_id FROM outbox ORDER BY id LIMIT most) AS next;
            END IF;
        END $$
    """)


def drop_outbox_take(op: Any) -> None:
    """The way back from `make_outbox_take`."""
    op.execute("DROP FUNCTION outbox_take")


def drop_chassis_tables(op: Any) -> None:
    for table in ("inbox", "outbox", "dead_letter", "task", "task_clock", "task_mark", "worker"):
        op.execute(f"DROP TABLE {table}")


def guard(op: Any, *tables: str) -> None:
    """Row-level security: on the API path a table shows, and takes, only rows of the request's organisation."""
    for table in tables:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY org ON {table} USING (org_id = current_setting('fenta.org_id', true))")

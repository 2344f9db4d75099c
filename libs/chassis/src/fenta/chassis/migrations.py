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


_TAKE = """
    CREATE FUNCTION outbox_take(most integer, OUT taken boolean, OUT ids bigint[], OUT {column}s {kind}[])
    LANGUAGE plpgsql AS $$
    BEGIN
        taken := pg_try_advisory_lock(hashtext('outbox:' || current_schema()));
        IF taken THEN
            SELECT array_agg(id ORDER BY id), array_agg(CAST({column} AS {kind}) ORDER BY id) INTO ids, {column}s
            FROM (SELECT id, {column} FROM outbox ORDER BY id LIMIT most) AS next;
        END IF;
    END $$
"""


def make_outbox_take(op: Any) -> None:
    """For a service's migration after these: what the relay asks for first, the lock of the outbox and its first rows.

    The rows are read after the lock was taken: of what another relay has sent until then nothing is seen any more.
    """
    op.execute(_TAKE.format(column="event_id", kind="text"))


def drop_outbox_take(op: Any) -> None:
    """The way back from `make_outbox_take`."""
    op.execute("DROP FUNCTION outbox_take")


def bundle_outbox(op: Any, *, service: str) -> None:
    """For a service's migration after these: the events of a transaction are one row, and `outbox_event` shows each.

    What lies there already is kept, each event as a row of its own.
    """
    drop_outbox_take(op)
    op.execute("ALTER TABLE outbox ADD COLUMN count integer NOT NULL DEFAULT 1, ADD COLUMN heads text")
    op.execute("""
        UPDATE outbox SET heads =
            json_build_array(json_build_array(event_id, topic, key, octet_length(value), headers))
    """)
    op.execute("""
        ALTER TABLE outbox DROP COLUMN event_id, DROP COLUMN topic, DROP COLUMN key, DROP COLUMN headers,
            ALTER COLUMN count DROP DEFAULT, ALTER COLUMN heads SET NOT NULL
    """)
    op.execute("ALTER TABLE outbox RENAME COLUMN value TO bodies")
    # To compress them would take longer than to write them, and they are gone in a moment.
    op.execute("ALTER TABLE outbox ALTER COLUMN heads SET STORAGE EXTERNAL, ALTER COLUMN bodies SET STORAGE EXTERNAL")
    op.execute(
        "ALTER TABLE outbox SET (toast.autovacuum_vacuum_scale_factor = 0.01, toast.autovacuum_vacuum_cost_delay = 0)"
    )
    # Who inserts is told the row's number.
    op.execute(f"GRANT SELECT (id) ON outbox TO fenta_{service}_api")
    op.execute("""
        CREATE VIEW outbox_event AS
        SELECT id, CAST(head ->> 0 AS uuid) AS event_id, head ->> 1 AS topic, head ->> 2 AS key,
            substring(bodies FROM CAST(ends - length + 1 AS integer) FOR length) AS value,
            head -> 4 AS headers, created_at
        FROM (
            SELECT outbox.*, head, place, length, sum(length) OVER (PARTITION BY id ORDER BY place) AS ends
            FROM outbox, json_array_elements(CAST(heads AS json)) WITH ORDINALITY AS listed (head, place),
                CAST(head ->> 3 AS integer) AS length
        ) AS told
        ORDER BY id, place
    """)
    # It sees with the service's own eyes, of all organisations.
    op.execute(f"REVOKE ALL ON outbox_event FROM fenta_{service}_api")
    op.execute(_TAKE.format(column="count", kind="integer"))


def unbundle_outbox(op: Any, *, service: str) -> None:
    """The way back from `bundle_outbox`."""
    drop_outbox_take(op)
    op.execute(f"REVOKE SELECT (id) ON outbox FROM fenta_{service}_api")  # noqa: S608  our own names
    op.execute("""
        ALTER TABLE outbox ADD COLUMN event_id uuid, ADD COLUMN topic text, ADD COLUMN key text,
            ADD COLUMN headers json, ALTER COLUMN count DROP NOT NULL, ALTER COLUMN heads DROP NOT NULL
    """)
    op.execute("""
        INSERT INTO outbox (event_id, topic, key, bodies, headers, created_at)
        SELECT event_id, topic, key, value, headers, created_at FROM outbox_event
    """)
    op.execute("DROP VIEW outbox_event")
    op.execute("DELETE FROM outbox WHERE heads IS NOT NULL")
    op.execute("""
        ALTER TABLE outbox DROP COLUMN count, DROP COLUMN heads, ALTER COLUMN event_id SET NOT NULL,
            ALTER COLUMN topic SET NOT NULL, ALTER COLUMN key SET NOT NULL, ALTER COLUMN headers SET NOT NULL
    """)
    op.execute("ALTER TABLE outbox ALTER COLUMN bodies SET STORAGE EXTENDED")
    op.execute("ALTER TABLE outbox RENAME COLUMN bodies TO value")
    op.execute("ALTER TABLE outbox RESET (toast.autovacuum_vacuum_scale_factor, toast.autovacuum_vacuum_cost_delay)")
    make_outbox_take(op)


def drop_chassis_tables(op: Any) -> None:
    for table in ("inbox", "outbox", "dead_letter", "task", "task_clock", "task_mark", "worker"):
        op.execute(f"DROP TABLE {table}")


def guard(op: Any, *tables: str) -> None:
    """Row-level security: on the API path a table shows, and takes, only rows of the request's organisation."""
    for table in tables:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY org ON {table} USING (org_id = current_setting('fenta.org_id', true))")

"""Provider tasks, cancellations that came first, and documents that were made here."""

from alembic import op

from fenta.chassis.migrations import create_chassis_tables, drop_chassis_tables, guard

revision = "generation_0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = ("provider_task", "cancellation", "made_document")

STATEMENTS = (
    """
    CREATE TABLE provider_task (
        step_id text PRIMARY KEY,
        org_id text NOT NULL,
        job_id text NOT NULL,
        state text NOT NULL CONSTRAINT ck_provider_task_state CHECK (state IN
            ('accepted', 'submitting', 'unclear', 'submitted', 'fetched', 'answered', 'failed', 'cancelled')),
        event jsonb NOT NULL,
        accepted_at timestamptz NOT NULL,
        provider text,
        model text,
        chain_position integer NOT NULL,
        failures integer NOT NULL,
        request jsonb,
        provider_task_id text,
        tries jsonb NOT NULL,
        result jsonb,
        started_at timestamptz,
        unclear_at timestamptz,
        ended_at timestamptz,
        CONSTRAINT uq_provider_task_provider_provider_task_id UNIQUE (provider, provider_task_id)
    )
    """,
    "CREATE INDEX ix_provider_task_job_id ON provider_task (job_id)",
    "CREATE INDEX ix_provider_task_open ON provider_task (provider, state) WHERE ended_at IS NULL",
    """
    CREATE TABLE cancellation (
        job_id text NOT NULL,
        step_id text NOT NULL,
        org_id text NOT NULL,
        reason text NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (job_id, step_id)
    )
    """,
    """
    CREATE TABLE made_document (
        asset_id text PRIMARY KEY,
        org_id text NOT NULL,
        sha256 text NOT NULL
    )
    """,
)


def upgrade() -> None:
    create_chassis_tables(op, service="generation")
    for statement in STATEMENTS:
        op.execute(statement)
    guard(op, *TABLES)


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
    drop_chassis_tables(op)

"""Requested steps with their answers, and what was told to stop."""

from alembic import op

from fenta.chassis.migrations import create_chassis_tables, drop_chassis_tables, guard

revision = "render_0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE render (
        id text PRIMARY KEY,
        org_id text NOT NULL,
        job_id text NOT NULL,
        step_id text NOT NULL CONSTRAINT uq_render_step_id UNIQUE,
        node_type text NOT NULL,
        status text NOT NULL CONSTRAINT ck_render_status
            CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
        request jsonb NOT NULL,
        tries jsonb NOT NULL,
        result jsonb,
        error jsonb,
        created_at timestamptz NOT NULL,
        started_at timestamptz,
        completed_at timestamptz
    )
    """,
    "CREATE INDEX ix_render_org_id_created_at ON render (org_id, created_at DESC, id DESC)",
    "CREATE INDEX ix_render_job_id ON render (job_id)",
    """
    CREATE TABLE stop (
        job_id text NOT NULL,
        step_id text NOT NULL,
        org_id text NOT NULL,
        reason text NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (job_id, step_id)
    )
    """,
)


def upgrade() -> None:
    create_chassis_tables(op, service="render")
    for statement in STATEMENTS:
        op.execute(statement)
    guard(op, "render", "stop")


def downgrade() -> None:
    op.execute("DROP TABLE stop")
    op.execute("DROP TABLE render")
    drop_chassis_tables(op)

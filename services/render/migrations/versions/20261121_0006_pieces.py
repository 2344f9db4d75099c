"""Segments that a render waits for, each a task of its own."""

from alembic import op

from fenta.chassis.migrations import guard

revision = "render_0006"
down_revision = "render_0005"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE piece (
        step_id text NOT NULL,
        key text NOT NULL,
        org_id text NOT NULL,
        task_id text NOT NULL,
        frames integer NOT NULL DEFAULT 0,
        ended boolean NOT NULL DEFAULT false,
        alone boolean NOT NULL DEFAULT false,
        failures integer NOT NULL DEFAULT 0,
        problem jsonb,
        PRIMARY KEY (step_id, key)
    )
    """,
    "CREATE INDEX ix_piece_org_id_key ON piece (org_id, key)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
    guard(op, "piece")


def downgrade() -> None:
    op.execute("DROP TABLE piece")

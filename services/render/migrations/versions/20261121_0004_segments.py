"""Finished segments of films, to be found again."""

from alembic import op

from fenta.chassis.migrations import guard

revision = "render_0004"
down_revision = "render_0003"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE segment (
        org_id text NOT NULL,
        key text NOT NULL,
        sha256 text NOT NULL,
        size_bytes bigint NOT NULL,
        seen jsonb NOT NULL,
        paid boolean NOT NULL,
        used_at timestamptz NOT NULL,
        PRIMARY KEY (org_id, key)
    )
    """,
    "CREATE INDEX ix_segment_used_at ON segment (used_at)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
    guard(op, "segment")


def downgrade() -> None:
    op.execute("DROP TABLE segment")

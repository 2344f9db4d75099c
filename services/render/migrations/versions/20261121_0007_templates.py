"""Templates of organisations, each save a version."""

from alembic import op

from fenta.chassis.migrations import guard

revision = "render_0007"
down_revision = "render_0006"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE template (
        id text PRIMARY KEY,
        org_id text NOT NULL,
        version integer NOT NULL,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        deleted_at timestamptz
    )
    """,
    "CREATE INDEX ix_template_org ON template (org_id, created_at DESC, id DESC)",
    """
    CREATE TABLE template_version (
        template_id text NOT NULL REFERENCES template (id) ON DELETE CASCADE,
        number integer NOT NULL,
        org_id text NOT NULL,
        document jsonb NOT NULL,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (template_id, number)
    )
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
    guard(op, "template", "template_version")


def downgrade() -> None:
    op.execute("DROP TABLE template_version, template")

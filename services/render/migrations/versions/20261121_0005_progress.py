"""A render tells how far it is."""

from alembic import op

revision = "render_0005"
down_revision = "render_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE render ADD COLUMN progress smallint NOT NULL DEFAULT 0")


def downgrade() -> None:
    op.execute("ALTER TABLE render DROP COLUMN progress")

"""Dead letters know where they failed, and may be dropped with a note."""

from alembic import op

from fenta.chassis.migrations import extend_dead_letters, restore_dead_letters

revision = "generation_0002"
down_revision = "generation_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    extend_dead_letters(op)


def downgrade() -> None:
    restore_dead_letters(op)

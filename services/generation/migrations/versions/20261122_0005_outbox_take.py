"""The relay takes its lock and the first rows in one trip."""

from alembic import op

from fenta.chassis.migrations import drop_outbox_take, make_outbox_take

revision = "generation_0005"
down_revision = "generation_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    make_outbox_take(op)


def downgrade() -> None:
    drop_outbox_take(op)

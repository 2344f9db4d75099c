"""Headers of events are kept as they were written."""

from alembic import op

from fenta.chassis.migrations import keep_headers_as_written, take_headers_apart

revision = "notifier_0004"
down_revision = "notifier_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    keep_headers_as_written(op)


def downgrade() -> None:
    take_headers_apart(op)

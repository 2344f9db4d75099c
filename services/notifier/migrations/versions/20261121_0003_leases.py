"""Leases are no longer indexed by their owner."""

from alembic import op

from fenta.chassis.migrations import forget_owners, remember_owners

revision = "notifier_0003"
down_revision = "notifier_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    forget_owners(op)


def downgrade() -> None:
    remember_owners(op)

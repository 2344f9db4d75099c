"""The events of a transaction are one row of the outbox."""

from alembic import op

from fenta.chassis.migrations import bundle_outbox, unbundle_outbox

revision = "workflow_0006"
down_revision = "workflow_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    bundle_outbox(op, service="workflow")


def downgrade() -> None:
    unbundle_outbox(op, service="workflow")

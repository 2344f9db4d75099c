"""The events of a transaction are one row of the outbox."""

from alembic import op

from fenta.chassis.migrations import bundle_outbox, unbundle_outbox

revision = "render_0010"
down_revision = "render_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    bundle_outbox(op, service="render")


def downgrade() -> None:
    unbundle_outbox(op, service="render")

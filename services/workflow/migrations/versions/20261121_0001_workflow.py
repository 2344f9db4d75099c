"""Jobs, steps, and the results that later jobs may use again."""

from alembic import op

from fenta.chassis.migrations import create_chassis_tables, drop_chassis_tables, guard

revision = "workflow_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_chassis_tables(op, service="workflow")
    op.execute(
        """
        CREATE TABLE job (
            id text PRIMARY KEY,
            org_id text NOT NULL,
            project_id text,
            root_job_id text NOT NULL,
            parent_job_id text,
            created_by text NOT NULL,
            title text NOT NULL,
            kind text NOT NULL,
            source jsonb NOT NULL,
            labels jsonb NOT NULL,
            priority text NOT NULL,
            on_budget text NOT NULL,
            reuse text NOT NULL,
            max_cost_micros bigint,
            weight integer NOT NULL,
            graph jsonb NOT NULL,
            inputs jsonb NOT NULL,
            size jsonb NOT NULL,
            estimate jsonb NOT NULL,
            status text NOT NULL,
            progress integer NOT NULL,
            waiting jsonb,
            hold jsonb NOT NULL,
            revision integer NOT NULL,
            asked_revision integer NOT NULL,
            prices jsonb NOT NULL,
            outputs jsonb NOT NULL,
            error jsonb,
            cancel_reason text,
            cancelled_by text,
            traceparent text,
            deadline_at timestamptz NOT NULL,
            wake_at timestamptz,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            started_at timestamptz,
            stopping_at timestamptz,
            ended_at timestamptz,
            deleted_at timestamptz
        )
        """
    )
    op.execute("CREATE INDEX ix_job_org_id_created_at ON job (org_id, created_at DESC, id DESC)")
    op.execute("CREATE INDEX ix_job_wake_at ON job (wake_at) WHERE wake_at IS NOT NULL")
    op.execute("CREATE INDEX ix_job_open ON job (org_id, created_at) WHERE ended_at IS NULL")
    op.execute(
        """
        CREATE TABLE step (
            id text PRIMARY KEY,
            job_id text NOT NULL CONSTRAINT fk_step_job_id REFERENCES job (id) ON DELETE CASCADE,
            org_id text NOT NULL,
            position integer NOT NULL,
            key text NOT NULL,
            node_id text NOT NULL,
            node_type text NOT NULL,
            axis jsonb NOT NULL,
            status text NOT NULL,
            progress integer NOT NULL,
            fingerprint text,
            reusable text,
            "limit" jsonb NOT NULL,
            models jsonb NOT NULL,
            outputs jsonb NOT NULL,
            assets jsonb NOT NULL,
            usage jsonb NOT NULL,
            error jsonb,
            tries jsonb NOT NULL,
            reused_from text,
            requested_at timestamptz,
            progressed_at timestamptz,
            started_at timestamptz,
            completed_at timestamptz,
            CONSTRAINT uq_step_job_id_key UNIQUE (job_id, key)
        ) WITH (fillfactor = 70)
        """
    )
    op.execute("CREATE INDEX ix_step_flight ON step (org_id) WHERE status IN ('queued', 'running')")
    op.execute(
        """
        CREATE TABLE result (
            org_id text NOT NULL,
            fingerprint text NOT NULL,
            root_job_id text NOT NULL,
            reusable text NOT NULL,
            step_id text NOT NULL,
            outputs jsonb NOT NULL,
            assets jsonb NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (org_id, fingerprint, root_job_id)
        )
        """
    )
    guard(op, "job", "step", "result")


def downgrade() -> None:
    for table in ("result", "step", "job"):
        op.execute(f"DROP TABLE {table}")
    drop_chassis_tables(op)

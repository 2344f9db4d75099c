"""Accounts, the ledger with its balances, holds, and lines of usage."""

from alembic import op

from fenta.chassis.migrations import create_chassis_tables, drop_chassis_tables, guard

revision = "billing_0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = ("ledger_posting", "ledger_transaction", "usage_line", "hold", "balance", "account")

STATEMENTS = (
    """
    CREATE TABLE account (
        org_id text PRIMARY KEY,
        plan text NOT NULL,
        opened_at timestamptz NOT NULL,
        period_start timestamptz,
        period_end timestamptz
    )
    """,
    """
    CREATE TABLE balance (
        org_id text NOT NULL REFERENCES account ON DELETE CASCADE,
        unit text NOT NULL,
        account text NOT NULL,
        amount bigint NOT NULL,
        PRIMARY KEY (org_id, unit, account),
        CONSTRAINT ck_balance_never_negative CHECK (amount >= 0 OR account NOT IN ('available', 'held', 'used'))
    )
    """,
    """
    CREATE TABLE hold (
        job_id text PRIMARY KEY,
        org_id text NOT NULL REFERENCES account ON DELETE CASCADE,
        state text NOT NULL CONSTRAINT ck_hold_state
            CHECK (state IN ('open', 'ending', 'released', 'refused', 'ended')),
        created_at timestamptz NOT NULL,
        revision integer NOT NULL,
        units jsonb NOT NULL,
        captured jsonb NOT NULL,
        price_version text NOT NULL,
        unit_prices_micros jsonb NOT NULL,
        max_cost_micros bigint,
        cost_limit_micros bigint NOT NULL,
        spent_micros bigint NOT NULL,
        awaited jsonb NOT NULL,
        expires_at timestamptz,
        release_at timestamptz
    )
    """,
    "CREATE INDEX ix_hold_org_id ON hold (org_id)",
    "CREATE INDEX ix_hold_release_at ON hold (release_at) WHERE state = 'ending'",
    "CREATE INDEX ix_hold_expires_at ON hold (expires_at) WHERE state = 'open'",
    """
    CREATE TABLE usage_line (
        usage_id text PRIMARY KEY,
        org_id text NOT NULL REFERENCES account ON DELETE CASCADE,
        project_id text,
        job_id text,
        step_id text,
        node_type text,
        unit text NOT NULL,
        quantity bigint NOT NULL,
        unit_price_micros bigint NOT NULL,
        cost_micros bigint NOT NULL,
        outcome text NOT NULL,
        occurred_at timestamptz NOT NULL,
        recorded_at timestamptz NOT NULL,
        detail jsonb NOT NULL
    )
    """,
    "CREATE INDEX ix_usage_line_org_id_occurred_at ON usage_line (org_id, occurred_at)",
    """
    CREATE TABLE ledger_transaction (
        id text PRIMARY KEY,
        number bigint GENERATED ALWAYS AS IDENTITY,
        org_id text NOT NULL REFERENCES account ON DELETE CASCADE,
        kind text NOT NULL,
        unit text NOT NULL,
        quantity bigint NOT NULL CONSTRAINT ck_ledger_transaction_quantity CHECK (quantity > 0),
        reference text NOT NULL CONSTRAINT uq_ledger_transaction_reference UNIQUE,
        job_id text,
        usage_id text,
        unit_price_micros bigint NOT NULL,
        cost_micros bigint NOT NULL,
        created_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX ix_ledger_transaction_org_id_number ON ledger_transaction (org_id, number)",
    "CREATE INDEX ix_ledger_transaction_job_id_number ON ledger_transaction (job_id, number)",
    """
    CREATE TABLE ledger_posting (
        transaction_id text NOT NULL REFERENCES ledger_transaction ON DELETE CASCADE,
        org_id text NOT NULL REFERENCES account ON DELETE CASCADE,
        unit text NOT NULL,
        account text NOT NULL,
        amount bigint NOT NULL,
        PRIMARY KEY (transaction_id, account)
    )
    """,
    "CREATE INDEX ix_ledger_posting_org_id_unit_account ON ledger_posting (org_id, unit, account)",
    """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$
    """,
    """
    CREATE FUNCTION require_zero_sum() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT 1 FROM fresh GROUP BY transaction_id, unit HAVING sum(amount) <> 0) THEN
            RAISE EXCEPTION 'a transaction does not sum to zero';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER zero_sum AFTER INSERT ON ledger_posting REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION require_zero_sum()
    """,
    *(
        f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        for table in ("ledger_transaction", "ledger_posting")
    ),
)


def upgrade() -> None:
    create_chassis_tables(op, service="billing")
    for statement in STATEMENTS:
        op.execute(statement)
    guard(op, *TABLES)


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP FUNCTION refuse_change()")
    op.execute("DROP FUNCTION require_zero_sum()")
    drop_chassis_tables(op)

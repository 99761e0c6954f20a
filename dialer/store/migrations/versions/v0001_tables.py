"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


_CASELESS = (
    sa.String()
    .with_variant(sa.String(collation="NOCASE"), "sqlite")
    .with_variant(sa.String(collation="C"), "postgresql")
)
_TABLES = (
    "clients",
    "idempotency_answers",
    "meta",
    "runtime",
    "servers",
    "tallies",
    "api_keys",
    "client_servers",
    "deliveries",
    "queues",
    "batches",
    "items",
    "queue_servers",
    "attempts",
    "cdrs",
)


def upgrade() -> None:
    _create_clients()
    _create_idempotency_answers()
    _create_meta()
    _create_runtime()
    _create_servers()
    _create_tallies()
    _create_api_keys()
    _create_client_servers()
    _create_deliveries()
    _create_queues()
    _create_batches()
    _create_items()
    _create_queue_servers()
    _create_attempts()
    _create_cdrs()


def downgrade() -> None:
    for table in _TABLES[::-1]:
        op.drop_table(table)


def _create_clients() -> None:
    op.create_table(
        "clients",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("accountcode", sa.String(), nullable=False),
        sa.Column("username", sa.String(), nullable=False),
        sa.Column("did", sa.String(), nullable=True),
        sa.Column("phone_number", sa.String(), nullable=True),
        sa.Column("callback_url", sa.String(), nullable=True),
        sa.Column("allocated_channels", sa.Integer(), nullable=False),
        sa.Column("max_cps", sa.Float(), nullable=True),
        sa.Column("rate_limit", sa.Integer(), nullable=True),
        sa.Column("is_superuser", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("paused", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("endpoint", sa.String(), nullable=True),
        sa.Column("prefix", sa.String(), nullable=True),
        sa.Column("default_application", sa.String(), nullable=True),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("allocated_channels >= 0", name=op.f("ck_clients_allocated_channels")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clients")),
        sa.UniqueConstraint("accountcode", name=op.f("uq_clients_accountcode")),
        sa.UniqueConstraint("username", name=op.f("uq_clients_username")),
    )


def _create_idempotency_answers() -> None:
    op.create_table(
        "idempotency_answers",
        sa.Column("client_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "key", name=op.f("pk_idempotency_answers")),
    )


def _create_meta() -> None:
    op.create_table(
        "meta",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_meta")),
    )


def _create_runtime() -> None:
    op.create_table(
        "runtime",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_runtime")),
    )


def _create_servers() -> None:
    op.create_table(
        "servers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("username", sa.String(), nullable=False),
        sa.Column("secret_env", sa.String(), nullable=True),
        sa.Column("secret_file", sa.String(), nullable=True),
        sa.Column("tls", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("max_channels", sa.Integer(), nullable=True),
        sa.Column("max_cps", sa.Float(), nullable=True),
        sa.Column("paused", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("removed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_servers")),
        sa.UniqueConstraint("code", name=op.f("uq_servers_code")),
    )


def _create_tallies() -> None:
    op.create_table(
        "tallies",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tallies")),
    )


def _create_api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "client_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("lookup", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_api_keys_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("lookup", name=op.f("uq_api_keys_lookup")),
    )
    op.create_index(
        "uq_api_keys_live",
        "api_keys",
        ["client_id"],
        unique=True,
        sqlite_where=sa.text("revoked_at IS NULL"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    )


def _create_client_servers() -> None:
    op.create_table(
        "client_servers",
        sa.Column(
            "client_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "server_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_client_servers_client_id")
        ),
        sa.ForeignKeyConstraint(
            ["server_id"], ["servers.id"], name=op.f("fk_client_servers_server_id")
        ),
        sa.PrimaryKeyConstraint("client_id", "server_id", name=op.f("pk_client_servers")),
    )


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column(
            "client_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("endpoint", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(), server_default="pending", nullable=False),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("kind IN ('callback', 'sgapi')", name=op.f("ck_deliveries_kind")),
        sa.CheckConstraint("method IN ('POST', 'PUT')", name=op.f("ck_deliveries_method")),
        sa.CheckConstraint(
            "state IN ('pending', 'delivered', 'dead')", name=op.f("ck_deliveries_state")
        ),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_deliveries_client_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    op.create_index(
        "ix_deliveries_due",
        "deliveries",
        ["endpoint", "due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_deliveries_line",
        "deliveries",
        ["endpoint", "id", "due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )


def _create_queues() -> None:
    op.create_table(
        "queues",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "client_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("retry", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("retry_count", sa.Integer(), nullable=False),
        sa.Column("retry_gap", sa.Integer(), nullable=False),
        sa.Column("dids", sa.JSON(), nullable=False),
        sa.Column("paused", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("closed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("ending", sa.String(), nullable=True),
        sa.Column("total_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("pending_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("queued_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("processed_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("terminated_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("ending IN ('pending', 'retries')", name=op.f("ck_queues_ending")),
        sa.CheckConstraint("kind IN ('batch', 'quick')", name=op.f("ck_queues_kind")),
        sa.CheckConstraint(
            "status IN ('pending', 'in-progress', 'paused', 'completed')",
            name=op.f("ck_queues_status"),
        ),
        sa.CheckConstraint(
            "pending_count >= 0 AND queued_count >= 0 AND total_count"
            " = pending_count + queued_count + processed_count + terminated_count",
            name=op.f("ck_queues_counts"),
        ),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_queues_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queues")),
    )
    op.create_index(op.f("ix_queues_client_id"), "queues", ["client_id"], unique=False)
    op.create_index(
        "ix_queues_ending",
        "queues",
        ["id"],
        unique=False,
        sqlite_where=sa.text("ending IS NOT NULL"),
        postgresql_where=sa.text("ending IS NOT NULL"),
    )
    op.create_index(
        "ix_queues_open",
        "queues",
        ["id"],
        unique=False,
        sqlite_where=sa.text("status <> 'completed'"),
        postgresql_where=sa.text("status <> 'completed'"),
    )
    op.create_index(
        "uq_queues_quick",
        "queues",
        ["client_id"],
        unique=True,
        sqlite_where=sa.text("kind = 'quick'"),
        postgresql_where=sa.text("kind = 'quick'"),
    )


def _create_batches() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "client_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("queue_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("inserted_count", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_batches_client_id")),
        sa.ForeignKeyConstraint(["queue_id"], ["queues.id"], name=op.f("fk_batches_queue_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
        sa.UniqueConstraint("client_id", "batch_id", name=op.f("uq_batches_client_id_batch_id")),
    )


def _create_items() -> None:
    op.create_table(
        "items",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "client_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("queue_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "server_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(), server_default="pending", nullable=False),
        sa.Column("quick", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("call_id", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("caller_id", sa.String(), nullable=True),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("retry", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("unplaced", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("after_unplaced", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("disposition", sa.String(), nullable=True),
        sa.Column("connected", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("call_success", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("call_failed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("deadline", sa.BigInteger(), nullable=True),
        sa.Column("channel_base", _CASELESS, nullable=True),
        sa.Column("last_cdr_id", sa.String(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "status IN ('pending', 'queued', 'processed', 'terminated')",
            name=op.f("ck_items_status"),
        ),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_items_client_id")),
        sa.ForeignKeyConstraint(["queue_id"], ["queues.id"], name=op.f("fk_items_queue_id")),
        sa.ForeignKeyConstraint(["server_id"], ["servers.id"], name=op.f("fk_items_server_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_items")),
    )
    op.create_index(
        "ix_items_deadline",
        "items",
        ["deadline"],
        unique=False,
        sqlite_where=sa.text("status = 'pending' AND deadline IS NOT NULL"),
        postgresql_where=sa.text("status = 'pending' AND deadline IS NOT NULL"),
    )
    op.create_index(
        "ix_items_fresh",
        "items",
        ["queue_id", "server_id"],
        unique=False,
        sqlite_where=sa.text("status = 'pending' AND due_at IS NULL"),
        postgresql_where=sa.text("status = 'pending' AND due_at IS NULL"),
    )
    op.create_index(op.f("ix_items_queue_id"), "items", ["queue_id"], unique=False)
    op.create_index(
        "ix_items_retries",
        "items",
        ["queue_id", "server_id", "due_at"],
        unique=False,
        sqlite_where=sa.text("status = 'pending' AND due_at IS NOT NULL"),
        postgresql_where=sa.text("status = 'pending' AND due_at IS NOT NULL"),
    )
    op.create_index(
        "uq_items_channel_base",
        "items",
        ["channel_base"],
        unique=True,
        sqlite_where=sa.text("channel_base IS NOT NULL"),
        postgresql_where=sa.text("channel_base IS NOT NULL"),
    )


def _create_queue_servers() -> None:
    op.create_table(
        "queue_servers",
        sa.Column("queue_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "server_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["queue_id"], ["queues.id"], name=op.f("fk_queue_servers_queue_id")
        ),
        sa.ForeignKeyConstraint(
            ["server_id"], ["servers.id"], name=op.f("fk_queue_servers_server_id")
        ),
        sa.PrimaryKeyConstraint("queue_id", "server_id", name=op.f("pk_queue_servers")),
    )


def _create_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("item_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "client_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("queue_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "server_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("channel_id", _CASELESS, nullable=False),
        sa.Column("action_id", sa.String(), nullable=False),
        sa.Column("cdr_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), server_default="open", nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("state IN ('open', 'ended')", name=op.f("ck_attempts_state")),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_attempts_client_id")),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_attempts_item_id")),
        sa.ForeignKeyConstraint(["queue_id"], ["queues.id"], name=op.f("fk_attempts_queue_id")),
        sa.ForeignKeyConstraint(["server_id"], ["servers.id"], name=op.f("fk_attempts_server_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
        sa.UniqueConstraint("cdr_id", name=op.f("uq_attempts_cdr_id")),
        sa.UniqueConstraint("channel_id", name=op.f("uq_attempts_channel_id")),
    )
    op.create_index(
        "uq_attempts_open",
        "attempts",
        ["item_id"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )


def _create_cdrs() -> None:
    op.create_table(
        "cdrs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "attempt_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("cdr_id", sa.String(), nullable=False),
        sa.Column(
            "client_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("queue_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("item_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("server_code", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("disposition", sa.String(), nullable=False),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempts.id"], name=op.f("fk_cdrs_attempt_id")),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_cdrs_client_id")),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_cdrs_item_id")),
        sa.ForeignKeyConstraint(["queue_id"], ["queues.id"], name=op.f("fk_cdrs_queue_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cdrs")),
        sa.UniqueConstraint("attempt_id", name=op.f("uq_cdrs_attempt_id")),
        sa.UniqueConstraint("cdr_id", name=op.f("uq_cdrs_cdr_id")),
    )
    op.create_index(op.f("ix_cdrs_client_id_id"), "cdrs", ["client_id", "id"], unique=False)
    op.create_index(
        op.f("ix_cdrs_client_id_started_at"), "cdrs", ["client_id", "started_at"], unique=False
    )

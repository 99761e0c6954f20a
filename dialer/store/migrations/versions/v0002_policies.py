"""Policies of clients, the audit log, flushing, addresses of recordings, lists by disposition."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("servers", sa.Column("recording_url", sa.String()))
    op.add_column(
        "clients",
        sa.Column("policy", sa.JSON(), server_default=sa.text("'{}'"), nullable=False),
    )
    op.add_column("queues", sa.Column("ending_upto", sa.BigInteger()))
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(
        "ix_items_disposition",
        "items",
        ["queue_id", "disposition"],
        sqlite_where=sa.text("disposition IS NOT NULL"),
        postgresql_where=sa.text("disposition IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_items_disposition", table_name="items")
    op.drop_table("audit")
    for table, column in (
        ("queues", "ending_upto"),
        ("clients", "policy"),
        ("servers", "recording_url"),
    ):
        op.drop_column(table, column)

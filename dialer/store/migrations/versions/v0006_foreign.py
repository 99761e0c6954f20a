"""CDRs of other telephony systems, and when a delivery was tried last."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("updated_at", sa.BigInteger()))
    op.execute("UPDATE deliveries SET updated_at = ended_at WHERE ended_at IS NOT NULL")
    op.create_index(
        "ix_deliveries_sgapi",
        "deliveries",
        ["event_id"],
        sqlite_where=sa.text("kind = 'sgapi'"),
        postgresql_where=sa.text("kind = 'sgapi'"),
    )
    op.create_table(
        "foreign_cdrs",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("client_id", _KEY, nullable=False),
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("cdr_id", sa.String(), nullable=False),
        sa.Column("entity", sa.String(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("delivery_id", _KEY, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_foreign_cdrs_client_id")
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_foreign_cdrs_delivery_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_foreign_cdrs")),
        sa.UniqueConstraint("client_id", "uuid", name=op.f("uq_foreign_cdrs_client_id_uuid")),
    )
    op.create_index(
        "ix_foreign_cdrs_unsent",
        "foreign_cdrs",
        ["id"],
        sqlite_where=sa.text("delivery_id IS NULL"),
        postgresql_where=sa.text("delivery_id IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("foreign_cdrs")
    op.drop_index("ix_deliveries_sgapi", "deliveries")
    op.drop_column("deliveries", "updated_at")

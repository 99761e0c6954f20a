"""A mark for queues whose waiting retries follow a changed gap piece by piece."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("queues", sa.Column("moved_upto", sa.BigInteger()))
    op.create_index(
        "ix_queues_moving",
        "queues",
        ["id"],
        sqlite_where=sa.text("moved_upto IS NOT NULL"),
        postgresql_where=sa.text("moved_upto IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_queues_moving", "queues")
    op.drop_column("queues", "moved_upto")

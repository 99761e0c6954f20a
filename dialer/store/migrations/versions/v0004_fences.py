"""Fencing tokens of servers, ids of withdrawn attempts, queues that redial what is unknown."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    zero = sa.text("0")
    op.add_column("servers", sa.Column("fence", sa.Integer(), server_default=zero, nullable=False))
    op.add_column("items", sa.Column("kept_ids", sa.JSON()))
    op.add_column(
        "queues",
        sa.Column("redial_unknown", sa.Boolean(), server_default=sa.false(), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("queues", "redial_unknown")
    op.drop_column("items", "kept_ids")
    op.drop_column("servers", "fence")

"""Which callbacks about calls that go on a client asked for, and those told of each attempt."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    events = sa.Column("callback_events", sa.JSON(), server_default=sa.text("'[]'"), nullable=False)
    told = sa.Column("told", sa.Integer(), server_default=sa.text("0"), nullable=False)
    op.add_column("clients", events)
    op.add_column("attempts", told)


def downgrade() -> None:
    op.drop_column("attempts", "told")
    op.drop_column("clients", "callback_events")

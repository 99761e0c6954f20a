"""On PostgreSQL, when an attempt was answered (`dialer.store.answers`), with room for it."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.add_column("attempts", sa.Column("answered_at", sa.BigInteger()))
    op.execute("ALTER TABLE attempts SET (fillfactor = 80)")


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("ALTER TABLE attempts RESET (fillfactor)")
    op.drop_column("attempts", "answered_at")

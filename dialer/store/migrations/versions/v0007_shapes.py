"""The shape of a client's callbacks, and the mapping that it reads `/v2/cdr` in."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, value in (("callback_shape", "native"), ("cdr_mapping", "default")):
        op.add_column(
            "clients",
            sa.Column(name, sa.String(), server_default=sa.text(f"'{value}'"), nullable=False),
        )


def downgrade() -> None:
    for name in ("cdr_mapping", "callback_shape"):
        op.drop_column("clients", name)

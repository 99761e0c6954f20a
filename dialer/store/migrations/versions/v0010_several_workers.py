"""Whose token an attempt was reserved with; on PostgreSQL the indexes that SQLite has by itself.

SQLite keeps the row id in every index, and its columns may compare without case.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_FRESH = "status = 'pending' AND due_at IS NULL"
_ORDERED = (
    ("ix_items_fresh", ("queue_id", "server_id"), _FRESH),
    ("ix_items_queue_id", ("queue_id",), None),
    ("ix_items_disposition", ("queue_id", "disposition"), "disposition IS NOT NULL"),
)


def upgrade() -> None:
    op.add_column("attempts", sa.Column("fence", sa.BigInteger()))
    if op.get_bind().dialect.name != "postgresql":
        return
    _index("id")
    op.drop_constraint(op.f("uq_attempts_channel_id"), "attempts")
    op.create_index(
        op.f("uq_attempts_channel_id"), "attempts", [sa.text("lower(channel_id)")], unique=True
    )
    op.drop_index("uq_items_channel_base", "items")
    op.create_index(
        "uq_items_channel_base",
        "items",
        [sa.text("lower(channel_base)")],
        unique=True,
        postgresql_where=sa.text("channel_base IS NOT NULL"),
    )
    # Rows that are changed all the time, in place as far as possible.
    for table in ("queues", "tallies", "cdr_blocks", "servers"):
        op.execute(f"ALTER TABLE {table} SET (fillfactor = 50)")


def downgrade() -> None:
    op.drop_column("attempts", "fence")
    if op.get_bind().dialect.name != "postgresql":
        return
    _index()
    op.drop_index(op.f("uq_attempts_channel_id"), "attempts")
    op.create_unique_constraint(op.f("uq_attempts_channel_id"), "attempts", ["channel_id"])
    op.drop_index("uq_items_channel_base", "items")
    op.create_index(
        "uq_items_channel_base",
        "items",
        ["channel_base"],
        unique=True,
        postgresql_where=sa.text("channel_base IS NOT NULL"),
    )


def _index(*last: str) -> None:
    """Indexes of what is read in the order of ids."""
    for name, columns, condition in _ORDERED:
        op.drop_index(name, "items")
        where = None if condition is None else sa.text(condition)
        op.create_index(name, "items", [*columns, *last], postgresql_where=where)

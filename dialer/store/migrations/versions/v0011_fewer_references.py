"""On PostgreSQL, references that others imply are not checked for every row.

An item belongs to a queue, which belongs to a client; an attempt to an item, a CDR to an attempt.
Those are kept. Checking the rest again took two thirds of the time of an insert, and made writers
of one client share its row's lock. SQLite checks them in its own thread for next to nothing.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_IMPLIED = {
    "items": ("client_id", "server_id"),
    "attempts": ("client_id", "queue_id", "server_id"),
    "cdrs": ("client_id", "queue_id", "item_id"),
}


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, columns in _IMPLIED.items():
        for column in columns:
            op.drop_constraint(op.f(f"fk_{table}_{column}"), table)


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, columns in _IMPLIED.items():
        for column in columns:
            other = f"{column.removesuffix('_id')}s"
            name = op.f(f"fk_{table}_{column}")
            op.create_foreign_key(name, table, other, [column], ["id"])

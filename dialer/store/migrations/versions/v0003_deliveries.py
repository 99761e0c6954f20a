"""Deliveries that are followed, callbacks that are gone, versions of signing secrets."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_COLUMNS = (
    "id, kind, client_id, endpoint, url, method, event_id, body, state, tries, status, error,"
    " due_at, created_at, ended_at"
)
_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OPEN = "ended_at IS NULL"


_STATES = "state IN ('pending', 'accepted', 'delivered', 'dead')"
_ENDED = "(ended_at IS NULL) = (state IN ('pending', 'accepted'))"
_OLD_STATES = "state IN ('pending', 'delivered', 'dead')"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _drop_indexes()
        op.add_column("deliveries", sa.Column("task", sa.JSON(), nullable=True))
        op.drop_constraint(op.f("ck_deliveries_state"), "deliveries")
        op.create_check_constraint(op.f("ck_deliveries_state"), "deliveries", _STATES)
        op.create_check_constraint(op.f("ck_deliveries_ended"), "deliveries", _ENDED)
    else:
        _rebuild(
            sa.Column("task", sa.JSON(), nullable=True),
            sa.CheckConstraint(_STATES, name=op.f("ck_deliveries_state")),
            sa.CheckConstraint(_ENDED, name=op.f("ck_deliveries_ended")),
        )
    _index(_OPEN)
    op.create_index(
        "ix_deliveries_dead",
        "deliveries",
        ["id"],
        sqlite_where=sa.text("state = 'dead'"),
        postgresql_where=sa.text("state = 'dead'"),
    )
    op.create_table(
        "gone_callbacks",
        sa.Column("client_id", _KEY, nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_gone_callbacks_client_id")
        ),
        sa.PrimaryKeyConstraint("client_id", "url", name=op.f("pk_gone_callbacks")),
    )
    op.create_table(
        "signing",
        sa.Column("client_id", _KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("grace_until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_signing_client_id")),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_signing")),
    )


def downgrade() -> None:
    op.drop_table("signing")
    op.drop_table("gone_callbacks")
    # What was accepted is sent once more: the gateway answers that it has it.
    op.execute(
        "UPDATE deliveries SET state = 'pending', endpoint = 'sgapi' WHERE state = 'accepted'"
    )
    op.execute(
        "INSERT INTO tallies (name, value)"
        " SELECT 'sgapi/pending', value FROM tallies WHERE name = 'sgapi/accepted'"
        " ON CONFLICT (name) DO UPDATE SET value = tallies.value + excluded.value"
    )
    op.execute("DELETE FROM tallies WHERE name = 'sgapi/accepted'")
    if op.get_bind().dialect.name == "postgresql":
        _drop_indexes()
        op.drop_index("ix_deliveries_dead", "deliveries")
        op.drop_constraint(op.f("ck_deliveries_ended"), "deliveries")
        op.drop_constraint(op.f("ck_deliveries_state"), "deliveries")
        op.create_check_constraint(op.f("ck_deliveries_state"), "deliveries", _OLD_STATES)
        op.drop_column("deliveries", "task")
    else:
        _rebuild(sa.CheckConstraint(_OLD_STATES, name=op.f("ck_deliveries_state")))
    _index("state = 'pending'")


def _drop_indexes() -> None:
    op.drop_index("ix_deliveries_due", "deliveries")
    op.drop_index("ix_deliveries_line", "deliveries")


def _rebuild(*changed: sa.Column[object] | sa.CheckConstraint) -> None:
    """SQLite changes no constraint: the table is copied. Its indexes go with it."""
    op.create_table(
        "deliveries_new",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("client_id", _KEY, nullable=False),
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
        *changed,
        sa.CheckConstraint("kind IN ('callback', 'sgapi')", name=op.f("ck_deliveries_kind")),
        sa.CheckConstraint("method IN ('POST', 'PUT')", name=op.f("ck_deliveries_method")),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_deliveries_client_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    op.execute(f"INSERT INTO deliveries_new ({_COLUMNS}) SELECT {_COLUMNS} FROM deliveries")  # noqa: S608
    op.drop_table("deliveries")
    op.rename_table("deliveries_new", "deliveries")


def _index(condition: str) -> None:
    where = sa.text(condition)
    op.create_index(
        "ix_deliveries_due",
        "deliveries",
        ["endpoint", "due_at"],
        sqlite_where=where,
        postgresql_where=where,
    )
    op.create_index(
        "ix_deliveries_line",
        "deliveries",
        ["endpoint", "id", "due_at"],
        sqlite_where=where,
        postgresql_where=where,
    )

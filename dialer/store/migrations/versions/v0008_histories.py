"""Histories of any length: what CDRs are searched by as columns, blocks to count by, projects."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from dialer.dialects.parties import find_extension
from dialer.histories import App, name_app, name_source
from dialer.store.rows import load_cdr

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_AT_ONCE = 1000
_FILL = """
UPDATE cdrs SET source = :source, extension = :extension, project = :project,
  duration = :duration, talked = :talked, recorded = :recorded, call_id = :call_id,
  client_channel_id = :client_channel_id, sip_call_id = :sip_call_id, shelf = attempt_id >> 11
WHERE id = :id
"""
_BLOCKS = """
INSERT INTO cdr_blocks (client_id, first_id, last_id, size, earliest, latest)
SELECT client_id, min(id), max(id), count(*), min(started_at), max(started_at)
FROM (SELECT id, client_id, started_at,
    (row_number() OVER (PARTITION BY client_id ORDER BY id) - 1) / 2048 AS block
  FROM cdrs) AS numbered
GROUP BY client_id, block
"""
_PROJECTS = """
INSERT INTO projects (client_id, number, name)
SELECT client_id, row_number() OVER (PARTITION BY client_id ORDER BY min(id)), project
FROM cdrs WHERE project IS NOT NULL GROUP BY client_id, project
"""
_HISTORY = (
    "client_id", "id", "started_at", "disposition", "queue_id", "duration", "talked", "recorded",
    "final", "number", "source", "extension", "project",
)  # fmt: skip
_IDS = ("call_id", "client_channel_id", "sip_call_id")


def upgrade() -> None:
    for column in _columns():
        op.add_column("cdrs", column)
    _fill(op.get_bind())
    op.drop_index("ix_cdrs_client_id_id", "cdrs")
    op.drop_index("ix_cdrs_client_id_started_at", "cdrs")
    op.create_index("ix_cdrs_history", "cdrs", list(_HISTORY))
    op.create_index("ix_cdrs_call_id", "cdrs", ["shelf", "call_id"])
    for name in _IDS[1:]:
        where = sa.text(f"{name} IS NOT NULL")
        op.create_index(
            f"ix_cdrs_{name}", "cdrs", ["shelf", name], sqlite_where=where, postgresql_where=where
        )
    op.create_table(
        "cdr_blocks",
        sa.Column("client_id", _KEY, nullable=False),
        sa.Column("first_id", sa.BigInteger(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("earliest", sa.BigInteger(), nullable=False),
        sa.Column("latest", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_cdr_blocks_client_id")
        ),
        sa.PrimaryKeyConstraint("client_id", "first_id", name=op.f("pk_cdr_blocks")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "projects",
        sa.Column("client_id", _KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_projects_client_id")),
        sa.PrimaryKeyConstraint("client_id", "number", name=op.f("pk_projects")),
        sa.UniqueConstraint("client_id", "name", name=op.f("uq_projects_client_id_name")),
        sqlite_with_rowid=False,
    )
    op.execute(_BLOCKS)
    op.execute(_PROJECTS)


def downgrade() -> None:
    op.drop_table("projects")
    op.drop_table("cdr_blocks")
    for name in (*_IDS, "history"):
        op.drop_index(f"ix_cdrs_{name}", "cdrs")
    op.create_index("ix_cdrs_client_id_id", "cdrs", ["client_id", "id"])
    op.create_index("ix_cdrs_client_id_started_at", "cdrs", ["client_id", "started_at"])
    for column in reversed(_columns()):
        op.drop_column("cdrs", column.name)


def _columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("source", sa.String(), server_default=sa.text("''"), nullable=False),
        sa.Column("extension", sa.String(), server_default=sa.text("''"), nullable=False),
        sa.Column("project", sa.String()),
        sa.Column("duration", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("talked", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("recorded", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("call_id", sa.String(), server_default=sa.text("''"), nullable=False),
        sa.Column("client_channel_id", sa.String()),
        sa.Column("sip_call_id", sa.String()),
        sa.Column("shelf", sa.Integer(), server_default=sa.text("0"), nullable=False),
    )


def _fill(connection: sa.Connection) -> None:
    """The new columns of every row, out of its record."""
    last = 0
    query = sa.text("SELECT id, record FROM cdrs WHERE id > :last ORDER BY id LIMIT :limit")
    while found := connection.execute(query, {"last": last, "limit": _AT_ONCE}).all():
        connection.execute(_FILLING, [_values(id_, record) for id_, record in found])
        last = found[-1][0]


_FILLING = sa.text(_FILL).bindparams(
    sa.bindparam("source", type_=sa.String()),
    sa.bindparam("extension", type_=sa.String()),
    sa.bindparam("project", type_=sa.String()),
    sa.bindparam("duration", type_=sa.Integer()),
    sa.bindparam("talked", type_=sa.Boolean()),
    sa.bindparam("recorded", type_=sa.Boolean()),
    sa.bindparam("call_id", type_=sa.String()),
    sa.bindparam("client_channel_id", type_=sa.String()),
    sa.bindparam("sip_call_id", type_=sa.String()),
    sa.bindparam("id", type_=sa.BigInteger()),
)


def _values(id_: int, record: str | dict[str, Any]) -> dict[str, object]:
    cdr = load_cdr(json.loads(record) if isinstance(record, str) else record)
    return {
        "source": name_source(cdr.caller_id) or "",
        "extension": find_extension(cdr),
        "project": cdr.project,
        "duration": cdr.duration,
        "talked": name_app(False, cdr.application) is App.AUTODIALER,
        "recorded": cdr.recording_path is not None,
        "call_id": cdr.call_id,
        "client_channel_id": cdr.client_channel_id,
        "sip_call_id": cdr.sip_call_id,
        "id": id_,
    }

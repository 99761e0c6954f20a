"""The tables as SQLAlchemy Core sees them: what the migrations must have built.

Moments are integer microseconds since the epoch, UTC: exact in every database and in JSON.
Names that must be unique whatever their case (ChannelIds) collate without case. Indexes are named
as SQLite needs them; what PostgreSQL has instead stands in migrations 0010 to 0013.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# INTEGER PRIMARY KEY is SQLite's own row id: it grows, and costs no index of its own.
_Key = BigInteger().with_variant(Integer, "sqlite")
_Moment = BigInteger
_Caseless = (
    String()
    .with_variant(String(collation="NOCASE"), "sqlite")
    .with_variant(String(collation="C"), "postgresql")
)


def _flag(name: str, default: bool = False) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=true() if default else false())


def _count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=text("0"))


def _words(name: str) -> Column[str]:
    return Column(name, String, nullable=False, server_default=text("''"))


def _where(condition: str) -> dict[str, Any]:
    """The condition of a partial index."""
    return {f"{database}_where": text(condition) for database in ("sqlite", "postgresql")}


def _within(column: str, *words: str) -> CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


meta = Table(
    "meta",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

servers = Table(
    "servers",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("code", String, nullable=False, unique=True),
    Column("host", String, nullable=False),
    Column("port", Integer, nullable=False),
    Column("username", String, nullable=False),
    Column("secret_env", String),
    Column("secret_file", String),
    _flag("tls"),
    Column("max_channels", Integer),
    Column("max_cps", Float),
    _flag("paused"),
    _flag("removed"),
    Column("recording_url", String),
    # The token that owning it gave last: a write with a smaller one is refused.
    Column("fence", Integer, nullable=False, server_default=text("0")),
)

clients = Table(
    "clients",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("name", String, nullable=False),
    Column("accountcode", String, nullable=False, unique=True),
    Column("username", String, nullable=False, unique=True),
    Column("did", String),
    Column("phone_number", String),
    Column("callback_url", String),
    Column("allocated_channels", Integer, nullable=False),
    Column("max_cps", Float),
    Column("rate_limit", Integer),
    _flag("is_superuser"),
    _flag("is_active", True),
    Column("status", String, nullable=False),
    _flag("paused"),
    Column("endpoint", String),
    Column("prefix", String),
    Column("default_application", String),
    Column("timezone", String, nullable=False),
    Column("created_at", _Moment, nullable=False),
    Column("updated_at", _Moment, nullable=False),
    # What differs from the default policy (dialer.policy.dump_policy).
    Column("policy", JSON, nullable=False, server_default=text("'{}'")),
    Column("callback_shape", String, nullable=False, server_default="native"),
    Column("cdr_mapping", String, nullable=False, server_default="default"),
    Column("callback_events", JSON, nullable=False, server_default=text("'[]'")),
    CheckConstraint("allocated_channels >= 0", name="allocated_channels"),
)

client_servers = Table(
    "client_servers",
    metadata,
    Column("client_id", ForeignKey("clients.id"), primary_key=True),
    Column("server_id", ForeignKey("servers.id"), primary_key=True),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("client_id", ForeignKey("clients.id"), nullable=False),
    Column("lookup", String, nullable=False, unique=True),
    Column("digest", String, nullable=False),
    Column("created_at", _Moment, nullable=False),
    Column("revoked_at", _Moment),
    Index("uq_api_keys_live", "client_id", unique=True, **_where("revoked_at IS NULL")),
)

queues = Table(
    "queues",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("client_id", ForeignKey("clients.id"), nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("status", String, nullable=False),
    Column("kind", String, nullable=False),
    _flag("retry", True),
    Column("retry_count", Integer, nullable=False),
    Column("retry_gap", Integer, nullable=False),
    Column("dids", JSON, nullable=False),
    _flag("paused"),
    _flag("closed"),
    # What remains to be ended after a change that ends many items: "pending" or "retries".
    Column("ending", String),
    _count("total_count"),
    _count("pending_count"),
    _count("queued_count"),
    _count("processed_count"),
    _count("terminated_count"),
    Column("created_at", _Moment, nullable=False),
    Column("updated_at", _Moment, nullable=False),
    _within("status", "pending", "in-progress", "paused", "completed"),
    _within("kind", "batch", "quick"),
    _within("ending", "pending", "retries"),
    Column("ending_upto", BigInteger),  # the mark holds for items up to this id; NULL: for all
    _flag("redial_unknown"),
    # What waits for a retry follows a changed gap: done for items up to this id; NULL: for all.
    Column("moved_upto", BigInteger),
    CheckConstraint(
        "pending_count >= 0 AND queued_count >= 0 AND total_count"
        " = pending_count + queued_count + processed_count + terminated_count",
        name="counts",
    ),
    Index("uq_queues_quick", "client_id", unique=True, **_where("kind = 'quick'")),
    Index("ix_queues_open", "id", **_where("status <> 'completed'")),
    Index("ix_queues_ending", "id", **_where("ending IS NOT NULL")),
    Index("ix_queues_moving", "id", **_where("moved_upto IS NOT NULL")),
)

queue_servers = Table(
    "queue_servers",
    metadata,
    Column("queue_id", ForeignKey("queues.id"), primary_key=True),
    Column("server_id", ForeignKey("servers.id"), primary_key=True),
)

batches = Table(
    "batches",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("client_id", ForeignKey("clients.id"), nullable=False),
    Column("batch_id", BigInteger, nullable=False),
    Column("digest", String, nullable=False),
    Column("queue_id", ForeignKey("queues.id"), nullable=False),
    Column("inserted_count", Integer, nullable=False),
    Column("created_at", _Moment, nullable=False),
    UniqueConstraint("client_id", "batch_id"),
)

idempotency_answers = Table(
    "idempotency_answers",
    metadata,
    Column("client_id", BigInteger, primary_key=True),  # 0: the bootstrap superuser
    Column("key", String, primary_key=True),
    Column("digest", String, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", _Moment, nullable=False),
)

items = Table(
    "items",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("client_id", ForeignKey("clients.id"), nullable=False),
    Column("queue_id", ForeignKey("queues.id"), nullable=False, index=True),
    Column("server_id", ForeignKey("servers.id"), nullable=False),
    Column("batch_id", BigInteger),
    Column("status", String, nullable=False, server_default="pending"),
    _flag("quick"),
    Column("call_id", String, nullable=False),
    Column("number", String, nullable=False),
    Column("caller_id", String),
    Column("payload", JSON, nullable=False),
    Column("retry", Integer, nullable=False),
    _count("attempts"),
    _count("unplaced"),
    _flag("after_unplaced"),  # the wait before the next attempt is that of an unplaced one
    Column("disposition", String),
    _flag("connected"),
    _count("call_success"),
    _count("call_failed"),
    Column("due_at", _Moment),
    Column("deadline", _Moment),
    Column("channel_base", _Caseless),
    Column("last_cdr_id", String),
    Column("created_at", _Moment, nullable=False),
    Column("ended_at", _Moment),
    # ChannelId, ActionID and cdr_id of a withdrawn attempt, for its item's next one.
    Column("kept_ids", JSON),
    _within("status", "pending", "queued", "processed", "terminated"),
    Index(
        "ix_items_fresh",
        "queue_id",
        "server_id",
        **_where("status = 'pending' AND due_at IS NULL"),
    ),
    Index(
        "ix_items_retries",
        "queue_id",
        "server_id",
        "due_at",
        **_where("status = 'pending' AND due_at IS NOT NULL"),
    ),
    Index(
        "ix_items_deadline",
        "deadline",
        **_where("status = 'pending' AND deadline IS NOT NULL"),
    ),
    # For lists by disposition and their lengths.
    Index(
        "ix_items_disposition",
        "queue_id",
        "disposition",
        **_where("disposition IS NOT NULL"),
    ),
    Index(
        "uq_items_channel_base",
        "channel_base",
        unique=True,
        **_where("channel_base IS NOT NULL"),
    ),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("item_id", ForeignKey("items.id"), nullable=False),
    Column("client_id", ForeignKey("clients.id"), nullable=False),
    Column("queue_id", ForeignKey("queues.id"), nullable=False),
    Column("server_id", ForeignKey("servers.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("channel_id", _Caseless, nullable=False, unique=True),
    Column("action_id", String, nullable=False),
    Column("cdr_id", String, nullable=False, unique=True),
    Column("state", String, nullable=False, server_default="open"),
    Column("opened_at", _Moment, nullable=False),
    Column("ended_at", _Moment),
    _count("told"),  # its callback events so far, as bits (dialer.store.tellings)
    Column("fence", BigInteger),  # the token that it was reserved with
    _within("state", "open", "ended"),
    Index("uq_attempts_open", "item_id", unique=True, **_where("state = 'open'")),
)

cdrs = Table(
    "cdrs",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("attempt_id", ForeignKey("attempts.id"), nullable=False, unique=True),
    Column("cdr_id", String, nullable=False, unique=True),
    Column("client_id", ForeignKey("clients.id"), nullable=False),
    Column("queue_id", ForeignKey("queues.id"), nullable=False),
    Column("item_id", ForeignKey("items.id"), nullable=False),
    Column("server_code", String, nullable=False),
    Column("number", String, nullable=False),
    Column("disposition", String, nullable=False),
    Column("final", Boolean, nullable=False),
    Column("started_at", _Moment, nullable=False),
    Column("ended_at", _Moment, nullable=False),
    Column("record", JSON, nullable=False),
    # What histories are searched by, out of the record (dialer.store.cdr_rows).
    _words("source"),
    _words("extension"),
    Column("project", String),
    _count("duration"),
    _flag("talked"),  # a Dial or a Queue
    _flag("recorded"),
    _words("call_id"),
    Column("client_channel_id", String),
    Column("sip_call_id", String),
    _count("shelf"),
    # Covers every filter of a client's history but ids and rare ones.
    Index(
        "ix_cdrs_history",
        "client_id",
        "id",
        "started_at",
        "disposition",
        "queue_id",
        "duration",
        "talked",
        "recorded",
        "final",
        "number",
        "source",
        "extension",
        "project",
    ),
    Index("ix_cdrs_call_id", "shelf", "call_id"),
    Index(
        "ix_cdrs_client_channel_id",
        "shelf",
        "client_channel_id",
        **_where("client_channel_id IS NOT NULL"),
    ),
    Index(
        "ix_cdrs_sip_call_id",
        "shelf",
        "sip_call_id",
        **_where("sip_call_id IS NOT NULL"),
    ),
)

# Runs of a client's CDRs, by id: what each adds to a count. All but the newest are as they stay.
cdr_blocks = Table(
    "cdr_blocks",
    metadata,
    Column("client_id", ForeignKey("clients.id"), primary_key=True),
    Column("first_id", BigInteger, primary_key=True),
    Column("last_id", BigInteger, nullable=False),
    Column("size", Integer, nullable=False),
    Column("earliest", _Moment, nullable=False),  # of `started_at`
    Column("latest", _Moment, nullable=False),
    sqlite_with_rowid=False,
)

# Projects that a client's CDRs name, numbered in the order in which they came.
projects = Table(
    "projects",
    metadata,
    Column("client_id", ForeignKey("clients.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("name", String, nullable=False),
    UniqueConstraint("client_id", "name"),
    sqlite_with_rowid=False,
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("kind", String, nullable=False),
    Column("client_id", ForeignKey("clients.id"), nullable=False),
    Column("endpoint", String, nullable=False),
    Column("url", String, nullable=False),
    Column("method", String, nullable=False),
    Column("event_id", String, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String, nullable=False, server_default="pending"),
    _count("tries"),
    Column("status", Integer),
    Column("error", String),
    Column("due_at", _Moment, nullable=False),
    Column("created_at", _Moment, nullable=False),
    Column("ended_at", _Moment),
    Column("task", JSON),  # dialer.store.contract.Task
    Column("updated_at", _Moment),  # of the last try; NULL: none yet
    _within("kind", "callback", "sgapi"),
    _within("method", "POST", "PUT"),
    _within("state", "pending", "accepted", "delivered", "dead"),
    CheckConstraint("(ended_at IS NULL) = (state IN ('pending', 'accepted'))", name="ended"),
    # What an endpoint's turn reads, and when the next one is due.
    Index("ix_deliveries_line", "endpoint", "id", "due_at", **_where("ended_at IS NULL")),
    Index("ix_deliveries_due", "endpoint", "due_at", **_where("ended_at IS NULL")),
    Index("ix_deliveries_dead", "id", **_where("state = 'dead'")),
    Index("ix_deliveries_sgapi", "event_id", **_where("kind = 'sgapi'")),
)

# CDRs of other telephony systems, to be passed on to SGAPI.
foreign_cdrs = Table(
    "foreign_cdrs",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("client_id", ForeignKey("clients.id"), nullable=False),
    Column("uuid", String, nullable=False),
    Column("cdr_id", String, nullable=False),
    Column("entity", String),
    Column("content", Text, nullable=False),
    Column("delivery_id", ForeignKey("deliveries.id")),  # NULL: there was no SGAPI so far
    Column("created_at", _Moment, nullable=False),
    UniqueConstraint("client_id", "uuid"),
    Index("ix_foreign_cdrs_unsent", "id", **_where("delivery_id IS NULL")),
)

# Callback URLs that answered 410: nothing is sent there until somebody says so.
gone_callbacks = Table(
    "gone_callbacks",
    metadata,
    Column("client_id", ForeignKey("clients.id"), primary_key=True),
    Column("url", String, primary_key=True),
    Column("at", _Moment, nullable=False),
)

# Clients whose signing secret is not their first one any more. The secrets are derived.
signing = Table(
    "signing",
    metadata,
    Column("client_id", ForeignKey("clients.id"), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("grace_until", _Moment),
)

# Who changed what: operators, superusers, and clients their keys.
audit = Table(
    "audit",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("at", _Moment, nullable=False),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("details", JSON, nullable=False),
)

# Figures that would need a scan: "cdr/answered", "callback/pending"; kept with the rows they count.
tallies = Table(
    "tallies",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

# What a running worker says of itself, for `dialer status` in another process.
runtime = Table(
    "runtime",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", JSON, nullable=False),
    Column("at", _Moment, nullable=False),
)

"""Nights, what changed in them, snapshots accepted, moves, decisions and waivers."""

import sqlalchemy as sa
from alembic import op

revision = "001"
down_revision = None


def upgrade() -> None:
    """Make every table of the first version."""
    text, whole = sa.Text, sa.Integer
    op.create_table(
        "runs",
        sa.Column("run", text, primary_key=True),
        sa.Column("number", whole, nullable=False, unique=True),
        sa.Column("as_of", text, nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.Column("night", text, nullable=False),
        sa.Column("record", text, nullable=False),
    )
    op.create_table(
        "finding_events",
        sa.Column("finding", text, primary_key=True),
        sa.Column("run", text, sa.ForeignKey("runs.run"), primary_key=True),
        sa.Column("number", whole, nullable=False),
        sa.Column("as_of", text, nullable=False),
        sa.Column("state", text, nullable=False),
        sa.Column("policy", text, nullable=False),
        sa.Column("source", text, nullable=False),
        sa.Column("first_seen", text, nullable=False),
    )
    op.create_table(
        "snapshots",
        sa.Column("source", text, primary_key=True),
        sa.Column("run", text, sa.ForeignKey("runs.run"), primary_key=True),
        sa.Column("number", whole, nullable=False),
        sa.Column("as_of", text, nullable=False),
        sa.Column("sha256", text, nullable=False),
        sa.Column("identity", text),
        sa.Column("active_people", whole, nullable=False),
        sa.Column("accepted_because", text),
    )
    op.create_table(
        "moves",
        sa.Column("person", text, primary_key=True),
        sa.Column("until", text, primary_key=True),
        sa.Column("run", text, sa.ForeignKey("runs.run"), primary_key=True),
        sa.Column("attributes", text, nullable=False),
    )
    op.create_table(
        "links",
        sa.Column("source", text, primary_key=True),
        sa.Column("account", text, primary_key=True),
        sa.Column("person", text, nullable=False),
        sa.Column("made_by", text, nullable=False),
        sa.Column("made_at", text, nullable=False),
    )
    op.create_table(
        "waivers",
        sa.Column("finding", text, primary_key=True),
        sa.Column("until", text, nullable=False),
        sa.Column("reason", text, nullable=False),
        sa.Column("made_by", text, nullable=False),
        sa.Column("made_at", text, nullable=False),
    )

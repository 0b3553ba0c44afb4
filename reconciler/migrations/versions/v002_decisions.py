"""Decisions of people are kept for ever: a new one stands beside the old, and says who made it and why."""

import sqlalchemy as sa
from alembic import op

revision = "002"
down_revision = "001"


def upgrade() -> None:
    """Make links and waivers histories, add holds and adoptions, and note who took a reading on trust."""
    op.drop_table("links")  # no verb of the first version could fill these two
    op.drop_table("waivers")
    _decision("links", _text("source"), _text("account"), _text("person", True))
    _decision("waivers", _text("finding"), _text("until", True))
    _decision("holds", _text("person"), _text("until"))
    _decision("adoptions", sa.Column("run", sa.Text, sa.ForeignKey("runs.run"), nullable=False))
    op.add_column("snapshots", _text("accepted_by", True))


def _decision(name: str, *columns: "sa.Column[str]") -> None:
    said = (_text(word) for word in ("reason", "made_by", "made_at"))
    op.create_table(name, sa.Column("number", sa.Integer, primary_key=True), *columns, *said)


def _text(name: str, nullable: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.Text, nullable=nullable)

"""The database's history, one step per file, numbered; the newest number stands here so that a look at a database needs no alembic."""

NEWEST = "002"

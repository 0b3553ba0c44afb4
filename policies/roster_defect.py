"""A row of the roster cannot be used as it stands.

Why it matters
    Nothing can be said about this person tonight: neither that they left nor that they may stay.
How to fix
    HR corrects the row; the finding names the column, what it says and what is allowed.
Can be wrong when
    HR has introduced a new word on purpose; add it to the connector's `statuses`.
"""

from reconciler.policy import Answer, Estate, Rows, policy


@policy(
    "roster-defect",
    on="defects",
    severity="medium",
    says="{person_id} on {source}: {problem}",
    evidence=("line", "column", "found", "allowed", "problem"),
    controls=("ISO 27001 A.5.9",),
)
def roster_defect(row: Rows, estate: Estate) -> Answer:
    return row.line.notna()

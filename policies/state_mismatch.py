"""A person is shut out of one system and live in another.

Why it matters
    Either somebody was disabled for a reason and the job is half done, or somebody cannot work.
How to fix
    Find out which of the two is meant, and make the systems agree.
Can be wrong when
    A system was taken from the person on purpose; waive it with that reason.
"""

from reconciler.policy import Answer, Estate, Rows, policy


@policy(
    "state-mismatch",
    on="people",
    severity="medium",
    says="{person_name} is off on {off_on} and live on {live_on}",
    evidence=("off_on", "live_on", "status"),
    needs_all_sources=True,
    controls=("ISO 27001 A.5.16",),
)
def state_mismatch(person: Rows, estate: Estate) -> Answer:
    off_somewhere, live_somewhere = person.off_on.notna(), person.live_on.notna()
    return person.status.isin(["active"]) & off_somewhere & live_somewhere

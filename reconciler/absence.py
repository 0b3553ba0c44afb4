"""Absence is proven twice: what the listing lacks is read by its id, and looked for among what was deleted.

A listing can be short and end in success. So an account of an earlier night that tonight's listing lacks counts as gone
only when its id says so too; if it is still there, the listing was short. Where a source cannot be asked for single
accounts, or "no such object" is also its word for "not for you" (Active Directory), nothing is proven.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reconciler.missing import Flags, gone, ids
from reconciler.snapshots import Snapshot

MOST = 200  # accounts that are read by id in one night; of more, evenly spread ones

# Which of these accounts is where: "there", "deleted" (in the bin), "elsewhere" (not in what is read), "gone", or
# "unseen" (hidden, since a gone one would be in the bin); ids of which nothing can be said are left out.
Look = Callable[[Sequence[str]], Mapping[str, str]]


@dataclass(frozen=True)
class Proof:
    """What reading by id has shown of accounts that the listing lacks."""

    missing: int = 0
    found: Mapping[str, str] = field(default_factory=dict)
    asked: int = 0

    def still_there(self) -> list[str]:
        """Accounts that the listing should have had."""
        return sorted(here for here, where in self.found.items() if where == "there")

    def unseen(self) -> list[str]:
        """Accounts that are neither among the living nor among the deleted, in a source that shows both."""
        return sorted(here for here, where in self.found.items() if where == "unseen")

    def unproven(self, before: Snapshot, lost: Flags) -> Flags:
        """The lost rows of which no second source says that they are gone."""
        proven = pa.array([here for here, where in self.found.items() if where not in ("there", "unseen")], pa.string())
        return lost & ~np.asarray(pc.is_in(before.column("accounts", "account_id"), proven))

    def told(self) -> str:
        """The proof in a sentence."""
        if not self.missing:
            return "nothing of earlier nights is missing"
        words = {
            "there": "still there",
            "deleted": "deleted",
            "elsewhere": "outside what is read",
            "gone": "gone by their id",
            "unseen": "neither there nor deleted",
        }
        where = Counter(self.found.values())
        parts = [f"{where[word]} {says}" for word, says in words.items() if where[word]]
        unsaid = self.missing - len(self.found)
        return f"{self.missing} missing: " + ", ".join(parts + [f"{unsaid} not to be proven"] * (unsaid > 0))


def proof(new: Snapshot, earlier: Sequence[Snapshot], look: Look | None) -> Proof:
    """Reads by id what tonight's listing of accounts lacks; last night's first. Raises SourceError as the source does."""
    missing = list(dict.fromkeys(here for before in earlier for here in ids(before, "accounts", gone(new, before, "accounts"))))
    if not missing or look is None:
        return Proof(len(missing))
    asked = missing if len(missing) <= MOST else [missing[at * len(missing) // MOST] for at in range(MOST)]
    known = set(asked)
    return Proof(len(missing), {here: where for here, where in look(asked).items() if here in known}, len(asked))

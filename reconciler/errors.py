"""Every error a user can see, as one tree; each knows its exit code.

ReconcilerError              1   something unexpected
├── UsageError               2   a wrong word on the command line
│   └── ConfigError          2   config.toml: every problem at once
├── PluginError              1   a connector, policy or report that breaks its contract
├── SourceError              5   a source gave no certified answer
│   ├── AccessRefused        4   the identity or a permission was refused
│   └── Incomplete           5   a read that is not whole, not fresh or not plausible
├── SafetyStop               6   limits, freeze, hold, unapproved
├── Stale                    7   a plan or journal that is altered, expired or overtaken
├── Locked                  75   another run holds the lock
└── Interrupted            130   stopped by the operator
"""

from collections.abc import Sequence


class ReconcilerError(Exception):
    """The root; `exit_code` is what the command line returns."""

    exit_code = 1


class UsageError(ReconcilerError):
    exit_code = 2


class ConfigError(UsageError):
    """All problems of a configuration at once, one sentence each.

    Each sentence names file and path, what was found and what is allowed.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class PluginError(ReconcilerError):
    pass


class SourceError(ReconcilerError):
    """A source gave no certified answer: nothing of it may be used tonight."""

    exit_code = 5


class AccessRefused(SourceError):
    exit_code = 4


class Incomplete(SourceError):
    exit_code = 5


class SafetyStop(ReconcilerError):
    exit_code = 6


class Stale(ReconcilerError):
    exit_code = 7


class Locked(ReconcilerError):
    exit_code = 75


class Interrupted(ReconcilerError):
    exit_code = 130

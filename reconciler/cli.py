"""The command line: the list of verbs. Data goes to stdout, everything else to stderr; exit codes are the contract's."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache
from typing import Annotated, NoReturn

import typer

from reconciler import verbs_apply, verbs_decisions, verbs_night, verbs_plans, verbs_reference, verbs_stored, verbs_upkeep
from reconciler.command_line import common, streams, taught, unexpected
from reconciler.errors import ReconcilerError

HELP = "Tells a company, every night and with proof, whose accounts should not be there."
FILTERED = ("findings --severity critical --source ad", "findings --state resolved --format jsonl", "findings show f-7c1e")

app = typer.Typer(
    no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False, rich_markup_mode=None, help=HELP,
    **taught("demo", "init --from-csv roster.csv", "run --fail-on critical"),
)  # fmt: skip
policies = typer.Typer(no_args_is_help=True, help="The catalogue of policies.", rich_markup_mode=None, **taught("policies list"))
db = typer.Typer(
    no_args_is_help=True,
    help="The state folder: journal, database and nights.",
    rich_markup_mode=None,
    **taught("db verify", "db backup /backup/today"),
)
matches = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
waivers = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
findings = typer.Typer(invoke_without_command=True, rich_markup_mode=None, **taught(*FILTERED))


def _version(wanted: bool) -> None:
    if wanted:
        verbs_reference.version()
        raise typer.Exit


@app.callback()
def _root(told: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")] = False) -> None:  # fmt: skip
    pass


app.command(**taught("demo", "demo /tmp/company --people 500"))(verbs_night.demo)
app.command(**taught("init", "init --from-csv roster.csv"))(verbs_night.init)
app.command(**taught("check", "check --config /etc/reconciler/config.toml --format json"))(verbs_night.check)
app.command(**taught("doctor", "doctor ad m365 --format json"))(verbs_night.doctor)
app.command(**taught("run --fail-on critical", "run --only hr", 'run --accept hr --reason "the sale of the Leeds office, HR ticket 1234"'))(verbs_night.run)  # fmt: skip
app.add_typer(findings, name="findings")
findings.callback(invoke_without_command=True, **taught(*FILTERED))(verbs_stored.findings)
findings.command("list", **taught("findings list --policy orphan-account"))(verbs_stored.findings_list)
findings.command("show", **taught("findings show f-7c1e", "findings show f-7c1e --format json"))(verbs_stored.findings_show)
app.command(**taught("explain 000123", "explain jdoe@example.com --format json"))(verbs_stored.explain)
app.command(**taught("diff", "diff 20261121T0205 20261122T0205 --format json"))(verbs_stored.diff)
app.command(**taught("report", "report 20261122T0205 --formats html,csv --out /tmp/audit --redact"))(verbs_stored.report)
app.command(**taught('link tmp-180 000123 --reason "asked the agency, ticket 1234"', 'link ad:jdoe2 jdoe@example.com --reason "a second account"'))(verbs_decisions.link)  # fmt: skip
app.command(**taught('unlink tmp-180 --reason "it was another Doe"'))(verbs_decisions.unlink)
app.add_typer(matches, name="matches")
matches.callback(
    invoke_without_command=True, **taught("matches --outcome disputed --outcome nobody", "matches --with proposed.toml")
)(verbs_decisions.matches)
matches.command("list", **taught("matches list --format csv"))(verbs_decisions.matches_list)
app.command(**taught('waive f-7c1e --until 2026-12-31 --reason "on call until the handover, ticket 1234"'))(verbs_decisions.waive)
app.command(**taught('unwaive f-7c1e --reason "handed over"'))(verbs_decisions.unwaive)
app.add_typer(waivers, name="waivers")
waivers.callback(invoke_without_command=True, **taught("waivers", "waivers --format csv"))(verbs_decisions.waivers)
waivers.command("list", **taught("waivers list"))(verbs_decisions.waivers_list)
app.command(**taught("agenda --days 14", "agenda --format csv"))(verbs_decisions.agenda)
app.command(**taught('adopt --reason "read through with HR, ticket 1234"'))(verbs_plans.adopt)
app.command(**taught('hold 000123 --until 2026-12-31 --reason "in hospital, HR ticket 1234"'))(verbs_plans.hold)
app.command(**taught('unhold 000123 --reason "back at work"'))(verbs_plans.unhold)
app.command(**taught("holds", "holds --format csv"))(verbs_plans.holds)
app.command(**taught("plan --out plan.json --policy leaver-account-enabled", "plan --severity critical"))(verbs_plans.plan)
app.command("show", **taught("show plan.json", "show plan.json --format json"))(verbs_plans.show_plan)
app.command(**taught('approve plan.json --reason "checked with their managers"'))(verbs_plans.approve)
app.command(**taught("apply plan.json", "apply plan.json --yes --format json"))(verbs_apply.apply)
app.command(**taught("undo p-1f2e3d4c5b6a --out undo.json"))(verbs_apply.undo)
app.command(**taught("evidence p-1f2e3d4c5b6a", "evidence p-1f2e3d4c5b6a --format csv"))(verbs_apply.evidence)
app.add_typer(db, name="db")
db.command("upgrade", **taught("db upgrade"))(verbs_upkeep.db_upgrade)
db.command("backup", **taught("db backup /backup/reconciler-2026-11-22"))(verbs_upkeep.db_backup)
db.command("verify", **taught("db verify", "db verify --head 5b1f…"))(verbs_upkeep.db_verify)
db.command("prune", **taught("db prune --older-than 400d"))(verbs_upkeep.db_prune)
app.command(**taught("schedule", "-q schedule"))(verbs_night.schedule)
app.add_typer(policies, name="policies")
policies.command("list", **taught("policies list", "policies list --format csv"))(verbs_reference.policies_list)
policies.command("docs", **taught("policies docs leaver-account-enabled"))(verbs_reference.policies_docs)
app.command(**taught("schema config > config.schema.json", "schema finding"))(verbs_reference.schema)
app.command(**taught("version --format json"))(verbs_reference.version)


@cache
def _command() -> Callable[..., object]:
    """All verbs with their arguments, worked out once a process."""
    return typer.main.get_command(app)


def main() -> NoReturn:
    """The `reconciler` command."""
    try:
        rest = common(sys.argv[1:])
        streams()
        ended = _command()(rest, prog_name="reconciler", standalone_mode=False)
        code = ended if isinstance(ended, int) else 0
        sys.stdout.flush()
    except typer.Exit as stop:
        code = stop.exit_code
    except ReconcilerError as problem:
        print("\n".join(f"reconciler: {line}" for line in str(problem).splitlines()), file=sys.stderr)
        code = problem.exit_code
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except BrokenPipeError:  # whoever read our output has seen enough; nothing may be flushed to them at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as problem:  # noqa: BLE001 - the last line of defence: a sentence and a code, the trace with -v
        code = unexpected(problem)
    sys.exit(code)

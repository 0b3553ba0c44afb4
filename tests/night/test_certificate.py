"""Nights on which something is hidden and every request ends in success: the certificate is refused, nothing is concluded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from connectors import active_directory
from reconciler import plugins
from reconciler.connector import Context
from reconciler.edges import edge_accounts, edge_entitlements, edge_via
from reconciler.pull import Pulled
from reconciler.run import Wish, archive_of, gather
from reconciler.sandbox.directory_names import guid_text
from reconciler.sandbox.embedded import Embedded
from reconciler.sandbox.faults import Fault
from reconciler.sandbox.stock import READER
from reconciler.store import opened
from reconciler.terminal import night as in_words
from tests.night.conftest import House

LAST_ROW = Fault(r"search DC=.*\(objectClass=user\)\(objectClass=contact\)", "hide_rows", 0, 1)


@pytest.fixture(scope="module")
def standing(embedded: Embedded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house with a night behind it; three directors are in a unit of their own, and in no group."""
    house = House(embedded, tmp_path_factory.mktemp("standing"), embedded.night(0))
    text = embedded.config().replace('formats = ["html", "csv", "jsonl"]', 'formats = ["jsonl"]')
    (house.folder / "config.toml").write_text(text, "utf-8")
    house.moves_to(0)
    embedded.directory.ou(board(embedded))
    for at in range(3):
        told = {"employeeID": f"9{at:05d}", "mail": f"director{at}@example.com"}
        embedded.directory.user(f"CN=Director {at},{board(embedded)}", f"director{at}", **told)
    embedded.directory.ou(alone(embedded))
    embedded.directory.user(f"CN=Founder,{alone(embedded)}", "founder", employeeID="900009")
    embedded.directory.user(f"CN=Long gone,{board(embedded)}", "longgone")
    embedded.directory.delete(f"CN=Long gone,{board(embedded)}")
    night = house.night()
    assert night.record.complete
    text = "\n".join(line.text for line in in_words(replace(night.record, reports=()), (), 200))
    assert text.count("certified: ends, rows, ids, counts, identity; ") == 4
    yield house
    embedded.night(0)


def board(embedded: Embedded) -> str:
    return f"OU=Board,{embedded.directory.base}"


def alone(embedded: Embedded) -> str:
    return f"OU=Alone,{embedded.directory.base}"


def asked(house: House, source: str) -> Pulled:
    """What one source gives an hour after the night."""
    config = house.config
    with opened(config.state.url(config.base)) as store:
        wish = Wish(house.world.now + timedelta(hours=1), only=frozenset({source}), wait=lambda seconds: None)
        return gather(config, store, archive_of(config), wish)[source]


def certificate(answer: Pulled) -> dict[str, str]:
    return {check["check"]: check["found"] for check in answer.report.certificate}


@pytest.fixture
def hidden_board(standing: House) -> Iterator[House]:
    standing.embedded.directory.hide(board(standing.embedded), READER)
    yield standing
    standing.embedded.directory.show(board(standing.embedded), READER)


# --- what a right that was lost hides -------------------------------------------------------------------------------


def test_a_unit_that_cannot_be_listed_is_not_gone(hidden_board: House, tmp_path: Path) -> None:
    """Nothing is opened or closed on the directory, until somebody says that it is meant."""
    house = hidden_board.copied(tmp_path / "house")
    night = house.night(only=frozenset({"ad"}))
    report = night.record.sources[1]
    assert "3 accounts are neither to be seen nor among the deleted" in report.reasons[0]
    assert "all 3 accounts in container OU=Board" in report.reasons[1]
    assert (report.state, night.record.exit) == ("incomplete", 5)
    assert "reconciler run --accept ad --reason TEXT" in "".join(
        line.text for line in in_words(night.record, night.findings, None)
    )
    assert {finding.state for finding in night.findings if finding.source == "ad"} == {"unverified"}
    taken = house.night(only=frozenset({"ad"}), accept={"ad": "others look after the board now"})
    assert (taken.record.sources[1].state, taken.record.exit) == ("complete", 0)


LOST = {
    "employeeID": "accounts.employee_id was filled in",
    "department": "accounts.department was filled in",
    "mail": "accounts.email was filled in",
    "member": "shows no members, and CN=",
}


@pytest.mark.parametrize("lists_deleted", [True, False], ids=["the reader lists the deleted", "the deleted are hidden too"])
def test_the_only_account_of_a_unit_is_not_gone_because_it_is_not_seen(standing: House, lists_deleted: bool) -> None:
    """It is in no group, no canary, and below any percentage."""
    directory = standing.embedded.directory
    hidden = [alone(standing.embedded), *([] if lists_deleted else [f"CN=Deleted Objects,{directory.base}"])]
    for container in hidden:
        directory.hide(container, READER)
    try:
        answer = asked(standing, "ad")
    finally:
        for container in hidden:
            directory.show(container, READER)
    assert (answer.report.state, answer.snapshot) == ("incomplete", None)
    seen = "1 accounts are neither to be seen nor among the deleted" in answer.report.reasons[0]
    assert seen is lists_deleted
    assert "all 1 accounts in container OU=Alone" in answer.report.reasons[-1]
    held = "5 of 5 permissions seen to be held" if lists_deleted else "; not List Contents on CN=Deleted Objects"
    assert held in certificate(answer)["rights"]


@pytest.mark.parametrize("attribute", list(LOST))
def test_an_attribute_that_cannot_be_read_is_not_empty(standing: House, attribute: str) -> None:
    standing.embedded.directory.hide_attribute(attribute, READER)
    try:
        answer = asked(standing, "ad")
    finally:
        standing.embedded.directory.show_attribute(attribute, READER)
    assert (answer.report.state, answer.snapshot) == ("incomplete", None)
    assert LOST[attribute] in " ".join(answer.report.reasons)


def test_a_canary_that_is_not_seen_is_a_source_not_read(hidden_board: House, tmp_path: Path) -> None:
    house = hidden_board.copied(tmp_path / "house")
    config = house.folder / "config.toml"
    kind = 'kind = "active_directory"'
    config.write_text(config.read_text("utf-8").replace(kind, kind + '\ncanaries = ["director0", "Domain Admins"]'), "utf-8")
    answer = asked(house, "ad")
    assert "the canary director0 is not to be seen" in answer.report.reasons[0]
    assert certificate(answer)["canaries"] == "1 of 2 seen"


# --- absence, proven twice ------------------------------------------------------------------------------------------


def test_a_row_that_every_listing_hides_is_found_by_its_id(standing: House) -> None:
    """The listing and its counts all lack the same account, so that the connector itself sees nothing wrong."""
    standing.embedded.faults["ad"].reset(LAST_ROW)
    answer = asked(standing, "ad")
    standing.embedded.faults["ad"].reset()
    assert answer.report.state == "incomplete"
    assert "1 accounts are missing from the listing, and there when read by id" in answer.report.reasons[0]


MEMBERS = {"google": Fault("GET .*/members", "hide_rows", 0, 1), "m365": Fault("GET .*/members.*top=999", "hide_rows", 0, 1)}


@pytest.mark.parametrize("source", list(MEMBERS))
def test_a_group_short_of_its_own_total_is_not_believed(standing: House, tmp_path: Path, source: str) -> None:
    """Until somebody says that this count is wrong: then it may be as wrong again, and no more."""
    standing.embedded.faults[source].reset(MEMBERS[source])
    house = standing.copied(tmp_path / "house")
    answer = asked(house, source)
    assert (answer.report.state, answer.snapshot) == ("incomplete", None)
    assert "at a second look too" in answer.report.reasons[0] and "groups in all are short" in answer.report.reasons[5]
    hour = timedelta(hours=1)
    taken = House(house.embedded, house.folder, replace(house.world, now=house.world.now + hour))
    assert taken.night(only=frozenset({source}), accept={source: "a known fault"}).record.complete
    again = House(house.embedded, house.folder, replace(house.world, now=house.world.now + 2 * hour))
    told = asked(again, source)
    standing.embedded.faults[source].reset(replace(MEMBERS[source], value=2))
    more = asked(again, source)
    standing.embedded.faults[source].reset()
    assert (told.report.state, more.report.state) == ("complete", "incomplete"), told.report.reasons


@pytest.mark.parametrize(
    ("source", "line"), [("google", "GET .*/groups/[^/?]*/members"), ("m365", "GET .*/groups/[^/?]*/members")]
)
def test_a_count_that_lags_is_looked_at_again(standing: House, source: str, line: str) -> None:
    standing.embedded.faults[source].reset(Fault(line, "hide_rows", 1, 1))
    answer = asked(standing, source)
    standing.embedded.faults[source].reset()
    assert answer.report.state == "complete", answer.report.reasons


def test_what_a_list_lacks_is_asked_for_by_itself(standing: House, tmp_path: Path) -> None:
    """Each person's applications are one page, which nothing counts."""
    house, customer = standing.copied(tmp_path / "house"), standing.embedded.customer
    person = next(here for here, user in customer.users.items() if not user["archived"])
    customer.grant_token(person, "client-1", "Mail merge", ["https://mail.google.com/"])
    later = House(house.embedded, house.folder, replace(house.world, now=house.world.now + timedelta(hours=1)))
    assert later.night(only=frozenset({"google"})).record.complete
    standing.embedded.faults["google"].reset(Fault(r"GET .*/tokens\?", "hide_rows", 0, 1))
    answer = asked(later, "google")
    standing.embedded.faults["google"].reset()
    customer.tokens.clear()
    assert answer.report.state == "incomplete", answer.report
    assert "held when asked for one by one" in answer.report.reasons[0]


@pytest.mark.parametrize("source", ["ad", "m365", "google"])
def test_each_system_says_who_is_in_what(standing: House, source: str) -> None:
    """The same pairs by the listings and one by one; a pair that is none is not held."""
    with opened(standing.config.state.url(standing.config.base)) as store:
        last = archive_of(standing.config).open(store.accepted()[source])
    edges = last.edges[edge_via(last.edges) == 0]
    people, things = (
        dict(zip(*(last.column(table, name).to_pylist() for name in ("code", key)), strict=True))
        for table, key in (("accounts", "account_id"), ("entitlements", "entitlement_id"))
    )
    kinds = dict(zip(*(last.column("entitlements", name).to_pylist() for name in ("code", "kind")), strict=True))
    told = zip(edge_accounts(edges).tolist(), edge_entitlements(edges).tolist(), strict=True)
    pairs = [(people[account], things[what]) for account, what in told if kinds[what] in ("group", "oauth_grant")]
    some, module = pairs[:: len(pairs) // 8], plugins.load("connectors", standing.config.connectors[source].kind)
    groups = [pair for pair in some if not pair[1].startswith("consent:")]
    nobody = [(account, groups[0][1]) for account in people.values() if (account, groups[0][1]) not in pairs][:2]
    settings = standing.config.connectors[source].settings
    found = module.held(settings, Context(source, standing.world.now), [*groups, *nobody])
    assert {pair: found.get(pair, False) for pair in (*groups, *nobody)} == dict.fromkeys(groups, True) | dict.fromkeys(
        nobody, False
    )


def test_users_deleted_for_good_are_proven_by_their_ids(standing: House) -> None:
    """No listing tells of them any more, not even that of the deleted."""
    customer, tenant = standing.embedded.customer, standing.embedded.tenant
    user, guest = next(iter(customer.users.values())), next(iter(tenant.users))
    customer.delete_user(user["primaryEmail"])
    customer._deleted.clear()
    tenant.delete_user(guest)
    tenant.deleted.clear()
    for source in ("google", "m365"):
        answer = asked(standing, source)
        assert certificate(answer)["absence"] == "1 missing: 1 gone by their id", answer.report.reasons


def test_an_account_is_there_elsewhere_or_deleted(standing: House) -> None:
    directory, settings = standing.embedded.directory, standing.config.connectors["ad"].settings
    directory.ou(f"OU=Away,{board(standing.embedded)}")
    directory.user(f"CN=Gone,{board(standing.embedded)}", "gone")
    here = guid_text(directory.node(f"CN=Gone,{board(standing.embedded)}").guid)

    def where(base: str) -> str | None:
        narrow = settings.model_copy(update={"bases": (base,)})
        return active_directory.whereabouts(narrow, Context("ad", standing.world.now), [here]).get(here)

    assert where(board(standing.embedded)) == "there"
    assert where(f"OU=Away,{board(standing.embedded)}") == "elsewhere"
    directory.delete(f"CN=Gone,{board(standing.embedded)}")
    assert where(board(standing.embedded)) == "deleted"


def test_the_certificate_is_kept_with_the_snapshot(standing: House) -> None:
    answer = asked(standing, "ad")
    told = certificate(answer)
    assert {"ends", "rows", "ids", "counts", "identity", "absence", "scopes", "fill", "members"} <= told.keys()
    assert answer.snapshot is not None
    stored = archive_of(standing.config).open(answer.snapshot.sha256).manifest["certificate"]
    assert stored == json.loads(json.dumps([dict(check) for check in answer.report.certificate]))

"""Active Directory's own limits between the reader and Samba: the whole truth is read through them, and no broken page is believed."""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import ldap3
import pytest

from reconciler.connector import Answer as Told
from reconciler.connector import Incomplete
from tests.live.ad_estate import GROUPS, ODD, STAFF
from tests.live.directory import READER, READER_PASSWORD, Directory, rows
from tests.live.domain import BASE
from tests.live.ldap_proxy import PAGE, Answer, Asked, LimitingProxy

# ldap3 leaves the socket of a connection that failed to be collected.
pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]

SMALL = {"bases": [ODD], "page_size": 20}  # four pages of people
LAST = 4


@pytest.fixture(scope="module")
def proxy(company: Directory) -> Iterator[LimitingProxy]:
    with LimitingProxy(company.dc.address, company.dc.ca_file) as made:
        yield made


@pytest.fixture
def read(company: Directory, proxy: LimitingProxy) -> Iterator[Callable[..., list[Told]]]:
    yield lambda **keys: company.answers(urls=[proxy.url], **keys)
    proxy.limits.fault = None
    gc.collect()  # what ldap3 leaves of connections that failed, while its warnings are not errors


@pytest.fixture(scope="module")
def odd(company: Directory) -> list[Told]:
    return company.answers(**SMALL)


def whole(found: list[Told]) -> tuple[Any, ...]:
    """Every row of every table, whatever their order; the reader's own sign-ins set a time."""
    tables = {name: rows(found, name) for name in ("accounts", "entitlements", "grants")}
    return tuple(
        sorted(sorted((name, str(value)) for name, value in row.items()) for row in listed if row.get("login") != "reader")
        for listed in tables.values()
    )


def test_the_whole_truth_comes_through_the_limits(
    read: Callable[..., list[Told]], proxy: LimitingProxy, found: list[Told]
) -> None:
    assert whole(read()) == whole(found)
    assert (proxy.limits.largest, proxy.limits.refused) == (PAGE, 0)
    assert proxy.limits.ranges >= 4, "groups of 1,501, 3,000 and 4,501 come in ranges"


def plain(proxy: LimitingProxy) -> ldap3.Connection:
    host, _, port = proxy.url.removeprefix("ldap://").partition(":")
    server = ldap3.Server(host, int(port), get_info=ldap3.NONE)
    return ldap3.Connection(server, READER, READER_PASSWORD, auto_bind=True, check_names=False)


def test_without_pages_a_thousand_come_and_an_error(proxy: LimitingProxy) -> None:
    with plain(proxy) as connection:
        connection.search(STAFF, "(objectClass=user)", attributes=["cn"])
        assert (connection.result["description"], len(connection.response)) == ("sizeLimitExceeded", PAGE)


def test_a_cookie_is_good_on_its_connection_and_once(proxy: LimitingProxy) -> None:
    with plain(proxy) as one, plain(proxy) as other:
        one.search(ODD, "(objectClass=user)", paged_size=20)
        cookie = one.result["controls"]["1.2.840.113556.1.4.319"]["value"]["cookie"]
        for connection, code in ((other, 12), (one, 0), (one, 12)):
            connection.search(ODD, "(objectClass=user)", paged_size=20, paged_cookie=cookie)
            assert connection.result["result"] == code


# --- faults -------------------------------------------------------------------------------------------------------


def _cut(answer: Answer) -> bytes:
    sent = b"".join(answer.entries)
    return sent[: len(sent) * 2 // 3]


def _stranger(answer: Answer) -> Answer:
    """The last entry answers another question."""
    last = bytearray(answer.entries[-1])
    last[8] ^= 0x55  # 30 84 4 bytes, 02 length: the number
    return replace(answer, entries=(*answer.entries[:-1], bytes(last)))


BROKEN: Mapping[str, Callable[[Answer], Answer | bytes | None]] = {
    **{f"result {code}": lambda answer, code=code: replace(answer, code=code) for code in (1, 3, 4, 51, 52, 53, 80)},
    "result 51 without entries": lambda answer: replace(answer, entries=(), code=51),
    "an end too early": lambda answer: replace(answer, cookie=b""),
    "no paging control": lambda answer: replace(answer, cookie=None),
    "an entry that is missing": lambda answer: replace(answer, entries=answer.entries[:-1]),
    "an entry that comes twice": lambda answer: replace(answer, entries=(*answer.entries, answer.entries[0])),
    "an empty page": lambda answer: replace(answer, entries=()),
    "an entry of another question": _stranger,
    "a cut in an entry": _cut,
    "nothing, and the end of the line": lambda answer: None,
}  # fmt: skip
PLACES = [(name, 2) for name in BROKEN] + [(name, page) for name in list(BROKEN)[5:] for page in (1, LAST)]
PLACES.remove(("an end too early", LAST))


@dataclass
class Strike:
    """A fault on one page of the people, the first time only or every time."""

    broken: Callable[[Answer], Answer | bytes | None]
    page: int
    always: bool
    struck: int = 0

    def __call__(self, asked: Asked, answer: Answer) -> Answer | bytes | None:
        here = asked.base == ODD and "employeeID" in asked.attributes and asked.page == self.page
        if not here or (self.struck and not self.always):
            return answer
        self.struck += 1
        return self.broken(answer)


@pytest.mark.parametrize(("name", "page"), PLACES, ids=[f"{name} on page {page}" for name, page in PLACES])
def test_a_page_that_breaks_once_is_overcome(
    read: Callable[..., list[Told]], proxy: LimitingProxy, odd: list[Told], name: str, page: int
) -> None:
    proxy.limits.fault = strike = Strike(BROKEN[name], page, always=False)
    assert whole(read(**SMALL)) == whole(odd)
    assert strike.struck == 1


@pytest.mark.parametrize("name", list(BROKEN))
def test_a_page_that_is_always_broken_is_refused(read: Callable[..., list[Told]], proxy: LimitingProxy, name: str) -> None:
    proxy.limits.fault = strike = Strike(BROKEN[name], 2, always=True)
    with pytest.raises(Incomplete):
        read(**SMALL)
    assert strike.struck == 3, "the whole read is begun three times"


RANGES: Mapping[str, Callable[[Answer], Answer | bytes | None]] = {
    "busy": lambda answer: replace(answer, entries=(), code=51),
    "no such entry": lambda answer: replace(answer, entries=()),
    "the end of the line": lambda answer: None,
}


@pytest.mark.parametrize("name", list(RANGES))
@pytest.mark.parametrize("first", [1500, 3000])
def test_a_range_that_breaks_is_refused(read: Callable[..., list[Told]], proxy: LimitingProxy, name: str, first: int) -> None:
    struck = []

    def fault(asked: Asked, answer: Answer) -> Answer | bytes | None:
        if not any(attribute.startswith(f"member;range={first}") for attribute in asked.attributes):
            return answer
        struck.append(asked)
        return RANGES[name](answer)

    proxy.limits.fault = fault
    with pytest.raises(Incomplete):
        read(bases=[GROUPS])
    assert len(struck) == 3


def test_a_referral_is_never_followed(read: Callable[..., list[Told]], proxy: LimitingProxy) -> None:
    """Page two is said to be elsewhere: whoever listens there hears nothing, above all no password."""
    with socket.socket() as elsewhere:
        elsewhere.bind(("127.0.0.1", 0))
        elsewhere.listen()
        elsewhere.settimeout(0.2)
        url = f"ldap://127.0.0.1:{elsewhere.getsockname()[1]}/{BASE}"
        proxy.limits.fault = Strike(lambda answer: replace(answer, code=10, referral=url), 2, always=True)
        with pytest.raises(Incomplete, match="never followed"):
            read(**SMALL)
        with pytest.raises(TimeoutError):
            elsewhere.accept()


def test_two_readers_of_one_account_do_not_disturb_each_other(read: Callable[..., list[Told]], odd: list[Told]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        one, other = (pool.submit(read, **SMALL) for _ in range(2))
        assert whole(one.result()) == whole(other.result()) == whole(odd)

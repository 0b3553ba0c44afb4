"""What a domain says about itself, and whether the reader sees what it must: bases, schema, members."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from connectors._ad_names import in_filter
from connectors._ad_values import inside, number, parent, sid, span, text, texts
from connectors._ldap import NO_RIGHT, NO_SUCH_OBJECT, Directory, Refused, Search
from reconciler.connector import Incomplete

log = logging.getLogger(__name__)

AT_ONCE = 100  # groups asked about by one search
SIGN_IN_DAYS = 14  # msDS-LogonTimeSyncInterval where none is set; lastLogonTimestamp lags up to so many days


@dataclass(frozen=True)
class Domain:
    base: str
    sid: str
    schema: str | None
    lockout: int | None  # how long a lock lasts, in microseconds; None for ever
    sign_in_days: int


def domain_of(directory: Directory) -> Domain:
    """The domain of a server; teaches the directory which partitions the forest has. Raises Incomplete without a domain SID."""
    root = directory.one("", ("defaultNamingContext", "configurationNamingContext", "schemaNamingContext", "namingContexts"))
    base, schema = text(root, "defaultNamingContext"), text(root, "schemaNamingContext")
    if base is None:
        raise Incomplete(f"{directory.url}: the server names no domain; is this Active Directory?")
    directory.partitions = _partitions(directory, texts(root, "namingContexts"), text(root, "configurationNamingContext"))
    about = directory.one(base, ("objectSid", "lockoutDuration", "msDS-LogonTimeSyncInterval"))
    if not about.get("objectSid"):
        raise Incomplete(f"{directory.url}: the SID of {base} may not be read; grant the reader Read on the domain object")
    days = number(about, "msDS-LogonTimeSyncInterval")
    lockout = span(number(about, "lockoutDuration"))
    return Domain(base, sid(about["objectSid"][0]), schema, lockout, SIGN_IN_DAYS if days is None else days)


def _partitions(directory: Directory, held: Sequence[str], configuration: str | None) -> frozenset[str]:
    """Every partition of the forest: those the server holds, and those its cross-references name where they may be read."""
    known = list(held)
    if configuration:
        known += _names(directory, Search(f"CN=Partitions,{configuration}", "(objectClass=crossRef)", ("nCName",)))
    return frozenset(name.lower() for name in known)


def check_attributes(directory: Directory, domain: Domain, usual: str, wanted: Sequence[str]) -> None:
    """Raises Incomplete when the schema lacks an attribute: asked for, it would only ever be empty.

    A schema that may not be read is no obstacle as long as nothing but the `usual` attribute is wanted: that one is in
    every Active Directory. The whole schema, some thousands of names, is read only where one of the wanted is not in it.
    """
    if domain.schema and set(wanted) <= set(
        _attributes(directory, domain.schema, "".join(f"(lDAPDisplayName={in_filter(name)})" for name in wanted))
    ):
        return
    known = set(_attributes(directory, domain.schema, "")) if domain.schema else set()
    if not known and set(wanted) <= {usual}:
        log.info("%s: the schema is not read; %s is taken to be there", directory.url, usual)
        return
    lower = {name.lower(): name for name in known}
    if not known:
        raise Incomplete(f"{directory.url}: the schema below {domain.schema} may not be read; grant the reader Read on it")
    for name in wanted:
        if name.lower() not in lower:
            near = get_close_matches(name.lower(), lower, 1)
            raise Incomplete(
                f"{directory.url}: the schema has no attribute {name!r}" + (f"; did you mean {lower[near[0]]}?" if near else "")
            )
        if name not in known:
            raise Incomplete(f"{directory.url}: the attribute {name!r} is spelled {lower[name.lower()]!r}; write it so")


def _attributes(directory: Directory, schema: str, among: str) -> list[str]:
    """The attributes a schema has: all, or those that a choice of filters finds."""
    expression = f"(&(objectClass=attributeSchema)(|{among}))" if among else "(objectClass=attributeSchema)"
    return _names(directory, Search(schema, expression, ("lDAPDisplayName",)))


def _names(directory: Directory, search: Search) -> list[str]:
    """The values of a search's one attribute; none where its base is not there or may not be read."""
    try:
        return [
            name for entries in directory.pages(search) for _, entry in entries for name in texts(entry, search.attributes[0])
        ]
    except Refused as problem:
        if problem.code not in (NO_SUCH_OBJECT, NO_RIGHT):
            raise
        return []


def base_answers(directory: Directory, base: str) -> None:
    """Raises Incomplete when a base is not there or may not be read."""
    directory.one(base, ("objectClass",))


def inspect(directory: Directory, strangers: Sequence[str], bases: Sequence[str]) -> None:
    """Look at every member of a group that no search has shown, though it lies below a base.

    What cannot be seen there raises Incomplete: a lost right to a container answers "success", with fewer entries. So
    does an account or a group that came there meanwhile. Members outside the bases, and objects of other sorts, are not
    the source's, and counted in the log.
    """
    each = dict.fromkeys(strangers)
    near = [dn for dn in each if any(inside(dn, base) for base in bases) and not _in_partition(directory, dn, bases)]
    for dn in near:
        _inspect(directory, dn, len(near))
    if strangers:
        log.info(
            "%s: %d members of groups are no accounts of the bases; the first is %s", directory.url, len(strangers), strangers[0]
        )


def _inspect(directory: Directory, dn: str, among: int) -> None:
    try:
        classes = {name.lower() for name in texts(directory.one(dn, ("objectClass",)), "objectClass")}
    except Refused as problem:
        if problem.code != NO_SUCH_OBJECT:
            raise
        classes = set()
    if not classes:
        raise Incomplete(
            f"{directory.url}: {dn} is in a group and below a base, but cannot be seen ({among} such members); "
            f"grant the reader List Contents and Read All Properties on {parent(dn)}, or leave it out of bases"
        )
    if classes & {"user", "contact", "group"}:
        raise Incomplete(f"{directory.url}: {dn} came or moved while the directory was read")


def emptied(directory: Directory, bases: Sequence[str], empty: Sequence[str]) -> None:
    """Look whether anything says of itself that it is in one of the groups that list nobody, given in lower case.

    A group of which `member` may not be read is like an empty one; but what is in it shows the group in `memberOf`. Raises
    Incomplete, and so does somebody who joined meanwhile: then the read begins anew.
    """
    for first in range(0, len(empty), AT_ONCE):
        some = empty[first : first + AT_ONCE]
        asked = "".join(f"(memberOf={in_filter(dn)})" for dn in some)
        for base in bases:
            for dn, entry in directory.some(Search(base, f"(|{asked})", ("memberOf",)), 1):
                claimed = {name.lower() for name in texts(entry, "memberOf")}
                group = next((name for name in some if name in claimed), some[0])
                raise Incomplete(
                    f"{directory.url}: {group} shows no members, and {dn} says that it is one; grant the reader Read member on it"
                )


def _in_partition(directory: Directory, dn: str, bases: Sequence[str]) -> bool:
    """Whether an object below a base is held elsewhere: in a partition that itself lies below the base."""
    return any(
        inside(dn, partition) and any(inside(partition, base) and partition != base.lower() for base in bases)
        for partition in directory.partitions
    )

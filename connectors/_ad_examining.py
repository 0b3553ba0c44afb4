"""What `doctor` asks of Active Directory beyond a whole read: every server, its TLS and clock, and what this reader could change.

What may be changed is the server's own answer: `allowedAttributesEffective` (MS-ADTS 3.1.1.4.5.22) names the attributes
of an object that whoever asks may write.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from connectors._ad_domain import Domain, domain_of
from connectors._ad_values import Attributes, sid, text, texts
from connectors._ldap import NO_RIGHT, NO_SUCH_OBJECT, SHOW_DELETED, Directory, Refused, Search, connect
from connectors._ldap_bind import Login
from connectors._ldap_kerberos import Sealed
from connectors._tls import clock, tls
from reconciler.check import Check
from reconciler.connector import AccessRefused, Answer, Context, Identity, Incomplete

SAMPLE = 5  # accounts, and groups, that are asked what may be changed of them
TELLING = {"user": "userAccountControl", "group": "member"}  # what a remedy would change first
# Groups whose members change accounts; by the end of their SIDs (Microsoft, "Well-known SIDs").
POWERFUL = {
    "-512": "Domain Admins", "-519": "Enterprise Admins", "-518": "Schema Admins", "-527": "Enterprise Key Admins",
    "S-1-5-32-544": "Administrators", "S-1-5-32-548": "Account Operators",
}  # fmt: skip


def examined(urls: Sequence[str], bases: Sequence[str], login: Login, context: Context) -> Iterator[Check | Answer]:
    """Each server in turn, and what the first that answers says of the reader. Raises AccessRefused or Incomplete."""
    asked, broken = False, []
    for url in urls:
        try:
            directory = connect(url, login, time.monotonic() + context.deadline_seconds)
        except AccessRefused:
            raise  # the other servers would refuse the same secret, and count it as another wrong one
        except Incomplete as problem:
            broken.append(str(problem))
            continue
        try:
            yield from _server(directory, context)
            if not asked:
                asked = True
                yield Check("identity", login.username or "the Kerberos ticket", told=f"signed in ({login.bind})")
                yield from _rights(directory, bases, login)
        finally:
            directory.close()
    if not asked:
        raise Incomplete("; ".join(broken))
    for told in broken:
        yield Check("connection", told.partition(": ")[0], "warning", told, "there is no other server to turn to", "mend it")


def _server(directory: Directory, context: Context) -> Iterator[Check]:
    if isinstance(directory.socket, Sealed):
        yield Check("tls", directory.url, told="none: everything is encrypted by the Kerberos ticket's own key")
    else:
        yield tls(directory.url, directory.socket, context.clock())
    told = text(directory.one("", ("currentTime",)), "currentTime")
    if told:
        yield clock(directory.url, datetime.strptime(told[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC), context.clock())


def _rights(directory: Directory, bases: Sequence[str], login: Login) -> Iterator[Check | Answer]:
    domain = domain_of(directory)
    yield Identity(domain.sid)
    yield _deleted(directory, domain, login)
    yield _could_write(directory, bases)


def _deleted(directory: Directory, domain: Domain, login: Login) -> Check:
    """Whether deleted accounts may be listed, as by default only administrators may."""
    who, container, right = (
        login.username or "DOMAIN\\reader",
        f"CN=Deleted Objects,{domain.base}",
        "List Contents and Read Property on CN=Deleted Objects",
    )
    try:
        _, entry = directory.entry(container, ("objectClass",), (SHOW_DELETED,))
        if not entry:  # the container is named to anybody, and shown to those who may read it
            raise Refused("the container shows nothing of itself", NO_RIGHT)
        seen = directory.count(Search(container, "(&(isDeleted=TRUE)(lastKnownParent=*))", controls=(SHOW_DELETED,)))
    except Refused as problem:
        if problem.code not in (NO_SUCH_OBJECT, NO_RIGHT, 12, 53):
            raise
        fix = f'as a domain administrator: dsacls "{container}" /takeownership, then dsacls "{container}" /G {who}:LCRP'
        return Check("permission", right, "missing", "not granted", "a deleted account is not told from one never seen", fix)
    return Check("permission", right, told=f"granted: {seen:,} deleted objects are listed")


def _could_write(directory: Directory, bases: Sequence[str]) -> Check:
    """What a plan would change, asked of a few accounts and groups, and the groups whose members may change anything."""
    token = [sid(raw) for raw in directory.one("", ("tokenGroups",)).get("tokenGroups", ())]
    groups = [name for end, name in POWERFUL.items() if any(one.endswith(end) for one in token)]
    writable = sorted({name for kind, name in TELLING.items() if _writable(directory, bases, kind, name, set(token))})
    if not groups and not writable:
        return Check("rights", "could also write", told="no: a few accounts and groups were asked, and nobody's flags or members")
    through = [f"is in {', '.join(groups)}"] if groups else []
    through += [f"may write {', '.join(writable)}"] if writable else []
    fix = "give the reader an account of its own, without those groups and rights"
    return Check("rights", "could also write", "warning", "yes: it " + " and ".join(through), fix=fix)


def _writable(directory: Directory, bases: Sequence[str], kind: str, attribute: str, own: set[str]) -> bool:
    expression = f"(&(objectClass={kind})(!(objectClass=computer)))"
    for base in bases:
        for dn, entry in directory.some(Search(base, expression, ("objectSid",)), SAMPLE):
            if not own & set(_sids(entry)) and attribute in texts(
                directory.one(dn, ("allowedAttributesEffective",)), "allowedAttributesEffective"
            ):
                return True
    return False


def _sids(entry: Attributes) -> list[str]:
    return [sid(raw) for raw in entry.get("objectSid", ())]

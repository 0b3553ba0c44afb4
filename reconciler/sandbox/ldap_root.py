"""What a server tells about itself to anybody: the root entry, and the schema in the form LDAP clients read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reconciler.sandbox import directory_account
from reconciler.sandbox import directory_names as names
from reconciler.sandbox import ldap_ber as ber
from reconciler.sandbox.directory_schema import CLASS, DN, FLAG, KINDS, LARGE, NUMBER, OCTETS, SID, TEXT, TIME
from reconciler.sandbox.ldap_messages import CONTROLS, ENTRY

if TYPE_CHECKING:
    from reconciler.sandbox.directory import Directory
    from reconciler.sandbox.directory_node import Node

START_TLS, WHO_AM_I = "1.3.6.1.4.1.1466.20037", "1.3.6.1.4.1.4203.1.11.3"
_CAPABILITIES = ("1.2.840.113556.1.4.800", "1.2.840.113556.1.4.1670", "1.2.840.113556.1.4.1791", "1.2.840.113556.1.4.1935",
                 "1.2.840.113556.1.4.2080")  # fmt: skip
_ARC = "1.2.840.113556.1.8000.2554"  # where Microsoft lets a company number its own attributes
_SYNTAXES = {
    TEXT: "1.3.6.1.4.1.1466.115.121.1.15", NUMBER: "1.3.6.1.4.1.1466.115.121.1.27", LARGE: "1.2.840.113556.1.4.906",
    DN: "1.3.6.1.4.1.1466.115.121.1.12", FLAG: "1.3.6.1.4.1.1466.115.121.1.7", TIME: "1.3.6.1.4.1.1466.115.121.1.24",
    OCTETS: "1.3.6.1.4.1.1466.115.121.1.40", SID: "1.3.6.1.4.1.1466.115.121.1.40", CLASS: "1.3.6.1.4.1.1466.115.121.1.38",
}  # fmt: skip


def root(directory: Directory) -> Mapping[str, Sequence[str]]:
    """The root of the server; its clock is the machine's own, whatever day the company lives in."""
    base = directory.base
    configuration = f"CN=Configuration,{base}"
    server = f"CN=DC1,CN=Servers,CN=Default-First-Site-Name,CN=Sites,{configuration}"
    host = f"dc1.{directory.domain}"
    return {
        "configurationNamingContext": [configuration], "currentTime": [names.generalised(datetime.now(UTC)).decode()],
        "defaultNamingContext": [base], "dnsHostName": [host], "domainControllerFunctionality": ["7"], "domainFunctionality": ["7"],
        "dsServiceName": [f"CN=NTDS Settings,{server}"], "forestFunctionality": ["7"], "highestCommittedUSN": [str(directory.usn)],
        "isGlobalCatalogReady": ["TRUE"], "isSynchronized": ["TRUE"],
        "ldapServiceName": [f"{directory.domain}:dc1$@{directory.domain.upper()}"],
        "namingContexts": [base, configuration, f"CN=Schema,{configuration}"], "rootDomainNamingContext": [base],
        "schemaNamingContext": [f"CN=Schema,{configuration}"], "serverName": [server], "supportedCapabilities": _CAPABILITIES,
        "subschemaSubentry": [f"CN=Aggregate,CN=Schema,{configuration}"], "supportedControl": sorted(CONTROLS),
        "supportedExtension": [START_TLS, WHO_AM_I], "supportedLDAPVersion": ["3", "2"],
    }  # fmt: skip


def subschema(directory: Directory) -> Mapping[str, Sequence[str]]:
    """The schema as RFC 4512 spells it; it is asked for by name, and read by clients that check what they are told."""
    attributes = [
        f"( {_ARC}.1.{number} NAME '{name}' SYNTAX '{_SYNTAXES[syntax]}'{'' if name in directory.schema.multi else ' SINGLE-VALUE'} )"
        for number, (name, syntax) in enumerate(directory.schema.syntax.items(), 1)
    ]
    above = {word: chain[at - 1] for chain in (kind.chain for kind in KINDS.values()) for at, word in enumerate(chain) if at}
    classes = [
        f"( {_ARC}.2.{number} NAME '{name}' SUP {parent} STRUCTURAL MAY ( {' $ '.join(directory.schema.syntax)} ) )"
        for number, (name, parent) in enumerate(above.items(), 1)
    ]
    return {"objectClass": ["top", "subSchema"], "cn": ["Aggregate"], "attributeTypes": attributes, "objectClasses": classes}


def token(directory: Directory, who: Node | None) -> Mapping[str, Sequence[bytes]]:
    """The SIDs as which a client is taken: its own and those of its groups; told to nobody who does not ask by name."""
    own = who.values.get("objectSid", ()) if who else ()
    return {"tokenGroups": [*own, *directory_account.token(directory, who)]} if who and own else {}


def entry(
    dn: str, held: Mapping[str, Sequence[str]], wanted: Sequence[str], constructed: Mapping[str, Sequence[bytes]] | None = None
) -> bytes:
    """One of the two as a search result."""
    asked = {name.lower() for name in wanted}
    every = not asked or "*" in asked or "+" in asked
    shown = [ber.attribute(name, map(str.encode, values)) for name, values in held.items() if every or name.lower() in asked]
    shown += [ber.attribute(name, values) for name, values in (constructed or {}).items() if name.lower() in asked]
    return ber.constructed(ENTRY, ber.octets(dn), ber.constructed(ber.SEQUENCE, *shown))

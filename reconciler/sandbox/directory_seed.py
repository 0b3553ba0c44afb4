"""What every new domain holds before anybody does anything: its containers, built-in accounts and groups, schema and configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.sandbox import directory_names as names
from reconciler.sandbox.directory_schema import KINDS, SYNTAX_OIDS

if TYPE_CHECKING:
    from reconciler.sandbox.directory import Directory

# wellKnownObjects by GUID (MS-ADTS 6.1.1.4).
WELL_KNOWN = {
    "A9D1CA15768811D1ADED00C04FD8D5CD": "CN=Users", "AA312825768811D1ADED00C04FD8D5CD": "CN=Computers",
    "A361B2FFFFD211D1AA4B00C04FD7D83A": "OU=Domain Controllers", "18E2EA80684F11D2B9AA00C04F79F805": "CN=Deleted Objects",
    "AB1D30F3768811D1ADED00C04FD8D5CD": "CN=System", "22B70C67D56E4EFB91E9300FCA3DC1AA": "CN=ForeignSecurityPrincipals",
    "AB8153B7768811D1ADED00C04FD8D5CD": "CN=LostAndFound",
}  # fmt: skip
_GLOBAL, _UNIVERSAL, _LOCAL, _BUILTIN = -2147483646, -2147483640, -2147483644, -2147483643
_DOMAIN_GROUPS = {
    "Domain Admins": (512, _GLOBAL), "Domain Users": (513, _GLOBAL), "Domain Guests": (514, _GLOBAL), "Domain Computers": (515, _GLOBAL),
    "Domain Controllers": (516, _GLOBAL), "Cert Publishers": (517, _LOCAL), "Schema Admins": (518, _UNIVERSAL),
    "Enterprise Admins": (519, _UNIVERSAL), "Group Policy Creator Owners": (520, _GLOBAL), "Protected Users": (525, _GLOBAL),
    "Key Admins": (526, _GLOBAL), "Enterprise Key Admins": (527, _UNIVERSAL), "RAS and IAS Servers": (553, _LOCAL),
}  # fmt: skip
_BUILTIN_GROUPS = {
    "Administrators": 544, "Users": 545, "Guests": 546, "Account Operators": 548, "Server Operators": 549, "Print Operators": 550,
    "Backup Operators": 551, "Remote Desktop Users": 555,
}  # fmt: skip
_NEVER_LOCKED = {"lockoutThreshold": 0, "lockoutDuration": -18_000_000_000, "lockOutObservationWindow": -18_000_000_000}
_PASSWORDS = {"maxPwdAge": -(1 << 63), "minPwdAge": 0, "minPwdLength": 7, "pwdHistoryLength": 24, "pwdProperties": 1}


def plant(directory: Directory) -> None:
    """The domain, its configuration and its schema."""
    _domain(directory)
    _configuration(directory)
    _accounts(directory)
    _groups(directory)
    directory.node(directory.base).values["wellKnownObjects"] = [
        f"B:32:{guid}:{rdn},{directory.base}".encode() for guid, rdn in WELL_KNOWN.items()
    ]


def _make(directory: Directory, dn: str, kind: str, **attributes: Any) -> None:
    directory._create(dn, kind, attributes)


def _domain(directory: Directory) -> None:
    base = directory.base
    about = {
        "objectSid": directory.domain_sid, "msDS-Behavior-Version": 7, "isCriticalSystemObject": True, **_NEVER_LOCKED, **_PASSWORDS,
        "ms-DS-MachineAccountQuota": 10,
    }  # fmt: skip
    directory._create(base, "domainDNS", about, partition=True)
    for name in ("Users", "Computers", "System", "ForeignSecurityPrincipals"):
        _make(directory, f"CN={name},{base}", "container", isCriticalSystemObject=True)
    _make(directory, f"CN=LostAndFound,{base}", "lostAndFound", isCriticalSystemObject=True)
    _make(directory, f"CN=Deleted Objects,{base}", "container", isCriticalSystemObject=True, isDeleted=True)
    directory.node(f"CN=Deleted Objects,{base}").deleted = True
    _make(directory, f"OU=Domain Controllers,{base}", "organizationalUnit", isCriticalSystemObject=True)
    _make(directory, f"CN=Builtin,{base}", "builtinDomain", isCriticalSystemObject=True, objectSid="S-1-5-32")


def _configuration(directory: Directory) -> None:
    base = directory.base
    configuration = f"CN=Configuration,{base}"
    schema = f"CN=Schema,{configuration}"
    directory._create(configuration, "configuration", {}, partition=True)
    directory._create(schema, "dMD", {}, partition=True)
    _make(directory, f"CN=Partitions,{configuration}", "crossRefContainer")
    for name, partition in (
        (directory.netbios, base),
        ("Enterprise Configuration", configuration),
        ("Enterprise Schema", schema),
    ):
        about = {"nCName": partition, "dnsRoot": directory.domain, "systemFlags": 3 if partition == base else 1}
        _make(directory, f"CN={name},CN=Partitions,{configuration}", "crossRef", **about)
    where = f"CN=Default-First-Site-Name,CN=Sites,{configuration}"
    _make(directory, f"CN=Sites,{configuration}", "sitesContainer")
    _make(directory, where, "site")
    _make(directory, f"CN=Servers,{where}", "serversContainer")
    _make(directory, f"CN=DC1,CN=Servers,{where}", "server", dNSHostName=f"dc1.{directory.domain}")
    invocation = names.guid_from("invocation", directory.domain, directory.seed)
    _make(directory, f"CN=NTDS Settings,CN=DC1,CN=Servers,{where}", "nTDSDSA", invocationId=invocation)
    teach(directory)


def teach(directory: Directory) -> None:
    """One object in the schema for each attribute and class; again after the schema grew."""
    schema = f"CN=Schema,CN=Configuration,{directory.base}"
    for name, syntax in list(directory.schema.syntax.items()):
        if f"CN={name},{schema}" not in directory:
            oid, om = SYNTAX_OIDS[syntax]
            single = name not in directory.schema.multi
            about = {"lDAPDisplayName": name, "attributeSyntax": oid, "oMSyntax": om, "isSingleValued": single}
            _make(directory, f"CN={name},{schema}", "attributeSchema", **about)
    for name, kind in KINDS.items():
        if f"CN={kind.category},{schema}" not in directory:
            category = f"CN={kind.category},{schema}"
            _make(directory, category, "classSchema", lDAPDisplayName=name, defaultObjectCategory=category)


def _accounts(directory: Directory) -> None:
    users = f"CN=Users,{directory.base}"
    for name, rid, flags in (("Administrator", 500, 66048), ("Guest", 501, 66082), ("krbtgt", 502, 514)):
        about: dict[str, Any] = {
            "objectSid": f"{directory.domain_sid}-{rid}",
            "userAccountControl": flags,
            "isCriticalSystemObject": True,
        }
        if name == "Guest":
            about |= {"primaryGroupID": 514}
        if name == "krbtgt":
            about |= {"servicePrincipalName": "kadmin/changepw", "showInAdvancedViewOnly": True, "adminCount": 1}
        directory.user(f"CN={name},{users}", name, **about)
    dc = {
        "userAccountControl": 532480,
        "primaryGroupID": 516,
        "dNSHostName": f"dc1.{directory.domain}",
        "isCriticalSystemObject": True,
    }
    directory.computer(f"CN=DC1,OU=Domain Controllers,{directory.base}", "DC1$", objectSid=f"{directory.domain_sid}-1000", **dc)


def _groups(directory: Directory) -> None:
    users, builtin = f"CN=Users,{directory.base}", f"CN=Builtin,{directory.base}"
    for name, (rid, kind) in _DOMAIN_GROUPS.items():
        about = {"objectSid": f"{directory.domain_sid}-{rid}", "groupType": kind, "isCriticalSystemObject": True}
        directory.group(f"CN={name},{users}", name, **about)
    for name, rid in _BUILTIN_GROUPS.items():
        about = {
            "objectSid": f"S-1-5-32-{rid}",
            "groupType": _BUILTIN,
            "isCriticalSystemObject": True,
            "sAMAccountType": 536870912,
        }
        directory.group(f"CN={name},{builtin}", name, **about)
    for name in ("Domain Admins", "Enterprise Admins", "Schema Admins", "Group Policy Creator Owners"):
        directory.join(f"CN={name},{users}", f"CN=Administrator,{users}")
    directory.join(
        f"CN=Administrators,{builtin}", f"CN=Administrator,{users}", f"CN=Domain Admins,{users}", f"CN=Enterprise Admins,{users}"
    )
    directory.join(f"CN=Users,{builtin}", f"CN=Domain Users,{users}")
    directory.join(f"CN=Guests,{builtin}", f"CN=Guest,{users}", f"CN=Domain Guests,{users}")

"""Fill the three systems with one night of the company, each in its own shapes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from reconciler.sandbox import google, tenant
from reconciler.sandbox.company import EVERYBODY, LICENCE, LICENSED, STAFF, Held, World
from reconciler.sandbox.directory import Directory
from reconciler.sandbox.directory_names import guid_from, number_from
from reconciler.sandbox.google import Customer
from reconciler.sandbox.tenant import Tenant
from reconciler.sandbox.workforce import DEPARTMENTS, LOCATIONS, MAIL

DOMAIN = f"corp.{MAIL}"
READER, READER_PASSWORD = f"reader@{DOMAIN}", "Reads-everything-1!"
REMEDIATOR, REMEDIATOR_PASSWORD = f"remediator@{DOMAIN}", "Changes-what-was-approved-2!"
GOOGLE_SUBJECT, GOOGLE_REMEDIATOR = f"reader@{MAIL}", f"remediator@{MAIL}"

System = TypeVar("System", Directory, Tenant, Customer)


def become(standing: System, other: System) -> None:
    """Let a system that is being served hold what another holds: the next night begins."""
    with standing.lock:
        vars(standing).update({name: value for name, value in vars(other).items() if name != "lock"})


def _of(world: World, system: str) -> Iterator[Held]:
    return (account for account in world.accounts.values() if account.system == system)


# --- Active Directory ---------------------------------------------------------------------------------------------


def guid_of(key: str) -> UUID:
    """objectGUID of an account: the same on every night, whatever it is called."""
    return UUID(bytes_le=guid_from("harbourvale", key))


def sid_of(directory: Directory, key: str) -> str:
    return f"{directory.domain_sid}-{10_000 + number_from('rid', key) % 1_000_000_000}"


def directory_of(world: World) -> Directory:
    """The domain: sites with their people, groups within groups, and everything that is no person."""
    made = Directory(DOMAIN, netbios="HARBOURVALE", now=lambda: world.now)
    for unit in ("Staff", "Groups", "Service", "Temporary", "Mailboxes", *(f"{place},OU=Staff" for place in LOCATIONS)):
        made.ou(f"OU={unit},{made.base}")
    dns = {account.key: _person(made, account) for account in _of(world, "ad")}
    for account in _of(world, "ad"):
        if account.manager in dns:
            made.change(dns[account.key], manager=dns[account.manager])
    _groups(made, world, dns)
    _furniture(made)
    return made


def _person(made: Directory, account: Held) -> str:
    unit = f"OU={account.location},OU=Staff" if account.location else "OU=Temporary"
    dn = f"CN={account.login},{unit},{made.base}"
    upn = account.mail if account.key == account.employee_id and account.mail else f"{account.login}@{DOMAIN}"
    mails = [f"SMTP:{account.mail}", *(f"smtp:{alias}" for alias in account.aliases)] if account.mail else None
    made.user(
        dn, account.login, objectGUID=guid_of(account.key), objectSid=sid_of(made, account.key), userPrincipalName=upn, mail=account.mail,
        proxyAddresses=mails, employeeID=account.employee_id, givenName=account.given or None, sn=account.family or None,
        displayName=account.shown, department=account.department, title=account.title, company=account.company,
        physicalDeliveryOfficeName=account.location, userAccountControl=512 if account.enabled else 514,
        lastLogonTimestamp=account.last_login, pwdLastSet=account.created, whenCreated=account.created,
    )  # fmt: skip
    return dn


def _groups(made: Directory, world: World, dns: dict[str, str]) -> None:
    names = [STAFF, *(f"{department}-RW" for department in DEPARTMENTS)]
    for name in names:
        members = [dns[account.key] for account in _of(world, "ad") if name in account.groups]
        made.group(f"CN={name},OU=Groups,{made.base}", name, objectGUID=guid_of(f"group {name}"), member=members)
    for outer, inner in (("VPN Users", STAFF), ("Office Doors", "VPN Users"), ("Project Circle", "Office Doors")):
        made.group(f"CN={outer},OU=Groups,{made.base}", outer, objectGUID=guid_of(f"group {outer}"))
        made.join(f"CN={outer},OU=Groups,{made.base}", f"CN={inner},OU=Groups,{made.base}")
    made.join(
        f"CN=VPN Users,OU=Groups,{made.base}", f"CN=Project Circle,OU=Groups,{made.base}"
    )  # a circle, as directories have them


def _furniture(made: Directory) -> None:
    """What is in every directory and is nobody: services, computers, mailboxes, contacts, the reader itself."""
    service, mailboxes = f"OU=Service,{made.base}", f"OU=Mailboxes,{made.base}"
    made.user(f"CN=svc-backup,{service}", "svc-backup", servicePrincipalName=["backup/nas1"], userAccountControl=66048)
    made.user(f"CN=svc-sql,{service}", "svc-sql", servicePrincipalName=["MSSQLSvc/sql1:1433"], userAccountControl=66048)
    made.put(f"CN=gmsa-web,{service}", {"objectClass": "msDS-GroupManagedServiceAccount", "sAMAccountName": "gmsa-web$"})
    made.user(f"CN=reader,{service}", "svc-reader", userPrincipalName=READER, userAccountControl=66048)
    made.password(f"CN=reader,{service}", READER_PASSWORD)
    made.read_only(READER)
    made.user(f"CN=remediator,{service}", "svc-remediator", userPrincipalName=REMEDIATOR, userAccountControl=66048)
    made.password(f"CN=remediator,{service}", REMEDIATOR_PASSWORD)
    for name, kind in (("info", 4), ("room-1", 16), ("projector", 32)):
        shown = {"mail": f"{name}@{MAIL}", "msExchRecipientTypeDetails": kind, "userAccountControl": 514}
        made.user(f"CN={name},{mailboxes}", name, displayName=name.title(), **shown)
    made.contact(f"CN=Auditor,{mailboxes}", mail="auditor@elsewhere.example", displayName="Auditor (external)")
    for name in ("LAPTOP-001", "LAPTOP-002"):
        made.computer(f"CN={name},CN=Computers,{made.base}", f"{name}$")


# --- Microsoft 365 ------------------------------------------------------------------------------------------------


def tenant_of(world: World, directory: Directory) -> Tenant:
    """The tenant, fed by the directory; licences come from a group."""
    made = Tenant(domain="harbourvale.onmicrosoft.com", name="Harbour & Vale Ltd", now=lambda: world.now)
    licence = made.sku(LICENCE)
    ids = {account.key: _cloud_user(made, directory, account) for account in _of(world, "m365")}
    for name in (LICENSED, *(f"{department} Team" for department in DEPARTMENTS)):
        made.put_group(name, unified=name.endswith("Team"))
    made.change_group(LICENSED, assignedLicenses=[{"skuId": licence, "disabledPlans": []}])
    made.put_group("Everybody at work", dynamic=True)
    for account in _of(world, "m365"):
        _cloud_access(made, account, ids, licence)
    _cloud_furniture(made, world)
    return made


def _cloud_user(made: Tenant, directory: Directory, account: Held) -> str:
    synced: dict[str, Any] = {}
    if account.synced:
        anchor, security_id = tenant.anchor(guid_of(account.key)), sid_of(directory, account.key)
        synced = {"onPremisesSyncEnabled": True, "onPremisesImmutableId": anchor, "onPremisesSecurityIdentifier": security_id}
    return made.put_user(
        tenant.user(
            account.login, account.given or None, account.family or None, id=tenant.made_id("user", account.key), mail=account.mail,
            displayName=account.shown, employeeId=account.employee_id, department=account.department, jobTitle=account.title,
            companyName=account.company, officeLocation=account.location, accountEnabled=account.enabled,
            createdDateTime=tenant.instant(account.created), proxyAddresses=[f"SMTP:{account.mail}"] if account.mail else [], **synced,
        )
    )  # fmt: skip


def _cloud_access(made: Tenant, account: Held, ids: dict[str, str], licence: str) -> None:
    here = ids[account.key]
    if account.manager in ids:
        made.manager(here, ids[account.manager])
    if account.last_login is not None:
        made.sign_in(here, account.last_login)
    made.registration(here, mfa=number_from("mfa", account.key) % 7 != 0)
    for group in sorted(account.groups):
        made.join(group, here)
    if account.enabled:
        made.join("Everybody at work", here)
    if account.licences:
        made.license(here, licence)


def _cloud_furniture(made: Tenant, world: World) -> None:
    rescue = made.put_user(tenant.user(f"breakglass1@{made.domain}", None, None, displayName="Break glass 1"))
    made.assign_role(rescue, made.role("Global Administrator"))
    made.put_user(
        tenant.user(
            "guest_partner.example#EXT#@harbourvale.onmicrosoft.com", "Pat", "Partner", userType="Guest", creationType="Invitation",
            externalUserState="Accepted", mail="pat@partner.example",
        )
    )  # fmt: skip
    head_of_it = next(w for w in world.workers.values() if w.department == "IT" and w.job == 0)
    made.make_eligible(head_of_it.mail, made.role("Privileged Role Administrator"))
    made.put_device(head_of_it.mail, "LAPTOP-001")
    made.grant_app(head_of_it.mail, made.app("Expenses"), ["User.Read"])


# --- Google Workspace ---------------------------------------------------------------------------------------------


def customer_of(world: World) -> Customer:
    """The customer: people by site, groups of groups, licences, a phone, an application let in."""
    made = Customer("C03harbour", MAIL, now=_google_time(world.now))
    mails = {account.key: account.login for account in _of(world, "google")}
    for account in _of(world, "google"):
        made.put_user(_google_user(account, mails))
    for address, name in ((GOOGLE_SUBJECT, "Reader"), (GOOGLE_REMEDIATOR, "Remediator")):
        admin = google.user(address, "Directory", name, isAdmin=True, isDelegatedAdmin=False, orgUnitPath="/Service")
        made.put_user(admin | {"lastLoginTime": tenant.instant(world.now - timedelta(days=1))})
    for name in ("/Staff", "/Service", "/Temporary"):
        unit = {
            "kind": "admin#directory#orgUnit",
            "orgUnitPath": name,
            "name": name[1:],
            "parentOrgUnitPath": "/",
            "orgUnitId": f"id:{name[1:]}",
        }
        made.org_units[name] = unit
    for address in (EVERYBODY, *(f"{department.lower()}@{MAIL}" for department in DEPARTMENTS)):
        made.put_group(google.group(address, address.partition("@")[0].title()))
    announcements = made.put_group(google.group(f"announcements@{MAIL}", "Announcements"))
    made.join(announcements, EVERYBODY)
    for account in _of(world, "google"):
        _google_access(made, account)
    return made


def _google_user(account: Held, mails: dict[str, str]) -> dict[str, Any]:
    about: dict[str, Any] = {"aliases": [*account.aliases]} if account.aliases else {}
    if account.employee_id:
        about["externalIds"] = [{"value": account.employee_id, "type": "organization"}]
    if account.manager in mails:
        about["relations"] = [{"value": mails[account.manager], "type": "manager"}]
    if account.department:
        place = {"department": account.department, "title": account.title, "primary": True, "name": account.company}
        about["organizations"] = [place | {"location": account.location}]
    if not account.enabled:
        about |= {"suspended": True, "suspensionReason": "ADMIN"}
    if account.last_login is not None:
        about["lastLoginTime"] = _google_time(account.last_login)
    unit = "/Staff" if account.location else "/Temporary"
    shown = google.user(
        account.login, account.given or "-", account.family or "-", id=google.user_id(account.key), orgUnitPath=unit, **about
    )
    shown["name"]["fullName"] = account.shown
    return shown | {"creationTime": _google_time(account.created), "isEnrolledIn2Sv": number_from("2sv", account.key) % 5 != 0}


def _google_time(instant: Any) -> str:
    return tenant.instant(instant).replace("Z", ".000Z")


def _google_access(made: Customer, account: Held) -> None:
    for group in sorted(account.groups):
        made.join(group, account.login)
    for licence in sorted(account.licences):
        product, _, sku = licence.partition("/")
        made.license(product, sku, [made.id_of(account.login) or ""], "Google Workspace Business Plus")

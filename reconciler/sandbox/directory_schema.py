"""What a domain knows of attributes and classes: how they are spelled, what they hold, how they are compared."""

from __future__ import annotations

from dataclasses import dataclass, field

# Syntaxes by the OIDs of MS-ADTS 3.1.1.2.2.2, and oMSyntax.
TEXT, NUMBER, LARGE, DN, FLAG, TIME, OCTETS, SID, CLASS = (
    "text",
    "number",
    "large",
    "dn",
    "flag",
    "time",
    "octets",
    "sid",
    "class",
)
SYNTAX_OIDS = {
    TEXT: ("2.5.5.12", 64), NUMBER: ("2.5.5.9", 2), LARGE: ("2.5.5.16", 65), DN: ("2.5.5.1", 127), FLAG: ("2.5.5.8", 1),
    TIME: ("2.5.5.11", 24), OCTETS: ("2.5.5.10", 4), SID: ("2.5.5.17", 4), CLASS: ("2.5.5.2", 6),
}  # fmt: skip

_BY_SYNTAX = {
    TEXT: "adminDescription adminDisplayName allowedAttributesEffective assistant c canonicalName carLicense cn co comment company department departmentNumber description displayName"
    " displayNamePrintable division dNSHostName employeeID employeeNumber employeeType extensionAttribute1"
    " extensionAttribute2 extensionAttribute3 extensionAttribute4 extensionAttribute5 extensionAttribute6 extensionAttribute7"
    " extensionAttribute8 extensionAttribute9 extensionAttribute10 extensionAttribute11 extensionAttribute12"
    " extensionAttribute13 extensionAttribute14 extensionAttribute15 facsimileTelephoneNumber gecos generationQualifier"
    " givenName homeDirectory homeDrive homePhone info initials ipPhone l lDAPDisplayName legacyExchangeDN location"
    " mail mailNickname middleName mobile msDS-PhoneticDisplayName msExchHomeServerName msRTCSIP-PrimaryUserAddress name"
    " networkAddress o operatingSystem operatingSystemVersion otherTelephone ou dc pager personalTitle"
    " physicalDeliveryOfficeName postalAddress postalCode postOfficeBox preferredLanguage profilePath proxyAddresses"
    " roomNumber sAMAccountName scriptPath serialNumber servicePrincipalName sn st street streetAddress targetAddress"
    " telephoneAssistant telephoneNumber title uid unixHomeDirectory url userPrincipalName userWorkstations wWWHomePage"
    " dnsRoot nETBIOSName attributeSyntax attributeID msDS-AllowedDNSSuffixes wellKnownObjects"
    " msDS-PrincipalName ldapServiceName supportedSASLMechanisms altSecurityIdentities userParameters uPNSuffixes",
    NUMBER: "adminCount badPwdCount codePage countryCode dSASignature groupType instanceType localPolicyFlags"
    " lockoutThreshold logonCount minPwdLength msDS-SupportedEncryptionTypes msDS-User-Account-Control-Computed"
    " msExchRecipientDisplayType oMSyntax primaryGroupID pwdHistoryLength pwdProperties sAMAccountType systemFlags"
    " uidNumber gidNumber userAccountControl msDS-Behavior-Version msDS-LogonTimeSyncInterval searchFlags ms-DS-MachineAccountQuota"
    " msDS-Approx-Immed-Subordinates deliverAndRedirectCount rid nTMixedDomain trustType trustDirection trustAttributes flags",
    LARGE: "accountExpires badPasswordTime lastLogoff lastLogon lastLogonTimestamp lockoutDuration lockOutObservationWindow"
    " lockoutTime maxPwdAge minPwdAge msDS-UserPasswordExpiryTimeComputed msDS-LastSuccessfulInteractiveLogonTime pwdLastSet"
    " uSNChanged uSNCreated msExchRecipientTypeDetails msExchRemoteRecipientType highestCommittedUSN creationTime forceLogoff"
    " modifiedCount",
    DN: "defaultObjectCategory directReports distinguishedName fSMORoleOwner lastKnownParent managedBy managedObjects manager"
    " member memberOf nCName objectCategory secretary subRefs masteredBy homeMDB msExchHomeMDB"
    " defaultNamingContext configurationNamingContext schemaNamingContext namingContexts rootDomainNamingContext dsServiceName"
    " serverName serverReference subschemaSubentry msDS-HostServiceAccount seeAlso roleOccupant",
    FLAG: "isCriticalSystemObject isDeleted isRecycled isSingleValued isMemberOfPartialAttributeSet msExchHideFromAddressLists"
    " showInAdvancedViewOnly msNPAllowDialin defaultHidingValue systemOnly isDefunct isGlobalCatalogReady isSynchronized",
    TIME: "whenChanged whenCreated currentTime dSCorePropagationData msExchWhenMailboxCreated createTimeStamp modifyTimeStamp"
    " schemaUpdate",
    OCTETS: "auditingPolicy invocationId jpegPhoto mS-DS-ConsistencyGuid msExchMailboxGuid nTSecurityDescriptor objectGUID"
    " parentGUID schemaIDGUID thumbnailPhoto unicodePwd userCertificate userPassword logonHours dBCSPwd msDS-GroupMSAMembership"
    " attributeSecurityGUID replPropertyMetaData",
    SID: "objectSid sIDHistory tokenGroups tokenGroupsGlobalAndUniversal securityIdentifier tokenGroupsNoGCAcceptable",
    CLASS: "objectClass governsID possSuperiors auxiliaryClass subClassOf structuralObjectClass",
}  # fmt: skip
_SYNTAX = {name: syntax for syntax, names in _BY_SYNTAX.items() for name in names.split()}
_MULTI = frozenset(
    [
        "allowedAttributesEffective",
        "altSecurityIdentities",
        "carLicense",
        "departmentNumber",
        "description",
        "directReports",
        "dSCorePropagationData",
        "managedObjects",
        "member",
        "memberOf",
        "msDS-AllowedDNSSuffixes",
        "namingContexts",
        "objectClass",
        "otherTelephone",
        "ou",
        "proxyAddresses",
        "seeAlso",
        "secretary",
        "servicePrincipalName",
        "sIDHistory",
        "subRefs",
        "masteredBy",
        "tokenGroups",
        "tokenGroupsGlobalAndUniversal",
        "tokenGroupsNoGCAcceptable",
        "url",
        "userCertificate",
        "userPassword",
        "uid",
        "wellKnownObjects",
        "postalAddress",
        "postOfficeBox",
        "o",
        "dc",
        "roomNumber",
        "jpegPhoto",
        "possSuperiors",
        "auxiliaryClass",
        "canonicalName",
        "msDS-HostServiceAccount",
        "roleOccupant",
        "uPNSuffixes",
        "structuralObjectClass",
        "supportedSASLMechanisms",
        "dnsRoot",
        "networkAddress",
        "telephoneNumber2",
    ]
)
LINKS = {"member": "memberOf", "manager": "directReports", "managedBy": "managedObjects"}  # forward -> back
BACKLINKS = {back: forward for forward, back in LINKS.items()}
LONGEST = {"employeeID": 16, "sAMAccountName": 256, "cn": 64, "givenName": 64, "sn": 64, "title": 128, "department": 64,
           "company": 64, "displayName": 256, "l": 128, "mail": 256, "userPrincipalName": 1024, "employeeNumber": 512}  # fmt: skip

# Constructed when asked for by name, never part of `*`, and no filter finds them.
EFFECTIVE = "allowedAttributesEffective"  # what whoever asks may write of an object
CONSTRUCTED = frozenset(
    [
        EFFECTIVE,
        "canonicalName",
        "msDS-PrincipalName",
        "msDS-User-Account-Control-Computed",
        "msDS-UserPasswordExpiryTimeComputed",
        "parentGUID",
        "structuralObjectClass",
        "subschemaSubentry",
        "tokenGroups",
        "tokenGroupsGlobalAndUniversal",
        "tokenGroupsNoGCAcceptable",
        "createTimeStamp",
        "modifyTimeStamp",
        "msDS-Approx-Immed-Subordinates",
    ]
)
SECRETS = frozenset({"unicodePwd", "userPassword", "dBCSPwd"})  # write only
# The server owns these: a client that writes them is refused.
OWNED = (
    frozenset(
        [
            "objectGUID",
            "objectSid",
            "memberOf",
            "directReports",
            "managedObjects",
            "whenCreated",
            "whenChanged",
            "uSNCreated",
            "uSNChanged",
            "distinguishedName",
            "instanceType",
            "lastLogon",
            "lastLogonTimestamp",
            "badPwdCount",
            "badPasswordTime",
            "logonCount",
            "sAMAccountType",
            "isDeleted",
            "objectCategory",
        ]
    )
    | CONSTRUCTED
)


@dataclass(frozen=True)
class Kind:
    """One class of objects: its chain, the class its objectCategory names, and the type of its first name part."""

    chain: tuple[str, ...]
    category: str
    naming: str = "CN"


KINDS = {
    "user": Kind(("top", "person", "organizationalPerson", "user"), "Person"),
    "inetOrgPerson": Kind(("top", "person", "organizationalPerson", "user", "inetOrgPerson"), "Person"),
    "contact": Kind(("top", "person", "organizationalPerson", "contact"), "Person"),
    "computer": Kind(("top", "person", "organizationalPerson", "user", "computer"), "Computer"),
    "msDS-GroupManagedServiceAccount": Kind(
        ("top", "person", "organizationalPerson", "user", "computer", "msDS-GroupManagedServiceAccount"),
        "ms-DS-Group-Managed-Service-Account"),
    "msDS-ManagedServiceAccount": Kind(
        ("top", "person", "organizationalPerson", "user", "computer", "msDS-ManagedServiceAccount"), "ms-DS-Managed-Service-Account"),
    "group": Kind(("top", "group"), "Group"),
    "organizationalUnit": Kind(("top", "organizationalUnit"), "Organizational-Unit", "OU"),
    "container": Kind(("top", "container"), "Container"),
    "foreignSecurityPrincipal": Kind(("top", "foreignSecurityPrincipal"), "Foreign-Security-Principal"),
    "domainDNS": Kind(("top", "domain", "domainDNS"), "Domain-DNS", "DC"),
    "builtinDomain": Kind(("top", "builtinDomain"), "Builtin-Domain"),
    "configuration": Kind(("top", "configuration"), "Configuration"),
    "dMD": Kind(("top", "dMD"), "DMD"),
    "attributeSchema": Kind(("top", "attributeSchema"), "Attribute-Schema"),
    "classSchema": Kind(("top", "classSchema"), "Class-Schema"),
    "crossRefContainer": Kind(("top", "crossRefContainer"), "Cross-Ref-Container"),
    "crossRef": Kind(("top", "crossRef"), "Cross-Ref"),
    "sitesContainer": Kind(("top", "sitesContainer"), "Sites-Container"),
    "site": Kind(("top", "site"), "Site"),
    "serversContainer": Kind(("top", "serversContainer"), "Servers-Container"),
    "server": Kind(("top", "server"), "Server"),
    "nTDSDSA": Kind(("top", "applicationSettings", "nTDSDSA"), "NTDS-DSA"),
    "lostAndFound": Kind(("top", "lostAndFound"), "Lost-And-Found"),
    "printQueue": Kind(("top", "leaf", "connectionPoint", "printQueue"), "Print-Queue"),
}  # fmt: skip
KINDS_BY_NAME = {name.lower(): name for name in KINDS}
_CLASSES = frozenset(word.lower() for kind in KINDS.values() for word in kind.chain)
SECURITY = frozenset(
    {"user", "inetOrgPerson", "computer", "group", "msDS-GroupManagedServiceAccount", "msDS-ManagedServiceAccount"}
)
ACCOUNTS = SECURITY - {"group"}


@dataclass
class Schema:
    """The attributes of one forest; a company may extend it."""

    syntax: dict[str, str] = field(default_factory=lambda: dict(_SYNTAX))
    multi: set[str] = field(default_factory=lambda: set(_MULTI))
    _names: dict[str, str] = field(default_factory=lambda: {name.lower(): name for name in _SYNTAX})

    def name(self, attribute: str) -> str | None:
        """An attribute as the schema spells it; None when there is no such attribute."""
        return self._names.get(attribute.lower())

    def known(self, attribute: str) -> str:
        """An attribute as the schema spells it; a new one becomes text, one value, until it is given several."""
        return self.name(attribute) or self.extend(attribute)

    def extend(self, attribute: str, syntax: str = TEXT, multi: bool = False) -> str:
        self.syntax[attribute] = syntax
        self._names[attribute.lower()] = attribute
        if multi:
            self.multi.add(attribute)
        return attribute


def is_class(name: str) -> bool:
    return name.lower() in _CLASSES


def kind_named(name: str) -> str | None:
    """The structural class of that name, as it is spelled."""
    return KINDS_BY_NAME.get(name.lower())

"""Write objects straight into a Samba database, in one transaction; run by the system's Python, which has Samba's library.

argv: smb.conf, sam.ldb, and "schema" for changes of it, which come one by one. Standard input: one JSON object a line: `do`
(add, replace, join, rename, delete, grant, revoke), `dn`, and `set` (attribute -> values; bytes as {"hex": …}), `to` or `ace`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

# Times that only the server sets, no password, and the flags of trusts between domains.
RELAXED = ("relax:0", "local_oid:1.3.6.1.4.1.7165.4.3.12:0", "local_oid:1.3.6.1.4.1.7165.4.3.23:0")


def main() -> None:
    """Everything, or nothing of it."""
    conf, path, *schema = sys.argv[1:]
    db = _opened(conf, path, [] if schema else ["batch_mode:1"])
    if schema:
        for line in sys.stdin:
            _do(db, json.loads(line))
            db.set_schema_update_now()
        return
    db.transaction_start()
    try:
        for line in sys.stdin:
            _do(db, json.loads(line))
    except BaseException:
        db.transaction_cancel()
        raise
    db.transaction_commit()


def _opened(conf: str, path: str, options: list[str]) -> Any:
    from samba.auth import system_session
    from samba.param import LoadParm
    from samba.samdb import SamDB

    settings = LoadParm()
    settings.load(conf)
    return SamDB(url=path, lp=settings, session_info=system_session(settings), options=options)


def _do(db: Any, line: Mapping[str, Any]) -> None:
    import ldb

    what, dn = line["do"], ldb.Dn(db, line["dn"])
    if what == "rename":
        db.rename(dn, ldb.Dn(db, line["to"]))
    elif what == "delete":
        db.delete(dn)
    elif what in ("grant", "revoke"):
        _rights(db, dn, line["ace"], what == "grant")
    else:
        message = ldb.Message(dn)
        for name, values in line["set"].items():
            flag = ldb.FLAG_MOD_ADD if what in ("add", "join") else ldb.FLAG_MOD_REPLACE
            message[name] = ldb.MessageElement(_bytes(values), flag, name)
        controls = list(RELAXED) if line.get("relax") else []
        (db.add if what == "add" else db.modify)(message, controls)


def _rights(db: Any, dn: Any, ace: str, grant: bool) -> None:
    """One entry of an object's access list put in front, or taken out again."""
    import ldb
    from samba.dcerpc import security
    from samba.ndr import ndr_pack, ndr_unpack

    lists, domain = ["show_deleted:1", "sd_flags:1:4"], security.dom_sid(db.get_domain_sid())
    (found,) = db.search(dn, ldb.SCOPE_BASE, attrs=["nTSecurityDescriptor"], controls=lists)
    text = ndr_unpack(security.descriptor, found["nTSecurityDescriptor"][0]).as_sddl(domain)
    if not grant and ace not in text:
        raise SystemExit(f"{ace} is not in {text}")
    first = text.index("(")
    made = security.descriptor.from_sddl(text[:first] + ace + text[first:] if grant else text.replace(ace, ""), domain)
    message = ldb.Message(dn)
    message["nTSecurityDescriptor"] = ldb.MessageElement(ndr_pack(made), ldb.FLAG_MOD_REPLACE, "nTSecurityDescriptor")
    db.modify(message, lists)


def _bytes(values: Sequence[Any]) -> list[bytes]:
    return [bytes.fromhex(value["hex"]) if isinstance(value, dict) else str(value).encode() for value in values]


main()

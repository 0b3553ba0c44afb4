"""Several Microsoft Graph requests in one: each is answered, throttled and refused by itself.

Source: learn.microsoft.com/graph/json-batching
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from reconciler.sandbox.faults import Faults
from reconciler.sandbox.graph_call import Refusal, bad, error_reply
from reconciler.sandbox.http import Reply, Request, json_reply
from reconciler.sandbox.tenant_objects import Json

MOST = 20


def batch(request: Request, faults: Faults, answer: Callable[[Request], Reply]) -> Reply:
    """The answers to up to twenty requests; the outer status says nothing about the inner ones. Raises Refusal."""
    asked = _asked(request)
    done: dict[str, Json] = {}
    for each in asked:
        needs = [str(other) for other in each.get("dependsOn") or []]
        if all(done[other]["status"] < 400 for other in needs):
            done[each["id"]] = _answered(each, answer(_inner(request, each, faults)))
        else:
            failed = Refusal(424, "The request depends on another one that failed.", "FailedDependency")
            done[each["id"]] = _answered(each, failed.reply())
    return json_reply({"responses": list(reversed(done.values()))})  # in any order, as Graph warns


def _asked(request: Request) -> list[Json]:
    try:
        told = json.loads(request.body)["requests"]
    except (ValueError, KeyError, TypeError):
        raise bad("Invalid batch payload format.") from None
    if not isinstance(told, list) or not 1 <= len(told) <= MOST:
        raise bad(f"Number of batch request steps exceeds the maximum value of {MOST}.")
    seen: set[str] = set()
    for each in told:
        here, needs = each.get("id"), {str(other) for other in each.get("dependsOn") or []}
        if not isinstance(here, str) or here in seen or not each.get("method") or not each.get("url"):
            raise bad("Each batch request needs a unique id, a method and a url.")
        if not needs <= seen:
            raise bad(f"The request {here} depends on one that does not come before it.")
        seen.add(here)
    return told


def _inner(outer: Request, each: Mapping[str, Any], faults: Faults) -> Request:
    parts = urlsplit(str(each["url"]))
    path = "/v1.0/" + unquote(parts.path).lstrip("/")
    line = f"{each['method']} {path}" + (f"?{unquote(parts.query)}" if parts.query else "")
    own = {str(name).lower(): str(value) for name, value in (each.get("headers") or {}).items()}
    body = b"" if each.get("body") is None else json.dumps(each["body"]).encode()
    if body and "application/json" not in own.get("content-type", ""):
        body = b"\x00"  # a body without its Content-Type cannot be read
    headers = {"authorization": outer.headers.get("authorization", ""), "host": outer.headers.get("host", ""), **own}
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Request(str(each["method"]).upper(), path, query, headers, body, faults.meet(line), outer.origin)


def _answered(each: Mapping[str, Any], reply: Reply) -> Json:
    shown: Json = {"id": each["id"], "status": reply.status, "headers": {"Content-Type": reply.kind, **reply.headers}}
    if reply.status == 204:
        return shown
    text = reply.kind.startswith("application/json")
    return shown | {"body": json.loads(reply.body) if text else base64.b64encode(reply.body).decode()}


def struck(request: Request) -> Reply | None:
    """The answer that a `status` fault gives to an inner request."""
    fault = request.fault("status")
    if fault is None:
        return None
    made = error_reply(int(fault.value))
    return Reply(made.status, made.body, {**made.headers, **dict(fault.headers)}, made.kind)

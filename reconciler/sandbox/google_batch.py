"""Google's batch: up to a thousand calls of one API in one multipart/mixed request, each with an answer of its own.

Source: developers.google.com/workspace/admin/directory/v1/guides/batch. The outer 200 says nothing about the inner ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from email.message import EmailMessage, MIMEPart
from email.parser import BytesParser
from email.policy import HTTP
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote, urlsplit

from reconciler.sandbox.faults import Faults
from reconciler.sandbox.google_call import Refusal
from reconciler.sandbox.google_pages import dumps
from reconciler.sandbox.http import Reply, Request

MOST = 1000
BOUNDARY = "batch_embedded_company"
_FIRST_LINE = re.compile(rb"(GET|POST|PUT|PATCH|DELETE) (\S+)(?: HTTP/1\.1)?\r?\n?")


@dataclass(frozen=True)
class Part:
    """One call of a batch and the id by which the client knows it."""

    id: str
    request: Request


def answered(request: Request, faults: Faults, one: Callable[[Request], Reply]) -> Reply:
    """The answers in the order of the calls. Every inner call meets the faults by itself, under its own line."""
    try:
        parts = list(_parts(request))
    except ValueError as problem:
        return _bad(f"Failed to parse batch request, error: {problem}")
    if not parts or len(parts) > MOST:
        return _bad(f"The batch request has {len(parts)} calls; from 1 to {MOST} are allowed.")
    if len({_api(part.request.path) for part in parts}) > 1:
        return _bad("The batch request is for more than one API; send one batch to each.")
    inner = [_worded(part.id, _reply(part.request, faults, one)) for part in parts]
    body = b"".join(b"--" + BOUNDARY.encode() + b"\r\n" + text + b"\r\n" for text in inner)
    return Reply(200, body + b"--" + BOUNDARY.encode() + b"--\r\n", {}, f"multipart/mixed; boundary={BOUNDARY}")


def _bad(message: str) -> Reply:
    return Reply(400, dumps(Refusal(400, "badRequest", message).body))


def _api(path: str) -> str:
    return path.removeprefix("/").split("/v1")[0]


def _parts(request: Request) -> Iterator[Part]:
    head = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n".encode("latin-1")
    whole = BytesParser(EmailMessage, policy=HTTP).parsebytes(head + request.body)
    if not whole.is_multipart():
        raise ValueError("the body is no multipart/mixed")
    for part in whole.iter_parts():
        yield Part(str(part.get("Content-ID", "")), _request(request, part))


def _request(outer: Request, part: MIMEPart) -> Request:
    """The inner call; what it does not say in its own headers (who asks) the outer request says for it."""
    raw = part.get_payload(decode=True)
    raw = raw if isinstance(raw, bytes) else b""
    line = _FIRST_LINE.match(raw)
    if line is None:
        raise ValueError(f"no request line in {raw[:40]!r}")
    told = BytesParser(EmailMessage, policy=HTTP).parsebytes(raw[line.end() :])
    payload = told.get_payload(decode=True)
    target = urlsplit(line[2].decode("latin-1"))
    own = {name.lower(): str(value) for name, value in told.items()}
    headers = {name: value for name, value in outer.headers.items() if name in ("authorization", "host")} | own
    path, query = re.sub("/{2,}", "/", unquote(target.path)), dict(parse_qsl(target.query, keep_blank_values=True))
    return Request(line[1].decode(), path, query, headers, payload if isinstance(payload, bytes) else b"", (), outer.origin)


def _reply(request: Request, faults: Faults, one: Callable[[Request], Reply]) -> Reply:
    query = "&".join(f"{name}={value}" for name, value in request.query.items())
    struck = replace(request, faults=faults.meet(f"{request.verb} {request.path}" + (f"?{query}" if query else "")))
    refused = struck.fault("status")
    if refused is None:
        return one(struck)
    body = dumps(refused.body or Refusal(int(refused.value), "backendError", "refused by the script of faults").body)
    return Reply(int(refused.value), body, dict(refused.headers))


def _worded(here: str, reply: Reply) -> bytes:
    """An inner answer; its id is the call's, with `response-` before it, as Google writes it."""
    answer_to = f"<response-{here.strip('<>')}>" if here else ""
    head = ["Content-Type: application/http", *([f"Content-ID: {answer_to}"] if answer_to else []), ""]
    inner = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}", f"Content-Type: {reply.kind}"]
    inner += [f"{name}: {value}" for name, value in reply.headers.items()] + [f"Content-Length: {len(reply.body)}", "", ""]
    return "\r\n".join([*head, *inner]).encode("latin-1") + reply.body

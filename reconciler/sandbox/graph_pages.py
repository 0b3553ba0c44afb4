"""Listings of Microsoft Graph in pages: what is asked of them, their links to what follows, and the rows that a fault takes away.

Source: learn.microsoft.com/graph/paging and …/query-parameters.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from reconciler.sandbox import graph_filter
from reconciler.sandbox.graph_call import Call, Refusal, bad, dumps
from reconciler.sandbox.graph_search import searched
from reconciler.sandbox.graph_shapes import SINGLE_ONLY, Shape, default, kind_of, known, limited
from reconciler.sandbox.http import Reply, json_reply
from reconciler.sandbox.tenant_objects import Json

_serial = itertools.count(1)  # so that no two page tokens are alike
_OPTIONS = frozenset(("$select", "$top", "$filter", "$count", "$orderby", "$search", "$expand", "$skiptoken", "$format"))


def listed(call: Call, rows: Iterable[Json], shape: Shape) -> Reply:
    """The page that the query asks for; raises Refusal."""
    _known_options(call)
    if expired := call.request.fault("expired_token"):
        raise expired_page(int(expired.value or 400))
    chosen = _chosen(call, list(rows), shape)
    begin, size = _begin(call, chosen) if shape.pages else 0, _size(call, shape)
    if short := call.request.fault("short_pages"):
        size = min(size, int(short.value))
    end = begin if call.request.fault("empty_page") else begin + size if shape.pages else len(chosen)
    head = _head(call, shape, len(chosen) if begin == 0 else None)
    following = _following(call, begin, end, chosen)
    if following:
        head["@odata.nextLink"] = following
    return Reply(200, _text(head, _shown(call, chosen[begin:end], shape)))


def counted(call: Call, rows: Iterable[Json], shape: Shape) -> Reply:
    """`…/$count`: the number of objects as plain text."""
    if not call.eventual:
        raise bad("$count is not currently supported.")
    hidden = call.request.fault("hide_rows")
    count = len(_filtered(call, list(rows), shape, advanced=True)) - (int(hidden.value or 1) if hidden else 0)
    return Reply(200, str(count).encode(), {}, "text/plain")


def one(call: Call, row: Json, shape: Shape, status: int = 200) -> Reply:
    """A single object with what is selected and expanded."""
    context = f"{call.root}/$metadata#{shape.context}/$entity"
    shown = {"@odata.context": context} | _viewer(call, shape)(row)
    dropped = call.request.fault("drop_field")
    return json_reply({n: v for n, v in shown.items() if dropped is None or n != dropped.value}, status)


# --- which rows -----------------------------------------------------------------------------------------------------


def _known_options(call: Call) -> None:
    for name in call.query:
        if name == "$skip":
            raise bad("'$skip' is not supported by the service.")
        if name.startswith("$") and name not in _OPTIONS:
            raise bad(f"The query parameter '{name}' is not supported.")


def _chosen(call: Call, rows: list[Json], shape: Shape) -> list[Json]:
    told = call.query
    if shape.directory and "$orderby" in told and "$filter" in told and not call.advanced:
        raise Refusal(400, "Sorting not supported for current query.", "Request_UnsupportedQuery")
    if shape.directory and "$expand" in told and ("$search" in told or call.advanced):
        raise Refusal(400, "The $expand parameter is not supported with advanced queries.", "Request_UnsupportedQuery")
    rows = _filtered(call, rows, shape, call.advanced or not shape.directory)
    if "$search" in told:
        if not call.eventual:
            raise Refusal(400, "Request with $search query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'", "Request_UnsupportedQuery")  # fmt: skip
        rows = searched(rows, told["$search"])
    return _ordered(rows, told.get("$orderby"), shape)


def _filtered(call: Call, rows: list[Json], shape: Shape, advanced: bool) -> list[Json]:
    text = call.query.get("$filter")
    if not text:
        return rows
    made = graph_filter.parse(text)
    _check_names(made.names, shape)
    if made.advanced and not advanced:
        raise Refusal(400, "The specified filter is not supported without the header 'ConsistencyLevel: eventual' and the parameter '$count=true'.", "Request_UnsupportedQuery")  # fmt: skip
    return [row for row in rows if made.test(row)]


def _ordered(rows: list[Json], told: str | None, shape: Shape) -> list[Json]:
    if not told:
        return rows
    name, _, direction = told.partition(" ")
    _check_names([name], shape)
    return sorted(rows, key=lambda row: str(row.get(name) or "").casefold(), reverse=direction.strip() == "desc")


def _check_names(names: Iterable[str], shape: Shape) -> None:
    for name in names:
        if shape.known is not None and name not in shape.known:
            raise bad(f"Could not find a property named '{name}' on type 'microsoft.graph.{shape.kind}'.")


def _size(call: Call, shape: Shape) -> int:
    """Rows a page: what `$top` says within 1 and 999, and never more than the listing gives."""
    told = call.query.get("$top")
    if told is None:
        return min(shape.usual, shape.most)
    if not told.isdigit() or not 1 <= int(told) <= 999:
        raise bad(f"Invalid page size specified: '{told}'. Must be between 1 and 999 inclusive.")
    return min(int(told), shape.most, 100 if "$expand" in call.query else 999)


# --- links to the next page -----------------------------------------------------------------------------------------


def _question(call: Call) -> str:
    same = sorted((n, v) for n, v in call.query.items() if n != "$skiptoken")
    return hashlib.sha256(repr((call.path, same)).encode()).hexdigest()[:16]


def _token(call: Call, begin: int, last: str) -> str:
    words = f"{_question(call)}.{begin}.{last}.{next(_serial)}"
    return base64.urlsafe_b64encode(words.encode()).decode().rstrip("=")


def _begin(call: Call, rows: Sequence[Json]) -> int:
    """Where the page begins: after the last row of the page before, wherever that lies by now; raises Refusal."""
    told = call.query.get("$skiptoken", "")
    if not told:
        return 0
    try:
        asked, begin, last, _ = base64.urlsafe_b64decode(told + "=" * (-len(told) % 4)).decode("ascii").split(".")
        place = int(begin)
    except ValueError:
        raise bad("The specified page token is invalid.") from None
    if asked != _question(call):
        raise bad("The specified page token belongs to another query.")
    if place and not (place <= len(rows) and rows[place - 1].get("id") == last):
        return next((n + 1 for n, row in enumerate(rows) if row.get("id") == last), min(place, len(rows)))
    return place


def expired_page(status: int) -> Refusal:
    if status == 410:
        return Refusal(410, "The sync token has expired. Begin again without it.", "resyncRequired", Location="?$deltatoken=")
    text = "The specified page token value has expired and can no longer be included in your request."
    return Refusal(status, text, "Directory_ExpiredPageToken")


def _following(call: Call, begin: int, end: int, rows: Sequence[Json]) -> str | None:
    fault = call.request.fault
    if fault("no_more"):
        return None
    if fault("repeat_token"):
        return link(call, call.query.get("$skiptoken") or _token(call, begin, _last(rows, begin)))
    return link(call, _token(call, end, _last(rows, end))) if end < len(rows) else None


def _last(rows: Sequence[Json], end: int) -> str:
    return str(rows[end - 1].get("id", "")) if end else ""


def link(call: Call, token: str, name: str = "$skiptoken") -> str:
    """The address of the same question with a token, on the host that was asked."""
    told = {n: v for n, v in call.query.items() if n not in ("$skiptoken", "$deltatoken")} | {name: token}
    return f"{call.root}/{quote(call.path)}?{urlencode(told, quote_via=quote, safe='$(),/:')}"


# --- what is shown of a row -----------------------------------------------------------------------------------------


def _head(call: Call, shape: Shape, count: int | None) -> Json:
    selected = call.query.get("$select")
    names = f"({selected})" if selected else ""
    head: Json = {"@odata.context": f"{call.root}/$metadata#{shape.context}{names}"}
    asked = call.advanced or (not shape.directory and call.query.get("$count") == "true")
    return head | ({"@odata.count": count} if asked and count is not None else {})


def _shown(call: Call, rows: Sequence[Json], shape: Shape) -> list[bytes]:
    """The rows' texts, after the faults that take rows or properties away."""
    hidden, dropped = call.request.fault("hide_rows"), call.request.fault("drop_field")
    if hidden:
        rows = rows[: max(0, len(rows) - int(hidden.value or 1))]
    view = _viewer(call, shape)
    if dropped:
        return [dumps({n: v for n, v in view(row).items() if n != dropped.value}) for row in rows]
    if not shape.stored or "$expand" in call.query:
        return [dumps(view(row)) for row in rows]
    key = f"{shape.context}?{call.query.get('$select', '')}"
    return [call.texts.of(row, key, view) for row in rows]


def _text(head: Json, rows: Sequence[bytes]) -> bytes:
    return dumps(head)[:-1] + b',"value":[' + b",".join(rows) + b"]}"


def _viewer(call: Call, shape: Shape) -> Callable[[Json], Json]:
    """How a row is shown: the selected properties, then what is expanded."""
    selected, expanded = _selected(call.query.get("$select"), shape), _expanded(call.query.get("$expand", ""), shape)

    def view(row: Json) -> Json:
        shown = seen(call, row, selected) if shape.mixed else picked(row, selected or shape.default)
        for name, names in expanded.items():
            found = shape.expands[name](call, row)
            if isinstance(found, list):
                shown[name] = [seen(call, each, names) for each in found[:20]]
            elif found is not None:
                shown[name] = seen(call, found, names)
        return shown

    return view


def picked(row: Mapping[str, Any], names: Iterable[str] | None) -> Json:
    if names is None:
        return dict(row)
    kept = {name: row[name] for name in names if name in row}
    return {"@odata.type": row["@odata.type"], **kept} if "@odata.type" in row else kept


def seen(call: Call, row: Json, names: tuple[str, ...] | None) -> Json:
    """An object among others: its type, its id, and as much else as the caller may know."""
    kind = kind_of(row)
    shown = picked(row, names or default(kind))
    if limited(call, row):
        shown = {name: value if name == "id" else None for name, value in shown.items()}
    return {"@odata.type": f"#microsoft.graph.{kind}", **shown}


def _selected(told: str | None, shape: Shape) -> tuple[str, ...] | None:
    """The names in `$select`, if any; raises Refusal for a name that the kind does not have."""
    if not told or told.strip() == "*":
        return None
    names = tuple(name.strip() for name in told.split(",") if name.strip())
    only = SINGLE_ONLY.intersection(names)
    if only and shape.kind == "user":
        raise Refusal(501, f"The property '{min(only)}' is supported only for a single user.")
    _check_names(names, shape)
    return names


def _expanded(told: str, shape: Shape) -> dict[str, tuple[str, ...] | None]:
    """Each relation in `$expand`, with what is selected of it; raises Refusal."""
    found: dict[str, tuple[str, ...] | None] = {}
    for part in _split(told):
        name, _, inner = part.partition("(")
        if name not in shape.expands:
            raise bad(
                f"Parsing OData Select and Expand failed: Could not find a property named '{name}' on type 'microsoft.graph.{shape.kind}'."
            )
        options = dict(option.split("=", 1) for option in inner.rstrip(")").split(";") if "=" in option)
        chosen = options.get("$select")
        found[name] = tuple(chosen.split(",")) if chosen else None
    return found


def _split(told: str) -> list[str]:
    """At commas outside brackets."""
    parts, depth = [""], 0
    for letter in told:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


__all__ = ["counted", "expired_page", "known", "link", "listed", "one", "picked", "seen"]

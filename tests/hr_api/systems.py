"""Four HR systems on loopback, in the shapes their documentation records, with a script of faults each."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.sandbox.http import Reply, Request, json_reply

PAGE = 7  # rows a page at most, whatever is asked for
SECRET = "hunter2-correct-horse"


@dataclass(frozen=True)
class Person:
    """One person as HR knows them."""

    number: int
    status: str = "active"  # active, left, leave or prehire
    last_day: str | None = None
    manager: int | None = 1


@dataclass
class System:
    """A company in an HR system. `people` may be changed between requests by `meanwhile`."""

    people: list[Person]
    withheld: str | None = None  # a field the reader may not see
    meanwhile: Callable[[System, int], None] = lambda system, request: None
    requests: int = 0
    tokens: list[str] = field(default_factory=list)

    def counted(self) -> None:
        self.requests += 1
        self.meanwhile(self, self.requests)


def company(size: int = 20) -> list[Person]:
    """Twenty people; two have left, one with a last day to come is active, one is on leave, one is to come."""
    made = [Person(n, manager=None if n == 1 else 1) for n in range(1, size + 1)]
    made[2], made[3] = Person(3, "left", "2026-11-08"), Person(4, "left", "2025-01-31")
    made[4], made[5], made[6] = Person(5, "active", "2026-12-31"), Person(6, "leave"), Person(7, "prehire")
    return made


def _entered(request: Request, name: str) -> bool:
    return request.headers.get("authorization") == "Basic " + base64.b64encode(name.encode()).decode()


def _shown(request: Request, rows: list[Any]) -> list[Any]:
    """Rows after the faults that change a page."""
    if request.fault("empty_page"):
        return []
    if hidden := request.fault("hide_rows"):
        return rows[: -int(hidden.value or 1)]
    return rows


# --- BambooHR ---------------------------------------------------------------------------------------------------

BAMBOO_FIELDS = ["eeid", "employeeNumber", "firstName", "lastName", "email", "status", "hireDate", "terminationDate", "employmentStatus",
                 "jobInformationDepartment", "jobInformationJobTitle", "jobInformationLocation", "supervisorEid", "shirtSize"]  # fmt: skip


def bamboohr(system: System) -> Callable[[Request], Reply]:
    def answer(request: Request) -> Reply:
        if not _entered(request, f"{SECRET}:x"):
            return json_reply({"title": "Unauthorized"}, 401)
        if request.path == "/api/v1_2/datasets/employee/fields":
            return _bamboo_fields(request)
        assert (request.verb, request.path) == ("POST", "/api/v2/datasets/employee/data")
        system.counted()
        return _bamboo_page(system, request)

    return answer


def _bamboo_fields(request: Request) -> Reply:
    second = request.query.get("page") == "2"
    names = BAMBOO_FIELDS[8:] if second else BAMBOO_FIELDS[:8]
    following = None if second else f"{request.origin}{request.path}?page=2&page_size=8"
    fields = [{"name": name, "label": name, "entityName": "employee"} for name in names]
    return json_reply({"pagination": {"next_page": following}, "name": "employee", "label": "Employee", "fields": fields})


def _bamboo_page(system: System, request: Request) -> Reply:
    asked = json.loads(request.body)
    assert set(asked["fields"]) <= set(BAMBOO_FIELDS) and asked["filter"] == "status in ('Active','Inactive')"
    number, total = asked["page"], len(system.people)
    last = -(-total // PAGE)
    if request.fault("repeat_token"):
        number = max(1, number - 1)
    rows = [_bamboo_row(system, person, asked["fields"]) for person in system.people[(number - 1) * PAGE : number * PAGE]]
    links = (
        {"next": f"{request.origin}/api/v2/datasets/employee/data?page={number + 1}"}
        if number < last and not request.fault("no_more")
        else {}
    )
    meta = {"page": number, "pageSize": PAGE, "totalPages": last, "totalItems": total}
    return json_reply({"data": _shown(request, rows), "links": links, "meta": meta})


def _bamboo_row(system: System, person: Person, fields: list[str]) -> dict[str, Any]:
    told = {
        "eeid": person.number, "employeeNumber": f"{person.number:04d}", "firstName": "Jo", "lastName": f"Doe{person.number}",
        "email": f"jo{person.number}@example.com", "status": "Inactive" if person.status in ("left", "prehire") else "Active",
        "hireDate": "2020-01-06", "terminationDate": person.last_day or "0000-00-00", "employmentStatus": "Full-Time",
        "jobInformationDepartment": "Finance", "jobInformationJobTitle": "Clerk", "jobInformationLocation": "London",
        "supervisorEid": person.manager and f"{person.manager:04d}",
    }  # fmt: skip
    row: dict[str, Any] = {"fields": {name: told.get(name) for name in fields}}
    if system.withheld and person.number % 5 == 0:
        row["fields"][system.withheld] = ""
        row["_restrictedFields"] = [system.withheld]
    return row


# --- HiBob ------------------------------------------------------------------------------------------------------

BOB_STATUS = {"active": "Employed", "left": "Terminated", "leave": "Long leave", "prehire": "Hired"}


def hibob(system: System) -> Callable[[Request], Reply]:
    def answer(request: Request) -> Reply:
        if not _entered(request, f"SERVICE-1:{SECRET}"):
            return json_reply({"error": "unauthorized"}, 401)
        assert (request.verb, request.path) == ("POST", "/v1/people/search")
        asked = json.loads(request.body)
        assert asked["showInactive"] is True and "root.id" in asked["fields"]
        system.counted()
        return json_reply({"employees": _shown(request, [_bob_record(system, person, asked) for person in system.people])})

    return answer


def _bob_record(system: System, person: Person, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Slash keys and nested objects side by side, lists by number, words for people apart: as the documentation shows it."""
    told = {
        "root.id": f"33328838840177{person.number:05d}", "root.firstName": "Jo", "root.surname": f"Doe{person.number}",
        "root.email": f"jo{person.number}@example.com", "work.employeeIdInCompany": person.number, "work.startDate": "2020-01-06",
        "internal.lifecycleStatus": BOB_STATUS[person.status].lower(), "work.department": "209192163", "work.title": "209192999",
        "employee.lastDayOfWork": person.last_day, "work.reportsTo.id": person.manager and f"33328838840177{person.manager:05d}",
    }  # fmt: skip
    shown = {name: told[name] for name in asked["fields"] if name in told and name != system.withheld}
    record: dict[str, Any] = {"id": told["root.id"]}
    for name, value in shown.items():
        record["/" + name.replace(".", "/")] = {"value": value}
        category, *rest = name.split(".")
        if category != "root":
            _nest(record, [category, *rest], value)
    words = {
        "internal": {"lifecycleStatus": BOB_STATUS[person.status]},
        "work": {"department": "Finance", "title": "Clerk", "startDate": "06/01/2020"},
    }
    return record | {"humanReadable": words}


def _nest(record: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        record = record.setdefault(part, {})
    record[path[-1]] = value


# --- Personio ---------------------------------------------------------------------------------------------------

PERSONIO_STATUS = {"active": "active", "left": "inactive", "leave": "leave", "prehire": "onboarding"}


def personio(system: System) -> Callable[[Request], Reply]:
    def answer(request: Request) -> Reply:
        if request.path == "/v1/auth":
            asked = json.loads(request.body)
            if asked != {"client_id": "client-1", "client_secret": SECRET}:
                return json_reply({"success": False, "error": {"code": 0, "message": "Wrong credentials"}}, 403)
            system.tokens.append(f"token-{len(system.tokens) + 1}")
            return json_reply({"success": True, "data": {"token": system.tokens[-1], "expires_in": 86400}})
        if not system.tokens or request.headers.get("authorization") != f"Bearer {system.tokens[-1]}":
            return json_reply({"success": False, "error": {"code": 401, "message": "Unauthenticated"}}, 401)
        assert request.path == "/v1/company/employees"
        system.counted()
        return _personio_page(system, request)

    return answer


def _personio_page(system: System, request: Request) -> Reply:
    offset, total = int(request.query["offset"]), len(system.people)
    if request.fault("repeat_token"):
        offset = max(0, offset - PAGE)
    rows = _shown(request, [_personio_record(system, person) for person in system.people[offset : offset + PAGE]])
    metadata = {"total_elements": total, "current_page": offset // PAGE, "total_pages": -(-total // PAGE)}
    return json_reply({"success": True, "metadata": metadata, "offset": offset, "limit": PAGE, "data": rows})


def _personio_record(system: System, person: Person) -> dict[str, Any]:
    def plain(name: str, value: Any, kind: str = "standard") -> dict[str, Any]:
        return {"label": name.title(), "value": value, "type": kind, "universal_id": name}

    def named(kind: str, name: str) -> dict[str, Any]:
        return {"type": kind, "attributes": {"id": 1, "name": name}}

    above = {"type": "Employee", "attributes": {"id": plain("id", person.manager, "integer")}} if person.manager else None
    told = {
        "id": plain("id", person.number, "integer"), "first_name": plain("first_name", "Jo"), "last_name": plain("last_name", f"Doe{person.number}"),
        "email": plain("email", f"jo{person.number}@example.com"), "status": plain("status", PERSONIO_STATUS[person.status]),
        "hire_date": plain("hire_date", "2020-01-06T00:00:00+01:00", "date"),
        "last_working_day": plain("last_working_day", person.last_day and f"{person.last_day}T00:00:00+01:00", "date"),
        "department": plain("department", named("Department", "Finance")), "office": plain("office", named("Office", "London")),
        "cost_centers": plain("cost_centers", [{"type": "CostCenter", "attributes": {"id": 1, "name": "4711", "percentage": 100}}]),
        "supervisor": plain("supervisor", above), "employment_type": plain("employment_type", "internal"),
        "dynamic_123456": {"label": "Badge", "value": f"B{person.number}", "type": "standard", "universal_id": ""},
    }  # fmt: skip
    return {"type": "Employee", "attributes": {name: value for name, value in told.items() if name != system.withheld}}


# --- Workday ----------------------------------------------------------------------------------------------------

WORKDAY_STATUS = {"active": "Active", "left": "Terminated", "leave": "On Leave", "prehire": "Future Hire"}


def workday(system: System) -> Callable[[Request], Reply]:
    def answer(request: Request) -> Reply:
        if not _entered(request, f"ISU_Reader:{SECRET}"):
            return Reply(401, b"<html>invalid username or password</html>", {}, "text/html")
        assert request.path == "/ccx/service/customreport2/example/ISU_Reader/Workers" and request.query["format"] == "json"
        system.counted()
        return json_reply({"Report_Entry": _shown(request, [_workday_entry(system, person) for person in system.people])})

    return answer


def _workday_entry(system: System, person: Person) -> dict[str, Any]:
    told = {
        "Employee_ID": f"{person.number:05d}", "Legal_First_Name": "Jo", "Legal_Last_Name": f"Doe{person.number}",
        "Primary_Work_Email": f"jo{person.number}@example.com", "Worker_Status": WORKDAY_STATUS[person.status],
        "Hire_Date": "2020-01-06-08:00", "Last_Day_of_Work": person.last_day, "Worker_Type": "Employee", "Department": "Finance",
        "Manager_group": [{"Manager_ID": f"{person.manager:05d}"}] if person.manager else [],
    }  # fmt: skip
    return {name: value for name, value in told.items() if value is not None and name != system.withheld}

"""Creates the account that somebody who has started lacks, from what HR says about them."""

from collections.abc import Iterator

from reconciler.action import ByHand, Case, Step

COPIED = ("given_name", "family_name", "display_name", "employee_id", "department", "job_title")


def propose(case: Case) -> Iterator[Step | ByHand]:
    """Create an account on the finding's source; without a work address in HR a person must say which it shall have."""
    person, source = case.person, case.finding.source
    if person is None:
        return
    if not person["work_email"]:
        yield ByHand(
            f"HR does not tell the work address of {person['name']}, and accounts are named after it",
            f"enter the work address of {person['person_id']} in HR, or create the account on {source} with employee id {person['employee_id']}",
        )
        return
    manager = case.account_of(person["manager_id"], source)
    made = {name: person[name] for name in COPIED if person[name]} | {"email": person["work_email"], "enabled": True}
    made.setdefault("display_name", person["name"])
    made |= {"manager_account_id": manager["account_id"]} if manager else {}
    made |= {"container": case.settings.joiners[source]} if source in case.settings.joiners else {}
    nobody = {
        "source": source,
        "account_id": None,
        "login": person["work_email"],
        "department": person["department"],
        "mastered_by": None,
    }
    yield Step(nobody, "create", None, made, case.finding.summary)

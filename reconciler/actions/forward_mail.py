"""Has a leaver's mail answered or forwarded. A person does this: none of the interfaces in use can set it for every mailbox."""

from collections.abc import Iterator

from reconciler.action import ByHand, Case, Step


def propose(case: Case) -> Iterator[Step | ByHand]:
    """Ask a person to set an auto-reply and to give the manager the mailbox."""
    account = case.account
    if account is not None:
        manager = case.account_of(case.person["manager_id"] if case.person else None, account["source"])
        heir = manager["email"] if manager and manager["email"] else "the successor"
        yield ByHand(
            "forwarding and auto-replies are settings of the mailbox, outside the interface this tool writes to",
            f"set an auto-reply on {account['email'] or account['login']} that names {heir}, and give {heir} the mailbox; "
            f"Exchange: Set-MailboxAutoReplyConfiguration and Add-MailboxPermission; Gmail: gam user {account['login']} vacation on",
        )

"""SIP rules on challenges and credentials (RFC 3261 22)."""

from __future__ import annotations

from harness.errors import SipSyntaxError
from harness.sip.headers import Credentials
from harness.sip.message import Request, Response
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, IN_A_GAP, Outcomes, Party, Severity, Violation
from harness.verify.items import SipEntry, Transaction, reading
from harness.verify.rules.sip_transaction import TRANSACTION_TIMEOUT


def _credentials(message: Request | Response) -> list[Credentials]:
    return reading(lambda: message.credentials) or []


def _nonces(message: Request | Response) -> set[str]:
    return {nonce for item in _credentials(message) if (nonce := item.parameters.get("nonce"))}


@rule("sip.auth.challenge", on=Kind.RESPONSE)
def auth_challenge(entry: SipEntry, flow: Flow) -> Outcomes:
    header = {401: "WWW-Authenticate", 407: "Proxy-Authenticate"}.get(entry.status)
    if header is None:
        return
    yield APPLIES
    if entry.sip.get(header) is None:
        yield Violation(f"{header} with a challenge", "none", header)
    if entry.method == "CANCEL" and entry.sender is not Party.HANDSET:
        yield Violation("a CANCEL is not challenged", str(entry.status), "start line")


def _challenged(transaction: Transaction | None) -> SipEntry | None:
    """The 401 or 407 this transaction repeats its request after."""
    before = transaction.retry_of if transaction else None
    final = before.final if before else None
    return final if final is not None and final.status in (401, 407) else None


@rule("sip.auth.retry-cseq", on=Kind.REQUEST)
def auth_retry_cseq(entry: SipEntry, flow: Flow) -> Outcomes:
    if (
        _challenged(entry.transaction) is None
        or entry.transaction is None
        or entry.transaction.retry_of is None
    ):
        return
    before, now = entry.transaction.retry_of.request.cseq, entry.cseq
    if before is None or now is None:
        return
    yield APPLIES
    if now.number > before.number + 1 and flow.assembly.incomplete:
        yield IN_A_GAP
    elif now.number != before.number + 1:
        # Another request of the dialog, or one that was lost, may have taken the next number.
        severity = Severity.SHOULD if now.number > before.number else None
        expected = f"{before.number + 1} after the challenge"
        yield Violation(expected, str(now.number), "CSeq", severity=severity)


@rule("sip.auth.no-reuse-rejected", on=Kind.REQUEST)
def auth_no_reuse(entry: SipEntry, flow: Flow) -> Outcomes:
    challenge = _challenged(entry.transaction)
    before = entry.transaction.retry_of if entry.transaction else None
    if challenge is None or before is None:
        return
    yield APPLIES
    header = "Authorization" if challenge.status == 401 else "Proxy-Authorization"
    offered = reading(lambda: challenge.sip.challenges) or []
    realms = {item.parameters.get("realm") for item in offered}
    fresh = {item.parameters.get("nonce") for item in offered}
    rejected = [item for item in _credentials_in(before.request, header) if _realm(item) in realms]
    for again in _credentials_in(entry, header):
        nonce = again.parameters.get("nonce")
        if nonce and any(_repeats(again, old, fresh) for old in rejected):
            yield Violation("credentials over a new nonce", f"nonce {shown(nonce)} again", header)
            return


def _credentials_in(entry: SipEntry, header: str) -> list[Credentials]:
    values = entry.sip.get_all(header)
    found = [reading(lambda text=value: Credentials.parse(text)) for value in values]  # type: ignore[misc]
    return [item for item in found if item is not None]


def _realm(credentials: Credentials) -> str | None:
    return credentials.parameters.get("realm")


def _repeats(again: Credentials, rejected: Credentials, fresh: set[str | None]) -> bool:
    """The credentials that were refused, once more.

    A server may challenge with the same nonce again; then other credentials over it are new.
    """
    names = ("realm", "username", "nonce")
    if any(again.parameters.get(name) != rejected.parameters.get(name) for name in names):
        return False
    same_answer = again.parameters.get("response") == rejected.parameters.get("response")
    return same_answer or again.parameters.get("nonce") not in fresh


@rule("sip.auth.retry", on=Kind.RESPONSE, after=TRANSACTION_TIMEOUT, receiver=True)
def auth_retry(entry: SipEntry, flow: Flow) -> Outcomes:
    transaction = entry.transaction
    if entry.status not in (401, 407) or transaction is None:
        return
    yield APPLIES
    if transaction.retried_by is not None:
        return
    try:
        realms = {challenge.parameters.get("realm") for challenge in entry.sip.challenges}
    except SipSyntaxError:
        return
    held = flow.assembly.declared.realms(transaction.request.source.host)
    if realms & held and not _nonces(transaction.request.sip):
        yield Violation("the request again with credentials", "no repeat")

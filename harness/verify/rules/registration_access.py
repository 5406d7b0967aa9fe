"""Registration rules on how access is proven: AKA (RFC 3310), Digest over TLS."""

from __future__ import annotations

import base64
import binascii

from harness.evidence.timeline import Transport
from harness.sip.digest import digest_response
from harness.sip.headers import Challenge, Credentials
from harness.sip.message import Request, Response
from harness.verify.catalogue import Kind, rule
from harness.verify.comparison import shown
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Severity, Violation
from harness.verify.items import SipEntry, reading
from harness.verify.rules.sip_transaction import TRANSACTION_TIMEOUT

_AKA = ("akav1-", "akav2-")


@rule("reg.aka.algorithm", on=Kind.RESPONSE, methods=("REGISTER",))
def aka_nonce(entry: SipEntry, flow: Flow) -> Outcomes:
    for challenge in _aka_challenges(entry):
        yield APPLIES
        nonce = _decoded(challenge.parameters.get("nonce") or "")
        if nonce is None or len(nonce) < 32:
            actual = "no base64" if nonce is None else f"{len(nonce)} octets"
            yield Violation(
                "a nonce of at least 32 octets in base64 (RAND and AUTN)", actual, "WWW-Authenticate"
            )


@rule("reg.aka.algorithm", on=Kind.REQUEST, methods=("REGISTER",))
def aka_answer(entry: SipEntry, flow: Flow) -> Outcomes:
    asked = _asked(entry)
    challenges = _aka_challenges(asked) if asked else []
    if not challenges:
        return
    yield APPLIES
    message = entry.sip
    nonces = {item.parameters.get("nonce") for item in challenges}
    answers = _given(message)
    if "Authorization" not in message:
        # It may have given the challenge up, which no text forbids.
        expected = "credentials that answer the AKA challenge"
        yield Violation(expected, "no Authorization", "Authorization", severity=Severity.SHOULD)
    if not _answers(answers, asked, nonces, flow):
        return
    pairs = [(challenge, answer) for answer in answers for challenge in challenges]
    wrong = [list(_answer_faults(challenge, answer)) for challenge, answer in pairs]
    yield from min(wrong, key=len)


def _answers(answers: list[Credentials], asked: SipEntry | None, nonces: set[str | None], flow: Flow) -> bool:
    """Whether the credentials are meant for the AKA challenge.

    A REGISTER without a nonce, or over one that the network gave at another time or in a challenge beside,
    starts anew, as after a challenge that got lost or was no good: that is no answer.
    """
    given = {item.parameters.get("nonce") for item in answers}
    if not given or given & nonces:
        return bool(given)
    until = asked.place if asked is not None else None
    return flow.from_start and not any(flow.assembly.declared.was_given(nonce, until) for nonce in given)


@rule("reg.aka.auts", on=Kind.REQUEST, methods=("REGISTER",))
def answers_out_of_step(entry: SipEntry, flow: Flow) -> Outcomes:
    """A vector whose number was used before is out of step (TS 33.102 6.3.3)."""
    asked = _asked(entry)
    challenges = _aka_challenges(asked) if asked else []
    for answer in _given(entry.sip):
        nonce = answer.parameters.get("nonce")
        if all(nonce != item.parameters.get("nonce") for item in challenges):
            continue
        if "auts" in answer.parameters:
            yield APPLIES
            expected, actual = _over_no_password(answer, entry), answer.parameters.get("response") or "none"
            if expected is not None and expected != actual.lower():
                yield Violation(f"a response over an empty password, {expected}", actual, "Authorization")
        elif asked is not None and answer.parameters.get("response") and _used(nonce, asked, flow):
            yield Violation("auts: the nonce was good for another registration", "no auts", "Authorization")


def _used(nonce: str | None, asked: SipEntry, flow: Flow) -> bool:
    """A registration was accepted over the nonce before it was given in this challenge."""
    return any(
        known.response.place < asked.place
        and any(nonce == item.parameters.get("nonce") for item in _given(known.transaction.request.sip))
        for known in flow.assembly.registrations
    )


def _over_no_password(answer: Credentials, entry: SipEntry) -> str | None:
    """The response RFC 3310 3.4 asks for; None when its algorithm or qop is unknown."""
    given = {name: answer.parameters.get(name) or "" for name in answer.parameters}
    names = ("algorithm", "username", "realm", "uri", "nonce", "nc", "cnonce")
    algorithm, username, realm, uri, nonce, count, client = (given.get(name, "") for name in names)
    return reading(
        lambda: digest_response(
            algorithm,
            username,
            realm,
            b"",
            entry.method,
            uri,
            nonce,
            qop=given.get("qop"),
            nc=count,
            cnonce=client,
            body=entry.sip.body,
        )
    )


@rule(
    "reg.digest-alternative",
    on=Kind.RESPONSE,
    methods=("REGISTER",),
    after=TRANSACTION_TIMEOUT,
    receiver=True,
)
def answers_digest(entry: SipEntry, flow: Flow) -> Outcomes:
    message = entry.sip
    challenges = (reading(lambda: message.challenges) or []) if entry.status == 401 else []
    schemes = [item for item in challenges if item.scheme.lower() == "digest"]
    if entry.transport is not Transport.TLS or not schemes or _aka_challenges(entry):
        return
    yield APPLIES
    if entry.transaction is not None and entry.transaction.retried_by is None:
        yield Violation("the REGISTER again, with an answer by Digest", "none")


def _asked(entry: SipEntry) -> SipEntry | None:
    """The response that the request repeats another one after."""
    before = entry.transaction.retry_of if entry.transaction else None
    return before.final if before else None


def _given(message: Request | Response) -> list[Credentials]:
    """Credentials over a nonce."""
    return [item for item in reading(lambda: message.credentials) or [] if item.parameters.get("nonce")]


def _aka_challenges(entry: SipEntry) -> list[Challenge]:
    message = entry.response
    found = reading(lambda: message.challenges) if message is not None and entry.status == 401 else None
    return [item for item in found or [] if (item.parameters.get("algorithm") or "").lower().startswith(_AKA)]


def _answer_faults(challenge: Challenge, answer: Credentials) -> Outcomes:
    for name in ("realm", "nonce", "opaque", "algorithm"):
        asked, given = challenge.parameters.get(name), answer.parameters.get(name)
        if asked is not None and not _same(name, asked, given):
            yield Violation(
                f"{name} of the challenge", "none" if given is None else shown(given), "Authorization"
            )
    offered = {choice.strip().lower() for choice in (challenge.parameters.get("qop") or "").split(",")} - {""}
    chosen = answer.parameters.get("qop")
    if offered and (chosen is None or chosen.lower() not in offered):
        yield Violation(f"qop, one of {', '.join(sorted(offered))}", chosen or "none", "Authorization")
    response, auts = answer.parameters.get("response"), answer.parameters.get("auts")
    if response is None:
        yield Violation("a response", "none", "Authorization")
    if auts is not None:
        decoded = _decoded(auts)
        if decoded is None or len(decoded) != 14:
            actual = "no base64" if decoded is None else f"{len(decoded)} octets"
            yield Violation("auts of 14 octets in base64", actual, "Authorization")
        if response == "":
            yield Violation(
                "a response over an empty password beside auts", "an empty response", "Authorization"
            )


def _same(name: str, asked: str, given: str | None) -> bool:
    if given is None:
        return False
    return asked.lower() == given.lower() if name == "algorithm" else asked == given


def _decoded(text: str) -> bytes | None:
    """Base64 with whatever padding (the examples of RFC 3310 have too much)."""
    bare = text.strip().rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None

"""Standalone messages beside the plain text: stored, short-lived, SMS over IP, a location, a revocation."""

from __future__ import annotations

from collections.abc import Callable

from harness.verify.proof.flows.sip import pager_mo, pager_mt, register
from harness.verify.proof.imdn_changes import MO_ID, rewritten
from harness.verify.proof.messages import FAR, ICSI, UE, answer, mo_message, text_body
from harness.verify.proof.script import Script

LOCATION = (
    '<?xml version="1.0" encoding="UTF-8"?>\r\n'
    '<rcsenvelope xmlns="urn:gsma:params:xml:ns:rcs:rcs:geolocation" entity="tel:+491700000001">'
    '<rcspushlocation id="a123" label="here"><timestamp>2023-11-14T22:13:20Z</timestamp></rcspushlocation>'
    "</rcsenvelope>"
)
REVOCATION = (
    '<?xml version="1.0" encoding="UTF-8"?>\r\n'
    f'<revoke xmlns="urn:gsma:params:xml:ns:rcs:rcs:rcsrevoke"><id>{MO_ID}</id></revoke>'
)
LOCATION_TYPE = "application/vnd.gsma.rcspushlocation+xml"
REVOKE_TYPE = "application/vnd.gsma.rcsrevoke+xml"
PLAIN = "text/plain;charset=UTF-8"


def pager_stored() -> Script:
    """As pager_mo, but the network stores the text: 202 (RFC 3428 7)."""
    return pager_mo().sub(1, "200 OK", "202 Accepted")


def pager_expiring() -> Script:
    """As pager_mo, but its text is of use for an hour alone (RFC 3428 4)."""
    return pager_mo().line(0, "Expires: 3600", "Date: Tue, 14 Nov 2023 22:13:20 GMT")


def sms_over_ip() -> Script:
    """An SMS in a MESSAGE (TS 24.341), which names no service of CPM."""
    script = pager_mo().drop(2, 3, 4, 5)
    script.sub(0, "Content-Type: message/cpim", "Content-Type: application/vnd.3gpp.sms")
    for name in ("P-Preferred-Service", "Accept-Contact", "Conversation-ID", "Contribution-ID"):
        script.without(0, name)
    for name in ("Conversation-ID", "Contribution-ID"):
        script.without(1, name)
    return script.body(0, "\x01\x02\x03\x04")


def registered_pager_mt() -> Script:
    """register, then pager_mt: steps 8 to 13."""
    return Script([*register().steps, *pager_mt().steps])


def location_mo() -> Script:
    """The handset pushes a location: as pager_mo with another content."""
    script = rewritten(pager_mo(), 0, PLAIN, LOCATION_TYPE)
    return rewritten(script, 0, "hello, world", LOCATION)


def revoked_mo() -> Script:
    """A handset that registered for it revokes its text, 14: register, pager_mo, then MESSAGE and 200."""
    tags = f'{ICSI}msg,{ICSI}session"'
    script = register().everywhere(tags, f"{tags};+g.gsma.rcs.msgrevoke", 0, 2)
    body = text_body(UE, FAR, "Rev1aB2cD3eF4gH5iJ6k")
    revocation = mo_message("v", "0b0f8f6e-1111-4aaa-8bbb-00000000001c", body)
    ask = "imdn.Disposition-Notification: positive-delivery, display\r\n"
    sent = Script([revocation]).sub(0, ask, "")
    rewritten(rewritten(sent, 0, PLAIN, REVOKE_TYPE), 0, "hello, world", REVOCATION)
    script.steps += [*pager_mo().steps, *sent.steps, answer(sent.steps[0], "200 OK", "netv1")]
    return script


STANDALONE_FLOWS: dict[str, Callable[[], Script]] = {
    "pager_stored": pager_stored,
    "pager_expiring": pager_expiring,
    "sms_over_ip": sms_over_ip,
    "registered_pager_mt": registered_pager_mt,
    "location_mo": location_mo,
    "revoked_mo": revoked_mo,
}

"""Group chats: what is legal beside the flows."""

from __future__ import annotations

from harness.evidence.timeline import Address, Packet, Timeline
from harness.verify.engine import Verifier, VerifySettings
from harness.verify.proof.flows.group import adhoc, document, notify
from harness.verify.proof.messages import answer
from harness.verify.proof.mutants.group_chat import many
from tests.harness.verify.judging import found, rules_of


def judged_as(script):
    return set(rules_of(found(script)))


def test_as_many_recipients_as_the_configuration_allows():
    verifier = Verifier(settings=VerifySettings(group_limit=10_000))
    assert verifier.judge(many(adhoc()).timeline()) == []


def test_the_version_of_a_full_document_may_jump_and_may_stay_where_nothing_changed():
    assert judged_as(adhoc().body(8, document(7, "full"))) == set()
    assert judged_as(adhoc().body(8, document(1, "full"))) == set()


def test_a_new_subscription_counts_anew():
    script = adhoc().sub(8, "active;expires=600", "terminated;reason=timeout")
    third = notify(3, document(1, "full"))
    script.steps += [third, answer(third, "200 OK", "")]
    assert {rule for rule, _ in judged_as(script)} <= {"sip.481.unknown-dialog"}


def test_a_notify_without_a_body_says_nothing():
    assert judged_as(adhoc().body(8, "").without(8, "Content-Type")) == set()


def test_a_subscription_goes_on_over_another_connection_of_the_notifier():
    """A NOTIFY above 1300 octets goes over TCP from a port of its own, the next one over UDP."""
    timeline = Timeline(clock=lambda: 0.0)
    for entry in adhoc().timeline():
        if not isinstance(entry, Packet):
            continue
        first = b"CSeq: 1 NOTIFY" in entry.data and entry.data.startswith(b"NOTIFY")
        source = Address(entry.source.host, 40001) if first else entry.source
        timeline.packet(
            entry.layer, entry.transport, source, entry.destination, entry.data, connection=1, at=entry.time
        )
    verifier = Verifier("rcs51")
    verifier.judge(timeline)
    assert "session.group.notify" not in {finding.rule for finding in verifier.findings}

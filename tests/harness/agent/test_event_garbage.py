"""Whatever comes as SUBSCRIBE, NOTIFY or REFER is answered once, or cannot be read."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from harness.agent.events.notifier import Admission, EventNotifier, Subscription
from harness.agent.events.references import Reference, ReferenceTaker
from harness.agent.events.subscriber import EventSubscriber, Wish
from harness.agent.sip.agent import Incoming
from harness.errors import SipSyntaxError
from harness.evidence.timeline import Address, Transport
from harness.sip.event_packages import REG
from harness.sip.message import Request, build_response, parse_message
from harness.sip.subscription import Ended
from tests.harness.agent.conftest import ManualClock

HERE = Address("127.0.0.1", 5060)


class Topic:
    package = REG

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def admit(self, incoming: Incoming) -> Admission:
        return self.lab.admission(incoming)

    def document(self, subscription: Subscription) -> bytes:
        return b""

    def subscribed(self, subscription: Subscription, expires: int) -> None:
        pass

    def ended(self, subscription: Subscription, why: Ended) -> None:
        pass


class Lab:
    """Both ends of subscriptions, and REFER, on nothing: what is sent goes nowhere."""

    def __init__(self) -> None:
        clock = ManualClock()
        self.answers: list[int] = []
        self.asked: list[Request] = []
        self.notifier = EventNotifier(self.respond, self.spawn, clock, lambda: clock.now)
        self.notifier.add(Topic(self))
        self.taker = ReferenceTaker(self.notifier, self.respond, self.admission, lambda *_: None, self.follow)
        self.subscriber = EventSubscriber(self.respond, self.spawn, clock, lambda: clock.now)
        self.subscription = self.subscriber.subscribe(
            Wish(
                REG, "sip:a@h", "<sip:a@h>", "<sip:a@h>", "<sip:a@h>", "h",
                send=self.send, on_notify=lambda *_: None, on_end=lambda _: None,
            )
        )  # fmt: skip

    def respond(
        self, incoming: Incoming, status: int, headers: Any = (), *, reason: Any = None, to_tag: Any = None
    ) -> None:
        build_response(incoming.message, status, reason, headers, to_tag=to_tag or "ours")
        self.answers.append(status)

    def admission(self, incoming: Incoming) -> Admission:
        return Admission("resource", "<sip:ours@h>", self.send)

    def follow(self, reference: Reference) -> None:
        reference.progress(200)

    async def send(self, make: Any) -> Any:
        self.asked.append(make("SIP/2.0/UDP h;branch=z9hG4bKx"))
        raise SipSyntaxError("nothing", "", 0, "sent in this test")

    def spawn(self, work: Any, what: str) -> None:
        try:
            work.send(None)
        except (StopIteration, SipSyntaxError):
            return
        raise AssertionError(f"{what} waits")

    def receive(self, request: Request) -> None:
        incoming = Incoming(request, Transport.UDP, HERE, HERE, None)
        {
            "SUBSCRIBE": self.notifier.on_subscribe,
            "NOTIFY": self.subscriber.on_notify,
            "REFER": self.taker.on_refer,
        }[request.method](incoming)


NAMES = [
    "From", "To", "Call-ID", "CSeq", "Contact", "Record-Route", "Event", "Expires", "Accept",
    "Subscription-State", "Refer-To", "Refer-Sub", "Referred-By", "Min-Expires",
]  # fmt: skip
GOOD = {
    "From": "<sip:a@h>;tag=1",
    "To": "<sip:b@h>",
    "Call-ID": "c@h",
    "CSeq": "1 {method}",
    "Contact": "<sip:c@h>",
    "Event": "reg",
    "Subscription-State": "active;expires=60",
    "Refer-To": "<sip:d@h>",
    "Via": "SIP/2.0/UDP h;branch=z9hG4bKa",
}
VALUES = st.sampled_from(
    ["", "*", "reg", "refer;id=1", "refer", "tel:+1", "<tel:+1>", "<sip:a@h>;tag=2", "<sip:[::1]:0?a=b>", "0",
     "1", "4294967295", "99999999999", "terminated;reason=probation", "pending", "false", "a;b=c", "<", '"',
     "application/reginfo+xml;q=0", "<sip:d@h;method=%00>", "<sip:d@h?body=%ff%0d%0a&a=%0d%0ab>", "\u00e9"]
) | st.text(max_size=12)  # fmt: skip


@given(
    st.sampled_from(["SUBSCRIBE", "NOTIFY", "REFER"]),
    st.dictionaries(st.sampled_from(NAMES), st.none() | VALUES, max_size=4),
    st.booleans(),
)
@example("REFER", {"Refer-To": "<sip:d@h?body=%ff%0d%0a&a=%0d%0ab>"}, False)
@example("NOTIFY", {"Contact": "<tel:+1>"}, True)
def test_whatever_comes_is_answered_once_or_cannot_be_read(
    method: str, changes: dict[str, str | None], ours: bool
) -> None:
    lab = Lab()
    rows = {name: value.format(method=method) for name, value in GOOD.items()}
    if ours:
        rows["Call-ID"], rows["To"] = lab.subscription.call_id, f"<sip:a@h>;tag={lab.subscription.local_tag}"
    rows |= {name: value for name, value in changes.items() if value is not None}
    lines = [f"{name}: {value}" for name, value in rows.items() if changes.get(name, "") is not None]
    try:
        request = parse_message("\r\n".join([f"{method} sip:b@h SIP/2.0", *lines, "", ""]).encode())
        assert isinstance(request, Request)
        lab.receive(request)
    except SipSyntaxError:
        assert not lab.answers  # whoever hands it in answers 400
        return
    assert len(lab.answers) == 1

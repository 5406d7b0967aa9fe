"""Whatever comes in or outside a dialog, in whatever order: the user agent answers or drops it, and lives."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random

import pytest

from harness.agent.session.user import Content
from harness.sip.message import Request, Response
from tests.harness.agent.session_bench import ANSWER, FAR, NEAR, OFFER, Bench, User, session_bench

pytestmark = pytest.mark.filterwarnings(
    "error::RuntimeWarning", "error::pytest.PytestUnraisableExceptionWarning"
)

METHODS = (
    *("INVITE", "INVITE", "ACK", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE", "UPDATE", "INFO", "OPTIONS"),
    *("REFER", "NOTIFY", "SUBSCRIBE", "MESSAGE", "PUBLISH", "FOO"),
)
HEADERS = (
    *(
        "RAck: 1 1 INVITE",
        "RAck: x",
        "RAck: 1 2",
        "RSeq: 1",
        "RSeq: 0",
        "RSeq: 99999999999",
        "Require: 100rel",
    ),
    *("Require: 100rel, timer", "Require: a/b", "Require: ", "Supported: 100rel,timer", "Supported: timer"),
    *("Session-Expires: 90;refresher=uac", "Session-Expires: 90;refresher=x", "Session-Expires: 0"),
    *(
        "Session-Expires: 4294967295",
        "x: 1800",
        "x: ",
        "Min-SE: 3600",
        "Min-SE: -1",
        "Expires: 0",
        "Expires: x",
    ),
    *("Contact: *", "Contact: <sip:", "Contact: <tel:1>", "Contact: <sip:far@192.0.2.1?a=b>", "m: ,,"),
    *("Record-Route: <sip:p;lr>, <sip:q>", "Record-Route: garbage <", "Route: <sip:x;lr>", "Allow: UPDATE"),
    *("Allow: ", "Retry-After: 1", "Content-Disposition: session", "Content-Disposition: ;", "Reason: x"),
)
BODIES = (None, None, OFFER, ANSWER, Content("text/plain", b"x"), Content("multipart/mixed", b"\xff\x00"))
STATUSES = (
    "100 T",
    "180 R",
    "183 P",
    "199 E",
    "200 OK",
    "202 A",
    "302 M",
    "401 U",
    "404 N",
    "408 T",
    "422 I",
)
LATER = ("481 N", "487 T", "488 N", "491 P", "500 E", "503 S", "600 B", "699 ?")


class Chaos:
    """A far end that sends anything; what it sends depends on the seed alone.

    dialogs: Call-ID and the user agent's From or To of those it knows of.
    """

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench, self.random = bench, random.Random(seed)
        self.branches = ["z9hG4bKfirst"]
        self.dialogs: list[tuple[str, str]] = []
        self.count = 0

    def headers(self) -> list[str]:
        return self.random.sample(HEADERS, self.random.choice((0, 0, 0, 1, 2, 4)))

    def begin(self) -> None:
        """A proper INVITE, and one of ours."""
        self.count += 1
        call_id = f"theirs-{self.count}"
        self.bench.far.request("INVITE", 1, "Supported: 100rel", body=OFFER, call_id=call_id)
        self.bench.ua.invite(
            self.bench.invitation(call_id=f"ours-{self.count}"), user=User(self.random.choice((ANSWER, None)))
        )

    def request(self) -> None:
        pick, headers = self.random, self.headers()
        again = pick.random() < 0.1
        call_id, to = pick.choice([*self.dialogs[-4:], ("call-1", NEAR), ("call-2", f"{NEAR};tag=unknown")])
        branch = self.bench.far.request(
            pick.choice(METHODS),
            pick.choice((1, 1, 2, 3, 4, 5, 6, 9)),
            *headers,
            to=to,
            from_=f"{FAR};tag={pick.choice(('far', 'far', 'far', 'fork'))}",
            body=pick.choice(BODIES),
            branch=pick.choice(self.branches[-9:]) if again else "",
            contact=not any(row.startswith(("Contact", "m:")) for row in headers),
            call_id=call_id,
        )
        self.branches.append(branch)

    async def answers(self) -> None:
        """Answer most of what the user agent sent; learn its dialogs."""
        while not self.bench.far.messages.empty():
            message = self.bench.far.messages.get_nowait()
            if not isinstance(message, Request):
                if message.cseq.method == "INVITE" and 100 < message.status < 300:
                    self.learn(message.call_id, message.get("To") or "")
                    self.acknowledge(message)
            elif message.method != "ACK" and self.random.random() < 0.8:
                self.answer(message)

    def acknowledge(self, message: Response) -> None:
        rows = [f"RAck: {message.get('RSeq')} 1 INVITE"] if "RSeq" in message else []
        if self.random.random() < 0.7:
            self.bench.far.request(
                "PRACK" if rows else "ACK",
                2 if rows else 1,
                *rows,
                to=message.get("To") or "",
                call_id=message.call_id,
            )

    def answer(self, request: Request) -> None:
        good = self.random.random() < 0.6
        status = "200 OK" if good else self.random.choice(STATUSES + LATER)
        rows = ["Session-Expires: 90;refresher=uac", "Allow: UPDATE"] if good else self.headers()
        tag = self.random.choice(("far", "far", "far", "fork", "", 'a";b'))
        self.bench.far.answer(request, status, *rows, tag=tag, body=self.random.choice(BODIES))
        if good and request.method == "INVITE":
            self.learn(request.call_id, request.get("From") or "")

    def learn(self, call_id: str, near: str) -> None:
        if (call_id, near) not in self.dialogs:
            self.dialogs.append((call_id, near))

    async def act(self) -> None:
        """What our side does by itself meanwhile: nothing here may raise but our own errors."""
        invites = self.bench.invites
        if not invites.empty():
            invite = invites.get_nowait()
            invite.session.user = User(self.random.choice((ANSWER, None)))
            work = self.random.choice(
                (
                    lambda: invite.accept(ANSWER),
                    lambda: invite.ring(183, ANSWER, reliable=True),
                    lambda: invite.ring(),
                    lambda: invite.reject(486),
                )
            )()
            if work is not None:
                self.bench.ua.context.spawn(work, "answer")
        for session in self.bench.ua.sessions:
            deed = self.random.random()
            if deed < 0.05:
                self.bench.ua.context.spawn(session.reinvite(OFFER), "re-INVITE")
            elif deed < 0.1:
                self.bench.ua.context.spawn(session.update(), "UPDATE")
            elif deed < 0.12 and not session.dialog.called:
                self.bench.ua.context.spawn(session.bye(), "BYE")


async def alive(bench: Bench) -> None:
    """A proper request is answered. It may have to come again: the kernel drops what nobody has read yet."""
    for attempt in range(20):
        bench.far.request("OPTIONS", 1, call_id=f"alive-{attempt}")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.25):
                while not (await bench.far.messages.get()).call_id.startswith("alive"):
                    pass
                return
    raise AssertionError("the user agent does not answer any more")


@pytest.mark.parametrize("seed", range(12))
def test_chaos(in_loop, caplog: pytest.LogCaptureFixture, seed: int) -> None:
    async def scenario() -> None:
        async with session_bench() as bench:
            chaos = Chaos(bench, seed)
            for step in range(200):
                if step % 10 == 0:
                    chaos.begin()
                chaos.request()
                for _ in range(3):
                    await asyncio.sleep(0)
                await chaos.act()
                await chaos.answers()
                if step % 20 == 5:
                    bench.clock.advance(chaos.random.choice((0.1, 0.5, 4.0, 33.0, 60.0)))
            bench.clock.advance(64)
            await alive(bench)

    with caplog.at_level(logging.ERROR):
        in_loop(scenario())
    assert [record.getMessage() for record in caplog.records] == []

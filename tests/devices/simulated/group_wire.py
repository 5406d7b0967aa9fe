"""The focus of one group as literal SIP and MSRP, for tests of the simulated RCS client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.devices.simulated.msrp_wire import FarMsrp

FOCUS = "sip:focus-17@ims.example"
BOB, CAROL = "+12025550112", "+12025550113"
BOB_URI, CAROL_URI = (f"sip:{number}@ims.example;user=phone" for number in (BOB, CAROL))


def user(uri: str, status: str, more: str = "") -> str:
    """A user of a document, whole."""
    return f'<user entity="{uri}"><endpoint entity="{uri}"><status>{status}</status>{more}</endpoint></user>'


def state(version: int, *users: str, kind: str = "full", subject: str = "") -> str:
    """A conference document (RFC 4575 5)."""
    described = f"<conference-description><subject>{subject}</subject></conference-description>"
    partial = ' state="partial"' if kind == "partial" else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="{FOCUS}" state="{kind}" '
        f'version="{version}">{described if kind == "full" else ""}<users{partial}>{"".join(users)}</users>'
        "</conference-info>"
    )


class Focus:
    """What it says in SIP and MSRP."""

    def __init__(self, rig: Any, tools: Any) -> None:
        self.rig, self.network, self.tools = rig, rig.network, tools
        self.msrp = FarMsrp()
        self.theirs: dict[str, Any] = {}
        self.watch: Any = None
        self._cseq = 100

    # -- sessions

    async def accept(self, invite: Any = None) -> Any:
        """200 to their INVITE, the MSRP session, and the SUBSCRIBE is answered; the INVITE."""
        invite = invite or await self.network.receive("INVITE")
        headers = (
            f"Contact: <{FOCUS}>;isfocus",
            f"Record-Route: <sip:127.0.0.1:{self.network.port};lr>",
            "Allow: INVITE, ACK, CANCEL, BYE, UPDATE, REFER",
            "Content-Type: application/sdp",
        )
        self.network.answer(invite, "200 OK", *headers, body=self.msrp.sdp("passive"))
        self.theirs = {
            "call_id": invite.header("Call-ID"),
            "sender": f"<{FOCUS}>;tag=net",
            "to": f"<{self.tools.OWN}>;tag={invite.tag}",
        }
        assert (await self.network.receive("ACK")).start == f"ACK {FOCUS} SIP/2.0"
        await self.begun()
        return invite

    async def begun(self) -> None:
        """A SEND without content, and SUBSCRIBE."""
        assert (await self.msrp.receive()).header("Byte-Range") == "1-0/0"
        self.watch = await self.network.receive("SUBSCRIBE")
        self.network.answer(
            self.watch, "200 OK", "Expires: 3600", f"Contact: <sip:watch@127.0.0.1:{self.network.port}>"
        )
        await self.tools.settled()

    def call(self, *extra: str, sdp: str = "", call_id: str = "far-1", conversation: str = "conv-1") -> None:
        """An INVITE of the focus for somebody."""
        text = self.network.invite(
            self.rig.contact,
            sdp or self.msrp.sdp("actpass"),
            "oma.cpm.session.group",
            "Subject: Lunch",
            f"Referred-By: <{BOB_URI}>",
            *extra,
            call_id=call_id,
            sender=f"<{FOCUS}>;tag=net",
        )
        text = text.replace(
            f"Contact: <sip:far@127.0.0.1:{self.network.port}>", f"Contact: <{FOCUS}>;isfocus"
        )
        self.network.send(self.rig.contact, text.replace("conv-1", conversation))

    async def taken(self) -> Any:
        """Their 200 to the INVITE, and the session is there."""
        answer = await self.network.receive("SIP/2.0")
        assert answer.status == 200, answer
        self.theirs = {
            "call_id": answer.header("Call-ID"),
            "sender": f"<{FOCUS}>;tag=net",
            "to": answer.header("To"),
        }
        ack = self.network.request("ACK", self.rig.contact, cseq=answer.cseq, **self.theirs)
        self.network.send(self.rig.contact, ack)
        await self.begun()
        return answer

    async def hang_up(self, *extra: str) -> None:
        """BYE; what else they send then is left in the inbox."""
        self._cseq += 1
        bye = await self.network.ask("BYE", self.rig.contact, *extra, cseq=self._cseq, **self.theirs)
        assert bye.status == 200
        await self.tools.settled()

    async def notify(self, document: str, how: str = "active;expires=3600") -> None:
        """A NOTIFY in the subscription, which they answer with 200."""
        self._cseq += 1
        answer = await self.network.ask(
            "NOTIFY",
            self.rig.contact,
            "Event: conference",
            f"Subscription-State: {how}",
            f"Contact: <sip:watch@127.0.0.1:{self.network.port}>",
            *(["Content-Type: application/conference-info+xml"] if document else []),
            body=document,
            call_id=self.watch.header("Call-ID"),
            sender=f"<{FOCUS}>;tag=net",
            to=f"<{self.tools.OWN}>;tag={self.watch.tag}",
            cseq=self._cseq,
        )
        assert answer.status == 200
        await self.tools.settled()

    # -- messages

    def cpim(
        self,
        text: str,
        message_id: str = "mid-1",
        sender: str = BOB_URI,
        to: str = FOCUS,
        disposition: str | None = "positive-delivery, display",
        inner: str = "text/plain;charset=UTF-8",
    ) -> str:
        """A message of a member."""
        lines = [f"From: <{sender}>", f"To: <{to}>", "DateTime: 2015-02-17T06:54:27Z"]
        lines += ["NS: imdn <urn:ietf:params:imdn>", f"imdn.Message-ID: {message_id}"]
        lines += [f"imdn.Disposition-Notification: {disposition}"] if disposition else []
        lines += ["", f"Content-Type: {inner}", f"Content-Length: {len(text.encode())}", "", text]
        return "\r\n".join(lines)

    def imdn(self, message_id: str, status: str, sender: str = BOB_URI) -> str:
        """A notification of a member."""
        kind = {"delivered": "delivery", "displayed": "display"}[status]
        xml = (
            f'<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>{message_id}</message-id>'
            f"<datetime>2015-02-17T06:54:27Z</datetime><{kind}-notification><status><{status}/></status>"
            f"</{kind}-notification></imdn>"
        )
        return self.cpim(xml, f"own-{status}", sender, self.tools.OWN, None, "message/imdn+xml")

    # -- what the user sees

    @property
    def conversation(self) -> Any:
        """The only group of the app."""
        (found,) = [each for each in self.rig.app.conversations.values() if each.group is not None]
        return found

    @property
    def notes(self) -> list[str]:
        """The lines of the app itself."""
        return [message.text for message in self.conversation.messages if message.note]

    @property
    def statuses(self) -> list[Any]:
        """What stands under the texts of the user."""
        return [message.status for message in self.conversation.messages if message.outgoing]

    def write(self, text: str) -> None:
        """The user writes to the group."""
        self.rig.app.open_conversation(self.conversation.key, text)
        self.rig.app.press_send()


@asynccontextmanager
async def grouping(tools: Any, **options: Any) -> AsyncIterator[tuple[Any, Focus]]:
    """A registered client and a focus that listens."""
    async with tools.rig(**options) as rig:
        await rig.register()
        focus = Focus(rig, tools)
        await focus.msrp.listen()
        try:
            yield rig, focus
        finally:
            focus.msrp.close()

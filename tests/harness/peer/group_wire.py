"""A handset in a group, made of sockets and wire text: what it writes to a focus, and reads of it."""

from __future__ import annotations

import re
from typing import Any

from tests.harness.peer.msrp_handset import ICSI, IDS, MsrpClient, follow, path_of, sdp

FACTORY = "sip:conference-factory@ims.example"
BOB, CAROL = "sip:+491700000002@ims.example;user=phone", "sip:+491700000003@ims.example;user=phone"
GROUP_SERVICE = f"{ICSI}oma.cpm.session.group"
OWN_PATH = "msrp://127.0.0.1:9/ue1;tcp"


def resource_list(*uris: str) -> str:
    """A list as RFC 5366 4 shows it."""
    entries = "".join(f'<entry uri="{uri}" cp:copyControl="to"/>' for uri in uris)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\r\n'
        '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"'
        f' xmlns:cp="urn:ietf:params:xml:ns:copycontrol"><list>{entries}</list></resource-lists>'
    )


def mixed(recipients: str, *, kind: str = "application/resource-lists+xml") -> str:
    """SDP and a recipient list."""
    offer = sdp(OWN_PATH, "active", wrapped="text/plain message/imdn+xml application/im-iscomposing+xml")
    return (
        f"--b1\r\nContent-Type: application/sdp\r\n\r\n{offer}\r\n"
        f"--b1\r\nContent-Type: {kind}\r\nContent-Disposition: recipient-list\r\n\r\n"
        f"{recipients}\r\n--b1--\r\n"
    )


class Member:
    """The handset in one group."""

    def __init__(self, bench: Any, invite: Any) -> None:
        self.bench, self._invite = bench, invite
        self.handset = bench.handset()
        self.cseq = 100
        self.accepted: Any = None
        self.msrp: Any = None
        self.notifies: list[Any] = []

    def found(self, *uris: str, recipients: str | None = None, **options: Any) -> Any:
        """INVITE to the factory with a list; what came first."""
        self.accepted = self._invite(
            self.handset,
            *IDS,
            "Require: recipient-list-invite",
            "Subject: Trip",
            uri=options.pop("uri", FACTORY),
            body=mixed(resource_list(*uris) if recipients is None else recipients),
            kind="multipart/mixed;boundary=b1",
            service=GROUP_SERVICE,
            **options,
        )
        return self.accepted

    def join(self, uri: str, **options: Any) -> Any:
        """INVITE without a list."""
        self.accepted = self._invite(self.handset, *IDS, uri=uri, service=GROUP_SERVICE, **options)
        return self.accepted

    def go_in(self) -> None:
        """ACK, the MSRP connection, and a SEND without content."""
        follow(self.handset, self.accepted, "ACK", 1)
        self.msrp = MsrpClient(OWN_PATH, path_of(self.accepted))
        assert self.msrp.send() == "MSRP uesend1 200 OK"

    @property
    def focus(self) -> str:
        """Its URI."""
        return re.search("<(.*?)>", self.accepted.header("Contact"))[1]  # type: ignore[index]

    def subscribe(self) -> Any:
        """SUBSCRIBE to the conference; the first NOTIFY."""
        answer = self.handset.ask(
            "SUBSCRIBE",
            self.focus,
            "Event: conference",
            "Accept: application/conference-info+xml",
            "Expires: 3600",
            f"Contact: <{self.handset.contact}>",
            to=self.focus,
            call_id="watch-1",
            cseq=1,
        )
        assert answer.status == 200
        return self.notified()

    def notified(self) -> Any:
        """The next NOTIFY, which is answered."""
        notify = self.handset.receive()
        assert notify.start.startswith("NOTIFY ")
        self.handset.answer(notify)
        return notify

    def refer(self, *rows: str, body: str = "", to: str | None = None, call_id: str = "refer-1") -> Any:
        """A REFER outside of the dialog; what came first."""
        return self.handset.ask(
            "REFER", to or self.focus, f"Contact: <{self.handset.contact}>", *rows, to=to or self.focus,
            call_id=call_id, body=body, cseq=1,
        )  # fmt: skip

    def hang_up(self) -> Any:
        self.cseq += 1
        follow(self.handset, self.accepted, "BYE", self.cseq, 'Reason: SIP;cause=200;text="Call completed"')
        return self.handset.receive()


def users(notify: Any) -> dict[str, str]:
    """Users of a conference document and their status."""
    return dict(re.findall(r'<user entity="(.*?)".*?<status>(.*?)</status>', notify.body))


def document(notify: Any) -> tuple[str, str]:
    """State and version of a conference document."""
    found = re.search(r'<conference-info [^>]*state="(\w+)" version="(\d+)"', notify.body)
    assert found is not None, notify
    return found[1], found[2]

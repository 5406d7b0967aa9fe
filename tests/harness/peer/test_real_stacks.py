"""What real stacks do: short header names, no Content-Length over UDP, odd parameters in Via."""

from __future__ import annotations

import re
from typing import Any

import pytest

SHORT = {
    "Via": "v", "From": "f", "To": "t", "Call-ID": "i", "Contact": "m", "Content-Type": "c",
    "Content-Length": "l", "Supported": "k", "Accept-Contact": "a",
}  # fmt: skip


def shortened(text: str) -> str:
    """The request with every header that has a short name under it, and no space after the colon."""
    head, _, body = text.partition("\r\n\r\n")
    for name, short in SHORT.items():
        head = re.sub(rf"(?m)^{name}: ", f"{short}:", head)
    return f"{head}\r\n\r\n{body}"


@pytest.mark.parametrize("stream", [False, True])
def test_short_names_do_for_all_headers(bench: Any, stream: bool) -> None:
    peer = bench.start()
    peer.notifications.policy(None, None)
    handset = bench.handset(stream=stream)
    contact = f"Contact: <{handset.contact}>;expires=3600"
    handset.send(shortened(handset.request("REGISTER", "sip:ims.example", contact, "Supported: path")))
    answer = handset.receive()
    assert (answer.status, len(peer.registrar.all_bindings())) == (200, 1)
    handset.send(shortened(handset.text("in short")))
    assert handset.receive().status == 200
    assert bench.call(peer.pager.wait_message("in short", timeout=5)).accepted


def test_without_content_length_the_body_is_the_rest_of_the_datagram(bench: Any) -> None:
    """RFC 3261 18.3."""
    peer = bench.start()
    peer.notifications.policy(None, None)
    handset = bench.handset()
    head, _, body = handset.text("to the end").partition("\r\n\r\n")
    handset.send(re.sub(r"\r\nContent-Length: \d+", "", head) + "\r\n\r\n" + body)
    assert handset.receive().status == 200
    message = bench.call(peer.pager.wait_message("to the end", timeout=5))
    assert "Content-Length" not in message.request
    assert message.request.body.decode() == body


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "parameter", ["transport=udp", "transport=TCP", "Transport=tls;alias", 'keep;x="a;b"']
)
def test_foreign_parameters_of_via_come_back_as_they_went(bench: Any, parameter: str, stream: bool) -> None:
    """They neither move the answer nor are lost on it (RFC 3261 8.2.6.2, 18.2.2)."""
    bench.start()
    handset = bench.handset(stream=stream)
    plain = handset.request("OPTIONS", "sip:ims.example")
    request = re.sub(r"(?m)^(Via: [^;\r]+)", rf"\1;{parameter}", plain)
    assert parameter in request
    handset.send(request)
    answer = handset.receive()
    assert answer.status == 200
    assert f";{parameter};" in (answer.header("Via") or "")

"""Files sent as links: one slip, one finding; the document is hand-written."""

from __future__ import annotations

import pytest

from harness.verify.engine import Verifier
from harness.verify.proof.flows.sip import pager_mo, pager_mt
from harness.verify.proof.messages import FAR, UE
from harness.verify.proof.script import crlf

LINK = (
    '<?xml version="1.0" encoding="UTF-8"?>\r\n<file xmlns="urn:gsma:params:xml:ns:rcs:rcs:fthttp" '
    'xmlns:e="urn:gsma:params:xml:ns:rcs:rcs:up:fthttpext">'
    '<file-info type="thumbnail"><file-size>7427</file-size><content-type>image/jpeg</content-type>'
    '<data url="https://ft.example.org/t" until="2023-12-14T22:13:20Z"/></file-info>'
    '<file-info type="file"><file-size>183524</file-size><file-name>a.jpg</file-name>'
    "<content-type>image/jpeg</content-type>"
    '<data url="https://ft.example.org/f" until="2023-12-14T22:13:20Z"/>'
    "<e:branded-url>https://x.example.org/f</e:branded-url></file-info></file>"
)


def sent(document: str, *, handset: bool = True):
    script = (pager_mo() if handset else pager_mt()).drop(2, 3, 4, 5)
    sender, recipient = (UE, FAR) if handset else (FAR, UE)
    head = crlf(f"From: <{sender}>", f"To: <{recipient}>", "DateTime: 2023-11-14T22:13:20Z")
    mime = crlf("Content-Type: application/vnd.gsma.rcs-ft-http+xml", f"Content-Length: {len(document)}")
    return script.body(0, f"{head}\r\n{mime}\r\n{document}")


def judged_as(script):
    return {(item.rule, item.party.value) for item in Verifier().judge(script.timeline())}


def test_a_link_as_clients_write_it_gives_nothing():
    assert judged_as(sent(LINK)) == judged_as(sent(LINK, handset=False)) == set()


@pytest.mark.parametrize(
    ("rule", "old", "new"),
    [
        ("ft.http.body", "</file>", ""),
        ("ft.http.body", 'ns:rcs:rcs:fthttp"', 'ns:rcs:fthttp"'),
        ("ft.http.body", 'type="thumbnail"', 'type="file"'),
        ("ft.http.body", 'type="file"', 'type="audio"'),
        ("ft.http.body", 'url="https://ft.example.org/f"', 'href="https://ft.example.org/f"'),
        ("ft.http.body", "<file xmlns=", '<!DOCTYPE file [<!ENTITY a "b">]><file xmlns='),
        ("ft.http.body.optional", "<file-name>a.jpg</file-name>", ""),
        ("ft.http.body.optional", "<file-size>183524</file-size>", ""),
        ("ft.http.until", "https://ft.example.org/f", "http://ft.example.org/f"),
        ("ft.http.until", '/f" until="2023-12-14T22:13:20Z"', '/f" until="tomorrow"'),
        ("ft.http.until", '/f" until="2023-12-14T22:13:20Z"', '/f" until="2023-11-14T22:13:19Z"'),
    ],
)
def test_a_slip_gives_its_finding_alone(rule, old, new):
    assert judged_as(sent(LINK.replace(old, new, 1))) == {(rule, "handset")}
    assert judged_as(sent(LINK.replace(old, new, 1), handset=False)) == {(rule, "network")}

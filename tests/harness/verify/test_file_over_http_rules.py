"""A file over HTTP: its XML names one file, where it is, and until when."""

from __future__ import annotations

import pytest

from tests.harness.verify.conftest import Script, pager_mt
from tests.harness.verify.msrp_changes import found, rules_of

XML = (
    '<?xml version="1.0" encoding="UTF-8"?><file xmlns="urn:gsma:params:xml:ns:rcs:rcs:fthttp">'
    '<file-info type="thumbnail"><file-size>7</file-size><content-type>image/png</content-type>'
    '<data url="https://c.example.org/t" until="2023-11-21T22:13:20Z"/></file-info>'
    '<file-info type="file" file-disposition="render"><file-size>2048</file-size><file-name>a.jpg</file-name>'
    "<content-type>image/jpeg</content-type>"
    '<data url="https://c.example.org/f" until="2023-11-21T22:13:20Z"/></file-info></file>'
)


def script(xml: str) -> Script:
    made = pager_mt()
    body = made.steps[0].text.partition("\r\n\r\n")[2].rpartition("\r\n\r\n")[0]
    head = body.replace("text/plain;charset=UTF-8", "application/vnd.gsma.rcs-ft-http+xml")
    return made.body(0, f"{head.replace('Content-Length: 12', f'Content-Length: {len(xml)}')}\r\n\r\n{xml}")


def test_a_file_that_is_well_described_breaks_no_rule():
    extended = XML.replace("<file-info", '<x:length xmlns:x="urn:x">3</x:length><file-info', 1)
    for xml in (XML, extended, XML.replace("https://c.example.org/f", "HTTPS://c.example.org/f?a=b")):
        assert rules_of(found(script(xml))) == []


@pytest.mark.parametrize(
    ("rule", "old", "new"),
    [
        ("ft.http.body", "</file-info></file>", "</file>"),
        ("ft.http.body", "rcs:rcs:fthttp", "rcs:fthttp"),
        ("ft.http.body", 'type="file"', 'type="thumbnail"'),
        ("ft.http.body", 'type="thumbnail"', 'type="file"'),
        ("ft.http.body", 'url="https://c.example.org/f" ', ""),
        ("ft.http.body.optional", "<file-name>a.jpg</file-name>", ""),
        ("ft.http.body.optional", '/f" until="2023-11-21T22:13:20Z"', '/f"'),
        ("ft.http.until", "https://c.example.org/f", "http://c.example.org/f"),
        ("ft.http.until", '/f" until="2023-11-21T22:13:20Z"', '/f" until="next week"'),
        ("ft.http.until", '/f" until="2023-11-21T22:13:20Z"', '/f" until="2023-11-13T22:13:20Z"'),
    ],
)
def test_a_slip_in_the_description_is_one_finding(rule, old, new):
    assert old in XML
    assert rules_of(found(script(XML.replace(old, new, 1)))) == [(rule, "network")]

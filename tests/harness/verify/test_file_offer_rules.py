"""The SDP of files, large and deferred messages: what is legal beside the flows."""

from __future__ import annotations

import pytest

from harness.verify.proof.flows.media import MEDIA_FLOWS, SELECTOR
from harness.verify.proof.mutants.file_offer import HASH, RANGE, offered_again
from tests.harness.verify.judging import found, rules_of

CPIM = "a=accept-types:message/cpim\r\n"


@pytest.mark.parametrize("selector", [SELECTOR, "file-selector:size:32349"])
def test_an_id_stands_for_one_file_however_much_of_it_is_told(selector):
    verifier = found(offered_again(selector)(MEDIA_FLOWS["push_mo"]()))
    assert [rule for rule, _ in rules_of(verifier) if rule.startswith("ft.id")] == []


LEGAL = [
    ("push_mt", 0, "name:", "x-new:1 name:"),
    ("push_mt", 0, "a=sendonly", "a=file-disposition:RENDER\r\na=sendonly"),
    (
        "push_mt",
        0,
        "a=sendonly",
        'a=file-date:read:"5 May 2006 15:01 +0300" creation:"Mon, 15 May 2006 15:01:31 -0000"\r\na=sendonly',
    ),
    ("push_mt", 2, f" {HASH}", ""),
    ("push_mt", 2, "a=recvonly", "a=inactive"),
    ("push_mt", 2, CPIM, "a=accept-types:message/cpim image/*\r\n"),
    ("push_mo", 3, RANGE, "a=file-range:1-32349\r\na=max-size:20971520\r\n"),
    ("large_mo", 0, "size:2500", "size:2500\r\na=file-transfer-id:vBnG916bdberum2fFEABR1FR3ExZMUrd"),
    ("large_mo", 0, "a=accept-wrapped-types:*", "a=accept-wrapped-types:text/plain"),
]


@pytest.mark.parametrize("row", LEGAL, ids=lambda row: f"{row[0]}-{row[3][:30]!r}")
def test_what_the_documents_allow_gives_nothing(row):
    name, index, old, new = row
    assert rules_of(found(MEDIA_FLOWS[name]().sub(index, old, new))) == []

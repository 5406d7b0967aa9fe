"""The XML of notifications, spoiled one by one (RFC 5438 11.1)."""

from __future__ import annotations

from harness.verify.proof.cpim_changes import in_chat
from harness.verify.proof.imdn_changes import DATETIME, DELIVERED, DISPLAYED, MO_ID, MT_ID, spoiled
from harness.verify.proof.messages import UE
from harness.verify.proof.mutant import HANDSET, NETWORK, Mutant


def told(rule: str, old: str, new: str) -> Mutant:
    """The delivery notification of the network, the last of its flow, with other text."""
    return Mutant(rule, NETWORK, "pager_mo", spoiled(2, (old, new), only=4))


def tells(rule: str, old: str, new: str) -> Mutant:
    """The delivery notification of the handset with other text."""
    return Mutant(rule, HANDSET, "pager_mt", spoiled(2, (old, new)))


DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
MUTANTS = [
    told("imdn.xml.wellformed", "</imdn>", ""),
    told("imdn.xml.wellformed", 'encoding="UTF-8"', 'encoding="ISO-8859-1"'),
    told("imdn.xml.wellformed", "<imdn ", '<!DOCTYPE imdn [<!ENTITY a "aaaaaaaaaa">]><imdn '),
    told("imdn.xml.namespace", "xml:ns:imdn", "xml:ns:imdnx"),
    tells("imdn.xml.namespace", ' xmlns="urn:ietf:params:xml:ns:imdn"', ""),
    told("imdn.xml.message-id", f"<message-id>{MO_ID}</message-id>", ""),
    told("imdn.xml.message-id", f">{MO_ID}<", f">{MO_ID.lower()}<"),
    told("imdn.xml.message-id", f">{MO_ID}<", f">{MO_ID[:12]}<"),
    Mutant("imdn.xml.message-id", NETWORK, "pager_mo", spoiled(4, (f">{MO_ID}<", ">Not1aB2cD3eF4gH5iJ6k<"))),
    Mutant("imdn.xml.message-id", HANDSET, "chat", in_chat(16, (f">{MT_ID}<", f">{MT_ID.lower()}<"))),
    told("imdn.xml.datetime-present", DATETIME, ""),
    tells("imdn.xml.datetime-value", "20Z</datetime>", "21Z</datetime>"),
    tells("imdn.xml.datetime-form", "T22:13:20Z</datetime>", " 22:13</datetime>"),
    told("imdn.xml.one-type", DELIVERED, DELIVERED + DISPLAYED),
    told("imdn.xml.one-type", DELIVERED, ""),
    told("imdn.xml.one-type.extension", DELIVERED, '<n xmlns="urn:x:y"/>'),
    told("imdn.xml.status", "<delivered/>", "<displayed/>"),
    told("imdn.xml.status", "<delivered/>", ""),
    told("imdn.xml.status", "<delivered/>", "<delivered>yes</delivered>"),
    told("imdn.xml.status", "<delivered/>", "<delivered/><error/>"),
    told("imdn.xml.status.extension", "<delivered/>", '<n xmlns="urn:x:y"/>'),
    tells(
        "imdn.xml.order",
        f"<message-id>{MT_ID}</message-id>{DATETIME}",
        f"{DATETIME}<message-id>{MT_ID}</message-id>",
    ),
    tells("imdn.xml.foreign-ns", "<delivery-not", "<device/><delivery-not"),
    tells("imdn.xml.foreign-ns", "<delivery-not", '<device xmlns=""/><delivery-not'),
    tells("imdn.xml.encoding-decl", DECLARATION, '<?xml version="1.0"?>'),
    Mutant(
        "imdn.xml.original-recipient",
        HANDSET,
        "pager_mt",
        lambda s: s.sub(0, "imdn.Message-ID", f"imdn.Original-To: <{UE}>\r\nimdn.Message-ID"),
    ),
]

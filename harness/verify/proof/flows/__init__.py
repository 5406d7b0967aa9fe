"""Conformant flows by name: hand-written after the documents, reported by no rule."""

from __future__ import annotations

from collections.abc import Callable

from harness.verify.proof.flows.capability import CAPABILITY_FLOWS
from harness.verify.proof.flows.chatbot import CHATBOT_FLOWS
from harness.verify.proof.flows.chunks import CHUNK_FLOWS
from harness.verify.proof.flows.composing import TYPING_FLOWS
from harness.verify.proof.flows.conduct import CONDUCT_FLOWS
from harness.verify.proof.flows.files import FILE_FLOWS
from harness.verify.proof.flows.group import GROUP_FLOWS
from harness.verify.proof.flows.group_membership import MEMBERSHIP_FLOWS
from harness.verify.proof.flows.lab import LAB_FLOWS
from harness.verify.proof.flows.media import MEDIA_FLOWS
from harness.verify.proof.flows.msrp import MSRP_FLOWS
from harness.verify.proof.flows.negotiation import NEGOTIATION_FLOWS
from harness.verify.proof.flows.refusals import REFUSAL_FLOWS
from harness.verify.proof.flows.registration import REGISTRATION_FLOWS
from harness.verify.proof.flows.session_change import SESSION_CHANGE_FLOWS
from harness.verify.proof.flows.sip import SIP_FLOWS
from harness.verify.proof.flows.standalone import STANDALONE_FLOWS
from harness.verify.proof.flows.written import WRITTEN_FLOWS
from harness.verify.proof.script import Script

Flows = dict[str, Callable[[], Script]]


def named_once(*tables: Flows) -> Flows:
    """All flows of the tables. Raises ValueError for a name that two have."""
    flows: Flows = {}
    for table in tables:
        if flows.keys() & table.keys():
            raise ValueError(f"two flows are called {', '.join(sorted(flows.keys() & table.keys()))}")
        flows |= table
    return flows


FLOWS = named_once(
    SIP_FLOWS,
    SESSION_CHANGE_FLOWS,
    WRITTEN_FLOWS,
    TYPING_FLOWS,
    LAB_FLOWS,
    STANDALONE_FLOWS,
    MEDIA_FLOWS,
    FILE_FLOWS,
    GROUP_FLOWS,
    CONDUCT_FLOWS,
    MEMBERSHIP_FLOWS,
    MSRP_FLOWS,
    CHUNK_FLOWS,
    NEGOTIATION_FLOWS,
    REFUSAL_FLOWS,
    REGISTRATION_FLOWS,
    CAPABILITY_FLOWS,
    CHATBOT_FLOWS,
)

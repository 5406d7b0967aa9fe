"""Chatbots: a session with one from either side, and a text to one (feature tags of RCC.07, RFC 3840 9)."""

from __future__ import annotations

from collections.abc import Callable

from harness.cpm.services import iari_feature
from harness.verify.proof.flows.sip import pager_mo, session_mo, session_mt
from harness.verify.proof.messages import FAR_CONTACT, ICSI, UE_CONTACT
from harness.verify.proof.script import Script

SESSION_TAG = f'+g.3gpp.icsi-ref="{ICSI}session"'
VERSION = '+g.gsma.rcs.botversion="#=1,#=2"'
ROLE = "+g.gsma.rcs.isbot"
BOT = iari_feature("rcs.chatbot")
BOT_ALONE = iari_feature("rcs.chatbot.sa")
DEMANDS = f"Accept-Contact: *;{BOT};{VERSION};require;explicit"


def bot_session_mo() -> Script:
    """As session_mo, with a chatbot."""
    script = session_mo().everywhere(
        f"<{UE_CONTACT}>;{SESSION_TAG}", f"<{UE_CONTACT}>;{SESSION_TAG};{BOT};{VERSION}"
    )
    script.everywhere(
        f"<{FAR_CONTACT}>;{SESSION_TAG}", f"<{FAR_CONTACT}>;{SESSION_TAG};{BOT};{VERSION};{ROLE}"
    )
    return script.line(0, DEMANDS)


def bot_session_mt() -> Script:
    """As session_mt, set up by a chatbot."""
    script = session_mt().everywhere(
        f"<{UE_CONTACT}>;{SESSION_TAG}", f"<{UE_CONTACT}>;{SESSION_TAG};{BOT};{VERSION}"
    )
    script.everywhere(
        f"<{FAR_CONTACT}>;{SESSION_TAG}", f"<{FAR_CONTACT}>;{SESSION_TAG};{BOT};{VERSION};{ROLE}"
    )
    return script.line(0, DEMANDS)


def bot_text_mo() -> Script:
    """As pager_mo, to a chatbot."""
    return pager_mo().line(0, DEMANDS.replace(BOT, BOT_ALONE))


CHATBOT_FLOWS: dict[str, Callable[[], Script]] = {
    "bot_session_mo": bot_session_mo,
    "bot_session_mt": bot_session_mt,
    "bot_text_mo": bot_text_mo,
}

"""Chatbots that are written to, and answer, without their tags (RCC.07; RFC 3840 9)."""

from __future__ import annotations

from harness.verify.proof.flows.chatbot import BOT, BOT_ALONE, DEMANDS, ROLE, VERSION
from harness.verify.proof.mutant import HANDSET, NETWORK, Mutant

MUTANTS = [
    Mutant(
        "bot.contact-tags", HANDSET, "bot_session_mo", lambda s: s.sub(0, f";{BOT};{VERSION}\r\n", "\r\n")
    ),
    Mutant("bot.contact-tags", HANDSET, "bot_session_mo", lambda s: s.sub(0, f"{DEMANDS}\r\n", "")),
    Mutant("bot.contact-tags", HANDSET, "bot_session_mo", lambda s: s.sub(0, ";require;explicit", "")),
    Mutant("bot.contact-tags", HANDSET, "bot_session_mo", lambda s: s.sub(0, f"*;{BOT};", "*;")),
    Mutant("bot.sa-tags", HANDSET, "bot_text_mo", lambda s: s.sub(0, BOT_ALONE, BOT)),
    Mutant("bot.sa-tags", HANDSET, "bot_text_mo", lambda s: s.sub(0, f";{VERSION}", "")),
    Mutant("bot.sa-tags", HANDSET, "bot_text_mo", lambda s: s.sub(0, ";require", "")),
    Mutant(
        "bot.sa-tags",
        HANDSET,
        "pager_mo",
        lambda s: s.everywhere("+491700000002@example.org", "bot@botplatform.bots.test", 0, 1),
    ),
    Mutant("bot.botversion-syntax", HANDSET, "bot_text_mo", lambda s: s.sub(0, '"#=1,#=2"', '"#=1, #=2"')),
    Mutant("bot.botversion-syntax", HANDSET, "bot_session_mo", lambda s: s.everywhere('"#=1,#=2"', "1", 0)),
    Mutant(
        "bot.botversion-syntax", HANDSET, "bot_session_mo", lambda s: s.everywhere('"#=1,#=2"', '"#1"', 0)
    ),
    Mutant("bot.botversion-syntax", NETWORK, "bot_session_mt", lambda s: s.sub(0, '"#=1,#=2"', '"1,2"')),
    Mutant("bot.role", NETWORK, "bot_session_mo", lambda s: s.sub(3, f";{ROLE}", "")),
    Mutant("bot.role", NETWORK, "bot_session_mt", lambda s: s.sub(0, f";{ROLE}", "")),
    Mutant(
        "bot.botversion-syntax",
        HANDSET,
        "bot_text_mo",
        lambda s: s.sub(0, f"{VERSION}", VERSION.partition("=")[0]),
    ),
]

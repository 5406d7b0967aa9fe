"""What the simulated RCS client is provisioned with and may be told anew while it runs, as system properties.

debug.rcslab.chat_idle: seconds without a message after which it ends a chat; debug.rcslab.chat_ring: seconds
an invitation waits for its user; debug.rcslab.deferred_messages: 1 when it fetches deferred messages, else 0;
debug.rcslab.im_technology: cpm or simple-im, with which it registers anew; debug.rcslab.timer_t1: timer T1 of
SIP in seconds; debug.rcslab.chat_refresh: seconds after which it refreshes a session at the latest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from devices.simulated.rcs_client import RcsClient
from harness.cpm.technology import ImTechnology

_log = logging.getLogger(__name__)

PREFIX = "debug.rcslab."


@dataclass(frozen=True, slots=True)
class _Row:
    """One property: what it is now, and how it is changed. Change raises ValueError."""

    value: Callable[[RcsClient], str]
    change: Callable[[RcsClient, str], None]


def _seconds(text: str) -> float:
    """Raises ValueError."""
    seconds = float(text)
    if not 0 < seconds < 1e9:
        raise ValueError(f"expected seconds above 0, got {text!r}")
    return seconds


def _switch(text: str) -> bool:
    """Raises ValueError."""
    if text not in ("0", "1"):
        raise ValueError(f"expected 0 or 1, got {text!r}")
    return text == "1"


def _chat_ring(client: RcsClient, text: str) -> None:
    client.chats.ring_seconds = _seconds(text)


def _technology(client: RcsClient, text: str) -> None:
    client.provision(ImTechnology(text))


_ROWS = {
    f"{PREFIX}im_technology": _Row(lambda client: client.settings.im_technology.value, _technology),
    f"{PREFIX}chat_idle": _Row(
        lambda client: f"{client.chats.idle_seconds:g}",
        lambda client, text: client.chats.idle_after(_seconds(text)),
    ),
    f"{PREFIX}chat_ring": _Row(lambda client: f"{client.chats.ring_seconds:g}", _chat_ring),
    f"{PREFIX}timer_t1": _Row(
        lambda client: f"{client.settings.t1:g}",
        lambda client, text: client.time_by(t1=_seconds(text)),
    ),
    f"{PREFIX}chat_refresh": _Row(
        lambda client: f"{client.settings.refresh_seconds:g}",
        lambda client, text: client.time_by(refresh_seconds=_seconds(text)),
    ),
    f"{PREFIX}deferred_messages": _Row(
        lambda client: f"{client.deferred.on:d}",
        lambda client, text: client.deferred.provision(_switch(text)),
    ),
}


def properties(client: RcsClient) -> dict[str, str]:
    """Names and values as getprop shows them."""
    return {name: row.value(client) for name, row in _ROWS.items()}


def property_changed(client: RcsClient, name: str, value: str) -> None:
    """A system property was written; others than these mean nothing here."""
    row = _ROWS.get(name)
    if row is None:
        return
    try:
        row.change(client, value)
    except ValueError as error:
        _log.error("%s stays %s: %s", name, row.value(client), error)

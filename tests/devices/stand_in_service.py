"""An RCS client that only takes what the messaging app asks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence


class StandInService:
    """Takes what the app asks as the RCS client would, and remembers it."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.shown: list[str] = []
        self.by_session: list[bool] = []
        self.asked: list[tuple[object, ...]] = []
        self._ids = itertools.count(1)

    def send_text(self, key: str, text: str, chat: bool) -> str:
        self.sent.append((key, text))
        self.by_session.append(chat)
        return f"m{next(self._ids)}"

    def conversation_shown(self, key: str) -> None:
        self.shown.append(key)

    def end_chat(self, number: str) -> None:
        self.asked.append(("end_chat", number))

    def typing(self, key: str, on: bool) -> None:
        self.asked.append(("typing", key, on))

    def answer_offer(self, offer_id: str, accept: bool) -> None:
        self.asked.append(("answer_offer", offer_id, accept))

    def create_group(self, subject: str, members: Sequence[str]) -> str:
        self.asked.append(("create_group", subject, tuple(members)))
        return f"g{next(self._ids)}"

    def join_group(self, uri: str) -> str:
        self.asked.append(("join_group", uri))
        return f"g{next(self._ids)}"

    def add_to_group(self, key: str, number: str) -> None:
        self.asked.append(("add_to_group", key, number))

    def remove_from_group(self, key: str, number: str) -> None:
        self.asked.append(("remove_from_group", key, number))

    def leave_group(self, key: str) -> None:
        self.asked.append(("leave_group", key))

    def send_file(self, key: str, path: str, type: str) -> str:
        self.asked.append(("send_file", key, path, type))
        return f"f{next(self._ids)}"

    def cancel(self, id: str) -> None:
        self.asked.append(("cancel", id))

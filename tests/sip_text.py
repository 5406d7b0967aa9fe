"""A SIP message as text, read by accessors as dumb as can be: no parser is shared with what is tested."""

from __future__ import annotations

import re


class SipText(str):
    """One request or response."""

    __slots__ = ()

    @property
    def start(self) -> str:
        return self.split("\r\n", 1)[0]

    @property
    def method(self) -> str:
        return self.split(" ", 1)[0]

    @property
    def status(self) -> int:
        return int(self.split(" ", 2)[1])

    @property
    def head(self) -> str:
        return self.split("\r\n\r\n", 1)[0]

    @property
    def body(self) -> str:
        return self.split("\r\n\r\n", 1)[1]

    @property
    def names(self) -> list[str]:
        return [line.partition(":")[0] for line in self.head.split("\r\n")[1:]]

    def all(self, name: str) -> list[str]:
        return re.findall(rf"(?mi)^{re.escape(name)}: *(.*?)\r?$", self.head)

"""What is wrong with a body that could still be read. A body that cannot be read raises BodySyntaxError."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """A departure from a document that did not stop the reader.

    what: the production or property (a StrEnum value of the module that made it). offset: octet from the
    start of the body. clause: the text departed from. text: what stood there, shortened.
    """

    what: str
    offset: int
    clause: str
    text: str

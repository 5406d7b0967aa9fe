"""The profiles a flow can be judged under: which letter counts where the documents and the field differ."""

from __future__ import annotations

from enum import StrEnum


class Profile(StrEnum):
    """A set of severities. `rcs51` is the default of the harness."""

    IETF = "ietf"
    """The letter of the RFCs."""
    RCS51 = "rcs51"
    """RCS 5.1 field practice over OMA CPM 2.0."""
    UP2 = "up2"
    """Universal Profile 2.x."""


DEFAULT_PROFILE = Profile.RCS51

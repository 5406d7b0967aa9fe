"""The file of waivers: known findings that are borne for a while."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from harness.lab.part import Part
from harness.lab.yaml_file import load_part
from harness.verify.catalogue import load_catalogue
from harness.verify.finding import Party
from harness.verify.judgement import JUDGED
from harness.verify.waivers import Waiver, covers_rule


def known_rule(pattern: str) -> str:
    """A rule of the catalogue, or the beginning of ids that ends in a dot and a star. Raises: ValueError."""
    if not any(covers_rule(pattern, rule) for rule in load_catalogue()):
        raise ValueError(
            f"no rule {pattern!r} in the catalogue; `rcslab rules` lists all, `msrp.*` means several"
        )
    return pattern


def _one_of_two(party: Party | None) -> Party | None:
    if party is not None and party not in JUDGED:
        raise ValueError(f"expected handset or network, got {party.value!r}")
    return party


RulePattern = Annotated[str, AfterValidator(known_rule)]


class WaiverPart(Part):
    """One waiver; see harness.verify.waivers.Waiver."""

    rule: RulePattern
    reason: Annotated[str, Field(min_length=1)]
    owner: Annotated[str, Field(min_length=1)]
    expires: date
    party: Annotated[Party | None, AfterValidator(_one_of_two)] = None
    text: str = ""
    whose: str = ""


class WaiverFile(Part):
    """A whole file."""

    waivers: tuple[WaiverPart, ...]


def load_waivers(file: Path) -> tuple[Waiver, ...]:
    """The waivers of a file, expired ones too. Raises: LabFileError with line, column and field."""
    parts = load_part(file, WaiverFile, "a mapping with `waivers:`").waivers
    return tuple(Waiver(**part.model_dump()) for part in parts)

"""Locations and revocations, spoiled one by one (RCC.07)."""

from __future__ import annotations

from harness.verify.proof.imdn_changes import MO_ID, spoiled
from harness.verify.proof.mutant import HANDSET, Mutant

NS = "urn:gsma:params:xml:ns:rcs:rcs:"
REVOCATION = 14


def location(*changes: tuple[str, str]) -> Mutant:
    """The location alone with its answer, and other octets in it."""
    return Mutant("geo.push.type", HANDSET, "location_mo", spoiled(0, *changes, only=2))


MUTANTS = [
    location(("vnd.gsma.rcspushlocation+xml", "xml")),
    location((f"{NS}geolocation", f"{NS}location")),
    location(("<rcsenvelope", "<envelope"), ("</rcsenvelope", "</envelope")),
    Mutant("revoke.type", HANDSET, "revoked_mo", spoiled(REVOCATION, ("vnd.gsma.rcsrevoke+xml", "xml"))),
    Mutant("revoke.type", HANDSET, "revoked_mo", spoiled(REVOCATION, (f"{NS}rcsrevoke", f"{NS}revoke"))),
    Mutant("revoke.type", HANDSET, "revoked_mo", spoiled(REVOCATION, (MO_ID, "Not1aB2cD3eF4gH5iJ6k"))),
    Mutant("revoke.tag", HANDSET, "revoked_mo", lambda s: s.everywhere(";+g.gsma.rcs.msgrevoke", "", 0, 2)),
]

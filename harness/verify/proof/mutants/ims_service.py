"""Requests that name their service wrongly: service headers, feature tags, CPM ids (RFC 6050, RFC 3841)."""

from __future__ import annotations

from harness.verify.proof.mutant import HANDSET, NETWORK, Mutant

MUTANTS = [
    Mutant("ims.p-early-media", HANDSET, "session_mo", lambda s: s.line(0, "P-Early-Media: supported")),
    Mutant(
        "imdn.feature-tag",
        NETWORK,
        "pager_mo",
        lambda s: s.sub(2, "oma.cpm.msg", "oma.cpm.filetransfer"),
    ),
]

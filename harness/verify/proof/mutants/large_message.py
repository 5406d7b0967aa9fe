"""Large and deferred messages spoiled one by one: CPM, RFC 3264 6.1 and RFC 5547 6."""

from __future__ import annotations

from harness.verify.proof.changes import edit
from harness.verify.proof.flows.files import FILE_ID, LARGE, chunks, large
from harness.verify.proof.mutant import HANDSET, NETWORK, Mutant

ANOTHER = chunks(LARGE.replace(FILE_ID, "Oth1aB2cD3eF4gH5iJ6k"), "message/cpim", "NextkQ2mP9sLw", "i")
ONE_WAY = "the service that is named goes one way"

MUTANTS = [
    Mutant(
        "large.invite.icsi",
        NETWORK,
        "large_mt",
        lambda s: s.everywhere("oma.cpm.largemsg", "oma.cpm.systemmsg", 0, 1, 2, 3),
    ),
    Mutant(
        "large.sdp.direction",
        HANDSET,
        "large_mo",
        edit(0, "a=sendonly", "a=sendrecv"),
        ("ims.p-preferred-service.value",),
        ONE_WAY,
    ),
    Mutant("large.sdp.direction.answer", NETWORK, "large_mo", edit(3, "a=recvonly", "a=sendrecv")),
    Mutant("large.sdp.accept-types", HANDSET, "large_mt", edit(2, "a=accept-wrapped-types:*\r\n", "")),
    Mutant("large.sdp.file-selector", HANDSET, "large_mo", edit(0, "a=file-selector:size:2500\r\n", "")),
    Mutant(
        "large.size-matches",
        HANDSET,
        "large_sent_mo",
        lambda s: large(*chunks(LARGE[:-5].replace("Length: 2500", "Length: 2495"), "message/cpim")),
    ),
    Mutant(
        "large.one-message",
        HANDSET,
        "large_sent_mo",
        lambda s: large(*chunks(LARGE, "message/cpim"), *ANOTHER),
    ),
    Mutant(
        "deferred.icsi",
        HANDSET,
        "deferred_mo",
        lambda s: s.everywhere("oma.cpm.deferred", "oma.cpm.systemmsg", 0, 1, 2, 3),
        ("ims.p-preferred-service.value",),
        "the service that is named has no session",
    ),
    Mutant(
        "deferred.direction",
        HANDSET,
        "deferred_mo",
        edit(0, "a=recvonly", "a=sendrecv"),
        ("ims.p-preferred-service.value",),
        ONE_WAY,
    ),
    Mutant("deferred.direction.answer", NETWORK, "deferred_mo", edit(3, "a=sendonly", "a=sendrecv")),
    # -- the same of the other side
    Mutant(
        "large.invite.icsi",
        HANDSET,
        "large_mo",
        lambda s: s.everywhere("oma.cpm.largemsg", "oma.cpm.systemmsg", 0, 1, 2, 3),
        ("ims.p-preferred-service.value",),
        "the service that is named has no session",
    ),
    Mutant("large.sdp.direction", NETWORK, "large_mt", edit(0, "a=sendonly", "a=sendrecv")),
    Mutant("large.sdp.direction.answer", HANDSET, "large_mt", edit(2, "a=recvonly", "a=sendrecv")),
]

"""What messaging can be provisioned with, OMA CPM or OMA SIMPLE IM, and what each puts on the wire.

A row per technology; who writes takes the row of the one in force, who reads knows all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.cpm.services import (
    IARI_PREFIX,
    IARI_TAG,
    ICSI_TAG,
    Service,
    decode_urn,
    iari_feature,
    icsi_feature,
    service_of,
)

SIP_IM_TAG = "+g.oma.sip-im"
FILE_IARI = "rcse.ft"
FILE_URN = f"{IARI_PREFIX}{FILE_IARI}"


class ImTechnology(StrEnum):
    """What a client is provisioned with."""

    CPM = "cpm"
    SIMPLE_IM = "simple-im"


@dataclass(frozen=True, slots=True)
class Technology:
    """One row.

    tags: the feature tag of each service there is, as Contact and Accept-Contact show it. named: whether
    P-Preferred-Service and P-Asserted-Service name services. ids: the headers that tell which conversation a
    request is of. standalone: whether there are texts without a session. first_in_invite: whether the first
    text of a session rides in its INVITE. iaris: applications a client announces besides. source: where the
    row was seen.
    """

    tags: Mapping[Service, str]
    named: bool
    ids: tuple[str, ...]
    standalone: bool
    first_in_invite: bool
    iaris: tuple[str, ...]
    source: str

    def feature_tag(self, service: Service) -> str:
        """The tag of a service; that of CPM where this technology has none for it."""
        return self.tags.get(service, service.feature_tag)

    def accept_contact(self, service: Service) -> str:
        """One Accept-Contact value that asks for a service (RFC 3841 9.2)."""
        return f"*;{self.feature_tag(service)}"

    def announced(self, services: Iterable[Service]) -> tuple[str, ...]:
        """The tags of a client that has these services, each once with all its URNs (RFC 3840 9)."""
        wanted = list(services)
        if not self.named:
            return tuple(dict.fromkeys(self.tags[each] for each in wanted if each in self.tags))
        icsis = dict.fromkeys(each.announced.value for each in wanted)
        return icsi_feature(*icsis), iari_feature(*self.iaris)

    def service_rows(self, header: str, service: Service) -> list[tuple[str, str]]:
        """What names the service in P-Preferred-Service or P-Asserted-Service, if anything does."""
        return [(header, service.icsi)] if self.named else []

    def conversation_rows(self, conversation_id: str, contribution_id: str) -> list[tuple[str, str]]:
        """What tells which conversation a first request is of."""
        values = {"Conversation-ID": conversation_id, "Contribution-ID": contribution_id}
        return [(name, values[name]) for name in self.ids]


_BY_SIP_IM = (Service.PAGER, Service.SESSION, Service.SESSION_GROUP)

TECHNOLOGIES: Mapping[ImTechnology, Technology] = {
    ImTechnology.CPM: Technology(
        {service: service.feature_tag for service in Service},
        named=True,
        ids=("Conversation-ID", "Contribution-ID"),
        standalone=True,
        first_in_invite=False,
        iaris=("rcse.im",),
        source="field trace, AOSP",
    ),
    ImTechnology.SIMPLE_IM: Technology(
        {**dict.fromkeys(_BY_SIP_IM, SIP_IM_TAG), Service.FILE_TRANSFER: iari_feature(FILE_IARI)},
        named=False,
        ids=("Contribution-ID",),
        standalone=False,
        first_in_invite=True,
        iaris=(),
        source="rcsjta, AOSP ImsStack",
    ),
}


def services_in(features: Mapping[str, Sequence[str]]) -> list[Service]:
    """The services that feature tags name, in whatever technology."""
    named = [service_of(icsi) for icsi in features.get(ICSI_TAG, ())]
    named += [Service.FILE_TRANSFER for iari in features.get(IARI_TAG, ()) if decode_urn(iari) == FILE_URN]
    named += [Service.SESSION] if SIP_IM_TAG in features else []
    return [service for service in named if service is not None]

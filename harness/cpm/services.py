"""CPM services and the feature tags that name them on the wire.

ICSI and IARI values: TS 24.229 7.2A.8.2 and 7.2A.9.2; how a tag is written: RFC 3840 9. The table's source
column says where a tag was seen.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

ICSI_PREFIX = "urn:urn-7:3gpp-service.ims.icsi."
IARI_PREFIX = "urn:urn-7:3gpp-application.ims.iari."
ICSI_TAG = "+g.3gpp.icsi-ref"
IARI_TAG = "+g.3gpp.iari-ref"


def encode_urn(urn: str) -> str:
    """The URN as a tag value: only the colons are escaped (RFC 3840 9, TS 24.229 7.2A.8.2)."""
    return urn.replace(":", "%3A")


@lru_cache(maxsize=1024)
def decode_urn(value: str) -> str:
    """The URN a tag value stands for, in lower case since URNs of this kind compare without case."""
    return unquote(value.strip().removeprefix("<").removesuffix(">")).lower()


def icsi_feature(*names: str) -> str:
    """`+g.3gpp.icsi-ref="..."` for names below the ICSI prefix, several in one list."""
    return f'{ICSI_TAG}="{",".join(encode_urn(ICSI_PREFIX + name) for name in names)}"'


def iari_feature(*names: str) -> str:
    """`+g.3gpp.iari-ref="..."` for names below the IARI prefix, several in one list."""
    return f'{IARI_TAG}="{",".join(encode_urn(IARI_PREFIX + name) for name in names)}"'


class Service(StrEnum):
    """A CPM service; the value is the part of its ICSI below the common prefix."""

    PAGER = "oma.cpm.msg"
    PAGER_GROUP = "oma.cpm.msg.group"
    LARGE = "oma.cpm.largemsg"
    LARGE_GROUP = "oma.cpm.largemsg.group"
    DEFERRED = "oma.cpm.deferred"
    SESSION = "oma.cpm.session"
    SESSION_GROUP = "oma.cpm.session.group"
    FILE_TRANSFER = "oma.cpm.filetransfer"
    SYSTEM = "oma.cpm.systemmsg"

    @property
    def icsi(self) -> str:
        """The URN as P-Preferred-Service carries it: plain, neither quoted nor escaped (RFC 6050 4.4)."""
        return ICSI_PREFIX + self.value

    @property
    def announced(self) -> Service:
        """The service Contact and Accept-Contact show: group forms are announced by their parent."""
        return Service(self.value.removesuffix(".group"))

    @property
    def feature_tag(self) -> str:
        """The tag of Contact and Accept-Contact, escaped and quoted."""
        return icsi_feature(self.announced.value)

    @property
    def accept_contact(self) -> str:
        """One Accept-Contact value that asks for this service (RFC 3841 9.2)."""
        return f"*;{self.feature_tag}"


CPM_ICSIS = frozenset(service.icsi for service in Service)


@lru_cache(maxsize=1024)
def service_of(icsi: str) -> Service | None:
    """The service an ICSI names, escaped or plain, None when it is no CPM service."""
    urn = decode_urn(icsi)
    return next((service for service in Service if service.icsi == urn), None)


class FeatureTag(NamedTuple):
    """One capability: its tag as written, what it stands for and where that spelling was seen."""

    text: str
    meaning: str
    source: str


FEATURE_TAGS: tuple[FeatureTag, ...] = (
    FeatureTag(icsi_feature("oma.cpm.msg"), "standalone message, pager mode", "AOSP, field trace"),
    FeatureTag(icsi_feature("oma.cpm.largemsg"), "standalone message, large mode", "AOSP, field trace"),
    FeatureTag(icsi_feature("oma.cpm.deferred"), "deferred messages", "AOSP, field trace"),
    FeatureTag("+g.gsma.rcs.cpm.pager-large", "both standalone modes", "AOSP"),
    FeatureTag(icsi_feature("oma.cpm.session"), "session", "AOSP, field trace"),
    FeatureTag(icsi_feature("oma.cpm.session.group"), "group session", "public clients"),
    FeatureTag(icsi_feature("oma.cpm.filetransfer"), "file transfer by MSRP", "field trace, AOSP"),
    FeatureTag(icsi_feature("oma.cpm.systemmsg"), "system message", "AOSP"),
    FeatureTag("+g.oma.sip-im", "SIMPLE IM", "rcsjta, AOSP"),
    FeatureTag(iari_feature("rcse.im"), "chat", "AOSP"),
    FeatureTag(iari_feature("rcse.ft"), "file transfer (RCS-e)", "rcsjta, AOSP"),
    FeatureTag(iari_feature("rcs.ftthumb"), "file transfer thumbnail", "rcsjta"),
    FeatureTag(iari_feature("rcs.ftstandfw"), "file transfer store and forward", "rcsjta"),
    FeatureTag(iari_feature("rcs.fthttp"), "file transfer over HTTP", "AOSP"),
    FeatureTag(iari_feature("rcs.ftsms"), "file transfer link by SMS", "AOSP"),
    FeatureTag(iari_feature("rcs.fullsfgroupchat"), "group session store and forward", "rcsjta"),
    FeatureTag(iari_feature("rcs.geopush"), "location push", "AOSP"),
    FeatureTag(iari_feature("rcs.geosms"), "location by SMS", "AOSP"),
    FeatureTag(iari_feature("rcs.geopull"), "location pull", "public clients"),
    FeatureTag(iari_feature("rcs.geopullft"), "location pull by file transfer", "public clients"),
    FeatureTag(iari_feature("rcse.dp"), "discovery by presence", "AOSP"),
    FeatureTag(iari_feature("rcse.sp"), "social presence", "rcsjta"),
    FeatureTag(iari_feature("gsma-is"), "image share", "rcsjta"),
    FeatureTag("+g.3gpp.cs-voice", "video share", "rcsjta"),
    FeatureTag("+g.gsma.rcs.ipcall", "IP call", "rcsjta"),
    FeatureTag(icsi_feature("mmtel"), "voice call", "AOSP"),
    FeatureTag(icsi_feature("gsma.callcomposer"), "call composer", "AOSP"),
    FeatureTag("+g.gsma.callcomposer", "call composer in telephony", "AOSP"),
    FeatureTag(icsi_feature("gsma.callunanswered"), "post-call note", "AOSP"),
    FeatureTag(icsi_feature("gsma.sharedmap"), "shared map", "AOSP"),
    FeatureTag(icsi_feature("gsma.sharedsketch"), "shared sketch", "AOSP"),
    FeatureTag(iari_feature("rcs.chatbot"), "chatbot by session", "AOSP"),
    FeatureTag(iari_feature("rcs.chatbot.sa"), "chatbot by standalone message", "AOSP"),
    FeatureTag("+g.gsma.rcs.botversion", "chatbot version", "AOSP"),
    FeatureTag("+g.gsma.rcs.isbot", "chatbot role", "AOSP"),
    FeatureTag("+g.gsma.rcs.msgrevoke", "revoke", "AOSP"),
    FeatureTag("+g.gsma.rcs.msgfallback", "fallback to SMS by the network", "AOSP"),
    FeatureTag("+g.3gpp.smsip", "SMS over IP", "common practice"),
    FeatureTag("+g.3gpp.nw-init-ussi", "USSD over IMS", "common practice"),
    FeatureTag("+g.3gpp.mid-call", "service continuity, mid-call", "common practice"),
    FeatureTag("+g.3gpp.srvcc-alerting", "service continuity, alerting", "common practice"),
    FeatureTag("+g.3gpp.ps2cs-srvcc-orig-pre-alerting", "service continuity", "common practice"),
)

# RFC 3840 10, RFC 4235, RFC 4569: tags of the base tree, written without a plus sign.
BASE_TAGS = frozenset(
    {
        *("actor", "application", "audio", "automata", "class", "control", "data", "description", "duplex"),
        *("events", "extensions", "isfocus", "language", "message", "methods", "mobility", "priority"),
        *("schemes", "text", "type", "video"),
    }
)

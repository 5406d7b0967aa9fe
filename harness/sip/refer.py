"""REFER: what one asks for, whether it can be taken, and the request that follows it.

RFC 3515 as changed by RFC 7647 (a 200 where it had a 202, no second usage in a dialog), RFC 4488 (no
subscription), RFC 3892 (who referred).
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import SipSyntaxError
from harness.sip.event_headers import ReferredBy, ReferSub, ReferTo
from harness.sip.headers import canonical_name
from harness.sip.message import Request
from harness.sip.uri import Uri

Header = tuple[str, str]

NO_SUBSCRIPTION = "norefersub"  # option tag, RFC 4488 4

# Header fields of the Refer-To URI that are not to be honoured: RFC 3261 19.1.5 names them as dangerous, or
# they are for the sender of the request to make.
_NOT_HONOURED = frozenset(
    {
        "From", "Call-ID", "CSeq", "Via", "Record-Route", "Route", "To", "Max-Forwards", "Contact",
        "Content-Length", "Referred-By",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Referral:
    """What a REFER asks for.

    subscribe: the sender wants to be told what comes of it. referred_by: the value as it came, to be copied
    without change (RFC 3892 2.2), None without one.
    """

    target: ReferTo
    referred_by: str | None = None
    subscribe: bool = True

    @classmethod
    def of(cls, request: Request) -> Referral:
        """Raises SipSyntaxError without exactly one Refer-To (RFC 3515 2.4.2), and for a malformed one."""
        rows = request.all_fields(ReferTo.header)
        if len(rows) != 1:
            place = rows[1].octet() if rows else request.body_offset
            hint = "absent" if not rows else "more than one"
            raise SipSyntaxError(ReferTo.header, "", place, "RFC 3515 2.4.2", hint)
        target = request.typed(ReferTo)
        assert target is not None  # there is a row
        request.typed(ReferredBy)
        wish = request.typed(ReferSub)
        return cls(target, request.get(ReferredBy.header), wish is None or wish.wanted)

    @property
    def method(self) -> str:
        """The method of the request that follows."""
        return self.target.method

    @property
    def uri(self) -> str:
        """The Request-URI of the request that follows: without method and headers (RFC 3261 19.1.1)."""
        uri = self.target.uri
        if uri.scheme not in ("sip", "sips"):
            return str(uri)
        parameters = uri.parameters.without("method")
        return str(Uri(uri.scheme, uri.user, uri.host, uri.port, parameters, password=uri.password))

    @property
    def headers(self) -> tuple[Header, ...]:
        """Header fields of the request that follows: those of the URI that may be honoured, and Referred-By.

        The body the URI may give (`body`) is not among them.
        """
        rows = [
            (name, value)
            for name, value in self.target.headers
            if canonical_name(name) not in _NOT_HONOURED and name.lower() != "body"
        ]
        return (*rows, *([("Referred-By", self.referred_by)] if self.referred_by is not None else []))

    @property
    def body(self) -> bytes:
        """The body the URI gives; empty without one (RFC 3261 19.1.1)."""
        return next((value for name, value in self.target.headers if name.lower() == "body"), "").encode()

    @property
    def rows(self) -> tuple[Header, ...]:
        """The header fields of the REFER that asks for this."""
        rows: list[Header] = [(ReferTo.header, str(self.target))]
        if self.referred_by is not None:
            rows.append((ReferredBy.header, self.referred_by))
        if not self.subscribe:
            rows += [(ReferSub.header, str(ReferSub(wanted=False))), ("Supported", NO_SUBSCRIPTION)]
        return tuple(rows)

"""One TLS connection without its socket: octets of the wire in, octets of the protocol above out, and back.

Any connection can hold one, of SIP or of MSRP. Nothing here waits or sends: `outgoing` is what has to leave.
"""

from __future__ import annotations

import ipaddress

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from harness.agent.sockets.certificates import identities_of, speaks_for
from harness.agent.sockets.tls import TlsContext, reasons_of

_PIECE = 65_536  # octets taken out of OpenSSL at once


class TlsSession:
    """The state of one connection.

    Args: name is who the server must be, as the caller knows it (RFC 5922 7.3); None where nobody is meant.
    It goes into the server_name extension unless it is an address.

    secured: the handshake is done and the certificate is the one expected. failure: why there is no TLS any
    more, empty while there is. ended: the other end has closed in order (close_notify).
    """

    def __init__(self, context: TlsContext, name: str | None = None) -> None:
        self.secured, self.ended, self.failure = False, False, ""
        self.certificate: bytes | None = None
        self.self_signed = False
        self.identities: frozenset[str] = frozenset()
        self._context, self._name = context, name
        self._problems: list[str] = []
        self._began = b""
        self._tls = SSL.Connection(context.context, None)
        self._tls.set_app_data(self._problems)
        if context.server:
            self._tls.set_accept_state()
        else:
            self._tls.set_connect_state()
            if name is not None and not _is_address(name):
                self._tls.set_tlsext_host_name(name.rstrip(".").encode("idna"))

    def begin(self) -> None:
        """Begin the handshake: a client has something to send then."""
        self._shake_hands()

    def receive(self, data: bytes) -> bytes:
        """Take octets of the wire; give what they carried."""
        carried = bytearray()
        self._began = self._began or data[:16]
        view = memoryview(data)
        while view and not self.failure:
            view = view[self._tls.bio_write(bytes(view)) :]
            if not self.secured:
                self._shake_hands()
            if self.secured:
                self._read_into(carried)
        return bytes(carried)

    def write(self, data: bytes) -> None:
        """Put octets into TLS: `outgoing` gives them for the wire, or `failure` says if it cannot."""
        view = memoryview(data)
        try:
            while view:
                view = view[self._tls.send(bytes(view[:_PIECE])) :]
        except SSL.Error as error:
            self.failure = reasons_of(error)

    def end(self) -> None:
        """Say that nothing more follows (close_notify)."""
        if self.secured and not self.failure:
            try:
                self._tls.shutdown()
            except SSL.Error:
                return

    def outgoing(self) -> bytes:
        """What has to be sent now, each octet given once."""
        waiting = bytearray()
        while True:
            try:
                waiting += self._tls.bio_read(_PIECE)
            except SSL.WantReadError:
                return bytes(waiting)

    def describe(self) -> str:
        """Version, cipher and who the other end is, for the timeline."""
        who = ", ".join(sorted(self.identities)) or ("no name" if self.certificate else "no certificate")
        return f"{self._tls.get_protocol_version_name()} {self._tls.get_cipher_name()}, other end: {who}"

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            return
        except SSL.Error as error:
            self.failure = "; ".join([*self._problems, reasons_of(error), *self._no_tls()])
            return
        self._identify()

    def _no_tls(self) -> list[str]:
        """What the other end said in place of TLS; each handshake begins with octet 22 (RFC 8446 5.1)."""
        return [] if self._began.startswith(b"\x16") else [f"it began with {self._began!r}"]

    def _identify(self) -> None:
        """The handshake is done: see whom we talk to."""
        found = self._tls.get_peer_certificate(as_cryptography=True)
        if found is not None:
            self.certificate = found.public_bytes(Encoding.DER)
            self.self_signed = found.issuer == found.subject
            self.identities = identities_of(found)
        if self._context.identify and self._name is not None and not speaks_for(self.identities, self._name):
            named = ", ".join(sorted(self.identities)) or "nobody"
            self.failure = f"the certificate names {named}, not {self._name} (RFC 5922 7.3)"
        else:
            self.secured = True

    def _read_into(self, carried: bytearray) -> None:
        try:
            while True:
                carried += self._tls.recv(_PIECE)
        except SSL.WantReadError:
            return
        except SSL.ZeroReturnError:
            self.ended = True
        except SSL.Error as error:
            self.failure = reasons_of(error)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True

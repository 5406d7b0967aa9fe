"""Kamailio as a proxy between a handset and the peer, with a configuration for one test."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

from .loopback import Program, free_port

KAMAILIO = shutil.which("kamailio")
MODULES = "tm tmx sl rr pv maxfwd path siputils textops"
DIGEST_MODULES = ("sl", "pv", "auth", "siputils", "textops")

# A proxy of RFC 3261 16 that puts itself into the way: Path in a REGISTER (RFC 3327), Record-Route in what
# opens a dialog. A request follows its Route, then its Request-URI; what is for the domain goes to the peer.
ROUTES = """
request_route {
    if (!mf_process_maxfwd_header("70")) { sl_send_reply("483", "Too Many Hops"); exit; }
    if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
    if (has_totag()) {
        if (loose_route()) { t_relay(); exit; }
        if (is_method("ACK") && t_check_trans()) { t_relay(); exit; }
        sl_send_reply("404", "Not here");
        exit;
    }
    t_check_trans();
    force_rport();
    loose_route();
    if (is_method("REGISTER")) add_path_received();
    if (is_method("INVITE|SUBSCRIBE")) record_route();
    if ($du == $null && $rd == "DOMAIN") {
        $du = "sip:PEER_AT;transport=PEER_TRANSPORT";
    }
    if (!t_relay()) sl_reply_error();
}
"""


# A server that lets nobody in without Digest, and says what it thinks of the credentials.
DIGEST_ROUTES = """
request_route {
    if (is_method("ACK")) exit;
    if (pv_www_authenticate("DOMAIN", "PASSWORD", "0")) { sl_send_reply("200", "Welcome"); exit; }
    if ($hdr(Authorization) != $null) { sl_send_reply("403", "Not with these credentials"); exit; }
    www_challenge("DOMAIN", "QOP");
}
"""
# www_challenge takes a number for the qop it offers; it can offer auth-int, but not check it
# (test_kamailio_digest.py).
QOPS = {None: 0, "auth": 1, "auth-int": 2}


class KamailioDigest(Program):
    """A Kamailio that challenges every request, over UDP, and says what responses it would take."""

    def __init__(self, folder: Path, domain: str, password: str, algorithm: str, qop: str | None) -> None:
        assert KAMAILIO is not None
        self.port = free_port()
        folder.mkdir(exist_ok=True)
        lines = ["debug=3", "log_stderror=yes", "children=1", "auto_aliases=no", "disable_tcp=yes", "dns=no"]
        lines += [f"listen=udp:127.0.0.1:{self.port}"]
        lines += [f'loadmodule "{name}.so"' for name in DIGEST_MODULES]
        lines.append(f'modparam("auth", "algorithm", "{algorithm}")')
        routes = DIGEST_ROUTES.replace("DOMAIN", domain).replace("PASSWORD", password)
        configuration = folder / "kamailio.cfg"
        configuration.write_text("\n".join(lines) + routes.replace("QOP", str(QOPS[qop])))
        super().__init__(folder, KAMAILIO, "-f", configuration, "-DD", "-E", "-Y", folder, "-w", folder)
        self.wait_listening("127.0.0.1", self.port, socket.SOCK_DGRAM)

    @property
    def expected(self) -> list[str]:
        """The response it calculated for each credentials it checked."""
        return re.findall(r"Our result = '(\w+)'", self.said)


class Kamailio(Program):
    """A proxy that listens on a port for UDP and TCP, and for TLS on the next one, with the peer behind it.

    Args: peer and transport are the hop behind it. hosts: where it listens. certificate: files of certificate
    and key for TLS.
    """

    def __init__(
        self,
        folder: Path,
        peer: tuple[str, int],
        transport: str,
        domain: str,
        port: int,
        hosts: Sequence[str] = ("127.0.0.1",),
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        assert KAMAILIO is not None
        self.domain, self.port, self.hosts, self.certificate = domain, port, hosts, certificate
        folder.mkdir(exist_ok=True)
        configuration = folder / "kamailio.cfg"
        configuration.write_text(self._settings(folder) + self._routes(peer, transport))
        super().__init__(folder, KAMAILIO, "-f", configuration, "-DD", "-E", "-Y", folder, "-w", folder)
        for host in hosts:
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                self.wait_listening(host, port, kind)
            if certificate is not None:
                self.wait_listening(host, port + 1, socket.SOCK_STREAM)

    def _settings(self, folder: Path) -> str:
        lines = ["debug=2", "log_stderror=yes", "children=1", "tcp_children=1", "auto_aliases=no"]
        lines += ["disable_tcp=no", "dns=no", "rev_dns=no", "tcp_accept_no_cl=no", 'user_agent_header=""']
        for host in map(_bracketed, self.hosts):
            lines += [f"listen=udp:{host}:{self.port}", f"listen=tcp:{host}:{self.port}"]
            if self.certificate is not None:
                lines.append(f"listen=tls:{host}:{self.port + 1}")
        modules = MODULES.split()
        if self.certificate is not None:
            lines.append("enable_tls=yes")
            modules.append("tls")
        lines += [f'loadmodule "{name}.so"' for name in modules]
        lines += ['modparam("rr", "append_fromtag", 0)', 'modparam("rr", "enable_double_rr", 1)']
        lines += ['modparam("path", "enable_r2", 1)', 'modparam("path", "use_received", 1)']
        if self.certificate is not None:
            certificate, key = self.certificate
            lines.append(f'modparam("tls", "certificate", "{certificate}")')
            lines.append(f'modparam("tls", "private_key", "{key}")')
            lines += ['modparam("tls", "tls_method", "TLSv1.2+")', 'modparam("tls", "verify_certificate", 0)']
        return "\n".join(lines) + "\n"

    def _routes(self, peer: tuple[str, int], transport: str) -> str:
        host, port = peer
        words = {
            "DOMAIN": self.domain,
            "PEER_AT": f"{_bracketed(host)}:{port}",
            "PEER_TRANSPORT": transport,
        }
        text = ROUTES
        for word, value in words.items():
            text = text.replace(word, value)
        return text


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host

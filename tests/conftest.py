"""What tests share: a lab of its own for a test, and certificates made on the spot."""

from __future__ import annotations

import datetime
import ipaddress
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat
from cryptography.x509.oid import NameOID
from ruamel.yaml import YAML

HOME = Path(__file__).resolve().parents[1]
RCSLAB = [sys.executable, "-m", "harness.cli"]
CLEAN_SECONDS = 3.0


@dataclass
class OwnLab:
    """The default lab in a folder of its own, and the command on it."""

    folder: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.folder / "lab.yaml"

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def latest(self) -> Path:
        return self.results / "latest"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    @property
    def environment(self) -> dict[str, str]:
        places = {"TMPDIR": str(self.temporary), "XDG_RUNTIME_DIR": str(self.folder / "run")}
        return {**os.environ, **places}

    def write(self, *changes: tuple[str, str]) -> Path:
        """The default lab with some words replaced."""
        text = (HOME / "lab.yaml").read_text("utf-8")
        for old, new in (("devices/simulated/sim.env", str(HOME / "devices/simulated/sim.env")), *changes):
            assert old in text, old
            text = text.replace(old, new)
        self.file.write_text(text, "utf-8")
        return self.file

    @contextmanager
    def edited(self, **deadlines: float) -> Iterator[dict[str, Any]]:
        """Change the lab as a tree; deadlines are set in passing."""
        yaml = YAML(typ="safe")
        tree = yaml.load(self.file)
        tree.setdefault("deadlines", {}).update(deadlines)
        yield tree
        yaml.dump(tree, self.file)

    def suite(self, text: str) -> Path:
        """A suite on the shared resource."""
        path = self.folder / "suite.robot"
        head = f"*** Settings ***\nResource    {HOME}/robot/resources/bench.resource\n"
        path.write_text(head + text, "utf-8")
        return path

    def start(
        self, *arguments: str | Path, module: Sequence[str] = RCSLAB, **more: Any
    ) -> subprocess.Popen[str]:
        """Begin a command in the folder, in a process group of its own."""
        process = subprocess.Popen(
            [*module, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment | more.pop("env", {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            **more,
        )
        self.started.append(process)
        return process

    def run(self, *arguments: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run a command of rcslab to its end."""
        process = self.start(*arguments, **more)
        out, errors = process.communicate(timeout=50)
        return subprocess.CompletedProcess(process.args, process.returncode, out, errors)

    def summary(self) -> dict[str, Any]:
        found = json.loads((self.latest / "summary.json").read_text("utf-8"))
        assert isinstance(found, dict)
        return found

    def processes(self) -> dict[int, str]:
        """Processes of this lab, whoever their parent is now: its folder is in their environment."""
        mark, found = f"TMPDIR={self.temporary}".encode(), {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    if mark in (entry / "environ").read_bytes():
                        found[int(entry.name)] = (
                            (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                        )
                except (OSError, ProcessLookupError):
                    continue
        return found

    def files(self) -> list[Path]:
        """Leases and temporary files that are there."""
        return [*self.temporary.rglob("*"), *(self.folder / "run").rglob("*.lease")]

    def wait_clean(self, seconds: float = CLEAN_SECONDS) -> None:
        """Wait until no process of this lab is left, then see that no file is."""
        descriptors = {}
        for pid, command in self.processes().items():
            try:
                descriptors[os.pidfd_open(pid)] = command
            except ProcessLookupError:
                continue
        late = [
            command
            for descriptor, command in descriptors.items()
            if not select.select([descriptor], [], [], seconds)[0]
        ]
        for descriptor in descriptors:
            os.close(descriptor)
        assert not late
        assert self.files() == []


@pytest.fixture
def own_lab(tmp_path: Path) -> Iterator[OwnLab]:
    """The default lab in a folder of its own; what a failed test left is killed."""
    lab = OwnLab(tmp_path)
    lab.temporary.mkdir()
    (tmp_path / "run").mkdir()
    lab.write()
    yield lab
    for pid in lab.processes():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for process in lab.started:
        process.communicate()


@pytest.fixture
def here(own_lab: OwnLab, monkeypatch: pytest.MonkeyPatch) -> OwnLab:
    """The same lab for code that runs in this process."""
    import tempfile

    for name in ("TMPDIR", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, own_lab.environment[name])
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.chdir(own_lab.folder)
    return own_lab


@dataclass(frozen=True)
class Said:
    """What a command said and how it ended."""

    code: int
    out: str
    errors: str


@pytest.fixture
def rcslab(
    here: OwnLab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """The command in this process, which saves the second it takes to load."""
    from harness.cli import main

    def run(*arguments: str | Path) -> Said:
        monkeypatch.setattr(sys, "argv", ["rcslab", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)

    return run


SHA256 = hashes.SHA256()


class Authority:
    """A certificate authority of a test: makes certificates and keys as PEM files."""

    def __init__(self, folder: Path, name: str = "Test CA") -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._built(self.name, self.key, [BASIC_CA])
        self.file = folder / f"{name.replace(' ', '-').lower()}.pem"
        self.file.write_bytes(self.certificate.public_bytes(Encoding.PEM))

    def issue(
        self,
        *names: str,
        common_name: str = "test",
        usage: x509.ObjectIdentifier | None = None,
        days: int = 1,
        self_signed: bool = False,
        digest: hashes.HashAlgorithm = SHA256,
    ) -> tuple[Path, Path]:
        """Files of a certificate and its key.

        names: `sip:host`, an address, or a DNS name. digest: the hash function of the signature.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        extensions: list[x509.ExtensionType] = []
        if names:
            extensions.append(x509.SubjectAlternativeName([_general_name(name) for name in names]))
        if usage is not None:
            extensions.append(x509.ExtendedKeyUsage([usage]))
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        made = self._built(subject, key, extensions, days, key if self_signed else self.key, digest)
        stem = f"{len(list(self.folder.iterdir()))}-{common_name}"
        certificate, key_file = self.folder / f"{stem}.pem", self.folder / f"{stem}.key"
        certificate.write_bytes(made.public_bytes(Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        return certificate, key_file

    def _built(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        extensions: list[x509.ExtensionType],
        days: int = 1,
        signer: ec.EllipticCurvePrivateKey | None = None,
        digest: hashes.HashAlgorithm = SHA256,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        own = signer is key
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if own else self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=2))
            .not_valid_after(now + datetime.timedelta(days=days))
        )
        for each in extensions:
            builder = builder.add_extension(each, critical=isinstance(each, x509.BasicConstraints))
        return builder.sign(signer or self.key, digest)


BASIC_CA = x509.BasicConstraints(ca=True, path_length=None)


def _general_name(text: str) -> x509.GeneralName:
    if text.startswith(("sip:", "sips:", "im:")):
        return x509.UniformResourceIdentifier(text)
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A certificate authority of this test's own."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    return Authority(folder)

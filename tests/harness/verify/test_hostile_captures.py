"""Whatever file is given, `rcslab verify` ends in findings or says why not, and takes little memory."""

from __future__ import annotations

import subprocess
import sys
from itertools import cycle
from pathlib import Path

import pytest

from harness import cli
from harness.verify.report.formats import FORMATS
from tests.harness.verify.hostile_captures import HEAVY, SMALL

MOST_MIB = 200
# What the kernel tells a parent of its child counts the parent too.
MEASURED = """
import sys
from harness import cli
try:
    cli.main()
finally:
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    print(status["VmHWM"].split()[0], file=sys.stderr)
"""


def verify(monkeypatch: pytest.MonkeyPatch, path: Path, format_: str) -> int:
    monkeypatch.setattr(sys, "argv", ["rcslab", "verify", str(path), "--format", format_])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.mark.parametrize("kind", SMALL)
def test_a_hostile_file_ends_in_findings_or_a_reason(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    formats, path = cycle(FORMATS), tmp_path / "capture"
    for name, octets in SMALL[kind]():
        path.write_bytes(octets)
        code = verify(monkeypatch, path, next(formats))
        said = capsys.readouterr()
        assert code in (0, 1, 2), name
        assert bool(said.err) is (code == 2), name
        assert "Traceback" not in said.err, name


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to measure memory by")
@pytest.mark.parametrize("name", HEAVY)
def test_a_file_that_would_fill_memory_does_not(name: str, tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(HEAVY[name]())
    command = [sys.executable, "-c", MEASURED, "verify", str(path)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=55, check=False)
    assert said.returncode in (0, 1, 2), said.stderr
    assert "Traceback" not in said.stderr
    kibibytes = int(said.stderr.split()[-1])
    assert kibibytes < MOST_MIB * 1024

"""The files a run leaves.

results/<run>/ holds output.xml, log.html, report.html, junit.xml, summary.json, lab/ (logs of the lab's
processes) and evidence/<test>/; results/latest points at the newest run.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection
from pathlib import Path
from xml.etree import ElementTree

from harness.errors import UsageError
from harness.run.request import RunResult

SUMMARY, JUNIT, CONSOLE = "summary.json", "junit.xml", "robot-console.txt"
REMEMBERED_RUNS = 10


def new_run_folder(results: Path) -> Path:
    """results/<time>, new, with results/latest pointing at it."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for suffix in ("", *(f"-{n}" for n in range(2, 1000))):
        folder = results / (stamp + suffix)
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UsageError(
                f"{folder} cannot be made: {error.strerror}; set `results:` in lab.yaml"
            ) from None
        break
    link = results / f".latest-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(folder.name, target_is_directory=True)
    link.replace(results / "latest")
    return folder


def write_summary(result: RunResult) -> None:
    """Write summary.json."""
    text = json.dumps(result.as_dict(), indent=1, ensure_ascii=False)
    (result.folder / SUMMARY).write_text(text + "\n", encoding="utf-8")


def known_seconds(results: Path) -> dict[str, float]:
    """How long each test took when it last ran, by the summaries of the last runs."""
    known: dict[str, float] = {}
    for path in sorted(results.glob(f"[0-9]*/{SUMMARY}"))[-REMEMBERED_RUNS:]:
        try:
            summary = json.loads(path.read_text(encoding="utf-8"))
            known |= {str(name): float(seconds) for name, seconds in summary["test_seconds"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # of another version, or cut short: it tells nothing
    return known


def mark_infra(junit: Path, tests: Collection[str]) -> None:
    """In junit.xml the tests the lab spoilt are errors, not failures: that is JUnit's word for them."""
    if not tests or not junit.is_file():
        return
    tree = ElementTree.parse(junit)
    for suite in tree.iter("testsuite"):
        spoilt = [
            case for case in suite.iter("testcase") if f"{case.get('classname')}.{case.get('name')}" in tests
        ]
        for failure in (failure for case in spoilt for failure in case.findall("failure")):
            failure.tag = "error"
            failure.set("type", "infra")
        errors = sum(case.find("error") is not None for case in suite.iter("testcase"))
        suite.set("errors", str(errors))
        suite.set("failures", str(int(suite.get("failures", "0")) - errors))
    tree.write(junit, encoding="utf-8", xml_declaration=True)

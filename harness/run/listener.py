"""Robot's listener of a run: it gives the library its bench and tells how each test ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.keywords.test_record import RunVerdict, TestRecord
from harness.lab.bench import Bench
from harness.lab.stopping import StopSignals
from harness.RCS import RCS
from harness.run.request import TestEnd


class RunListener:
    """One Robot run on one bench. on_begin is given a test's full name, on_end how it ended."""

    ROBOT_LISTENER_API_VERSION = 3
    ROBOT_LISTENER_PRIORITY = -100  # after the library's own listener, which settles the status

    def __init__(
        self,
        bench: Bench,
        stop: StopSignals,
        on_end: Callable[[TestEnd], None],
        on_begin: Callable[[str], None] = lambda name: None,
    ) -> None:
        self._bench, self._stop, self._on_end, self._on_begin = bench, stop, on_end, on_begin
        self.total = 0
        """How many tests the run has; known when the first of them begins."""
        self._libraries: list[RCS] = []

    def start_suite(self, data: Any, result: Any) -> None:
        """Learn how many tests there are from the outermost suite; Robot's signal handlers are set by now."""
        if data.parent is None:
            self.total = data.test_count
            self._stop.patient = False
            self._stop.listen_in()

    def end_suite(self, data: Any, result: Any) -> None:
        """From the end of the outermost suite on Robot only writes its reports, which are wanted."""
        if data.parent is None:
            self._stop.patient = True

    def library_import(self, library: Any, importer: Any) -> None:
        """Put every imported RCS library on the bench of this run."""
        if isinstance(library.instance, RCS) and library.instance not in self._libraries:
            library.instance.use_bench(self._bench)
            self._libraries.append(library.instance)

    def start_test(self, data: Any, result: Any) -> None:
        """Tell which test begins."""
        self._on_begin(data.full_name)

    def end_test(self, data: Any, result: Any) -> None:
        """Tell how it ended: the library's verdict, where it has one."""
        record = self._record(data.full_name)
        exited = bool(result.tags.robot("exit"))
        plain = RunVerdict.PASS if result.passed else RunVerdict.FAIL
        if result.skipped or exited:
            plain = RunVerdict.INCONC
        folder = record.evidence.folder if record and record.evidence else None
        self._on_end(
            TestEnd(
                data.full_name,
                {"PASS": "pass", "FAIL": "fail"}.get(result.status, "skip"),
                record.verdict if record else plain,
                result.elapsed_time.total_seconds(),
                result.message,
                tuple(finding.as_dict() for finding in record.findings) if record else (),
                exited,
                f"{folder.parent.name}/{folder.name}" if folder else "",
            )
        )

    def _record(self, name: str) -> TestRecord | None:
        for library in self._libraries:
            if library.records and library.records[-1].name == name:
                return library.records[-1]
        return None

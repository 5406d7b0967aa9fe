"""The Robot Framework library: `Library    harness.RCS`.

It assembles the keyword modules, gives them the bench, and, as its own listener, judges every test when it
ends: a rule that fails a run, broken by the handset, fails the test that saw it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from robot.api import SkipExecution, logger
from robot.libraries.BuiltIn import BuiltIn, RobotNotRunningError
from robotlibcore import DynamicCore

from harness.cpm.identity import Msisdn
from harness.errors import LabError, NotOnBench, UsageError
from harness.keywords.capability import CapabilityKeywords
from harness.keywords.chat import ChatKeywords
from harness.keywords.chat_dialog import ChatDialog
from harness.keywords.chat_screen import ChatScreen
from harness.keywords.deferred import DeferredKeywords
from harness.keywords.file_screen import FileScreen
from harness.keywords.file_transfer import FileTransferKeywords
from harness.keywords.findings import Findings
from harness.keywords.group import GroupKeywords
from harness.keywords.group_screen import GroupScreen
from harness.keywords.handset import HandsetKeywords
from harness.keywords.large_message import LargeMessageKeywords
from harness.keywords.log_drain import LogDrain
from harness.keywords.log_page import failure_lines, show_evidence
from harness.keywords.modem import ModemKeywords
from harness.keywords.needs import needed_by, needs_of
from harness.keywords.network import Network
from harness.keywords.notifications import NotificationKeywords
from harness.keywords.pager import PagerKeywords
from harness.keywords.recipient_list import RecipientListKeywords
from harness.keywords.registration import Registration
from harness.keywords.technology import TechnologyKeywords
from harness.keywords.test_record import TestRecord, claim_folder, folder_name
from harness.keywords.topic import BenchAccess
from harness.lab.bench import Bench
from harness.lab.model import load_lab
from instruments.capability import Operation

STOPPED = "Execution terminated by signal"
"""How Robot calls a test that Ctrl-C or SIGTERM ended."""
TOPICS = (
    Registration,
    PagerKeywords,
    LargeMessageKeywords,
    DeferredKeywords,
    RecipientListKeywords,
    NotificationKeywords,
    HandsetKeywords,
    ChatKeywords,
    ChatDialog,
    ChatScreen,
    GroupScreen,
    GroupKeywords,
    FileScreen,
    FileTransferKeywords,
    ModemKeywords,
    Network,
    CapabilityKeywords,
    TechnologyKeywords,
    Findings,
)


class RCS(DynamicCore):  # type: ignore[misc]  # robotlibcore has no types
    """Keywords for RCS messaging tests on a bench.

    A bench is a handset (or two), a network simulator and the peer, which stands where the IMS core and the
    far party stand. Which equipment that is says lab.yaml. Under `rcslab run` the bench is up before the
    first test; under plain `robot` the first keyword brings it up.

    | ***** Settings *****
    | Library    harness.RCS
    |
    | ***** Test Cases *****
    | Text Is Delivered And Displayed
    |     Handset Is Registered
    |     Send Text From Handset    Hello
    |     Wait For Text From Handset    Hello
    |     Handset Shows Status    READ    of=Hello

    Every test is judged when it ends: each rule the handset broke that fails a run under the lab's profile
    fails the test. The ladder of the test is in its log, the capture and the rest under ``evidence/``.
    """

    ROBOT_LIBRARY_SCOPE = "GLOBAL"
    ROBOT_LISTENER_API_VERSION = 3
    ROBOT_LISTENER_PRIORITY = 100  # it settles the status of a test; every other listener shall see that
    ROBOT_LIBRARY_CONVERTERS = {Msisdn: Msisdn.from_robot}  # noqa: RUF012  # Robot reads a plain dict

    def __init__(self, lab: str | None = None, bench: str | None = None) -> None:
        """Takes the bench to work on, where `rcslab run` does not give it.

        ``lab`` is a lab file, default the lab.yaml found upward; ``bench`` its bench, default a free one.
        """
        self.ROBOT_LIBRARY_LISTENER = self
        self._lab, self._bench_name = lab, bench
        self._own_bench: Bench | None = None
        self._access = BenchAccess(self._open_bench)
        self._drain = LogDrain()
        self._test: str | None = None
        self._failure: LabError | None = None
        self._stopped = False
        self.records: list[TestRecord] = []
        super().__init__([topic(self._access) for topic in TOPICS])

    def use_bench(self, bench: Bench) -> None:
        """Work on a bench that is up already; whoever opened it closes it."""
        self._access.use(bench)

    def _open_bench(self) -> Bench:
        """Bring the bench up within a keyword; the test that runs is recorded from its beginning.

        A bench that did not come up is not tried again for every test.
        """
        if self._failure is not None:
            raise self._failure
        lab_file, folder = load_lab(Path(self._lab) if self._lab else None), _output_folder() / "lab"
        try:
            bench = self._own_bench = Bench.lease_and_open(lab_file, self._bench_name, folder)
        except LabError as error:
            self._failure = error
            raise
        if self._test is not None:
            self._access.record = TestRecord.begin(self._test, bench)
        return bench

    def run_keyword(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None) -> Any:
        """Run a keyword; a lab error in it makes the verdict of the test infra.

        After one, every keyword of the test raises it again at once: a lab that broke has no more to say.
        What a bench does not have skips the test.
        """
        if self._access.record is not None and self._access.record.infra is not None:
            raise self._access.record.infra
        try:
            self._refuse_what_lacks(name)
            return super().run_keyword(name, args, kwargs)
        except NotOnBench as error:
            raise SkipExecution(str(error)) from None
        except UsageError:
            if self._access.record is not None:
                self._access.record.misused = True
            raise
        except LabError as error:
            if self._access.record is not None:
                self._access.record.infra = error
            raise

    def _refuse_what_lacks(self, name: str) -> None:
        """Raises NotOnBench for a keyword not found in its test before, or one that opens the bench."""
        for operation in needs_of(self.keywords[name]):
            if not self._access.bench.offers(operation):
                raise NotOnBench(_lacks(name, operation, self._access.bench))

    # Listener, API version 3

    def start_test(self, data: Any, result: Any) -> None:
        """Begin the record of a test; mend the bench first when a part of it died in the test before."""
        self._drain.start()
        self._test = data.full_name
        if not self._access.is_open or self._stopped:
            return
        bench, failure = self._access.bench, None
        try:
            bench.mend()
            bench.restore()
        except LabError as error:
            failure = error
            logger.warn(f"infra: {error}")
        self._access.record = TestRecord.begin(data.full_name, bench)
        self._access.record.infra = failure
        if lacking := self._lacking(data, bench):
            skip_instead(data, lacking)

    def _lacking(self, test: Any, bench: Bench) -> str:
        """Why the test cannot run with the network simulator of this bench, "" when it can."""
        needed = needed_by(test, self.keywords)
        return "; ".join(
            _lacks(name, operation, bench)
            for operation, name in needed.items()
            if not bench.offers(operation)
        )

    def end_keyword(self, data: Any, result: Any) -> None:
        """Bring log lines of other threads into the keyword that ran while they were written."""
        self._drain.drain()

    def end_test(self, data: Any, result: Any) -> None:
        """Judge the test, write its evidence, show its ladder, and settle its status."""
        self._drain.drain()
        self._test, record, self._access.record = None, self._access.record, None
        if record is None:
            if self._failure is not None and not result.passed:
                _settle_infra(result, self._failure)
            return
        output = _output_folder()
        self._stopped = _was_stopped(result)
        folder = self._evidence_folder(output / "evidence", data.full_name)
        record.end(result.passed, result.skipped, folder, stopped=self._stopped)
        self.records.append(record)
        if record.evidence is not None:
            show_evidence(record.evidence, record.findings, output)
        if record.infra is not None:
            _settle_infra(result, record.infra)
        elif record.failing and not result.skipped:
            result.status = "FAIL"
            lines = failure_lines(record.failing)
            result.message = "\n".join([result.message, *lines] if result.message else lines)

    def _evidence_folder(self, parent: Path, test: str) -> Path:
        """A folder no other test has. What an earlier run of plain `robot` left in one is replaced."""
        if self._own_bench is None:
            return claim_folder(parent, test)
        taken = {done.evidence.folder.name for done in self.records if done.evidence}
        return parent / folder_name(test, taken)

    def close(self) -> None:
        """Called by Robot at the end of the run: end the bench if it was opened here."""
        self._drain.stop()
        if self._own_bench is not None:
            self._own_bench.close()


def _lacks(keyword: str, operation: Operation, bench: Bench) -> str:
    return (
        f"{keyword} needs an operation that the network simulator of bench {bench.name} has not: "
        f"{operation.meaning} ({bench.network_simulator_name})"
    )


def skip_instead(test: Any, reason: str) -> None:
    """Let the test end before its first step, with the reason."""
    test.setup = test.teardown = None
    test.body.clear()
    test.body.create_keyword("Skip", args=[reason])


def _settle_infra(result: Any, error: LabError) -> None:
    result.tags.add("infra")
    result.status = "FAIL"
    result.message = f"infra: {error}"


def _was_stopped(result: Any) -> bool:
    """Whether a signal ended this test, or the run before this test could begin."""
    return STOPPED in result.message or bool(result.tags.robot("exit"))


def _output_folder() -> Path:
    try:
        return Path(BuiltIn().get_variable_value("${OUTPUT DIR}") or ".")
    except RobotNotRunningError:
        return Path()

"""Keywords for the findings of the running test."""

from __future__ import annotations

from datetime import timedelta

from robot.api import logger
from robot.api.deco import keyword

from harness.errors import FindingsFailed, UsageError
from harness.keywords.topic import Topic
from harness.lab.model import Tolerances
from harness.verify.catalogue import load_catalogue
from harness.verify.finding import Finding, Party


class Findings(Topic):
    """What the verifier found in this test."""

    @keyword
    def findings_of_handset(self) -> list[Finding]:
        """Judges the test so far and returns the findings against the handset, of any severity."""
        found = [finding for finding in self.record.judge() if finding.party is Party.HANDSET]
        for finding in found:
            logger.info(str(finding))
        return found

    @keyword
    def expect_rule(self, rule: str) -> None:
        """Says that this rule is going to be broken on purpose: its findings do not fail the test."""
        if rule not in load_catalogue():
            raise UsageError(f"no rule {rule!r} in the catalogue; `rcslab rules` lists all")
        self.record.expected_rules.add(rule)

    @keyword
    def tolerate_between_layers(
        self,
        clock: timedelta | None = None,
        cell: timedelta | None = None,
        ims: timedelta | None = None,
    ) -> None:
        """Sets what rules across layers allow between clocks, cells and the modem until this test ends.

        What is not given is as `tolerances` of lab.yaml has it. Such a rule is decided when that time is
        over: without a tolerance at once, which a lab can do whose parts share a clock.

        | Tolerate Between Layers    clock=0 s    ims=0 s
        """
        given = {"clock": clock, "cell": cell, "ims": ims}
        changed = {name: value.total_seconds() for name, value in given.items() if value is not None}
        self.bench.tolerate(Tolerances(**{**self.bench.lab.tolerances.model_dump(), **changed}))

    @keyword
    def only_rule_reported_should_be(self, rule: str, *beside: str) -> None:
        """Fails unless the findings against the handset are of exactly this rule.

        ``beside`` are rules that cannot but report the same.
        """
        expected = {rule, *beside}
        for each in expected:
            self.expect_rule(each)
        found = {each.rule for each in self.findings_of_handset() if not each.waived or each.rule in expected}
        if found != expected:
            raise FindingsFailed(
                f"expected findings of {' and '.join(sorted(expected))} and of nothing else, "
                f"got {', '.join(sorted(found)) or 'none'}"
            )

    @keyword
    def rule_should_be_reported(self, rule: str, of: Party = Party.NETWORK) -> None:
        """Fails unless what came so far broke this rule: of the peer (NETWORK), when it errs on purpose."""
        if rule not in load_catalogue():
            raise UsageError(f"no rule {rule!r} in the catalogue; `rcslab rules` lists all")
        found = {finding.rule for finding in self.record.judge() if finding.party is of}
        if rule not in found:
            raise FindingsFailed(
                f"expected a finding of {rule} against the {of}, got {', '.join(sorted(found)) or 'none'}"
            )

    @keyword
    def no_finding_should_be_reported(self) -> None:
        """Fails on any finding against the handset in this test, whatever its severity, unless waived."""
        found = [finding for finding in self.findings_of_handset() if not finding.waived]
        if found:
            raise FindingsFailed("\n".join(str(finding) for finding in found))

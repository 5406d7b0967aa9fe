"""Keywords for what messaging is provisioned with: OMA CPM or OMA SIMPLE IM."""

from __future__ import annotations

from robot.api.deco import keyword

from devices.handset import ClientSetting
from harness.cpm.technology import ImTechnology
from harness.errors import NotOnBench
from harness.keywords.topic import Topic
from harness.lab.equipment import HandsetOnBench


class TechnologyKeywords(Topic):
    """The technology of the bench."""

    @keyword
    def use_im_technology(self, technology: ImTechnology) -> None:
        """Lets handsets and peer use CPM or SIMPLE_IM from now on, and waits for the new registrations.

        Nothing is done when they do. A handset that is provisioned otherwise by lab.yaml and cannot be told
        by a test skips it.

        | Use IM Technology    SIMPLE_IM
        """
        bench, before = self.bench, self.bench.peer.config.im_technology
        if before is technology:
            return
        bench.use_technology(technology)  # first: what is registered next is judged by it
        try:
            for handset in bench.handsets.values():
                self._provision(handset, technology)
        except NotOnBench:
            bench.use_technology(before)
            raise

    def _provision(self, handset: HandsetOnBench, technology: ImTechnology) -> None:
        self.act()
        handset.android.change_setting(ClientSetting.IM_TECHNOLOGY, technology.value)
        seconds = self.bench.lab.deadlines.registration
        waiting = self.bench.peer.registrar.wait_registered(
            handset.part.msisdn, timeout=seconds, after=self.access.mark
        )
        self.call(waiting, seconds)

    @keyword
    def use_im_technology_of_lab(self) -> None:
        """Goes back to what lab.yaml says."""
        self.use_im_technology(self.bench.part.im_technology)

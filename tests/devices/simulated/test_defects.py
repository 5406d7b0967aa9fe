"""Each defect of the simulated handset is reported by its one rule; without a defect nothing is reported."""

from __future__ import annotations

import pytest

from devices.simulated.defects import DEFECTS, Defects
from harness.errors import UsageError
from harness.evidence.timeline import Transport
from harness.peer.config import Authentication
from harness.verify.catalogue import load_catalogue
from tests.devices.simulated.exchange import Exchange, SessionExchange, shown, told

EXPECTED_OF_SAMSUNG = {
    "pager.no-contact",
    "ims.sip-instance.non-register",
    "ims.imsi-derived",
    "sip.via.transport-param",
    "ims.ids.uuid",
    "ims.user-agent",
    "imdn.same-conversation",
}


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_samsung_ims_is_reported_as_the_field_trace_is(host: str) -> None:
    exchange = Exchange(host=host, personality="samsung-ims-5.0")
    for profile, must in (("rcs51", False), ("ietf", True)):
        findings = await exchange.run() if profile == "rcs51" else exchange.judge(profile)
        assert told(findings) == EXPECTED_OF_SAMSUNG, shown(findings)
        assert all(finding.party == "handset" for finding in findings), shown(findings)
        failing = {finding.rule for finding in findings if finding.fails}
        assert failing == ({"pager.no-contact", "ims.sip-instance.non-register"} if must else set())


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
@pytest.mark.parametrize("name", DEFECTS)
async def test_defect_is_reported_by_its_rule_alone(name: str, transport: Transport) -> None:
    flow = DEFECTS[name].flow
    if flow == "text":
        findings = await Exchange(transport=transport).run(name)
    else:
        findings = await SessionExchange(transport=transport).run_flows(flow, defects=(name,))
    assert told(findings) == {DEFECTS[name].rule, *DEFECTS[name].beside}, shown(findings)
    assert all(finding.party == "handset" for finding in findings), shown(findings)


@pytest.mark.parametrize("authentication", [Authentication.AKA, Authentication.DIGEST])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
async def test_without_defects_nothing_is_reported(
    transport: Transport, host: str, authentication: Authentication
) -> None:
    exchange = Exchange(transport=transport, host=host, authentication=authentication)
    findings = await exchange.run()
    findings += exchange.judge("ietf")
    assert not findings, shown(findings)
    assert told(exchange.judge("up2")) == {"large.pager-large-tag"}  # a tag that RCS 5.1 does not have


async def test_switched_on_and_off_while_it_runs() -> None:
    exchange = Exchange()
    await exchange.start()
    try:
        await exchange.register()
        for defects in (["no_max_forwards"], [], ["imdn_no_datetime"], []):
            exchange.defects.switch(defects)
            mark = len(exchange.timeline)
            await exchange.write(f"with {defects}")
            await exchange.read(f"read with {defects}")
            rules = {DEFECTS[name].rule for name in defects}
            found = [finding for finding in exchange.judge("rcs51") if finding.where.entry > mark]
            assert told(found) == rules, shown(found)
    finally:
        await exchange.stop()


def test_there_are_many_and_each_names_a_rule_that_is_implemented() -> None:
    catalogue = load_catalogue()
    assert len(DEFECTS) >= 30
    for defect in DEFECTS.values():
        assert catalogue[defect.rule].implemented, defect


def test_an_unknown_name_changes_nothing() -> None:
    defects = Defects(["content_lenfth"])
    with pytest.raises(UsageError, match="no defect nonsense"):
        defects.switch(["imdn_twice", "nonsense"])
    assert defects.active == ("content_lenfth",)
    defects.switch([" imdn_twice ", ""])
    assert defects.active == ("imdn_twice",)
    defects.switch([""])
    assert defects.active == ()

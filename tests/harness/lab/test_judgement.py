"""What a bench tells its peer and its verifier of lab.yaml and of the command line."""

from __future__ import annotations

import pytest

from harness.cpm.services import Service
from harness.lab.bench import peer_config, verify_settings
from harness.lab.model import load_lab
from harness.peer.config import Authentication
from tests.conftest import HOME

SUITE = """
*** Test Cases ***
Contact In A Message
    Start From A Registered Handset
    Set Handset Property    debug.rcslab.defects    contact_in_message
    Send Text From Handset    one
    Wait For Text From Handset    one
"""


@pytest.mark.parametrize(("profile", "code"), [("rcs51", 0), ("ietf", 1)])
def test_the_profile_of_the_command_line_decides_what_fails(own_lab, profile, code):
    """pager.no-contact: MUST in RFC 3428 4, and what handsets do all the same."""
    own_lab.suite(SUITE)
    done = own_lab.run("run", "--profile", profile, "suite.robot")
    assert done.returncode == code, done.stdout + done.stderr
    found = {finding["rule"]: finding["fails"] for finding in own_lab.summary()["findings"]}
    assert found["pager.no-contact"] is bool(code)


EACH_WAY = """
*** Test Cases ***
Text And Chat
    Start From A Registered Handset
    Exchange A Text Each Way
    ${chat} =    Invite Handset To Chat
    End Chat With Handset    ${chat}
    No Finding Should Be Reported
"""
KNOWN = HOME / "devices/simulated/samsung-ims-5.0.waivers.yaml"


@pytest.mark.parametrize("waivers", [[], [("profile: rcs51", f"profile: rcs51\nwaivers: {KNOWN}")]])
def test_known_findings_of_a_product_fail_no_test_of_its_lab(own_lab, waivers):
    own_lab.write(*waivers)
    own_lab.suite(EACH_WAY)
    done = own_lab.run("run", "--personality", "samsung-ims-5.0", "suite.robot")
    assert done.returncode == (0 if waivers else 1), done.stdout + done.stderr
    found = [each for each in own_lab.summary()["findings"] if each["party"] == "handset"]
    assert len({each["rule"] for each in found}) > 10
    assert {bool(each["waived"]) for each in found} == {bool(waivers)}


TOLERANT = """
*** Test Cases ***
With Tolerance
    Claim To Be Registered

Without Tolerance
    Tolerate Between Layers    ims=0 s
    Claim To Be Registered

With Tolerance Again
    Claim To Be Registered


*** Keywords ***
Claim To Be Registered
    Start From A Registered Handset
    Set Handset Property    debug.rcslab.defects    claims_ims
    Switch Airplane Mode On
    Handset Deregisters
    Modem Should Be Registered For IMS
    Findings Of Handset
    Set Handset Property    debug.rcslab.defects    ${EMPTY}
"""


def test_a_tolerance_of_a_test_ends_with_it(own_lab):
    own_lab.write(("ims: 0.3", "ims: 60"))
    own_lab.suite(TOLERANT)
    assert own_lab.run("run", "suite.robot").returncode == 0
    found = own_lab.summary()["findings"]
    assert {each["test"] for each in found if each["rule"] == "x.cireg-agrees"} == {"Suite.Without Tolerance"}


def test_the_verifier_knows_what_lab_yaml_says(own_lab):
    lab = load_lab(own_lab.file).lab
    tolerances = lab.tolerances.model_copy(update={"clock": 1.0, "cell": 2.0, "ims": 3.0})
    settings = verify_settings(lab.benches["a"], tolerances)
    assert settings.icsis == {Service.PAGER.icsi}
    assert settings.from_start is True
    assert settings.conference_factory == "sip:conference-factory@ims.mnc001.mcc001.3gppnetwork.org"
    assert settings.deferred_messages == "sip:deferred-messages@ims.mnc001.mcc001.3gppnetwork.org"
    told = settings.clock_tolerance, settings.cell_tolerance, settings.registration_window
    assert told == (1.0, 2.0, 3.0)


def test_the_peer_knows_the_subscription_and_its_secrets(own_lab, monkeypatch):
    monkeypatch.setenv("SIM_A_PASSWORD", "of the environment")
    config = peer_config(load_lab(own_lab.file).lab.benches["a"])
    (subscriber,) = config.subscribers
    domain = "ims.mnc001.mcc001.3gppnetwork.org"
    assert subscriber.impi == f"001010123456789@{domain}"
    assert subscriber.impus == (f"sip:+12025550101@{domain};user=phone", "tel:+12025550101")
    assert subscriber.password == "of the environment"
    assert subscriber.k is not None and subscriber.opc is not None
    assert config.authentication is Authentication.AKA

*** Settings ***
Documentation       The harness tested: each defect of the simulated handset is reported by its rule and by no other.

Resource            ../../resources/bench.resource

Test Setup          Start From A Registered Handset
Test Teardown       Set Handset Property    debug.rcslab.defects    ${EMPTY}
Test Tags           selftest


*** Test Cases ***

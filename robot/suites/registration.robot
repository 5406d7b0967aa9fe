*** Settings ***
Documentation    Registration: REGISTER with credentials, refresh, refusals, and both ways of ending it.

Resource         ../resources/bench.resource

Test Setup       Start From A Registered Handset


*** Variables ***
${PAGER_ICSI}    urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg


*** Test Cases ***
Handset Registers When It Is Switched On
    Switch Airplane Mode On
    Handset Deregisters
    Switch Airplane Mode Off
    ${binding} =    Handset Registers
    Binding Should Have Feature Tag    ${binding}    +g.3gpp.icsi-ref    ${PAGER_ICSI}

Modem Tells What The Registrar Knows
    Modem Should Be Registered For IMS
    Switch Airplane Mode On
    Handset Deregisters
    Modem Should Be Registered For IMS    registered=${False}
    Switch Airplane Mode Off
    Handset Registers
    Modem Should Be Registered For IMS

Handset Refreshes Before Its Registration Expires
    Registrar Grants At Most    2 seconds
    Restart Radio
    Handset Registers
    Switch Airplane Mode Off
    Handset Registers    timeout=3 seconds

Handset Takes A Longer Interval When The Registrar Asks For It
    [Documentation]    423 with Min-Expires (RFC 3261 10.2.8): the next REGISTER asks for that much at least.
    Switch Airplane Mode On
    Handset Deregisters
    Registrar Answers Next Register    423    Min_Expires=700000
    Switch Airplane Mode Off
    ${binding} =    Handset Registers
    Should Be True    ${binding.expires} > 0

Handset Waits As Long As The Registrar Asks
    [Documentation]    503 with Retry-After: no REGISTER before, one after it.
    Switch Airplane Mode On
    Handset Deregisters
    Registrar Answers Next Register    503    Retry_After=1
    Switch Airplane Mode Off
    Handset Is Refused    503
    Handset Does Not Register    seconds=0.5 seconds
    Handset Registers

Handset Stops When Its Subscription Is Refused
    Switch Airplane Mode On
    Handset Deregisters
    Registrar Answers Next Register    403
    Switch Airplane Mode Off
    Handset Is Refused    403
    Handset Does Not Register
    Modem Should Be Registered For IMS    registered=${False}
    Restart Radio
    Handset Registers

Handset Registers Again When The Network Ends Its Registration
    Network Ends Registration
    Handset Registers

Handset Stays Away When The Network Rejects It
    Network Ends Registration    rejected=${True}
    Handset Does Not Register
    Modem Should Be Registered For IMS    registered=${False}
    Restart Radio
    Handset Registers

Handset Resynchronises Its Sequence Number
    [Documentation]    AKA with a sequence number the SIM has seen before: AUTS, then a challenge it accepts
    ...    (RFC 3310 3.4).
    Registrar Authenticates With    AKA
    Registrar Forgets Sequence Numbers
    Restart Radio
    Handset Registers

Network Simulator Knows The Handset That Registered
    Network Simulator Should Know Handset


*** Keywords ***
Restart Radio
    [Documentation]    Airplane mode on and, when the modem has left IMS, off again.
    Switch Airplane Mode On
    Modem Should Be Registered For IMS    registered=${False}
    Switch Airplane Mode Off

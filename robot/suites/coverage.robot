*** Settings ***
Documentation    The radio goes away in the middle: nothing is lost, nothing is sent twice, and the handset comes back.

Resource         ../resources/bench.resource

Test Setup       Start From A Registered Handset


*** Test Cases ***
Handset Registers Again After Loss Of Coverage
    Lose Coverage
    Switch Cell On
    Handset Attaches
    Handset Registers

Text Written Without Coverage Leaves When Coverage Returns
    Lose Coverage
    Send Text From Handset    From the tunnel
    No Text Comes From Handset
    Switch Cell On
    Handset Registers
    Wait For Text From Handset    From the tunnel
    Handset Shows Status    READ    of=From the tunnel

Text In Flight When Coverage Is Lost Arrives Once
    [Documentation]    The peer is silent while the cell goes off: the text comes again, with its imdn.Message-ID.
    Peer Answers Next Message    NONE
    Send Text From Handset    Cut off
    ${first} =    Wait For Text From Handset    Cut off
    Lose Coverage
    Peer Answers As Usual
    Switch Cell On
    Handset Registers
    ${second} =    Wait For Next Text From Handset    Cut off
    Should Be Equal    ${first.message_id}    ${second.message_id}
    Handset Shows Status    READ    of=Cut off

Display Notification Waits For Coverage
    ${message} =    Send Text To Handset    Read me in the tunnel
    Wait For Notification    ${message}    DELIVERED
    Lose Coverage
    Handset Shows Text    Read me in the tunnel
    Switch Cell On
    Handset Registers
    Wait For Notification    ${message}    DISPLAYED

Weak Cell Is No Coverage
    Set Cell Power    -135
    Modem Should Be Registered For IMS    registered=${False}
    Set Cell Power    -85
    Handset Registers

Text Waits While The Cell Is Out Of Service
    Take Cell Out Of Service
    Modem Should Be Registered For IMS    registered=${False}
    Send Text From Handset    From a cell without service
    No Text Comes From Handset
    Put Cell Into Service
    Handset Registers
    Wait For Text From Handset    From a cell without service

Handset Comes Back When The Network Detaches It
    Network Detaches Handset
    Handset Registers
    Send Text From Handset    Back again
    Wait For Text From Handset    Back again

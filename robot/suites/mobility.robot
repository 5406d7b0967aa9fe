*** Settings ***
Documentation    The network changes under a handset that is registered: tracking area, cell, level, P-CSCF, detach.

Resource         ../resources/bench.resource

Test Setup       Start From A Registered Handset


*** Test Cases ***
Registration Is Refreshed From Another Tracking Area
    [Documentation]    The handset moves and stays registered; the refresh that is due anyway names the new area.
    Registrar Grants At Most    2 seconds
    Switch Airplane Mode On
    Handset Deregisters
    Switch Airplane Mode Off
    ${before} =    Handset Registers
    Change Cell    tac=${2748}    eci=${4660}    on_air=${True}
    Modem Should Camp On Cell    2748    4660
    ${after} =    Handset Registers    timeout=4 seconds
    Should Be Equal    ${after.call_id}    ${before.call_id}
    Should Contain    ${after.access_network}    0ABC0001234    ignore_case=True

Text Is Sent From The Cell The Handset Moved To
    [Documentation]    P-Access-Network-Info follows the cell while the registration stays.
    Change Cell    tac=${2748}    eci=${4660}    on_air=${True}
    Modem Should Camp On Cell    2748    4660
    Send Text From Handset    On the move
    ${message} =    Wait For Text From Handset    On the move
    Should Contain    ${message.request.get('P-Access-Network-Info')}    0ABC0001234    ignore_case=True
    Modem Should Be Registered For IMS

Registration Is Made Anew In A Cell Of Another Tracking Area
    [Documentation]    The cell was off for the change: the handset attaches, and its REGISTER names where it is now.
    Change Cell    tac=${2748}    eci=${4660}
    ${binding} =    Handset Registers
    Should Contain    ${binding.access_network}    0ABC0001234    ignore_case=True
    Network Simulator Should Know Handset

Text Written In A Weak Cell Leaves When It Is Strong Again
    Set Cell Power    -135
    Modem Should Be Registered For IMS    registered=${False}
    Send Text From Handset    From the cellar
    No Text Comes From Handset
    Set Cell Power    -85
    Handset Registers
    Wait For Text From Handset    From the cellar

Notification Waits While The Network Keeps The Handset Away
    ${message} =    Send Text To Handset    Read me on the way
    Wait For Notification    ${message}    DELIVERED
    Network Detaches Handset
    Handset Shows Text    Read me on the way
    Handset Registers
    Wait For Notification    ${message}    DISPLAYED

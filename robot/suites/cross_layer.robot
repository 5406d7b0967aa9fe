*** Settings ***
Documentation    What only a whole lab can check: SIP against AT, against the network simulator, against the screen.

Resource         ../resources/bench.resource

Test Setup       Start From A Registered Handset


*** Test Cases ***
Instance Id Is The IMEI Of The Modem
    ${imei} =    IMEI Of Modem
    Switch Airplane Mode On
    Handset Deregisters
    Switch Airplane Mode Off
    ${binding} =    Handset Registers
    Should Contain    ${binding.instance}    ${imei}[:8]-${imei}[8:14]-0

Location Follows The Cell
    [Documentation]    P-Access-Network-Info names the cell that the network simulator broadcasts.
    Change Cell    tac=${2748}    eci=${4660}
    Handset Registers
    Modem Should Camp On Cell    2748    4660
    Send Text From Handset    Where am I?
    ${message} =    Wait For Text From Handset    Where am I?
    Should Contain    ${message.request.get('P-Access-Network-Info')}    0ABC0001234    ignore_case=True

Handset Takes Its P-CSCF From The Network
    [Documentation]    The network hands out another address of the peer: IPv6 in the default lab.
    ${addresses} =    Addresses Of P-CSCF
    Skip If    len($addresses) < 2    the peer of this bench has one address only
    Network Names P-CSCF    ${addresses}[1]
    Handset Registers
    Modem Should Know P-CSCF    ${addresses}[1]
    Exchange A Text Each Way    By another way    And back
    [Teardown]    Network Names P-CSCF    ${addresses}[0]

Screen Shows What Was On The Wire
    Exchange A Text Each Way    What I wrote    What I read
    ${texts} =    Texts On Screen
    Should Be Equal    ${texts}[-2:]    ${{['What I wrote', 'What I read']}}

Whole Exchange Gives No Finding
    Exchange A Text Each Way
    No Finding Should Be Reported

*** Settings ***
Documentation    Files in a group and to several numbers: one INVITE to the focus or with a list, a notification of
...              each who got it; files of members; what is refused, and coverage that is lost.

Resource         ../resources/bench.resource
Resource         ../resources/group.resource

Test Setup       Start From A Registered Handset
Test Teardown    Leave Files And Groups


*** Variables ***
@{BOTH}    ${ALICE}    ${BOB}


*** Test Cases ***
File To A Group Reaches Every Member
    [Documentation]    INVITE to the focus without a list; CPIM to the group; each member notifies by MESSAGE.
    ${group} =    Found A Group    Album    @{BOTH}
    Wait For Members Of Group    ${group}    3
    ${file} =    File Of Octets    10000    trip.jpg
    Send File From Handset    ${file}    group=Album
    ${received} =    Wait For File From Handset    trip.jpg
    Received File Should Be    ${received}    ${file}
    INVITE Should Go To The Group    ${received.transfer}    ${group}
    Wait For Notifications Of Far Party    4
    Handset Shows File    trip.jpg    DONE    READ    group=Album
    No Finding Should Be Reported

File Of A Member Is Shown In The Group
    [Documentation]    INVITE of the focus, Referred-By the member, who is notified by MESSAGE.
    ${group} =    Found A Group    Slides    @{BOTH}
    ${file} =    File Of Octets    10000    talk.pdf
    ${transfer} =    Offer File To Handset    ${file}    group=${group}    sender=${BOB}
    Wait Until File Is Delivered    ${transfer}
    ${delivered} =    Wait For Notification    ${transfer}    DELIVERED    by=MESSAGE
    Should Contain    ${delivered.cpim.to.uri}    ${BOB}
    Handset Shows File    talk.pdf    group=Slides
    Wait For Notification    ${transfer}    DISPLAYED    by=MESSAGE
    Handset Has File    ${file}
    No Finding Should Be Reported

File Of A Member Inside CPIM
    ${group} =    Found A Group    Wrapped    ${ALICE}
    ${file} =    File Of Octets    5000    inside.bin
    ${transfer} =    Offer File To Handset    ${file}    group=${group}    sender=${ALICE}    wrapped=${True}
    Wait Until File Is Delivered    ${transfer}
    Wait For Notification    ${transfer}    DELIVERED    by=MESSAGE
    Handset Has File    ${file}

User Declines A File Of A Member
    Handset Asks Before Accepting    FILE
    ${group} =    Found A Group    Picky    ${ALICE}
    ${file} =    File Of Octets    3000    unwanted.jpg
    ${transfer} =    Offer File To Handset    ${file}    group=${group}    sender=${ALICE}
    Wait For Ringing File
    Decline On Handset    unwanted.jpg    group=Picky
    Wait For Answer To File    ${transfer}    603
    Handset Shows File    unwanted.jpg    DECLINED    group=Picky

File To A Group That Refuses Is Shown As Not Sent
    [Template]    Refusal Shows As A File Not Sent To The Group
    403
    486
    603

File Joins The Group Again
    [Documentation]    The session is gone, the group is not: INVITE to the focus, and then the file.
    ${group} =    Found A Group    Rejoined    ${ALICE}
    End Session With Group    ${group}
    ${file} =    File Of Octets    3000    again.jpg
    Send File From Handset    ${file}    group=Rejoined
    ${received} =    Wait For File From Handset    again.jpg
    Received File Should Be    ${received}    ${file}
    INVITE Should Go To The Group    ${received.transfer}    ${group}
    Handset Shows People In Group    1    Rejoined

File To A Group That Is Gone Founds It Anew
    [Documentation]    404: the handset goes to the factory with a list, and sends the file to the new focus.
    ${group} =    Found A Group    Ashes    ${ALICE}
    End Group    ${group}
    Handset Shows Note    Group closed: Gone    group=Ashes
    ${file} =    File Of Octets    3000    phoenix.jpg
    Send File From Handset    ${file}    group=Ashes
    ${received} =    Wait For File From Handset    phoenix.jpg
    Should Not Be Equal    ${received.transfer.invite.request.uri}    ${group.uri}
    Received File Should Be    ${received}    ${file}

Coverage Lost In The Middle Of A File To A Group
    [Documentation]    The handset joins again, and sends the octets that are missing.
    Found A Group    Halfway    @{BOTH}
    Peer Holds Next File    100000
    ${file} =    File Of Octets    1200000    tunnel.bin
    Send File From Handset    ${file}    group=Halfway
    Handset Shows File    tunnel.bin    MOVING    group=Halfway
    Lose Coverage
    Regain Coverage
    ${received} =    Wait For File From Handset    tunnel.bin
    Received File Should Be    ${received}    ${file}
    Handset Shows File    tunnel.bin    DONE    READ    group=Halfway

Coverage Lost While A File Of A Member Rings
    Handset Asks Before Accepting    FILE
    ${group} =    Found A Group    Missed    ${ALICE}
    ${file} =    File Of Octets    3000    missed.jpg
    Offer File To Handset    ${file}    group=${group}    sender=${ALICE}
    Wait For Ringing File
    Lose Coverage
    Handset Shows File    missed.jpg    FAILED    group=Missed
    Regain Coverage
    Handset Writes And Is Read    ${group}    Send it again

File To Several Reaches Each Recipient
    [Documentation]    One INVITE with a list to the list service; each recipient notifies as itself.
    ${file} =    File Of Octets    10000    both.jpg
    Send File To Several From Handset    ${file}    @{BOTH}
    ${received} =    Wait For File From Handset    both.jpg
    Received File Should Be    ${received}    ${file}
    Recipients Of Text Should Be    ${received.message}    @{BOTH}
    Should Be Equal    ${received.transfer.invite.request.get('Require')}    recipient-list-invite
    Wait For Notifications Of Far Party    4
    Handset Shows File Of Several    both.jpg    DONE    READ    @{BOTH}
    No Finding Should Be Reported

File To Several Is Delivered When All Have It
    Far Party Notifies    delivered=NONE    displayed=NONE
    ${file} =    File Of Octets    3000    step.jpg
    Send File To Several From Handset    ${file}    @{BOTH}
    ${received} =    Wait For File From Handset    step.jpg
    Notify Handset As Recipient    ${received.message}    ${ALICE}
    Handset Shows File Of Several    step.jpg    DONE    SENT    @{BOTH}
    Notify Handset As Recipient    ${received.message}    ${BOB}
    Handset Shows File Of Several    step.jpg    DONE    DELIVERED    @{BOTH}

Recipients Report A File Together
    [Documentation]    One notification of the list service with a part for each recipient (RFC 5438 8.3).
    Recipients Notify Together
    ${file} =    File Of Octets    3000    once.jpg
    Send File To Several From Handset    ${file}    @{BOTH}
    Handset Shows File Of Several    once.jpg    DONE    READ    @{BOTH}

File To Several That Is Refused Is Shown As Not Sent
    Peer Answers Next File    403
    ${file} =    File Of Octets    3000    nobody.jpg
    Send File To Several From Handset    ${file}    @{BOTH}
    Handset Shows File Of Several    nobody.jpg    FAILED    NOT_SENT    @{BOTH}

File That Went To Others Too Is Notified To Its Sender
    [Documentation]    The INVITE shows who else got it (recipient-list-history, RFC 5366 5).
    ${file} =    File Of Octets    3000    circular.pdf
    ${transfer} =    Offer File To Handset    ${file}    others=${BOTH}
    Wait Until File Is Delivered    ${transfer}
    Wait For Notification    ${transfer}    DELIVERED    by=MESSAGE
    Handset Has File    ${file}
    No Finding Should Be Reported

Coverage Lost In The Middle Of A File To Several
    [Documentation]    It goes on with the octets that are missing, and with its list.
    Peer Holds Next File    100000
    ${file} =    File Of Octets    1200000    cutoff.bin
    Send File To Several From Handset    ${file}    @{BOTH}
    Handset Shows File Of Several    cutoff.bin    MOVING    ${NONE}    @{BOTH}
    Lose Coverage
    Regain Coverage
    ${received} =    Wait For File From Handset    cutoff.bin
    Received File Should Be    ${received}    ${file}
    Recipients Of Text Should Be    ${received.message}    @{BOTH}
    Handset Shows File Of Several    cutoff.bin    DONE    READ    @{BOTH}


*** Keywords ***
INVITE Should Go To The Group
    [Documentation]    To its focus, with its Conversation-ID, without a list; its CPIM headers are for the group.
    [Arguments]    ${transfer}    ${group}
    Should Be Equal    ${transfer.invite.request.uri}    ${group.uri}
    Should Be Equal    ${transfer.conversation_id}    ${group.conversation_id}
    Should Be Equal    ${transfer.invite.request.get('Require')}    ${None}
    Should Be Equal    ${transfer.came.message.cpim.to.uri}    ${group.uri}

Refusal Shows As A File Not Sent To The Group
    [Documentation]    The focus answers the INVITE with this status; the group goes on.
    [Arguments]    ${status}
    ${group} =    Found A Group    Without files ${status}    ${ALICE}
    Peer Answers Next File    ${status}
    ${file} =    File Of Octets    3000    refused-${status}.bin
    Send File From Handset    ${file}    group=Without files ${status}
    Handset Shows File    refused-${status}.bin    FAILED    NOT_SENT    group=Without files ${status}
    Handset Writes And Is Read    ${group}    Text then

Leave Files And Groups
    [Documentation]    The settings of the app as they were, and no group goes on.
    Handset Accepts By Itself    FILE
    Leave Nothing Behind

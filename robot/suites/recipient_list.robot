*** Settings ***
Documentation    Texts to several who are no group: a list service sends them to each, and each notifies.

Resource         ../resources/bench.resource

Test Setup       Start From A Registered Handset


*** Variables ***
${ANNE}     +12025550171
${BEN}      +12025550172
${CARLA}    +12025550173
@{BOTH}     ${ANNE}    ${BEN}


*** Test Cases ***
Text To Several Is Delivered And Displayed
    [Documentation]    One MESSAGE to the list service; each recipient notifies as itself.
    Send Text To Several From Handset    Hello both    @{BOTH}
    ${message} =    Wait For Text From Handset    Hello both    by=PAGER
    Recipients Of Text Should Be    ${message}    @{BOTH}
    Should Be Equal As Integers    ${message.status}    202
    Handset Shows Status Of Several    READ    Hello both    @{BOTH}

Text To Several Asks For The List Service
    Send Text To Several From Handset    What is in it    @{BOTH}
    ${message} =    Wait For Text From Handset    What is in it
    Should Be Equal    ${message.request.get('Require')}    recipient-list-message
    Should End With    ${message.request.get('P-Preferred-Service')}    oma.cpm.msg.group
    Should Start With    ${message.request.get('Content-Type')}    multipart/mixed

Text To Several Is Delivered When All Have It
    [Documentation]    Notifications come one by one; the bubble tells of the last.
    Far Party Notifies    delivered=200 ms    displayed=NONE
    Send Text To Several From Handset    Step by step    @{BOTH}    ${CARLA}
    Handset Shows Status Of Several    SENT    Step by step    @{BOTH}    ${CARLA}
    Handset Shows Status Of Several    DELIVERED    Step by step    @{BOTH}    ${CARLA}

Recipients Report Together
    [Documentation]    One notification of the list service with a part for each recipient (RFC 5438 8.3).
    Recipients Notify Together
    Send Text To Several From Handset    Report at once    @{BOTH}
    Handset Shows Status Of Several    READ    Report at once    @{BOTH}

Recipient Named Twice Is Sent To Once
    Send Text To Several From Handset    Once is enough    ${ANNE}    ${BEN}    ${ANNE}
    ${message} =    Wait For Text From Handset    Once is enough
    Recipients Of Text Should Be    ${message}    @{BOTH}

Large Text To Several Goes In A Session
    ${text} =    Text Of Octets    1800    s
    Send Text To Several From Handset    ${text}    @{BOTH}
    ${message} =    Wait For Text From Handset    ${text}    by=LARGE
    Recipients Of Text Should Be    ${message}    @{BOTH}
    VAR    ${invite} =    ${message.incoming.message}
    Should Be Equal    ${invite.get('Require')}    recipient-list-invite
    Should End With    ${invite.get('P-Preferred-Service')}    oma.cpm.largemsg.group
    Handset Shows Status Of Several    READ    ${text}    @{BOTH}

Size Of The Text Alone Decides Between The Modes
    [Template]    Text To Several Of This Size Leaves By
    1300    PAGER
    1301    LARGE

List Of A Hundred Is Sent
    ${many} =    Other Recipients    100
    Far Party Notifies    delivered=NONE    displayed=NONE
    Send Text To Several From Handset    To a hundred    @{many}
    ${message} =    Wait For Text From Handset    To a hundred
    Recipients Of Text Should Be    ${message}    @{many}

Refused Text To Several Is Shown As Not Sent
    [Template]    Handset Shows A Refused Text To Several As Not Sent
    403
    404
    420
    480
    603

Refused Large Text To Several Is Shown As Not Sent
    ${text} =    Text Of Octets    1900    r
    Peer Answers Next Large Message    403
    Send Text To Several From Handset    ${text}    @{BOTH}
    Handset Shows Status Of Several    NOT_SENT    ${text}    @{BOTH}

Text That Went To Others Too Is Notified To Its Sender
    [Documentation]    The copy of the handset has the list of the others (RFC 5365 7.3).
    ${message} =    Send Text To Handset And Others    For you and more    to=${BOTH}    cc=${{[$CARLA]}}
    Wait For Notification    ${message}    DELIVERED
    Handset Shows Text    For you and more
    Wait For Notification    ${message}    DISPLAYED

Large Text That Went To Others Too Is Notified To Its Sender
    ${text} =    Text Of Octets    2100    m
    ${message} =    Send Text To Handset And Others    ${text}    to=${BOTH}    large=True
    Handset Shows Text    ${text}
    Wait For Notification    ${message}    DISPLAYED

Blind Copy Is Taken Like Any Text
    [Documentation]    Nobody is shown who got it blind; the list may be empty of others.
    ${message} =    Send Text To Handset And Others    In secret    bcc=${BOTH}
    Wait For Notification    ${message}    DELIVERED
    Handset Shows Text    In secret

List Of Ten Thousand Others Hides No Text
    ${many} =    Other Recipients    10000
    ${message} =    Send Text To Handset And Others    One of very many    to=${many}
    Wait For Notification    ${message}    DELIVERED
    Handset Shows Text    One of very many

List That Cannot Be Read Hides No Text
    [Documentation]    It is optional to handle (RFC 5365 7.3): no document type, no entity is ever followed.
    [Template]    Handset Shows A Text With A Spoiled List
    DTD
    ENTITY_BOMB
    NOT_XML

Coverage Lost Before A Text To Several Is Answered
    [Documentation]    It comes again with its imdn.Message-ID and its list.
    Peer Answers Next Message    NONE
    Send Text To Several From Handset    Cut off from both    @{BOTH}
    ${first} =    Wait For Text From Handset    Cut off from both
    Lose Coverage
    Peer Answers As Usual
    Regain Coverage
    ${second} =    Wait For Next Text From Handset    Cut off from both
    Should Be Equal    ${first.message_id}    ${second.message_id}
    Recipients Of Text Should Be    ${second}    @{BOTH}
    Handset Shows Status Of Several    READ    Cut off from both    @{BOTH}

Coverage Lost Between The Notifications Of Several
    [Documentation]    What the recipients tell while the handset is away is not lost with it.
    Far Party Notifies    delivered=NONE    displayed=NONE
    Send Text To Several From Handset    Told later    @{BOTH}
    ${message} =    Wait For Text From Handset    Told later
    Notify Handset As Recipient    ${message}    ${ANNE}
    Lose Coverage
    Regain Coverage
    Handset Shows Status Of Several    SENT    Told later    @{BOTH}
    Notify Handset As Recipient    ${message}    ${BEN}
    Handset Shows Status Of Several    DELIVERED    Told later    @{BOTH}


*** Keywords ***
Text To Several Of This Size Leaves By
    [Documentation]    A text of so many octets to several leaves in this mode.
    [Arguments]    ${octets}    ${mode}
    ${text} =    Text Of Octets    ${octets}    z
    Send Text To Several From Handset    ${text}    @{BOTH}
    ${message} =    Wait For Next Text From Handset    ${text}    by=${mode}
    Should Be Equal As Integers    ${message.size}    ${octets}

Handset Shows A Refused Text To Several As Not Sent
    [Documentation]    The list service refuses with this status.
    [Arguments]    ${status}
    Peer Answers Next Message    ${status}
    Send Text To Several From Handset    Refused with ${status}    @{BOTH}
    Handset Shows Status Of Several    NOT_SENT    Refused with ${status}    @{BOTH}

Handset Shows A Text With A Spoiled List
    [Documentation]    The list of the others is wrong in this way.
    [Arguments]    ${how}
    ${message} =    Send Text To Handset And Others    Beside ${how}    spoiled=${how}
    Wait For Notification    ${message}    DELIVERED
    Handset Shows Text    Beside ${how}

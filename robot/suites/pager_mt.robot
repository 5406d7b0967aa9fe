*** Settings ***
Documentation    Pager mode, the handset receives: its answer, what its screen shows, which notifications it sends.

Resource         ../resources/bench.resource

Test Setup       Start From A Registered Handset


*** Test Cases ***
Text Is Notified As Delivered And, When Opened, As Displayed
    ${message} =    Send Text To Handset    Good morning
    Wait For Notification    ${message}    DELIVERED
    No Notification Comes    ${message}    DISPLAYED
    Handset Shows Text    Good morning
    Wait For Notification    ${message}    DISPLAYED

Text That Comes While Its Conversation Is Open Is Displayed At Once
    Open Conversation
    ${message} =    Send Text To Handset    You are looking at this
    Wait For Notification    ${message}    DELIVERED
    Wait For Notification    ${message}    DISPLAYED
    Handset Shows Text    You are looking at this

Every Text Brings What It Asks For
    Open Conversation
    Send Text To Handset    One
    Send Text To Handset    Two    notify=NONE
    Send Text To Handset    Three
    No Delivery Notification Is Due
    ${due} =    Due Notifications
    Length Should Be    ${due}    4

Text That Asks For Nothing Is Not Notified
    ${message} =    Send Text To Handset    Just so you know    notify=NONE
    Handset Shows Text    Just so you know
    No Notification Comes    ${message}

Text That Asks Only For Display Is Not Notified As Delivered
    ${message} =    Send Text To Handset    Tell me when you saw it    notify=DISPLAYED
    Handset Shows Text    Tell me when you saw it
    Wait For Notification    ${message}    DISPLAYED
    No Notification Comes    ${message}    DELIVERED

Text That Comes Twice Is Shown And Notified Once
    ${first} =    Send Text To Handset    Said twice
    Wait For Notification    ${first}    DELIVERED
    Send Text To Handset    Said twice    message_id=${first.message_id}
    Handset Shows Text    Said twice
    Wait For Notification    ${first}    DISPLAYED
    ${texts} =    Texts On Screen
    Should Contain X Times    ${texts}    Said twice    1
    Notification Count Should Be    1    ${first}    DELIVERED

Unknown Content Type Is Refused
    [Documentation]    415 with Accept (RFC 3261 8.2.3); nothing is notified (RFC 5438 12.1.3.1).
    ${message} =    Send Text To Handset    {}    content_type=application/x-unknown    expect=415
    No Notification Comes    ${message}

Unknown Extension Is Refused
    [Documentation]    Require with an option tag nobody knows: 420 with Unsupported (RFC 3261 8.2.2.3).
    Send Text To Handset    Extended    Require=x-rcslab-unknown    expect=420

Notification That Asks For A Notification Gets None
    [Documentation]    An IMDN never asks for an IMDN, and none is sent when it does (RFC 5438 7.2.1).
    Send Text From Handset    Report this
    ${message} =    Wait For Text From Handset    Report this
    Send Notification To Handset    ${message}    asking_for_notification=${True}
    No Text Comes From Handset

Text Of Any Pager Size Is Taken
    [Template]    Handset Takes A Text Of This Size
    1299
    1300
    1301

Text Comes Over Either Transport
    [Template]    Handset Takes A Text Over
    UDP
    TCP

Emoji And Other Scripts Are Shown As Sent
    VAR    ${text} =    Grüße, 你好, 👩‍👩‍👧 & <b>"quoted"</b>
    Send Text To Handset    ${text}
    Handset Shows Text    ${text}


*** Keywords ***
Handset Takes A Text Of This Size
    [Documentation]    A text of this many octets is answered 200 and notified.
    [Arguments]    ${octets}
    ${text} =    Text Of Octets    ${octets}
    ${message} =    Send Text To Handset    ${text}
    Wait For Notification    ${message}    DELIVERED

Handset Takes A Text Over
    [Documentation]    A text over this transport is answered 200 and notified.
    [Arguments]    ${transport}
    ${message} =    Send Text To Handset    Over ${transport}    transport=${transport}
    Wait For Notification    ${message}    DELIVERED

*** Settings ***
Documentation    Notifications in 1-1 sessions as a chain: which are due, and what comes late, twice, unasked or wrong.

Resource         ../resources/bench.resource

Test Setup       Start From A Registered Handset
Test Teardown    End The Chat


*** Test Cases ***
Every Text Has The Notifications It Asks For
    ${chat} =    Invite Handset To Chat
    ${both} =    Send Text In Chat    ${chat}    Both please
    ${seen} =    Send Text In Chat    ${chat}    Only when you see it    notify=DISPLAYED
    ${none} =    Send Text In Chat    ${chat}    Never mind    notify=NONE
    Handset Shows Text    Never mind
    Wait For Notification    ${both}    DISPLAYED    by=MSRP
    Wait For Notification    ${seen}    DISPLAYED    by=MSRP
    No Notification Comes    ${seen}    DELIVERED
    No Notification Comes    ${none}
    No Delivery Notification Is Due

What Is Due Is Known Before It Comes
    ${chat} =    Invite Handset To Chat
    Leave Conversation
    ${text} =    Send Text In Chat    ${chat}    Look at me later
    Wait For Notification    ${text}    DELIVERED    by=MSRP
    ${due} =    Due Notifications
    ${open} =    Evaluate    [(each.kind, str(each.way)) for each in $due if each.open]
    Should Be Equal    ${open}    ${{ [("display", "in the session")] }}

Text That Comes Twice Is Shown And Notified Once
    ${chat} =    Invite Handset To Chat
    ${first} =    Send Text In Chat    ${chat}    Twice the same
    Wait For Notification    ${first}    DELIVERED
    Send Text In Chat    ${chat}    Twice the same    message_id=${first.message_id}
    Handset Shows Text    Twice the same
    Wait For Notification    ${first}    DISPLAYED
    ${texts} =    Texts On Screen
    Should Contain X Times    ${texts}    Twice the same    1
    Notification Count Should Be    1    ${first}    DELIVERED

Late Notifications Are Taken
    Far Party Notifies    delivered=100 ms    displayed=200 ms
    Start A Chat    No hurry
    Handset Shows Status    SENT    of=No hurry
    Handset Shows Status    DELIVERED    of=No hurry
    Handset Shows Status    READ    of=No hurry

Text Nobody Notifies Stays Sent
    Far Party Notifies    delivered=NONE    displayed=NONE
    ${text} =    Start A Chat    Into the silence
    Handset Shows Status    SENT    of=Into the silence
    ${due} =    Due Notifications
    Should Be Empty    ${due}    the handset owes nothing for its own text
    Send Notification To Handset    ${text}    DISPLAYED
    Handset Shows Status    READ    of=Into the silence

Delivered After Displayed Changes Nothing
    Far Party Notifies    delivered=NONE    displayed=NONE
    ${text} =    Start A Chat    The wrong way round
    Send Notification To Handset    ${text}    DISPLAYED
    Handset Shows Status    READ    of=The wrong way round
    Send Notification To Handset    ${text}    DELIVERED
    Handset Shows Status    READ    of=The wrong way round
    Rule Should Be Reported    imdn.order.network

Notification Outside Of Its Living Session Is Taken
    Far Party Notifies    delivered=NONE    displayed=NONE
    ${text} =    Start A Chat    By another way
    Send Notification To Handset    ${text}    DELIVERED    by=MESSAGE
    Handset Shows Status    DELIVERED    of=By another way

Wrong Notification Does No Harm
    [Documentation]    The handset takes what it can and sends no notification for it; the wrong is reported.
    ...    That an id is of no message at all, only who saw everything could say.
    [Template]    Handset Takes A Notification That Is
    TWICE    READ    imdn.once-per-type.network
    NOT_REQUESTED    READ    imdn.only-requested
    PROCESSING    READ    imdn.only-requested
    NO_DATETIME    READ    imdn.xml.datetime-present
    NO_CONTENT_DISPOSITION    READ    imdn.content-disposition
    WITH_DISPOSITION_NOTIFICATION    READ    imdn.no-imdn-for-imdn
    WRONG_MESSAGE_ID    SENT    NONE
    MALFORMED_XML    SENT    imdn.xml.wellformed


*** Keywords ***
Start A Chat
    [Documentation]    Chat mode, and the first text is there.
    [Arguments]    ${text}
    Start Chat On Handset
    Send Text From Handset    ${text}
    ${chat} =    Wait For Next Chat From Handset
    ${message} =    Wait For Text In Chat    ${chat}    ${text}
    RETURN    ${message}

Handset Takes A Notification That Is
    [Documentation]    A text in a session is notified with this wrong, shows this status, and the rule is reported.
    [Arguments]    ${wrong}    ${status}    ${rule}
    Far Party Notifies    0 s    0 s    ${wrong}
    Start A Chat    Notified ${wrong}
    Handset Shows Status    ${status}    of=Notified ${wrong}
    Wait For Notifications Of Far Party    2
    IF    $rule != "NONE"    Rule Should Be Reported    ${rule}
    End Chat On Handset

End The Chat
    [Documentation]    The conversation in its default mode again.
    Run Keyword If Test Failed    Take Screenshot
    End Chat On Handset

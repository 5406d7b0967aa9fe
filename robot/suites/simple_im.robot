*** Settings ***
Documentation     OMA SIMPLE IM in place of CPM: its tag, its headers, the first text in the INVITE, all texts in chats.

Library           Collections
Resource          ../resources/bench.resource

Suite Teardown    Go Back
Test Setup        Go Over To SIMPLE IM
Test Teardown     End The Chat


*** Variables ***
${SOMEBODY}         +12025550171
${SOMEBODY_ELSE}    +12025550172


*** Test Cases ***
Handset Registers With Its Tag
    ${binding} =    Handset Is Registered
    Dictionary Should Contain Key    ${binding.features}    +g.oma.sip-im
    Dictionary Should Not Contain Key    ${binding.features}    +g.3gpp.icsi-ref
    ${answer} =    Query Capabilities Of Handset
    Should Contain    ${answer.tags}    +g.oma.sip-im

First Text Of The Handset Rides In The INVITE
    Send Text From Handset    Hello in the INVITE
    ${chat} =    Wait For Chat From Handset
    ${text} =    Wait For Text In Chat    ${chat}    Hello in the INVITE
    Should Be Equal As Strings    ${text.carrier}    INVITE
    Handset Shows Status    READ    of=Hello in the INVITE
    Send Text From Handset    And by MSRP
    ${second} =    Wait For Text In Chat    ${chat}    And by MSRP
    Should Be Equal As Strings    ${second.carrier}    MSRP

Headers Of The Handset Are Those Of SIMPLE IM
    Send Text From Handset    Look at my headers
    ${chat} =    Wait For Chat From Handset
    VAR    ${invite} =    ${chat.invite.request}
    Should Be Equal    ${invite.get('Accept-Contact')}    *;+g.oma.sip-im
    Should Contain    ${invite.get('Contact')}    +g.oma.sip-im
    Should Not Be Empty    ${invite.get('Contribution-ID')}
    Should Be Equal    ${invite.get('Conversation-ID')}    ${None}
    Should Be Equal    ${invite.get('P-Preferred-Service')}    ${None}

First Text Of The Far Party Comes With The INVITE
    ${chat} =    Invite Handset To Chat    first=Read me first
    Wait For Notification    ${chat.first}    DELIVERED
    Handset Shows Text    Read me first
    Wait For Notification    ${chat.first}    DISPLAYED
    Send Text From Handset    So I did
    Wait For Text In Chat    ${chat}    So I did
    Handset Shows Status    READ    of=So I did

First Text In The Subject Is Shown
    Invite Handset To Chat    Subject=By the subject
    Handset Shows Text    By the subject

Refused First Text Is Not Sent
    Peer Answers Next Chat    486
    Send Text From Handset    Not now then
    Handset Shows Status    NOT_SENT    of=Not now then

Long Text Goes In The Session Too
    ${text} =    Text Of Octets    2000
    Send Text From Handset    Short at first
    ${chat} =    Wait For Chat From Handset
    Send Text From Handset    ${text}
    Wait For Text In Chat    ${chat}    ${text}

Notifications After The Session Go By MESSAGE
    ${chat} =    Invite Handset To Chat    first=Read me after the end
    Wait For Notification    ${chat.first}    DELIVERED
    End Chat With Handset    ${chat}
    Handset Shows Text    Read me after the end
    ${notification} =    Wait For Notification    ${chat.first}    DISPLAYED    by=MESSAGE
    Should Be Equal    ${notification.conversation_id}    ${None}

Both Invite At Once And No Text Is Lost
    Peer Lets Next Chat Ring
    Send Text From Handset    Mine came along
    Wait For Chat Invitation
    ${chat} =    Invite Handset To Chat    first=And yours too
    Wait For Text In Chat    ${chat}    Mine came along
    Handset Shows Text    And yours too

File Is Offered With The Tag Of RCS-e
    ${file} =    File Of Octets    2048
    Send File From Handset    ${file}
    ${received} =    Wait For File From Handset
    Received File Should Be    ${received}    ${file}
    VAR    ${invite} =    ${received.transfer.invite.request}
    Should Contain    ${invite.get('Accept-Contact')}    ims.iari.rcse.ft
    Should Be Equal    ${invite.get('Conversation-ID')}    ${None}

Group Is Founded With A Recipient List
    Create Group On Handset    Simple ones    ${SOMEBODY}    ${SOMEBODY_ELSE}
    ${group} =    Wait For Group From Handset
    VAR    ${invite} =    ${group.last.invite.request}
    Should Be Equal    ${invite.get('Accept-Contact')}    *;+g.oma.sip-im
    Should Be Equal    ${invite.get('Require')}    recipient-list-invite
    Leave Group On Handset    Simple ones


*** Keywords ***
Go Over To SIMPLE IM
    [Documentation]    Nothing is done where SIMPLE IM is in force already.
    Start From A Registered Handset    SIMPLE_IM

Go Back
    [Documentation]    What lab.yaml says, for the suites that follow.
    Start From A Registered Handset    SIMPLE_IM
    Use IM Technology Of Lab

End The Chat
    [Documentation]    The conversation in its default mode again.
    Run Keyword If Test Failed    Take Screenshot
    End Chat On Handset

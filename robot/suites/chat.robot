*** Settings ***
Documentation    1-1 sessions, both directions: invitations and their answers, texts, typing and notifications inside,
...              refresh, and how they end.

Resource         ../resources/bench.resource

Test Setup       Start From A Registered Handset
Test Teardown    Leave The Chat


*** Test Cases ***
Chat Of The Handset From Its First Text To Its End
    [Documentation]    The INVITE of the first text, texts and notifications both ways in the session, BYE.
    ${chat} =    Start A Chat From Handset    Hello
    Handset Shows Status    READ    of=Hello
    Far Party Writes And Is Read    ${chat}    Hello yourself
    End Chat On Handset
    Wait For End Of Chat    ${chat}
    No Finding Should Be Reported

Chat Of The Far Party From Its Invitation To Its End
    ${chat} =    Invite Handset To Chat
    Far Party Writes And Is Read    ${chat}    Are you there?
    Send Text From Handset    I am
    Wait For Text In Chat    ${chat}    I am
    Handset Shows Status    READ    of=I am
    End Chat With Handset    ${chat}
    Handset Shows No Chat
    No Finding Should Be Reported

Far Party Offers To Connect
    [Documentation]    The offer says active: the handset listens, and the far party connects.
    ${chat} =    Invite Handset To Chat    setup=ACTIVE
    Far Party Writes And Is Read    ${chat}    I came to you
    No Finding Should Be Reported

Typing Of The Handset Is Told
    ${chat} =    Start A Chat From Handset    Let us talk
    Type On Handset    Well
    Wait For Typing In Chat    ${chat}    ACTIVE
    Erase Draft On Handset
    Wait For Typing In Chat    ${chat}    IDLE
    No Finding Should Be Reported

Typing Of The Far Party Is Shown
    ${chat} =    Start A Chat From Handset    Your turn
    Send Typing In Chat    ${chat}    ACTIVE
    Handset Shows Composing
    Send Typing In Chat    ${chat}    IDLE
    Handset Shows Nobody Composing
    Send Typing In Chat    ${chat}    ACTIVE
    Handset Shows Composing
    Send Text In Chat    ${chat}    Here I am
    Handset Shows Nobody Composing
    No Finding Should Be Reported

Texts Typed While It Rings Arrive In Their Order
    Peer Lets Next Chat Ring
    Start Chat On Handset
    Send Text From Handset    First
    ${chat} =    Wait For Chat Invitation
    Send Text From Handset    Second
    Send Text From Handset    Third
    Peer Answers Ringing Chat    ${chat}
    Handset Shows Status    READ    of=Third
    Texts In Chat Should Be    ${chat}    First    Second    Third

Refused Invitation Is Shown
    [Template]    Refusal Shows As A Text Not Sent
    486
    603
    480
    403
    404
    488
    500

Handset Waits As Long As Nobody Answers And Can Give Up
    [Documentation]    CANCEL after 180: 200 to it, 487 to the INVITE (RFC 3261 9).
    Peer Lets Next Chat Ring
    Start Chat On Handset
    Send Text From Handset    Anybody?
    Wait For Chat Invitation
    End Chat On Handset
    ${chat} =    Wait For Cancelled Chat
    Should Be Equal As Integers    ${chat.invite.final.status}    487
    Handset Shows Status    NOT_SENT    of=Anybody?

Handset Asks Again With The Interval It Is Told
    [Documentation]    422 with Min-SE: the same Call-ID, CSeq + 1, that Min-SE (RFC 4028 7.3).
    Peer Answers Next Chat    422    Min_SE=3600
    Start Chat On Handset
    Send Text From Handset    As you like
    ${refused} =    Wait For Chat Invitation
    ${chat} =    Wait For Chat From Handset
    Should Be Equal    ${chat.invite.request.call_id}    ${refused.invite.request.call_id}
    Should Be Equal As Integers    ${chat.invite.request.cseq.number}    ${refused.invite.request.cseq.number + 1}
    Should Be Equal    ${chat.invite.request.get('Min-SE')}    3600
    Wait For Text In Chat    ${chat}    As you like

Stream That Is Not Wanted Ends The Session
    [Documentation]    200 with port 0: there is nothing to send in, so the handset hangs up.
    Peer Answers Next Chat    200    streams=${False}
    Start Chat On Handset
    Send Text From Handset    Into the void
    ${chat} =    Wait For Chat Invitation
    Wait For End Of Chat    ${chat}
    Handset Shows Status    NOT_SENT    of=Into the void


*** Keywords ***
Start A Chat From Handset
    [Documentation]    Chat mode, and the first text is there.
    [Arguments]    ${text}
    Start Chat On Handset
    Send Text From Handset    ${text}
    ${chat} =    Wait For Chat From Handset
    Wait For Text In Chat    ${chat}    ${text}
    RETURN    ${chat}

Far Party Writes And Is Read
    [Documentation]    A text of the far party, delivered and displayed; both notifications come in the session.
    [Arguments]    ${chat}    ${text}
    ${message} =    Send Text In Chat    ${chat}    ${text}
    Wait For Notification    ${message}    DELIVERED    by=MSRP
    Handset Shows Text    ${text}
    Wait For Notification    ${message}    DISPLAYED    by=MSRP

Refusal Shows As A Text Not Sent
    [Documentation]    The peer answers the INVITE with this status, and nothing comes after the ACK.
    [Arguments]    ${status}
    Peer Answers Next Chat    ${status}
    Start Chat On Handset
    Send Text From Handset    Will you? ${status}
    Handset Shows Status    NOT_SENT    of=Will you? ${status}
    Handset Shows No Chat

Leave The Chat
    [Documentation]    The conversation in its default mode again, whatever the test left.
    Run Keyword If Test Failed    Take Screenshot
    Handset Accepts By Itself    CHAT
    End Chat On Handset

*** Settings ***
Documentation    1-1 sessions, both directions: invitations and their answers, texts, typing and notifications inside,
...              refresh, and how they end.

Resource         ../resources/bench.resource

Test Setup       Start From A Registered Handset
Test Teardown    Leave The Chat


*** Variables ***
${SOMEBODY_ELSE}    +12025550166


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

Handset Gives Up When Nothing Answers
    [Documentation]    No answer of any kind in 64 * T1: Timer B (RFC 3261 17.1.1.2). The next text invites anew.
    Change Handset Setting    TIMER_T1    0.01
    Peer Answers Next Chat    ${NONE}
    Start Chat On Handset
    Send Text From Handset    Is anything there?
    ${ignored} =    Wait For Chat Invitation
    Handset Shows Status    NOT_SENT    of=Is anything there?
    Handset Shows No Chat
    ${chat} =    Start A Chat From Handset    And now?
    Should Not Be Equal    ${chat.invite.request.call_id}    ${ignored.invite.request.call_id}

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

Chat Given Up While Its Answer Is Under Way Is Ended
    [Documentation]    The 200 crosses the CANCEL: ACK, then BYE (RFC 3261 9.1, 13.2.2.4).
    Peer Lets Next Chat Ring    crossing=${True}
    Start Chat On Handset
    Send Text From Handset    Never mind
    ${chat} =    Wait For Chat Invitation
    End Chat On Handset
    Wait For End Of Chat    ${chat}
    Handset Shows Status    NOT_SENT    of=Never mind
    No Finding Should Be Reported

Text That Is Refused In The Session Is Not Sent
    ${chat} =    Start A Chat From Handset    This one is fine
    Peer Refuses Next Text In Chat    403
    Send Text From Handset    This one is not
    Handset Shows Status    NOT_SENT    of=This one is not
    Send Text From Handset    But this one is
    Wait For Text In Chat    ${chat}    But this one is

Notifications After The Session Go By MESSAGE
    [Documentation]    Delivered goes in the session, displayed after its end; so does what the far party notifies.
    Far Party Notifies    displayed=NONE
    ${chat} =    Start A Chat From Handset    Read this later
    ${mine} =    Wait For Text In Chat    ${chat}    Read this later
    ${theirs} =    Send Unseen Text In Chat    ${chat}    And you read this later
    End Chat With Handset    ${chat}
    Handset Shows Status    DELIVERED    of=Read this later
    Send Notification To Handset    ${mine}    DISPLAYED
    Handset Shows Status    READ    of=Read this later
    Wait For Notification    ${theirs}    DISPLAYED    by=MESSAGE

User Declines
    Handset Asks Before Accepting    CHAT
    ${chat} =    Ring Handset For Chat
    Decline On Handset
    Wait For Answer To Chat    ${chat}    603
    Handset Shows No Chat

User Accepts After It Rang
    [Documentation]    180 while the user is asked, then 200.
    Handset Asks Before Accepting    CHAT
    ${chat} =    Ring Handset For Chat
    Wait For Ringing
    Accept On Handset
    Wait For Answer To Chat    ${chat}
    Far Party Writes And Is Read    ${chat}    Thank you for taking it

User Who Replies Accepts
    Handset Asks Before Accepting    CHAT
    ${chat} =    Ring Handset For Chat
    Wait For Ringing
    Start Chat On Handset
    Send Text From Handset    What is it?
    Wait For Answer To Chat    ${chat}
    Wait For Text In Chat    ${chat}    What is it?

User Does Not Answer
    [Documentation]    480 when the time for it is over.
    Handset Asks Before Accepting    CHAT
    Change Handset Setting    CHAT_RING    0.2
    ${chat} =    Ring Handset For Chat
    Wait For Ringing
    Wait For Answer To Chat    ${chat}    480
    Handset Shows No Chat

Invitation Is Withdrawn While It Rings
    Handset Asks Before Accepting    CHAT
    ${chat} =    Ring Handset For Chat
    Wait For Ringing
    Cancel Chat    ${chat}
    Should Be Equal As Integers    ${chat.status}    487
    Handset Shows No Chat

Invitation Is Withdrawn While The Handset Accepts
    [Documentation]    Whether its 200 crosses the CANCEL or not, no session is left.
    ${chat} =    Ring Handset For Chat
    Cancel Chat    ${chat}
    Handset Shows No Chat
    ${next} =    Invite Handset To Chat
    Far Party Writes And Is Read    ${next}    Second thoughts

Second Invitation While One Rings Is Busy
    Handset Asks Before Accepting    CHAT
    ${first} =    Ring Handset For Chat
    Wait For Ringing
    Invite Handset To Chat    expect=486
    Accept On Handset
    Wait For Answer To Chat    ${first}
    Far Party Writes And Is Read    ${first}    One of two

Both Invite At Once And No Text Is Lost
    [Documentation]    The handset keeps one session of two, and the texts of both sides go in it.
    Peer Lets Next Chat Ring
    Start Chat On Handset
    Send Text From Handset    Mine
    Wait For Chat Invitation
    ${chat} =    Invite Handset To Chat
    Wait For Cancelled Chat
    Wait For Text In Chat    ${chat}    Mine
    Far Party Writes And Is Read    ${chat}    Yours

Idle Session Ends And The Next Text Begins Another
    Change Handset Setting    CHAT_IDLE    0.3
    ${first} =    Start A Chat From Handset    Say something
    Wait For End Of Chat    ${first}
    Send Text From Handset    Nobody did
    ${second} =    Wait For Next Chat From Handset
    Wait For Text In Chat    ${second}    Nobody did
    Should Be Equal    ${second.conversation_id}    ${first.conversation_id}

Chats With Two Far Parties Are Kept Apart
    ${one} =    Invite Handset To Chat
    ${two} =    Invite Handset To Chat    sender=${SOMEBODY_ELSE}
    Send Text In Chat    ${two}    From the second
    Far Party Writes And Is Read    ${one}    From the first
    Handset Shows Text    From the second    number=${SOMEBODY_ELSE}
    ${texts} =    Texts On Screen    ${SOMEBODY_ELSE}
    Should Not Contain    ${texts}    From the first
    [Teardown]    Leave The Chat    ${SOMEBODY_ELSE}

Far Party Refreshes The Session
    ${chat} =    Start A Chat From Handset    Keep it open
    Refresh Chat    ${chat}    UPDATE
    Refresh Chat    ${chat}    INVITE
    Far Party Writes And Is Read    ${chat}    Still open
    No Finding Should Be Reported

Handset Refreshes The Session
    [Documentation]    At half of the interval, by UPDATE, or by re-INVITE where UPDATE is not allowed (RFC 4028 7.4).
    ...    The interval is shorter than a network may grant, so that nobody has to wait.
    [Template]    Handset Refreshes A Session Whose Peer Allows
    INVITE, ACK, CANCEL, BYE, UPDATE
    INVITE, ACK, CANCEL, BYE

Re-INVITEs Cross In A Chat Of The Far Party
    [Documentation]    491 to both. The far party owns the Call-ID, so the handset tries again first: within 2 s (RFC 3261
    ...    14.1).
    ${chat} =    Invite Handset To Chat    Session_Expires=1800;refresher=uas    Allow=INVITE, ACK, CANCEL, BYE
    Re-INVITEs Cross    ${chat}
    Wait For Refresh Of Chat    ${chat}
    Far Party Writes And Is Read    ${chat}    After you
    No Finding Should Be Reported

Re-INVITEs Cross In A Chat Of The Handset
    [Documentation]    491 to both. The handset owns the Call-ID, so it tries again last, after 2.1 s at least: what the far
    ...    party tries within 2 s it accepts.
    Peer Answers Next Chat    200    Session_Expires=1800;refresher=uac    Allow=INVITE, ACK, CANCEL, BYE
    ${chat} =    Start A Chat From Handset    After me
    ${crossing} =    Re-INVITEs Cross    ${chat}
    Wait Until Far Party Tried Again    ${crossing}
    Far Party Writes And Is Read    ${chat}    After me
    No Finding Should Be Reported

Session That Nobody Refreshes Is Ended
    [Documentation]    BYE at the interval less a third (RFC 4028 10).
    Peer Answers Next Chat    200    Session_Expires=1;refresher=uas    refreshes=${False}
    ${chat} =    Start A Chat From Handset    For a short while
    Wait For End Of Chat    ${chat}

Interval That Is Too Small Is Refused
    [Documentation]    422 with Min-SE, in INVITE and in UPDATE (RFC 4028 9).
    ${refused} =    Invite Handset To Chat    expect=422    Session_Expires=60    Min_SE=60
    Should Be Equal    ${refused.answer.get('Min-SE')}    90
    ${chat} =    Start A Chat From Handset    Not that short
    ${answer} =    Refresh Chat    ${chat}    UPDATE    expect=422    Session_Expires=60    Min_SE=60
    Should Be Equal    ${answer.get('Min-SE')}    90
    Far Party Writes And Is Read    ${chat}    Then longer

Extension Nobody Knows Is Refused
    [Documentation]    420 with exactly the tags (RFC 3261 8.2.2.3), in INVITE and in the dialog.
    ${refused} =    Invite Handset To Chat    expect=420    Require=x-rcslab-unknown
    Should Be Equal    ${refused.answer.get('Unsupported')}    x-rcslab-unknown
    ${chat} =    Start A Chat From Handset    Nothing special
    ${answer} =    Send Request In Chat    ${chat}    INFO    420    Require=x-rcslab-unknown
    Should Be Equal    ${answer.get('Unsupported')}    x-rcslab-unknown

Body That Is No Offer Is Refused
    [Documentation]    415 with Accept (RFC 3261 8.2.3).
    ${refused} =    Invite Handset To Chat    expect=415    Content_Type=application/x-unknown
    Should Contain    ${refused.answer.get('Accept')}    application/sdp

Method That Is Not Allowed Is Refused
    [Documentation]    405 with Allow (RFC 3261 8.2.1).
    ${chat} =    Start A Chat From Handset    Ask me anything
    ${answer} =    Send Request In Chat    ${chat}    PUBLISH    405
    Should Contain    ${answer.get('Allow')}    INVITE

Request Of No Dialog Is Refused
    [Documentation]    481: a To tag the handset never gave (RFC 3261 12.2.2).
    Query Capabilities Of Handset    expect=481    To=<sip:nobody@example.com>;tag=x-rcslab

Coverage Lost While The Far Party Rings
    [Documentation]    The text goes in the session that begins when the coverage is back.
    Peer Lets Next Chat Ring
    Start Chat On Handset
    Send Text From Handset    Hold the line
    Wait For Chat Invitation
    Lose Coverage
    Regain Coverage
    ${chat} =    Wait For Next Chat From Handset
    Wait For Text In Chat    ${chat}    Hold the line
    Handset Shows Status    READ    of=Hold the line

Coverage Lost While The Handset Rings
    [Documentation]    What nobody can accept any more is no longer offered; the next invitation is.
    Handset Asks Before Accepting    CHAT
    Ring Handset For Chat
    Wait For Ringing
    Lose Coverage
    Handset Shows No Invitation
    Regain Coverage
    ${chat} =    Ring Handset For Chat
    Accept On Handset
    Wait For Answer To Chat    ${chat}
    Far Party Writes And Is Read    ${chat}    There you are

Coverage Lost In The Session
    [Documentation]    A text written meanwhile goes in the next session, what was unseen is notified by MESSAGE.
    ${chat} =    Start A Chat From Handset    Before the tunnel
    ${unseen} =    Send Unseen Text In Chat    ${chat}    Read me later
    Lose Coverage
    Send Text From Handset    In the tunnel
    Regain Coverage
    ${next} =    Wait For Next Chat From Handset
    Wait For Text In Chat    ${next}    In the tunnel
    Wait For Notification    ${unseen}    DISPLAYED    by=MESSAGE

Airplane Mode Ends The Session Properly
    ${chat} =    Start A Chat From Handset    Boarding now
    Switch Airplane Mode On
    Wait For End Of Chat    ${chat}
    Handset Deregisters
    Switch Airplane Mode Off
    Handset Registers


*** Keywords ***
Start A Chat From Handset
    [Documentation]    Chat mode, and the first text is there.
    [Arguments]    ${text}
    Start Chat On Handset
    Send Text From Handset    ${text}
    ${chat} =    Wait For Next Chat From Handset
    Wait For Text In Chat    ${chat}    ${text}
    RETURN    ${chat}

Far Party Writes And Is Read
    [Documentation]    A text of the far party, delivered and displayed; both notifications come in the session.
    [Arguments]    ${chat}    ${text}
    ${message} =    Send Text In Chat    ${chat}    ${text}
    Wait For Notification    ${message}    DELIVERED    by=MSRP
    Handset Shows Text    ${text}
    Wait For Notification    ${message}    DISPLAYED    by=MSRP

Send Unseen Text In Chat
    [Documentation]    A text of the far party while the conversation is not on screen: delivered, not displayed.
    [Arguments]    ${chat}    ${text}
    Leave Conversation
    ${message} =    Send Text In Chat    ${chat}    ${text}
    Wait For Notification    ${message}    DELIVERED    by=MSRP
    RETURN    ${message}

Refusal Shows As A Text Not Sent
    [Documentation]    The peer answers the INVITE with this status, and nothing comes after the ACK.
    [Arguments]    ${status}
    Peer Answers Next Chat    ${status}
    Start Chat On Handset
    Send Text From Handset    Will you? ${status}
    Handset Shows Status    NOT_SENT    of=Will you? ${status}
    Handset Shows No Chat

Handset Refreshes A Session Whose Peer Allows
    [Documentation]    A session with an interval of a second; the handset is to refresh it.
    [Arguments]    ${methods}
    Peer Answers Next Chat    200    Session_Expires=1;refresher=uac    Allow=${methods}
    ${chat} =    Start A Chat From Handset    With ${methods}
    Wait For Refresh Of Chat    ${chat}
    Far Party Writes And Is Read    ${chat}    After ${methods}
    End Chat On Handset
    Wait For End Of Chat    ${chat}

Re-INVITEs Cross
    [Documentation]    That of the handset and one of the far party; each is refused by the other side.
    [Arguments]    ${chat}
    ${crossing} =    Cross Next Refresh Of Chat    ${chat}
    Change Handset Setting    CHAT_REFRESH    0.05
    Wait Until Both Are Refused    ${crossing}
    Restore Handset Settings
    RETURN    ${crossing}

Leave The Chat
    [Documentation]    The conversations in their default mode again, whatever the test left.
    [Arguments]    @{numbers}
    Run Keyword If Test Failed    Take Screenshot
    Restore Handset Settings
    Handset Accepts By Itself    CHAT
    End Chat On Handset
    FOR    ${number}    IN    @{numbers}
        End Chat On Handset    ${number}
    END

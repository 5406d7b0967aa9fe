*** Settings ***
Documentation    1-1 sessions, both directions: invitations and their answers, texts, typing and notifications inside,
...              and how they end.

Resource         ../resources/chat.resource

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
    Peer Answers Next Chat    422    Min_SE=7200
    Start Chat On Handset
    Send Text From Handset    As you like
    ${refused} =    Wait For Chat Invitation
    ${chat} =    Wait For Chat From Handset
    Should Be Equal    ${chat.invite.request.call_id}    ${refused.invite.request.call_id}
    Should Be Equal As Integers    ${chat.invite.request.cseq.number}    ${refused.invite.request.cseq.number + 1}
    Should Be Equal    ${chat.invite.request.get('Min-SE')}    7200
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

*** Settings ***
Documentation     Deferred messages: the network keeps what comes while the handset is away, and the handset fetches it.

Resource          ../resources/bench.resource

Suite Setup       Start To Fetch
Suite Teardown    Handset Fetches Deferred Messages    ${False}
Test Setup        Start From A Registered Handset


*** Test Cases ***
Handset Asks To Be Told Of Deferred Messages
    [Documentation]    With each registration a SUBSCRIBE to the URI of the service.
    Lose Coverage
    Regain Coverage
    Wait For Subscription To Deferred Messages

Message Of The Time Without Coverage Is Fetched
    Lose Coverage
    ${message} =    Store Message For Handset    Where are you?
    Regain Coverage
    Wait For Notification    ${message}    DELIVERED
    Handset Shows Text    Where are you?
    Wait For Notification    ${message}    DISPLAYED
    Nothing Should Be Stored

Fetch Only Receives And The Network Ends It
    [Documentation]    INVITE to the URI of the service, recvonly, one message each, BYE by the peer.
    Lose Coverage
    Store Message For Handset    One of two
    Store Message For Handset    Two of two
    Regain Coverage
    ${fetch} =    Wait For End Of Fetch
    Should Be Equal    ${fetch.invite.request.uri}    ${fetch.party.sip}
    Should Be Equal    ${fetch.asked.direction.value}    recvonly
    Should Be True    ${fetch.ending.by_us}
    Length Should Be    ${fetch.sent}    2

Messages Of Several Senders Are Shown In Their Conversations
    Lose Coverage
    ${one} =    Store Message For Handset    From one    sender=+12025550161
    ${other} =    Store Message For Handset    From another    sender=+12025550162
    Regain Coverage
    Handset Shows Text    From one    number=+12025550161
    Handset Shows Text    From another    number=+12025550162
    Wait For Notification    ${one}    DISPLAYED
    Wait For Notification    ${other}    DISPLAYED

Message That Comes While The Handset Is There Is Told And Fetched At Once
    ${message} =    Store Message For Handset    Just in
    Wait For Notification    ${message}    DELIVERED
    Handset Shows Text    Just in

Messages Are Notified As They Ask
    ${silent} =    Store Message For Handset    Ask for nothing    notify=NONE
    ${seen} =    Store Message For Handset    Ask for display    notify=DISPLAYED
    Handset Shows Text    Ask for display
    Wait For Notification    ${seen}    DISPLAYED
    No Notification Comes    ${seen}    DELIVERED    seconds=0 seconds
    No Notification Comes    ${silent}

Old Message Is Notified With Its Own Time
    [Documentation]    The DateTime of the message comes back in its notification (RFC 5438 7.2.1.1).
    ${message} =    Store Message For Handset    Of last year    sent_at=2025-03-01 12:00:00+00:00
    ${notification} =    Wait For Notification    ${message}    DELIVERED
    Should Be Equal    ${notification.imdn.datetime}    ${message.date_time}

Long Text And Other Scripts Are Fetched Whole
    ${long} =    Text Of Octets    20000    d
    Store Message For Handset    ${long}
    Store Message For Handset    Grüße, 你好, 👩‍👩‍👧
    Handset Shows Text    Grüße, 你好, 👩‍👩‍👧
    Handset Shows Text    ${long}

Message That Came Before Is Not Shown Again
    [Documentation]    The network did not know that it had arrived; it has the imdn.Message-ID of then.
    ${first} =    Send Text To Handset    Seen before
    Wait For Notification    ${first}    DELIVERED
    Store Message For Handset    Seen before    message_id=${first.message_id}
    Wait For End Of Fetch
    Handset Shows Text    Seen before
    ${texts} =    Texts On Screen
    Should Contain X Times    ${texts}    Seen before    1
    Notification Count Should Be    1    ${first}    DELIVERED

Notification Nobody Asked For Is Refused
    [Documentation]    481: there is no such subscription (RFC 6665 4.1.3); nothing is fetched.
    Notify Handset Unasked    expect=481
    No Fetch Comes

Network Without Deferred Messages Is Left Alone
    [Template]    Handset Takes This Answer For A No
    489
    403

Refused Fetch Is Tried Again When Messages Are Told
    [Template]    Handset Fetches After This Refusal
    403
    480
    503

Coverage Lost While A Fetch Invites
    [Documentation]    The INVITE has no answer when the cell goes: what waits is fetched later, once.
    Peer Answers Next Fetch    NONE
    ${message} =    Store Message For Handset    Later, then
    Wait For Fetch
    Lose Coverage
    Peer Answers As Usual
    Regain Coverage
    Handset Shows Text    Later, then
    Wait For Notification    ${message}    DISPLAYED
    Nothing Should Be Stored

Coverage Lost In The Midst Of A Fetch
    [Documentation]    One message is there, one half, one not: none is lost, none is shown twice.
    ${long} =    Text Of Octets    600    c
    Lose Coverage
    ${first} =    Store Message For Handset    First of three
    ${second} =    Store Message For Handset    ${long}    pause_after=500
    ${third} =    Store Message For Handset    Third of three
    Regain Coverage
    Wait For Paused Fetch
    Lose Coverage
    Regain Coverage
    Each Is Displayed And Notified Once    ${first}    ${second}    ${third}


*** Keywords ***
Start To Fetch
    [Documentation]    The handset is registered, and provisioned to fetch.
    Start From A Registered Handset
    Handset Fetches Deferred Messages

Nothing Should Be Stored
    [Documentation]    The network has handed everything out.
    ${stored} =    Messages Stored For Handset
    Should Be Empty    ${stored}

Handset Takes This Answer For A No
    [Documentation]    A refused subscription is not repeated, and nothing is fetched until the next registration.
    [Arguments]    ${status}
    Handset Fetches Deferred Messages    ${False}
    Wait For End Of Subscription To Deferred Messages
    Peer Answers Next Subscription    ${status}
    Handset Fetches Deferred Messages
    Store Message For Handset    Nobody asks for me after ${status}
    No Fetch Comes
    Lose Coverage
    Regain Coverage
    Handset Shows Text    Nobody asks for me after ${status}

Handset Fetches After This Refusal
    [Documentation]    What waits stays where it is, and comes with the next message.
    [Arguments]    ${status}
    Peer Answers Next Fetch    ${status}
    Store Message For Handset    Refused with ${status}
    ${fetch} =    Wait For Fetch
    Should Be Equal As Integers    ${fetch.status}    ${status}
    Store Message For Handset    Again after ${status}
    Handset Shows Text    Refused with ${status}
    Handset Shows Text    Again after ${status}

Each Is Displayed And Notified Once
    [Documentation]    These messages are the last on the screen, and delivered once.
    [Arguments]    @{messages}
    Open Conversation
    FOR    ${message}    IN    @{messages}
        Wait For Notification    ${message}    DISPLAYED
        Notification Count Should Be    1    ${message}    DELIVERED
    END
    ${texts} =    Texts On Screen
    Should Be Equal    ${texts}[-3:]    ${{[message.text for message in $messages]}}
    Nothing Should Be Stored

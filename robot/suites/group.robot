*** Settings ***
Documentation    Group chats: founded by the handset, invited to, pre-defined, joined and joined again; texts, typing
...              and notifications of many; how they end.

Resource         ../resources/bench.resource
Resource         ../resources/group.resource

Test Setup       Start From A Registered Handset
Test Teardown    Leave Nothing Behind


*** Test Cases ***
Group Of The Handset From Its Founding To Its End
    [Documentation]    INVITE to the factory with a list, focus, SUBSCRIBE, texts and notifications both ways, BYE.
    ${group} =    Found A Group    Trip    ${ALICE}    ${BOB}
    INVITE Should Found A Group    ${group.last}    Trip    ${ALICE}    ${BOB}
    Handset Writes And Is Read    ${group}    Hello all
    Member Writes And Is Read    ${group}    Hello handset    ${ALICE}
    Leave Group On Handset    Trip
    ${session} =    Wait For Handset To Leave Group    ${group}
    Should Be Equal    ${session.ending.message.get('Reason')}    SIP;cause=200;text="Call completed"
    No Finding Should Be Reported

Founding That Is Refused Is Shown
    [Template]    Refusal Shows As A Group That Is Not Connected
    403
    404
    486
    488
    500

Group Without A Stream Is Left At Once
    [Documentation]    200 with port 0: there is nothing to talk in, so the handset hangs up; a text tries again.
    Peer Answers Next Group Invitation    200    streams=${False}
    Create Group On Handset    Mute    ${ALICE}
    ${session} =    Wait For Group Invitation
    Should Be Equal As Integers    ${session.status}    200
    Wait For Handset To Leave Group    ${session.focus}
    Send Text To Group From Handset    Mute    Anybody?
    ${again} =    Wait For Next Group From Handset
    Wait For Text In Group    ${again}    Anybody?

Handset Is Invited
    [Documentation]    INVITE of the focus, with who referred it and who is in it; the handset connects and subscribes.
    ${group} =    Invite Handset To Group    Lunch    ${BOB}    ${CAROL}    inviter=${ALICE}
    Wait For Handset To Follow Group    ${group}
    Handset Shows People In Group    3    Lunch
    Member Writes And Is Read    ${group}    Are you in?    ${BOB}
    Handset Writes And Is Read    ${group}    I am
    No Finding Should Be Reported

Focus Offers To Connect
    ${group} =    Invite Handset To Group    Callers    ${BOB}    setup=ACTIVE
    Member Writes And Is Read    ${group}    I came to you    ${BOB}
    No Finding Should Be Reported

User Accepts The Invitation
    Handset Asks Before Accepting    GROUP
    ${group} =    Ring Handset For Group    Asked    ${BOB}    inviter=${ALICE}
    ${line} =    Handset Shows Invitation    group=Asked
    Should Contain    ${line}    ${ALICE}
    Accept On Handset    group=Asked
    Wait For Answer To Group    ${group}
    Handset Shows People In Group    2    Asked
    No Finding Should Be Reported

User Declines The Invitation
    Handset Asks Before Accepting    GROUP
    ${group} =    Ring Handset For Group    Unwanted    ${BOB}
    Decline On Handset    group=Unwanted
    Wait For Answer To Group    ${group}    603
    No Finding Should Be Reported

Inviter Gives Up
    Handset Asks Before Accepting    GROUP
    ${group} =    Ring Handset For Group    Too late    ${BOB}
    Handset Shows Invitation    group=Too late
    Cancel Group Invitation    ${group}
    Handset Shows Note    Invitation missed    group=Too late
    No Finding Should Be Reported

Coverage Lost While The Invitation Rings
    [Documentation]    The handset comes back without it; called in again it is a member as ever.
    Handset Asks Before Accepting    GROUP
    Ring Handset For Group    Tunnel    ${BOB}
    Handset Shows Invitation    group=Tunnel
    Lose Coverage
    Regain Coverage
    Handset Accepts By Itself    GROUP
    ${again} =    Invite Handset To Group    Daylight    ${BOB}
    Member Writes And Is Read    ${again}    There you are    ${BOB}

Handset Joins A Pre-Defined Group
    [Documentation]    INVITE to the URI of the group, no list; the focus calls the members in.
    ${team} =    Pre-Defined Group Is There    Team    ${ALICE}    ${BOB}
    Join Group On Handset    ${team.uri}
    ${group} =    Wait For Group From Handset
    Should Be Equal    ${group.uri}    ${team.uri}
    Should Be Equal    ${group.last.invite.request.get('Require')}    ${None}
    Wait For Members Of Group    ${team}    3
    Handset Shows People In Group    2    Team
    Handset Writes And Is Read    ${team}    Good morning
    No Finding Should Be Reported

Group That May Not Be Joined
    [Documentation]    403: the user is told, and nothing is asked again.
    ${team} =    Pre-Defined Group Is There    Secret    ${ALICE}
    Peer Answers Next Group Invitation    403
    Join Group On Handset    ${team.uri}
    ${session} =    Wait For Group Invitation
    Should Be Equal As Integers    ${session.status}    403

Text Joins The Group Again
    [Documentation]    The session is gone, the group is not: INVITE to the focus, the same ids, no list.
    ${group} =    Found A Group    Quiet    ${ALICE}
    End Session With Group    ${group}
    Handset Writes And Is Read    ${group}    Back again
    INVITE Should Join Again    ${group.last}    ${group}
    No Finding Should Be Reported

Group That Is Gone Is Founded Anew
    [Documentation]    404 to the INVITE to the focus: the handset goes to the factory with a list, both ids kept.
    ${group} =    Found A Group    Phoenix    ${ALICE}    ${BOB}
    End Group    ${group}
    Handset Shows Note    Group closed: Gone    group=Phoenix
    Send Text To Group From Handset    Phoenix    From the ashes
    ${refused} =    Wait For Group Invitation
    INVITE Should Join Again    ${refused}    ${group}    404
    ${anew} =    Wait For Next Group From Handset
    INVITE Should Found A Group    ${anew.last}    Phoenix    ${ALICE}    ${BOB}
    Should Be Equal    ${anew.conversation_id} ${anew.contribution_id}
    ...    ${group.conversation_id} ${group.contribution_id}
    Wait For Text In Group    ${anew}    From the ashes

Group That Was Forgotten Is Founded Anew
    [Documentation]    The session ends, and then the focus is gone without a word: 404 to who joins again.
    ${group} =    Found A Group    Lost    ${ALICE}
    End Session With Group    ${group}
    Peer Forgets Group    ${group}
    Send Text To Group From Handset    Lost    Where is everybody?
    ${anew} =    Wait For Next Group From Handset
    INVITE Should Found A Group    ${anew.last}    Lost    ${ALICE}
    Wait For Text In Group    ${anew}    Where is everybody?

Handset Is Called In Again
    [Documentation]    The focus invites to a group the handset has been in: one conversation, not two.
    ${group} =    Found A Group    Twice    ${ALICE}
    End Session With Group    ${group}
    Invite Handset To Group    Twice    group=${group}    inviter=${ALICE}
    Member Writes And Is Read    ${group}    You are back    ${ALICE}
    No Finding Should Be Reported

Typing Of The Handset Is Told
    [Documentation]    isComposing inside CPIM, to the group; nobody is asked to notify.
    ${group} =    Found A Group    Typists    ${ALICE}
    Send Text To Group From Handset    Typists    Listen
    Wait For Text In Group    ${group}    Listen
    Type On Handset    Well    group=Typists
    ${typing} =    Wait For Typing In Group    ${group}    ACTIVE
    Should Be Equal    ${typing.cpim.to.uri}    ${group.uri}
    Should Be Empty    ${typing.dispositions}
    Send Draft On Handset
    Wait For Text In Group    ${group}    Well
    No Finding Should Be Reported

Typing Of Members Is Shown
    ${group} =    Found A Group    Gossip    ${ALICE}    ${BOB}
    Send Typing In Group    ${group}    ACTIVE    sender=${BOB}
    ${line} =    Handset Shows Composing    group=Gossip
    Should Contain    ${line}    ${BOB}
    Send Text In Group    ${group}    Here it is    sender=${BOB}
    Handset Shows Nobody Composing    group=Gossip
    No Finding Should Be Reported

Notification Goes To Who Wrote
    [Documentation]    Each of two members is notified of its own text, in the session, and of no other.
    ${group} =    Found A Group    Two pens    ${ALICE}    ${BOB}
    ${first} =    Send Text In Group    ${group}    Alice writes    sender=${ALICE}
    ${second} =    Send Text In Group    ${group}    Bob writes    sender=${BOB}
    Handset Shows Text In Group    Alice writes    Two pens    sender=${ALICE}
    Handset Shows Text In Group    Bob writes    Two pens    sender=${BOB}
    Notification Should Come To    ${ALICE}    ${first}
    Notification Should Come To    ${BOB}    ${second}
    Notification Count Should Be    1    ${first}    DISPLAYED
    No Finding Should Be Reported

Text That Is Refused Is Shown
    ${group} =    Found A Group    Censored    ${ALICE}
    Peer Refuses Next Text In Group    413
    Send Text To Group From Handset    Censored    Too much
    Handset Shows Status In Group    NOT_SENT    of=Too much    group=Censored
    Send Again On Handset    Too much    group=Censored
    Wait For Text In Group    ${group}    Too much

Founding That Is Lost With The Coverage Goes Again
    Peer Answers Next Group Invitation    NONE
    Create Group On Handset    Tunnel    ${ALICE}
    Wait For Group Invitation
    Lose Coverage
    Peer Answers As Usual
    Regain Coverage
    ${group} =    Wait For Group From Handset
    Handset Shows People In Group    1    Tunnel
    Send Text To Group From Handset    Tunnel    Out of it
    Wait For Text In Group    ${group}    Out of it

Text Written Without Coverage Joins The Group Again
    ${group} =    Found A Group    Subway    ${ALICE}
    Lose Coverage
    Send Text To Group From Handset    Subway    From the tunnel
    Regain Coverage
    Wait For Text In Group    ${group}    From the tunnel
    Should Be Equal    ${group.last.invite.request.uri}    ${group.uri}
    Handset Shows Status In Group    READ    of=From the tunnel    group=Subway

Handset Leaves Its Groups When Its Radio Is Switched Off
    ${group} =    Found A Group    Airborne    ${ALICE}
    Switch Airplane Mode On
    Wait For Handset To Leave Group    ${group}
    Switch Airplane Mode Off
    Handset Registers
    Send Text To Group From Handset    Airborne    Landed
    Wait For Text In Group    ${group}    Landed


*** Keywords ***
INVITE Should Found A Group
    [Documentation]    It requires the extension, tells the subject, and names each member once (RFC 5366 3).
    [Arguments]    ${session}    ${subject}    @{members}
    Should Be Equal    ${session.invite.request.get('Require')}    recipient-list-invite
    Should Be Equal    ${session.invite.request.get('Subject')}    ${subject}
    Should Be Equal    ${{[party.tel for party in $session.listed]}}    ${{['tel:' + each for each in $members]}}

INVITE Should Join Again
    [Documentation]    It goes to the focus with both ids of the group, without a list, and is answered so.
    [Arguments]    ${session}    ${group}    ${status}=200
    Should Be Equal    ${session.invite.request.uri}    ${group.uri}
    Should Be Equal    ${session.invite.request.get('Conversation-ID')}    ${group.conversation_id}
    Should Be Equal    ${session.invite.request.get('Contribution-ID')}    ${group.contribution_id}
    Should Be Equal    ${session.invite.request.get('Require')}    ${None}
    Should Be Equal As Integers    ${session.status}    ${status}

Refusal Shows As A Group That Is Not Connected
    [Documentation]    The peer answers the INVITE with this status; the group stays, without a session.
    [Arguments]    ${status}
    Peer Answers Next Group Invitation    ${status}
    Create Group On Handset    Refused ${status}    ${ALICE}
    ${session} =    Wait For Group Invitation
    Should Be Equal As Integers    ${session.status}    ${status}
    Handset Shows Note    Couldn't connect    group=Refused ${status}

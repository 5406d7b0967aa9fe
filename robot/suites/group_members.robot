*** Settings ***
Documentation    Members of groups: who comes and goes, whom the handset brings in and has removed, and what the focus
...              tells of them.

Resource         ../resources/bench.resource
Resource         ../resources/group.resource

Test Setup       Start From A Registered Handset
Test Teardown    Leave Nothing Behind


*** Variables ***
# No conference state has a document type; this one has entities within entities.
${BOMB}    SEPARATOR=
...        <!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
...        <!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>
...        <conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="sip:x@y" version="9">
...        <conference-description><subject>&c;</subject></conference-description></conference-info>


*** Test Cases ***
Those Who Come And Go Are Shown
    [Documentation]    The whole state first, then what has changed: pending, connected, busy, departed.
    Far Members Wait To Join
    ${group} =    Found A Group    Comings    ${ALICE}    ${BOB}    ${CAROL}
    Handset Shows People In Group    0    Comings
    Members Join Group    ${group}    ${ALICE}    ${BOB}
    Handset Shows People In Group    2    Comings
    Handset Shows Note    ${ALICE} joined    group=Comings
    Member Leaves Group    ${group}    ${BOB}
    Handset Shows Note    ${BOB} left    group=Comings
    Handset Shows People In Group    1    Comings
    No Finding Should Be Reported

Those Who Do Not Come Are Not Shown
    Far Members Wait To Join
    ${group} =    Found A Group    Absent    ${ALICE}    ${BOB}
    Members Join Group    ${group}    ${ALICE}
    Member Leaves Group    ${group}    ${BOB}    BUSY
    Handset Shows People In Group    1    Absent
    ${members} =    Members Of Group On Handset    Absent
    Should Be Equal    ${members}    ${{[$ALICE]}}

Somebody Is Added By The Handset
    [Documentation]    REFER to the focus, outside of the dialog, without a subscription of its own.
    Found A Group    Growing    ${ALICE}
    Add To Group On Handset    Growing    ${BOB}
    ${referred} =    Wait For Referral To Group    ${BOB}
    Should Be Equal    ${referred.method}    INVITE
    Should Not Be True    ${referred.subscribe}
    Should Be Equal    ${referred.incoming.message.get('Refer-Sub')}    false
    Handset Shows People In Group    2    Growing
    No Finding Should Be Reported

Several Are Added At Once
    [Documentation]    One REFER with a list (RFC 5368).
    Found A Group    Crowd    ${ALICE}
    Add To Group On Handset    Crowd    ${BOB}    ${CAROL}    ${DAVE}
    ${referred} =    Wait For Referral To Group
    Length Should Be    ${referred.members}    3
    Should Be Equal    ${referred.incoming.message.get('Require')}    multiple-refer,norefersub
    Handset Shows People In Group    4    Crowd
    No Finding Should Be Reported

Nobody Is Added Where The Focus Refuses
    ${group} =    Found A Group    Closed    ${ALICE}
    Handset Shows People In Group    1    Closed
    Peer Answers Next Referral    403
    Add To Group On Handset    Closed    ${BOB}
    ${members} =    Members Of Group On Handset    Closed
    Should Be Equal    ${members}    ${{[$ALICE]}}
    Send Text To Group From Handset    Closed    Still here
    Wait For Text In Group    ${group}    Still here

Somebody Is Removed By The Handset
    [Documentation]    REFER with method=BYE (RFC 4579 5.11); the focus tells everybody that the member was put out.
    ${group} =    Found A Group    Shrinking    ${ALICE}    ${BOB}
    Handset Shows People In Group    2    Shrinking
    Remove From Group On Handset    Shrinking    ${BOB}
    Focus Should Be Asked To Remove    ${BOB}
    Handset Shows Note    ${BOB} left    group=Shrinking
    ${members} =    Members Of Group On Handset    Shrinking
    Should Be Equal    ${members}    ${{[$ALICE]}}
    Handset Writes And Is Read    ${group}    Just us
    No Finding Should Be Reported

Nobody Is Removed Where The Focus Refuses
    ${group} =    Found A Group    Loyal    ${ALICE}
    Handset Shows People In Group    1    Loyal
    Peer Answers Next Referral    403
    Remove From Group On Handset    Loyal    ${ALICE}
    Handset Writes And Is Read    ${group}    You stay
    ${members} =    Members Of Group On Handset    Loyal
    Should Be Equal    ${members}    ${{[$ALICE]}}

Coverage Lost While A Member Is Removed
    [Documentation]    The focus does not answer before it; the handset asks again when it is back in the group.
    ${group} =    Found A Group    Elevator    ${ALICE}    ${BOB}
    Peer Answers Next Referral    NONE
    Remove From Group On Handset    Elevator    ${BOB}
    Lose Coverage
    Regain Coverage
    Handset Writes And Is Read    ${group}    Back at work
    Handset Shows People In Group    2    Elevator
    Remove From Group On Handset    Elevator    ${BOB}
    Focus Should Be Asked To Remove    ${BOB}
    Handset Shows People In Group    1    Elevator

Handset That Was Put Out Does Not Come In Again
    ${group} =    Found A Group    Strict    ${ALICE}
    Remove Handset From Group    ${group}
    Handset Shows Note    Removed from the group    group=Strict
    Send Text To Group From Handset    Strict    Let me in
    ${session} =    Wait For Group Invitation
    Should Be Equal As Integers    ${session.status}    403
    Handset Shows Status In Group    NOT_SENT    of=Let me in    group=Strict

Group Of A Hundred
    [Documentation]    99 others; each notifies for itself, and anybody of them may write.
    @{many} =    Evaluate    ['+1202555%04d' % number for number in range(1000, 1099)]
    ${group} =    Invite Handset To Group    Hundred    @{many}[1:]    inviter=${many}[0]
    Handset Shows People In Group    99    Hundred
    Send Text To Group From Handset    Hundred    Hello everybody
    Wait For Text In Group    ${group}    Hello everybody
    Handset Shows Status In Group    READ    of=Hello everybody    group=Hundred
    Member Writes And Is Read    ${group}    Hello from the last    ${many}[-1]
    No Finding Should Be Reported

State That Goes Back Is Left Out
    [Documentation]    A version that was there before: the handset keeps what it knows (RFC 4575 4.6).
    ${group} =    Found A Group    Backwards    ${ALICE}
    Handset Shows People In Group    1    Backwards
    Members Join Group    ${group}    ${BOB}    skip=-2
    Members Join Group    ${group}    ${CAROL}
    Handset Shows Note    ${CAROL} joined    group=Backwards
    Handset Shows People In Group    2    Backwards

State That Is Missing Is Fetched
    [Documentation]    A gap in the versions: the handset refreshes its subscription and gets all of it (RFC 4575 4.6).
    ${group} =    Found A Group    Gap    ${ALICE}
    Handset Shows People In Group    1    Gap
    Members Join Group    ${group}    ${BOB}    skip=3
    Wait For Handset To Refresh Group    ${group}
    Handset Shows People In Group    2    Gap
    No Finding Should Be Reported

State That Cannot Be Read Is Left Out
    [Documentation]    A document type with an entity bomb in it, and no XML at all.
    ${group} =    Found A Group    Bombed    ${ALICE}
    Handset Shows People In Group    1    Bombed
    Tell Handset Of Group    ${group}    ${BOMB}
    Tell Handset Of Group    ${group}    <conference-info
    Members Join Group    ${group}    ${BOB}
    Handset Shows People In Group    2    Bombed
    Member Writes And Is Read    ${group}    Still alive?    ${BOB}
    No Finding Should Be Reported


*** Keywords ***
Focus Should Be Asked To Remove
    [Documentation]    A REFER with method=BYE for this member alone, without a subscription of its own.
    [Arguments]    ${member}
    ${referred} =    Wait For Referral To Group    ${member}
    Should Be Equal    ${referred.method}    BYE
    Length Should Be    ${referred.members}    1
    Should Not Be True    ${referred.subscribe}

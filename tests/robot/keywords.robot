*** Settings ***
Documentation    The harness tested: each keyword that checks fails when what it checks is not so.

Resource         ../../robot/resources/bench.resource

Test Setup       Start From A Registered Handset

Test Tags        selftest


*** Variables ***
${SOON}         300 milliseconds
${NOT_SEEN}     NotSeen: *
${NOT_RIGHT}    HandsetError: *
${FINDINGS}     FindingsFailed: *


*** Test Cases ***
A Registration From Before Is Not A New One
    Run Keyword And Expect Error    ${NOT_SEEN}    Handset Registers    timeout=${SOON}

A Deregistration From Before Is Not A New One
    Switch Airplane Mode On
    Handset Deregisters
    Switch Airplane Mode Off
    Handset Registers
    Run Keyword And Expect Error    ${NOT_SEEN}    Handset Deregisters    timeout=${SOON}

A Registration Is Not Missed By Who Watches For None
    Switch Airplane Mode On
    Handset Deregisters
    Switch Airplane Mode Off
    Run Keyword And Expect Error    ${NOT_RIGHT}    Handset Does Not Register    seconds=10 seconds

A Feature Tag Must Be There With Its Value
    ${binding} =    Handset Is Registered
    Run Keyword And Expect Error    ${NOT_RIGHT}    Binding Should Have Feature Tag    ${binding}
    ...    +g.3gpp.icsi-ref    urn:urn-7:3gpp-service.ims.icsi.oma.cpm.nothing
    Run Keyword And Expect Error    ${NOT_RIGHT}    Binding Should Have Feature Tag    ${binding}
    ...    +g.rcslab.nothing    urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg

A Text Is Sent For The Next Test
    Send Text From Handset    Left over
    Wait For Text From Handset    Left over

A Text Of The Test Before Does Not Count
    Run Keyword And Expect Error    ${NOT_SEEN}    Wait For Text From Handset    Left over    timeout=${SOON}

A Text From Before The Last Action Is Not The Next One
    Send Text From Handset    Early
    Wait For Text From Handset    Early
    Leave Conversation
    Run Keyword And Expect Error    ${NOT_SEEN}    Wait For Next Text From Handset    Early    timeout=${SOON}

A Text Must Be The One Named
    Send Text From Handset    One
    Run Keyword And Expect Error    ${NOT_SEEN}    Wait For Text From Handset    Other    timeout=${SOON}

A Text Is Not Missed By Who Watches For None
    Send Text From Handset    Here I am
    Run Keyword And Expect Error    ${NOT_RIGHT}    No Text Comes From Handset    seconds=10 seconds

A File Must Be The One Named And The One Sent
    ${file} =    File Of Octets    3000    one.bin
    ${other} =    File Of Octets    3001    other.bin
    Send File From Handset    ${file}
    ${received} =    Wait For File From Handset    one.bin
    Run Keyword And Expect Error    ${NOT_RIGHT}    Received File Should Be    ${received}    ${other}
    Run Keyword And Expect Error    ${NOT_SEEN}    Wait For File From Handset    other.bin    timeout=${SOON}
    Leave Conversation
    Run Keyword And Expect Error    ${NOT_RIGHT}    Handset Has File    ${other}    one.bin

A File From Before The Last Action Is Not The Next One
    ${file} =    File Of Octets    3000    early.bin
    Send File From Handset    ${file}
    Wait For File From Handset
    Open Conversation
    Peer Answers Next File    603
    Run Keyword And Expect Error    ${NOT_SEEN}    Wait For Next File From Handset    timeout=${SOON}
    Run Keyword And Expect Error    ${NOT_SEEN}    Wait For File Offer    timeout=${SOON}
    Run Keyword And Expect Error    ${NOT_SEEN}    Wait For Cancelled File    timeout=${SOON}
    Run Keyword And Expect Error    ${NOT_SEEN}    Wait For Broken File    timeout=${SOON}
    Peer Answers As Usual

A File Is Not Missed By Who Watches For None
    ${file} =    File Of Octets    3000    watched.bin
    Send File From Handset    ${file}
    Run Keyword And Expect Error    ${NOT_RIGHT}    No File Comes From Handset    seconds=10 seconds

A File That Arrives Does Not Break Off
    ${file} =    File Of Octets    3000    whole.bin
    ${transfer} =    Offer File To Handset    ${file}
    Run Keyword And Expect Error    ${NOT_RIGHT}    Wait Until File Breaks Off    ${transfer}
    Run Keyword And Expect Error    ${NOT_RIGHT}    Wait For Answer To File    ${transfer}    603
    Run Keyword And Expect Error    ${NOT_RIGHT}    Pull File From Handset    name=no such    expect=200

A File That Breaks Off Does Not Arrive
    ${file} =    File Of Octets    3000    part.bin
    ${transfer} =    Offer File To Handset    ${file}    break_off_after=2048
    Run Keyword And Expect Error    ${NOT_RIGHT}    Wait Until File Is Delivered    ${transfer}

A Chat Is Not Missed By Who Watches For None
    Start Chat On Handset
    Send Text From Handset    Hello in a chat
    Run Keyword And Expect Error    ${NOT_RIGHT}    No Chat Comes From Handset    seconds=10 seconds
    [Teardown]    End Chat On Handset

A Chat From Before The Last Action Is Not The Next One
    Start Chat On Handset
    Send Text From Handset    Begun before
    Wait For Chat From Handset
    Type On Handset    More
    Run Keyword And Expect Error    ${NOT_SEEN}    Wait For Next Chat From Handset    timeout=${SOON}
    [Teardown]    End Chat On Handset

A Text In A Chat Must Be The One Named And In That Chat
    ${chat} =    Invite Handset To Chat
    ${other} =    Invite Handset To Chat    sender=+12025550162
    Send Text From Handset    Only here
    Wait For Text In Chat    ${chat}    Only here
    Run Keyword And Expect Error    ${NOT_SEEN}    Wait For Text In Chat    ${chat}    Other    timeout=${SOON}
    Run Keyword And Expect Error    ${NOT_SEEN}    Wait For Text In Chat    ${other}    Only here    timeout=${SOON}
    [Teardown]    End Both Chats    ${chat}    ${other}

A Text In A Chat Is Not Missed By Who Watches For None
    ${chat} =    Invite Handset To Chat
    Send Text From Handset    Here I am in a chat
    Run Keyword And Expect Error    ${NOT_RIGHT}    No Text Comes In Chat    seconds=10 seconds
    [Teardown]    End Chat With Handset    ${chat}

A Chat That Is Over Is Not Shown, And One That Is There Is
    ${chat} =    Invite Handset To Chat
    Handset Shows Chat
    Run Keyword And Expect Error    ${NOT_SEEN}    Handset Shows No Chat    timeout=${SOON}
    End Chat With Handset    ${chat}
    Handset Shows No Chat
    Run Keyword And Expect Error    ${NOT_SEEN}    Handset Shows Chat    timeout=${SOON}

A Chat The Far Party Ended Was Not Ended By The Handset
    ${chat} =    Invite Handset To Chat
    End Chat With Handset    ${chat}
    Run Keyword And Expect Error    ${NOT_RIGHT}    Wait For End Of Chat    ${chat}

Typing In A Chat Must Be Of The State Named
    ${chat} =    Invite Handset To Chat
    Type On Handset    Well
    Wait For Typing In Chat    ${chat}    ACTIVE
    Run Keyword And Expect Error    ${NOT_SEEN}    Wait For Typing In Chat    ${chat}    IDLE    timeout=${SOON}
    Erase Draft On Handset
    [Teardown]    End Chat With Handset    ${chat}

A Text In A Group Must Be The One Named And Of The Member Named
    Create Group On Handset    Checked    +12025550111    +12025550112
    ${group} =    Wait For Group From Handset
    Send Text In Group    ${group}    From one    sender=+12025550111
    Handset Shows Text In Group    From one    Checked    sender=+12025550111
    Run Keyword And Expect Error    ${NOT_SEEN}
    ...    Handset Shows Text In Group    From one    Checked    sender=+12025550112    timeout=${SOON}
    Run Keyword And Expect Error    ${NOT_SEEN}    Wait For Text In Group    ${group}    Never    timeout=${SOON}
    Run Keyword And Expect Error    ${NOT_SEEN}
    ...    Wait For Members Of Group    ${group}    7    timeout=${SOON}
    Run Keyword And Expect Error    ${NOT_SEEN}    Wait For Handset To Leave Group    ${group}    timeout=${SOON}
    [Teardown]    Leave Group On Handset    Checked

The Recipients Of A Text Must Be Those Named
    Send Text To Several From Handset    For two    +12025550171    +12025550172
    ${text} =    Wait For Text From Handset    For two
    Run Keyword And Expect Error    ${NOT_RIGHT}    Recipients Of Text Should Be    ${text}    +12025550171
    Run Keyword And Expect Error    ${NOT_RIGHT}
    ...    Recipients Of Text Should Be    ${text}    +12025550171    +12025550173
    Handset Shows Status Of Several    READ    For two    +12025550171    +12025550172

A Capability Query Is Not Missed By Who Watches For None
    Open Conversation    +12025550163
    Run Keyword And Expect Error    ${NOT_RIGHT}    No Capability Query Comes    seconds=10 seconds

A Fetch Is Not Missed By Who Watches For None
    Handset Fetches Deferred Messages
    Wait For Subscription To Deferred Messages
    Store Message For Handset    Fetch me
    Run Keyword And Expect Error    ${NOT_RIGHT}    No Fetch Comes    seconds=10 seconds
    [Teardown]    Handset Fetches Deferred Messages    ${False}

The Status On Screen Must Be The One Named
    Far Party Notifies    delivered=NONE    displayed=NONE
    Send Text From Handset    Only sent
    Handset Shows Status    SENT    of=Only sent
    Run Keyword And Expect Error    ${NOT_SEEN}    Handset Shows Status    DELIVERED    of=Only sent    timeout=${SOON}

A Text On Screen Must Be The One Named And Of The Far Party
    Send Text From Handset    Mine
    Handset Shows Status    READ    of=Mine
    Run Keyword And Expect Error    ${NOT_SEEN}    Handset Shows Text    Mine    timeout=${SOON}
    Run Keyword And Expect Error    ${NOT_SEEN}    Handset Shows Text    Nobody's    timeout=${SOON}

The Answer To A Text Must Be The One Expected
    Run Keyword And Expect Error    *expected 404, got 200*    Send Text To Handset    Hello    expect=404

A Notification Must Be Of The Kind And The Message Named
    ${first} =    Send Text To Handset    Read later
    Wait For Notification    ${first}    DELIVERED
    Run Keyword And Expect Error    ${NOT_SEEN}    Wait For Notification    ${first}    DISPLAYED    timeout=${SOON}
    ${second} =    Send Text To Handset    Not asked for    notify=NONE
    Run Keyword And Expect Error    ${NOT_SEEN}    Wait For Notification    ${second}    DELIVERED    timeout=${SOON}

A Notification Is Not Missed By Who Watches For None
    ${message} =    Send Text To Handset    Tell me
    Wait For Notification    ${message}    DELIVERED
    Run Keyword And Expect Error    ${NOT_RIGHT}    No Notification Comes    ${message}
    Run Keyword And Expect Error    ${NOT_RIGHT}    No Notification Comes    ${message}    DELIVERED

Notifications Are Counted Exactly
    ${message} =    Send Text To Handset    Count
    Wait For Notification    ${message}    DELIVERED
    Run Keyword And Expect Error    ${NOT_RIGHT}    Notification Count Should Be    0    ${message}    DELIVERED
    Run Keyword And Expect Error    ${NOT_RIGHT}    Notification Count Should Be    2    ${message}    DELIVERED

The Modem Must Say What Is Expected
    Run Keyword And Expect Error    ${NOT_RIGHT}    Modem Should Be Registered For IMS
    ...    registered=${False}    timeout=${SOON}
    Run Keyword And Expect Error    ${NOT_RIGHT}    Modem Should Camp On Cell    65534    1    timeout=${SOON}
    Run Keyword And Expect Error    ${NOT_RIGHT}    Modem Should Know P-CSCF    192.0.2.1

The Network Simulator Must Have Seen This Handset
    Switch Cell Off
    Run Keyword And Expect Error    ${NOT_RIGHT}    Network Simulator Should Know Handset
    Run Keyword And Expect Error    ${NOT_SEEN}    Handset Attaches    timeout=${SOON}

A Finding Is Not Overlooked
    [Setup]    Start With A Handset That Can Have Defects
    Set Handset Property    debug.rcslab.defects    max_forwards_69
    Send Text From Handset    Sixty-nine
    Wait For Text From Handset    Sixty-nine
    Run Keyword And Expect Error    ${FINDINGS}    No Finding Should Be Reported
    Run Keyword And Expect Error    ${FINDINGS}    Only Rule Reported Should Be    pager.no-contact
    [Teardown]    Repair Handset

A Second Finding Is Not Overlooked
    [Setup]    Start With A Handset That Can Have Defects
    Set Handset Property    debug.rcslab.defects    max_forwards_69,contact_in_message
    Send Text From Handset    Two at once
    Wait For Text From Handset    Two at once
    Run Keyword And Expect Error    ${FINDINGS}    Only Rule Reported Should Be    pager.no-contact
    [Teardown]    Repair Handset


*** Keywords ***
End Both Chats
    [Documentation]    From the far parties.
    [Arguments]    @{chats}
    FOR    ${chat}    IN    @{chats}
        End Chat With Handset    ${chat}
    END

Start With A Handset That Can Have Defects
    [Documentation]    Only the simulated reference handset has them by name.
    ${personality} =    Property Of Handset    ro.rcslab.personality
    Skip If    '${personality}' != 'reference'    the handset is not the simulated reference handset
    Start From A Registered Handset

Repair Handset
    [Documentation]    All defects off.
    Set Handset Property    debug.rcslab.defects    ${EMPTY}

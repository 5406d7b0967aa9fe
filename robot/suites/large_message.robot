*** Settings ***
Documentation    Large message mode: texts above the pager limit, each in an MSRP session of its own, both ways.

Resource         ../resources/bench.resource

Test Setup       Start From A Registered Handset


*** Test Cases ***
Size In Octets Decides By Which Mode A Text Leaves
    [Documentation]    1300 octets of content in UTF-8 are the last that go in a MESSAGE.
    [Template]    Text Of This Size Leaves By
    1300    x    PAGER
    1301    x    LARGE
    1300    ü    PAGER
    1302    ü    LARGE

Large Text Is Delivered And Displayed
    ${text} =    Text Of Octets    3000
    Send Text From Handset    ${text}
    ${message} =    Wait For Text From Handset    ${text}
    Should Be Equal As Integers    ${message.size}    3000
    Handset Shows Status    READ    of=${text}

Handset Ends The Session Of A Large Text
    [Documentation]    INVITE with the size, one message, BYE by its sender; the notifications come by MESSAGE.
    ${text} =    Text Of Octets    2600
    Send Text From Handset    ${text}
    ${invitation} =    Wait For Large Message Invitation
    Wait For Text From Handset    ${text}    by=LARGE
    ${ended} =    Wait For End Of Large Message    ${invitation}
    Should Be Equal As Integers    ${invitation.announced_size}    2600
    Should Not Be True    ${ended.ending.by_us}
    Length Should Be    ${ended.received}    1
    Handset Shows Status    READ    of=${text}

Large Text Arrives Whole
    [Documentation]    One chunk, one octet more than a chunk with its headers, and many chunks (RFC 4975 7.1.1).
    [Template]    Large Text Of This Size Arrives Whole
    2048
    2049
    20000

Other Scripts Of A Large Text Arrive As Written
    ${emoji} =    Text Of Octets    1500    👩
    VAR    ${text} =    Grüße, 你好,\n & <b>"quoted"</b> ${emoji}
    Send Text From Handset    ${text}
    ${message} =    Wait For Text From Handset    by=LARGE
    Should Be Equal    ${message.text.replace('\r\n', '\n')}    ${text}

Refused Large Text Is Shown As Not Sent
    [Template]    Handset Shows A Refused Large Text As Not Sent
    403
    404
    480
    486
    488
    603

Large Text Whose Stream Is Declined Is Shown As Not Sent
    [Documentation]    200 to the INVITE, and port 0 for its m-line (RFC 3264 6).
    Peer Answers Next Large Message    200    declined=True
    Large Text Is Shown As Not Sent    stream

Large Text Whose Content Is Refused Is Shown As Not Sent
    [Template]    Handset Shows A Text With Refused Content As Not Sent
    403
    413
    415

Larger Text Than The Far Party Takes Is Not Sent
    [Documentation]    max-size in the answer (RFC 4975 8.6): no content leaves.
    Peer Takes Large Messages Up To    2000
    Large Text Is Shown As Not Sent    too large
    No Text Comes From Handset    by=LARGE

Large Text Is Stored And Delivered Later
    [Documentation]    The network takes it at once; what became of it is known when its receiver is there again.
    Far Party Notifies    delivered=300 ms    displayed=NONE
    ${text} =    Text Of Octets    1400
    Send Text From Handset    ${text}
    Handset Shows Status    SENT    of=${text}
    Handset Shows Status    DELIVERED    of=${text}

Large Text Rings Before It Is Taken
    Peer Answers Next Large Message    200    after=300 milliseconds
    ${text} =    Text Of Octets    1500
    Send Text From Handset    ${text}
    Wait For Text From Handset    ${text}
    Handset Shows Status    READ    of=${text}

Texts Of Both Modes In A Row All Arrive
    ${long} =    Text Of Octets    1700
    Send Text From Handset    Short before
    Send Text From Handset    ${long}
    Send Text From Handset    Short behind
    Wait For Text From Handset    Short before    by=PAGER
    Wait For Text From Handset    ${long}    by=LARGE
    Wait For Text From Handset    Short behind    by=PAGER
    Handset Shows Status    READ    of=${long}

Coverage Lost While A Large Text Invites
    [Documentation]    The INVITE has no answer when the cell goes: the text goes in a new session, once.
    Peer Answers Next Large Message    NONE
    ${text} =    Text Of Octets    2500
    Send Text From Handset    ${text}
    Wait For Large Message Invitation
    Lose Coverage
    Peer Answers As Usual
    Regain Coverage
    Wait For Next Text From Handset    ${text}
    Handset Shows Status    READ    of=${text}

Coverage Lost Before A Large Text Is Answered
    [Documentation]    All of it is there, and no chunk answered: it comes again with its imdn.Message-ID.
    Peer Answers Content Of Next Large Message    NONE
    ${text} =    Text Of Octets    20000
    Send Text From Handset    ${text}
    ${first} =    Wait For Text From Handset    ${text}
    Lose Coverage
    Regain Coverage
    ${second} =    Wait For Next Text From Handset    ${text}
    Should Be Equal    ${first.message_id}    ${second.message_id}
    Handset Shows Status    READ    of=${text}

Large Text To The Handset Is Notified As Delivered And Displayed
    ${text} =    Text Of Octets    3100
    ${message} =    Send Large Text To Handset    ${text}
    Wait For Notification    ${message}    DELIVERED
    No Notification Comes    ${message}    DISPLAYED
    Handset Shows Text    ${text}
    Wait For Notification    ${message}    DISPLAYED

Large Text Of Any Size Is Taken
    [Template]    Handset Takes A Large Text Of This Size
    1
    1300
    1301
    2048
    2049
    20000

Large Text Brings What It Asks For
    ${silent} =    Send Large Text To Handset    Just so you know    notify=NONE
    ${seen} =    Send Large Text To Handset    Tell me when you saw it    notify=DISPLAYED
    Handset Shows Text    Tell me when you saw it
    Wait For Notification    ${seen}    DISPLAYED
    No Notification Comes    ${seen}    DELIVERED    seconds=0 seconds
    No Notification Comes    ${silent}

Large Text That Comes Twice Is Shown And Notified Once
    ${text} =    Text Of Octets    1350    t
    ${first} =    Send Large Text To Handset    ${text}
    Wait For Notification    ${first}    DELIVERED
    Send Large Text To Handset    ${text}    message_id=${first.message_id}
    Handset Shows Text    ${text}
    Wait For Notification    ${first}    DISPLAYED
    Texts Shown Should Be    ${text}    1
    Notification Count Should Be    1    ${first}    DELIVERED

Second End Of A Large Text Changes Nothing
    [Documentation]    The same message once more in its session, again with "$" (RFC 4975 5.4).
    ${text} =    Text Of Octets    2100    s
    ${message} =    Send Large Text To Handset    ${text}    times=2
    Handset Shows Text    ${text}
    Wait For Notification    ${message}    DISPLAYED
    Texts Shown Should Be    ${text}    1
    Notification Count Should Be    1    ${message}    DELIVERED

Large Text The Far Party Gives Up Is Not Shown
    [Documentation]    "#" in the midst (RFC 4975 7.1): what came is not a message.
    ${text} =    Text Of Octets    8000    g
    ${message} =    Send Large Text To Handset    ${text}    abort_after=5000
    No Notification Comes    ${message}
    Open Conversation
    Texts Shown Should Be    ${text}    0

Large Text Of Another Size Than Announced Is Taken
    [Documentation]    The size of the offer lies; Byte-Range tells how much there is (RFC 4975 7.1.1).
    [Template]    Handset Takes A Text Announced With
    1000
    100000

Large Content Nobody Can Show Is Not Notified
    ${message} =    Send Large Text To Handset    {}    content_type=application/x-unknown
    No Notification Comes    ${message}

Unknown Extension In The Invitation Is Refused
    [Documentation]    Require with an option tag nobody knows: 420 with Unsupported (RFC 3261 8.2.2.3).
    ${message} =    Send Large Text To Handset    Extended    Require=x-rcslab-unknown    expect=420
    Should Be Equal    ${message.answer.get('Unsupported')}    x-rcslab-unknown

Large Text That Pauses In The Midst Arrives Whole
    ${text} =    Text Of Octets    9000
    ${half} =    Begin Large Text To Handset    ${text}
    No Notification Comes    ${half}
    Finish Large Text To Handset    ${half}
    Handset Shows Text    ${text}
    Wait For Notification    ${half}    DISPLAYED

Coverage Lost In The Midst Of A Large Text To The Handset
    [Documentation]    Half of it is nothing. Sent again with its imdn.Message-ID it is shown, and notified once.
    ${text} =    Text Of Octets    9000    m
    ${half} =    Begin Large Text To Handset    ${text}
    Lose Coverage
    Regain Coverage
    Open Conversation
    Texts Shown Should Be    ${text}    0
    ${whole} =    Send Large Text To Handset    ${text}    message_id=${half.message_id}
    Wait For Notification    ${whole}    DISPLAYED
    Texts Shown Should Be    ${text}    1
    Notification Count Should Be    1    ${whole}    DELIVERED

Coverage Lost When A Large Text Was Just Read
    [Documentation]    The notification has no answer when the cell goes: it comes again.
    ${text} =    Text Of Octets    1500    r
    ${message} =    Send Large Text To Handset    ${text}
    Wait For Notification    ${message}    DELIVERED
    Lose Coverage
    Handset Shows Text    ${text}
    Regain Coverage
    Wait For Notification    ${message}    DISPLAYED


*** Keywords ***
Text Of This Size Leaves By
    [Documentation]    A text of so many octets made of this letter leaves in this mode.
    [Arguments]    ${octets}    ${letter}    ${mode}
    ${text} =    Text Of Octets    ${octets}    ${letter}
    Send Text From Handset    ${text}
    ${message} =    Wait For Next Text From Handset    ${text}    by=${mode}
    Should Be Equal As Integers    ${message.size}    ${octets}

Large Text Of This Size Arrives Whole
    [Documentation]    The peer gets exactly this many octets in large message mode.
    [Arguments]    ${octets}
    ${text} =    Text Of Octets    ${octets}    w
    Send Text From Handset    ${text}
    ${message} =    Wait For Text From Handset    ${text}    by=LARGE
    Should Be Equal As Integers    ${message.size}    ${octets}

Large Text Is Shown As Not Sent
    [Documentation]    A large text leaves, and the app must not claim that it was sent. Each has its own text.
    [Arguments]    ${why}
    ${filling} =    Text Of Octets    2200    n
    VAR    ${text} =    ${why}: ${filling}
    Send Text From Handset    ${text}
    Handset Shows Status    NOT_SENT    of=${text}

Handset Shows A Refused Large Text As Not Sent
    [Documentation]    The peer refuses the INVITE with this status.
    [Arguments]    ${status}
    Peer Answers Next Large Message    ${status}
    Large Text Is Shown As Not Sent    answered ${status}

Handset Shows A Text With Refused Content As Not Sent
    [Documentation]    The peer takes the INVITE and refuses the content with this status of MSRP.
    [Arguments]    ${status}
    Peer Answers Content Of Next Large Message    ${status}
    Large Text Is Shown As Not Sent    content answered ${status}

Handset Takes A Large Text Of This Size
    [Documentation]    A text of this many octets in large message mode is taken and notified.
    [Arguments]    ${octets}
    ${text} =    Text Of Octets    ${octets}
    ${message} =    Send Large Text To Handset    ${text}
    Wait For Notification    ${message}    DELIVERED

Handset Takes A Text Announced With
    [Documentation]    3000 octets come, and another size was announced.
    [Arguments]    ${octets}
    ${text} =    Text Of Octets    3000    l
    ${message} =    Send Large Text To Handset    ${text}    announced_size=${octets}
    Wait For Notification    ${message}    DELIVERED

Texts Shown Should Be
    [Documentation]    The open conversation shows this text so many times.
    [Arguments]    ${text}    ${times}
    ${texts} =    Texts On Screen
    Should Contain X Times    ${texts}    ${text}    ${times}

*** Settings ***
Documentation    Pager mode, the handset sends: what it puts on the wire, and what it makes of each answer.

Resource         ../resources/bench.resource

Test Setup       Start From A Registered Handset


*** Test Cases ***
Text Is Delivered And Displayed
    Far Party Notifies    delivered=0 s    displayed=200 ms
    Send Text From Handset    Hello
    Wait For Text From Handset    Hello
    Handset Shows Status    READ    of=Hello

Text Comes From The Number Of The Handset
    Send Text From Handset    Whose number is this?
    ${message} =    Wait For Text From Handset    Whose number is this?
    ${binding} =    Handset Is Registered
    Should Be Equal    ${message.sender}    ${binding.identity}

Text Without Notifications Stays Sent
    Far Party Notifies    delivered=NONE    displayed=NONE
    Send Text From Handset    No answer needed
    Wait For Text From Handset    No answer needed
    Handset Shows Status    SENT    of=No answer needed

Stored Text Is Sent And Delivered Later
    [Documentation]    202: the network keeps the text; the notification comes when it reached its receiver.
    Far Party Notifies    delivered=300 ms    displayed=NONE
    Peer Answers Next Message    202
    Send Text From Handset    Keep this
    Handset Shows Status    SENT    of=Keep this
    Handset Shows Status    DELIVERED    of=Keep this

Emoji And Other Scripts Arrive As Written
    VAR    ${text} =    Grüße, 你好, 👩‍👩‍👧 & <b>"quoted"</b>
    Send Text From Handset    ${text}
    Wait For Text From Handset    ${text}

Text Of Several Lines Arrives As Written
    VAR    ${text} =    First line\nSecond line
    Send Text From Handset    ${text}
    ${message} =    Wait For Text From Handset
    Should Be Equal    ${message.text.replace('\r\n', '\n')}    ${text}

Largest Pager Text Leaves In One Message
    [Template]    Text Of This Size Leaves As Pager Message
    1299
    1300

Larger Text Does Not Leave As Pager Message
    [Documentation]    1301 octets of content: large message mode, never a MESSAGE (RCC.07, OMA CPM).
    ${text} =    Text Of Octets    1301
    Send Text From Handset    ${text}
    Wait For Text From Handset    ${text}    by=LARGE
    No Text Comes From Handset    by=PAGER

Refused Text Is Shown As Not Sent
    [Template]    Handset Shows A Refused Text As Not Sent
    404
    480
    486
    603

Unsupported Type Is Shown As Not Sent
    Peer Answers Next Message    415    Accept=text/plain
    Send Text From Handset    Not understood
    Handset Shows Status    NOT_SENT    of=Not understood

Challenged Text Is Repeated With Credentials
    [Documentation]    407: the same text once more, with Proxy-Authorization and the next CSeq (RFC 3261 22.3).
    Peer Answers Next Message    407
    Send Text From Handset    Who goes there?
    ${message} =    Wait For Text From Handset    Who goes there?
    Should Be Equal As Integers    ${message.request.cseq.number}    2
    Handset Shows Status    READ    of=Who goes there?

Text Is Repeated Until The Peer Answers
    [Documentation]    Silence: over UDP the same request again at T1, then doubling (RFC 3261 17.1.2.2).
    Peer Answers Next Message    200    after=800 milliseconds
    Send Text From Handset    Are you there?
    Wait For Text From Handset    Are you there?
    Handset Shows Status    READ    of=Are you there?

Texts In A Row Keep Their Order
    Send Text From Handset    One
    Send Text From Handset    Two
    Send Text From Handset    Three
    Wait For Text From Handset    Three
    ${texts} =    Texts On Screen
    Should Be Equal    ${texts}[-3:]    ${{['One', 'Two', 'Three']}}


*** Keywords ***
Text Of This Size Leaves As Pager Message
    [Documentation]    One MESSAGE with exactly this many octets of content.
    [Arguments]    ${octets}
    ${text} =    Text Of Octets    ${octets}
    Send Text From Handset    ${text}
    ${message} =    Wait For Text From Handset    ${text}
    Length Should Be    ${message.content}    ${octets}

Handset Shows A Refused Text As Not Sent
    [Documentation]    The peer refuses with this status; the app must not claim that the text was sent.
    [Arguments]    ${status}
    Peer Answers Next Message    ${status}
    Send Text From Handset    Refused with ${status}
    Wait For Text From Handset    Refused with ${status}
    Handset Shows Status    NOT_SENT    of=Refused with ${status}

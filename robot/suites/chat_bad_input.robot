*** Settings ***
Documentation    1-1 sessions whose far party errs on purpose: the answer the RFC has for it, and the finding.

Resource         ../resources/bench.resource

Test Setup       Start From A Registered Handset
Test Teardown    End The Chat


*** Test Cases ***
Offer That Cannot Be Used Is Refused
    [Documentation]    488 (RFC 3261 13.3.1.3, RFC 4975 8), 400 for what is no SDP; the next offer is taken.
    [Template]    Offer Is Refused
    NO_PATH    488    sdp.path.present
    NO_TYPES    488    sdp.accept-types.present
    UNKNOWN_TYPES    488    sdp.accept-types.cpim
    NO_SDP    400    sdp.required

Unknown Setup Counts As None
    [Documentation]    RFC 6135 4.2.1 and 5: who offers connects, as before there was a=setup.
    ${chat} =    Invite Handset To Chat    sdp=UNKNOWN_SETUP
    Far Party Writes And Is Shown    ${chat}    With a strange setup
    Rule Should Be Reported    sdp.setup.offer-values

Path That Cannot Be Reached Ends The Session
    [Documentation]    The handset accepts, cannot connect, and hangs up.
    ${chat} =    Invite Handset To Chat    sdp=UNREACHABLE_PATH
    Wait For End Of Chat    ${chat}

Of Two Streams One Is Taken
    [Documentation]    The second m-line is answered with port 0 (RFC 3264 6).
    ${chat} =    Invite Handset To Chat    lines=2
    VAR    ${answer} =    ${chat.answer.body.decode()}
    Should Contain X Times    ${answer}    m=message    2
    Should Contain X Times    ${answer}    m=message 0    1
    Far Party Writes And Is Shown    ${chat}    On the first of two

Answer That Cannot Be Used Ends The Session
    [Documentation]    ACK, then BYE (RFC 3261 13.2.2.4): what was to be said is not sent.
    [Template]    Answer Ends The Session
    NO_PATH    sdp.path.present
    NO_TYPES    sdp.accept-types.present
    UNREACHABLE_PATH    NONE
    SECOND_LINE    sdp.m-count

Answer Without Types For Texts Leaves Them Unsent
    Peer Answers Next Chat    200    sdp=UNKNOWN_TYPES
    Start Chat On Handset
    Send Text From Handset    Too plain
    Handset Shows Status    NOT_SENT    of=Too plain

Content Of An Unknown Type Is Refused
    [Documentation]    415 to the SEND (RFC 4975 7.3.1), and the session goes on.
    ${chat} =    Invite Handset To Chat
    Send Content In Chat    ${chat}    {}    application/x-unknown    expect=415
    Rule Should Be Reported    msrp.type.allowed
    Far Party Writes And Is Shown    ${chat}    Plain words

Octets Past The End Are Taken As They Came
    [Documentation]    RFC 4975 knows no error for it: the chunk with "$" defines the length.
    ${chat} =    Invite Handset To Chat
    Send Wrong Chunks In Chat    ${chat}    More than I announced    PAST_THE_END
    Handset Shows Text    More than I announced
    Rule Should Be Reported    msrp.byte-range.end-total

End That Comes Twice Brings The Text Once
    ${chat} =    Invite Handset To Chat
    ${sent} =    Send Wrong Chunks In Chat    ${chat}    Said once, ended twice    SECOND_END
    Handset Shows Text    Said once, ended twice
    Wait For Notification    ${sent}    DISPLAYED
    Notification Count Should Be    1    ${sent}    DELIVERED
    Rule Should Be Reported    msrp.message-id.same-over-chunks


*** Keywords ***
Offer Is Refused
    [Documentation]    An offer with this wrong in it gets this status, and the rule is reported against the peer.
    [Arguments]    ${wrong}    ${status}    ${rule}
    Invite Handset To Chat    sdp=${wrong}    expect=${status}
    Rule Should Be Reported    ${rule}

Answer Ends The Session
    [Documentation]    The handset begins a session, gets this answer, and ends it again.
    [Arguments]    ${wrong}    ${rule}
    Peer Answers Next Chat    200    sdp=${wrong}
    Start Chat On Handset
    Send Text From Handset    Nowhere to go: ${wrong}
    ${chat} =    Wait For Chat Invitation
    Wait For End Of Chat    ${chat}
    Handset Shows Status    NOT_SENT    of=Nowhere to go: ${wrong}
    IF    $rule != "NONE"    Rule Should Be Reported    ${rule}

Far Party Writes And Is Shown
    [Documentation]    A text of the far party arrives.
    [Arguments]    ${chat}    ${text}
    ${message} =    Send Text In Chat    ${chat}    ${text}
    Wait For Notification    ${message}    DELIVERED
    Handset Shows Text    ${text}

End The Chat
    [Documentation]    The conversation in its default mode again.
    Run Keyword If Test Failed    Take Screenshot
    End Chat On Handset

*** Settings ***
Documentation    The SIP dialog of a 1-1 session: its refresh by either side, changes that cross, what is refused in it.

Resource         ../resources/chat.resource

Test Setup       Start From A Registered Handset
Test Teardown    Leave The Chat


*** Test Cases ***
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
    [Documentation]    491 to both. The far party owns the Call-ID, so the handset tries again first, within 2 s
    ...    (RFC 3261 14.1).
    ${chat} =    Invite Handset To Chat    Session_Expires=1800;refresher=uas    Allow=INVITE, ACK, CANCEL, BYE
    Re-INVITEs Cross    ${chat}
    Wait For Refresh Of Chat    ${chat}
    Far Party Writes And Is Read    ${chat}    After you
    No Finding Should Be Reported

Re-INVITEs Cross In A Chat Of The Handset
    [Documentation]    491 to both. The handset owns the Call-ID, so it tries again last, after 2.1 s at least: it takes
    ...    what the far party tries within 2 s.
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


*** Keywords ***
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

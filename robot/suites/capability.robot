*** Settings ***
Documentation    Capability discovery by OPTIONS: what each side shows, and what the handset makes of each answer.

Resource         ../resources/bench.resource

Test Setup       Start From A Registered Handset


*** Variables ***
${CONTACT_1}    +491710000201
${CONTACT_2}    +491710000202
${CONTACT_3}    +491710000203
${CONTACT_4}    +491710000204
${CONTACT_5}    +491710000205
${CONTACT_6}    +491710000206


*** Test Cases ***
Opening A Conversation Asks About Its Number
    Open Conversation    ${CONTACT_1}
    ${query} =    Wait For Capability Query    ${CONTACT_1}
    ${binding} =    Handset Is Registered
    Should Be Equal    ${query.sender}    ${binding.identity}
    Should Contain    ${query.tags}    oma.cpm.msg
    Should Contain    ${query.tags}    oma.cpm.session
    Handset Composes    CHAT    ${CONTACT_1}

What Is Known Is Not Asked Again
    Open Conversation    ${CONTACT_2}
    Wait For Capability Query    ${CONTACT_2}
    Leave Conversation
    Open Conversation    ${CONTACT_2}
    No Capability Query Comes

Number That Is No RCS User Is Written To By SMS
    [Documentation]    404: the far party has no RCS; the compose box says so.
    Peer Answers Next Capability Query    404
    Open Conversation    ${CONTACT_3}
    Wait For Capability Query    ${CONTACT_3}
    Handset Composes    SMS    ${CONTACT_3}

RCS User Out Of Reach Stays An RCS User
    [Documentation]    480: registered nowhere now; texts still go as RCS messages, to be stored.
    Peer Answers Next Capability Query    480
    Open Conversation    ${CONTACT_4}
    Wait For Capability Query    ${CONTACT_4}
    Handset Composes    CHAT    ${CONTACT_4}

Contact Without RCS Tags Is Written To By SMS
    Peer Answers Next Capability Query    200    Contact=<sip:far.example>;+g.3gpp.smsip
    Open Conversation    ${CONTACT_5}
    Wait For Capability Query    ${CONTACT_5}
    Handset Composes    SMS    ${CONTACT_5}

Handset Tells What It Can Do
    ${answer} =    Query Capabilities Of Handset
    Should Contain    ${answer.tags}    oma.cpm.msg
    Should Contain    ${answer.tags}    oma.cpm.largemsg
    Should Contain    ${answer.tags}    oma.cpm.session
    Should Contain    ${answer.tags}    rcse.im

Handset Refuses An OPTIONS That Requires What It Does Not Know
    ${answer} =    Query Capabilities Of Handset    expect=420    Require=flying-carpet
    Should Be Equal    ${answer.response.get('Unsupported')}    flying-carpet

Question Lost With The Coverage Is Asked Again
    Peer Answers Next Capability Query    NONE
    Open Conversation    ${CONTACT_6}
    Wait For Capability Query    ${CONTACT_6}
    Leave Conversation
    Lose Coverage
    Regain Coverage
    Open Conversation    ${CONTACT_6}
    Wait For Next Capability Query    ${CONTACT_6}
    Handset Composes    CHAT    ${CONTACT_6}

Handset Answers Again When Coverage Is Back
    Lose Coverage
    Regain Coverage
    Query Capabilities Of Handset

*** Settings ***
Documentation    The harness tested: each defect of the simulated handset is reported by its rule and by no other.

Resource         ../../resources/defects.resource

Suite Setup      Skip Unless The Handset Can Have Defects
Test Setup       Start From A Registered Handset
Test Teardown    Repair Handset
Test Template    Defect Is Reported By Its Rule Alone

Test Tags        selftest


*** Test Cases ***    DEFECT    RULE    EXCHANGE
Contact In Message    contact_in_message    pager.no-contact    Exchange A Text Each Way
Max Forwards In Response    max_forwards_in_response    sip.max-forwards.not-in-response    Exchange A Text Each Way
Max Forwards 69    max_forwards_69    sip.max-forwards.origin-70    Exchange A Text Each Way
No Max Forwards    no_max_forwards    sip.max-forwards.present    Exchange A Text Each Way
Content Lenfth    content_lenfth    sip.header.name-spelling    Exchange A Text Each Way
Branch Without Cookie    branch_without_cookie    sip.via.branch-cookie    Exchange A Text Each Way
Via Transport Parameter    via_transport_parameter    sip.via.transport-param    Exchange A Text Each Way
No From Tag    no_from_tag    sip.from.tag    Exchange A Text Each Way
No To Tag    no_to_tag    sip.to.tag-in-response    Exchange A Text Each Way
Rport Not Filled    rport_not_filled    sip.via.rport-filled    Exchange A Text Each Way
Misspelt Supported    misspelt_supported    sip.header.name-spelling    Exchange A Text Each Way
Encoded Service    encoded_service    ims.p-preferred-service.plain-urn    Exchange A Text Each Way
Raw Colon    raw_colon_in_accept_contact    ims.accept-contact.icsi-encoding    Exchange A Text Each Way
No Access Network    no_access_network    ims.pani.present    Exchange A Text Each Way
Instance Check Digit
    [Template]    Another Instance Is Reported
    instance_check_digit    ims.sip-instance.spare-zero
No Conversation Id    no_conversation_id    ims.conversation-id.present    Exchange A Text Each Way
No Contribution Id
    no_contribution_id    ims.contribution-id.present    Exchange A Text Each Way    imdn.contribution-id
Forks Allowed    forks_allowed    ims.request-disposition    Exchange A Text Each Way
Other User Agent    other_user_agent    ims.user-agent    Exchange A Text Each Way
Ids Not Echoed    ids_not_echoed    ims.ids.echo-in-2xx    Exchange A Text Each Way
Feature Tag Twice    feature_tag_twice    reg.contact.one-instance-of-tag    Register Anew
Same Cseq With Credentials    same_cseq_with_credentials    sip.auth.retry-cseq    Register Anew
Cpim Header Case    cpim_header_case    cpim.header.case    Exchange A Text Each Way
Cpim No Datetime    cpim_no_datetime    cpim.datetime.present    Exchange A Text Each Way
Cpim Local Datetime    cpim_local_datetime    cpim.datetime.rfc3339    Exchange A Text Each Way
Short Message Id    short_message_id    imdn.request.message-id.entropy    Exchange A Text Each Way
Unknown Disposition    unknown_disposition    imdn.request.values.unknown-token    Exchange A Text Each Way
Namespace Not Declared    namespace_not_declared    cpim.ns.declared    Exchange A Text Each Way
Imdn Now Datetime    imdn_now_datetime    imdn.xml.datetime-value    Exchange A Text Each Way
Imdn No Datetime    imdn_no_datetime    imdn.xml.datetime-present    Exchange A Text Each Way
Imdn No Status    imdn_no_status    imdn.xml.status    Send A Text And Open It
Imdn Other Message Id    imdn_other_message_id    imdn.xml.message-id    Send A Text And Open It
Imdn Asks For Imdn    imdn_asks_for_imdn    imdn.no-imdn-for-imdn    Exchange A Text Each Way
Imdn No Disposition    imdn_no_disposition    imdn.content-disposition    Exchange A Text Each Way
Imdn Twice    imdn_twice    imdn.once-per-type    Exchange A Text Each Way
Imdn Unrequested    imdn_unrequested    imdn.only-requested    Send A Text That Asks For Nothing
Imdn Other Conversation    imdn_other_conversation    imdn.same-conversation    Exchange A Text Each Way
List Without Require    list_without_require    pager.list.require    Send A Text To Two
Unsupported Type Without Accept    unsupported_type_without_accept    sip.415.accept    Send An Unknown Type
Body In 200    body_in_200    pager.2xx-no-body    Exchange A Text Each Way
Ignore Require    ignore_require    sip.require.unknown-420    Send An Unknown Extension
Other Imei
    [Template]    Another Instance Is Reported
    other_imei    x.imei-equals-at
Stale Cell    stale_cell    x.pani-cell-equals-simulator    Exchange A Text Each Way
Other Text On Screen    other_text_on_screen    x.screen-text-equals-wire    Read A Text Of Somebody Else
Displayed Unseen    displayed_unseen    x.displayed-after-screen    Send A Text Nobody Opens
Claims Ims    claims_ims    x.cireg-agrees    Leave And Ask The Modem


*** Keywords ***
Another Instance Is Reported
    [Documentation]    Beside its own rule by that on the instance of before. The right one is registered again before
    ...    the next test begins, which has nothing to do with it.
    [Arguments]    ${defect}    ${rule}
    Defect Is Reported By Its Rule Alone    ${defect}    ${rule}    Register Anew    ims.sip-instance.identical
    Repair Handset
    Register Anew

Register Anew
    [Documentation]    Radio off and on, and a look at the modem for the rules that compare both.
    Switch Airplane Mode On
    Handset Deregisters
    Switch Airplane Mode Off
    Handset Registers
    IMEI Of Modem

Leave And Ask The Modem
    [Documentation]    The modem has no time to follow the registrar, and is asked.
    Tolerate Between Layers    ims=0 s
    Switch Airplane Mode On
    Handset Deregisters
    Modem Should Be Registered For IMS

Send A Text To Two
    [Documentation]    By a list of recipients, displayed by both.
    Send Text To Several From Handset    To you two    +12025550171    +12025550172
    Wait For Text From Handset    To you two
    Handset Shows Status Of Several    READ    To you two    +12025550171    +12025550172

Send An Unknown Type
    [Documentation]    A type nobody knows inside CPIM.
    Send Text To Handset    {}    content_type=application/x-unknown    expect=415

Send An Unknown Extension
    [Documentation]    An option tag nobody knows in Require.
    Send Text To Handset    Extended    Require=x-rcslab-unknown    expect=200

Send A Text That Asks For Nothing
    [Documentation]    No Disposition-Notification; a delivered comes all the same.
    ${message} =    Send Text To Handset    Ask for nothing    notify=NONE
    Wait For Notification    ${message}    DELIVERED

Send A Text Nobody Opens
    [Documentation]    The conversation stays closed; a displayed comes all the same.
    Tolerate Between Layers    clock=0 s
    ${message} =    Send Text To Handset    Nobody looks
    Wait For Notification    ${message}    DISPLAYED

Send A Text And Open It
    [Documentation]    Both notifications leave, whatever they are about.
    Send Text To Handset    Open this
    Handset Shows Text    Open this
    Wait For Notifications From Handset    2

Read A Text Of Somebody Else
    [Documentation]    In a conversation of its own, which no other test looks at: what is wrong in it stays there.
    VAR    ${number} =    +12025550177
    ${message} =    Send Text To Handset    Read this    sender=${number}
    Open Conversation    ${number}
    Wait For Notification    ${message}    DISPLAYED
    Texts On Screen    ${number}

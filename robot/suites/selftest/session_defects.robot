*** Settings ***
Documentation    The harness tested in sessions: each defect of the simulated handset is reported by its rule alone.

Resource         ../../resources/defects.resource

Suite Setup      Skip Unless The Handset Can Have Defects
Test Setup       Start From A Registered Handset
Test Teardown    Repair Handset And End Its Chat
Test Template    Defect Is Reported By Its Rule Alone

Test Tags        selftest


*** Test Cases ***    DEFECT    RULE    EXCHANGE
Sdp No Time    sdp_no_time    sdp.required    Chat Of The Handset
Sdp Order    sdp_order    sdp.order    Chat Of The Handset
Sdp Origin Words    sdp_origin_words    sdp.o-numeric    Chat Of The Handset
Sdp Other Time    sdp_other_time    sdp.t-equal    Chat Of The Far Party
Sdp More Media    sdp_more_media    sdp.m-count    Chat The Far Party Gives Up
Sdp Both Active    sdp_both_active    sdp.setup.pair    Chat The Far Party Gives Up
Sdp Nowhere    sdp_nowhere    sdp.path.real-address    Chat The Far Party Gives Up
Sdp Format Text    sdp_format_text    sdp.m.message    Large Text Of The Handset
Sdp Other Port    sdp_other_port    sdp.m.port-path    Chat The Far Party Connects
Sdp Other Address    sdp_other_address    sdp.c.matches-path    Chat The Far Party Connects
Sdp No Path    sdp_no_path    sdp.path.present    Chat That Is Refused
Sdp Path Without Session    sdp_path_without_session    sdp.path.uri    Chat That Is Refused
Sdp No Types    sdp_no_types    sdp.accept-types.present    Chat That Is Refused
Sdp No Setup    sdp_no_setup    sdp.setup.present    Chat Of The Handset
Sdp Offers Holdconn    sdp_offers_holdconn    sdp.setup.offer-values    Chat Of The Handset
Sdp Cema Value    sdp_cema_value    sdp.cema.attr    Chat Of The Handset
Sdp Size Words    sdp_size_words    sdp.max-size    Chat That Is Refused
Sdp Tls Path    sdp_tls_path    session.tls    Chat That Is Refused
Large Size Lies    large_size_lies    large.size-matches    Large Text Of The Handset
Large Answer Sends    large_answer_sends    large.sdp.direction.answer    Large Text To The Handset
File Answer Sends    file_answer_sends    ft.push.direction    Take A File
File No Selector    file_no_selector    ft.selector.present    Take A File
File Selector Broken    file_selector_broken    ft.selector.syntax    File That Is Refused
File Date Words    file_date_words    ft.date    File That Is Refused
File Icon In Answer    file_icon_in_answer    ft.icon.push-answer    Take A File
File Range Backwards    file_range_backwards    ft.range.form    File That Is Refused
File Size Lies    file_size_lies    ft.selector.size    Send A File
File Hash Lies    file_hash_lies    ft.selector.hash-verify    Send A File
File Hash In Lower Case    file_hash_in_lower_case    ft.selector.hex-case    Send A File
File Name With Directory    file_name_with_directory    ft.selector.name-safe    Send A File
File Short Id    file_short_id    ft.id.random    Send A File
File Id Not Copied    file_id_not_copied    ft.id.present    Take A File
File Selectors Not Copied    file_selectors_not_copied    ft.selector.copied    Take A File
File Disposition In Answer    file_disposition_in_answer    ft.disposition    Take A File
File Without Cpim    file_without_cpim    ft.cpim-part    Send A File
Never Refreshes    never_refreshes    timer.refresh-half    Chat That Nobody Refreshes
Group Not Required    group_not_required    session.group.adhoc.require    Found A Group And Leave
Msrp From Path First    msrp_from_path_first    msrp.path-first    Text That Is Not Taken
Msrp Other From Path    msrp_other_from_path    msrp.to-path.matches-sdp    Chat Of The Handset
Msrp Receipt Of Nobody    msrp_receipt_of_nobody    msrp.response.paths    Chat Of The Far Party
Msrp Receipt Goes On    msrp_receipt_goes_on    msrp.response.flag    Chat Of The Far Party
Msrp Receipt For Nothing    msrp_receipt_for_nothing    msrp.response.tid    Chat Of The Far Party
Msrp Type Not Last    msrp_type_not_last    msrp.content-type.last    Chat Of The Handset
Msrp Range Short    msrp_range_short    msrp.byte-range.exact    Chat Of The Handset
Msrp Report Perhaps    msrp_report_perhaps    msrp.reports.values    Chat Of The Handset
Msrp Report Later    msrp_report_later    msrp.reports.same-over-chunks    Large Text Of The Handset
Msrp Never Complete    msrp_never_complete    msrp.byte-range.end-total    Text That Gets Lost
Msrp Gap    msrp_gap    msrp.byte-range.continuity    File That Does Not Arrive
Msrp No Range    msrp_no_range    msrp.byte-range.required    File That Does Not Arrive
Msrp No Message Id    msrp_no_message_id    msrp.message-id.present    Text That Is Not Taken
Msrp Other Type    msrp_other_type    msrp.type.allowed    Text That Is Not Taken
File Other Type    file_other_type    ft.accept-types    File That Does Not Arrive
Msrp Range Unclear    msrp_range_unclear    msrp.byte-range.syntax    Text That Is Not Taken


*** Keywords ***
Repair Handset And End Its Chat
    [Documentation]    All defects off, and texts standalone messages again.
    Repair Handset
    End Chat On Handset

Chat Of The Handset
    [Documentation]    A text, and the end.
    Start Chat On Handset
    Send Text From Handset    Can we talk?
    ${chat} =    Wait For Next Chat From Handset
    Wait For Text In Chat    ${chat}    Can we talk?
    End Chat On Handset
    Wait For End Of Chat    ${chat}

Chat Of The Far Party
    [Documentation]    A text, which is delivered, and the end.
    [Arguments]    ${setup}=ACTPASS
    ${chat} =    Invite Handset To Chat    setup=${setup}
    ${message} =    Send Text In Chat    ${chat}    We can
    Wait For Notification    ${message}    DELIVERED
    End Chat With Handset    ${chat}

Chat The Far Party Connects
    [Documentation]    The same, and the handset is the one that listens.
    Chat Of The Far Party    setup=ACTIVE

Chat The Far Party Gives Up
    [Documentation]    It ends for the answer it gets.
    Invite Handset To Chat    setup=ACTIVE
    Handset Shows No Chat

Chat That Nobody Refreshes
    [Documentation]    The handset is to refresh it, and the far party hangs up before the interval of a second is over
    ...    (RFC 4028 10).
    Peer Answers Next Chat    200    Session_Expires=1;refresher=uac
    Start Chat On Handset
    Send Text From Handset    For a short while
    ${chat} =    Wait For Next Chat From Handset
    Wait For Expiry Of Chat    ${chat}
    Handset Shows No Chat

Chat That Is Refused
    [Documentation]    For what the handset offers.
    Start Chat On Handset
    Send Text From Handset    Can we talk?
    Handset Shows Status    NOT_SENT    of=Can we talk?

Text That Is Not Taken
    [Documentation]    The chat is there, its text is refused.
    Start Chat On Handset
    Send Text From Handset    Can you read this?
    ${chat} =    Wait For Next Chat From Handset
    Handset Shows Status    NOT_SENT    of=Can you read this?
    End Chat On Handset
    Wait For End Of Chat    ${chat}

Text That Gets Lost
    [Documentation]    Every octet of it is answered, and it is not there.
    Start Chat On Handset
    Send Text From Handset    Do you get this?
    ${chat} =    Wait For Next Chat From Handset
    Handset Shows Status    SENT    of=Do you get this?
    End Chat On Handset
    Wait For End Of Chat    ${chat}

Large Text Of The Handset
    [Documentation]    Of two chunks, until its session is over.
    ${text} =    Evaluate    'large, ' * 400
    Send Text From Handset    ${text}
    ${invitation} =    Wait For Large Message Invitation
    Wait For Text From Handset    by=LARGE
    Wait For End Of Large Message    ${invitation}

Large Text To The Handset
    [Documentation]    Until it is delivered.
    ${text} =    Evaluate    'large, ' * 400
    ${message} =    Send Large Text To Handset    ${text}
    Wait For Notification    ${message}    DELIVERED

Send A File
    [Documentation]    From the handset, until its session is over.
    ${file} =    File Of Octets    3000    defect.bin
    Send File From Handset    ${file}
    Wait For File From Handset
    Wait For End Of File Transfer

Take A File
    [Documentation]    To the handset, delivered.
    ${file} =    File Of Octets    3000    defect.bin
    ${transfer} =    Offer File To Handset    ${file}
    Wait Until File Is Delivered    ${transfer}
    Wait For Notification    ${transfer}    DELIVERED

File That Is Refused
    [Documentation]    For what the handset offers.
    ${file} =    File Of Octets    3000    refused.bin
    Send File From Handset    ${file}
    Handset Shows File    refused.bin    FAILED    NOT_SENT

File That Does Not Arrive
    [Documentation]    Of three chunks, until its session is over.
    ${file} =    File Of Octets    5120    spoilt.bin
    Send File From Handset    ${file}
    Wait For End Of File Transfer

Found A Group And Leave
    [Documentation]    The handset founds a group and leaves it.
    Create Group On Handset    Defects    +12025550111    +12025550112
    ${group} =    Wait For Group From Handset
    Wait For Handset To Follow Group    ${group}
    Leave Group On Handset    Defects
    Wait For Handset To Leave Group    ${group}

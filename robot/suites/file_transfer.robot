*** Settings ***
Documentation    File transfer by MSRP (RFC 5547), both directions: offers and their answers, content of every size,
...              names, resumption, and how a transfer breaks off.

Resource         ../resources/bench.resource

Test Setup       Start From A Registered Handset
Test Teardown    Leave The Files


*** Test Cases ***
File Of The Handset From Its Offer To Its Notification
    [Documentation]    INVITE with the description and the CPIM headers, chunks, BYE, both notifications by MESSAGE.
    Far Party Notifies    delivered=0 s    displayed=0 s
    ${file} =    File Of Octets    10000    report.pdf
    Send File From Handset    ${file}
    ${received} =    Wait For File From Handset    report.pdf
    Received File Should Be    ${received}    ${file}
    Should Be Equal    ${received.type}    application/pdf
    Handset Shows File    report.pdf    DONE    READ
    Wait For End Of File Transfer    ${received.transfer}
    No Finding Should Be Reported

File Of The Far Party From Its Offer To Its Notification
    [Documentation]    Accepted by the settings of the app, stored, delivered; displayed once its conversation is open.
    ${file} =    File Of Octets    10000    slides.pdf
    ${transfer} =    Offer File To Handset    ${file}
    Wait Until File Is Delivered    ${transfer}
    Wait For Notification    ${transfer}    DELIVERED    by=MESSAGE
    Handset Shows File    slides.pdf
    Wait For Notification    ${transfer}    DISPLAYED    by=MESSAGE
    Handset Has File    ${file}
    No Finding Should Be Reported

Content Of Every Size Of The Handset
    [Template]    Handset Sends Octets
    1
    2048
    2049
    100000

Content Of Every Size Of The Far Party
    [Template]    Far Party Sends Octets
    1
    2048
    2049
    100000

File Inside CPIM
    [Documentation]    The CPIM headers go with the content, not in the INVITE.
    ${file} =    File Of Octets    5000    wrapped.bin
    ${transfer} =    Offer File To Handset    ${file}    wrapped=${True}
    Wait Until File Is Delivered    ${transfer}
    Wait For Notification    ${transfer}    DELIVERED
    Handset Has File    ${file}
    No Finding Should Be Reported

User Accepts A File
    Handset Asks Before Accepting    FILE
    ${file} =    File Of Octets    3000    offered.jpg
    ${transfer} =    Offer File To Handset    ${file}
    Wait For Ringing File
    Handset Shows File    offered.jpg    OFFERED
    Accept On Handset    offered.jpg
    Wait Until File Is Delivered    ${transfer}
    Handset Shows File    offered.jpg    DONE
    Wait For Notification    ${transfer}    DISPLAYED

User Declines A File
    Handset Asks Before Accepting    FILE
    ${file} =    File Of Octets    3000    unwanted.jpg
    ${transfer} =    Offer File To Handset    ${file}
    Wait For Ringing File
    Decline On Handset    unwanted.jpg
    Wait For Answer To File    ${transfer}    603
    Handset Shows File    unwanted.jpg    DECLINED

Far Party Gives Up Before The Answer
    [Documentation]    CANCEL while the handset rings: 487.
    Handset Asks Before Accepting    FILE
    ${file} =    File Of Octets    3000    withdrawn.jpg
    ${transfer} =    Offer File To Handset    ${file}
    Wait For Ringing File
    Cancel File Offer    ${transfer}
    Handset Shows File    withdrawn.jpg    FAILED

Refused File Is Shown
    [Template]    Refusal Shows As A File Not Sent
    603
    480
    486
    403
    488

Stream That Is Not Wanted Ends The Session
    [Documentation]    200 with port 0, selector and id mirrored: there is nothing to send in, so the handset hangs up.
    Peer Answers Next File    200    streams=${False}
    ${file} =    File Of Octets    3000    nowhere.bin
    Send File From Handset    ${file}
    ${transfer} =    Wait For File Offer
    Wait For End Of File Transfer    ${transfer}
    Handset Shows File    nowhere.bin    FAILED    NOT_SENT

File Is Taken After It Rang
    Peer Lets Next File Ring
    ${file} =    File Of Octets    3000    patience.bin
    Send File From Handset    ${file}
    ${transfer} =    Wait For File Offer
    Peer Answers Ringing File    ${transfer}
    ${received} =    Wait For File From Handset    patience.bin
    Received File Should Be    ${received}    ${file}
    Handset Shows File    patience.bin    DONE

User Gives Up While It Rings
    [Documentation]    CANCEL after 180.
    Peer Lets Next File Ring
    ${file} =    File Of Octets    3000    doubt.bin
    Send File From Handset    ${file}
    Wait For File Offer
    Cancel File On Handset    doubt.bin
    ${transfer} =    Wait For Cancelled File
    Should Be Equal As Integers    ${transfer.invite.final.status}    487

User Gives Up A File It Sends
    Peer Holds Next File    100000
    ${file} =    File Of Octets    1200000    regret.bin
    Send File From Handset    ${file}
    ${transfer} =    Wait For File Offer
    Handset Shows File    regret.bin    MOVING
    Cancel File On Handset    regret.bin
    Let File Go On    ${transfer}
    Wait For Broken File
    Wait For End Of File Transfer    ${transfer}
    No File Comes From Handset    0.1 s

User Gives Up A File It Receives
    [Documentation]    413 to what comes, port 0 with the same id, BYE (RFC 5547 8.4).
    ${file} =    File Of Octets    600000    enough.bin
    ${transfer} =    Offer File To Handset    ${file}    hold_after=200000
    Handset Shows File    enough.bin    MOVING
    Cancel File On Handset    enough.bin
    Let File Go On    ${transfer}
    Wait Until File Breaks Off    ${transfer}
    Handset Shows File    enough.bin    CANCELLED

Far Party Aborts A File
    [Documentation]    The last chunk ends with "#", then BYE.
    ${file} =    File Of Octets    9000    half.bin
    ${transfer} =    Offer File To Handset    ${file}    break_off_after=5000
    Wait Until File Breaks Off    ${transfer}
    Handset Shows File    half.bin    FAILED
    No Notification Comes    ${transfer}    seconds=0.1 s

Far Party Closes The Stream Of A File
    [Documentation]    "#", then a re-INVITE with port 0 and the same id, then BYE.
    ${file} =    File Of Octets    9000    closed.bin
    ${transfer} =    Offer File To Handset    ${file}    break_off_after=5000    hang_up=${False}
    Wait Until File Breaks Off    ${transfer}
    Close File Stream    ${transfer}
    End File Transfer    ${transfer}
    Handset Shows File    closed.bin    FAILED

Far Party Refuses The Rest Of A File
    [Documentation]    413 (RFC 4975 10.5): the handset sends no further chunk, and says BYE.
    Peer Stops Next File    2048
    ${file} =    File Of Octets    1500000    toomuch.bin
    Send File From Handset    ${file}
    ${transfer} =    Wait For Broken File
    Wait For End Of File Transfer    ${transfer}
    Handset Shows File    toomuch.bin    FAILED    NOT_SENT

Same Offer Again Is No Second Transfer
    [Documentation]    A re-INVITE with the same file-transfer-id in the middle (RFC 5547 8.1).
    ${file} =    File Of Octets    600000    once.bin
    ${transfer} =    Offer File To Handset    ${file}    hold_after=200000
    Handset Shows File    once.bin    MOVING
    Refresh File Transfer    ${transfer}
    Let File Go On    ${transfer}
    Wait Until File Is Delivered    ${transfer}
    Wait For Notification    ${transfer}    DELIVERED
    Handset Has File    ${file}

File Above Max Size Is Not Sent
    Peer Takes Files Up To    2000
    ${file} =    File Of Octets    2001    large.bin
    Send File From Handset    ${file}
    ${transfer} =    Wait For File Offer
    Wait For End Of File Transfer    ${transfer}
    Handset Shows File    large.bin    FAILED    NOT_SENT

File That Is Not The One Offered Fails
    [Documentation]    RFC 5547 8.3.1: the hash does not match; the user is told, nothing is notified.
    ${file} =    File Of Octets    3000    forged.bin
    ${transfer} =    Offer File To Handset    ${file}    sha1=000102030405060708090A0B0C0D0E0F10111213
    Wait Until File Is Delivered    ${transfer}
    Handset Shows File    forged.bin    FAILED
    No Notification Comes    ${transfer}    seconds=0.1 s

Size That Lies
    ${file} =    File Of Octets    3000    short.bin
    ${transfer} =    Offer File To Handset    ${file}    size=3001
    Wait Until File Is Delivered    ${transfer}
    Handset Shows File    short.bin    FAILED
    No Notification Comes    ${transfer}    seconds=0.1 s

Names Of Any Signs Are Stored Safely
    [Documentation]    Quotes, directories and other scripts (RFC 5547 6): what the handset stores stays in its folder.
    [Template]    Name Is Stored As
    ../../data/evil.txt    evil.txt
    a "quoted" name.txt    a "quoted" name.txt
    Grüße Ω.txt    Grüße Ω.txt
    ${{'ü' * 125 + 'x.txt'}}    ${{'ü' * 125 + 'x.txt'}}

Longest Name Of The Handset Is Kept Whole
    [Documentation]    255 octets, as many as a file system takes.
    ${file} =    File Of Octets    3000
    VAR    ${name} =    ${{'ü' * 125 + 'x.bin'}}
    Send File From Handset    ${file}    name=${name}
    ${received} =    Wait For File From Handset    ${name}
    Received File Should Be    ${received}    ${file}

Name Of The Handset Is Kept Safely
    ${file} =    File Of Octets    3000
    Send File From Handset    ${file}    name=100% "sure" ü.bin
    ${received} =    Wait For File From Handset    100% "sure" ü.bin
    Received File Should Be    ${received}    ${file}

Broken Off File Goes On Where It Was
    [Documentation]    A new INVITE with the same Contribution-ID, another id and file-range; Byte-Range from 1.
    ${file} =    File Of Octets    9000    resumed.bin
    ${first} =    Offer File To Handset    ${file}    break_off_after=4096
    Wait Until File Breaks Off    ${first}
    ${rest} =    Offer File To Handset    ${file}    start=4097    rest_of=${first}
    Wait Until File Is Delivered    ${rest}
    Wait For Notification    ${rest}    DELIVERED
    Handset Has File    ${file}
    Handset Shows File    resumed.bin    DONE
    No Finding Should Be Reported

Rest Of A File That Never Began Is Refused
    ${file} =    File Of Octets    9000    headless.bin
    ${transfer} =    Offer File To Handset    ${file}    start=4097
    Wait For Answer To File    ${transfer}    488

User Sends A File Again That Broke Off
    Peer Stops Next File    100000
    ${file} =    File Of Octets    1500000    again.bin
    Send File From Handset    ${file}
    ${first} =    Wait For Broken File
    Handset Shows File    again.bin    FAILED    NOT_SENT
    Send Again On Handset    again.bin
    ${received} =    Wait For Next File From Handset    again.bin
    Received File Should Be    ${received}    ${file}
    Should Be Equal    ${received.transfer.contribution_id}    ${first.contribution_id}
    Should Not Be Equal    ${received.transfer.described.transfer_id}    ${first.described.transfer_id}

Handset Gives A File That Is Asked For
    [Documentation]    Pull by hash: the answer has the hash, the answerer sends and hangs up (RFC 5547 8.3.2).
    ${file} =    File Of Octets    5000    shared.bin
    Send File From Handset    ${file}
    Wait For File From Handset    shared.bin
    ${transfer} =    Pull File From Handset    ${file}
    ${received} =    Wait For Next File From Handset
    Received File Should Be    ${received}    ${file}
    Wait For End Of File Transfer    ${transfer}
    No Finding Should Be Reported

User Fetches What Broke Off
    [Documentation]    The handset asks for the rest (RFC 5547 8.2.2), and notifies of the message as it was sent.
    ${file} =    File Of Octets    9000    fetched.bin
    ${first} =    Offer File To Handset    ${file}    break_off_after=5000
    Wait Until File Breaks Off    ${first}
    Far Party Shares File    ${file}
    Accept On Handset    fetched.bin
    ${pull} =    Wait For File Offer
    Should Be Equal    ${pull.flow.value}    file pulled
    Should Be Equal As Strings    ${pull.described.range}    5001-9000
    Wait For Notification    ${first}    DELIVERED
    Handset Has File    ${file}

User Asks For A File Nobody Has Any More
    ${file} =    File Of Octets    9000    gone.bin
    ${first} =    Offer File To Handset    ${file}    break_off_after=5000
    Wait Until File Breaks Off    ${first}
    Accept On Handset    gone.bin
    ${pull} =    Wait For File Offer
    Should Be Equal As Integers    ${pull.status}    488
    Handset Shows File    gone.bin    FAILED

Handset Has No Such File
    Pull File From Handset    name=nobody has this.bin    size=5    expect=488

Coverage Lost In The Middle Of A File Of The Handset
    [Documentation]    It goes on by itself when coverage is back, with the octets that are missing.
    Peer Holds Next File    100000
    ${file} =    File Of Octets    1200000    tunnel.bin
    Send File From Handset    ${file}
    ${first} =    Wait For File Offer
    Handset Shows File    tunnel.bin    MOVING
    Lose Coverage
    Regain Coverage
    ${received} =    Wait For File From Handset    tunnel.bin
    Received File Should Be    ${received}    ${file}
    Should Be Equal    ${received.transfer.contribution_id}    ${first.contribution_id}

Network Detaches In The Middle Of A File Of The Handset
    [Documentation]    The handset attaches again at once, and the octets that are missing follow by themselves.
    Peer Holds Next File    100000
    ${file} =    File Of Octets    1200000    detached.bin
    Send File From Handset    ${file}
    ${first} =    Wait For File Offer
    Handset Shows File    detached.bin    MOVING
    Network Detaches Handset
    Handset Registers
    ${received} =    Wait For File From Handset    detached.bin
    Received File Should Be    ${received}    ${file}
    Should Be Equal    ${received.transfer.contribution_id}    ${first.contribution_id}

Network Detaches In The Middle Of A File Of The Far Party
    [Documentation]    What came is kept: the far party sends the rest when the handset is back. Its BYE finds nobody,
    ...    by UDP for half a minute, which is not waited for.
    ${file} =    File Of Octets    600000    kept.bin
    ${first} =    Offer File To Handset    ${file}    hold_after=200000
    Handset Shows File    kept.bin    MOVING
    Network Detaches Handset
    Handset Shows File    kept.bin    FAILED
    Handset Registers
    Let File Go On    ${first}
    ${rest} =    Offer File To Handset    ${file}    start=4097    rest_of=${first}
    Wait Until File Is Delivered    ${rest}
    Handset Has File    ${file}

Coverage Lost While A File Of The Far Party Rings
    Handset Asks Before Accepting    FILE
    ${file} =    File Of Octets    3000    missed.jpg
    Offer File To Handset    ${file}
    Wait For Ringing File
    Lose Coverage
    Handset Shows File    missed.jpg    FAILED
    Regain Coverage

Airplane Mode In The Middle Of A File Of The Far Party
    [Documentation]    The handset says BYE before the radio goes; the file comes whole later.
    ${file} =    File Of Octets    600000    flight.bin
    ${first} =    Offer File To Handset    ${file}    hold_after=200000
    Handset Shows File    flight.bin    MOVING
    Switch Airplane Mode On
    Wait Until File Breaks Off    ${first}
    Handset Shows File    flight.bin    FAILED
    Switch Airplane Mode Off
    Handset Registers
    Far Party Sends Octets    600000


*** Keywords ***
Handset Sends Octets
    [Documentation]    A file of so many octets arrives with the hash of its offer.
    [Arguments]    ${octets}
    ${file} =    File Of Octets    ${octets}    mo-${octets}.bin
    Send File From Handset    ${file}
    ${received} =    Wait For File From Handset    mo-${octets}.bin    octets=${octets}
    Received File Should Be    ${received}    ${file}
    Handset Shows File    mo-${octets}.bin    DONE

Far Party Sends Octets
    [Documentation]    A file of so many octets lies on the handset.
    [Arguments]    ${octets}
    ${file} =    File Of Octets    ${octets}    mt-${octets}.bin
    ${transfer} =    Offer File To Handset    ${file}
    Wait Until File Is Delivered    ${transfer}
    Wait For Notification    ${transfer}    DELIVERED
    Handset Has File    ${file}

Refusal Shows As A File Not Sent
    [Documentation]    The peer answers the INVITE with this status.
    [Arguments]    ${status}
    Peer Answers Next File    ${status}
    ${file} =    File Of Octets    3000    refused-${status}.bin
    Send File From Handset    ${file}
    Handset Shows File    refused-${status}.bin    FAILED    NOT_SENT

Name Is Stored As
    [Documentation]    A file offered under a name is stored under another, and nowhere else.
    [Arguments]    ${name}    ${stored}
    ${file} =    File Of Octets    3000
    ${transfer} =    Offer File To Handset    ${file}    name=${name}
    Wait Until File Is Delivered    ${transfer}
    Wait For Notification    ${transfer}    DELIVERED
    Handset Has File    ${file}    ${stored}

Leave The Files
    [Documentation]    The settings of the app as they were.
    Run Keyword If Test Failed    Take Screenshot
    Handset Accepts By Itself    FILE

"""What only a lab can compare: SIP against modem, network simulator and screen, by the events of the drivers.

What texts the screen shows is compared in screen_text.py.

Each rule is silent while the other layer has told nothing: no driver, no finding.
"""

from __future__ import annotations

import re
from functools import partial
from itertools import chain, pairwise

from harness.bodies.reginfo import ContactState, parse_reginfo
from harness.errors import BodySyntaxError
from harness.evidence.timeline import Layer
from harness.sip.ims_headers import AccessNetworkInfo
from harness.verify.assembly import Assembly
from harness.verify.catalogue import Kind, rule
from harness.verify.conversations import numbers_in, same_number
from harness.verify.engine import Flow
from harness.verify.finding import APPLIES, Outcomes, Party, Violation
from harness.verify.items import CpimItem, EventItem, SipEntry, Transaction, reading
from harness.verify.rules.registration import INSTANCE

_IMEI_URN = re.compile(r"<?urn:gsma:imei:(\d{8})-(\d{6})-\d", re.IGNORECASE)
_IMEI = re.compile(r"\d{14,16}")
_CIREG_READ = re.compile(r"\+CIREG:\s*\d\s*,\s*(\d)")
_CIREG_URC = re.compile(r"\+CIREGU:\s*(\d)")
_STARTS = re.compile(r"\bam start\b")
_LEAVES = re.compile(r"KEYCODE_(?:HOME|BACK|SLEEP|APP_SWITCH)\b")
_TOUCHES = re.compile(r"\binput (?:tap|swipe|touchscreen)\b")
_NUMBER = re.compile(r"\+?\d[\d-]{5,}")
_RADIO_COMMANDS = re.compile(r"\+CFUN=|\+COPS=|\+CGATT=|\+CGACT=", re.IGNORECASE)


# -- identity and cell --------------------------------------------------------------------------------------


@rule("x.imei-equals-at", on=Kind.REQUEST, methods=("REGISTER",))
def imei_equals_at(entry: SipEntry, flow: Flow) -> Outcomes:
    told = _told_imeis(flow.assembly)
    if told and _one_handset(flow.assembly):
        yield from _imei_differs(entry, told[-1])


@rule("x.imei-equals-at", on=Kind.EVENT)
def imei_told_late(event: EventItem, flow: Flow) -> Outcomes:
    """The modem was asked only after the handset had registered."""
    if _imei_of(event) is None:
        return
    told = _told_imeis(flow.assembly)
    if len(told) != 1 or not _one_handset(flow.assembly):
        return
    for state in flow.assembly.registrations[-1:]:
        yield from _imei_differs(state.transaction.request, told[0])


@rule("x.pani-cell-equals-simulator", on=Kind.SIP)
def pani_cell(entry: SipEntry, flow: Flow) -> Outcomes:
    if entry.sender is not Party.HANDSET:
        return
    for value in entry.sip.values("P-Access-Network-Info"):
        info = reading(partial(AccessNetworkInfo.parse, value))
        cell = info.parameters.get("utran-cell-id-3gpp") if info is not None else None
        if info is None or cell is None or not info.access.upper().startswith("3GPP-E-UTRAN"):
            continue
        cells = _cells_at(entry, flow)
        if not cells:
            continue
        yield APPLIES
        if cell.lower() not in cells:
            yield Violation(
                f"utran-cell-id-3gpp={cells[-1]}, the cell the network simulator sends",
                cell,
                "P-Access-Network-Info",
            )


# -- screen -------------------------------------------------------------------------------------------------


@rule("x.displayed-after-screen", on=Kind.CPIM, after="clock_tolerance")
def displayed_after_screen(item: CpimItem, flow: Flow) -> Outcomes:
    """Judged a while later, since a driver reports what it did when the handset has already acted on it."""
    ends = flow.assembly.events(Layer.LAB, "test-end")
    if not any(
        item.number < end.number and end.time < item.time + flow.settings.clock_tolerance for end in ends
    ):
        yield from _displayed_unseen(item, flow)


@rule("x.displayed-after-screen", on=Kind.EVENT)
def displayed_at_the_end(event: EventItem, flow: Flow) -> Outcomes:
    """The end of the test comes before that while is over."""
    if event.layer is Layer.LAB and event.name == "test-end":
        for item in reversed(flow.assembly.cpim_items()):
            if item.time + flow.settings.clock_tolerance <= event.time:
                return
            yield from _displayed_unseen(item, flow)


# -- registration -------------------------------------------------------------------------------------------


@rule("x.cireg-agrees", on=Kind.EVENT, after="registration_window")
def cireg_agrees(event: EventItem, flow: Flow) -> Outcomes:
    told = _told_registration(event)
    if told is None or not _one_handset(flow.assembly):
        return
    seen = flow.assembly.transactions_by("REGISTER")
    if not any(known.final for known in seen):
        return
    if any(_under_way(known, event.time) for known in seen):
        return
    yield APPLIES
    bound = _handset_is_bound(event.time, flow)
    if told == bound or _in_transition(event, flow):
        return
    if not told and _radio_touched(event, flow):
        return  # out of coverage the binding stays until it expires
    words = {True: "registered", False: "not registered"}
    yield Violation(f"{words[bound]}, as at the registrar", words[told], "+CIREG")


# -- reading events -----------------------------------------------------------------------------------------


def _imei_of(event: EventItem) -> str | None:
    """TAC and serial number (14 digits) of an answered AT+CGSN, else None."""
    command = str(event.fields.get("command", "")).upper().removeprefix("AT")
    asks = event.layer is Layer.AT and event.name == "command" and re.fullmatch(r"\+CGSN(=[012])?", command)
    if not asks:
        return None
    match = _IMEI.search(" ".join(str(line) for line in event.fields.get("lines", ())))
    return match[0][:14] if match else None


def _one_handset(assembly: Assembly) -> bool:
    """With two handsets on a bench nothing on the timeline says which modem belongs to which registration."""
    ports = {event.fields.get("port") for event in assembly.events(Layer.AT, "command")}
    return len(ports) <= 1 and len({state.aor for state in assembly.registrations}) <= 1


def _told_imeis(assembly: Assembly) -> list[str]:
    return [imei for event in assembly.events(Layer.AT, "command") if (imei := _imei_of(event)) is not None]


def _imei_differs(entry: SipEntry, imei: str) -> Outcomes:
    for contact in entry.contacts:
        match = _IMEI_URN.match(contact.parameters.get(INSTANCE) or "")
        if match is None:
            continue
        yield APPLIES
        if match[1] + match[2] != imei:
            yield Violation(
                f"TAC and SNR {imei[:8]}-{imei[8:]} as AT+CGSN says",
                f"{match[1]}-{match[2]}",
                "Contact",
                item=entry,
            )


def _cells_at(entry: SipEntry, flow: Flow) -> list[str]:
    """Cell identities the handset may name at that time, the one in force last; none when that is not known.

    None when the last cell was switched off, or when its driver has begun a change since whose result it has
    yet to report.
    """
    changes = [event for event in flow.assembly.events(Layer.VISA, "cell") if event.number < entry.number]
    if not changes or not changes[-1].fields.get("on"):
        return []
    tolerance = flow.settings.cell_tolerance
    begun = flow.assembly.events(Layer.VISA, "cell-change")
    if any(changes[-1].number < event.number < entry.number for event in begun):
        return []
    recent = [
        one
        for one, next_ in pairwise(changes)
        if one.fields.get("on") and next_.time >= entry.time - tolerance
    ]
    return [text for event in (*recent, changes[-1]) if (text := _cell_text(event)) is not None]


def _cell_text(event: EventItem) -> str | None:
    fields = event.fields
    try:
        return f"{fields['mcc']}{fields['mnc']}{int(fields['tac']):04x}{int(fields['eci']):07x}".lower()
    except (KeyError, TypeError, ValueError):
        return None


def _has_ui(assembly: Assembly) -> bool:
    return bool(assembly.events_of(Layer.ADB))


def _displayed_unseen(item: CpimItem, flow: Flow) -> Outcomes:
    if item.sender is not Party.HANDSET or not _has_ui(flow.assembly):
        return
    for imdn in item.imdns:
        if imdn.status != "displayed":
            continue
        originals = [
            known
            for known in flow.assembly.originals(imdn.message_id)
            if known.sender is Party.NETWORK and known.place < item.place
        ]
        if not originals:
            continue
        yield APPLIES
        if not _was_on_screen(originals[0], item, flow):
            yield Violation(
                f"displayed once the conversation of {originals[0].label} is on screen",
                "displayed, and nobody opened it",
                "body",
                item.offset,
                item=item,
            )


def _was_on_screen(original: CpimItem, notification: CpimItem, flow: Flow) -> bool:
    """Whether the conversation was open when the message came, or a driver may have opened it since."""
    brought = original.by_sip
    numbers = numbers_in(brought, ("From", "P-Asserted-Identity")) if brought else frozenset()
    tolerance = flow.settings.clock_tolerance
    opened = False
    tapped: dict[object, bool] = {}
    for item in flow.assembly.events_of(Layer.ADB):
        if item.time > notification.time + tolerance:
            break
        its = _opens(item, numbers)
        if item.number > original.carrier.number:
            if its or _may_open(item):
                return True
            continue
        # A driver reports what it has done, so the order tells; only a tap is told before it is carried out,
        # which it was by the next report of the same handset.
        early = item.name == "tap" and item.time >= original.time - tolerance
        tapped[item.fields.get("serial")] = early and _may_open(item)
        opened = opened if its is None else its
    return opened or any(tapped.values())


def _may_open(event: EventItem) -> bool:
    """A touch of the screen: where it led is not known."""
    command = str(event.fields.get("command", ""))
    return (event.name == "tap" and event.fields.get("element") != "send_button") or (
        event.name == "shell" and _TOUCHES.search(command) is not None
    )


def _opens(event: EventItem, numbers: frozenset[str]) -> bool | None:
    """Whether the event shows the conversation (True), leaves it (False) or neither (None).

    A message of a session has no numbers of its own, and a group is shown by its subject: then any
    conversation may be the one.
    """
    fields = event.fields
    if event.name in ("screen", "open"):
        conversation = str(fields.get("conversation") or "")
        if not conversation:
            return None
        return not numbers or any(same_number(conversation, number) for number in numbers)
    if event.name != "shell":
        return None
    command = str(fields.get("command", ""))
    if _STARTS.search(command):
        named = _NUMBER.findall(command)
        if not numbers:
            return bool(named)
        return any(same_number(text, number) for text in named for number in numbers)
    return False if _LEAVES.search(command) else None


def _told_registration(event: EventItem) -> bool | None:
    if event.layer is not Layer.AT:
        return None
    if event.name == "urc":
        match = _CIREG_URC.search(str(event.fields.get("line", "")))
    elif event.name == "command" and event.fields.get("final") == "OK":
        match = _CIREG_READ.search("\n".join(str(line) for line in event.fields.get("lines", ())))
    else:
        return None
    return match[1] == "1" if match else None


def _handset_is_bound(time: float, flow: Flow) -> bool:
    """What the handset must take for its state: its newest registration, unless the network ended it since.

    Older bindings of other Contacts, left over from a loss of coverage, do not count.
    """
    newest = next((state for state in reversed(flow.assembly.registrations) if state.since <= time), None)
    if newest is None or not newest.holds_at(time):
        return False
    return not any(
        known.accepted is not None
        and newest.since < known.request.time <= time
        and _takes_a_contact_away(known.request.sip.body)
        for known in flow.assembly.transactions_by("NOTIFY")
    )


def _takes_a_contact_away(body: bytes) -> bool:
    """RFC 3680 5.2: the registrar has ended a contact."""
    try:
        document = parse_reginfo(body)
    except BodySyntaxError:
        return False
    contacts = (contact for registration in document.registrations for contact in registration.contacts)
    return any(contact.state is ContactState.TERMINATED for contact in contacts)


def _under_way(transaction: Transaction, time: float) -> bool:
    """A REGISTER was on its way at that time, or may still have been."""
    final = transaction.final
    end = transaction.request.time + 32 if final is None else final.time
    return transaction.request.time <= time <= end


def _in_transition(event: EventItem, flow: Flow) -> bool:
    """A binding came, went or ran out within the window round the event."""
    window = flow.settings.registration_window
    for state in flow.assembly.registrations:
        end = state.since + state.lifetime if state.ended_at is None else state.ended_at
        if any(abs(moment - event.time) <= window for moment in (state.since, end)):
            return True
    return False


def _radio_touched(event: EventItem, flow: Flow) -> bool:
    """Since the last registration the cell went off or somebody switched the radio: no signalling needed."""
    before = [state.since for state in flow.assembly.registrations if state.since <= event.time]
    return radio_switched(flow, max(before, default=0.0), event.time + flow.settings.registration_window)


def radio_switched(flow: Flow, since: float, until: float) -> bool:
    """Somebody switched a cell or the radio of the handset between two times."""
    for item in chain.from_iterable(map(flow.assembly.events_of, (Layer.VISA, Layer.AT, Layer.ADB))):
        if item.time < since or item.time > until:
            continue
        command = str(item.fields.get("command", ""))
        if item.layer is Layer.VISA and item.name in ("cell", "write"):
            return True
        if item.layer is Layer.AT and _RADIO_COMMANDS.search(command):
            return True
        if item.layer is Layer.ADB and "airplane" in f"{item.name} {command}":
            return True
    return False

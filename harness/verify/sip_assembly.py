"""SIP messages linked to transactions, dialogs and registrations.

Responses meet their requests as in RFC 3261 17.1.3, or by Call-ID and CSeq where a broken message would be
lost otherwise; dialogs follow RFC 3261 12.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from harness.sip.message import Request
from harness.sip.uri import Uri
from harness.verify.chains import let_go
from harness.verify.comparison import party_of, uri_of
from harness.verify.declared import Declared
from harness.verify.finding import Party
from harness.verify.items import Dialog, RegistrationState, SipEntry, Transaction
from harness.verify.parties import normal_host
from harness.verify.remembered import Remembered

RETRIED_STATUSES = frozenset(
    {401, 407, 413, 415, 416, 420, 422, 423, 488, 494, 500, 503, 504} | {*range(300, 400)}
)
DIALOG_METHODS = frozenset({"INVITE", "SUBSCRIBE", "REFER"})
_IDS = ("Conversation-ID", "Contribution-ID")
TARGET_REFRESH = frozenset({"INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"})


class SipAssembly:
    """Takes each SIP message once, in order. What it has seen stays readable."""

    def __init__(self) -> None:
        self.messages: list[SipEntry] = []
        self.transactions: list[Transaction] = []
        self.dialogs: list[Dialog] = []
        self.registrations: list[RegistrationState] = []
        self._by_branch: dict[str, list[Transaction]] = defaultdict(list)
        self._by_call: dict[str, list[Transaction]] = defaultdict(list)
        self._dialogs: dict[tuple[str, frozenset[str]], Dialog] = {}
        self._dialogs_of: dict[str, list[Dialog]] = defaultdict(list)
        self._dialogs_tagged: dict[frozenset[str], list[Dialog]] = defaultdict(list)
        self._responses_of: dict[str, list[SipEntry]] = defaultdict(list)
        self._by_method: dict[str, list[Transaction]] = defaultdict(list)
        self._group_invites: dict[str, list[Transaction]] = defaultdict(list)
        self._registrations_of: dict[str, list[RegistrationState]] = defaultdict(list)
        self._registered_from: dict[str, dict[str, RegistrationState]] = defaultdict(dict)
        """By host and party, the newest last."""
        self._registrations_on: dict[tuple[str, str], list[RegistrationState]] = defaultdict(list)
        self.declared = Declared()
        self.last_heard: dict[str, float] = {}
        """By Call-ID, when something of it (MSRP of its sessions too) came last."""
        self.remembered = Remembered()
        self._by_id: dict[tuple[str, str], list[SipEntry]] = defaultdict(list)
        self._by_pair: dict[frozenset[str], list[SipEntry]] = defaultdict(list)
        self._repeats: dict[tuple[bytes, str, str], SipEntry] = {}

    def transactions_of(self, call_id: str | None) -> list[Transaction]:
        """Transactions with that Call-ID, in order."""
        return list(self._by_call.get(call_id or "", ()))

    def transactions_on(self, branch: str | None) -> list[Transaction]:
        """Transactions whose request has that branch, in order."""
        return list(self._by_branch.get(branch or "", ()))

    def requests_with(self, name: str, value: str) -> list[SipEntry]:
        """Requests whose Conversation-ID or Contribution-ID (the name) is the value, in order."""
        return list(self._by_id.get((name, value), ()))

    def requests_between(self, one: Uri, other: Uri) -> list[SipEntry]:
        """Requests outside dialogs between two parties (From and To, either way round), in order."""
        return list(self._by_pair.get(frozenset((party_of(one), party_of(other))), ()))

    def dialog(self, call_id: str | None, one_tag: str | None, other_tag: str | None) -> Dialog | None:
        """The dialog with that Call-ID and those tags, whichever side is which."""
        return self._dialogs.get((call_id or "", frozenset((one_tag or "", other_tag or ""))))

    def dialogs_of(self, call_id: str | None) -> list[Dialog]:
        """Dialogs with that Call-ID (more than one when the request forked)."""
        return list(self._dialogs_of.get(call_id or "", ()))

    def dialogs_tagged(self, one_tag: str | None, other_tag: str | None) -> list[Dialog]:
        """Dialogs with those tags, whichever side is which, of any Call-ID."""
        return list(self._dialogs_tagged.get(frozenset((one_tag or "", other_tag or "")), ()))

    def responses_of(self, call_id: str | None) -> list[SipEntry]:
        """Responses with that Call-ID, whether their requests were seen or not, in order."""
        return list(self._responses_of.get(call_id or "", ()))

    def transactions_by(self, method: str) -> Sequence[Transaction]:
        """Transactions of a method, in order."""
        return self._by_method.get(method, ())

    def registration_at(self, time: float, aor: str | None = None) -> RegistrationState | None:
        """The registration that stood at that time (of that address of record), the newest first."""
        states = self.registrations if aor is None else self._registrations_of.get(aor, ())
        return next((state for state in reversed(states) if state.holds_at(time)), None)

    def registrations_of(self, aor: str) -> Sequence[RegistrationState]:
        """Registrations of that address of record, in order."""
        return self._registrations_of.get(aor, ())

    def newest_registration(self, entry: SipEntry) -> RegistrationState | None:
        """The newest registration of the handset that sent or gets the message, whether it stands or not.

        Behind one address there may be several handsets; then who the message is from or for decides.
        """
        of_handset = entry.sender is Party.HANDSET
        known = self._registered_from.get((entry.source if of_handset else entry.destination).host, {})
        if len({state.aor for state in known.values()}) == 1:
            return next(reversed(known.values()))
        name = entry.from_ if of_handset == (entry.request is not None) else entry.to
        return known.get(party_of(name.uri)) if name is not None else None

    def registration_of(self, entry: SipEntry) -> RegistrationState | None:
        """The same, where it stands at the time of the message."""
        state = self.newest_registration(entry)
        return state if state is not None and state.holds_at(entry.time) else None

    def registration_between(self, source: str, destination: str) -> RegistrationState | None:
        """The newest registration made from one host at another, whether it stands or not."""
        states = self._registrations_on.get((source, destination))
        return states[-1] if states else None

    def groups_joined(self, conversation: str) -> list[Transaction]:
        """INVITEs with that Conversation-ID that were accepted in a dialog with a focus, in order."""
        return sorted(self._group_invites.get(conversation, ()), key=lambda known: known.request.place)

    # -- forgetting ---------------------------------------------------------------------------------------

    def _forget_sip(self, calls: set[str], now: float) -> None:
        """Let all of these calls go, but for what `remembered` keeps of them."""
        for call_id in calls:
            self.last_heard.pop(call_id, None)
            self._responses_of.pop(call_id, None)
            for transaction in self._by_call.pop(call_id, ()):
                self.remembered.take(transaction)
                self._forget_transaction(transaction)
            for dialog in self._dialogs_of.pop(call_id, ()):
                tags = frozenset((dialog.caller_tag, dialog.callee_tag))
                self._dialogs.pop((call_id, tags), None)
                let_go(self._dialogs_tagged, tags, [dialog])
        self.messages = [entry for entry in self.messages if (entry.call_id or "") not in calls]
        self.transactions = [each for each in self.transactions if (each.request.call_id or "") not in calls]
        self.dialogs = [dialog for dialog in self.dialogs if dialog.call_id not in calls]
        self._repeats = {
            key: entry for key, entry in self._repeats.items() if (entry.call_id or "") not in calls
        }
        for known in self._by_method.values():
            known[:] = [each for each in known if (each.request.call_id or "") not in calls]
        self._forget_registrations(now)

    def _forget_transaction(self, transaction: Transaction) -> None:
        request = transaction.request
        let_go(self._by_branch, request.branch or "", [transaction])
        for name in _IDS:
            let_go(self._by_id, (name, request.sip.get(name) or ""), [request])
        if request.from_ is not None and request.to is not None and not request.to_tag:
            pair = frozenset((party_of(request.from_.uri), party_of(request.to.uri)))
            self._forget_talk(self._by_pair[pair], request)
        group = request.sip.get("Conversation-ID") or ""
        joins = self._group_invites.get(group, [])
        if transaction in joins:  # it tells what the group is called when somebody comes back
            alone = Transaction(request.alone(), [each.alone() for each in transaction.responses])
            joins[joins.index(transaction)] = alone

    def _forget_talk(self, between: list[SipEntry], request: SipEntry) -> None:
        """Of two parties one request stays for each Conversation-ID that they used."""
        place = between.index(request)
        conversation = request.sip.get("Conversation-ID")
        if any(later.sip.get("Conversation-ID") == conversation for later in between[place + 1 :]):
            del between[place]
        else:
            between[place] = request.alone()

    def _forget_registrations(self, now: float) -> None:
        """Of those that ended the newest of each address of record stays."""
        newest = {state.aor: state for state in self.registrations}
        self.registrations = [
            state for state in self.registrations if state.holds_at(now) or newest[state.aor] is state
        ]
        kept = set(self.registrations)
        for index in (self._registrations_of, self._registrations_on):
            for states in index.values():
                states[:] = [state for state in states if state in kept]

    # -- linking ------------------------------------------------------------------------------------------

    def _link_sip(self, entry: SipEntry) -> bool:
        """Link a message; False for one that repeats another."""
        self.messages.append(entry)
        self.last_heard[entry.call_id or ""] = entry.time
        if self._is_repeat(entry):
            return False
        self.declared.learn(entry)
        if entry.request is not None:
            self._link_request(entry, entry.request)
        elif entry.response is not None:
            self._responses_of[entry.call_id or ""].append(entry)
            self._link_response(entry)
        return True

    def _is_repeat(self, entry: SipEntry) -> bool:
        """Same octets on the same way: a retransmission (17.1.1.2, 17.1.2.2, 13.3.1.4), linked to the
        first.
        """
        if entry.message is None:
            return False
        key = entry.raw, normal_host(entry.source.host), normal_host(entry.destination.host)
        first = self._repeats.setdefault(key, entry)
        if first is entry:
            return False
        entry.retransmission_of, entry.transaction, entry.dialog = first, first.transaction, first.dialog
        first.retransmissions.append(entry)
        return True

    def _link_request(self, entry: SipEntry, request: Request) -> None:
        if request.method == "ACK":
            self._link_ack(entry)
            return
        transaction = entry.transaction = Transaction(entry)
        if request.method == "CANCEL":
            target = self._cancelled(entry)
            if target is not None:
                transaction.cancels, target.cancelled_by = target, target.cancelled_by or transaction
        else:
            self._link_retry(entry, transaction)
        self.transactions.append(transaction)
        self._by_method[request.method].append(transaction)
        self._by_branch[entry.branch or ""].append(transaction)
        self._by_call[entry.call_id or ""].append(transaction)
        for name in _IDS:
            self._by_id[name, request.get(name) or ""].append(entry)
        if entry.from_ is not None and entry.to is not None and not entry.to_tag:
            self._by_pair[frozenset((party_of(entry.from_.uri), party_of(entry.to.uri)))].append(entry)
        self._link_in_dialog(entry)

    def _link_ack(self, entry: SipEntry) -> None:
        invites = [known for known in self._by_branch.get(entry.branch or "", ()) if known.method == "INVITE"]
        if not invites:
            invites = self._numbered_invites(entry)
        if invites:
            entry.transaction = invites[-1]
            invites[-1].acks.append(entry)
            if invites[-1].request.branch == entry.branch and invites[-1].accepted is None:
                return  # to a refusal (17.1.1.3), seen or not, and so in no dialog
        self._link_in_dialog(entry)

    def _numbered_invites(self, ack: SipEntry) -> list[Transaction]:
        """INVITEs of the ACK's Call-ID and number, on its way or, since the ACK to a 2xx goes to the Contact
        where no proxy recorded a route (12.2.1.1), from its source.
        """
        number = ack.cseq.number if ack.cseq else None
        invites = [
            known
            for known in self._by_call.get(ack.call_id or "", ())
            if known.method == "INVITE" and known.request.cseq and known.request.cseq.number == number
        ]
        same_way = [known for known in invites if _same_way(known.request, ack)]
        same_source = [known for known in invites if _same_source(known.request, ack)]
        return same_way or same_source

    def _cancelled(self, entry: SipEntry) -> Transaction | None:
        """The transaction a CANCEL means: same branch, else same Call-ID and CSeq number (9.1)."""
        same_branch = [
            known for known in self._by_branch.get(entry.branch or "", ()) if known.method != "CANCEL"
        ]
        if same_branch:
            return same_branch[-1]
        number = entry.cseq.number if entry.cseq else None
        for known in reversed(self._by_call.get(entry.call_id or "", ())):
            cseq = known.request.cseq
            if known.method not in ("CANCEL", "ACK") and cseq and cseq.number == number:
                return known
        return None

    def _link_retry(self, entry: SipEntry, transaction: Transaction) -> None:
        for known in reversed(self._by_call.get(entry.call_id or "", ())):
            if known.method != entry.method or not _same_way(known.request, entry):
                continue
            final = known.final
            if final is not None and final.status in RETRIED_STATUSES and known.retried_by is None:
                transaction.retry_of, known.retried_by = known, transaction
            return

    def _link_in_dialog(self, entry: SipEntry) -> None:
        if not entry.to_tag:
            return
        dialog = self.dialog(entry.call_id, entry.from_tag, entry.to_tag) or self._early_notify(entry)
        if dialog is None:
            return
        entry.dialog = dialog
        dialog.requests.append(entry)
        if entry.method in TARGET_REFRESH and entry.contacts:
            targets = dialog.caller_targets if dialog.by_caller(entry) else dialog.callee_targets
            targets.append(entry)

    def _early_notify(self, entry: SipEntry) -> Dialog | None:
        """A NOTIFY that overtakes the 2xx to SUBSCRIBE makes the dialog (RFC 6665 4.4.1)."""
        if entry.method != "NOTIFY":
            return None
        for known in reversed(self._by_call.get(entry.call_id or "", ())):
            asked = known.request
            if known.method in ("SUBSCRIBE", "REFER") and asked.from_tag == entry.to_tag and entry.from_tag:
                return self._new_dialog(known, entry, entry.from_tag)
        return None

    def _link_response(self, entry: SipEntry) -> None:
        transaction = entry.transaction = self._answered(entry)
        if transaction is None:
            return
        transaction.responses.append(entry)
        request = transaction.request
        entry.dialog = request.dialog
        if request.dialog is None and transaction.method in DIALOG_METHODS:
            self._establish(transaction, entry)
        elif request.dialog is not None and 200 <= entry.status < 300:
            self._refresh(request.dialog, request, entry)
        if transaction.method == "REGISTER" and 200 <= entry.status < 300:
            self._register(transaction, entry)
        if transaction.method == "INVITE" and transaction.accepted is entry:
            self._join(transaction, entry)

    def _answered(self, entry: SipEntry) -> Transaction | None:
        """The request a response answers: branch, Call-ID and method, then less of them, then Call-ID and
        CSeq alone, on its leg. A request that has its final response does not take one of another branch.
        """
        cseq = entry.cseq
        on_leg = [
            known
            for known in self._by_branch.get(entry.branch or "", ())
            if _answers_way(known.request, entry) and not _shares_a_branch(known, entry)
        ]
        exact = [known for known in on_leg if cseq and known.method == cseq.method]
        closest = [
            known for known in exact if known.request.call_id == entry.call_id and known.request.cseq == cseq
        ]
        if on_leg:
            return (closest or exact or on_leg)[-1]
        same = [
            known
            for known in self._by_call.get(entry.call_id or "", ())
            if cseq
            and known.request.cseq == cseq
            and _answers_way(known.request, entry)
            and not (known.final is not None and known.final.branch == known.request.branch)
        ]
        return same[-1] if same else None

    def _establish(self, transaction: Transaction, entry: SipEntry) -> None:
        if not 101 <= entry.status < 300 or not entry.to_tag or not entry.call_id:
            return
        dialog = self.dialog(entry.call_id, entry.from_tag, entry.to_tag)
        if dialog is None:
            if transaction.method != "INVITE" and entry.status < 200:
                return
            dialog = self._new_dialog(transaction, entry, entry.to_tag)
        if dialog is None:
            return
        entry.dialog = dialog
        if entry.contacts:
            dialog.callee_targets.append(entry)
        if entry.status >= 200 and dialog.confirmed is None:
            dialog.confirmed = entry

    def _new_dialog(self, transaction: Transaction, entry: SipEntry, callee_tag: str) -> Dialog | None:
        request = transaction.request
        if not request.from_tag or not request.call_id:
            return None
        dialog = Dialog(request.call_id, request.from_tag, callee_tag, transaction, entry)
        if request.contacts:
            dialog.caller_targets.append(request)
        tags = frozenset((request.from_tag, callee_tag))
        self._dialogs[request.call_id, tags] = dialog
        self._dialogs_of[request.call_id].append(dialog)
        self._dialogs_tagged[tags].append(dialog)
        self.dialogs.append(dialog)
        return dialog

    def _refresh(self, dialog: Dialog, request: SipEntry, entry: SipEntry) -> None:
        if request.method in TARGET_REFRESH and entry.contacts:
            targets = dialog.callee_targets if dialog.by_caller(request) else dialog.caller_targets
            targets.append(entry)

    def _join(self, transaction: Transaction, accepted: SipEntry) -> None:
        """Note the INVITE of a group chat: one end is a focus (RFC 4579 5.1)."""
        request = transaction.request
        ends = (*request.contacts, *accepted.contacts)
        if request.message is not None and any("isfocus" in contact.parameters for contact in ends):
            self._group_invites[request.message.get("Conversation-ID") or ""].append(transaction)

    def _register(self, transaction: Transaction, entry: SipEntry) -> None:
        request, message = transaction.request, entry.message
        if message is None or request.message is None or request.to is None:
            return
        for known in self.registrations:
            if known.call_id == request.call_id and known.ended_at is None:
                known.ended_at = entry.time
        asked = request.contacts
        star = (request.message.get("Contact") or "").strip() == "*"
        state = RegistrationState(
            transaction,
            entry,
            request.to.uri.text,
            request.call_id or "",
            asked,
            0 if star else _lifetime(request, entry),
            [value.strip("<> ") for value in message.values("P-Associated-URI")],
            message.values("Service-Route"),
        )
        self.registrations.append(state)
        self._registrations_on[request.source.host, request.destination.host].append(state)
        own = self._registered_from[request.source.host]
        for name in dict.fromkeys((state.aor, *state.associated)):
            self._registrations_of[name].append(state)
            uri = uri_of(name)
            if uri is not None:
                own.pop(party_of(uri), None)
                own[party_of(uri)] = state


def _shares_a_branch(transaction: Transaction, response: SipEntry) -> bool:
    """Whether the response is to the other of an INVITE and its CANCEL, which have one branch (9.1)."""
    cseq = response.cseq
    return cseq is not None and {transaction.method, cseq.method} == {"INVITE", "CANCEL"}


def _same_way(one: SipEntry, other: SipEntry) -> bool:
    return normal_host(one.source.host) == normal_host(other.source.host) and normal_host(
        one.destination.host
    ) == normal_host(other.destination.host)


def _same_source(one: SipEntry, other: SipEntry) -> bool:
    return normal_host(one.source.host) == normal_host(other.source.host)


def _answers_way(request: SipEntry, response: SipEntry) -> bool:
    """Whether the response runs against the request on one leg; a port of theirs must meet where hosts are
    equal.
    """
    hosts = normal_host(request.source.host), normal_host(request.destination.host)
    if hosts != (normal_host(response.destination.host), normal_host(response.source.host)):
        return False
    if request.connection is not None and request.connection == response.connection:
        return request.source == response.source.__class__(*response.destination)
    return True


def _lifetime(request: SipEntry, response: SipEntry) -> int:
    """Seconds granted: `expires` of the handset's Contact in the 2xx, else Expires; 0 when it is not
    bound.
    """
    message = response.message
    general = _seconds(message.get("Expires")) if message else None
    own = [contact.uri for contact in request.contacts]
    for contact in response.contacts:
        if any(contact.uri.equivalent(uri) for uri in own):
            value = _seconds(contact.parameters.get("expires"))
            return value if value is not None else general if general is not None else 3600
    return 0


def _seconds(text: str | None) -> int | None:
    return int(text) if text is not None and text.strip().isdigit() else None

"""What a session does with the requests that come in its dialog (RFC 3261 12.2.2, 14.2, 15.1.2, RFC 3311).

One function for each method it cares for; the rest goes to the user of the session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harness.agent.session.context import SessionContext
from harness.agent.session.invite_server import IncomingInvite
from harness.agent.session.invite_session import InviteSession
from harness.agent.session.user import Cause, Ending, SessionRequest
from harness.agent.sip.agent import Incoming
from harness.errors import SipSyntaxError
from harness.sip.message import Request
from harness.sip.offer_answer import Turn, carries_session


def serve(session: InviteSession, incoming: Incoming) -> None:
    """Take in a request that names the dialog of this session."""
    request = incoming.message
    if request.method == "ACK":
        _acknowledged(session, request)
        return
    if session.ending is not None and request.method != "BYE":
        session.respond(incoming, 481)
        return
    refused = session.dialog.receive(request)
    unknown = not_understood(request, session.context)
    if refused is not None:
        session.respond(incoming, refused)
    elif unknown:
        session.respond(incoming, 420, None, [("Unsupported", ", ".join(unknown))])
    else:
        _serve_in_order(session, incoming)


def _serve_in_order(session: InviteSession, incoming: Incoming) -> None:
    try:
        _HANDLERS.get(incoming.message.method, _hand_up)(session, incoming)
    except SipSyntaxError as error:
        response = session.context.response(
            incoming.message,
            400,
            reason=f"{error.what} cannot be read",
            to_tag=session.dialog.id.local_tag,
        )
        session.context.agent.respond(incoming, response)


def not_understood(request: Request, context: SessionContext) -> list[str]:
    """Option tags in Require that are not known here (8.2.2.3); a CANCEL or ACK may have none."""
    if request.method in ("ACK", "CANCEL"):
        return []
    understood = context.supported if context.understood is None else context.understood
    return [tag for tag in request.values("Require") if tag.lower() not in understood]


def _acknowledged(session: InviteSession, ack: Request) -> None:
    invite = session.served.get(ack.cseq.number)
    if invite is not None and invite.acknowledged(ack):
        session.exchange.request(ack, sent=False)
        session.user.acknowledged(session, ack)


def _hung_up(session: InviteSession, incoming: Incoming) -> None:
    session.respond(incoming, 200)
    session.end(Ending(Cause.BYE, by_us=False, message=incoming.message))


def _reinvited(session: InviteSession, incoming: Incoming) -> None:
    """14.2: 491 while an INVITE of ours is under way, 500 while one of theirs is not answered."""
    request = incoming.message
    pending = any(invite.final is None for invite in session.served.values())
    refused = 491 if session.inviting else 500 if pending else session.exchange.refusal(request)
    if _refused(session, incoming, refused) or _interval_refused(session, incoming):
        return
    session.learn(request)
    session.exchange.request(request, sent=False)
    session.user.reinvited(session, IncomingInvite(session.context, incoming, session, initial=False))


def _updated(session: InviteSession, incoming: Incoming) -> None:
    """RFC 3311 5.2: answered at once; the user is asked only for the answer to an offer."""
    request = incoming.message
    if _refused(session, incoming, session.exchange.refusal(request)) or _interval_refused(session, incoming):
        return
    session.learn(request)
    content = None
    if carries_session(request):
        session.exchange.request(request, sent=False)
        content = session.user.answer_offer(session, request)
        if content is None:
            session.respond(incoming, 488)
            return
    headers = [*session.context.shown, *session.timer.answer(request).headers]
    response = session.respond(incoming, 200, content, headers)
    session.timer.accepted(response)
    session.refresh.restart()
    session.user.refreshed(session, request)


def _refused(session: InviteSession, incoming: Incoming, status: int | None) -> bool:
    if status is None:
        return False
    session.respond(incoming, status, None, [session.context.retry_after()] if status == 500 else [])
    return True


def _interval_refused(session: InviteSession, incoming: Incoming) -> bool:
    answer = session.timer.answer(incoming.message)
    if answer.status >= 300:
        session.respond(incoming, answer.status, None, answer.headers)
        return True
    return False


def _pracked(session: InviteSession, incoming: Incoming) -> None:
    """RFC 3262 3: 200 when it acknowledges something, else 481; an offer in it is answered in the 200."""
    request = incoming.message
    invites = tuple(session.served.values())
    if not any(invite.acknowledges(request) for invite in invites):
        session.respond(incoming, 481)
        return
    session.exchange.request(request, sent=False)
    offered = session.exchange.turn is Turn.OFFER_RECEIVED and carries_session(request)
    session.respond(incoming, 200, session.user.answer_offer(session, request) if offered else None)
    for invite in invites:
        invite.pracked(request)


def _hand_up(session: InviteSession, incoming: Incoming) -> None:
    session.user.requested(SessionRequest(session, incoming, session.context))


_HANDLERS: Mapping[str, Callable[[InviteSession, Incoming], None]] = {
    "BYE": _hung_up,
    "INVITE": _reinvited,
    "UPDATE": _updated,
    "PRACK": _pracked,
}

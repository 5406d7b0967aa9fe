"""Which contacts a request goes to, and in which order: the preferences of its caller (RFC 3841 7.2).

Feature sets are compared term by term, as RFC 2533 does: a feature that one side does not name excludes
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from harness.errors import SipSyntaxError
from harness.sip.caller_preferences import (
    BASE_TAGS,
    AcceptContact,
    FeatureTerm,
    NumberTerm,
    RejectContact,
    TokenTerm,
    parse_feature,
)
from harness.sip.grammar import Parameters
from harness.sip.headers import NameAddr

# What a feature set says of each feature: one of these terms holds (RFC 3841 8).
FeatureSet = Mapping[str, tuple[FeatureTerm, ...]]

_TRUE = (TokenTerm("TRUE"),)


def feature_set(parameters: Parameters) -> FeatureSet:
    """The features among the parameters, base tags without plus (RFC 3841 7.2.1, 7.2.3).

    What cannot be read is left out: nobody can be asked for it.
    """
    found: dict[str, tuple[FeatureTerm, ...]] = {}
    for name in parameters:
        bare = name.removeprefix("+")
        feature = bare if bare in BASE_TAGS else name
        if feature in found or not (name.startswith("+") or name in BASE_TAGS):
            continue
        value = parameters[name]
        try:
            found[feature] = _TRUE if value is None else parse_feature(value)
        except SipSyntaxError:
            continue
    return found


def matches(one: FeatureSet, other: FeatureSet) -> bool:
    """Whether something can have both: every feature that both name has a value in common."""
    return all(
        any(_overlap(left, right) for left in terms for right in other[name])
        for name, terms in one.items()
        if name in other
    )


def _overlap(one: FeatureTerm, other: FeatureTerm) -> bool:
    """Whether a value satisfies both terms."""
    if isinstance(one, TokenTerm) and isinstance(other, TokenTerm):
        same = one.text.lower() == other.text.lower()
        return (one.negated and other.negated) or same is (one.negated is other.negated)
    if isinstance(one, NumberTerm) and isinstance(other, NumberTerm):
        return _ranges_overlap(one, other)
    if type(one) is type(other):
        return one == other  # strings, with case
    return getattr(one, "negated", False) or getattr(other, "negated", False)


def _ranges_overlap(one: NumberTerm, other: NumberTerm) -> bool:
    if one.negated and other.negated:
        return True
    if one.negated or other.negated:
        outside, inside = (one, other) if one.negated else (other, one)
        return not _within(inside, outside)
    (low, high), (other_low, other_high) = _bounds(one), _bounds(other)
    return low <= other_high and other_low <= high


def _within(one: NumberTerm, other: NumberTerm) -> bool:
    (low, high), (other_low, other_high) = _bounds(one), _bounds(other)
    return other_low <= low and high <= other_high


def _bounds(term: NumberTerm) -> tuple[Decimal, Decimal]:
    low = Decimal("-Infinity") if term.low is None else term.low
    return low, Decimal("Infinity") if term.high is None else term.high


@dataclass(frozen=True, slots=True)
class Wish:
    """One Accept-Contact value as it is worked with."""

    features: FeatureSet
    require: bool
    explicit: bool

    @classmethod
    def of(cls, value: AcceptContact) -> Wish:
        return cls(feature_set(value.parameters), value.require, value.explicit)

    def score(self, contact: FeatureSet) -> Decimal | None:
        """0 to 1: the part of the features that the contact names, with `explicit` 1 or 0; None: no match."""
        if not matches(self.features, contact):
            return None
        named = sum(1 for name in self.features if name in contact)
        score = Decimal(named) / len(self.features) if self.features else Decimal(1)
        return score if score == 1 or not self.explicit else Decimal(0)


def implied(method: str, event: str | None = None) -> list[Wish]:
    """What a request without either header asks for: its method, and its event package (7.2.2)."""
    features: dict[str, tuple[FeatureTerm, ...]] = {"methods": (TokenTerm(method),)}
    if event is not None:
        features["events"] = (TokenTerm(event),)
    return [Wish(features, require=True, explicit=False)]


def ordered(
    contacts: Sequence[NameAddr],
    accept: Iterable[AcceptContact] = (),
    reject: Iterable[RejectContact] = (),
    *,
    method: str | None = None,
    event: str | None = None,
) -> list[NameAddr]:
    """The contacts to try, best first; equal ones keep their order. Empty: nobody is wanted, 480 (7.2.4).

    method, event: of the request, for what it implies where neither header is there. What is implied never
    leaves nobody.
    """
    wishes, refused = [Wish.of(each) for each in accept], [feature_set(each.parameters) for each in reject]
    explicit = bool(wishes or refused)
    if not explicit and method is not None:
        wishes = implied(method, event)
    ranked = [(contact, _preference(contact, wishes, refused)) for contact in contacts]
    if not explicit and all(preference is None for _, preference in ranked):
        ranked = [(contact, Decimal(1)) for contact in contacts]
    wanted = [(contact, preference) for contact, preference in ranked if preference is not None]
    wanted.sort(key=lambda each: (_q(each[0]), each[1]), reverse=True)
    return [contact for contact, _ in wanted]


def _preference(contact: NameAddr, wishes: Sequence[Wish], refused: Iterable[FeatureSet]) -> Decimal | None:
    """How much the caller likes a contact (Qa of 7.2.4); None when it is not to be tried."""
    features = feature_set(contact.parameters)
    if not features:
        return Decimal(1)  # immune (7.2.3)
    if any(all(name in features for name in each) and matches(each, features) for each in refused):
        return None
    scores = []
    for wish in wishes:
        score = wish.score(features)
        if wish.require and (score is None or (wish.explicit and score < 1)):
            return None
        if score is not None:
            scores.append(score)
    return sum(scores, Decimal(0)) / len(scores) if scores else Decimal(not wishes)


def _q(contact: NameAddr) -> Decimal:
    try:
        return min(max(Decimal(contact.parameters.get("q") or "1"), Decimal(0)), Decimal(1))
    except ArithmeticError:
        return Decimal(1)

"""What tests of typed headers share: strategies for their pieces, and where an error points."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from harness.errors import SipSyntaxError
from harness.sip.grammar import TOKEN_CHARACTERS, Parameters, quote
from harness.sip.header_value import HeaderType

TOKENS = st.from_regex(rf"[{TOKEN_CHARACTERS}]+", fullmatch=True)
PRINTABLE = st.text(st.characters(exclude_categories=("Cs", "Cc")))  # what a quoted-string may hold

_GENERIC = st.tuples(
    st.from_regex(r"x-[a-z0-9]{1,6}", fullmatch=True),  # no name that a header gives a meaning
    st.none() | TOKENS | PRINTABLE.map(quote),
)


def parameters() -> st.SearchStrategy[Parameters]:
    """Generic parameters, in order, none of a name that a header gives a meaning."""
    return st.lists(_GENERIC, max_size=3).map(Parameters)


def assert_refused(kind: type[HeaderType], text: str, octet: int) -> None:
    """kind refuses text at this octet, counted from where the value starts in its message, with a clause."""
    with pytest.raises(SipSyntaxError) as caught:
        kind.parse(text, 1000)
    assert caught.value.offset == 1000 + octet, str(caught.value)
    assert caught.value.what == kind.header
    assert caught.value.clause.startswith("RFC ")

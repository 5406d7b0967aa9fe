"""A proof for people."""

from __future__ import annotations

from collections.abc import Iterator

from harness.verify.proof.prove import MutantResult, Proof


def to_text(proof: Proof) -> str:
    """What is not as told, then mutants caught of mutants per protocol, and flows clean of flows."""
    return "\n".join(_lines(proof)) + "\n"


def _lines(proof: Proof) -> Iterator[str]:
    for flow in proof.flows:
        if not flow.clean:
            yield f"REPORTED  conformant flow {flow.flow} under {flow.profile}: {', '.join(flow.reported)}"
    for result in proof.mutants:
        if not result.whole:
            yield f"{_fault(result)}  mutant {result.mutant.name}: {_said(result)}"
    for reading in proof.readings:
        if not reading.whole:
            yield (
                f"MISREAD   {reading.reading.name}: reported {', '.join(reading.reported) or 'nothing'}, "
                f"expected {', '.join(reading.reading.reported) or 'nothing'}; "
                f"no longer applied: {', '.join(reading.lost) or 'none'}"
            )
    for rule in proof.unproven:
        yield f"UNPROVEN  {rule}: no mutant"
    for protocol, (caught, made) in proof.by_protocol().items():
        yield f"{protocol + ':':12} {caught} of {made} mutants caught"
    made = len(proof.mutants)
    yield f"{'mutants:':12} {sum(each.caught for each in proof.mutants)} of {made} caught"
    yield f"{'readings:':12} {sum(each.whole for each in proof.readings)} of {len(proof.readings)} read"
    yield (
        f"{'flows:':12} {sum(each.clean for each in proof.flows)} of {len(proof.flows)} clean "
        f"({len({each.flow for each in proof.flows})} flows, each under every profile)"
    )
    yield f"proof:       {'whole' if proof.whole else 'NOT WHOLE'}"


def _fault(result: MutantResult) -> str:
    if result.error:
        return "BROKEN  "
    return "BESIDE  " if result.caught else "MISSED  "


def _said(result: MutantResult) -> str:
    if result.error:
        return result.error
    return (
        f"beside it {', '.join(result.beside) or 'nothing'}, "
        f"told {', '.join(result.mutant.beside) or 'nothing'}"
    )

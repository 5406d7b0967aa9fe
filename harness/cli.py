"""rcslab: the command. The only module that prints.

Exit codes: 0 clean, 1 findings or failed tests, 2 unusable input, 3 the lab broke (infra), 130 interrupted.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from harness.agent.sockets.tls_settings import ClientCertificate, TlsSettings
from harness.cpm.profiles import DEFAULT_PROFILE, Profile
from harness.errors import ExitCode, LabError, UsageError
from harness.verify.catalogue import Judged
from harness.verify.finding import Severity

if TYPE_CHECKING:
    from harness.run.request import Progress, RunResult
    from harness.verify.catalogue import Rule
    from harness.verify.clauses import Clause
    from harness.verify.report.style import Style

PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True}

app = typer.Typer(
    name="rcslab",
    help="Hardware-in-the-loop test harness for RCS messaging.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
simulate = typer.Typer(help="Run a simulated part alone.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(simulate, name="simulate")


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"rcslab {version('rcslab')}")
        raise typer.Exit


@app.callback()
def command(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and end.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    """Hardware-in-the-loop test harness for RCS messaging."""


LabOption = Annotated[
    Path | None,
    typer.Option("--lab", metavar="FILE", help="Lab file (default: the lab.yaml found from here upward)."),
]


class ListFormat(StrEnum):
    """How a list is printed."""

    TEXT = "text"
    JSON = "json"


class ReportFormat(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"
    HTML = "html"


FormatOption = Annotated[ListFormat, typer.Option("--format", help="text or json.")]


def main() -> None:
    """Entry point of the `rcslab` command."""
    try:
        sys.exit(app(standalone_mode=False))
    except UsageError as error:
        _fail(str(error), ExitCode.UNUSABLE)
    except LabError as error:
        _fail(f"infra: {error}", ExitCode.INFRA)
    except (KeyboardInterrupt, typer.Abort):
        _fail("interrupted", 130)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone
        sys.exit(141)
    except Exception as error:
        usage = getattr(error, "format_message", None)
        if usage is None:
            raise
        _fail(usage().replace("Value error, ", ""), ExitCode.UNUSABLE)


def _fail(text: str, code: int) -> NoReturn:
    print(f"rcslab: {text}", file=sys.stderr)
    sys.exit(code)


@app.command(context_settings=PASS_THROUGH, options_metavar="[OPTIONS] [SUITES...] [ROBOT OPTIONS...]")
def run(
    context: typer.Context,
    lab: LabOption = None,
    bench: Annotated[
        list[str] | None,
        typer.Option(help="Bench to lease (default: a free one); repeat to run on several at once."),
    ] = None,
    benches: Annotated[
        int | None, typer.Option(min=1, help="Run on so many free benches at once.", show_default="1")
    ] = None,
    personality: Annotated[
        str | None, typer.Option(help="Personality of the simulated handset, e.g. samsung-ims-5.0.")
    ] = None,
    profile: Annotated[Profile | None, typer.Option(help="Profile that findings are judged under.")] = None,
    require_coverage: Annotated[
        Path | None, typer.Option(help="File of rules and clauses that have to be exercised, else exit 1.")
    ] = None,
) -> None:
    """Run Robot suites on a bench, or shared out over several.

    Paths up to the first other option are suites (default: those that come with the project); everything from
    there on goes to Robot, e.g. --exclude selftest --variable NAME:value.
    """
    from harness.lab.coverage_plan_file import load_coverage_plan
    from harness.lab.model import load_lab
    from harness.run.request import RunRequest
    from harness.run.suites import run_suites

    first_option = next((i for i, word in enumerate(context.args) if word.startswith("-")), len(context.args))
    request = RunRequest(
        load_lab(lab),
        tuple(bench or ()),
        benches or len(bench or "1"),
        [Path(word) for word in context.args[:first_option]],
        context.args[first_option:],
        personality,
        profile.value if profile else None,
        load_coverage_plan(require_coverage) if require_coverage else None,
        on_phase=lambda text: print(text, flush=True),
        on_test=_print_test,
    )
    result = run_suites(request)
    _print_result(result)
    raise typer.Exit(result.exit_code)


def _print_test(progress: Progress) -> None:
    end, width = progress.end, len(str(progress.total))
    count = len(end.findings)
    notes = f"  ({count} finding{'s' * (count > 1)})" if count else ""
    where = f"{progress.bench}  " if progress.bench else ""
    name = end.name.split(".", 1)[-1]
    print(
        f"{where}[{progress.number:{width}}/{progress.total}] {end.verdict.upper():6} {name}"
        f"  {end.seconds:.1f} s{notes}"
    )
    if end.message and end.verdict != "pass":
        print("\n".join(f"      {line}" for line in end.message.splitlines()))
    sys.stdout.flush()


def _print_result(result: RunResult) -> None:
    if result.infra:
        print(f"rcslab: infra: {result.infra}", file=sys.stderr)
    if result.stopped:
        print(f"rcslab: stopped by {result.stopped}", file=sys.stderr)
    seconds = ", ".join(f"{name.replace('_', ' ')} {value:.1f} s" for name, value in result.seconds.items())
    print(f"\n{_verdicts(result.verdicts)}; {seconds}")
    for each in result.missing or ():
        print(f"not exercised: {each}")
    if len(result.benches) > 1:
        for name, bench in result.benches.items():
            print(f"bench {name}:  {bench.infra or _verdicts(bench.verdicts)}")
    if (result.folder / "log.html").exists():
        print(f"log:      {result.folder / 'log.html'}")
    print(f"summary:  {result.folder / 'summary.json'}")


def _verdicts(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {verdict}" for verdict, count in counted.items()) or "no test ran"


@app.command()
def doctor(
    lab: LabOption = None,
    bench: Annotated[str | None, typer.Option(help="Only this bench.")] = None,
    format_: FormatOption = ListFormat.TEXT,
) -> None:
    """Check everything the lab file names: found, or what is wrong and how to mend it."""
    from harness.lab.doctor import examine
    from harness.lab.model import load_lab

    checks = []
    for check in examine(load_lab(lab), bench):
        checks.append(check)
        if format_ is ListFormat.TEXT:
            print(f"{'ok ' if check.ok else 'BAD'}  {check.part:32} {check.text}", flush=True)
            if check.mend:
                print(f"     mend with: {check.mend}", flush=True)
    if format_ is ListFormat.JSON:
        _print_json([check.as_dict() for check in checks])
    raise typer.Exit(0 if all(check.ok for check in checks) else ExitCode.INFRA)


def _show_schema(wanted: bool) -> None:
    if wanted:
        from harness.verify.report.as_json import schema

        print(schema(), end="")
        raise typer.Exit


@app.command()
def verify(
    captures: Annotated[list[Path], typer.Argument(help="pcap or pcapng files.", metavar="CAPTURE")],
    format_: Annotated[ReportFormat, typer.Option("--format", help="text, json, junit or html.")] = (
        ReportFormat.TEXT
    ),
    profile: Annotated[Profile, typer.Option(help="Profile that findings are judged under.")] = (
        DEFAULT_PROFILE
    ),
    waivers: Annotated[
        Path | None, typer.Option(help="File of known findings that do not count, with owner and expiry.")
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="JSON of an earlier verify: tell what is new, gone and stays.")
    ] = None,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Tell which rules and clauses were exercised, and why not.")
    ] = False,
    require_coverage: Annotated[
        Path | None, typer.Option(help="File of rules and clauses that have to be exercised, else exit 1.")
    ] = None,
    schema: Annotated[
        bool,
        typer.Option(
            "--schema",
            help="Print the JSON Schema of --format json and end.",
            is_eager=True,
            callback=_show_schema,
        ),
    ] = False,
    color: Annotated[
        bool | None,
        typer.Option("--color/--no-color", help="Colour of text (default: on a terminal, unless NO_COLOR)."),
    ] = None,
) -> None:
    """Judge captures. Exit 0 clean, 1 findings that fail a run or missing coverage, 2 unusable input."""
    from harness.lab.verify_captures import VerifyRequest, verify_captures
    from harness.verify.report.as_text import to_text
    from harness.verify.report.formats import FORMATS

    shown = format_ is ReportFormat.HTML
    request = VerifyRequest(captures, profile, waivers, baseline, coverage, require_coverage, shown)
    verified = verify_captures(request)
    if format_ is ReportFormat.TEXT:
        sys.stdout.write(to_text(verified.judgements, _style(color), beside=verified.beside))
    else:
        sys.stdout.writelines(FORMATS[format_.value](verified.judgements, beside=verified.beside))
    for judgement in verified.judgements:
        if not judgement.judged:
            print(f"rcslab: {judgement.name}: no SIP or MSRP in it that could be judged", file=sys.stderr)
    if verified.beside.missing:
        print(f"rcslab: {len(verified.beside.missing)} of what is required not exercised", file=sys.stderr)
    raise typer.Exit(verified.exit_code)


def _style(color: bool | None) -> Style:
    """How text goes to standard output: coloured and as wide as the terminal, plain to anything else."""
    from harness.verify.report.style import Style

    terminal = sys.stdout.isatty()
    wanted = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    colour = wanted if color is None else color
    return Style(colour, shutil.get_terminal_size().columns) if terminal else Style(colour)


@app.command()
def peer(
    address: Annotated[
        list[str] | None, typer.Option(help="Address to listen on; repeat for more (default 127.0.0.1).")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of UDP and TCP; 0: any free one.")] = 5060,
    tls_certificate: Annotated[
        Path | None, typer.Option(help="Listen for SIP over TLS too, with this certificate (PEM).")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key, if in a file of its own.")] = None,
    tls_ca: Annotated[
        Path | None, typer.Option(help="Whose client certificates are good (PEM; default: the system's).")
    ] = None,
    tls_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of TLS; 0: any free one.")] = 5061,
    tls_client_certificate: Annotated[
        ClientCertificate, typer.Option(help="Whether clients have to show a certificate.")
    ] = ClientCertificate.NONE,
    msrp_tls_certificate: Annotated[
        Path | None, typer.Option(help="Listen for MSRP over TLS too, with this certificate (PEM).")
    ] = None,
    msrp_tls_key: Annotated[
        Path | None, typer.Option(help="Its private key, if in a file of its own.")
    ] = None,
    msrp_tls_port: Annotated[int, typer.Option(min=0, max=65535, help="Its port; 0: any free one.")] = 0,
    msrp_tls_offer: Annotated[
        bool, typer.Option(help="Whether the peer's own offers are for MSRP over TLS.")
    ] = True,
    evidence: Annotated[Path | None, typer.Option(help="Folder for capture, ladder and timeline.")] = None,
    lab: Annotated[
        Path | None,
        typer.Option("--lab", metavar="FILE", help="Lab file of --bench (default: found from here upward)."),
    ] = None,
    bench: Annotated[
        str | None, typer.Option(help="Take domain and subscribers of this bench (default: first of --lab).")
    ] = None,
    domain: Annotated[str | None, typer.Option(help="Home domain, without a lab file.")] = None,
    personality: Annotated[
        str | None, typer.Option(help="Which server it behaves like, e.g. anritsu-rcs (default: of --bench).")
    ] = None,
    profile: Annotated[Profile, typer.Option(help="Profile that findings are judged under.")] = (
        DEFAULT_PROFILE
    ),
    quiet: Annotated[bool, typer.Option("--quiet", help="No live ladder on standard error.")] = False,
) -> None:
    """Serve any RCS client: the peer alone.

    Prints one JSON line with its addresses, shows what passes on standard error until SIGTERM or Ctrl-C, then
    writes its evidence and exits as `rcslab verify` would.
    """
    from harness.lab.peer_alone import PeerAloneRequest, serve
    from harness.peer.config import MsrpTlsListening, TlsListening

    secured = TlsSettings(tls_certificate, tls_key, tls_ca, tls_client_certificate)
    if tls_certificate is None and secured != TlsSettings():
        raise UsageError("--tls-key, --tls-ca and --tls-client-certificate need --tls-certificate")
    if msrp_tls_certificate is None and msrp_tls_key is not None:
        raise UsageError("--msrp-tls-key needs --msrp-tls-certificate")
    msrp_secured = TlsSettings(msrp_tls_certificate, msrp_tls_key)
    request = PeerAloneRequest(
        tuple(address or ("127.0.0.1",)),
        port,
        evidence,
        lab,
        bench,
        domain,
        profile.value,
        TlsListening(tls_port, secured) if tls_certificate is not None else None,
        MsrpTlsListening(msrp_tls_port, msrp_secured, msrp_tls_offer) if msrp_tls_certificate else None,
        personality,
        on_ready=lambda ready: print(json.dumps(ready), flush=True),
        on_line=(lambda line: None) if quiet else (lambda line: print(line, file=sys.stderr, flush=True)),
    )
    raise typer.Exit(serve(request))


@app.command()
def rules(
    rule_id: Annotated[
        str | None, typer.Argument(help="One rule, or the beginning of several ids, such as sip.via.")
    ] = None,
    format_: FormatOption = ListFormat.TEXT,
    profile: Annotated[Profile, typer.Option(help="Profile whose severities count.")] = DEFAULT_PROFILE,
    severity: Annotated[Severity | None, typer.Option(help="Only of this severity.")] = None,
    judged: Annotated[Judged | None, typer.Option(help="Only that judge this party.")] = None,
    clause: Annotated[str, typer.Option(help="Only with this text in their clause, e.g. 'RFC 4975'.")] = "",
    fails: Annotated[bool, typer.Option("--fails", help="Only rules that fail a run.")] = False,
    implemented: Annotated[bool, typer.Option("--implemented", help="Only rules that are checked.")] = False,
    clauses: Annotated[bool, typer.Option("--clauses", help="List by clause of each document.")] = False,
    prove: Annotated[
        bool, typer.Option("--prove", help="Judge right flows, and broken ones for each rule.")
    ] = False,
) -> None:
    """List the catalogue, or explain one rule with an example that passes and one that fails.

    With --prove: exit 0 when every broken flow is reported by its own rule and no right one by any, else 1.
    """
    from harness.verify.catalogue import load_catalogue
    from harness.verify.catalogue_text import rule_line, rule_page
    from harness.verify.coverage import by_clause

    found = [
        rule
        for rule in _rules_called(rule_id)
        if severity in (None, rule.severity_under(profile))
        and judged in (None, rule.judged)
        and clause.lower() in rule.clause.lower()
        and (rule.fails_under(profile) or not fails)
        and (rule.implemented or not implemented)
    ]
    if not found:
        raise UsageError("no rule meets all of these options; leave one out")
    if prove:
        everything = len(found) == len(load_catalogue())
        raise typer.Exit(_prove(format_, None if everything else {rule.id for rule in found}))
    if clauses:
        _print_clauses(format_, by_clause(found))
    elif format_ is ListFormat.JSON:
        _print_json([rule.as_dict() for rule in found])
    elif len(found) == 1:
        sys.stdout.write(rule_page(found[0]))
    else:
        for rule in found:
            print(rule_line(rule, profile))


def _rules_called(name: str | None) -> list[Rule]:
    """The rule of this id, else those whose ids begin with these words; all without a name."""
    from harness.verify.catalogue import load_catalogue

    catalogue = load_catalogue()
    if name is None or name in catalogue:
        return list(catalogue.values()) if name is None else [catalogue[name]]
    found = [rule for rule in catalogue.values() if rule.id.startswith(name.rstrip(".") + ".")]
    if not found:
        close = get_close_matches(name, catalogue, 3)
        meant = f"did you mean {' or '.join(close)}? " if close else ""
        raise UsageError(f"no rule {name!r} in the catalogue; {meant}`rcslab rules` lists all")
    return found


def _print_clauses(format_: ListFormat, rules_of: Mapping[Clause, list[Rule]]) -> None:
    if format_ is ListFormat.JSON:
        _print_json({str(clause): [rule.id for rule in rules] for clause, rules in rules_of.items()})
    else:
        for clause, rules in rules_of.items():
            print(f"{clause!s:24} {', '.join(rule.id for rule in rules)}")


def _prove(format_: ListFormat, chosen: set[str] | None) -> int:
    """Prove all rules, or those chosen; progress on a terminal."""
    from harness.verify.proof.as_text import to_text
    from harness.verify.proof.prove import prove_rules

    def show(done: int, of: int) -> None:
        print(f"\r{done} of {of}", end="" if done < of else "\r\033[K", file=sys.stderr, flush=True)

    proof = prove_rules(chosen, show if sys.stderr.isatty() else lambda done, of: None)
    if format_ is ListFormat.JSON:
        _print_json(proof.as_dict())
    else:
        sys.stdout.write(to_text(proof))
    return ExitCode.CLEAN if proof.whole else ExitCode.FAILED


@app.command()
def instruments(
    driver: Annotated[str | None, typer.Argument(help="Show the table of this driver.")] = None,
    format_: FormatOption = ListFormat.TEXT,
) -> None:
    """What the network simulator drivers can do, from their tables."""
    from instruments.drivers import driver_named, drivers
    from instruments.table_page import matrix, rows

    chosen = drivers() if driver is None else {driver: driver_named(driver)}
    tables = {name: each.table for name, each in chosen.items()}
    if format_ is ListFormat.JSON:
        _print_json({name: table.as_dict() for name, table in tables.items()})
    elif driver is None:
        sys.stdout.write(matrix(tables))
    else:
        print("\n".join(rows(tables[driver])))


@app.command(name="instrument-probe")
def instrument_probe(
    driver: Annotated[str, typer.Argument(help="Whose table to confirm, e.g. cmw500.")],
    resource: Annotated[str, typer.Argument(help="VISA resource of the instrument.")],
    report: Annotated[Path | None, typer.Option(help="File for the report (JSON), to hand in.")] = None,
    timeout: Annotated[float, typer.Option(min=0.1, max=60, help="Seconds to wait for each reply.")] = 3.0,
) -> None:
    """Send each query of a driver's table to an instrument once. Nothing is set.

    Exit 0 when every query was understood, 1 when the table is wrong somewhere, 3 without an instrument.
    """
    from instruments.drivers import open_session
    from instruments.probe import Probed, lines, probe

    def show(probed: Probed) -> None:
        print(f"\r{probed.query:60.60}", end="\r\033[K", file=sys.stderr, flush=True)

    table, session = open_session(driver, resource, timeout)
    found = probe(table, session, show if sys.stderr.isatty() else lambda probed: None)
    print("\n".join(lines(found)))
    if report is not None:
        report.write_text(json.dumps(found.as_dict(), indent=2) + "\n", encoding="utf-8")
    raise typer.Exit(ExitCode.CLEAN if found.whole else ExitCode.FAILED)


@app.command(name="app-probe")
def app_probe(
    lab: LabOption = None,
    bench: Annotated[str | None, typer.Option(help="Bench of the handset (default: a free one).")] = None,
    handset: Annotated[str | None, typer.Option(help="Which of the bench (default: its first).")] = None,
    serial: Annotated[
        str | None, typer.Option(help="adb serial or HOST:PORT of a handset, without a lab file.")
    ] = None,
    description: Annotated[
        str | None,
        typer.Option("--app", help="Description: a name or a YAML file (default: of the handset)."),
    ] = None,
    number: Annotated[
        str | None, typer.Option(help="Whose conversation to open (default: the far party of the bench).")
    ] = None,
    send: Annotated[bool, typer.Option("--send", help="Send texts and a file, and found a group.")] = False,
    incoming: Annotated[
        float | None,
        typer.Option(min=1, max=600, help="Seconds to wait for an invitation or a file, to decline it."),
    ] = None,
    adb_server: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="adb server of --serial (default: one of our own)."),
    ] = None,
    format_: FormatOption = ListFormat.TEXT,
) -> None:
    """Walk a handset through the actions of its messaging app, and tell which elements it has.

    Without --send nothing leaves the handset. Exit 0 when all that was sought was found, 1 when not.
    """
    from devices.app_probe import Walked, lines
    from harness.evidence.timeline import Address
    from harness.lab.app_probe import AppProbeRequest, probe_app

    if serial is not None and (bench or handset or lab):
        raise UsageError("--serial is for a handset without a lab file: leave --lab, --bench, --handset out")
    host, _, port = (adb_server or ":0").rpartition(":")
    if not port.isdigit() or (adb_server and (serial is None or not host)):
        raise UsageError("--adb-server: expected HOST:PORT, with --serial")

    def show(walked: Walked) -> None:
        print(f"\r{walked.action:60.60}", end="\r\033[K", file=sys.stderr, flush=True)

    request = AppProbeRequest(
        lab,
        bench,
        handset,
        serial,
        description,
        number,
        Address(host, int(port)) if adb_server else None,
        send,
        incoming,
        on_action=show if sys.stderr.isatty() else lambda walked: None,
    )
    found = probe_app(request)
    if format_ is ListFormat.JSON:
        _print_json(found.as_dict())
    else:
        print("\n".join(lines(found)))
    raise typer.Exit(ExitCode.CLEAN if found.whole else ExitCode.FAILED)


@simulate.command(name="handset", context_settings=PASS_THROUGH | {"help_option_names": []})
def simulate_handset(context: typer.Context) -> None:
    """A simulated handset: adb, modem on a pty, messaging app, RCS client."""
    from devices.simulated.handset import main as handset_main

    raise typer.Exit(handset_main(context.args))


@simulate.command(name="network-simulator", context_settings=PASS_THROUGH | {"help_option_names": []})
def simulate_network_simulator(context: typer.Context) -> None:
    """A simulated network simulator: the CMW500 dialect over a raw socket and HiSLIP."""
    from instruments.simulated.network_simulator import main as network_simulator_main

    raise typer.Exit(network_simulator_main(context.args))


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()

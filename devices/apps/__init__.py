"""Messaging apps as data: intents and UI ids by app and version."""

from __future__ import annotations

from pathlib import Path

from devices.apps.definition import MessagingAppDefinition, parse_definition
from harness.errors import LabFileError, UsageError

_FOLDER = Path(__file__).parent
__all__ = ["MessagingAppDefinition", "known_apps", "load_app"]


def known_apps() -> tuple[str, ...]:
    """Names of the definitions that come with rcslab."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def load_app(name: str | Path) -> MessagingAppDefinition:
    """A definition by name ("google_messages") or by path of a YAML file.

    Raises UsageError for an unknown name, LabFileError for a file that is wrong.
    """
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        path = _FOLDER / f"{str(name).lower().replace(' ', '_').replace('-', '_')}.yaml"
        if not path.is_file():
            raise UsageError(
                f"messaging app {name!r} is unknown: use {', '.join(known_apps())} or a YAML file"
            )
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LabFileError(path, 0, 0, "", f"cannot be read: {error}") from None
    return parse_definition(text, path)

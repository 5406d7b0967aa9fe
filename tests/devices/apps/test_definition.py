"""App definitions: errors name file, line, column and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices.apps import known_apps, load_app
from devices.apps.definition import Elements, parse_definition
from devices.handset import FileState, TextStatus
from harness.errors import LabFileError, UsageError

TEMPLATE = Path(__file__).parents[3] / "devices/apps/templates/vendor_messages.yaml"
GOOD = """\
app: Some Messages
package: org.example.messages
versions: {minimum: "1"}
intents:
  compose: {action: a, data: "smsto:{number}", body_extra: sms_body}
elements:
  compose_box:
    - {id: box}
  send_button:
    - {id: send}
  message_text:
    - {id: text}
status_words: {sent: [Sent]}
"""


def test_all_definitions_that_come_along_are_good() -> None:
    assert known_apps() == ("google_messages", "samsung_messages")
    assert [load_app(name).package for name in known_apps()] == [
        "com.google.android.apps.messaging",
        "com.samsung.android.messaging",
    ]


def test_a_definition_of_the_lab_is_read_by_path(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(GOOD)
    assert load_app(path).app == "Some Messages"


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("- {id: send}", "- {ID: send}", r"own\.yaml:10:8: elements\.send_button\.0\.ID: Extra inputs"),
        ("smsto:{number}", "smsto:", r"own\.yaml:5:\d+: intents\.compose\.data: .*needs \{number\}"),
        (
            "- {id: box}",
            "- {text: '('}",
            r"own\.yaml:8:\d+: elements\.compose_box\.0\.text: .*no regular expression",
        ),
        ("sent: [Sent]", "gone: [Gone]", r"own\.yaml:13:\d+: status_words\.gone"),
        ("app: Some Messages", "app: [", r"own\.yaml:\d+:\d+: "),
        ("app: Some Messages\n", "", r"app: Field required"),
        ("app: Some Messages", "app: A\napp: B", r"own\.yaml:2:1: .*duplicate key"),
        ("- {id: box}", "- {}", r"own\.yaml:8:\d+: elements\.compose_box\.0: .*at least one"),
    ],
)
def test_errors_name_the_place(old: str, new: str, place: str) -> None:
    with pytest.raises(LabFileError, match=place):
        parse_definition(GOOD.replace(old, new), "own.yaml")


def test_unknown_app_lists_the_known() -> None:
    with pytest.raises(UsageError, match="google_messages, samsung_messages"):
        load_app("telegram")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LabFileError, match="cannot be read"):
        load_app(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("versions", "told"),
    [('{minimum: "5.0"}', "5.0 and later"), ('{minimum: "5.0", before: "9"}', "5.0 and later, before 9")],
)
def test_which_releases_the_ids_are_of(versions: str, told: str) -> None:
    text = GOOD.replace('versions: {minimum: "1"}', f"versions: {versions}")
    assert str(parse_definition(text).versions) == told


@pytest.mark.parametrize(
    ("versions", "version", "holds"),
    [
        ('{minimum: "5.0"}', "messages.android_20241118_00_RC00.phone_dynamic", True),
        ('{minimum: "20250101"}', "messages.android_20241118_00_RC00.phone_dynamic", False),
        ('{minimum: "5.0", before: "20240101"}', "messages.android_20241118_00_RC00.phone_dynamic", False),
        ('{minimum: "5.0", before: "5.10"}', "5.9.078 (Pacific_RC17_xhdpi.phone)", True),
        ('{minimum: "5.10"}', "5.9.078", False),
        ('{minimum: "15.2.00"}', "15.2.00", True),
        ('{minimum: "1"}', "", False),
    ],
)
def test_whether_a_release_is_one_the_ids_are_of(versions: str, version: str, holds: bool) -> None:
    text = GOOD.replace('versions: {minimum: "1"}', f"versions: {versions}")
    assert parse_definition(text).versions.hold(version) is holds


def test_a_range_of_releases_without_a_number_is_refused() -> None:
    with pytest.raises(LabFileError, match=r"versions\.minimum: .*needs a number"):
        parse_definition(GOOD.replace('minimum: "1"', 'minimum: "latest"'))


def test_the_template_is_a_definition_that_shows_everything_there_is() -> None:
    template = load_app(TEMPLATE)
    assert [name for name in Elements.model_fields if not getattr(template.elements, name)] == []
    assert None not in (template.intents.list, template.intents.share, template.intents.join)
    assert set(template.status_words) == set(TextStatus) - {TextStatus.NONE}
    assert set(template.file_words) == set(FileState) - {FileState.UNKNOWN}
    assert "vendor_messages" not in known_apps()

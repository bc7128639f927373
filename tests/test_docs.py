"""What exists is documented: a setting, an architecture or a link that is missing fails here."""

import re
import subprocess
from pathlib import Path

import pytest

from service.catalogue import Catalogue
from service.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
KOREAN = [ROOT / "README.ko.md", *sorted((ROOT / "docs").glob("*.ko.md"))]
GUIDES = [ROOT / "README.md", ROOT / "README.ko.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("setting", sorted(Settings.model_fields))
def test_every_setting_is_in_the_readme(setting: str) -> None:
    assert f"TRAINYARD_{setting.upper()}" in README


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(guide: Path) -> None:
    targets = re.findall(r"\]\((?!http)([^)#]+)", guide.read_text(encoding="utf-8"))
    missing = [target for target in targets if not (guide.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_every_command_of_a_guide_is_one_that_a_shell_can_read(guide: Path) -> None:
    text = guide.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    subprocess.run(["bash", "-n"], input="".join(blocks), text=True, check=True)


@pytest.mark.parametrize("korean", KOREAN, ids=lambda path: path.name)
def test_a_korean_guide_keeps_step_with_the_english_one(korean: Path) -> None:
    english = korean.with_name(korean.name.replace(".ko.md", ".md"))
    assert _outline(korean) == _outline(english)


def test_the_readmes_lead_to_each_other() -> None:
    assert KOREAN[0] == ROOT / "README.ko.md"
    assert "](README.ko.md)" in README.split("##")[0]
    assert "](README.md)" in KOREAN[0].read_text(encoding="utf-8").split("##")[0]


def _outline(guide: Path) -> dict[str, list[str]]:
    """What a translation leaves as it is; its words may stand in another order."""
    text = guide.read_text(encoding="utf-8")
    prose = re.sub(BLOCK, "", text)
    return {
        "code": re.findall(BLOCK, text),
        "levels of the headings": re.findall(r"^#+(?= )", prose, re.MULTILINE),
        "lines that are items or rows": re.findall(r"^(?:- |\|)", prose, re.MULTILINE),
        "settings in tables": re.findall(r"^\|.*?(`TRAINYARD_\w+`)", prose, re.MULTILINE),
        "names": sorted({*re.findall(r"`[^`\n]+`", prose)}),
    }


def test_every_component_has_a_summary_and_defaults() -> None:
    catalogue = Catalogue.installed()
    for kind in ("architecture", "optimizer", "schedule", "task"):
        for info in catalogue.infos(kind):
            assert info.summary
            assert info.defaults

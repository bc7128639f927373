"""What exists is documented: a setting, an architecture or a link that is missing fails here."""

import re
import subprocess
from pathlib import Path

import pytest

from service.catalogue import Catalogue
from service.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


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


def test_a_korean_guide_has_the_code_and_the_tables_of_the_english_one() -> None:
    english = (ROOT / "docs" / "rnn.md").read_text(encoding="utf-8")
    korean = (ROOT / "docs" / "rnn.ko.md").read_text(encoding="utf-8")
    code = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
    assert code.findall(korean) == code.findall(english)
    assert len(re.findall(r"^#+ ", korean, re.MULTILINE)) == len(
        re.findall(r"^#+ ", english, re.MULTILINE)
    )


def test_every_component_has_a_summary_and_defaults() -> None:
    catalogue = Catalogue.installed()
    for kind in ("architecture", "optimizer", "schedule", "task"):
        for info in catalogue.infos(kind):
            assert info.summary
            assert info.defaults

"""What the doctor can find is listed in the guides, so that a program can act on its code."""

import re
from pathlib import Path

import pytest

from service.domain.findings import FINDING_CODES
from service.training import layer_symptoms, symptoms

DOCS = Path(__file__).parents[2] / "docs"
GUIDES = {name: (DOCS / name).read_text(encoding="utf-8") for name in ("doctor.md", "doctor.ko.md")}
THRESHOLDS = {
    "lr_too_large": ("1.5", symptoms.ABOVE_BEGINNING),
    "lr_too_small": ("1/10,000", 1 / symptoms.SMALL_UPDATE),
    "stuck_at_baseline": ("0.97", symptoms.NEAR_BASELINE),
    "exploding_gradients": ("100", layer_symptoms.EXPLODED),
    "vanishing_gradients": ("1/100", 1 / layer_symptoms.VANISHED),
    "still_improving": ("3 %", 100 * symptoms.STILL_FALLS),
}


@pytest.mark.parametrize("guide", GUIDES)
def test_the_guide_has_every_code_in_order_and_no_other(guide: str) -> None:
    found = re.findall(r"^\| `(\w+)` \|", GUIDES[guide], re.MULTILINE)
    assert found == [*FINDING_CODES]


@pytest.mark.parametrize("guide", GUIDES)
@pytest.mark.parametrize("code", THRESHOLDS)
def test_the_guide_names_the_threshold_that_counts(guide: str, code: str) -> None:
    written, threshold = THRESHOLDS[code]
    [row] = re.findall(rf"^\| `{code}` \|.*", GUIDES[guide], re.MULTILINE)
    assert written in row
    number = float(re.sub(r"^1/|,| %", "", written))
    assert number == pytest.approx(threshold)

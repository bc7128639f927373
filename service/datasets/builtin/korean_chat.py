"""11,823 Korean questions and answers for a chat: of everyday life, of a parting, or of love.

The split is fixed: of each label, the tenth of the distinct questions with the smallest SHA-256
validates, where questions that differ in blanks only are one. All copies are on one side, also
those with another label: 81 questions have two.
"""

import gzip
from collections.abc import Mapping
from importlib.resources import files

from service.datasets.base import BuiltIn
from service.domain.datasets import LabelledTextDatasetSpec

_SPEC = LabelledTextDatasetSpec(
    name="korean-chat",
    type="labelled_text",
    text="question",
    label="label",
    split="split",
    encoding="utf-8",
    delimiter=",",
    quoting=True,
    header=True,
    source="Chatbot_data_for_Korean 1.0, Youngsook Song, https://github.com/songys/Chatbot_data",
    licence="MIT",
)


def _files() -> Mapping[str, bytes]:
    folder = files("service.datasets.builtin") / "data" / "korean-chat"
    return {"file": gzip.decompress((folder / "questions-answers.csv.gz").read_bytes())}


BUILT_IN = BuiltIn(spec=_SPEC, files=_files)

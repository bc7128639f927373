"""Uploads of rows: what is wrong with them, and what is odd but taken."""
# ruff: noqa: E501  a table: one case a line
# fmt: off

import json
from typing import Any

from tests.integration.cases.base import Case
from tests.integration.cases.uploads import upload

TABLE = b"size,weight\n" + b"".join(b"%d,%d\n" % (n, 2 * n) for n in range(20))
LABELLED = b"text,label\n" + b"".join(b"text %d,%s\n" % (n, [b"yes", b"no"][n % 2]) for n in range(20))
ROWS = [{"size": n, "weight": 2.5 * n} for n in range(10)]
OPINIONS = [{"text": f"text {n}", "label": ["yes", "no"][n % 2]} for n in range(10)]
DRY = "/v1/datasets?dry_run=true"


def spec(kind: str, **options: Any) -> str:
    """Write the spec of rows."""
    return json.dumps({"name": "{new}", "type": kind, **options})


def table(content: bytes, pointer: str = "/file", status: int = 422, code: str = "invalid_request", **options: Any) -> dict[str, Any]:
    """Make a case of a table that is refused."""
    return upload(spec("table", **options), status, code, pointer, file=content)


def labelled(content: bytes, pointer: str = "/file", **options: Any) -> dict[str, Any]:
    """Make a case of labelled texts that are refused."""
    return upload(spec("labelled_text", **options), 422, "invalid_request", pointer, file=content)


def rows(kind: str, rows: Any, pointer: str, **options: Any) -> dict[str, Any]:
    """Make a case of rows in a body that are refused."""
    body = {"name": "{new}", "type": kind, "rows": rows, **options}
    return {"status": 422, "code": "invalid_request", "pointer": pointer, "path": "/v1/datasets", "body": body}


def taken(kind: str, status: int = 201, path: str = "/v1/datasets", options: Any = None, **files: bytes) -> dict[str, Any]:
    """Make a case of files that are taken in."""
    parts: list[tuple[str, Any]] = [("spec", (None, spec(kind, **(options or {}))))]
    parts += [(role, (role, content)) for role, content in files.items()]
    return {"status": status, "code": None, "path": path, "files": parts}


ROWS_REFUSED = [
    Case("a table with ragged rows", **table(TABLE + b"1\n1,2,3\n")),
    Case("a table with an unclosed quote", **table(TABLE + b'1,"2\n', quoting=True)),
    Case("a table with NUL", **table(TABLE + b"1,\0\n")),
    Case("a table of 10,000 columns", **table(b",".join(b"c%d" % n for n in range(10_000)) + b"\n")),
    Case("a table with two columns of one name", **table(b"a,a\n1,2\n3,4\n", header=True)),
    Case("a table whose columns have no names", **table(b",\n1,2\n3,4\n", header=True)),
    Case("a table without the target", **table(TABLE, "/target", target="wait")),
    Case("a table without the split", **table(TABLE, "/split", split="part")),
    Case("a table with a unit of no column", **table(TABLE, "/units/height", units={"height": "m"})),
    Case("a table with a kind of no column", **table(TABLE, "/kinds/height", kinds={"height": "number"})),
    Case("a table with a kind that is none", **table(TABLE, "/kinds/size", kinds={"size": "integer"})),
    Case("a table with a category of too many values", **table(b"a,b\n" + b"".join(b"%d,%d\n" % (n, n) for n in range(1001)), "/kinds/a", kinds={"a": "category"})),
    Case("a table with a class of 513 letters", **table(b"a,b\n" + b"".join(b"%d,%s\n" % (n, b"yn"[n % 2:][:1] * 513) for n in range(9)), "/target")),
    Case("a table with an infinite value", **table(TABLE + b"inf,2\n")),
    Case("a table with a number too large", **table(TABLE + b"1e999,2\n")),
    Case("a table with a word among numbers", **table(TABLE + b"twelve,2\n")),
    Case("a table whose target is missing everywhere", **table(b"a,b\n1,\n2,NA\n", "/target")),
    Case("a table whose target never varies", **table(b"a,b\n1,7\n2,7\n", "/target")),
    Case("a table of one column", **table(b"a\n1\n2\n")),
    Case("a table without rows", **table(b"a,b\n", header=True)),
    Case("an empty table", **table(b"")),
    Case("a table of blank lines", **table(b"\n\n \n\n")),
    Case("a table all of whose rows are skipped", **table(b"a,b\n1\n2\n", on_error="skip", header=True, delimiter=",")),
    Case("a table that is no UTF-8", **table(TABLE + b"\xff,2\n")),
    Case("a table said to be UTF-16", **table(TABLE[:-1], encoding="utf-16")),
    Case("a table in an unknown encoding", **table(TABLE, "/encoding", encoding="latin-1")),
    Case("a table with an unknown delimiter", **table(TABLE, "/delimiter", delimiter=":")),
    Case("a table that is a picture", **table(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01")),
    Case("a table without its file", **upload(spec("table"), 422, "invalid_request", "/file")),
    Case("a table with images", **upload(spec("table"), 422, "invalid_request", "/images", file=TABLE, images=b"")),
    Case("a table with other rows to validate", **upload(spec("table"), 422, "invalid_request", "/validation_file", file=TABLE, validation_file=b"weight,size\n1,2\n")),
    Case("labelled texts of one class", **labelled(b"text,label\na,x\nb,x\n", header=True)),
    Case("labelled texts without a label", **labelled(LABELLED + b"text,\n")),
    Case("labelled texts without a text", **labelled(LABELLED + b",yes\n")),
    Case("labelled texts with a label of 513 letters", **labelled(LABELLED + b"text," + b"y" * 513 + b"\n", "/label")),
    Case("labelled texts of one column", **labelled(b"text\nsome\nmore\n")),
    Case("labelled texts without the label's column", **labelled(LABELLED, "/label", label="lable")),
    Case("labelled texts without the text's column", **labelled(LABELLED, "/text", text="txt")),
    Case("labelled texts with an unknown split", **labelled(b"text,label,part\na,x,train\nb,y,later\n", split="part", header=True)),
    Case("labelled texts that are a zip", **labelled(b"PK\x03\x04\x14\0\0\0\x08\0")),
    Case("a text whose encoding is another", **upload('{"name": "{new}", "type": "text", "encoding": "cp949"}', 422, "invalid_request", "/file", file=b"a b\nc \xff d\n")),
    Case("a text of one endless line", **upload('{"name": "{new}", "type": "text"}', 422, "invalid_request", "/file", file=b"x" * (34 << 20))),
    Case("rows that are no list", **rows("table", "a,b", "/rows")),
    Case("no rows", **rows("table", [], "/rows")),
    Case("rows of objects and lists", **rows("table", [{"a": 1, "b": 2}, [1, 2]], "/rows/1")),
    Case("rows that are numbers", **rows("table", [1, 2], "/rows/0")),
    Case("rows with lists in cells", **rows("table", [{"a": 1, "b": [2]}], "/rows/0/b")),
    Case("rows with NUL", **rows("labelled_text", [{"text": "a\0", "label": "x"}], "/rows/0/text")),
    Case("rows with a new key each", **rows("table", [{f"k{n}": 1} for n in range(2001)], "/rows/2000")),
    Case("rows of one class", **rows("labelled_text", OPINIONS[::2], "/file")),
    Case("rows of a text", **rows("text", [["a"]], "/rows")),
    Case("rows of other lengths", **rows("table", [[1, 2], [3, 4], [5]], "/file")),
    Case("a dry run that may be", 422, "invalid_request", "/query/dry_run", path="/v1/datasets?dry_run=maybe", files=[("spec", (None, spec("table"))), ("file", ("f", TABLE))]),
]

ROWS_TAKEN = [
    Case("a table", **taken("table", file=TABLE)),
    Case("a table with rows to validate", **taken("table", file=TABLE, validation_file=b"size,weight\n1,3\n")),
    Case("a table with bad rows to skip", **taken("table", options={"on_error": "skip"}, file=TABLE + b"1\n")),
    Case("labelled texts", **taken("labelled_text", file=LABELLED)),
    Case("labelled texts in UTF-16", **taken("labelled_text", file=LABELLED.decode().encode("utf-16"))),
    Case("a text in UTF-16", **taken("text", file="one two\nthree four".encode("utf-16"))),
    Case("a text in CP949", **taken("text", file="나는 밥을 먹는다\n나는 물을 마신다\n".encode("cp949"))),
    Case("rows of a table", 201, None, path="/v1/datasets", body={"name": "{new}", "type": "table", "rows": ROWS}),
    Case("rows as lists", 201, None, path="/v1/datasets", body={"name": "{new}", "type": "table", "rows": [["a", "b"], [1, 2], [3, None], [5, 6.5], [7, 8]]}),
    Case("rows of labelled texts", 201, None, path="/v1/datasets", body={"name": "{new}", "type": "labelled_text", "rows": OPINIONS}),
    Case("a dry run", **taken("table", 200, DRY, file=TABLE)),
    Case("a dry run of what would be refused", **taken("table", 200, DRY, file=TABLE + b"1\n")),
    Case("a dry run of an empty text", **taken("text", 200, DRY, file=b"")),
]

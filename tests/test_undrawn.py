"""Jobs are accepted without torch's compiler: to import it takes longer than all the rest.

But those of a Transformer: it computes where its places are, on the device meta, too.
"""

import subprocess
import sys

OTHERS = """
import sys
from service.catalogue import Catalogue
from service.domain.problems import Invalid
from tests.requests.small import small_data

catalogue, resolved = Catalogue.installed(), set()
types = {info.type for info in catalogue.infos("architecture")} - {"transformer"}
for dataset, data in small_data().items():
    for type_ in types:
        body = {"dataset": dataset, "architecture": type_}
        try:
            catalogue.resolve(catalogue.job_request.model_validate(body), data.facts)
        except Invalid:
            continue
        resolved.add(type_)
assert resolved == types
sys.exit("torch._dynamo" in sys.modules)
"""


def test_no_architecture_is_resolved_with_the_compiler() -> None:
    command = [sys.executable, "-c", OTHERS]
    done = subprocess.run(command, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr

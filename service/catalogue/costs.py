"""What a batch costs a model: counted on shapes alone, without memory (torch's meta device)."""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

import math
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from service.datasets.tokenizers import TOKENS_PER_WORD, TokenizerName
from service.domain.datasets import AnyFacts, LabelledTextFacts, TextFacts
from service.domain.jobs import JobSpec
from service.domain.shapes import Shape

_LONGEST_SEQUENCE = 512  # of models that go word by word: longer ones take long to count, too
_USUAL_SEQUENCE = 64


class Cost(NamedTuple):
    """Of one batch, forward."""

    flops: int
    operations: int
    activation_bytes: int


class _Count(TorchDispatchMode):
    """Counts operations, their floating-point work and the bytes they make; views make none.

    torch's own FlopCounterMode hooks every module of the process, also those predicting elsewhere.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0
        self.operations = 0
        self.made_bytes = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        result = func(*args, **(kwargs or {}))
        self.operations += 1
        if (formula := flop_registry.get(func._overloadpacket)) is not None:  # noqa: SLF001
            self.flops += formula(*args, **(kwargs or {}), out_val=result)
        if isinstance(result, Tensor) and not func.is_view:
            self.made_bytes += result.numel() * result.element_size()
        return result


class _Attention(TorchFunctionMode):
    """Counts attention as the kernels work: the products of all queries and keys are never held.

    On the meta device torch takes the formula apart, with tensors of time × time.
    """

    def __init__(self, count: _Count) -> None:
        super().__init__()
        self._count = count

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        if func is not functional.scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        query, key, value = cast("tuple[Tensor, Tensor, Tensor]", args)
        self._count.flops += 2 * query.numel() * key.shape[-2] + 2 * value.numel() * query.shape[-2]
        return torch.empty_like(query)


def measure(model: nn.Module, shape: Shape, batch_size: int, length: int) -> Cost:
    """Run a model that was built on the meta device forward."""
    count = _Count()
    with torch.device("meta"), torch.no_grad(), count, _Attention(count):
        tokens = torch.zeros(batch_size, length, dtype=torch.long)
        match shape.kind:
            case "images":
                model(torch.empty(batch_size, shape.channels, shape.height, shape.width))
            case "rows":
                model(torch.zeros(batch_size, shape.numbers + len(shape.categories)))
            case "text_classes":
                model(tokens)
            case "text":
                model(tokens, cast("Any", model).initial_state(batch_size))
    return Cost(count.flops, count.operations, count.made_bytes)


def sequence_length(facts: AnyFacts, spec: JobSpec, context: int | None) -> int:
    """Guess how many tokens a row of a batch has; `context`: so many the model sees at once."""
    asked = spec.dataset.options.get("sequence_length")
    longest = asked if isinstance(asked, int) else _USUAL_SEQUENCE
    tokens = _tokens_per_word(spec)
    # A padded batch is as long as its longest line or text: about twice the mean.
    if isinstance(facts, TextFacts) and _sequences(facts, spec) == "lines":
        longest = min(longest, 1 + 2 * math.ceil(tokens * facts.words / max(1, facts.lines)))
    elif isinstance(facts, TextFacts):  # no batch holds more than the whole text
        places = tokens * facts.words + facts.lines
        longest = min(longest, math.ceil(places / spec.training.batch_size))
    if isinstance(facts, LabelledTextFacts):
        longest = min(longest, 1 + 2 * math.ceil(tokens * facts.words / max(1, facts.examples)))
    return max(1, min(longest, context or _LONGEST_SEQUENCE))


def _sequences(facts: TextFacts, spec: JobSpec) -> object:
    return spec.dataset.options.get("sequences") or facts.sequences


def _tokens_per_word(spec: JobSpec) -> float:
    tokenizer = spec.dataset.options.get("tokenizer")
    return TOKENS_PER_WORD.get(cast("TokenizerName", tokenizer), 1.0)

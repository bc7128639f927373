"""Attention of tokens to tokens: softmax(q kᵀ / √D) v (Vaswani et al. 2017), in H heads.

Each head is D = W / H wide. Queries and keys have length √D before they meet (QK-norm, Henry et al.
2020): no product grows until the softmax sees nothing else, whatever the learning rate. Rotary
positions (RoPE, Su et al. 2021) turn the pairs of a query and a key by angles in proportion to
their places, so that their product depends on the distance alone. From the second layer on, values
are mixed with those of the first (value residual, Zhou et al. 2024).
"""

# pyright: reportUnknownMemberType=false
# torch leaves parts of its functions untyped.

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional

from service.architectures.caches import LayerCache, filled
from service.architectures.gradients import rms_norm

_BASE = 10_000.0
"""The slowest pair turns by one radian in about so many places (Su et al. 2021)."""


class Rotary(nn.Module):
    """Turns queries or keys (…, time, H, D) by their places, at most so many; D is even."""

    def __init__(self, places: int, head_width: int) -> None:
        super().__init__()
        speeds = _BASE ** -(torch.arange(0, head_width, 2, dtype=torch.float64) / head_width)
        angles = torch.outer(torch.arange(places, dtype=torch.float64), speeds).unsqueeze(1)
        # (a, b) becomes (a cos - b sin, b cos + a sin); the a are the first half of D, the b the
        # other. Not in checkpoints: they follow from the options.
        cosines, sines = angles.cos().float(), angles.sin().float()
        self.cosines = nn.Buffer(torch.cat([cosines, cosines], dim=-1), persistent=False)
        self.sines = nn.Buffer(torch.cat([-sines, sines], dim=-1), persistent=False)

    def forward(self, values: Tensor, first: int = 0) -> Tensor:
        """Return the values, turned; `first` is the place of the first."""
        last, half = first + values.shape[-3], values.shape[-1] // 2
        exchanged = values.roll(half, dims=-1)
        return torch.addcmul(values * self.cosines[first:last], exchanged, self.sines[first:last])


class Attention(nn.Module):
    """What each token finds among those it sees; of `causal` ones none after itself."""

    def __init__(self, width: int, heads: int, *, causal: bool, first: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.query = _linear(width)
        self.key = _linear(width)
        self.value = _linear(width)
        self.output = _linear(width)
        nn.init.zeros_(self.output.weight)
        self.shares = None if first else nn.Parameter(torch.tensor([0.5, 0.5]))

    def forward(
        self,
        tokens: Tensor,
        *,
        rotary: Rotary | None,
        first_values: Tensor | None,
        exists: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Tokens (batch, time, W) → what they found (batch, time, W), values (batch, time, H, D).

        `first_values` are the values of the first layer; `exists` (batch, time) tells which tokens
        are there to be seen, where that is not all.
        """
        # Queries and keys as twice as many heads: normalised and turned in one go.
        both = functional.linear(tokens, torch.cat([self.query.weight, self.key.weight]))
        query, key = self._queries_and_keys(both, rotary, first=0)
        value = self._values(tokens, first_values)
        found = _attend(query, key, value.transpose(1, 2), exists=exists, causal=self.causal)
        return self.output(found.transpose(1, 2).reshape(tokens.shape)), value

    def read_on(
        self,
        tokens: Tensor,
        before: LayerCache,
        place: int,
        *,
        rotary: Rotary | None,
        first_values: Tensor | None,
    ) -> tuple[Tensor, Tensor, LayerCache]:
        """Do the same for tokens behind the `place` that a cache holds; return what it holds then.

        Nothing is computed anew: neither keys nor values of a token depend on those after it.
        """
        both = torch.cat([self.query(tokens), self.key(tokens)], dim=-1)
        query, key = self._queries_and_keys(both, rotary, first=place)
        value = self._values(tokens, first_values)
        keys = filled(before.keys, place, key)
        values = filled(before.values, place, value.transpose(1, 2))
        time = tokens.shape[1]
        seen = torch.ones(time, place + time, dtype=torch.bool, device=tokens.device).tril_(place)
        found = functional.scaled_dot_product_attention(
            query,
            keys[:, :, : place + time],
            values[:, :, : place + time],
            attn_mask=None if time == 1 else seen,
        )
        found = self.output(found.transpose(1, 2).reshape(tokens.shape))
        return found, value, before._replace(keys=keys, values=values)

    def _queries_and_keys(
        self, both: Tensor, rotary: Rotary | None, *, first: int
    ) -> tuple[Tensor, ...]:
        batch, time, width = both.shape
        both = rms_norm(both.view(batch, time, 2 * self.heads, width // (2 * self.heads)))
        if rotary is not None:
            both = rotary(both, first)
        return torch.split(both.transpose(1, 2), self.heads, dim=1)

    def _values(self, tokens: Tensor, first_values: Tensor | None) -> Tensor:
        value = self.value(tokens).unflatten(-1, (self.heads, -1))
        if self.shares is not None and first_values is not None:
            value = self.shares[0] * value + self.shares[1] * first_values
        return value


def _attend(
    query: Tensor, key: Tensor, value: Tensor, *, exists: Tensor | None, causal: bool
) -> Tensor:
    """Queries, keys, values (batch, H, time, D) → what each query found."""
    kind = query.device.type
    context: AbstractContextManager[object] = nullcontext()
    if kind == "cpu" and torch.is_autocast_enabled(kind):
        # There the kernel for bfloat16 takes ten times as long (measured, torch 2.13).
        context = torch.autocast(kind, enabled=False)
    with context:
        return functional.scaled_dot_product_attention(
            query,
            key,
            value.to(query.dtype),
            attn_mask=None if exists is None else exists[:, None, None],
            is_causal=causal,
        )


def _linear(width: int) -> nn.Linear:
    linear = nn.Linear(width, width, bias=False)
    bound = (3 / width) ** 0.5  # so that vectors keep their length
    nn.init.uniform_(linear.weight, -bound, bound)
    return linear

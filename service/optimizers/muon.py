"""Muon (Jordan 2024) for the matrices of hidden layers, AdamW for everything else.

B ← momentum · B + (1 - momentum) · g is made into the nearest matrix whose singular values are all
about 1 (five Newton-Schulz iterations), so that a step goes equally far in all directions that the
momentum has: θ ← θ · (1 - lr · weight_decay) - lr · √max(1, rows / columns) · O(B).

A parameter is a hidden matrix if two or more of its dimensions are longer than 1, it is no table of
an `nn.Embedding`, and none of its sizes follows from the data: embeddings, first layers (columns,
pixels) and heads (words, classes, outputs) go to AdamW, as do biases and norms. A convolution is
the matrix (outputs, inputs · height · width).
"""

# pyright: reportUnknownMemberType=false
# torch annotates some of its functions only in part.

from collections import defaultdict
from typing import Annotated, Any, Literal, cast

import torch
from pydantic import Field
from torch import Tensor
from torch.optim import AdamW, Optimizer

from service.optimizers.base import OptimizerConfig, OptimizerKind, ParameterGroups
from service.optimizers.options import Betas, Epsilon, LearningRate, Rate, WeightDecay, picked

# Coefficients of a polynomial that lifts small singular values fast (Jordan 2024); it need not
# converge to 1, values between 0.7 and 1.2 do as well.
_A, _B, _C = 3.4445, -4.7750, 2.0315
_ITERATIONS = 5


class MuonConfig(OptimizerConfig, frozen=True):
    """Options of Muon (Jordan 2024), with AdamW for what is no matrix of a hidden layer.

    Hidden matrices: θ ← θ · (1 - lr · weight_decay) - lr · √max(1, rows / columns) · O(B), where
    O(B) is the momentum B with all singular values near 1; a convolution is a matrix of (outputs,
    inputs · height · width). Embeddings, first layers, heads, biases and norms: AdamW.
    """

    type: Literal["muon"] = "muon"
    lr: Annotated[
        LearningRate,
        Field(
            description="Step size of hidden matrices: a step changes singular values by about so "
            "much, whatever the gradient's size. auto: a range test picks it."
        ),
    ] = 0.02
    adamw_lr: Annotated[
        Rate,
        Field(description="Step size of everything else, which AdamW trains."),
    ] = 0.006
    momentum: float = Field(
        default=0.95,
        ge=0,
        lt=1,
        description="How much of the old B is kept; the step looks ahead by it (Nesterov).",
    )
    betas: Betas = (0.9, 0.95)
    eps: Epsilon = 1e-10
    weight_decay: WeightDecay = 0.0

    def slots(self) -> int:
        """Count two numbers for each weight, as AdamW has; Muon itself has one."""
        return 2


class Muon(Optimizer):
    """One optimizer over both: the first group is Muon's, the others are AdamW's."""

    def __init__(self, config: MuonConfig, groups: ParameterGroups) -> None:
        hidden, *others = groups
        self._adamw = AdamW(
            others, lr=config.adamw_lr, betas=config.betas, eps=config.eps, fused=True
        )
        first = {**hidden, "lr": picked(config.lr), "momentum": config.momentum}
        super().__init__([first, *self._adamw.param_groups], {})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Take a step with the gradients that are there; nobody here has a closure."""
        del closure
        group = self.param_groups[0]
        alike: defaultdict[torch.Size, list[Tensor]] = defaultdict(list)
        for parameter in group["params"]:
            if parameter.grad is not None:
                alike[parameter.shape].append(parameter)
        for parameters in alike.values():
            self._step(parameters, group)
        # Loading a state makes new objects, so what AdamW works on is handed to it each time.
        self._adamw.param_groups, self._adamw.state = self.param_groups[1:], self.state
        self._adamw.step()

    def _step(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """Change matrices of one shape, all at once: that takes a seventh to half of the time."""
        updates = orthogonal(torch.stack([self._ahead(each, group) for each in parameters]))
        rows, columns = updates.shape[1:]
        scale = max(1.0, rows / columns) ** 0.5
        for parameter, update in zip(parameters, updates.unbind(), strict=True):
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(update.reshape(parameter.shape), alpha=-group["lr"] * scale)

    def _ahead(self, parameter: Tensor, group: dict[str, Any]) -> Tensor:
        """Move a parameter's momentum; return where it leads next, as a matrix."""
        gradient = cast("Tensor", parameter.grad)
        state = self.state[parameter]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        momentum = state["momentum_buffer"].lerp_(gradient, 1 - group["momentum"])
        return gradient.lerp(momentum, group["momentum"]).flatten(1)


def orthogonal(matrices: Tensor) -> Tensor:
    """Return about U Vᵀ of matrices U S Vᵀ (count, rows, columns).

    Singular values that were not tiny become nearly 1.
    """
    # A step needs no more than bfloat16, and takes half to a third of the time in it; CPUs without
    # AVX-512 have no kernels for it and take many times as long.
    slow = matrices.is_cpu and not torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    x: Tensor = matrices if slow else matrices.bfloat16()
    tall = x.size(1) > x.size(2)
    x = x.mT if tall else x  # the smaller side makes the smaller products
    x = x / cast("Tensor", x.norm(dim=(1, 2), keepdim=True)).clamp(min=1e-7)
    for _ in range(_ITERATIONS):
        gram = x @ x.mT
        polynomial = torch.baddbmm(gram, gram, gram, beta=_B, alpha=_C)
        x = torch.baddbmm(x, polynomial, x, beta=_A)
    return (x.mT if tall else x).to(matrices.dtype)


def build(config: MuonConfig, groups: ParameterGroups) -> Muon:
    """Build Muon over groups of which the first holds the matrices of hidden layers."""
    return Muon(config, groups)


MUON = OptimizerKind(
    config=MuonConfig,
    build=build,
    summary="Muon: steps equally long in all directions, for hidden matrices; AdamW for the rest.",
    hidden_apart=True,
)

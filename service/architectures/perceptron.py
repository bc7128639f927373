"""The perceptron of a Transformer: two matrices for each token, and what stands between them."""

from typing import Literal

from torch import Tensor, nn

from service.architectures.activations import SquaredRelu

Perceptron = Literal["relu2", "gelu", "swiglu"]
_PERCEPTRONS: dict[Perceptron, type[nn.Module]] = {
    "relu2": SquaredRelu,
    "gelu": nn.GELU,
    "swiglu": nn.SiLU,
}


class Mlp(nn.Module):
    """W → hidden → W for each token: ReLU² (So et al. 2021), GELU or SwiGLU (Shazeer 2020)."""

    def __init__(self, kind: Perceptron, width: int) -> None:
        super().__init__()
        self.activation = _PERCEPTRONS[kind]()
        # With its gate SwiGLU has three matrices; two thirds of the hidden units make them equal.
        self.hidden = 4 * width if kind != "swiglu" else (8 * width + 2) // 3
        self.into = nn.Linear(width, self.hidden, bias=False)
        self.gate = nn.Linear(width, self.hidden, bias=False) if kind == "swiglu" else None
        self.out = nn.Linear(self.hidden, width, bias=False)
        for matrix in (self.into, self.gate):
            if matrix is not None:
                nn.init.uniform_(matrix.weight, -((3 / width) ** 0.5), (3 / width) ** 0.5)
        nn.init.zeros_(self.out.weight)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (…, W)."""
        hidden = self.into(tokens)
        if self.gate is not None:
            return self.out(self.activation(self.gate(tokens)) * hidden)
        return self.out(self.activation(hidden))

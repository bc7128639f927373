"""Muon: which parameters are its own, and its step against the formula and torch's own."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# torch.linalg is typed only in part.

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from service.optimizers.base import parameter_groups
from service.optimizers.muon import Muon, MuonConfig, build, orthogonal

HIDDEN = ("1.weight", "2.weight", "3.weight", "3.bias")


def a_model() -> nn.Sequential:
    """Layers of which 1 to 3 are hidden; 4 has one column."""
    return nn.Sequential(
        nn.Embedding(9, 8), nn.Conv2d(4, 6, 3), nn.Linear(8, 16), nn.Linear(16, 8), nn.Linear(1, 3)
    )


def an_optimizer(model: nn.Module, *, hidden: tuple[str, ...], **options: float) -> Muon:
    config = MuonConfig.model_validate(options)
    groups = parameter_groups(model, weight_decay=config.weight_decay, hidden=hidden)
    return build(config, groups)


def give_gradients(model: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def test_hidden_matrices_are_the_first_group_and_tables_are_no_matrices() -> None:
    model = a_model()
    names = {id(parameter): name for name, parameter in model.named_parameters()}

    groups = parameter_groups(model, weight_decay=0.1, hidden={*HIDDEN, "0.weight", "4.weight"})

    named = [[names[id(each)] for each in group["params"]] for group in groups]
    assert named[0] == ["1.weight", "2.weight", "3.weight"]
    assert named[1] == ["0.weight", "4.weight"]
    assert named[2] == ["1.bias", "2.bias", "3.bias", "4.bias"]
    assert [group["weight_decay"] for group in groups] == [0.1, 0.1, 0.0]


@pytest.mark.parametrize("shape", [(8, 24), (24, 8), (16, 16)])
def by_singular_values(matrix: Tensor) -> Tensor:
    """Apply the five polynomials to the singular values themselves, in float64."""
    u, values, vt = torch.linalg.svd(matrix.double(), full_matrices=False)
    values = values / matrix.double().norm()
    for _ in range(5):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    return (u * values @ vt).float()


@pytest.mark.parametrize("shape", [(8, 24), (24, 8), (16, 16)])
def test_newton_schulz_lifts_singular_values_to_nearly_one(shape: tuple[int, int]) -> None:
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))

    made = orthogonal(matrices)

    expected = torch.stack([by_singular_values(each) for each in matrices])
    torch.testing.assert_close(made, expected, rtol=0, atol=0.05)  # bfloat16 has three digits
    values: Tensor = torch.linalg.svdvals(made)
    assert ((values > 0.6) & (values < 1.25)).all()


def test_two_steps_are_what_the_formula_says() -> None:
    model = nn.Linear(24, 8, bias=False)
    weight, momentum = model.weight.detach().clone(), torch.zeros(8, 24)
    optimizer = an_optimizer(model, hidden=("weight",), lr=0.1, momentum=0.9, weight_decay=0.5)
    for seed in (1, 2):
        give_gradients(model, seed)
        optimizer.step()
        gradient = torch.randn(8, 24, generator=torch.Generator().manual_seed(seed))
        momentum = 0.9 * momentum + 0.1 * gradient
        ahead = by_singular_values(0.1 * gradient + 0.9 * momentum)
        weight = weight * (1 - 0.1 * 0.5) - 0.1 * ahead  # a wide matrix has no further factor

    torch.testing.assert_close(model.weight.detach(), weight, rtol=0, atol=2 * 0.1 * 0.05)


def test_a_tall_matrix_steps_further_by_the_root_of_its_sides() -> None:
    model = nn.Linear(8, 32, bias=False)
    before = model.weight.detach().clone()
    give_gradients(model, 0)

    an_optimizer(model, hidden=("weight",), lr=0.1).step()

    moved: Tensor = torch.linalg.svdvals(before - model.weight.detach())
    assert moved.mean().item() == pytest.approx(0.1 * (32 / 8) ** 0.5, rel=0.15)


def test_the_steps_are_those_of_torchs_muon_and_adamw() -> None:
    ours, theirs = a_model(), a_model()
    theirs.load_state_dict(ours.state_dict())
    hidden = ("2.weight", "3.weight")
    matrices = [theirs.get_parameter(name) for name in hidden]
    rest = [p for name, p in theirs.named_parameters() if name not in hidden]
    optimizers = [
        torch.optim.Muon(matrices, lr=0.02, weight_decay=0.0),
        torch.optim.AdamW(rest, lr=0.006, betas=(0.9, 0.95), eps=1e-10, weight_decay=0.0),
    ]
    both = an_optimizer(ours, hidden=hidden)

    for seed in range(4):
        for model in (ours, theirs):
            give_gradients(model, seed)
        both.step()
        for optimizer in optimizers:
            optimizer.step()

    for name, parameter in ours.named_parameters():
        # On CPUs without kernels for bfloat16 ours computes in float32.
        other = theirs.get_parameter(name)
        torch.testing.assert_close(parameter, other, rtol=1e-3, atol=2e-3)


def test_a_convolution_is_a_matrix_of_its_outputs() -> None:
    model = nn.Conv2d(4, 6, 3, bias=False)
    flat = nn.Linear(36, 6, bias=False)
    flat.weight.data = model.weight.detach().flatten(1).clone()
    for each in (model, flat):
        give_gradients(each, 0)
        an_optimizer(each, hidden=("weight",)).step()

    assert torch.equal(model.weight.flatten(1), flat.weight)


def test_a_loaded_state_goes_on_with_the_same_bits() -> None:
    def run(model: nn.Module, optimizer: Muon, seeds: range) -> list[Tensor]:
        for seed in seeds:
            give_gradients(model, seed)
            optimizer.step()
        return [parameter.detach() for parameter in model.parameters()]

    whole, part, rest = (a_model() for _ in range(3))
    part.load_state_dict(whole.state_dict())
    expected = run(whole, an_optimizer(whole, hidden=HIDDEN), range(4))
    first, second = (an_optimizer(each, hidden=HIDDEN) for each in (part, rest))
    run(part, first, range(2))
    rest.load_state_dict(part.state_dict())
    second.load_state_dict(first.state_dict())

    for ours, theirs in zip(run(rest, second, range(2, 4)), expected, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", ["lr", "adamw_lr", "eps"])
def test_options_out_of_bounds_are_refused(name: str) -> None:
    for value in (0, -1, "0.1", float("inf")):
        with pytest.raises(ValidationError):
            MuonConfig.model_validate({name: value})

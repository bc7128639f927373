"""The Transformer against its parts written out, what it may see, and what it carries."""

# torch leaves parts of these methods untyped.
# pyright: reportUnknownMemberType=false

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from service.architectures.attention import Attention, Rotary
from service.architectures.gradients import rms_norm, squared_relu
from service.architectures.transformer import Decoder, Encoder, TransformerConfig, build
from service.domain.problems import Invalid
from service.domain.shapes import END_OF_TEXT, TextClassShape, TextShape

WORDS = TextShape(vocabulary_size=7)
CLASSES = TextClassShape(vocabulary_size=7, classes=3)
OPTIONS: list[dict[str, Any]] = [
    {},
    {"positions": "learned", "norm": "layer", "mlp": "gelu"},
    {"mlp": "swiglu", "layers": 1, "heads": 1},
]


def a_config(**options: Any) -> TransformerConfig:
    small = {"layers": 2, "heads": 2, "width": 8, "context": 6}
    return TransformerConfig.model_validate({**small, **options})


def randomised(model: nn.Module) -> nn.Module:
    """Give weights to what begins as zero, too: it would hide what lies behind it."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    return model.double().eval()


def a_decoder(**options: Any) -> Decoder:
    model = randomised(build(a_config(**options), WORDS))
    assert isinstance(model, Decoder)
    return model


def tokens(batch: int, time: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(7, (batch, time), generator=generator)


def logits_of(model: Decoder, words: Tensor) -> Tensor:
    return model(words, model.initial_state(len(words)))[0]


def an_attention(*, causal: bool) -> Attention:
    attention = randomised(Attention(8, 2, causal=causal, first=False))
    assert isinstance(attention, Attention)
    return attention


def test_attention_is_the_softmax_written_out() -> None:
    attention, rotary = an_attention(causal=True), Rotary(5, 4).double()
    x, first = torch.randn(2, 5, 8).double(), torch.randn(2, 5, 2, 4).double()
    found, _ = attention(x, rotary=rotary, first_values=first, exists=None)

    assert attention.shares is not None
    a, b = attention.shares
    heads: list[Tensor] = []
    for head in range(2):
        part = slice(4 * head, 4 * head + 4)
        q, k, v = (x @ m.weight.t() for m in (attention.query, attention.key, attention.value))
        q, k = (
            2 * functional.normalize(each[..., part], dim=-1) for each in (q, k)
        )  # of length √4
        q, k = (rotary(each.unsqueeze(2)).squeeze(2) for each in (q, k))
        scores = q @ k.mT / 2
        scores = scores.masked_fill(torch.ones(5, 5).triu(1).bool(), -torch.inf)
        shares = scores.exp() / scores.exp().sum(dim=-1, keepdim=True)
        heads.append(shares @ (a * v[..., part] + b * first[:, :, head]))
    torch.testing.assert_close(found, torch.cat(heads, dim=-1) @ attention.output.weight.t())


@pytest.mark.parametrize("causal", [True, False])
def test_attention_is_that_of_torch(*, causal: bool) -> None:
    attention = an_attention(causal=causal)
    x = torch.randn(2, 5, 8).double()
    exists = None if causal else torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    found, values = attention(x, rotary=None, first_values=None, exists=exists)

    q, k = (
        rms_norm(m(x).view(2, 5, 2, 4)).transpose(1, 2) for m in (attention.query, attention.key)
    )
    mask = None if exists is None else exists[:, None, None].expand(2, 1, 5, 5)
    seen = functional.scaled_dot_product_attention(
        q, k, values.transpose(1, 2), attn_mask=mask, is_causal=causal
    )
    torch.testing.assert_close(found, attention.output(seen.transpose(1, 2).flatten(2)))


def test_rotary_products_depend_on_the_distance_alone() -> None:
    rotary = Rotary(9, 4).double()
    query, key = (torch.randn(4).double().expand(1, 9, 1, 4) for _ in range(2))

    products = rotary(query).squeeze() @ rotary(key).squeeze().t()

    for distance in range(-8, 9):
        along = products.diagonal(distance)
        torch.testing.assert_close(along, along[:1].expand_as(along))
    assert not torch.allclose(products[0, 0], products[0, 1])
    torch.testing.assert_close(rotary(query).norm(dim=-1), query.norm(dim=-1))


@pytest.mark.parametrize("function", [rms_norm, squared_relu])
def test_gradients_written_out_are_those_of_finite_differences(function: Any) -> None:
    values = torch.randn(3, 4).double()
    values[1] *= 1e-4  # too short for a norm
    assert torch.autograd.gradcheck(function, (values.requires_grad_(),))


def test_a_deep_stack_of_norms_keeps_the_gradient_of_nothing_finite() -> None:
    """Dropout may leave out all of a narrow vector, in a deep network at every norm."""
    values = torch.zeros(2, 4, requires_grad=True)

    x = values
    for _ in range(12):
        x = rms_norm(x) * 0.02
    x.sum().backward()

    assert values.grad is not None
    assert values.grad.norm() < 1e12


def test_the_functions_written_out_are_those_of_torch() -> None:
    values = torch.randn(3, 4)
    torch.testing.assert_close(rms_norm(values), functional.rms_norm(values, (4,)))
    torch.testing.assert_close(squared_relu(values), functional.relu(values) ** 2)
    assert rms_norm(torch.zeros(2, 4)).isfinite().all()


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        *((shape, options) for shape in (WORDS, CLASSES) for options in OPTIONS),
        (WORDS, {"tied_embeddings": True}),
    ],
)
def test_the_gradients_are_those_of_finite_differences(
    shape: TextShape | TextClassShape, options: dict[str, Any]
) -> None:
    model = randomised(build(a_config(width=4, **options), shape))
    names = [name for name, _ in model.named_parameters()]
    words = tokens(2, 4)
    arguments = (words, model.initial_state(2)) if isinstance(model, Decoder) else (words,)

    def logits(*values: Tensor) -> Tensor:
        parameters = dict(zip(names, values, strict=True))
        found: Any = torch.func.functional_call(model, parameters, arguments)
        return found[0] if shape is WORDS else found

    assert torch.autograd.gradcheck(logits, tuple(model.parameters()))


@pytest.mark.parametrize("options", OPTIONS)
def test_a_later_word_changes_no_earlier_logit(options: dict[str, Any]) -> None:
    model = a_decoder(**options)
    words = tokens(1, 6)
    before = logits_of(model, words)

    for place in range(6):
        other = words.clone()
        other[0, place] = (other[0, place] + 1) % 7
        after = logits_of(model, other)
        assert torch.equal(after[:, :place], before[:, :place])
        assert not torch.allclose(after[:, place], before[:, place])


@pytest.mark.parametrize("context", [1, 2, 5, 6, 30])
@pytest.mark.parametrize("positions", ["rotary", "learned"])
def test_a_text_in_pieces_has_the_logits_of_the_whole(positions: str, context: int) -> None:
    model = a_decoder(positions=positions, context=context)
    words = tokens(3, 23)
    whole, last = model(words, model.initial_state(3))

    for sizes in ([1] * 23, [5, 6, 12], [8, 8, 7], [22, 1]):
        state, found = model.initial_state(3), list[Tensor]()
        for piece in torch.split(words, sizes, dim=1):
            logits, state = model(piece, state)
            found.append(logits)
        torch.testing.assert_close(torch.cat(found, dim=1), whole)
        assert torch.equal(state, last)


@pytest.mark.parametrize(("place", "begins"), [(5, 0), (6, 3), (8, 3), (9, 6), (19, 15)])
def test_of_a_long_text_the_older_half_is_let_go_when_the_context_is_full(
    place: int, begins: int
) -> None:
    model = a_decoder(context=6)
    words = tokens(1, 20)

    seen = logits_of(model, words[:, begins : place + 1])

    torch.testing.assert_close(logits_of(model, words)[:, place], seen[:, -1])


@pytest.mark.parametrize("options", OPTIONS)
def test_what_fills_a_text_up_does_not_change_its_class(options: dict[str, Any]) -> None:
    model = randomised(build(a_config(**options), CLASSES))
    assert isinstance(model, Encoder)
    text = torch.tensor([[2, 3, 4, END_OF_TEXT]])

    alone = model(text)

    longer = torch.tensor([[2, 3, 4] + [END_OF_TEXT] * 4, [5, 6, 5, 6, 5, 6, END_OF_TEXT]])
    torch.testing.assert_close(model(longer)[:1], alone)
    assert not torch.allclose(model(text.flip(1)), alone)
    assert model(torch.tensor([[END_OF_TEXT] * 3])).isfinite().all()


def test_the_untrained_network_is_its_embedding_however_deep() -> None:
    torch.manual_seed(0)
    deep = build(a_config(layers=5), WORDS)
    assert isinstance(deep, Decoder)
    words = tokens(1, 6)

    hidden, _ = deep.hidden(words, deep.initial_state(1))

    torch.testing.assert_close(hidden, rms_norm(deep.trunk.embedding(words)))


def test_tied_embeddings_are_counted_once() -> None:
    tied, apart = (build(a_config(tied_embeddings=tied), WORDS) for tied in (True, False))

    counts = [sum(each.numel() for each in model.parameters()) for model in (tied, apart)]
    assert counts[1] - counts[0] == 7 * 8
    assert len(tied.state_dict()) == len(apart.state_dict()) - 1


def test_the_last_layer_is_offered_apart() -> None:
    for options in OPTIONS:
        model = a_decoder(**options)
        hidden, _ = model.hidden(tokens(2, 5), model.initial_state(2))
        logits = hidden @ model.output().matrix.t()
        torch.testing.assert_close(logits, logits_of(model, tokens(2, 5)))


def test_dropout_acts_in_training_only() -> None:
    model = a_decoder(dropout=0.5)
    assert torch.equal(logits_of(model, tokens(1, 5)), logits_of(model, tokens(1, 5)))
    model.train()
    assert not torch.equal(logits_of(model, tokens(1, 5)), logits_of(model, tokens(1, 5)))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"width": 10, "heads": 4}, "no multiple of 4"),
        ({"width": 10, "heads": 4, "positions": "learned"}, "multiple of 4 for"),
        ({"width": 6, "heads": 2}, "turn pairs"),
        ({"width": 3, "heads": 1}, "turn pairs"),
    ],
)
def test_heads_that_do_not_fit_are_refused_with_their_pointers(
    options: dict[str, Any], says: str
) -> None:
    with pytest.raises(Invalid) as caught:
        build(a_config(**options), WORDS)

    pointers = {error.pointer for error in caught.value.errors}
    assert pointers == {"/architecture/width", "/architecture/heads"}
    assert any(says in error.detail for error in caught.value.errors)
    build(a_config(width=6, heads=2, positions="learned"), WORDS)

"""A weighted sum of losses named in a mapping, each term reported by itself."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from embedseg.losses._module import check_keywords, keywords
from embedseg.losses._pixels import ClassWeight
from embedseg.names import unknown

Options = Mapping[str, Mapping[str, Any]]
INPUTS = ("distance", "border_distance", "predicted_distance", "instances", "image")
COMPUTED = (*INPUTS, "ignore_index", "reduction", "teacher", "valid")  # never options


def combined_loss(
    logits: Tensor,
    target: Tensor,
    spec: Mapping[str, float],
    *,
    ignore_index: int = -1,
    weight: ClassWeight = None,
    per_image: bool = False,
    options: Options | None = None,
    inputs: Mapping[str, Tensor] | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return sum_i spec[name_i] * loss_i and the value of each loss_i, detached and unweighted.

    `spec` maps names of `embedseg.losses.LOSSES` to factors: `{"bce": 1, "dice": 1}`.
    `options` gives a loss keywords of its own: `{"tversky": {"alpha": 0.3, "beta": 0.7}}`; they
    come before `ignore_index`, `weight` and `per_image`, which all losses share.
    `inputs` are tensors that some losses read beside the target (`INPUTS`); each goes to the
    losses that have a keyword of that name.

    Raises ValueError on an empty `spec`, an unknown loss or option (with a suggestion), options
    of a loss that is not in `spec`, or a value that is not a number.
    """
    check_spec(spec, options or {})
    shared = {"ignore_index": ignore_index, "weight": weight, "per_image": per_image}
    total = logits.sum() * 0
    terms: dict[str, Tensor] = {}
    for name, factor in spec.items():
        function = _losses()[name]
        extra = {k: v for k, v in (inputs or {}).items() if k in keywords(function)}
        own = (options or {}).get(name, {})
        value = function(logits, target, **{**shared, **extra, **own})
        total = total + factor * value
        terms[name] = value.detach()
    return total, terms


def check_spec(spec: Mapping[str, float], options: Options) -> None:
    """Raise ValueError if `spec` or `options` name what does not exist."""
    if not spec:
        raise ValueError("the loss is empty; name at least one, such as {'cross_entropy': 1}")
    for name, factor in spec.items():
        if name not in _losses():
            raise unknown("loss", name, _losses())
        check_factor(name, factor)
    for name, own in options.items():
        if name not in spec:
            raise unknown("loss with options", name, spec)
        check_options(name, _losses()[name], own)


def check_factor(name: str, factor: object) -> None:
    """Raise ValueError unless the factor of a loss is a number."""
    if isinstance(factor, bool) or not isinstance(factor, int | float) or factor != factor:
        raise ValueError(f"the factor of loss {name!r} must be a number, got {factor!r}")


def check_options(name: str, function: Callable[..., Any], own: Mapping[str, Any]) -> None:
    """Raise ValueError if `own` holds no option of a loss, or one that its caller gives."""
    check_keywords(f"loss {name!r}", function, own)
    for key in own:
        if key in COMPUTED:
            raise ValueError(
                f"leave out {key!r} of loss {name!r}: "
                + ("a sum is made of means" if key == "reduction" else "it follows from the data")
            )


def _losses() -> Mapping[str, Any]:
    from embedseg.losses import LOSSES  # the registry imports this file

    return LOSSES


class WeightedSum(nn.Module):
    """`combined_loss` as a module: its spec is checked when it is built.

    `spec` is a plain dict that a schedule may replace between epochs.
    """

    def __init__(
        self,
        spec: Mapping[str, float],
        *,
        ignore_index: int = -1,
        weight: ClassWeight = None,
        per_image: bool = False,
        options: Options | None = None,
    ) -> None:
        super().__init__()
        check_spec(spec, options or {})
        self.spec = dict(spec)
        self.ignore_index = ignore_index
        self.weight = weight
        self.per_image = per_image
        self.options = {name: dict(own) for name, own in (options or {}).items()}

    def forward(
        self, logits: Tensor, target: Tensor, inputs: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the total and the terms by name."""
        return combined_loss(
            logits,
            target,
            self.spec,
            ignore_index=self.ignore_index,
            weight=self.weight,
            per_image=self.per_image,
            options=self.options,
            inputs=inputs,
        )

    def extra_repr(self) -> str:
        """Return the spec for printing."""
        return f"{self.spec}"

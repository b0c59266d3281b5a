"""The thin module of a loss function: it stores keywords and forwards."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from torch import Tensor, nn

from embedseg.names import unknown


class LossModule(nn.Module):
    """A loss function with its keywords stored.

    A subclass names its `function`; the constructor takes that function's keywords and refuses
    any other. Tensors among them (class weights) are buffers, so `.to(device)` moves them.
    `forward` takes the function's positional arguments, and keywords for this call alone.
    """

    function: ClassVar[Callable[..., Any]]

    def __init__(self, **options: Any) -> None:
        super().__init__()
        check_keywords(type(self).__name__, type(self).function, options)
        self.options = {k: v for k, v in options.items() if not isinstance(v, Tensor)}
        self.tensors = [k for k, v in options.items() if isinstance(v, Tensor)]
        for name in self.tensors:
            self.register_buffer(name, options[name], persistent=False)

    def __init_subclass__(cls) -> None:
        """Show the keywords of the function as those of the constructor."""
        cls.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            list(keywords(cls.function).values())
        )

    def forward(self, *inputs: Tensor, **extra: Any) -> Any:
        """Return the loss of `inputs`."""
        tensors = {name: getattr(self, name) for name in self.tensors}
        return type(self).function(*inputs, **{**self.options, **tensors, **extra})

    def extra_repr(self) -> str:
        """Return the stored keywords for printing."""
        return ", ".join(f"{name}={value!r}" for name, value in self.options.items())


def keywords(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the keyword-only parameters of `function`."""
    parameters = inspect.signature(function).parameters
    return {k: p for k, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}


def check_keywords(owner: str, function: Callable[..., Any], names: Iterable[str]) -> None:
    """Raise ValueError if a name is not a keyword of `function`, suggesting the nearest."""
    known = keywords(function)
    for name in names:
        if name not in known:
            raise unknown(f"option of {owner}", name, known)

"""Weights to start from: a run's, or a state dict of torchvision, timm or anybody's network.

Only tensors are read, never code. The names of the file are tried within every part of the network
(`backbone.encoder.` for a ResNet's) and the place where most of them fit, by name and shape, is
taken. A first convolution that saw RGB is widened to the image's channels and the coordinates.
"""

import json
import logging
import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from embedseg.io import InputError
from embedseg.model import find_weights, read_weights
from embedseg.models import EmbeddingNet
from embedseg.models.spatial import SIDE

logger = logging.getLogger(__name__)

State = dict[str, Tensor]
INNER = ("state_dict", "model_state_dict", "model_state", "model", "network", "net")  # of a .pth
WRAPPERS = ("module.", "_orig_mod.")  # that torch puts before every name
# what torch.load raises for files of another kind
BROKEN = (RuntimeError, EOFError, LookupError, ValueError, TypeError, AttributeError, OSError)
RGB = 3
SHOWN = 6  # names in a list of the report


@dataclass(frozen=True)
class Match:
    """What of a file fits: values by the network's names; names and shapes of what does not."""

    place: str
    taken: State
    widened: str
    reshaped: list[str]
    unused: list[str]


def initialise(network: EmbeddingNet, source: str) -> None:
    """Load the weights of a run folder or file that fit `network`; log what did and did not.

    Raises InputError where the file cannot be read or nothing in it fits.
    """
    file = find_weights(Path(source))
    state = read_state(file)
    match = best_match(network, state)
    own = network.state_dict()
    if not match.taken:
        raise InputError(
            f"{source}: none of its {len(state)} weights ({listed(state)}) fits this network; "
            f"name weights of its kind, which has {listed(own)}, or start from random ones: "
            "--network.init ''"
        )
    refuse_misfit(source, file, match, len(state))
    network.load_state_dict(match.taken, strict=False)
    logger.info("%s", report(source, match, len(state), len(own)))


def warn_of_unit(source: str, unit: float) -> None:
    """Warn where weights point to places in another unit than `unit` pixels; see `ModelSpec`."""
    try:
        theirs = read_weights(find_weights(Path(source)))[0].place_unit
    except InputError:
        return
    if unit and theirs and unit != theirs:
        logger.warning(
            "%s: was trained on pictures of %g pixels, and points to places in a unit that follows "
            "from it; here these are %g, so that all it points to is %.3g times as far until "
            "training has changed that: set augment.size as it was", source, theirs * SIDE,
            unit * SIDE, unit / theirs,
        )  # fmt: skip


def refuse_misfit(source: str, file: Path, match: Match, given: int) -> None:
    """Refuse weights of this package of which most belong to a network of another form.

    Of another program's weights some parts are often of no use; a model of this package that fits
    by less than half is meant for other options. Raises InputError, which names them.
    """
    if file.suffix != ".safetensors" or 2 * len(match.taken) >= given:
        return
    try:
        spec = read_weights(file)[0]
    except InputError:
        return
    raise InputError(
        f"{source}: only {len(match.taken)} of its {given} weights fit this network; it is a "
        f"{spec.backbone} with --network.options '{json.dumps(dict(spec.options))}' and an "
        f"embedding of {spec.embedding_dim}. Name these (the presets do for shipped models), or "
        "start from random weights: --network.init ''"
    )


def read_state(file: Path) -> State:
    """Return the tensors of a .safetensors file or of what torch.save wrote, by name.

    A checkpoint that holds its state dict under a usual key is opened; wrappers' prefixes go.
    """
    try:
        if file.suffix == ".safetensors":
            content: object = load_file(file)
        else:
            content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{file}: holds more than tensors, which is not opened for safety; save its "
            "state_dict() alone"
        ) from error
    except (SafetensorError, *BROKEN) as error:
        raise InputError(
            f"{file}: not a readable file of weights ({str(error).splitlines()[0]}); name a run's "
            "folder, a shipped model, or a .safetensors or .pth file that is whole"
        ) from error
    state = tensors_of(content)
    if not state:
        raise InputError(f"{file}: holds no state dict; save one with torch.save(m.state_dict())")
    return state


def tensors_of(content: object) -> State:
    """Return the tensors of a checkpoint by name, without the prefixes of wrappers."""
    for key in INNER:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    pairs = content.items() if isinstance(content, Mapping) else ()
    state = {str(name): value for name, value in pairs if isinstance(value, Tensor)}
    for wrapper in WRAPPERS:
        if all(name.startswith(wrapper) for name in state):
            state = {name.removeprefix(wrapper): value for name, value in state.items()}
    return state


def best_match(network: EmbeddingNet, state: State) -> Match:
    """Return the match at the place where most weights fit; the outermost of equals."""
    own = network.state_dict()
    places = {""} | {name.rpartition(".")[0] + "." for name in own if "." in name}
    places |= {place[: k + 1] for place in places for k, c in enumerate(place) if c == "."}
    ours = sorted(places, key=lambda p: (p.count("."), p))
    theirs = sorted({""} | {name.partition(".")[0] + "." for name in state if "." in name})
    pairs = [(p, cut) for cut in theirs for p in ours]
    place, cut = max(pairs, key=lambda pair: fitting(own, state, *pair))
    return match_at(network, state, place, cut)


def fitting(own: State, state: State, place: str, cut: str) -> int:
    """Return how many weights fit at `place` once `cut` is taken from their names."""
    named = ((place + k.removeprefix(cut), v) for k, v in state.items() if k.startswith(cut))
    return sum(name in own and own[name].shape == value.shape for name, value in named)


def match_at(network: EmbeddingNet, state: State, place: str, cut: str) -> Match:
    """Return what fits at `place`, with the first convolution widened where it saw RGB."""
    own = network.state_dict()
    found = Match(place, {}, "", [], [])
    for key, value in state.items():
        name = place + key.removeprefix(cut) if key.startswith(cut) else ""
        if name not in own:
            found.unused.append(key)
        elif own[name].shape == value.shape:
            found.taken[name] = value
        elif reads_image(network, own[name], value):
            found.taken[name] = widen(value, own[name].shape[1], network.in_channels)
            found = Match(place, found.taken, key, found.reshaped, found.unused)
        else:
            shapes = f"{tuple(value.shape)} for {tuple(own[name].shape)}"
            found.reshaped.append(f"{key} {shapes}")
    return found


def reads_image(network: EmbeddingNet, ours: Tensor, theirs: Tensor) -> bool:
    """Tell whether both are kernels over the input, theirs over RGB and ours over more or less."""
    return (
        theirs.ndim == ours.ndim >= 4
        and theirs.shape[1] == RGB
        and ours.shape[1] == network.backbone.in_channels
        and theirs.shape[:1] + theirs.shape[2:] == ours.shape[:1] + ours.shape[2:]
    )


def widen(kernel: Tensor, total: int, image: int) -> Tensor:
    """Return (O, total, ...) from a kernel (O, 3, ...) over RGB; coordinates start with zeros.

    An image of another number of channels shares the sum over the colours among them.
    """
    wide = kernel.new_zeros(kernel.shape[0], total, *kernel.shape[2:])
    wide[:, :image] = kernel if image == RGB else kernel.sum(1, keepdim=True) / image
    return wide


def report(source: str, match: Match, given: int, own: int) -> str:
    """Return what was taken, and what not and why, in a few sentences."""
    where = f" as {match.place.rstrip('.')}" if match.place else ""
    lines = [f"{len(match.taken)} of {own} weights taken from {source} (of its {given}){where}"]
    if match.widened:
        lines.append(f"first convolution widened for coordinates: {match.widened}")
    if match.reshaped:
        lines.append(f"of another shape, left random: {listed(match.reshaped)}")
    if match.unused:
        lines.append(f"of no use here: {listed(match.unused)}")
    return "; ".join(lines)


def listed(names: Iterable[str]) -> str:
    """Return the first few names, and how many follow."""
    every = list(names)
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + more

"""A trained model: the network with what inference needs, in one file, a run folder or shipped."""

import json
from collections.abc import Callable, Mapping
from inspect import signature
from pathlib import Path
from typing import Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from embedseg.device import Amp, autocast, channels_last, choose_amp, choose_device
from embedseg.inference.engines import EngineNetwork
from embedseg.inference.folding import fold_norms
from embedseg.inference.joint import Member
from embedseg.inference.normalise import normalise
from embedseg.inference.segmenter import Segmenter
from embedseg.inference.spec import ModelSpec
from embedseg.io import InputError, atomic_path
from embedseg.models import EmbeddingNet, build_network, find_builder
from embedseg.names import unknown
from embedseg.weights import shipped

KEY = "embedseg"  # of the description among the file's metadata
HNET = "numbers.2.weight"  # a tensor of `embedseg.lanes.hnet`, whose files have no description


class Model(Segmenter):
    """A network on a device with its `ModelSpec`; callable on a uint8 image batch.

    `model(batch (B, 3, H, W) uint8)` returns float32 `{"embedding", "semantic"}`, the way
    `embedseg.inference.segment` wants its model.
    """

    def __init__(
        self,
        network: EmbeddingNet,
        spec: ModelSpec,
        *,
        device: str = "cpu",
        amp: Amp = "off",
        name: str = "",
    ) -> None:
        self.device, self.device_reason = choose_device(device)
        self.amp = choose_amp(amp, self.device)
        self.spec, self.name = spec, name
        self.network = channels_last(network.to(self.device)).eval()
        self.compute: Callable[[torch.Tensor], Mapping[str, torch.Tensor]] = self.network

    def use_engine(self, engine: str) -> None:
        """Let `engine` (of `embedseg.inference.engines.ENGINES`) compute the network from now on.

        Raises ValueError for an engine that is not here, or not for this device and precision.
        """
        if self.device.type != "cpu" or self.amp != "off":
            raise ValueError(
                f"engine {engine!r} computes in float32 on a processor, not in {self.amp} on "
                f"{self.device}; add --device cpu --amp off, or leave --engine out"
            )
        self.compute = EngineNetwork(self.network, engine)

    @property
    def prepared(self) -> bool:
        """Whether an engine prepares the network anew for another number of threads."""
        return isinstance(self.compute, EngineNetwork)

    @torch.inference_mode()
    def __call__(self, batch: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the outputs for a uint8 batch (B, C, H, W), in float32; ValueError for another."""
        if not isinstance(batch, torch.Tensor) or batch.dtype != torch.uint8 or batch.ndim != 4:
            kind = f"{batch.dtype} of shape {tuple(batch.shape)}" if hasattr(batch, "shape") else ""
            raise ValueError(
                f"a batch is a uint8 tensor (B, 3, H, W) of 0 to 255, got {type(batch).__name__} "
                f"{kind}; use segment for one picture (H, W, 3)"
            )
        image = normalise(batch.to(self.device), self.spec.mean, self.spec.std)
        with autocast(self.device, self.amp):
            outputs = self.compute(image.to(memory_format=torch.channels_last))
        return {name: value.float() for name, value in outputs.items()}

    def members(self) -> list[Member]:
        """Return the network with its spec, the only member."""
        return [(self, self.spec)]

    def save(self, path: Path) -> None:
        """Write the network and its description; the file appears whole or not at all."""
        save_weights(path, self.network.state_dict(), self.spec)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto", amp: Amp = "auto") -> Self:
        """Load a run folder (its best weights and its tuning), a .safetensors file or a name.

        A name is that of a model that ships with the package, such as "nuclei". Raises InputError
        when there is no model there, or when it is damaged, of another program, or does not fit
        the network it names.
        """
        path = Path(path)
        file = find_weights(path)
        spec, state = read_weights(file)
        tuning = path / "tuning.json"
        if path in file.parents and tuning.is_file():
            spec = tuned(spec, tuning)
        network = build_from_spec(spec)
        try:
            network.load_state_dict(state, strict=True)
        except RuntimeError as error:
            reason = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
            raise InputError(
                f"{file}: the weights do not fit the network {spec.backbone!r} they name ({reason})"
            ) from error
        model = cls(network, spec, device=device, amp=amp, name=path.stem)
        if model.amp == "off":  # a folded norm takes bits of a half precision's weights
            model.compute = fold_norms(model.network)
        return model


def build_from_spec(spec: ModelSpec, *, pretrained: bool = False) -> EmbeddingNet:
    """Return the network that `spec` describes, without its trained weights.

    `pretrained` lets an encoder that has weights of its own load them: training starts from them,
    a checkpoint replaces them.
    """
    options = dict(spec.options)
    if not pretrained and "pretrained" in signature(find_builder(spec.backbone)).parameters:
        options["pretrained"] = False
    return build_network(
        spec.backbone,
        in_channels=spec.in_channels,
        embedding_dim=spec.embedding_dim,
        classes=spec.classes,
        coordinates=spec.coordinates,
        waves=spec.waves,
        decoder=spec.decoder,  # type: ignore[arg-type]  # checked by build_network
        output_stride=spec.output_stride,
        seed_head=spec.seed_head,
        centre_head=spec.centre_head,
        training_heads=spec.training_heads,
        spatial=spec.method == "spatial",
        place_unit=spec.place_unit,
        options=options,
    )


def tuned(spec: ModelSpec, file: Path) -> ModelSpec:
    """Return `spec` with the post-processing that `embedseg tune` stored; InputError if damaged."""
    try:
        return spec.with_tuning(json.loads(file.read_text())["chosen"])
    except (ValueError, KeyError, TypeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(
            f"{file}: not what `embedseg tune` stores ({reason}); tune again, or delete it for "
            "the default post-processing"
        ) from error


def find_weights(path: Path) -> Path:
    """Return the weights file of a run folder or of a shipped model's name, or `path` itself.

    A run folder or a file of the name of a shipped model goes before it; another folder of that
    name (the pictures of nuclei in `nuclei/`) does not.
    """
    for name in ("best", "last"):
        file = path / "weights" / f"{name}.safetensors"
        if file.is_file():
            return file
    models = shipped()
    if path.is_file():
        return path
    if str(path) in models:
        return models[str(path)]
    if path.is_dir():
        raise InputError(
            f"{path}: no weights/best.safetensors here; name a run folder of `embedseg train`"
        )
    if len(path.parts) == 1 and not path.suffix and models:
        raise InputError(f"{unknown('model', str(path), models)}, or name a run folder or file")
    raise InputError(f"{path}: no such model; name a run folder or a .safetensors file")


def save_weights(
    path: Path, state: Mapping[str, torch.Tensor], spec: ModelSpec, *, half: bool = False
) -> None:
    """Write `state` and `spec` to one safetensors file, whole or not at all.

    `half` stores kernels and matrices in float16, at half the size; vectors (biases, statistics of
    norms, which may be large) stay as they are. They are float32 again once loaded.
    """
    tensors = {key: value.detach().cpu().contiguous().clone() for key, value in state.items()}
    if half:
        for key, value in tensors.items():
            if value.is_floating_point() and value.ndim > 1:
                tensors[key] = value.half()
                if not bool(torch.isfinite(tensors[key]).all()):
                    raise ValueError(
                        f"{key} holds a value that half precision cannot; keep float32"
                    )
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(tensors, metadata={KEY: spec.to_json()}))


def read_weights(path: Path) -> tuple[ModelSpec, dict[str, torch.Tensor]]:
    """Read what `save_weights` wrote; no code of the file is ever run."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if KEY not in metadata:
                if HNET in file.keys():  # noqa: SIM118
                    raise InputError(
                        f"{path}: an H-Net of embedseg train-hnet, which finds no instances; give "
                        "it to embedseg lanes predict by --hnet, beside a model"
                    )
                raise InputError(
                    f"{path}: a safetensors file of another program; it describes no embedseg model"
                )
            spec = ModelSpec.from_json(metadata[KEY])
            return spec, {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise InputError(
            f"{path}: not a readable safetensors file ({error}); download or train it again"
        ) from error
    except InputError:
        raise
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: the model's description cannot be used ({error})") from error

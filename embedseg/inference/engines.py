"""What computes a trained network on a processor: torch itself, or one of three compilers.

All take the network with its norms folded (`folding.py`) and compute in float32. An engine is a
function of the network and an example batch; it returns the network prepared for batches of that
shape and for the present number of threads. onnxruntime and openvino are optional packages.
"""

import logging
import time
from collections.abc import Callable
from io import BytesIO
from threading import Lock
from typing import Any

import torch
from torch import Tensor, nn

from embedseg.inference.folding import fold_norms
from embedseg.names import unknown

log = logging.getLogger(__name__)

Outputs = dict[str, Tensor]
Prepared = Callable[[Tensor], Outputs]
Engine = Callable[[nn.Module, Tensor], Prepared]

PATIENCE = 20.0  # seconds of preparing that are worth a word
CLOSE = 1e-3  # of the mean value: how far an engine's outputs may be from torch's in the mean
OPSET = 18  # of the ONNX file


class EngineNetwork:
    """A network as `engine` computes it, prepared anew for each shape of batch.

    Called with a float batch (B, C, H, W) it returns the outputs of the network. Raises ValueError
    for an unknown engine, for one whose package is missing, and where what it computes is not what
    torch computes. That is compared in the mean: networks that pool and unpool with the places of
    the maxima (ENet, SegNet) put single values elsewhere where two are equal but for rounding.
    """

    def __init__(self, network: nn.Module, engine: str) -> None:
        if engine not in ENGINES:
            raise unknown("engine", engine, ENGINES)
        if engine in PACKAGES:
            PACKAGES[engine]()
        self.engine, self.network, self.folded = engine, network, fold_norms(network)
        self.ready: dict[tuple[int, ...], Prepared] = {}
        self.lock = Lock()

    def __call__(self, image: Tensor) -> Outputs:
        """Return the outputs for an image batch."""
        key = (*image.shape, torch.get_num_threads())
        with self.lock:
            if key not in self.ready:
                self.ready[key] = self._prepare(image)
        return self.ready[key](image)

    def _prepare(self, image: Tensor) -> Prepared:
        """Return what the engine makes for this shape, having compared it with torch."""
        start = time.monotonic()
        with torch.inference_mode(False), torch.no_grad():
            prepared = ENGINES[self.engine](self.folded, image.clone())
        wanted = self.network(image)
        found = prepared(image)
        for name, value in wanted.items():
            if found[name].shape != value.shape:
                raise ValueError(
                    f"engine {self.engine!r} gives a {name} of shape {tuple(found[name].shape)}, "
                    f"torch one of {tuple(value.shape)}; use --engine torch"
                )
            off = float((found[name] - value).abs().mean() / value.abs().mean())
            if not off < CLOSE:
                raise ValueError(
                    f"engine {self.engine!r} computes another {name} than torch does (off by "
                    f"{off:.2g} of its mean); use --engine torch"
                )
        seconds = time.monotonic() - start
        if seconds > PATIENCE:
            size = "x".join(str(n) for n in image.shape[2:])
            log.warning(
                "engine %s: %.0f s to prepare pictures of %s; it pays in long runs of one size",
                self.engine, seconds, size,
            )  # fmt: skip
        return prepared


def plain(network: nn.Module, example: Tensor) -> Prepared:  # noqa: ARG001  (an engine's signature)
    """Return the network itself."""
    return network


def compiled(network: nn.Module, example: Tensor) -> Prepared:
    """Return what torch.compile makes of the network, its weights frozen; it needs a C++ compiler.

    The machine code is kept in torch's own cache folder, so a second run takes seconds. With
    frozen weights torch 2.13 may lose the axis of a batch of one, so shapes are put right.
    """
    shapes = {name: value.shape for name, value in network(example).items()}
    run = torch.compile(network, dynamic=False, options={"freezing": True})

    def call(image: Tensor) -> Outputs:
        with torch.inference_mode(False), torch.no_grad():
            return {name: v.reshape(shapes[name]) for name, v in run(image.clone()).items()}

    return call


def with_onnxruntime(network: nn.Module, example: Tensor) -> Prepared:
    """Return a session of ONNX Runtime."""
    import onnxruntime

    file, names = export(network, example)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    def call(image: Tensor) -> Outputs:
        values = session.run(names, {"image": image.contiguous().numpy()})
        return {name: torch.from_numpy(v) for name, v in zip(names, values, strict=True)}

    return call


def with_openvino(network: nn.Module, example: Tensor) -> Prepared:
    """Return a compiled model of OpenVINO."""
    import openvino

    file, names = export(network, example)
    core = openvino.Core()
    model = core.compile_model(
        core.read_model(BytesIO(file)),
        "CPU",
        {"INFERENCE_NUM_THREADS": torch.get_num_threads(), "INFERENCE_PRECISION_HINT": "f32"},
    )

    def call(image: Tensor) -> Outputs:
        request = model.create_infer_request()
        request.infer({0: image.contiguous().numpy()})
        values = [torch.from_numpy(request.get_output_tensor(i).data) for i in range(len(names))]
        return {name: value.clone() for name, value in zip(names, values, strict=True)}

    return call


class Listed(nn.Module):
    """A network whose outputs are a tuple, in the order of their names, as exporters want it."""

    def __init__(self, network: nn.Module, names: list[str]) -> None:
        super().__init__()
        self.network, self.names = network, names

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs."""
        outputs = self.network(image)
        return tuple(outputs[name] for name in self.names)


def export(network: nn.Module, example: Tensor) -> tuple[bytes, list[str]]:
    """Return the network for batches of this shape as an ONNX file, and its outputs' names."""
    import warnings

    names = sorted(network(example))
    file: Any = BytesIO()  # which the signature does not know
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter about itself
        torch.onnx.export(
            Listed(network, names).eval(),
            (example.contiguous(),),
            file,
            input_names=["image"],
            output_names=names,
            opset_version=OPSET,
            dynamo=False,  # the other exporter takes six times as long for the same file
        )
    return file.getvalue(), names


def require(*modules: str) -> Callable[[], None]:
    """Return a check that these optional packages are there; its error is one sentence."""

    def check() -> None:
        from importlib.util import find_spec

        missing = [name for name in modules if find_spec(name) is None]
        if missing:
            extra = modules[0]
            raise ValueError(
                f"engine {extra!r} needs the package {' and '.join(missing)}; "
                f"pip install 'embedseg-torch[{extra}]', or leave --engine out"
            )

    return check


def require_compiler() -> None:
    """Refuse where there is no C++ compiler; ValueError."""
    from shutil import which

    if not any(which(name) for name in ("g++", "clang++", "c++", "cl")):
        raise ValueError("engine 'compile' needs a C++ compiler such as g++; install one")


ENGINES: dict[str, Engine] = {
    "torch": plain,
    "compile": compiled,
    "onnxruntime": with_onnxruntime,
    "openvino": with_openvino,
}
PACKAGES: dict[str, Callable[[], Any]] = {
    "compile": require_compiler,
    "onnxruntime": require("onnxruntime", "onnx"),
    "openvino": require("openvino", "onnx"),
}

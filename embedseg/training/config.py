"""What a training run is: frozen values from YAML and the command line, kept in config.yaml.

Importing this file costs nothing (no torch), so that `embedseg train --help` is quick.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from embedseg.augmentation import AugmentConfig
from embedseg.errors import InputError

PRESETS = Path(__file__).parent / "presets"


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Where samples come from and how they reach the network.

    Args:
        train: dataset of the training images, `kind:location`: `cvppp:DIR`, `folder:DIR` (images/
            and labels/ paired by stem), `leaves:N[,seed]` (generated plants); lanes: `roads:N`
            (generated), `tusimple:DIR`, `culane:DIR`, `curvelanes:DIR`, `polylines:WHERE`,
            `lanenet:DIR`. "A + 20*B" joins two, every image of B twenty times in an epoch.
        val: dataset of the validation images; empty: the same as `train`, split by the lists.
        train_list: text file with one image name a line; empty: every image that is not validated.
        val_list: text file with one image name a line.
        val_fraction: share of the images held out when neither `val` nor `val_list` is given.
        working_size: longer side, in pixels, at which the network sees a whole image; 0: as it is;
            [HEIGHT, WIDTH]: exactly this, whatever the image's shape.
        keep: with sparse labels, the share of the instances of each training picture, and of its
            background, that stays labelled: a simulation on labels that are complete.
        background_label: with sparse labels, the label painted over a little of the background; 0
            is then unlabelled, and `val` names whole pictures. 0: 0 is background as always.
        zoom: 0, or >= 1: show the network a square of this times the extent of the objects alone,
            not the whole image; it then segments with two looks (`embedseg.inference.zoom`).
        stretch: stretch the contrast of every image to its percentiles 1 and 99.8 (microscopy).
        dark_ground: invert images that are bright in more than half of their pixels, so that
            stained and fluorescent objects look alike (microscopy).
        cache: keep the resized training images in memory.
        workers: loader processes; 0 loads in the main process.
    """

    train: str = "leaves:200"
    val: str = ""
    train_list: str = ""
    val_list: str = ""
    val_fraction: float = 0.2
    working_size: int | tuple[int, int] = 256
    keep: float = 1.0
    background_label: int = 0
    zoom: float = 0.0
    stretch: bool = False
    dark_ground: bool = False
    cache: bool = True
    workers: int = 0


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """The network.

    Args:
        backbone: a name of `embedseg backbones`, or "timm:ENCODER".
        options: keyword arguments of that backbone.
        embedding_dim: length E of a pixel's embedding; the method "spatial" has 2, x and y.
        classes: output maps of the semantic head; 1 is foreground against background.
        coordinates: append x, y and radius to the image.
        waves: append sine and cosine of position with these wavelengths in pixels; for many small
            objects that look alike, on images of any size.
        decoder: "published" last layers of the backbone, the shared "learned" decoder, one
            convolution and "bilinear" interpolation, or "auto": what suits the backbone.
        output_stride: stride of the outputs against the working size.
        seed_head: predict where the embedding can be trusted, and found clusters only there.
        centre_head: predict where objects have their centres, and found a cluster at each.
        init: weights to start from: a run folder, a shipped model's name, or a file of weights
            (.safetensors, .pth) of any network that has parts of this one: torchvision's and
            timm's ResNets fit `ccnet`, `encnet`, `linknet`, ...; empty: random.
    """

    backbone: str = "unet"
    options: Mapping[str, int | float | bool | str | list[int]] = field(default_factory=dict)
    embedding_dim: int = 16
    classes: int = 1
    coordinates: bool = True
    waves: tuple[float, ...] = ()
    decoder: Literal["auto", "published", "learned", "bilinear"] = "auto"
    output_stride: int = 1
    seed_head: bool = True
    centre_head: bool = False
    init: str = ""


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """The discriminative loss (arXiv:1708.02551) and the loss of the semantic head.

    With the method "spatial" `embedding` weighs its loss (arXiv:1906.11109) and `seed` the seed map
    in it; the margins then only scale drawings, and alpha to gamma and `options` must not be set.

    Args:
        delta_v: margin of the pull term.
        delta_d: margin of the push term; means are pushed to a distance of 2 delta_d.
        alpha: weight of the pull term.
        beta: weight of the push term.
        gamma: weight of the regularisation term.
        embedding: weight of the whole discriminative loss.
        seed: weight of the seed head's loss.
        centre: weight of the centre head's loss.
        unlabelled: weight of the losses of pixels without labels (`labels: sparse`).
        foreground: weighted sum by names of `embedseg losses`, for the semantic head and for heads
            that serve the training; "discriminative" multiplies `embedding`. The names may stand
            directly under `loss` too: `loss: {dice: 1, boundary: 0.01}`.
        keywords: keyword arguments of those losses: `{tversky: {alpha: 0.3, beta: 0.7}}`.
        schedule: of "boundary" in `foreground`: "constant"; "add": grows by `schedule_step` an
            epoch; "rebalance": grows, while the other losses of the semantic head fade.
        schedule_step: step of the schedule; the paper's is 0.01.
        spacing: height and width of a pixel, for distance maps; empty: 1.
        options: named deviations from the paper, as keyword arguments of `discriminative_loss`.
    """

    delta_v: float = 0.5
    delta_d: float = 1.5
    alpha: float = 1.0
    beta: float = 1.0
    gamma: float = 0.001
    embedding: float = 1.0
    seed: float = 1.0
    centre: float = 0.1
    unlabelled: float = 1.0
    foreground: Mapping[str, float] = field(
        default_factory=lambda: {"cross_entropy": 1.0, "dice": 1.0}
    )
    keywords: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    schedule: Literal["constant", "add", "rebalance"] = "constant"
    schedule_step: float = 0.01
    spacing: tuple[float, ...] = ()
    options: Mapping[str, bool | float | str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """How weights move.

    Args:
        name: "adam" or "adamw".
        learning_rate: peak of the schedule: linear warm-up, then a cosine to 1% of the peak.
        weight_decay: of AdamW, on weights of two and more dimensions.
        warmup_steps: steps of the warm-up.
        clip: largest norm of the gradient; 0: no clipping.
        ema: decay of the averaged weights that are validated and saved; 0: no averaging.
    """

    name: Literal["adam", "adamw"] = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    warmup_steps: int = 100
    clip: float = 5.0
    ema: float = 0.998


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A training run.

    Args:
        run: folder of the run; it must not exist yet (or be resumed).
        method: "discriminative" (arXiv:1708.02551): vectors that clusters are found among;
            "spatial" (arXiv:1906.11109): each pixel points to its object's centre, with a bandwidth
            and a seed map of its own, for objects that are compact in the picture.
        labels: "dense"; or "sparse" (arXiv:2103.14572): only some objects of each training picture
            are labelled, the averaged weights (`optimizer.ema`) teach what the other pixels are.
        epochs: number of epochs; 0: as many as the time limit allows.
        steps_per_epoch: optimiser steps in an epoch; 0: one pass over the training images.
        batch: images in a step, over all processes.
        validate_every: epochs between two validations; the last epoch is always validated, with 0
            it alone.
        patience: validations without improvement after which training stops; 0: never.
        time_limit: minutes after which the schedule has run down and training stops; 0: none.
            A run with a time limit depends on the machine's speed and cannot be repeated exactly.
        clock: what the time limit counts: "wall" time, or "cpu" time of this process over all its
            threads, which other load on the machine does not change.
        tune: search thresholds and the bandwidth on validation images at the end, quickly (see
            `embedseg tune`), for at most a tenth of the training's time; later commands use them.
        copy_paste: probability of pasting instances of another training image over a sample.
        seed: of every random number of the run.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        amp: mixed precision: "auto" measures whether bfloat16 pays on this machine.
        threads: CPU threads; 0: as the machine offers.
        tensorboard: write RUN/tensorboard as well, for TensorBoard: scalars, sample sheets and, at
            the end, foreground pixels for the embedding projector (needs the extra `tensorboard`).
        bandwidth: of mean-shift in validation; 0: midway between the margins.
        clusterer_options: of the clusterer of the method, as its class in `clustering` has them.
        foreground_threshold: probability above which a pixel is foreground.
        seed_threshold: closeness above which a pixel may found a cluster, with a seed head; None:
            exp(-1/2) = 0.607, the closeness at distance delta_v, or 0.9 for the method "spatial".
        core_step: without a seed head, a pixel may found a cluster if its embedding differs from
            its neighbours' by less than this many delta_v; 0: every foreground pixel may.
        components: what becomes of an instance in several pieces: "all" are kept, the "largest"
            only, or they are "split" into instances (as the push among neighbours asks for).
        min_size: smallest instance, in pixels of the working size.
    """

    run: str = "runs/latest"
    method: Literal["discriminative", "spatial"] = "discriminative"
    labels: Literal["dense", "sparse"] = "dense"
    epochs: int = 40
    steps_per_epoch: int = 0
    batch: int = 4
    validate_every: int = 1
    patience: int = 0
    time_limit: float = 0.0
    clock: Literal["wall", "cpu"] = "wall"
    tune: bool = True
    copy_paste: float = 0.0
    seed: int = 0
    device: str = "auto"
    amp: Literal["auto", "off", "bf16", "fp16"] = "auto"
    threads: int = 0
    tensorboard: bool = False
    bandwidth: float = 0.0
    clusterer_options: dict[str, Any] = field(default_factory=dict)
    foreground_threshold: float = 0.5
    seed_threshold: float | None = None
    core_step: float = 0.8
    components: Literal["all", "largest", "split"] = "all"
    min_size: int = 16
    data: DataConfig = field(default_factory=DataConfig)
    augment: AugmentConfig = field(default_factory=lambda: AugmentConfig(size=256))
    network: NetworkConfig = field(default_factory=NetworkConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)


def refuse_existing(run: Path) -> None:
    """Raise InputError where `run` is there already and not an empty folder."""
    if run.is_file():
        raise InputError(f"{run}: is a file, and a run is a folder; choose another --run")
    if run.is_dir() and any(run.iterdir()):
        raise InputError(
            f"{run}: exists already and is never overwritten; choose another --run or continue it "
            f"with --resume {run}"
        )

"""Which device computes, why, and whether bfloat16 pays there."""

import ctypes
import math
import os
import time
from typing import Literal, TypeVar, get_args

import torch
from torch import nn

from embedseg.names import unknown

Network = TypeVar("Network", bound=nn.Module)
Amp = Literal["auto", "off", "bf16", "fp16"]

PROBE_GAIN = 1.2  # bfloat16 must be this much faster than float32 to be chosen on a CPU
PROBE_ROUNDS = 8
# malloc.h: bytes above which memory is given back and above which it is mapped; arenas
MALLOC = {-1: 2**31 - 1, -3: 2**30, -8: 1}


def choose_device(name: str = "auto") -> tuple[torch.device, str]:
    """Return the device for `name` ("auto", "cpu", "cuda:1", "mps") and the reason in words.

    Raises ValueError when the named device does not exist here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda:0"), f"found {torch.cuda.get_device_name(0)}"
        if torch.backends.mps.is_available():
            return torch.device("mps"), "found Apple's GPU"
        return torch.device("cpu"), f"no GPU found, {torch.get_num_threads()} threads"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device {name!r} is not known; use auto, cpu, cuda:0 or mps") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device {name!r} is not here ({torch.cuda.device_count()} CUDA devices found); "
            "use auto or cpu"
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ValueError("device 'mps' is not here; use auto or cpu")
    return device, "as asked for"


def choose_amp(name: Amp, device: torch.device) -> Amp:
    """Resolve "auto" to "bf16", "fp16" or "off" for this device.

    CUDA: bf16 where it is native, else fp16. CPU: bf16 if a short measurement of a convolution,
    forward and backward, runs at least PROBE_GAIN times faster than float32 (it is several times
    faster with AVX512-BF16 or AMX, and many times slower without). Others: off. Raises ValueError
    for another name.
    """
    if name not in get_args(Amp):
        raise unknown("amp", str(name), get_args(Amp))
    if name != "auto":
        return name
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    if device.type == "cpu":
        return "bf16" if _bf16_gain() > PROBE_GAIN else "off"
    return "off"


def autocast(device: torch.device, amp: str) -> torch.autocast:
    """Return the context manager of mixed precision `amp` on `device`."""
    dtype = torch.float16 if amp == "fp16" else torch.bfloat16
    return torch.autocast(device.type, dtype=dtype, enabled=amp != "off")


def channels_last(network: Network) -> Network:
    """Bring the weights of `network` into the order that convolutions like best, in place."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def set_threads(count: int) -> None:
    """Let torch use `count` CPU threads; 0 leaves the machine's own choice."""
    if count:
        torch.set_num_threads(min(count, os.cpu_count() or count))


def keep_memory() -> None:
    """Let this process keep what it frees, for the command of one run; only glibc's malloc listens.

    Each picture takes and frees the same hundred megabytes. Given back to the system they come as
    fresh pages, each of them cleared, which costs a seventh of ENet's time where several threads
    work; in one arena every thread finds what another one has freed.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # not glibc
        return
    for option, value in MALLOC.items():
        mallopt(option, value)


def _bf16_gain() -> float:
    """Return how many times faster a 3x3 convolution and its gradient run in bfloat16.

    Processor time of one thread is measured, in turns, and the best of each counts, so that other
    load on the machine does not change the answer.
    """
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(1)
    layer = channels_last(nn.Conv2d(32, 32, 3, padding=1))
    image = torch.ones(2, 32, 96, 96).to(memory_format=torch.channels_last)
    best = {"off": math.inf, "bf16": math.inf}
    for _ in range(PROBE_ROUNDS):
        for amp in best:
            start = time.thread_time()
            with autocast(torch.device("cpu"), amp):
                out = layer(image)
            out.float().mean().backward()
            best[amp] = min(best[amp], time.thread_time() - start)
    torch.set_num_threads(threads)
    torch.random.set_rng_state(state)
    return best["off"] / best["bf16"]

"""Several processes as one: started by torchrun, silent without it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from embedseg.models.heads import SideHeads


@dataclass(frozen=True)
class World:
    """The process's place among all: `rank` of `size`; alone it is 0 of 1."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def wrap(self, network: nn.Module, device: torch.device) -> nn.Module:
        """Return `network` with gradients averaged over the processes."""
        if self.size == 1:
            return network
        ids = [device.index] if device.type == "cuda" else None
        if device.type == "cuda":
            convert = nn.SyncBatchNorm.convert_sync_batchnorm
            network = convert(network)  # type: ignore[no-untyped-call]
        idle = any(isinstance(m, SideHeads) and not m.average for m in network.modules())
        # side heads that a head of one map never reads, such as those of the seed head
        return DistributedDataParallel(network, device_ids=ids, find_unused_parameters=idle)

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """Return the mean of `values` over the processes."""
        if self.size > 1:
            dist.all_reduce(values)
            values = values / self.size
        return values

    def share(self, count: torch.Tensor) -> torch.Tensor:
        """Return count * size / sum of counts: the weight of this process in an uneven mean.

        Multiplied by it, a mean over this process's `count` items becomes, after the processes'
        gradients are averaged, the mean over all items. 1 where there is no item anywhere.
        """
        total = count.clone().float()
        if self.size == 1:
            return torch.ones_like(total)
        dist.all_reduce(total)
        return torch.where(
            total > 0, count * self.size / total.clamp(min=1), torch.ones_like(total)
        )

    def leading(self, value: float, device: torch.device) -> float:
        """Return the `value` of the process that leads."""
        if self.size == 1:
            return value
        told = torch.tensor(value, dtype=torch.float64, device=device)
        dist.broadcast(told, 0)
        return float(told)

    def gather(self, item: Any) -> list[Any]:
        """Return every process's `item`, in the order of ranks."""
        if self.size == 1:
            return [item]
        items: list[Any] = [None] * self.size
        dist.all_gather_object(items, item)
        return items


@contextmanager
def world(device_name: str) -> Iterator[tuple[World, str]]:
    """Join the processes of torchrun, if any; yield the place and the device's name for it."""
    if "RANK" not in os.environ or int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield World(), device_name
        return
    cuda = torch.cuda.is_available() and device_name in ("auto", "cuda")
    dist.init_process_group("nccl" if cuda else "gloo")
    try:
        local = int(os.environ.get("LOCAL_RANK", "0"))
        yield World(dist.get_rank(), dist.get_world_size()), f"cuda:{local}" if cuda else "cpu"
    finally:
        dist.destroy_process_group()

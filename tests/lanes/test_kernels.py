"""The kernels that fit curves say so before they are compiled."""

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from embedseg.lanes import curves, pieces, runs


class Uncompiled:
    """A kernel as it is before its first call, without the minutes that its compiling may take."""

    signatures = ()

    def __init__(self, kernel: Any, cache: str) -> None:
        self.call, self.__name__, self.__code__ = kernel, kernel.__name__, kernel.py_func.__code__
        self.stats = type("Stats", (), {"cache_path": cache})

    def __call__(self, *arguments: Any) -> Any:
        self.signatures = ("once",)
        return self.call(*arguments)


@pytest.mark.parametrize(
    ("module", "name"), [(runs, "_scan"), (pieces, "_parts"), (curves, "trace")]
)
def test_compiling_is_told_once(
    module: ModuleType, name: str, tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr(module, name, Uncompiled(getattr(module, name), str(tmp_path)))
    labels = np.zeros((32, 64), np.int32)
    pieces.split_lanes(labels)
    labels[:, 20:23], labels[:, 40:43] = 1, 2
    pieces.split_lanes(labels)
    curves.fit_lanes(labels)
    assert caplog.text.count(f"compiling kernel {name},") == 1  # others may be compiled beside it

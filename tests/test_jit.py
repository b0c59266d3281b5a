"""Compiled kernels: cached where they can be, in private, and announced."""

import logging

import numba

from embedseg import jit


def test_a_read_only_installation_compiles_elsewhere(monkeypatch, tmp_path):
    compiler, folders = numba.njit, []

    def refuse_first(**options):
        def decorate(function):
            folders.append(numba.core.config.CACHE_DIR)
            if len(folders) == 1:
                raise RuntimeError("cannot cache function: no locator available")
            return compiler(**options)(function)

        return decorate

    def add_one(x):
        return x + 1

    monkeypatch.setattr(jit.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(numba, "njit", refuse_first)
    compiled = jit.fast_kernel(add_one)
    assert compiled(1) == 2
    assert folders[1].startswith(str(tmp_path))
    assert folders[0] == numba.core.config.CACHE_DIR
    assert list(tmp_path.rglob("*add_one*.nbc"))


def test_a_cache_folder_that_others_can_write_is_not_used(monkeypatch, tmp_path):
    monkeypatch.setattr(jit.tempfile, "gettempdir", lambda: str(tmp_path))
    folder = jit._private_folder()
    assert folder is not None
    folder.chmod(0o777)
    assert jit._private_folder() is None


def test_compiling_is_announced(caplog):
    fresh = numba.njit(lambda x: x)
    with caplog.at_level(logging.WARNING):
        jit.announce(fresh)
    assert "compiling kernel" in caplog.text

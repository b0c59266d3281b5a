"""What ends a command from outside."""

import argparse
import os
import signal
import time

import pytest

from embedseg import cli
from embedseg.commands.common import INTERRUPTED


def test_sigterm_ends_a_command_as_ctrl_c_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cleaned = []

    def terminated(_: argparse.Namespace) -> int:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
        finally:
            cleaned.append(True)
        return 0

    monkeypatch.setitem(cli.COMMANDS, "models", (lambda _: None, terminated, "waits"))
    before = signal.getsignal(signal.SIGTERM)
    assert cli.main(["models"]) == INTERRUPTED
    assert cleaned and "interrupted" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == before

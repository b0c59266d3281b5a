"""From the command line and YAML files to a `TrainConfig`, by jsonargparse."""

import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import jsonargparse

from embedseg.errors import InputError
from embedseg.names import unknown, unknown_option
from embedseg.training.config import PRESETS, NetworkConfig, TrainConfig
from embedseg.training.loss_names import spread_file, spread_words

# Short names for what nearly every call sets; all other options are the fields by their path.
ALIASES = {
    "--data": "--data.train",
    "--val": "--data.val",
    "--train_list": "--data.train_list",
    "--val_list": "--data.val_list",
    "--backbone": "--network.backbone",
}

SWITCHES = ("--tensorboard",)  # may stand alone, for "--tensorboard true"

EPILOG = """
While it trains, RUN/results.html shows curves and samples; open it in a browser, without a server:
it is written anew after each epoch and reloads itself. --tensorboard writes for TensorBoard too.
A run is repeated by --config RUN/config.yaml --run NEW, continued by --resume RUN.
Dashes and underscores in names are the same. Short names: --data KIND:WHERE, --val, --train-list,
--val-list, --backbone. Losses may be named directly: --loss '{{dice: 1, boundary: 0.01}}' or
--loss.dice 1 (see `embedseg losses`). Presets of --config: {presets}.
"""


class Parser(jsonargparse.ArgumentParser):
    """A parser whose errors are one sentence, without the two hundred options before it."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print what is wrong and end with exit code 2."""
        start, _, words = message.partition("unrecognized arguments: ")
        if not start and words:
            options = [o for action in self._actions for o in action.option_strings]
            message = unknown_option(words.split() or [words], [*options, *ALIASES], self.prog)
        sys.stderr.write(f"{self.prog}: {message}\n")
        raise SystemExit(2) from ex


@cache
def build_parser() -> jsonargparse.ArgumentParser:
    """Return the parser whose options are the fields of `TrainConfig`; it is built once."""
    parser = Parser(
        prog="embedseg train",
        description="Train a network on labelled images; the result is a run folder. "
        "`embedseg train --resume RUN` continues one that was stopped.",
        epilog=EPILOG.format(presets=", ".join(presets())),
    )
    parser.add_argument("--config", action="config", help="a YAML file or the name of a preset")
    parser.add_class_arguments(TrainConfig)
    return parser


def read_config(argv: Sequence[str]) -> TrainConfig:
    """Return the configuration: presets and YAML files first, then the options, left to right.

    A backbone that is named beside a file of another one takes neither the options nor the weights
    to start from of that file (`for_backbone`). Wrong options end the program with one line and
    exit code 2, as argparse does.
    """
    files, words = _files_first(_plain(argv))
    config = _parsed([*files, *words])
    if "--network.backbone" in (given := {word.partition("=")[0] for word in words}):
        named = {word.removeprefix("--network.").partition(".")[0] for word in given}
        config = for_backbone(config, _parsed(files), named)
    return config


def for_backbone(config: TrainConfig, base: TrainConfig, named: Collection[str]) -> TrainConfig:
    """Return `config` without what belongs to the network of `base`, if it has another backbone.

    These are its options and the weights it starts from, where they are not `named` anew.
    """
    network, plain = config.network, NetworkConfig()
    if network.backbone == base.network.backbone:
        return config
    if "options" not in named:
        network = replace(network, options=plain.options)
    if "init" not in named:
        network = replace(network, init=plain.init)
    return replace(config, network=network)


def _parsed(words: Sequence[str]) -> TrainConfig:
    parser = build_parser()
    values = parser.parse_args(words)
    values.pop("config", None)
    return TrainConfig(**vars(parser.instantiate(values)))


def _files_first(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the words that name configurations, each with its value, and all others."""
    files: list[str] = []
    others: list[str] = []
    for before, word in pairwise(["", *words]):
        config = word.partition("=")[0] == "--config" or before == "--config"
        (files if config else others).append(word)
    return files, others


def resumed_config(run: Path) -> TrainConfig:
    """Return the configuration of a run that is to be continued, with its data seen from here."""
    file = run / "config.yaml"
    if not file.is_file():
        raise InputError(f"{run}: not a run folder (it has no config.yaml); name one to resume")
    from embedseg.data.of_run import begun_in  # not above: it needs what data sets need
    from embedseg.data.overlap import located

    config, folder = read_config(["--config", str(file), "--run", str(run)]), begun_in(run)
    train, val = (located(data, folder) for data in (config.data.train, config.data.val))
    init = config.network.init
    init = str(folder / init) if init and (folder / init).exists() else init
    return replace(
        config,
        data=replace(config.data, train=train, val=val),
        network=replace(config.network, init=init),
    )


def presets() -> list[str]:
    """Return the names of the configurations that come with the package."""
    return sorted(file.stem for file in PRESETS.glob("*.yaml"))


def _plain(argv: Sequence[str]) -> list[str]:
    """Spell options as jsonargparse knows them and presets as files."""
    words: list[str] = []
    for word, after in zip(argv, [*argv[1:], "--"], strict=False):
        word = f"{word}=true" if word in SWITCHES and after.startswith("--") else word
        name, equals, value = word.partition("=")
        if name.startswith("--"):
            name = name.replace("-", "_").replace("__", "--", 1)
            name = ALIASES.get(name, name)
        words.append(name + equals + value)
    words = spread_words(words)
    for index, word in enumerate(words):
        if word == "--config" and index + 1 < len(words):
            words[index + 1] = _config_file(words[index + 1])
        elif word.startswith("--config="):
            words[index] = "--config=" + _config_file(word.removeprefix("--config="))
    return words


def _config_file(name: str) -> str:
    if Path(name).is_file():
        return spread_file(name)
    if Path(name).suffix or "/" in name:
        raise InputError(f"{name}: no such configuration file")
    if name not in presets():
        raise unknown("preset", name, presets())
    return str(PRESETS / f"{name}.yaml")

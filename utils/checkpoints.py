"""Let a training go on that was interrupted, and keep what one has finished.

A folder ``model`` holds ``alexnet.keras`` and ``history.json`` when a training is finished, and only then. While it
goes on, ``model/checkpoint`` holds its whole state after the last epoch, in one file such as ``epoch-0007.npz``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np

from utils.code import code_of as code_of  # notebook 05 takes it from here
from utils.fast import keras
from utils.files import MEND_HISTORY, CourseError, brief, cause, read_json, require, shown, write_aside, write_json
from utils.model import TRAIN, check_layers, load_model, save_model
from utils.workspace import held

MODEL, HISTORY, CHECKPOINT = "alexnet.keras", "history.json", "checkpoint"
FINGERPRINT = "fingerprint of the "  # so begin the names of settings that say only whether something is another one
_kept: dict[Path, ExitStack] = {}  # the folders in which this process trains


def fingerprint(network: keras.Model) -> str:
    """A short text that says which architecture this is: layers, shapes, connections, and how the weights start.

    It does not depend on the values of the weights, nor on the names that Keras invents, nor on the number type.
    """
    config = network.get_config() | {"name": ""}  # such as functional_7, by the order of making
    text = json.dumps(_without_dtypes(config), sort_keys=True, default=str)
    for index, step in enumerate(network.operations):  # layers, and operations such as `x + y`
        text = text.replace(f'"{step.name}"', f'"{index}"')
    own = {type(layer) for layer in network.layers}  # a layer that was written in a notebook may do anything
    text += code_of(*own, *(layer.function for layer in network.layers if hasattr(layer, "function")))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _without_dtypes(config: object) -> object:
    if isinstance(config, dict) and config.get("class_name") == "__lambda__":
        return "a function, see `code_of`"  # else its code with the name of a temporary file
    if isinstance(config, dict):
        return {name: _without_dtypes(value) for name, value in config.items() if name != "dtype"}
    return [_without_dtypes(value) for value in config] if isinstance(config, list | tuple) else config


class Checkpoint(keras.callbacks.Callback):
    """After every epoch, save weights, optimizer, random state and history, so that a killed training can go on.

    Attributes:
        epochs_done: the history so far, one dict an epoch.
    """

    def __init__(self, folder: Path, settings: dict, epochs_done: list[dict]):
        super().__init__()
        self.folder, self.settings, self.epochs_done = folder / CHECKPOINT, settings, list(epochs_done)

    def on_epoch_end(self, epoch, logs):
        self.epochs_done.append({name: float(value) for name, value in logs.items()})
        about = json.dumps({"settings": self.settings, "epochs": self.epochs_done})
        newest = self.folder / f"epoch-{epoch + 1:04d}.npz"
        with write_aside(newest) as part:
            np.savez(part, about=about, **{f"state_{i}": v.numpy() for i, v in enumerate(state_of(self.model))})
        with open(newest, "rb+") as file:
            os.fsync(file.fileno())  # on the disk before the older one goes, for when the battery is empty
        for older in self.folder.glob("epoch-*"):
            if older != newest:
                with suppress(OSError):  # on Windows another program may be looking at it; the newest counts
                    older.unlink()


def state_of(model: keras.Model) -> list:
    """All variables that a training changes: weights, optimizer, and the random state of the dropout layers."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    seeds = [layer.seed_generator.state for layer in model.layers if hasattr(layer, "seed_generator")]
    return [*model.weights, *model.optimizer.variables, *seeds]


def resume(network: keras.Model, folder: Path, settings: dict) -> list[dict]:
    """Bring ``network``, new and compiled, to where an earlier training with these very settings stopped.

    A training that was begun with other settings is dropped; the model of a finished one is kept aside. Both are said.
    No other process can train in ``folder`` from now on, until `finish`.

    Returns:
        The history of the epochs that were done before; an empty list where there is nothing to go on from.

    Raises:
        CourseError: the file to go on from is damaged, another training is under way in ``folder``, or a layer of the
            network could not be loaded again.
    """
    check_layers(network)
    if folder not in _kept:  # until `finish`, or until this process ends
        stack = ExitStack()
        stack.enter_context(held(folder))  # first: a folder that is refused is not kept
        _kept[folder] = stack
    done = _finished(network, folder, settings)
    states = sorted((folder / CHECKPOINT).glob("epoch-*.npz"))
    if done or not states:
        return done
    about, values = _read(states[-1])
    if about["settings"] != _as_json(settings):
        print(f"The training begun in {shown(folder)} had other settings ({_difference(about['settings'], settings)}):")
        print("it is dropped, and a new one starts.")
        shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
        left = [shown(path) for path in states if path.exists()]
        require(not left, f"Cannot delete {', '.join(left)}: close the program that uses it, and run {TRAIN} again.")
        return []
    variables = state_of(network)
    require(len(values) == len(variables), f"{shown(states[-1])} is of another network: delete it and run {TRAIN}.")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return _told(about["epochs"], settings)


def _finished(network: keras.Model, folder: Path, settings: dict) -> list[dict]:
    """The history of a finished training with these settings, whose weights are loaded; others are moved aside."""
    begun = any((folder / CHECKPOINT).glob("epoch-*.npz"))
    if not (folder / MODEL).exists() or (begun and not (folder / HISTORY).exists()):
        return []  # a model with a checkpoint and no history: `finish` was killed between its two files
    found, why = {"settings": {}, "epochs": []}, "has no history beside it"
    if (folder / HISTORY).exists():
        found = read_json(folder / HISTORY, MEND_HISTORY, settings=dict, epochs=list)
        why = f"was trained with other settings ({_difference(found['settings'], settings)})"
    if found["settings"] == _as_json(settings):
        size = tuple(network.input_shape[1:3])
        outputs = network.outputs
        network.set_weights(load_model(folder / MODEL, size, len(outputs), outputs[0].shape[-1]).get_weights())
        return _told(found["epochs"], settings)
    number = 1
    while (aside := folder.with_name(f"{folder.name}-{number}")).exists():
        number += 1
    aside.mkdir(parents=True)
    for name in (MODEL, HISTORY):
        if (folder / name).exists():
            (folder / name).rename(aside / name)
    print(f"The model in {shown(folder)} {why}.")
    print(f"It is kept in {shown(aside)}, and a new training starts.")
    return []


def _told(epochs: list[dict], settings: dict) -> list[dict]:
    """The same epochs, after saying how many there are."""
    wanted = f" of {settings['epochs']}" if "epochs" in settings else ""
    print(f"{len(epochs)}{wanted} epochs with these settings were done before: going on from there.")
    return epochs


def _as_json(value: object) -> object:
    return json.loads(json.dumps(value))


def _difference(found: dict, settings: dict) -> str:
    """What differs, in a few words: the new network or code is only named, since its fingerprint says nothing."""
    wanted = _as_json(settings)
    words = {"network": "another network", "code": "other code in the cells", "records": "other records"}
    words |= {name: f"another {name.removeprefix(FINGERPRINT)}" for name in found | wanted if FINGERPRINT in name}
    named = [
        words.get(name, f"{name} {brief(found.get(name))} instead of {brief(wanted.get(name))}")
        for name in sorted({*found, *wanted})
        if found.get(name) != wanted.get(name)
    ]
    return ", ".join(named)


def _read(path: Path) -> tuple[dict, list[np.ndarray]]:
    try:
        with np.load(path, allow_pickle=False) as file:  # compares checksums
            about = json.loads(str(file["about"]))
            values = [file[f"state_{index}"] for index in range(len(file.files) - 1)]
        fits = isinstance(about["settings"], dict) and isinstance(about["epochs"], list)
        require(fits, f"{shown(path)} is damaged: delete it and run {TRAIN} again.")
    except CourseError:
        raise
    except Exception as error:  # NumPy and zipfile fail in many ways on a damaged file
        raise CourseError(f"{shown(path)} is damaged ({cause(error)}): delete it and run {TRAIN} again.") from error
    return about, values


def finish(model: keras.Model, folder: Path, settings: dict, epochs: list[dict]) -> Path:
    """Save the trained model with its history, and drop the checkpoint. Returns the path of the model.

    Raises:
        CourseError: the training has not come to its end, or the folder cannot be written to.
    """
    wanted = settings.get("epochs", len(epochs))
    require(
        len(epochs) == wanted,
        f"Of {wanted} epochs, {len(epochs)} are done: run the cell that trains again. It goes on from there.",
    )
    history, found = {"settings": _as_json(settings), "epochs": epochs}, None
    if (folder / HISTORY).exists():
        with suppress(CourseError):  # a damaged one goes
            found = read_json(folder / HISTORY)
    if found != history:
        (folder / HISTORY).unlink(missing_ok=True)  # never the history of one training beside the model of another
    save_model(model, folder / MODEL, settings)  # it says what it reads even where its history is lost
    write_json(folder / HISTORY, history)
    shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
    _kept.pop(folder, ExitStack()).close()
    return folder / MODEL


def read_history(folder: Path) -> list[dict]:
    """The history of the finished training in ``folder``: one dict an epoch.

    Raises:
        CourseError: no training has finished there.
    """
    require((folder / HISTORY).exists(), f"There is no {shown(folder / HISTORY)}: run {TRAIN} first.")
    epochs = read_json(folder / HISTORY, MEND_HISTORY, epochs=list)["epochs"]
    whole = all(isinstance(epoch, dict) for epoch in epochs)
    require(whole, f"{shown(folder / HISTORY)} is damaged: {MEND_HISTORY}")
    return epochs

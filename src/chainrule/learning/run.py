"""What learning leaves behind: the network, a record of each epoch, and the folder that holds them.

A run is saved as three files that any tool can read: `weights.safetensors`, `history.jsonl` (one record a line) and
`configuration.json`. All of them are complete before the first is seen; a new folder appears whole.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import storage
from chainrule.errors import ChainruleError, FormatError, StorageError
from chainrule.learning.flow import Flow
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.connected import Connected, Wiring
from chainrule.nn.network import Network

__all__ = ["Record", "Run", "check_folder"]

_WEIGHTS, _HISTORY, _CONFIGURATION = "weights.safetensors", "history.jsonl", "configuration.json"
_FLOW = "flow.safetensors"
_FORMAT = 1


@dataclass(frozen=True)
class Record:
    """One epoch: costs are means over examples, penalty included; accuracies are fractions; `seconds` since the start.

    Validation figures are None without validation data; accuracies are None if the targets are no classes.
    """

    epoch: int
    training_cost: float
    training_accuracy: float | None
    validation_cost: float | None
    validation_accuracy: float | None
    seconds: float


@dataclass(frozen=True)
class Run:
    """The result of `learn`: the network, its history, how it was made, whether it was stopped early, what flowed."""

    network: Any  # a Network or a Connected
    history: list[Record]
    configuration: Mapping[str, Any] = field(default_factory=dict)
    interrupted: bool = False
    flow: Flow | None = None

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the run to a folder, which is made if it is not there; StorageError if that cannot be done."""
        target = Path(folder)
        with _naming(target):
            if target.exists():
                self._write_into(target)
            else:
                storage.write_folder(target, self._write_into)
        return target

    def _write_into(self, folder: Path) -> None:
        from safetensors.numpy import save

        named, structure = _taken_apart(self.network)
        tensors = {name: np.ascontiguousarray(tensor) for name, tensor in named.items()}  # `save` takes no strides
        own = {"format": _FORMAT, **structure, "interrupted": self.interrupted}
        details = own | dict(self.configuration) | own
        storage.replace_files(
            {
                folder / _WEIGHTS: save(tensors),
                folder / _HISTORY: "".join(json.dumps(_strict(r)) + "\n" for r in self.history).encode(),
                folder / _CONFIGURATION: (json.dumps(details, indent=2) + "\n").encode(),
                **({folder / _FLOW: save(self.flow.to_tensors())} if self.flow is not None else {}),
            }
        )
        if self.flow is None:
            (folder / _FLOW).unlink(missing_ok=True)  # that of a run that was here before

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Run:
        """The run that was saved in a folder; StorageError or FormatError if there is none."""
        source = Path(folder)
        with _naming(source):
            for name in (_CONFIGURATION, _HISTORY, _WEIGHTS):
                if not (source / name).exists():
                    raise StorageError(f"{source} holds no run: there is no {source / name}.")
            configuration = _json(source / _CONFIGURATION, _text(source / _CONFIGURATION))
            history = [_record(source / _HISTORY, line) for line in _text(source / _HISTORY).splitlines()]
            network = _network(source / _WEIGHTS, configuration)
            flow = _flow(source / _FLOW) if (source / _FLOW).exists() else None
        own = {name: configuration.pop(name, None) for name in ("format", "activations", "wiring", "interrupted")}
        return cls(network, history, configuration, own["interrupted"] is True, flow)

    @property
    def verdict(self) -> str:
        """What came of it, in a sentence or two."""
        if not self.history:
            return "Stopped before the first epoch was over."
        last = self.history[-1]
        best = max(self.history, key=lambda r: (r.validation_accuracy or 0, r.training_accuracy or 0))
        if not math.isfinite(last.training_cost):
            return f"The cost is not a finite number after epoch {last.epoch}: the learning rate is too high."
        if last.validation_accuracy is not None:
            best_text = f", best {best.validation_accuracy:.2%} after epoch {best.epoch}" if best is not last else ""
            return f"{last.validation_accuracy:.2%} of the validation examples are right{best_text}."
        if last.training_accuracy is not None:
            return f"{last.training_accuracy:.2%} of the training examples are right."
        return f"The training cost is {last.training_cost:.4g}."


def check_folder(folder: str | os.PathLike[str]) -> None:
    """StorageError if a run could not be saved there: better told before learning than after."""
    with _naming(Path(folder)):
        storage.check_folder(folder)


def _naming(folder: Path) -> AbstractContextManager[None]:
    return storage.naming(folder, "{}: {}.", cure="Choose another folder.")


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as problem:
        raise FormatError(f"{path} is no text: {problem}.") from None


def _json(path: Path, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise FormatError(f"{path} is no JSON: {problem}.") from None
    if not isinstance(found, dict):
        raise FormatError(f"{path} holds no JSON object.")
    return found


def _record(path: Path, line: str) -> Record:
    found = _json(path, line)
    if set(found) != {f.name for f in fields(Record)} or not all(_fits(name, v) for name, v in found.items()):
        raise FormatError(f"{path}: a line is no record of an epoch: {line[:80]!r}.")
    return Record(**found | {"training_cost": math.nan if found["training_cost"] is None else found["training_cost"]})


def _strict(record: Record) -> dict[str, Any]:
    """The record as JSON has it, which knows no infinities: a cost that is not a finite number is null."""
    return {name: None if isinstance(v, float) and not math.isfinite(v) else v for name, v in asdict(record).items()}


def _fits(name: str, value: Any) -> bool:
    """Whether the value is one that a record has under that name."""
    if value is None:
        return name.endswith("accuracy") or name.startswith("validation") or name == "training_cost"
    return type(value) is int or (type(value) is float and name != "epoch")


def _taken_apart(network: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The weights and biases by name, and what else there is to say of the network."""
    if isinstance(network, Connected):
        weights = {f"weights[{name!r}]": w for name, w in network.weights.items()}
        biases = {f"biases[{name!r}]": b for name, b in network.biases.items()}
        return weights | biases, {"wiring": network.wiring.to_dict()}
    layers = enumerate(network.layers)
    named = {f"layers[{n}].{name}": getattr(layer, name) for n, layer in layers for name in ("w", "b")}
    return named, {"activations": network.activations}


def _network(path: Path, configuration: Mapping[str, Any]) -> Network | Connected:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    if configuration.get("format") != _FORMAT:
        raise FormatError(f"{path.parent} holds no run of this version of chainrule.")
    try:
        return _put_together(load(path.read_bytes()), configuration)
    except ChainruleError as problem:
        raise FormatError(f"{path} does not hold the network's weights: {problem.what}") from None
    except (SafetensorError, KeyError, ValueError) as problem:
        raise FormatError(f"{path} does not hold the network's weights: {problem}.") from None


def _put_together(tensors: Mapping[str, Any], configuration: Mapping[str, Any]) -> Network | Connected:
    if "wiring" in configuration:
        wiring = Wiring.from_dict(configuration["wiring"])
        weights = {name: tensors[f"weights[{name!r}]"] for name in wiring.weight_shapes}
        return Connected.from_weights(wiring, weights, {n: tensors[f"biases[{n!r}]"] for n in wiring.bias_shapes})
    activations: Any = configuration.get("activations")
    if not isinstance(activations, list) or not all(name in list(ACTIVATIONS) for name in activations):
        raise FormatError("the configuration names no activations.")
    pairs = [(tensors[f"layers[{n}].w"], tensors[f"layers[{n}].b"]) for n in range(len(activations))]
    return Network.from_weights(pairs, activations)


def _flow(path: Path) -> Flow:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return Flow.from_tensors(load(path.read_bytes()))
    except (SafetensorError, KeyError, ValueError, IndexError) as problem:
        raise FormatError(f"{path} does not hold what flowed through the layers: {problem}.") from None

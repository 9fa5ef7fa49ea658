"""The files of a run: how they are written, and read back only if they are whole and agree with each other.

`weights.safetensors`, `history.jsonl` (one record a line), `configuration.json` and, of a run that was watched,
`flow.safetensors` are what any tool can read. The configuration ends with a checksum of each file, and of itself.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError, DataError, FormatError, OptionError, StorageError
from chainrule.learning.configuration import Configuration
from chainrule.learning.consistency import contradiction
from chainrule.learning.flow import Flow
from chainrule.learning.record import Record
from chainrule.nn.saving import WORDS, put_together, taken_apart
from chainrule.storage import replace_files

__all__ = ["Contents", "read", "write"]

_WEIGHTS, _HISTORY, _CONFIGURATION = "weights.safetensors", "history.jsonl", "configuration.json"
_FLOW = "flow.safetensors"
_FORMAT = 2
_OWN = ("format", *WORDS, "interrupted", "checksums")
_CHANGED = "Save the run again; for weights that were changed on purpose make a network with from_weights."

#: A network, its history, its configuration, whether it was stopped early, what flowed.
Contents = tuple[Any, list[Record], Configuration, bool, Flow | None]


# writing


def write(folder: Path, contents: Contents) -> None:
    """Write the files of a run into a folder. Raises OSError; DataError for a run that could not be read again."""
    from safetensors.numpy import save

    network, history, configuration, interrupted, flow = contents
    if wrong := contradiction(*contents):
        raise DataError(f"this is no run that can be saved: {wrong[1]}.")
    weights, words = taken_apart(network)
    files = {
        _WEIGHTS: save({name: np.asarray(tensor, order="C") for name, tensor in weights.items()}),
        _HISTORY: "".join(_line(record) for record in history).encode(),
        **({} if flow is None else {_FLOW: save(flow.to_tensors())}),
    }
    told = {"format": _FORMAT, **words, "interrupted": interrupted, **configuration}
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    told["checksums"] = sums | {_CONFIGURATION: _checksum(told | {"checksums": sums})}
    files[_CONFIGURATION] = (_dumped(told, indent=2) + "\n").encode()
    replace_files({folder / name: content for name, content in files.items()})
    if flow is None:
        (folder / _FLOW).unlink(missing_ok=True)  # that of a run that was here before


def _line(record: Record) -> str:
    figures = {name: value if value is None else float(value) for name, value in asdict(record).items()}
    return _dumped(figures | {"epoch": int(record.epoch)}) + "\n"


def _dumped(found: Mapping[str, Any], **options: Any) -> str:
    """As JSON, which knows no infinities: what is not a finite number is null."""
    strict = {name: None if isinstance(v, float) and not math.isfinite(v) else v for name, v in found.items()}
    return json.dumps(strict, allow_nan=False, **options)


def _checksum(configuration: Mapping[str, Any]) -> str:
    """The SHA-256 of what a configuration says, in whatever order and spacing, but for its own."""
    return hashlib.sha256(_dumped(configuration, sort_keys=True).encode()).hexdigest()


# reading


def read(folder: Path, template: Any = None) -> Contents:
    """What the files of a run hold, its network like the template if there is one.

    Raises OSError; StorageError or FormatError if they are none, or disagree."""
    contents = {name: _content(folder / name) for name in (_CONFIGURATION, _HISTORY, _WEIGHTS)}
    if (folder / _FLOW).exists():
        contents[_FLOW] = _content(folder / _FLOW)
    told = _object(folder / _CONFIGURATION, contents[_CONFIGURATION])
    if told.get("format") != _FORMAT:
        raise FormatError(f"{folder} holds no run of this version of chainrule: it needs format {_FORMAT}.")
    configuration = _configuration(folder / _CONFIGURATION, told)
    network = _network(folder, contents[_WEIGHTS], told, template)
    history = _history(folder / _HISTORY, contents[_HISTORY], configuration)
    flow = _flow(folder / _FLOW, contents[_FLOW]) if _FLOW in contents else None
    found = network, history, configuration, told["interrupted"], flow
    if wrong := contradiction(*found):
        raise FormatError(f"{folder / _FILES[wrong[0]]} does not belong to this run: {wrong[1]}.")
    _check_sums(folder, told, contents)
    return found


#: The file that each part of a run is in.
_FILES = {"network": _WEIGHTS, "history": _HISTORY, "flow": _FLOW}


def _content(path: Path) -> bytes:
    if not path.exists():
        raise StorageError(f"{path.parent} holds no run: there is no {path}.")
    if not path.is_file():  # a pipe or a device may never end
        raise StorageError(f"{path.parent} holds no run: {path} is no regular file.")
    return path.read_bytes()


def _object(path: Path, content: bytes, line: str = "") -> dict[str, Any]:
    """What a JSON object holds: each name once, and numbers as JSON has them."""
    where = f"{path}{line}"

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        for name, _ in pairs if len(found) < len(pairs) else []:
            if sum(name == other for other, _ in pairs) > 1:
                raise FormatError(f"{where}: {name!a} is there more than once.")
        return found

    def never(constant: str) -> None:
        raise FormatError(f"{where} is no JSON: it has no number {constant}.")

    try:
        found = json.loads(content.decode("utf-8"), object_pairs_hook=once, parse_constant=never)
    except UnicodeDecodeError as problem:
        raise FormatError(f"{where} is no text: {problem}.") from None
    except RecursionError:
        raise FormatError(f"{where} is no JSON that can be read: it is nested too deeply.") from None
    except json.JSONDecodeError as problem:
        raise FormatError(f"{where} is no JSON: {problem}.") from None
    except ValueError as problem:
        if isinstance(problem, ChainruleError):
            raise
        raise FormatError(f"{where} holds a number that cannot be read: {problem}.") from None
    if not isinstance(found, dict):
        raise FormatError(f"{where} holds no JSON object.")
    return found


def _configuration(path: Path, told: Mapping[str, Any]) -> Configuration:
    for name in told:
        if told[name] is None and name != "test_cost":  # which is null if it is no finite number
            raise FormatError(f"{path}: {name!a} must have a value, not null.")
    if not isinstance(told.get("interrupted"), bool):
        raise FormatError(f"{path}: interrupted must be true or false, not {told.get('interrupted')!a}.")
    known = {name: math.nan if value is None else value for name, value in told.items() if name not in _OWN}
    try:
        return Configuration.of(known)
    except OptionError as problem:
        raise FormatError(f"{path}: {problem.what}") from None


def _network(folder: Path, content: bytes, told: Mapping[str, Any], template: Any) -> Any:
    tensors = _tensors(folder / _WEIGHTS, content, "the network's weights")
    where = f"{folder / _WEIGHTS} does not hold the network's weights"
    try:
        return put_together(tensors, told, template)
    except OptionError as problem:
        what = f"{folder / _CONFIGURATION} does not tell the network's structure: {problem.what}"
        raise FormatError(what, cure=problem.cure) from None
    except ValueError as problem:
        told_so = problem.what if isinstance(problem, ChainruleError) else f"{problem}."
        raise FormatError(f"{where}: {told_so}") from None


def _history(path: Path, content: bytes, configuration: Configuration) -> list[Record]:
    *lines, rest = content.split(b"\n")
    if rest:
        raise FormatError(f"{path} is cut off: its last line has no end.")
    return [_record(path, n, line, configuration) for n, line in enumerate(lines, start=1)]


def _record(path: Path, number: int, line: bytes, configuration: Configuration) -> Record:
    found = _object(path, line, f", line {number}")
    names = [f.name for f in fields(Record)]
    if set(found) != set(names):
        raise FormatError(f"{path}, line {number} is no record of an epoch: it must hold {', '.join(names)}.")
    for name, value in found.items():
        if not _fits(name, value):
            raise FormatError(f"{path}, line {number} is no record of an epoch: {name} cannot be {value!a:.80}.")
    costs = ["training_cost", *(["validation_cost"] if configuration.validation_examples else [])]
    figures: dict[str, Any] = {name: None if found[name] is None else float(found[name]) for name in names[1:]}
    return Record(found["epoch"], **figures | {name: math.nan for name in costs if found[name] is None})


def _fits(name: str, value: Any) -> bool:
    """Whether the value is one that a record has under that name."""
    if value is None:
        return name.endswith("accuracy") or name.startswith("validation") or name == "training_cost"
    if name == "epoch":
        return type(value) is int
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def _flow(path: Path, content: bytes) -> Flow:
    what = "what flowed through the layers"
    try:
        return Flow.from_tensors(_tensors(path, content, what))
    except (KeyError, ValueError, IndexError) as problem:
        if isinstance(problem, ChainruleError):
            raise
        raise FormatError(f"{path} does not hold {what}: {problem}.") from None


def _tensors(path: Path, content: bytes, what: str) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        found: dict[str, Any] = load(content)
    except (SafetensorError, KeyError, ValueError, TypeError, AttributeError) as problem:
        raise FormatError(f"{path} does not hold {what}: {type(problem).__name__} {problem!s:.200}.") from None
    return found


def _check_sums(folder: Path, told: Mapping[str, Any], contents: Mapping[str, bytes]) -> None:
    """FormatError for a file that is not the one that was saved."""
    where, sums = folder / _CONFIGURATION, told.get("checksums")
    if not isinstance(sums, dict) or not set(contents) <= set(sums) <= {*contents, _FLOW}:  # which may be deleted
        raise FormatError(f"{where}: checksums must hold one for each of {', '.join(sorted(contents))}.")
    others = {name: total for name, total in sums.items() if name != _CONFIGURATION}
    for name, content in contents.items():
        saved = _checksum(dict(told) | {"checksums": others}) if name == _CONFIGURATION else None
        if sums[name] != (saved or hashlib.sha256(content).hexdigest()):
            raise FormatError(
                f"{folder / name} was changed after it was saved: its checksum is another.", cure=_CHANGED
            )

"""The contestants, and the environment of the peers among them, which is made when it is first needed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from workers import Contestant

__all__ = [
    "DEFAULT_ENVIRONMENT",
    "absent_peers",
    "chainrule",
    "derivatives_peers",
    "present_peers",
    "training_peers",
    "version",
]

DEFAULT_ENVIRONMENT = Path(__file__).resolve().parent / ".peers"
_CPU_WHEELS = "https://download.pytorch.org/whl/cpu"  # PyPI's for Linux bring gigabytes of CUDA along
_PINNED = {"torch": "2.13.0", "jax": "0.10.2", "backpack": "1.7.1"}
_PACKAGES = {"backpack": "backpack-for-pytorch"}  # where a package is not called as its module
_NEED_TORCH = ("torch", "backpack")
_JAX_CACHE = {
    "JAX_COMPILATION_CACHE_DIR": "{folder}",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}

Tell = Callable[[str], None]
Peers = Callable[[Path], list[Contestant]]  # given the Python of their environment


def chainrule(script: str = "worker_chainrule.py") -> Contestant:
    """chainrule, as this Python finds it."""
    cache = {"CHAINRULE_CACHE": "{folder}"}
    python = Path(sys.executable)
    return Contestant("chainrule", "chainrule", "chainrule", python, Path(script), cache, caches_unasked=True)


def training_peers(python: Path) -> list[Contestant]:
    """Who else trains."""
    return [
        Contestant("torch", "PyTorch", "torch", python, Path("worker_torch.py")),
        Contestant("jax", "JAX", "jax", python, Path("worker_jax.py"), _JAX_CACHE),
    ]


def derivatives_peers(python: Path) -> list[Contestant]:
    """Who else computes derivatives beyond the gradient."""
    return [
        Contestant("torch", "PyTorch", "torch", python, Path("derivatives_torch.py")),
        Contestant("backpack", "BackPACK", "backpack", python, Path("derivatives_backpack.py")),
        Contestant("jax", "JAX", "jax", python, Path("derivatives_jax.py"), _JAX_CACHE),
    ]


def present_peers(environment: Path, tell: Tell, peers: Peers = training_peers) -> list[Contestant]:
    """The peers that are, or can be made, present in a virtual environment."""
    python = _python(environment)
    if not python.exists() and not _made(environment, tell):
        return []
    present = []
    for peer in peers(python):
        if version(peer) or _installed(python, peer.module, tell):
            present.append(peer)
            _compare(peer, tell)
    return present


def absent_peers(present: Sequence[Contestant], peers: Peers = training_peers) -> list[str]:
    """The titles of the peers that are not among those present."""
    there = {contestant.name for contestant in present}
    return [peer.title for peer in peers(Path()) if peer.name not in there]


def version(contestant: Contestant) -> str:
    """The version of a contestant's library, without its local part; empty if it is not there."""
    package = _PACKAGES.get(contestant.module, contestant.module)
    asked = f"from importlib.metadata import version; print(version({package!r}))"
    try:
        done = subprocess.run(
            [str(contestant.python), "-c", asked], capture_output=True, text=True, env=contestant.environment()
        )
    except OSError:
        return ""
    return done.stdout.strip().partition("+")[0] if done.returncode == 0 else ""


def _compare(peer: Contestant, tell: Tell) -> None:
    found, wanted = version(peer), _PINNED[peer.module]
    if found != wanted:
        tell(f"{peer.title}: {found} is there, {wanted} is what is compared with elsewhere")


def _python(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _made(environment: Path, tell: Tell) -> bool:
    """Make the virtual environment; whether that went well."""
    tell(f"making the peers' environment in {environment}")
    return _well([sys.executable, "-m", "venv", str(environment)], tell)


def _installed(python: Path, module: str, tell: Tell) -> bool:
    """Install a peer; whether that went well."""
    wanted = [f"{_PACKAGES.get(module, module)}=={_PINNED[module]}", "numpy"]
    if module in _NEED_TORCH:
        wanted += [f"torch=={_PINNED['torch']}", "--extra-index-url", _CPU_WHEELS]
    tell(f"installing {module} {_PINNED[module]}")
    return _well([str(python), "-m", "pip", "install", "--disable-pip-version-check", *wanted], tell)


def _well(command: list[str], tell: Tell) -> bool:
    """Run a command whose output is shown as progress."""
    try:
        return subprocess.run(command, stdout=sys.stderr).returncode == 0
    except OSError as problem:
        tell(str(problem))
        return False

"""The start of a run: processes, seeds and threads, written into the config that the Runner gets."""

import atexit
import gc
import os
import subprocess
from collections.abc import MutableMapping
from typing import Any

import torch
from torch import distributed

from ..registry import near

# launcher -> where it tells a process its rank, the number of processes, and its place on the machine
VARIABLES = {
    "pytorch": ("RANK", "WORLD_SIZE", "LOCAL_RANK"),
    "slurm": ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
    "mpi": ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
}
LAUNCHERS = ("none", *VARIABLES)
DEFAULT_PORT = "29500"


def join_processes(launcher: str) -> None:
    """Join the group of processes that ``launcher`` started: gloo on a CPU, NCCL on GPUs.

    This is done before mmengine can: on a machine without CUDA it fails at choosing a CUDA device.
    """
    if launcher not in LAUNCHERS:
        raise ValueError(f"no launcher is called '{launcher}'; {near(launcher, LAUNCHERS)}")
    if launcher == "none" or distributed.is_initialized():
        return
    try:
        rank, size, local = (os.environ[name] for name in VARIABLES[launcher])
    except KeyError as missing:
        raise ValueError(
            f"--launcher {launcher} needs the variable {missing}; there is none: was it started by it?"
        ) from None
    os.environ.update(RANK=rank, WORLD_SIZE=size, LOCAL_RANK=local)
    os.environ.setdefault("MASTER_PORT", DEFAULT_PORT)
    os.environ.setdefault("MASTER_ADDR", _first_host(launcher))
    for library in ("OMP", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    if torch.cuda.is_available():
        torch.cuda.set_device(int(local) % torch.cuda.device_count())
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    # A process that ends while gloo's threads run is aborted now and then ("terminate called without ...").
    atexit.register(_leave_processes)


def _leave_processes() -> None:
    gc.collect()  # a data-parallel model that nobody uses any more still holds the group
    if distributed.is_initialized():
        distributed.destroy_process_group()


def _first_host(launcher: str) -> str:
    nodes = os.environ.get("SLURM_JOB_NODELIST")
    if launcher != "slurm" or not nodes:
        return "127.0.0.1"
    hosts = subprocess.run(
        ["scontrol", "show", "hostnames", nodes], capture_output=True, text=True, check=True
    )
    return hosts.stdout.split()[0]


def configure(
    config: MutableMapping[str, Any],
    launcher: str = "none",
    seed: int | None = None,
    deterministic: bool = False,
    resume: str | None = None,
    threads: int | None = None,
) -> None:
    """Write the options of a command line into ``config`` and join the other processes, if there are any.

    ``resume`` is None, ``"auto"`` (the newest whole checkpoint of the work directory) or a path.
    """
    if threads:
        torch.set_num_threads(threads)
    config["launcher"] = launcher
    join_processes(launcher)
    if launcher != "none":
        config["model_wrapper_cfg"] = _wrapper(config)
    randomness = dict(config.get("randomness") or {})
    config["randomness"] = {
        **randomness,
        "seed": seed if seed is not None else randomness.get("seed") or 0,
        "deterministic": deterministic or randomness.get("deterministic", False),
    }
    if config["randomness"]["deterministic"]:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS wants for it
    if resume:
        config["resume"] = True
        config["load_from"] = None if resume == "auto" else resume


def _wrapper(config: MutableMapping[str, Any]) -> dict[str, Any]:
    """How the model is made data-parallel: on a CPU it has no device number."""
    return {
        "type": "MMDistributedDataParallel",
        "device_ids": [torch.cuda.current_device()] if torch.cuda.is_available() else None,
        "broadcast_buffers": False,
        "find_unused_parameters": config.get("find_unused_parameters", False),
        **(config.get("model_wrapper_cfg") or {}),
    }

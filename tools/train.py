"""Trains a row, tests its last epoch and writes result.yml."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import command

TRACKERS = {
    "jsonl": ("LocalVisBackend", None),
    "tensorboard": ("TensorboardVisBackend", "tensorboard"),
    "wandb": ("WandbVisBackend", "wandb"),
    "mlflow": ("MLflowVisBackend", "mlflow"),
    "trackio": ("kdbench.engine.trackers.TrackioVisBackend", "trackio"),
}
PRECISIONS = {"auto": "auto", "bf16": "bfloat16", "fp16": "float16"}


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, or ``words`` in its place."""
    parser = command.parser(__doc__)
    command.add_row_arguments(parser)
    command.add_machine_arguments(parser)
    parser.add_argument(
        "--resume",
        nargs="?",
        const="auto",
        help="go on from a checkpoint; without a value: the newest, if any",
    )
    parser.add_argument(
        "--amp",
        nargs="?",
        const="auto",
        choices=PRECISIONS,
        help="mixed precision; auto: what the machine is fast in",
    )
    parser.add_argument(
        "--teacher-speedup",
        nargs="+",
        metavar="MEANS",
        help="auto, or some of fold, channels_last, bf16, compile; sets model.teacher_speedup",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="check everything, take one step, write nothing"
    )
    parser.add_argument("--print-config", action="store_true", help="print the composed config and stop")
    parser.add_argument("--no-validate", action="store_true", help="no validation while training")
    parser.add_argument(
        "--auto-scale-lr",
        action="store_true",
        help="scale the learning rate with the batch size of all processes",
    )
    parser.add_argument(
        "--cache",
        metavar="DIR",
        help="read the teacher from its cache there (tools/cache_teacher.py), not run it",
    )
    parser.add_argument(
        "--build-cache", action="store_true", help="with --cache: build it first if it is not there"
    )
    parser.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        metavar="K",
        help="train these seeds in one pass, in place of --seed; --work-dir gets a folder seed<k> for each",
    )
    parser.add_argument(
        "--tracker", nargs="+", metavar="NAME", choices=TRACKERS, help=f"of {', '.join(TRACKERS)}"
    )
    arguments = parser.parse_args(words)
    if arguments.teacher_speedup:  # a setting of the row: its name and hash tell such runs apart
        arguments.cfg_options += [f"model.teacher_speedup={'+'.join(arguments.teacher_speedup)}"]
    return arguments


def train(arguments: argparse.Namespace) -> int:
    """Compose, train, test, record."""
    if arguments.seeds:
        from cohort import stack

        return stack(arguments)
    config = command.composed(arguments)
    if arguments.print_config:
        print(config.pretty_text)
        return 0
    prepare(config, arguments)
    if arguments.dry_run:
        from rehearsal import rehearse

        return rehearse(config)
    settle(config, arguments)
    metrics = fit(config)
    if metrics is not None:
        print(ended(config, metrics))
    return 0


def settle(config: Any, arguments: argparse.Namespace) -> None:
    """Check where the row starts from, join other processes, put a cache into the teacher's place."""
    from kdbench.engine.launch import configure
    from kdbench.engine.lineage import check_lineage

    check_lineage(config)
    configure(
        config,
        launcher=arguments.launcher,
        deterministic=arguments.deterministic,
        resume=arguments.resume,
        threads=arguments.threads,
    )
    read_cache(config, arguments)
    announce(config)


def ended(config: Any, metrics: dict) -> str:
    """How a run ended, in a line."""
    row = config.row
    return f"{row.name} seed {row.seed}, last epoch: {shown(metrics)}; {config.work_dir}/result.yml"


def prepare(config, arguments: argparse.Namespace) -> None:
    """Write the arguments that are not the row's own into its config."""
    leave_out_idle_loops(config, validate=not arguments.no_validate)
    if config.get("test_dataloader") is None:
        raise ValueError(f"{arguments.config} has no test_dataloader; a row is tested at its last epoch")
    if arguments.amp:
        config.optim_wrapper.update(type="PrecisionOptimWrapper", precision=PRECISIONS[arguments.amp])
    if arguments.tracker:
        config.visualizer = {"type": "Visualizer", "vis_backends": backends(arguments.tracker)}
    if arguments.auto_scale_lr:
        if not config.get("auto_scale_lr", {}).get("base_batch_size"):
            raise ValueError(
                f"--auto-scale-lr: {arguments.config} does not say auto_scale_lr = dict(base_batch_size=...)"
            )
        config.auto_scale_lr.enable = True
    record(config)


def read_cache(config, arguments: argparse.Namespace) -> None:
    """Put a cache into the teacher's place, if one is asked for."""
    if arguments.build_cache and not arguments.cache:
        raise ValueError("--build-cache does not say where; give --cache DIR")
    if arguments.cache:
        from kdbench.cache import attach

        print(f"the teacher is read from {attach(config, arguments.cache, arguments.build_cache)}")


def leave_out_idle_loops(config, validate: bool = True) -> None:
    """Leave out a stage without a loader; mmengine wants loader, loop and evaluator together."""
    for stage, is_wanted in (("val", validate), ("test", True)):
        if not is_wanted or config.get(f"{stage}_dataloader") is None:
            for name in ("dataloader", "cfg", "evaluator"):
                config[f"{stage}_{name}"] = None


def record(config) -> None:
    """Have every run recorded, whether its config asks for it or not."""
    hooks = config.get("custom_hooks") or []
    if not any(
        str(getattr(hook.get("type"), "__name__", hook.get("type"))) == "RecordResult" for hook in hooks
    ):
        config.custom_hooks = [*hooks, {"type": "kdbench.engine.record.RecordResult"}]


def backends(names: list[str]) -> list[dict]:
    """The visualisation backends of these trackers."""
    from importlib.util import find_spec

    from kdbench.spec import MissingPackageError

    for name in names:
        package = TRACKERS[name][1]
        if package and find_spec(package) is None:
            raise MissingPackageError(
                f"the tracker '{name}' needs the package '{package}'; pip install {package}"
            )
    return [{"type": TRACKERS[name][0]} for name in dict.fromkeys(names)]


def announce(config) -> None:
    """Say what differs from the row, and what a smoke run does without."""
    if config.row.swapped or config.row.options:
        print(f"{config.row.path} as {config.row.name}")
    for path in config.row.random_weights:
        print(f"smoke run: {path} is not there, its network is random")


def fit(config) -> dict | None:
    """Train and test; the metrics, in the first process."""
    from mmengine.dist import is_main_process

    from kdbench.engine import Runner
    from kdbench.engine.course import run

    metrics = run(Runner.from_cfg(config))
    return metrics if is_main_process() else None


def shown(metrics: dict) -> str:
    """Metrics in one line."""
    return ", ".join(
        f"{name} {value:.4g}" for name, value in metrics.items() if isinstance(value, int | float)
    )


if __name__ == "__main__":
    sys.exit(command.run(train, parse()))

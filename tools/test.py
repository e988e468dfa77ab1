"""Tests trained weights of a row and writes result.yml."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import command


def parse() -> argparse.Namespace:
    """The command line."""
    parser = command.parser(__doc__ + " A published artefact's folder may stand in the place of a row.")
    command.add_row_arguments(parser)
    command.add_machine_arguments(parser)
    parser.add_argument(
        "checkpoint",
        nargs="?",
        help="a training checkpoint or student.safetensors; default: that of the row's own work directory, "
        "or the weights that the row's student names",
    )
    parser.add_argument(
        "--each-view",
        action="store_true",
        help="also score each view's own decision, and the network without each view in turn",
    )
    for thing, kind in (("view", int), ("modality", str)):
        parser.add_argument(
            f"--drop-{thing}",
            nargs="+",
            type=kind,
            action="append",
            default=[],
            metavar=thing.upper(),
            help=f"also score the network without these ({thing}s); may be given several times",
        )
    parser.add_argument("--dump", metavar="FILE.json", help="write metrics and each sample's scores")
    return parser.parse_args()


def test(arguments: argparse.Namespace) -> None:
    """Compose, load, test, record."""
    from train import leave_out_idle_loops, record, shown

    from kdbench.engine.launch import configure

    artefact = published(arguments)
    config, checkpoint = (artefact.config, str(artefact.weights)) if artefact else chosen(arguments)
    leave_out_idle_loops(config, validate=False)
    leave_out_training(config)
    deprive(config, arguments)
    record(config)
    configure(config, arguments.launcher, deterministic=arguments.deterministic, threads=arguments.threads)
    config.load_from, config.resume = checkpoint, False
    metrics = measure(config, checkpoint)
    if metrics is not None:
        whole = {name: value for name, value in metrics.items() if "/" not in name}
        print(f"{config.row.name} seed {config.row.seed}: {shown(whole)}; {config.work_dir}/result.yml")
        if len(whole) < len(metrics):
            print(parts_table(metrics))
        if arguments.dump:
            dump(Path(arguments.dump), config, metrics)
        if artefact:
            compare(artefact, metrics)


def chosen(arguments: argparse.Namespace) -> tuple[Any, str | None]:
    """The config of the row, and the file whose weights are tested."""
    config = command.composed(arguments)
    checkpoint = arguments.checkpoint or own_weights(config)
    if checkpoint and not Path(checkpoint).is_file():
        raise ValueError(f"there is no checkpoint {checkpoint}")
    if checkpoint and not arguments.work_dir:
        config.work_dir = str(Path(checkpoint).parent / "test")
    return config, checkpoint


def published(arguments: argparse.Namespace) -> Any:
    """The published artefact that is to be tested as it is, if the first argument is a folder."""
    if not Path(arguments.config).is_dir():
        return None
    from kdbench.publishing import load

    changes = ("teacher", "student", "distiller", "cfg_options", "smoke", "seed", "checkpoint")
    values = {name: getattr(arguments, name) for name in changes}
    if given := [name for name, value in values.items() if value or (name == "seed" and value is not None)]:
        raise ValueError(f"a published artefact is tested as it is; leave out: {', '.join(given)}")
    artefact = load(arguments.config)
    artefact.config.work_dir = (
        arguments.work_dir or f"work_dirs/published/{Path(arguments.config).resolve().name}"
    )
    return artefact


def compare(artefact: Any, metrics: dict) -> None:
    """Say whether the scores are those that were published; a ``ValueError`` if they are not."""
    from kdbench.publishing import disagreements

    if found := disagreements(artefact.record, metrics):
        raise ValueError("the scores are not those that were published: " + "; ".join(found))
    print("as published")


def own_weights(config: Any) -> str | None:
    """The student that this row's training wrote; None if the row's student names its weights itself."""
    from kdbench.compose import work_dir
    from kdbench.engine.lineage import read_result, weight_files
    from kdbench.records import RESULT_FILE

    student = Path(work_dir(config), "student.safetensors")
    was_trained = read_result(student.with_name(RESULT_FILE)).get("train") is not None
    if student.is_file() and was_trained:
        return str(student)
    if not list(weight_files(config.model.student)):
        raise ValueError(
            f"no checkpoint was given, {student} is not there, and the row's student names no weights; train it with: "
            f"python tools/train.py {config.row.path} --seed {config.row.seed}"
        )
    return None


def leave_out_training(config: Any) -> None:
    """Take training out of a config, and keep what it says of the labels."""
    from kdbench.engine.lineage import student_labels

    config.labels = student_labels(config)
    for name in ("train_dataloader", "train_cfg", "optim_wrapper", "param_scheduler"):
        config[name] = None


def deprive(config: Any, arguments: argparse.Namespace) -> None:
    """Have the views scored one by one, and the student without what is to be dropped, in the same pass."""
    from kdbench.models.deprived import absence_name

    single = [[view] for view in range(num_views(config))] if arguments.each_view else []
    views = single + [chosen for chosen in arguments.drop_view if chosen not in single]
    cases: list[dict] = [{"views": chosen} for chosen in views]
    cases += [{"modalities": names} for names in arguments.drop_modality]
    if not cases:
        return
    columns = [{"column": "without", "names": [absence_name(case) for case in cases]}]
    columns += [{"column": "view"}] if arguments.each_view else []
    config.model.update(type="kdbench.models.Deprived", without=cases, each_view=arguments.each_view)
    config.test_evaluator = with_parts(config.test_evaluator, columns)


def num_views(config: Any) -> int:
    """How many cameras there are, by the shape (V, T, C, H, W) of what they see."""
    shapes = config.model.data["inputs"]
    found = [shape[0] for shape in shapes.values() if len(shape) == 5]
    if not found:
        listed = ", ".join(f"{name} {tuple(shape)}" for name, shape in shapes.items())
        raise ValueError(f"--each-view is for clips of several cameras (V, T, C, H, W); there is: {listed}")
    return int(found[0])


def with_parts(evaluators: Any, columns: list[dict]) -> list[dict]:
    """The evaluators, and those that read scores once more for each of several scores."""
    from kdbench.evaluation import MeanAP, TopK
    from kdbench.registry import METRICS, find

    evaluators = list(evaluators) if isinstance(evaluators, list | tuple) else [evaluators]
    of_scores = [one for one in evaluators if issubclass(find(METRICS, one["type"]), MeanAP | TopK)]
    if not of_scores:
        names = ", ".join(find(METRICS, one["type"]).__name__ for one in evaluators)
        raise ValueError(f"the test_evaluator has no MeanAP or TopK to score parts with; there is: {names}")
    parts = [
        dict(type="kdbench.evaluation.EachOf", metric=one, **column)
        for column in columns
        for one in of_scores
    ]
    return evaluators + parts


def parts_table(metrics: dict) -> str:
    """The metrics of the whole and, a line each, of its parts."""
    lines: dict[str, dict[str, float]] = {}
    for name, value in metrics.items():
        part, _, metric = name.rpartition("/")
        lines.setdefault(part or "whole", {})[metric] = value
    header = [name for name in lines["whole"] if any(name in v for k, v in lines.items() if k != "whole")]
    cells = [
        [part, *(f"{values[name]:.1f}" if name in values else "" for name in header)]
        for part, values in lines.items()
    ]
    return command.table(["", *header], cells)


def measure(config: Any, checkpoint: str | None) -> dict | None:
    """Test; the metrics, in the first process. Joined networks are also written as one student."""
    from mmengine.dist import is_main_process

    from kdbench.engine import Runner, save_weights
    from kdbench.engine.hooks import STUDENT_FILE, unwrapped
    from kdbench.engine.record import RecordResult

    runner = Runner.from_cfg(config)
    model = unwrapped(runner.model)
    if checkpoint:
        hook = next(hook for hook in runner.hooks if isinstance(hook, RecordResult))
        hook.epochs = trained_epochs(checkpoint, model)
    elif is_main_process():
        save_weights(Path(runner.work_dir, STUDENT_FILE), model.student.state_dict())
    metrics = runner.test()
    return metrics if is_main_process() else None


def trained_epochs(checkpoint: str, model: Any) -> int:
    """For how many epochs the weights were trained, as far as the file says; refuses half of a method."""
    from safetensors import safe_open

    from kdbench.distillers.base import Distiller
    from kdbench.engine import read_checkpoint
    from kdbench.engine.checkpoint import is_checkpoint

    if is_checkpoint(checkpoint):
        return int(read_checkpoint(checkpoint)["meta"]["epoch"])
    if model.distiller is not None and type(model.distiller).predict is not Distiller.predict:
        raise ValueError(
            f"{type(model.distiller).__name__} takes part in inference and is not in {checkpoint}; "
            "give a training checkpoint (step_*.safetensors)"
        )
    if Path(checkpoint).suffix != ".safetensors":
        return 0
    with safe_open(checkpoint, framework="pt") as file:
        return int(json.loads((file.metadata() or {}).get("about", "{}")).get("epochs", 0))


def dump(path: Path, config: Any, metrics: dict) -> None:
    """Metrics, and index, target and scores of every sample, as JSON."""
    from safetensors.torch import load_file

    from kdbench.atomic import write_text
    from kdbench.records import PREDICTIONS_FILE

    columns = load_file(Path(config.work_dir, PREDICTIONS_FILE))
    lists = {name: column.tolist() for name, column in columns.items()}
    samples = [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]
    content = {"row": config.row.name, "seed": config.row.seed, "metrics": metrics, "samples": samples}
    write_text(path, json.dumps(content, indent=1))


if __name__ == "__main__":
    sys.exit(command.run(test, parse()))

"""The model card of an artefact: what it is, how it was made, what it scores and what it must not be taken for."""

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..compat import load_huggingface_hub
from ..spec import SINGLE_LABEL

HUB_NAMESPACE = "kdbench"  # of data sets on the hub that a leaderboard may be kept for
METRIC_TYPES = {
    "top1": "accuracy",
    "mAP_C": "mean_average_precision",
}  # as the hub calls them; others keep their name
SYNTHETIC = re.compile(r"^Rooms")
UNKNOWN_NOTICE = {
    "licence": "other",
    "text": "The data part says nothing of the licence of its data; ask whoever made them.",
}
RECONSTRUCTED = re.compile(r"reconstruct", re.I)
Tree = dict[str, Any]


def slug(text: str) -> str:
    """Lower case, words joined by one hyphen.

    >>> slug("CIFAR-10 (JPEG copy)")
    'cifar-10-jpeg-copy'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def task_of(record: Mapping[str, Any]) -> str:
    """The hub's word for the task."""
    return "image-classification" if "image" in record["student"]["input_shapes"] else "video-classification"


def eval_results(record: Mapping[str, Any]) -> list[Any]:
    """One ``EvalResult`` a metric of the last epoch, and of the validation-selected one where there is one."""
    hub, data = load_huggingface_hub(), record["data"]
    rules = {"last epoch": record["metrics"]}
    if record.get("selected"):
        rules["epoch selected on the validation split"] = record["selected"]["metrics"]
    return [
        hub.EvalResult(
            task_type=task_of(record),
            dataset_type=f"{HUB_NAMESPACE}/{slug(data['name'])}",
            dataset_name=data["name"],
            dataset_config=slug(data["protocol"] or "default"),
            dataset_split="test",
            dataset_args={"labels": data["labels"], "rule": rule},
            metric_type=METRIC_TYPES.get(name, name),
            metric_name=name,
            metric_value=round(float(value), 4),
        )
        for rule, metrics in rules.items()
        for name, value in metrics.items()
        if isinstance(value, int | float)
    ]


def leaderboard_yaml(record: Mapping[str, Any]) -> str:
    """The primary metric in the form that the hub's leaderboards read (``.eval_results/*.yaml``)."""
    hub, data = load_huggingface_hub(), record["data"]
    entry = hub.EvalResultEntry(
        dataset_id=f"{HUB_NAMESPACE}/{slug(data['name'])}",
        task_id=slug(data["protocol"] or "default"),
        value=round(float(record["metrics"][record["primary"]]), 4),
        date=record["repro"].get("created_utc"),
        notes=f"{record['primary']}, last epoch, labels: {data['labels']}, seed {record['seed']}",
    )
    return str(hub.utils.yaml_dump(hub.eval_result_entries_to_yaml([entry])))


def card(
    record: Mapping[str, Any],
    name: str,
    weights: str,
    notice: Mapping[str, str] | None,
    about_method: str = "",
    doubts: Sequence[str] = (),
    forced: str | None = None,
) -> str:
    """The whole of README.md; text that hub's own reader of cards refuses is a ``ValueError``."""
    hub, notice = load_huggingface_hub(), notice or UNKNOWN_NOTICE
    other = notice["licence"] == "other"
    data = hub.ModelCardData(
        library_name="kdbench",
        license=notice["licence"],
        license_name="see-the-notice-on-data" if other else None,
        pipeline_tag=task_of(record),
        tags=sorted({"kdbench", "knowledge-distillation", record["row"].split("/")[0]}),
        model_name=name,
        eval_results=eval_results(record),
    )
    warning = _warning(doubts, forced)
    sections = {
        "Scores": _scores(record),
        "Use": _use(name, weights),
        "How it was made": _making(record),
        "Limits": _bullets(limits(record, about_method)),
        "Licence and data": f"{_safe(notice['text'])} The code that made it is under Apache-2.0.\n",
    }
    body = "\n".join(f"## {title}\n\n{text}" for title, text in sections.items())
    text = f"---\n{data.to_yaml()}\n---\n\n# {_safe(name)}\n\n{warning}{_summary(record)}\n\n{body}"
    check(text)
    return text


def check(text: str) -> None:
    """Refuse a card that hub's reader does not take back as it was written, scores included."""
    hub = load_huggingface_hub()
    read = hub.ModelCard(text)
    again = hub.ModelCard(f"---\n{read.data.to_yaml()}\n---\n{read.text}")
    if not read.data.eval_results or read.data.eval_results != again.data.eval_results:
        raise ValueError(
            "the card's scores are not read back; there is: a metric of no known form in result.yml"
        )


def limits(record: Mapping[str, Any], about_method: str) -> list[str]:
    """What the scores do not say."""
    data, teacher = record["data"], record.get("teacher")
    found = [f"One run with seed {record['seed']}; the spread over seeds stands in the model zoo of kdbench."]
    if SYNTHETIC.match(data["name"]):
        found.append(
            "The data are synthetic: they show how a method behaves, not how well it recognises people."
        )
    found.append(f"Labels that the student saw: {_safe(data['labels'])}.")
    if teacher and data.get("teacher_labels"):
        found.append(f"Labels that the teacher saw: {_safe(data['teacher_labels'])}.")
    if RECONSTRUCTED.search(about_method):
        found.append("The method is a reconstruction of its paper; see its page in docs/distillers.")
    if data["task"] != SINGLE_LABEL:
        found.append("Several labels may hold at once; scores are one probability a label.")
    found.append(
        "Classes, cameras, sensors and people are those of the data set; nothing is known beyond it."
    )
    return found


def _summary(record: Mapping[str, Any]) -> str:
    data, student = record["data"], record["student"]
    teacher, method = (record.get("teacher") or {}).get("type"), record.get("distiller")
    taught = f", taught by {_safe(teacher)} with {_safe(method)}" if teacher and method else ""
    reads = ", ".join(f"{name} {tuple(shape)}" for name, shape in student["input_shapes"].items())
    cost = f"{student['params']:,} parameters, {student['gflops']:.4g} GFLOPs a sample"
    protocol = _safe(data["protocol"] or "of the data")
    return (
        f"{_safe(student['type'])} ({cost}){taught}, trained on {_safe(data['name'])}, protocol {protocol}. "
        f"It reads {_safe(reads)}."
    )


def _scores(record: Mapping[str, Any]) -> str:
    selected = record.get("selected") or {"metrics": {}}
    header = ["metric", "last epoch", *(["selected on validation"] if selected["metrics"] else [])]
    lines = [header, ["---"] * len(header)]
    for name, value in record["metrics"].items():
        cells = [value, *([selected["metrics"].get(name)] if selected["metrics"] else [])]
        lines.append(
            [_safe(name), *(f"{cell:.4f}" if isinstance(cell, int | float) else "–" for cell in cells)]
        )
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{table}\n\n{record['data']['num_test']} test samples. The test split selected nothing.\n"


def _use(name: str, weights: str) -> str:
    code = f'from kdbench.publishing import load\n\nstudent = load("{name}").student  # an nn.Module in eval mode'
    return (
        f"`{weights}` holds the weights, `config.json` what they belong to, as data: loading runs nothing of "
        f"this folder.\n\n```python\n{code}\n```\n\n```bash\npython tools/test.py {name}\n```\n"
    )


def _making(record: Mapping[str, Any]) -> str:
    repro, environment = record["repro"], record["environment"]
    packages = ", ".join(f"{name} {version}" for name, version in environment["packages"].items())
    lines = [
        f"Commit: {_safe(repro['git_commit'])}{' with uncommitted changes' if repro['git_dirty'] else ''}.",
        f"Epochs: {record['epochs']}, steps: {record['steps']}.",
        f"Device: {_safe(environment['device_name'])}, {environment['threads']} threads, "
        f"precision {_safe(environment['precision'])}.",
        f"Packages: {_safe(packages)}.",
        f"Hash of the row: {_safe(record['config']['sha256'])}.",
        *_teachers(record),
    ]
    return f"{_fenced(repro['command'])}\n{_bullets(lines)}"


def _teachers(record: Mapping[str, Any]) -> list[str]:
    origins = (record.get("teacher") or {}).get("origins", [])
    return [
        f"Teacher: {_safe(found.get('row') or found['path'])}, SHA-256 {_safe(found['sha256'])}."
        for found in origins
    ]


def _warning(doubts: Sequence[str], forced: str | None) -> str:
    if not doubts:
        return ""
    reason = _safe(forced or "no reason was given")
    return f"> **Not reliable:** {_safe('; '.join(doubts))}. Published all the same: {reason}.\n\n"


def _fenced(code: str) -> str:
    """Code between fences longer than any in it."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", code)), default=0))
    return f"{fence}bash\n{code}\n{fence}\n"


def _bullets(lines: Iterable[str]) -> str:
    return "".join(f"- {line}\n" for line in lines)


def _safe(text: Any) -> str:
    """Text that is no markup, on one line."""
    return re.sub(r"([\\`*\[\]|])", r"\\\1", html.escape(" ".join(str(text).split()), quote=False))

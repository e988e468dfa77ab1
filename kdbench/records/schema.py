"""What a ``result.yml`` says, as pydantic models; ``docs/result.schema.json`` is made from them.

Version 2 added ``run_id``, the modalities and views of both networks, hashes of the labels, the number of recordings
and the counts of substituted ones. All of it may be absent in records of version 1.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

SCHEMA_VERSION = 2
READABLE = (1, 2)
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]
Metrics = dict[str, float]
Parts = dict[str, str | None]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Row(_Model):
    """Which row ran, and how it differed from its file."""

    path: str
    parts: Parts
    swapped: Parts
    options: dict[str, Any]
    smoke: bool
    seed: int
    sha256: Sha256
    lone_student: str | None = None
    random_weights: list[str]
    starts_from: str | None = None


class Hashes(_Model):
    """SHA-256 of the labels of a split, in the order of its clips."""

    train: Sha256 | None = None
    test: Sha256 | None = None


class Substituted(_Model):
    """How many recordings were put a substitute for, by kind of defect."""

    train: dict[str, Count] = {}
    test: dict[str, Count] = {}


class Data(_Model):
    """What was trained and tested on, and whose labels were seen."""

    name: str
    protocol: str | None
    labels: str
    teacher_labels: str | None
    task: Literal["single-label", "multi-label"]
    num_classes: Count
    classes: Annotated[list[str] | None, Field(description="their names, in the order of their numbers")] = (
        None
    )
    num_test: Count
    num_train: Count | None = None
    num_labelled: Count | None = None
    num_recordings: Annotated[Count | None, Field(description="of the test split")] = None
    index_sha256: Hashes | None = None
    substituted: Substituted | None = None


class Origin(_Model):
    """A weight file, and what the run that wrote it says of itself; ``row`` is null where that is not known."""

    path: str
    sha256: Sha256
    row: str | None
    seed: int | None = None
    labels: str | None = None
    protocol: str | None = None
    parts: Parts | None = None
    metrics: Metrics | None = None


class Network(_Model):
    """A network and the cost of one sample's forward pass."""

    type: str
    params: Count
    gflops: Annotated[float, Field(ge=0)]
    gmacs: Annotated[float, Field(ge=0)]
    input_shapes: dict[str, list[Count]]
    modalities: list[str] | None = None
    views: Count | None = None
    origins: list[Origin]


class TeacherCache(_Model):
    """The cache that training read the teacher from; it was not run. Absent where it was."""

    key: Annotated[Sha256, Field(description="hash of teacher, data, draws, code and form")]
    dtype: Literal["float16", "float32"]
    taps: list[str]
    records: Count
    draws: Annotated[Count | None, Field(description="after how many epochs augmentation repeats")] = None
    top_k: Annotated[Count | None, Field(description="logits kept as they are; the rest is their mass")] = (
        None
    )


class TeacherSpeedup(_Model):
    """How training asked the teacher faster than it computes by itself. Absent where it did not."""

    asked: Annotated[list[str] | Literal["auto"], Field(description="what the row asks for")]
    means: Annotated[list[str], Field(description="what was taken; none: the plain teacher")]
    agreement: Annotated[float, Field(description="share of its decisions on training clips", ge=0, le=1)]
    error: Annotated[float, Field(description="of logits and taps, relative to the largest", ge=0)]


class Student(Network):
    """The trained network."""

    sha256: Sha256 | None


class Selected(_Model):
    """The epoch that the validation split selected, and its scores on the test split."""

    epoch: Count | None = None
    metric: str | None = None
    value: float | None = None
    metrics: Metrics
    predictions: "Saved | None" = None


class Start(_Model):
    """The run that this one goes on from."""

    path: str
    row: str
    config_sha256: Sha256
    labels: str
    protocol: str | None
    epochs: Count
    steps: Count
    wall_seconds: Seconds
    cpu_seconds: Seconds


class Train(_Model):
    """Time and memory of training."""

    wall_seconds: Seconds
    cpu_seconds: Seconds | None = None
    samples_per_second: Seconds | None
    peak_memory_mb: Count
    peak_gpu_memory_mb: Count | None
    cohort: Annotated[
        Count | None,
        Field(description="runs that shared the process, its batches and its teacher; null: alone"),
    ] = None


class Environment(_Model):
    """Where and how the run computed."""

    device: str
    device_name: str
    processor: str
    threads: Count
    processes: Count
    precision: str
    deterministic: bool | None
    packages: dict[str, str]


class Repro(_Model):
    """Code and command; null outside of a repository."""

    git_commit: str | None
    git_dirty: bool | None
    command: str
    created_utc: str | None = None


class Saved(_Model):
    """A file of predictions beside the record."""

    path: Annotated[str, Field(pattern=r"^[^/\\]+$")]
    sha256: Sha256
    n: Count


class _Record(_Model):
    schema_version: Literal[1, 2]
    run_id: Annotated[Sha256 | None, Field(description="hash of all but clocks and command")] = None
    row: str
    config: Row | None
    seed: int | None
    epochs: Count
    steps: Count

    @model_validator(mode="after")
    def _names_itself(self) -> "_Record":
        if self.schema_version >= 2 and self.run_id is None:
            raise ValueError("a record of version 2 has a run_id")
        return self


class Result(_Record):
    """A run that ended well."""

    status: Literal["ok"]
    data: Data
    primary: str | None
    metrics: Metrics
    selected: Selected | None
    teacher: Network | None
    teacher_cache: TeacherCache | None = None
    teacher_speedup: TeacherSpeedup | None = None
    student: Student
    distiller: str | None
    start: Start | None = None
    train: Train | None
    environment: Environment
    repro: Repro
    predictions: Saved | None = None

    @model_validator(mode="after")
    def _has_its_primary_metric(self) -> "Result":
        if self.primary is not None and self.primary not in self.metrics:
            raise ValueError(f"the primary metric '{self.primary}' is not among: {', '.join(self.metrics)}")
        return self


class Failure(_Record):
    """A run that did not: what became of it and why; it holds no metric."""

    status: Literal["diverged", "failed", "preempted", "invalid"]
    reason: str
    repro: Repro


Record = TypeAdapter[Result | Failure](Annotated[Result | Failure, Field(discriminator="status")])


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a record."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "result.yml",
        **Record.json_schema(),
    }

"""The one model that the runner trains: a student, and a teacher and a distiller if there are any."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from ..distillers.base import Distiller
from ..losses import default_task_loss, probabilities
from ..registry import DISTILLERS, LOSSES, MODELS, build, find
from ..spec import LESSON, DataSpec, Fields, IncompatibleError, MissingWeightsError, Needs, refuse
from ..weights import RANDOM, load_weights
from . import checks
from .cohort import Lesson
from .preprocessor import Preprocessor
from .role import MEMBERS, Role, in_full
from .speedup import Around, Speedup, Tryout, Verdict

TASK_LOSS = "the task loss"


@MODELS.register_module()
class Distillation(BaseModel):
    """``task_weight * task(student) + distill_weight * distiller(student, teacher)``.

    Without ``teacher`` and ``distiller`` this is plain supervised training, so baselines and teachers go through the
    same class, hooks and evaluators. A teacher without a distiller is only compared with (``predict_teacher=True``).

    ``data`` is a ``DataSpec`` (or its keywords); ``student``, ``teacher``, ``distiller``, ``task_loss`` and
    ``preprocessor`` are configs. Everything is checked on construction (``IncompatibleError`` lists all problems)
    before any weight is read; ``load_weights=False`` stops after the checks.

    The teacher is always in eval mode, has no gradients and is in no checkpoint: it comes from its own file.

    A batch with the field ``lesson``, what the teacher said of it by tap, is not shown to the teacher. ``cached=True``
    promises it of every batch in training: the teacher is then built for the checks, and let go unread. A ``Lesson`` of
    ``cohort.py`` in that field asks the teacher once for several students.

    ``teacher_speedup`` (see ``Speedup``) is what ``speed_up`` may do to make training ask a faster copy of the teacher;
    ``predict`` and the teacher's own weights stay as they are.
    """

    def __init__(
        self,
        data: DataSpec | dict,
        student: dict,
        teacher: dict | None = None,
        distiller: dict | None = None,
        task_loss: dict | None = None,
        task_weight: float = 1.0,
        distill_weight: float = 1.0,
        preprocessor: dict | None = None,
        predict_teacher: bool = False,
        load_weights: bool = True,
        cached: bool = False,
        teacher_speedup: str | Sequence[str] | Mapping[str, Any] | Speedup | None = None,
    ):
        super().__init__(build(MODELS, {"type": Preprocessor, **(preprocessor or {})}))
        self.data = data if isinstance(data, DataSpec) else DataSpec(**data)
        self.task_weight, self.distill_weight, self.predict_teacher = (
            task_weight,
            distill_weight,
            predict_teacher,
        )
        self.cached = False
        self.task = build(LOSSES, task_loss) if task_loss else default_task_loss(self.data.task)
        self._roles = {"student": Role("student", student, self.data)}
        self.student = self._roles["student"].model
        self.teacher: nn.Module | None = None
        if teacher:
            self._roles["teacher"] = Role("teacher", teacher, self.data)
            self.teacher = self._roles["teacher"].model.requires_grad_(False)
        distiller = dict(distiller or {})
        is_file = isinstance(distiller.get("weights"), str)  # those of Sum are numbers
        self._distiller_weights = distiller.pop("weights") if is_file else None
        self.distiller = self._fitted(distiller or None)
        self._keep_teacher_out_of_checkpoints()
        self.train(self.training)
        self._lend_heads()
        checks.rehearse(self, self.data)
        self.cached = cached  # only now: a rehearsal has no lesson
        self.teacher_speedup = self._checked_speedup(teacher_speedup)
        self.sped_up: Verdict | None = None
        if cached and not predict_teacher:
            self._let_teacher_go()
        if load_weights:
            self._load_weights()
            self._lend_heads()  # a method may have copied the weights of before

    def _checked_speedup(self, asked: Any) -> Speedup | None:
        if not asked:
            return None
        speedup = Speedup.of(asked)
        if not self.learns_from_teacher:
            why = "its teacher is read from a cache" if self.cached else "training asks no teacher"
            raise IncompatibleError(f"teacher_speedup is set, and {why}; leave one of them out")
        return speedup

    def speed_up(
        self,
        batches: Sequence[Any],
        steps: int = 0,
        around: Around = nullcontext,
        say: Callable[[str], None] = print,
        taken: Sequence[str] | None = None,
    ) -> None:
        """Have training ask a faster copy of the teacher, as ``teacher_speedup`` says; ``sped_up`` is what was taken.

        ``batches`` of training are what it is tried on, ``steps`` are left to be trained inside of ``around()``.
        ``taken`` are means that an earlier call chose: a run that goes on takes the same.
        """
        if self.teacher_speedup is None:
            return
        speedup, inputs = self.teacher_speedup, [self.data_preprocessor(b, True)["inputs"] for b in batches]
        if taken is not None:
            speedup = replace(speedup, means=tuple(taken))
        role = self._roles["teacher"]
        self.sped_up = Tryout(role, speedup, inputs, self.data.task, around, steps, say).run()

    @property
    def reads(self) -> tuple[str, ...]:
        """The modalities that the student or the teacher reads, in the data's order."""
        return tuple(
            name for name in self.data.inputs if any(name in role.reads for role in self._roles.values())
        )

    def _fitted(self, config: dict | None) -> Distiller | None:
        """Check everything by name, probe the models, and build the distiller with what they settle."""
        kind = find(DISTILLERS, config["type"]) if config else None
        needs = kind.needs_for(config) if kind else Needs(student=(), teacher=())
        reader = kind.__name__ if kind else "the distiller"
        problems, subject = self._pairing_problems(kind, needs), self._subject(kind)
        outputs = {}
        for role in self._roles.values():
            wanted = {reader: getattr(needs, role.name)}
            if role.name == "student":
                wanted[TASK_LOSS] = self.task.needs.student
            with checks.naming(subject, self.data):
                outputs[role.name], found = checks.examined(
                    role, wanted, self.data, needs.compares(role.name)
                )
            problems += found
            for name in needs.heads:
                if name.removesuffix(MEMBERS) == role.name:
                    problems += checks.head_problems(reader, role, name)
        refuse(subject, self.data.name, problems)
        if kind is None:
            return None
        with checks.naming(subject, self.data):
            complete = kind.complete(config, outputs["student"], outputs.get("teacher", Fields()), self.data)
            return build(DISTILLERS, complete)

    def _subject(self, kind: type[Distiller] | None) -> str:
        """Who works together, for messages."""
        roles = [f"{role.name} {type(role.model).__name__}" for role in self._roles.values()]
        return f"{kind.__name__} ({', '.join(roles)})" if kind else type(self.student).__name__

    def _lend_heads(self) -> None:
        if self.distiller is not None:
            with checks.naming(self._subject(type(self.distiller)), self.data):
                names = self.distiller.needs.heads
                roles = self._roles
                self.distiller.borrow(**{n: roles[n.removesuffix(MEMBERS)].lent(n) for n in names})

    def _pairing_problems(self, kind: type[Distiller] | None, needs: Needs) -> list[str]:
        problems = checks.data_problems(kind.__name__, needs, self.data) if kind else []
        problems += checks.data_problems(TASK_LOSS, self.task.needs, self.data)
        if kind and needs.teacher and self.teacher is None:
            problems.append(f"{kind.__name__} learns from a teacher; the row has none; give one")
        if self.teacher is not None and not kind and not self.predict_teacher:
            problems.append(
                "the row has a teacher and no distiller to learn from it; give one, or predict_teacher=True to compare "
                "with the teacher only"
            )
        return problems

    def _keep_teacher_out_of_checkpoints(self) -> None:
        def drop(module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
            for key in [key for key in state if key.startswith(f"{prefix}teacher.")]:
                del state[key]

        def forgive(module: nn.Module, incompatible: Any) -> None:
            incompatible.missing_keys[:] = [key for key in incompatible.missing_keys if "teacher." not in key]

        self.register_state_dict_post_hook(drop)
        self.register_load_state_dict_post_hook(forgive)

    def _let_teacher_go(self) -> None:
        """Keep no teacher, and read none of the modalities that only it reads."""
        self.teacher = None
        self._roles.pop("teacher", None)

    def _load_weights(self) -> None:
        for role in self._roles.values():
            if role.weights not in (None, RANDOM):
                load_weights(role.model, role.weights)
            elif role.weights is None:
                self._load_parts(role)
                role.load_start()
        self._load_distiller()

    @staticmethod
    def _load_parts(role: Role) -> None:
        """Read the files that parts of a network name; a teacher needs them for all of it."""
        if role.name == "teacher" and not getattr(role.model, "has_own_weights", False):
            raise MissingWeightsError(
                f"the teacher {type(role.model).__name__} has no weights; "
                'give a file, or weights="random" if it is meant to be untrained'
            )
        if hasattr(role.model, "load_own_weights"):
            role.model.load_own_weights()

    def _load_distiller(self) -> None:
        if self.distiller is None:
            return
        if self._distiller_weights not in (None, RANDOM):
            load_weights(self.distiller, self._distiller_weights)
        elif self._distiller_weights is None and self.distiller.needs_weights:
            raise MissingWeightsError(
                f"{type(self.distiller).__name__} goes on from what an earlier row learned and has no weights; give "
                'the distiller.safetensors of that row (starts_from does), or weights="random" if it is meant to be '
                "untrained"
            )

    def train(self, mode: bool = True) -> "Distillation":
        super().train(mode)
        if self.teacher is not None:
            self.teacher.eval()
        return self

    def forward(self, inputs: Mapping[str, Tensor], mode: str = "tensor", **fields: Any) -> Any:
        """``"loss"`` gives a dict of scalars, ``"predict"`` a list with a dict a sample, ``"tensor"`` the logits."""
        if mode == "loss":
            return self._losses(inputs, Fields(fields))
        with torch.set_grad_enabled(torch.is_grad_enabled() and mode != "predict"):
            student = self._decided(self._roles["student"], inputs)
            return student.logits if mode == "tensor" else self._predictions(inputs, student, fields)

    def parse_losses(self, losses: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum of what is called a loss, and all values to be logged; scalars, as ours are, need no mean."""
        values = {name: value.mean() if value.ndim else value for name, value in losses.items()}
        wanted = [value for name, value in values.items() if "loss" in name]
        total = sum(wanted[1:], start=wanted[0])
        return total, {"loss": total, **values}

    def _decided(self, role: Role, inputs: Mapping[str, Tensor]) -> Fields:
        """The outputs at test time; a distiller that takes part in inference has made the logits."""
        tapped = self.distiller is not None and type(self.distiller).predict is not Distiller.predict
        student = role(inputs, tapped=tapped)
        student["logits"] = self._logits(student)
        return student

    def _logits(self, student: Fields) -> Tensor:
        return student.logits if self.distiller is None else self.distiller.predict(student)

    def _losses(self, inputs: Mapping[str, Tensor], batch: Fields) -> dict[str, Tensor]:
        # The teacher first: between the student's forward and backward it would drive the student's activations out of
        # the processor's cache, and hold its own beside them.
        lesson = self.lesson(inputs, batch)
        return self.losses(self._roles["student"](inputs), lesson, batch)

    def lesson(self, inputs: Mapping[str, Tensor], batch: Fields) -> Fields:
        """What the teacher says of a batch, or was heard to say: then it is taken out of ``batch``."""
        given = batch.pop(LESSON, None)
        return Fields() if self.distiller is None else self._lesson(inputs, given)

    def losses(self, student: Fields, lesson: Fields, batch: Fields) -> dict[str, Tensor]:
        """The losses of what the student gave, beside what the teacher said; ``batch`` has all other fields."""
        predicted = Fields({**student, "logits": self._logits(student)})
        losses = self._task_losses(predicted, batch)
        if self.distiller is not None:
            terms = self.distiller(student, lesson, batch)
            losses.update({name: self.distill_weight * value for name, value in terms.items()})
        return losses

    def _task_losses(self, student: Fields, batch: Fields) -> dict[str, Tensor]:
        return {name: self.task_weight * value for name, value in self.task(student, batch).items()}

    def _lesson(
        self, inputs: Mapping[str, Tensor], given: "Mapping[str, Any] | Lesson | None" = None
    ) -> Fields:
        """What the distiller reads of the teacher; nothing runs for a method that reads nothing."""
        if isinstance(given, Mapping):
            return in_full(given)
        if self.cached:
            raise IncompatibleError(
                f"the model was built with cached=True and a batch has no '{LESSON}'; train it with "
                "tools/train.py --cache, or build it with cached=False"
            )
        if not self.learns_from_teacher:
            return Fields()
        return self._teach(inputs) if given is None else given.of(self._roles["teacher"], inputs)

    @property
    def learns_from_teacher(self) -> bool:
        """Whether training runs the teacher."""
        reads = self.distiller is not None and bool(self.distiller.needs.teacher)
        return self.teacher is not None and reads and not self.cached

    def _teach(self, inputs: Mapping[str, Tensor]) -> Fields:
        # no_grad, not inference_mode: an inference tensor cannot be saved for the student's backward.
        with torch.no_grad():
            return self._roles["teacher"](inputs)

    def _predictions(
        self, inputs: Mapping[str, Tensor], student: Fields, fields: Mapping[str, Any]
    ) -> list[dict]:
        columns = {"logits": student.logits.float(), **fields}
        columns["score"] = probabilities(columns["logits"], self.data.task)
        for level in ("frame", "view"):
            if f"{level}_logits" in student:
                columns[f"{level}_score"] = probabilities(student[f"{level}_logits"].float(), self.data.task)
        if "view_shown" in student:
            columns["view_shown"] = student.view_shown
        if "frame_logits" in student:
            columns["frame_logits"] = student.frame_logits.float()
        if self.predict_teacher and self.teacher is not None:
            taught = self._roles["teacher"](inputs, tapped=False)
            columns["teacher_logits"] = taught.logits.float()
            if "frame_logits" in taught:
                columns["teacher_frame_logits"] = taught.frame_logits.float()
        return [{name: column[i] for name, column in columns.items()} for i in range(len(student.logits))]

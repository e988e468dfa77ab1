"""kdbench inside mmaction2: ``custom_imports = dict(imports="kdbench.mmaction")`` in one of its configs.

Importing this loads mmaction2 with what it needs beside a current torch, and registers ``kdbench.DistilledRecognizer``.
``M`` clips or crops of a video, ``N`` frames, ``K`` classes; other letters as in docs/conventions.md.
"""

import copy
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor, nn

from .backbones.external import FAMILIES
from .backbones.external.axes import to_map
from .backbones.external.building import grid_of_tokens
from .backbones.external.families import matching
from .compat import (
    load_scope,
    mmengine_checkpoint,
    provide_mmengine_loading,
    provide_torchvision_operators,
)
from .distillers.base import Distiller
from .models import Distillation
from .registry import MODELS
from .spec import MULTI_LABEL, SINGLE_LABEL, DataSpec, Fields, IncompatibleError, MissingWeightsError
from .weights import RANDOM

load_scope("mmaction")
provide_mmengine_loading()
provide_torchvision_operators()  # mmengine's runner asks torchvision for its version where it is installed

CLIP = "clip"  # what recognizers read, and how their preprocessors lay it out
STUDENT = "student.net."
Network = str | Path | Mapping[str, Any]


class Recognizer(nn.Module):
    """A recognizer of mmaction2 in a role: a clip in, logits ``(B, K)`` out.

    Args:
        network: its config, the ``model`` of an mmaction2 config.
        weights_file: a checkpoint of it; ``None`` leaves it as it is.
        given: the config of the preprocessor that clips come from, where it is not its own.
        places: more taps, or others than the following; a role's own ``taps`` would take the place of all.

    Taps: ``embedding`` ``(B, D)``, what the last linear layer of its head reads (a mean where it reads frame by frame);
    ``stages``, maps ``(B, C, ...)``, of every backbone in ``families.py``.
    """

    reads = (CLIP,)

    def __init__(
        self,
        network: Mapping[str, Any],
        weights_file: str | None = None,
        given: Mapping[str, Any] | None = None,
        places: Mapping[str, str | Sequence[str]] | None = None,
    ):
        from mmaction.registry import MODELS as NETWORKS

        super().__init__()
        self.net = NETWORKS.build({**copy.deepcopy(dict(network)), "_scope_": "mmaction"})
        self.weights_file = weights_file
        own = network.get("data_preprocessor") or {}
        differs = given is not None and _statistics(given) != _statistics(own)
        self.given = NETWORKS.build({**dict(given), "_scope_": "mmaction"}) if given and differs else None
        family = FAMILIES.get(f"mmaction.{type(self.net.backbone).__name__}")
        inside = [place for place, _ in self.net.backbone.named_modules()]
        self.stage_places = matching(family.stages, inside) if family else []
        self.stage_axes = family.stage_axes if family else ""
        self.stages = nn.ModuleList(nn.Identity() for _ in self.stage_places)  # places to tap
        linear = [p for p, m in self.net.cls_head.named_modules() if isinstance(m, nn.Linear)]
        self.last = linear[-1] if linear else None
        self.embedding = nn.Identity()
        self.taps = {
            **self._known_taps(),
            **{name: _below_net(place) for name, place in (places or {}).items()},
        }

    def _known_taps(self) -> dict[str, str | Sequence[str]]:
        stages = [f"stages.{i}" for i in range(len(self.stages))]
        return {**({"stages": stages} if stages else {}), **({"embedding": "embedding"} if self.last else {})}

    @property
    def has_own_weights(self) -> bool:
        """Whether a file has all of its weights."""
        return self.weights_file is not None

    def load_own_weights(self) -> None:
        """Read its checkpoint, if there is one; nothing in the file is executed."""
        if self.weights_file is None:
            return
        if not Path(self.weights_file).is_file():
            raise MissingWeightsError(
                f"there is no weight file {self.weights_file}; train the teacher, or name another"
            )
        state = mmengine_checkpoint(Path(self.weights_file))["state_dict"]
        state = {key: value for key, value in state.items() if not key.startswith("data_preprocessor.")}
        try:
            self.net.load_state_dict(state)
        except RuntimeError as error:
            raise MissingWeightsError(f"{self.weights_file} does not fit its config: {error}") from error

    def forward(self, clip: Tensor) -> Tensor:
        seen: dict[str, Any] = {}
        with ExitStack() as hooks:
            for place in self.stage_places:
                module = self.net.backbone.get_submodule(place)
                hooks.callback(module.register_forward_hook(_keeping(place, seen)).remove)
            if self.last is not None:
                reader = self.net.cls_head.get_submodule(self.last)
                hooks.callback(reader.register_forward_hook(_keeping_input(seen)).remove)
            logits = self.net(self.own_view(clip), mode="tensor", stage="head")
        for stage, place in zip(self.stages, self.stage_places, strict=True):
            tokens, grid = grid_of_tokens(seen[place])
            stage(to_map(tokens, self.stage_axes, len(clip), grid))
        if self.last is not None:
            self.embedding(seen[""].reshape(len(clip), -1, seen[""].shape[-1]).mean(1))
        return logits

    def own_view(self, clip: Tensor) -> Tensor:
        """A clip ``(B, M, C, T, H, W)`` or ``(B, N, C, H, W)`` of another preprocessor as its own would give it."""
        if self.given is None:
            return clip
        given, own = self.given, self.net.data_preprocessor
        if given._enable_normalize:
            clip = clip * given.std + given.mean
        if given.format_shape != own.format_shape:
            clip = _relaid(clip, own.format_shape)
        if given.to_rgb:
            clip = clip.flip(2)  # channels stand there in both layouts
        return own.preprocess(list(clip), None, training=False)[0]


def _keeping(place: str, seen: dict[str, Any]) -> Any:
    def keep(module: nn.Module, inputs: Any, output: Any) -> None:
        seen[place] = output

    return keep


def _keeping_input(seen: dict[str, Any]) -> Any:
    def keep(module: nn.Module, inputs: Any, output: Any) -> None:
        seen[""] = inputs[0]

    return keep


def _below_net(place: str | Sequence[str]) -> str | list[str]:
    return f"net.{place}" if isinstance(place, str) else [f"net.{one}" for one in place]


def _statistics(preprocessor: Mapping[str, Any]) -> dict[str, Any]:
    """What of a preprocessor's config decides how a clip looks; blending has happened before."""
    plain = {"type": "ActionDataPreprocessor", "format_shape": "NCHW", "to_rgb": False}
    return {**plain, **{key: value for key, value in preprocessor.items() if key != "blending"}}


def _relaid(clip: Tensor, to: str) -> Tensor:
    """Pictures of a clip as frames, ``(B, M, C, T, H, W)`` to ``(B, M T, C, H, W)``, or back with ``M = 1``."""
    if to == "NCHW" and clip.ndim == 6:
        return clip.transpose(2, 3).flatten(1, 2)
    if to == "NCTHW" and clip.ndim == 5:
        return clip.transpose(1, 2)[:, None]
    raise IncompatibleError(
        f"the teacher wants clips as {to}, the student's are {tuple(clip.shape)}; there is: NCTHW and NCHW, either way"
    )


@MODELS.register_module()
class DistilledRecognizer(Distillation):
    """A recognizer of mmaction2 that is trained with its own losses and those of a kdbench distiller.

    Args:
        student, teacher: recognizers: an mmaction2 config file, or the ``model`` of one.
        clip: shape of one sample as the training pipeline packs it, such as ``(1, 3, 8, 224, 224)``.
        teacher_weights: the teacher's checkpoint, of mmaction2 or a file of tensors; ``"random"`` is a rehearsal.
        distiller: the config of a kdbench distiller; it may not change what the student says at test time.
        task_weight, distill_weight: of the recognizer's own losses, and of the distiller's.
        student_taps, teacher_taps: more places in the recognizers, such as ``dict(stages=["backbone.layer4"])``.
        num_train: the number of training samples, for methods that remember each; they also need the pipeline to say
            ``PackActionInputs(meta_keys=("sample_idx",))``.

    To mmaction2 this is the student: its preprocessor, what it predicts, the keys of its checkpoints (a method's own
    weights are below ``distiller.``), which the student's plain config therefore loads. The teacher sees the student's
    clips, blended or not, as its own preprocessor would give them; it is in no checkpoint and is never initialised.
    """

    def __init__(
        self,
        student: Network,
        clip: Sequence[int],
        teacher: Network | None = None,
        teacher_weights: str | None = None,
        distiller: Mapping[str, Any] | None = None,
        task_weight: float = 1.0,
        distill_weight: float = 1.0,
        student_taps: Mapping[str, str | Sequence[str]] | None = None,
        teacher_taps: Mapping[str, str | Sequence[str]] | None = None,
        num_train: int = 0,
    ):
        network = _network(student)
        head = network["cls_head"]
        data = DataSpec(
            name=f"clips of {tuple(clip)}",
            inputs={CLIP: tuple(clip)},
            num_classes=head["num_classes"],
            task=MULTI_LABEL if head.get("multi_class") else SINGLE_LABEL,
            num_train=num_train,
        )
        super().__init__(
            data,
            {"type": Recognizer, "network": network, "places": student_taps},
            teacher and _teacher(teacher, teacher_weights, network.get("data_preprocessor"), teacher_taps),
            distiller and dict(distiller),
            task_weight=task_weight,
            distill_weight=distill_weight,
        )
        if type(self.distiller or Distiller()).predict is not Distiller.predict:
            raise IncompatibleError(
                f"{type(self.distiller).__name__} takes part when the student is tested, and a plain recognizer "
                "could not; take a method that only adds losses, such as KD, FitNet or CRD"
            )
        self.data_preprocessor = self.recognizer.data_preprocessor
        self.register_state_dict_post_hook(_with_keys_of_the_student)
        self.register_load_state_dict_pre_hook(_with_our_keys)

    @property
    def recognizer(self) -> nn.Module:
        """The student, a recognizer of mmaction2."""
        return self.student.net

    def init_weights(self) -> None:
        """Initialise the student as mmaction2 does; the teacher has its weights."""
        self.recognizer.init_weights()

    def forward(
        self, inputs: Any, data_samples: Sequence[Any] | None = None, mode: str = "tensor", **fields: Any
    ) -> Any:
        """As a recognizer: a dict of losses, a list of ``ActionDataSample``, or what the backbone gives."""
        if isinstance(inputs, Mapping):  # a batch of kdbench, as the rehearsal makes it
            inputs, data_samples = inputs[CLIP], _samples(**fields)
        if mode == "loss":
            return self._losses({CLIP: inputs}, self._batch(data_samples, inputs.device))
        return self.recognizer(inputs, data_samples, mode=mode)

    def _task_losses(self, student: Fields, batch: Fields) -> dict[str, Tensor]:
        own = self.recognizer.cls_head.loss_by_feat(student.logits, batch.data_samples)
        return {name: self.task_weight * value if "loss" in name else value for name, value in own.items()}

    def _batch(self, samples: Sequence[Any], device: torch.device) -> Fields:
        """The samples, and of them the fields that distillers read: ``target``, ``index``."""
        batch = Fields(data_samples=samples)
        labels = torch.stack([sample.gt_label for sample in samples]).to(device)
        if self.data.task == MULTI_LABEL:
            batch["target"] = labels.float()
        elif labels.shape[1] == 1:
            batch["target"] = labels[:, 0]
        if all("sample_idx" in sample for sample in samples):
            batch["index"] = torch.tensor([sample.sample_idx for sample in samples], device=device)
        reads = self.distiller.needs.batch if self.distiller is not None else ()
        for name in reads:
            if name not in batch:
                raise IncompatibleError(f"{type(self.distiller).__name__} reads {_ABSENT[name]}")
        return batch


_ABSENT = {
    "target": "classes, and blended samples have several; take the blending out of the data_preprocessor",
    "index": "the number of each sample; give the training pipeline PackActionInputs(meta_keys=('sample_idx',))",
}


def _network(of: Network) -> dict[str, Any]:
    """The ``model`` of a config file, or a model's config itself, as plain dicts."""
    config = Config(dict(model=of)) if isinstance(of, Mapping) else Config.fromfile(of)
    model = config.get("model")
    if not model or "cls_head" not in model or "backbone" not in model:
        raise ValueError(
            f"{of} holds no recognizer; name an mmaction2 config whose model has a backbone and a cls_head"
        )
    return model.to_dict()


def _teacher(
    of: Network,
    weights: str | None,
    given: Mapping[str, Any] | None,
    taps: Mapping[str, str | Sequence[str]] | None,
) -> dict[str, Any]:
    """The teacher's config as a kdbench role."""
    role = {"type": Recognizer, "network": _network(of), "given": given or {}, "places": taps}
    if weights == RANDOM:
        return {**role, "weights": RANDOM}
    if weights is None:
        raise MissingWeightsError(
            'the teacher has no weights; give teacher_weights="FILE", or "random" if it is meant to be untrained'
        )
    return {**role, "weights_file": weights}


def _samples(target: Tensor, index: Tensor, **_: Any) -> list[Any]:
    """A batch of kdbench as samples of mmaction2."""
    from mmaction.structures import ActionDataSample

    samples = [ActionDataSample(metainfo={"sample_idx": int(number)}) for number in index]
    return [sample.set_gt_label(label) for sample, label in zip(samples, target, strict=True)]


def _with_keys_of_the_student(module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
    for key in [key for key in state if key.startswith(prefix + STUDENT)]:
        state[prefix + key.removeprefix(prefix + STUDENT)] = state.pop(key)


def _with_our_keys(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    ours = (f"{prefix}distiller.", prefix + STUDENT)
    for key in [key for key in state if key.startswith(prefix) and not key.startswith(ours)]:
        state[prefix + STUDENT + key.removeprefix(prefix)] = state.pop(key)

"""kdbench inside mmaction2, in an environment with the package: ``pytest -m external``."""

import copy
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kdbench.compat import load_scope
from kdbench.spec import IncompatibleError, MissingPackageError, MissingWeightsError

pytestmark = [
    pytest.mark.external,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # mmaction2's own deprecations
]
try:
    with (
        warnings.catch_warnings()
    ):  # while tests are collected, pytest's filters of this file do not count yet
        warnings.simplefilter("ignore")
        load_scope("mmaction")
        from kdbench.mmaction import DistilledRecognizer, Recognizer
except MissingPackageError as error:
    pytest.skip(str(error), allow_module_level=True)

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples/mmaction2"
CLASSES, CLIP = 4, (1, 3, 4, 32, 32)
MEAN, STD = [100.0, 110.0, 120.0], [50.0, 55.0, 60.0]


def r3d(depth: int = 18, width: int = 8, **preprocessor: Any) -> dict[str, Any]:
    return {
        "type": "Recognizer3D",
        "backbone": {
            "type": "ResNet3d",
            "depth": depth,
            "pretrained": None,
            "pretrained2d": False,
            "base_channels": width,
            "conv1_kernel": (3, 7, 7),
            "inflate": (1, 1, 1, 1),
            "norm_eval": False,
        },
        "cls_head": {
            "type": "I3DHead",
            "num_classes": CLASSES,
            "in_channels": 8 * width,
            "spatial_type": "avg",
            "dropout_ratio": 0.0,
            "average_clips": "prob",
        },
        "data_preprocessor": {
            "type": "ActionDataPreprocessor",
            "mean": MEAN,
            "std": STD,
            "format_shape": "NCTHW",
            **preprocessor,
        },
    }


def swin() -> dict[str, Any]:
    arch = {"embed_dims": 12, "depths": [1, 1], "num_heads": [1, 2]}
    options = {"pretrained": None, "pretrained2d": False, "window_size": (2, 4, 4), "out_indices": (1,)}
    backbone = {"type": "SwinTransformer3D", "arch": arch, **options}
    head = {**r3d()["cls_head"], "in_channels": 24}
    return {**r3d(), "backbone": backbone, "cls_head": head}


def tsm(**preprocessor: Any) -> dict[str, Any]:
    return {
        "type": "Recognizer2D",
        "backbone": {
            "type": "ResNetTSM",
            "depth": 18,
            "pretrained": None,
            "pretrained2d": False,
            "num_segments": 4,
        },
        "cls_head": {
            "type": "TSMHead",
            "num_classes": CLASSES,
            "in_channels": 512,
            "num_segments": 4,
            "dropout_ratio": 0.0,
        },
        "data_preprocessor": {**r3d()["data_preprocessor"], "format_shape": "NCHW", **preprocessor},
    }


def raw_batch(count: int = 3, index: bool = False) -> dict[str, Any]:
    """What a loader of mmaction2 gives: bytes, and samples."""
    from mmaction.structures import ActionDataSample

    rng = np.random.default_rng(0)
    clips = [torch.from_numpy(rng.integers(0, 256, CLIP, dtype=np.uint8)) for _ in range(count)]
    metainfo = [{"sample_idx": i} if index else {} for i in range(count)]
    return {
        "inputs": clips,
        "data_samples": [
            ActionDataSample(metainfo=metainfo[i]).set_gt_label(i % CLASSES) for i in range(count)
        ],
    }


def checkpoint(network: dict[str, Any], path: Path, seed: int = 7) -> str:
    """A trained teacher, or one that looks so: random weights and running means that are not those of the start."""
    torch.manual_seed(seed)
    net = Recognizer(network).net
    net.train()
    for _ in range(3):
        net(torch.randn(2, *CLIP), mode="tensor")
    net.cls_head.fc_cls.weight.data.mul_(100)  # it is sure of something
    torch.save({"state_dict": net.state_dict(), "meta": {}}, path)
    return str(path)


def distilled(
    tmp_path: Path, student: dict | None = None, teacher: dict | None = None, **options: Any
) -> Any:
    teacher = teacher or r3d(width=16)
    torch.manual_seed(0)
    options = {"distiller": {"type": "KD", "tau": 4.0}, "clip": CLIP, **options}
    weights = options.pop("teacher_weights", None) or checkpoint(teacher, tmp_path / "teacher.pth")
    model = DistilledRecognizer(student or r3d(), teacher=teacher, teacher_weights=weights, **options)
    torch.manual_seed(1)
    model.init_weights()
    return model


def losses(model: Any, batch: dict[str, Any], seed: int = 3) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)  # of drop path
    return model(**model.data_preprocessor(batch, True), mode="loss")


@pytest.mark.parametrize("student", [r3d(), swin()], ids=["r3d", "swin"])
def test_losses_are_the_recognizers_own_and_the_definition_of_kd(tmp_path, student):
    teacher, batch = r3d(width=16, mean=[0.0] * 3, std=[255.0] * 3, to_rgb=True), raw_batch()
    model = distilled(tmp_path, student, teacher, task_weight=0.5, distill_weight=2.0)
    plain, old = (Recognizer(network).net for network in (student, teacher))
    plain.load_state_dict(copy.deepcopy(model.state_dict()))
    old.load_state_dict(torch.load(tmp_path / "teacher.pth", weights_only=True)["state_dict"])
    found = losses(model, batch)
    own = losses(plain, batch)
    torch.manual_seed(3)
    logits = plain(plain.data_preprocessor(batch, True)["inputs"], mode="tensor", stage="head")
    with torch.no_grad():
        taught = old.eval()(old.data_preprocessor(batch, False)["inputs"], mode="tensor", stage="head")
    target = (taught / 4).softmax(1)
    kd = 16 * (target * (target.log() - (logits / 4).log_softmax(1))).sum(1).mean()
    assert found["loss_cls"].item() == pytest.approx(0.5 * own["loss_cls"].item(), rel=1e-5)
    assert found["loss_kd"].item() == pytest.approx(2 * kd.item(), rel=1e-4)
    assert found.keys() == {*own, "loss_kd"}


def test_predictions_are_those_of_the_plain_recognizer_and_so_is_the_checkpoint(tmp_path):
    model, plain, batch = distilled(tmp_path), Recognizer(r3d()).net, raw_batch()
    state = model.state_dict()
    assert state.keys() == plain.state_dict().keys()
    plain.load_state_dict(state)
    scores = [
        torch.stack([sample.pred_score for sample in each.eval().val_step(raw_batch())])
        for each in (model, plain)
    ]
    assert torch.equal(*scores)
    assert torch.allclose(scores[0].sum(1), torch.ones(len(batch["inputs"])))
    again = distilled(tmp_path)
    again.load_state_dict(state)
    assert all(torch.equal(value, state[name]) for name, value in again.state_dict().items())


def test_weights_of_a_method_are_kept_beside_the_students(tmp_path):
    from mmengine.runner import load_checkpoint, save_checkpoint

    model = distilled(tmp_path, distiller={"type": "FitNet"})
    save_checkpoint({"state_dict": model.state_dict()}, str(tmp_path / "epoch_1.pth"))
    added = {key for key in model.state_dict() if key.startswith("distiller.")}
    assert added
    again, plain = distilled(tmp_path, distiller={"type": "FitNet"}), Recognizer(r3d()).net
    for each in (again, plain):
        load_checkpoint(each, str(tmp_path / "epoch_1.pth"), map_location="cpu")
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
        assert name in added or torch.equal(value, plain.state_dict()[name])


@pytest.mark.parametrize(
    "distiller",
    [{"type": "KD"}, {"type": "FitNet"}, {"type": "RKD"}, {"type": "DKD"}, {"type": "OFA"}],
    ids=str,
)
@pytest.mark.parametrize("student", [r3d(), swin()], ids=["r3d", "swin"])
def test_a_step_trains_the_student_and_leaves_the_teacher(tmp_path, student, distiller):
    from mmengine.optim import OptimWrapper

    model = distilled(tmp_path, student, distiller=distiller)
    model.train()
    before = copy.deepcopy(model.teacher.state_dict())
    stored = torch.load(tmp_path / "teacher.pth", weights_only=True)["state_dict"]
    student_before = copy.deepcopy(model.recognizer.state_dict())
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1))
    for _ in range(2):
        log = model.train_step(raw_batch(), wrapper)
        assert all(math.isfinite(float(value)) for value in log.values())
    after = model.teacher.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert all(torch.equal(after[f"net.{name}"], value) for name, value in stored.items())
    assert not model.teacher.training
    assert not any(p.requires_grad or p.grad is not None for p in model.teacher.parameters())
    moved = [
        name
        for name, value in model.recognizer.named_parameters()
        if not torch.equal(value, student_before[name])
    ]
    assert len(moved) == len(list(model.recognizer.parameters()))


def test_the_teacher_sees_blended_clips_in_its_own_statistics(tmp_path):
    blending = {"type": "MixupBlending", "num_classes": CLASSES, "alpha": 1.0}
    teacher = r3d(width=16, mean=[0.0] * 3, std=[255.0] * 3)
    model = distilled(tmp_path, r3d(blending=blending), teacher)
    torch.manual_seed(2)
    data = model.data_preprocessor(raw_batch(), True)
    assert data["data_samples"][0].gt_label.shape == (CLASSES,)
    seen = model.teacher.own_view(data["inputs"])
    pixels = data["inputs"] * torch.tensor(STD).view(3, 1, 1, 1) + torch.tensor(MEAN).view(3, 1, 1, 1)
    assert torch.allclose(seen, pixels / 255, atol=1e-5)
    assert math.isfinite(float(model(**data, mode="loss")["loss_kd"]))
    reader = distilled(tmp_path, r3d(blending=blending), teacher, distiller={"type": "DKD"})
    with pytest.raises(IncompatibleError, match="take the blending out"):
        reader(**data, mode="loss")


def test_a_teacher_of_pictures_teaches_a_student_of_clips_and_the_other_way_round(tmp_path):
    clips = torch.stack(raw_batch()["inputs"]).float()
    frames = clips.transpose(2, 3).flatten(1, 2)
    view = Recognizer(tsm(), given=r3d()["data_preprocessor"]).own_view
    prepared = Recognizer(r3d()).net.data_preprocessor(raw_batch())["inputs"]
    centred = (frames - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    assert torch.allclose(view(prepared), centred, atol=1e-5)
    back = Recognizer(r3d(), given=tsm()["data_preprocessor"]).own_view
    assert torch.allclose(back(centred), prepared, atol=1e-5)
    model = distilled(tmp_path, r3d(), tsm(), teacher_weights="random", distiller={"type": "RKD"})
    assert all(math.isfinite(float(value)) for value in losses(model, raw_batch()).values())


def test_methods_that_remember_samples_ask_for_their_numbers(tmp_path):
    model = distilled(tmp_path, distiller={"type": "CRD", "num_negatives": 2}, num_train=3)
    assert math.isfinite(float(losses(model, raw_batch(index=True))["loss_crd"]))
    with pytest.raises(IncompatibleError, match=r"PackActionInputs\(meta_keys=\('sample_idx',\)\)"):
        losses(model, raw_batch())


def test_what_cannot_work_says_what_would(tmp_path):
    with pytest.raises(MissingWeightsError, match='"random" if it is meant to be untrained'):
        DistilledRecognizer(r3d(), CLIP, teacher=r3d(), distiller={"type": "KD"})
    with pytest.raises(MissingWeightsError, match=r"there is no weight file /nowhere\.pth"):
        DistilledRecognizer(r3d(), CLIP, r3d(), "/nowhere.pth", {"type": "KD"})
    other = checkpoint(r3d(width=16), tmp_path / "other.pth")
    with pytest.raises(MissingWeightsError, match="does not fit its config"):
        DistilledRecognizer(r3d(), CLIP, r3d(), other, {"type": "KD"})
    with pytest.raises(IncompatibleError, match="takes part when the student is tested"):
        distilled(tmp_path, distiller={"type": "SimKD"}, teacher_taps={"embedding": "cls_head.fc_cls:in"})
    with pytest.raises(ValueError, match="holds no recognizer"):
        DistilledRecognizer({"type": "Recognizer3D"}, CLIP)
    more = r3d()
    more["cls_head"]["num_classes"] = CLASSES + 1
    with pytest.raises(IncompatibleError, match=f"has {CLASSES + 1} classes"):
        distilled(tmp_path, teacher=more)


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Eight clips of five frames, in mmaction2's annotation format."""
    import cv2

    rng = np.random.default_rng(0)
    for clip in range(8):
        folder = tmp_path / "frames" / f"clip{clip}"
        folder.mkdir(parents=True)
        for number in range(1, 6):
            picture = rng.integers(0, 256, (30, 40), dtype=np.uint8)
            assert cv2.imwrite(str(folder / f"img_{number:05}.png"), picture)
    lines = "".join(f"clip{clip} 5 {clip}\n" for clip in range(8))
    for split in ("train", "test"):
        (tmp_path / f"{split}.txt").write_text(lines, encoding="utf-8")
    return tmp_path


def test_the_example_goes_through_mmaction2s_runner(frames, monkeypatch):
    from mmengine.config import Config
    from mmengine.registry import DefaultScope
    from mmengine.runner import Runner, load_checkpoint

    monkeypatch.chdir(ROOT)  # the example names its teacher from here
    config = Config.fromfile(EXAMPLES / "utd_depth_kd.py")
    for loader, split in (
        ("train_dataloader", "train"),
        ("val_dataloader", "test"),
        ("test_dataloader", "test"),
    ):
        config[loader].dataset.update(
            ann_file=str(frames / f"{split}.txt"), data_prefix={"img": str(frames / "frames")}
        )
        config[loader].batch_size = 4
    config.model.teacher_weights = "random"
    config.train_cfg.update(max_epochs=1, val_interval=1)
    config.default_hooks.checkpoint.interval = 1
    config.work_dir, config.experiment_name = str(frames / "work"), f"example_{frames.name}"
    runner = Runner.from_cfg(config)
    metrics = []
    with DefaultScope.overwrite_default_scope("mmaction"):
        runner.train()
        metrics.append(runner.test())
        plain = Recognizer(Config.fromfile(EXAMPLES / "utd_depth.py").model.to_dict()).net
        load_checkpoint(plain, str(frames / "work" / "epoch_1.pth"), map_location="cpu", strict=True)
        runner.test_loop.runner.model = plain
        metrics.append(runner.test())
    assert metrics[0].keys() == metrics[1].keys() >= {"acc/top1", "acc/top5"}
    assert metrics[0] == metrics[1]
    assert all(
        torch.equal(value, plain.state_dict()[name]) for name, value in runner.model.state_dict().items()
    )
    on = Config.fromfile(EXAMPLES / "utd_depth_kd.py")
    on.merge_from_dict({**config.to_dict(), "experiment_name": f"on_{frames.name}", "resume": True})
    on.train_cfg.max_epochs = 2
    with DefaultScope.overwrite_default_scope("mmaction"):
        resumed = Runner.from_cfg(on)
        resumed.train()
    assert resumed.epoch == 2
    assert resumed.iter == 4

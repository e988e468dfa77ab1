"""Home2 in files, through loader and training to a test: what stands in the log and in the row's data."""

import json

import numpy as np
import pytest
from mmengine.config import Config

from kdbench.engine import Runner
from kdbench.engine.promises import fill_in

from .made_videos import make

VIEWS, FRAMES, SOUND = 2, 4, dict(hops=8, mel_bins=32, window_ms=50.0, hop_ms=50.0)
NAMES = ("Cook", "Sweep", "Bathe")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Four recordings of two views; the third lacks one, the fourth has no sound in the other."""
    root = tmp_path_factory.mktemp("data") / "multisensor_home2"
    entries = []
    for record in range(4):
        urls = {f"video_url_{v + 1}": f"0{record}/00-View{v + 1}-Part1.mp4" for v in range(VIEWS)}
        actions = [{"start": 0.2, "end": 1.0, "labels": [NAMES[record % 3]]}]
        entries.append({**urls, "tricks": actions})
        for view, path in enumerate(urls.values()):
            if (record, view) != (2, 0):
                sound = None if (record, view) == (3, 1) else "tone"
                make(root / path, count=40, sound=sound, tint=50 * record)
    for name in ("train_data.json", "test_data.json"):
        (root / name).write_text(json.dumps(entries))
    return root


def row(root, work_dir):
    """The config of a tiny audio-visual network on these files."""
    dataset = dict(
        type="MultiSensorHome",
        root=str(root),
        home=2,
        num_frames=FRAMES,
        frame_size=32,
        supervision="frame",
        log_mel=SOUND,
        cache_dir=str(work_dir / "cache"),
    )
    sampler = dict(type="kdbench.datasets.EpochSampler")
    loader = dict(batch_size=2, num_workers=0, collate_fn=dict(type="default_collate"))
    student = dict(
        type="MultiView",
        encoders=dict(
            rgb=dict(type="FrameCNN", in_channels=3, grid=(2, 2)), audio=dict(type="SpectrogramCNN", width=32)
        ),
        width=32,
    )
    data = dict(
        name="home",
        inputs=dict(rgb=(VIEWS, FRAMES, 3, 32, 32), audio=(VIEWS, FRAMES, 8, 32)),
        num_classes=16,
        task="multi-label",
        num_train=2,
        fields=dict(target=(16,), frame_target=(FRAMES, 16)),
    )
    return Config(
        dict(
            model=dict(
                type="Distillation", data=data, student=student, task_loss=dict(type="BinaryCrossEntropy")
            ),
            train_dataloader=dict(
                loader,
                sampler=sampler,
                dataset=dict(dataset, split="train"),
            ),
            test_dataloader=dict(
                loader,
                sampler=dict(sampler, shuffle=False),
                dataset=dict(dataset, split="test"),
            ),
            test_evaluator=[dict(type="kdbench.evaluation.MeanAP")],
            test_cfg=dict(),
            train_cfg=dict(max_epochs=2),
            optim_wrapper=dict(optimizer=dict(type="AdamW", lr=1e-3)),
            work_dir=str(work_dir),
            experiment_name=work_dir.name,
        )
    )


def test_the_annotation_says_how_many_recordings_and_classes_there_are(home, tmp_path):
    config = row(home, tmp_path)
    fill_in(config)
    data = config.model.data
    assert (data.num_train, data.num_classes) == (4, 3)
    assert {name: tuple(shape) for name, shape in data.fields.items()} == {
        "target": (3,),
        "frame_target": (FRAMES, 3),
    }
    absent = row(tmp_path / "nowhere", tmp_path)
    fill_in(absent)
    assert (absent.model.data.num_train, absent.model.data.num_classes) == (2, 16)


def test_rows_of_other_data_stay_as_they_are():
    config = Config(
        dict(train_dataloader=dict(dataset=dict(type="Rooms")), model=dict(data=dict(num_train=7)))
    )
    fill_in(config)
    assert config.model.data.num_train == 7
    fill_in(Config(dict(model=dict())))


def test_training_goes_on_with_substitutes_and_the_log_counts_them(home, tmp_path):
    config = row(home, tmp_path)
    fill_in(config)
    runner = Runner.from_cfg(config)
    runner.train()
    metrics = runner.test()
    assert np.isfinite([metrics["mAP_C"], metrics["mAP_S"]]).all()
    text = "\n".join(path.read_text() for path in tmp_path.rglob("*.log"))
    line = "data: of 4 recordings 1 with missing view, 1 with no sound; substitutes were put"
    assert text.count(f"train {line}") == 1  # not again where the count has not grown
    assert text.count(f"test {line}") == 1

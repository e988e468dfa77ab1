"""What a run did without: defects of recordings that a data set put a substitute for."""

from typing import Any

from mmengine.hooks import Hook

from ..registry import HOOKS


@HOOKS.register_module()
class ReportSubstitutes(Hook):
    """Logs, after an epoch of training and after a test, how many recordings needed a substitute, by kind of defect.

    It asks data sets that count them (``substituted``); a line is written when a count has grown.
    """

    def __init__(self) -> None:
        self._reported: dict[str, dict[str, int]] = {}

    def after_train_epoch(self, runner: Any) -> None:
        self._report(runner, "train", runner.train_dataloader)

    def after_val_epoch(self, runner: Any, metrics: Any = None) -> None:
        self._report(runner, "val", runner.val_dataloader)

    def after_test_epoch(self, runner: Any, metrics: Any = None) -> None:
        self._report(runner, "test", runner.test_dataloader)

    def _report(self, runner: Any, stage: str, loader: Any) -> None:
        counts = getattr(loader.dataset, "substituted", {})
        if counts and counts != self._reported.get(stage):
            self._reported[stage] = counts
            listed = ", ".join(f"{count} with {kind}" for kind, count in counts.items())
            runner.logger.warning(
                f"{stage} data: of {len(loader.dataset)} recordings {listed}; substitutes were put"
            )

"""What a call allocates, read from torch's allocator through the profiler."""

from collections.abc import Callable

from torch.profiler import ProfilerActivity, profile


def peak_bytes(call: Callable[[], object]) -> int:
    """The most bytes that are held at once during a call beyond what was held before it.

    The profiler records each allocation and each release of the CPU allocator, results and temporaries inside an
    operation alike; their running sum is what is held. What oneDNN keeps for itself inside a convolution is not seen.

    >>> import torch
    >>> numbers = torch.ones(1000)
    >>> peak_bytes(lambda: (numbers + 1).sum()) // 1000
    4
    """
    call()  # what only a first call allocates is no cost of a step
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as record:
        call()
    events = record.profiler.kineto_results.events()
    changes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    held = peak = 0
    for _, change in changes:
        held += change
        peak = max(peak, held)
    return peak

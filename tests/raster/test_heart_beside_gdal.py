"""GDAL lets other threads run while it works, so the heart beats beside it."""

from datetime import timedelta

import numpy as np
from rasterio.transform import from_origin
from rasterio.warp import Resampling, reproject

from core.models.claims import ClaimRequest
from infrastructure.clock import SystemClock
from tests.factories.hearts import INTERVAL, Ward


def test_the_lease_is_renewed_inside_one_long_call_of_gdal() -> None:
    ward = Ward(lease=timedelta(minutes=1))
    [task] = ward.tasks.claim(ClaimRequest("light", 1, "worker", "claim", ward.lease))
    source = np.random.default_rng(1).random((2_500, 2_500), dtype=np.float32)
    target = np.empty_like(source)
    beats = 0

    with ward.beating(task):
        # A machine that is busy with other things may leave no time for beats in one of the calls.
        for _ in range(20):
            start = SystemClock().now()
            reproject(
                source,
                target,
                src_transform=from_origin(500_000, 5_600_000, 10, 10),
                src_crs="EPSG:32633",
                dst_transform=from_origin(15.0, 50.5, 0.0001, 0.0001),
                dst_crs="EPSG:4326",
                resampling=Resampling.lanczos,
                num_threads=1,
            )
            end = SystemClock().now()
            beats = ward.beats_between(start + INTERVAL, end - INTERVAL)
            if beats > 1:
                break

    lease_until = ward.state.tasks[task.task_id].lease_until
    assert beats > 1
    assert lease_until is not None
    assert lease_until > start + ward.lease

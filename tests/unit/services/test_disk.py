"""Whether a disk can hold what is about to be made."""

import shutil
from pathlib import Path

import pytest

from core.errors import TaskFailed, TransientError
from services.raster.disk import require_disk


def test_a_disk_that_others_fill_is_tried_again(tmp_path: Path) -> None:
    disk = shutil.disk_usage(tmp_path)

    with pytest.raises(TransientError) as caught:
        require_disk(tmp_path, (disk.free + disk.total) // 2, 0)

    assert caught.value.code.code == "raster.disk_full"
    assert caught.value.code.retryable


def test_a_disk_that_is_too_small_when_empty_is_final(tmp_path: Path) -> None:
    with pytest.raises(TaskFailed) as caught:
        require_disk(tmp_path, shutil.disk_usage(tmp_path).total + 1, 0)

    assert caught.value.code.code == "raster.disk_too_small"
    assert not caught.value.code.retryable

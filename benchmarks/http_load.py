"""Clients of the interface: many submissions at once, and small jobs beside a large one."""

import http.client
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from benchmarks.system import System

_CLIENTS = 8
_ACCEPTED = 202


def submissions_a_second(local: System, number: int) -> float:
    """Return accepted POSTs a second of eight clients, each on a connection that it keeps."""
    with ThreadPoolExecutor(_CLIENTS) as clients:
        began = time.perf_counter()
        list(clients.map(lambda client: _submit_many(local, client, number // _CLIENTS), range(_CLIENTS)))
        return number / (time.perf_counter() - began)


def small_beside_large(local: System, large: int, number: int) -> list[float]:
    """Return the seconds of jobs of one task, one submitted a second while a large job runs.

    Raises:
        RuntimeError: The large job ended before the last small one was submitted.
    """
    before = local.request("POST", "/api/jobs/submit/hello_world", {"n": large // 2, "message": "large"})
    seconds = [0.0] * number

    def run(index: int) -> None:
        began = time.perf_counter()
        local.run_job("hello_world", {"n": 1, "message": f"small {index} {began}"})
        seconds[index] = time.perf_counter() - began

    threads = [threading.Thread(target=run, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
        time.sleep(1)
    job = local.request("GET", f"/api/jobs/{before['job_id']}")
    if job["completed_at"] is not None:
        raise RuntimeError(f"a job of {large} tasks was too small: it ended before {number} s")
    for thread in threads:
        thread.join()
    local.wait_for(before["job_id"])
    return sorted(seconds)


def _submit_many(local: System, client: int, number: int) -> None:
    connection = http.client.HTTPConnection(urlsplit(local.variables["TERRANE_URL"]).netloc, timeout=60)
    for index in range(number):
        body = json.dumps({"n": 1, "message": f"{client} {index} {time.time()}"})
        connection.request("POST", "/api/jobs/submit/hello_world", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        if response.status != _ACCEPTED:
            raise RuntimeError(f"a submission was answered with {response.status}")
    connection.close()

"""`python -m local.demo`: samples go in through HTTP and come out as COGs and tables with STAC items."""

import json
import sys
import time
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import scalar_row

from local import launcher
from local.client import Client, RequestFailed
from local.environment import Addresses, client_environment
from local.home import Home
from local.progress import Progress
from local.samples import Sample, signed_links, upload_samples
from local.terminal import complain, say

_POLL_SECONDS = 0.3
_TERMINAL = ("completed", "completed_with_errors", "failed", "cancelled")


class JobFailed(Exception):
    """A job of the demo did not complete; the message is its error."""


def main() -> int:
    """Start the system if need be, publish the samples, and leave it running."""
    home = Home.from_environment()
    code = launcher.up(home)
    if code:
        return code
    addresses = launcher.running_addresses(home)
    try:
        _demonstrate(addresses)
    except (RequestFailed, JobFailed) as error:
        complain(str(error))
        complain(f"The logs are in {home.logs}; the system still runs, `make down` stops it.")
        return 1
    say(f"\nTerrane still runs at {addresses.url}; `make down` stops it, `make demo` shows this again.")
    return 0


def _demonstrate(addresses: Addresses) -> None:
    variables = client_environment(addresses)
    client = Client(addresses.url)
    say("\nhello_world: greetings fanned out, then a reply to each")
    run_job(client, "hello_world", {"n": 20})
    samples = upload_samples(variables["AZURE_STORAGE_CONNECTION_STRING"])
    for sample in samples:
        say(f"uploaded {sample.container}/{sample.blob} ({sample.nbytes / 1e6:.1f} MB)")
    for sample in samples:
        _publish(client, sample, variables)


def _publish(client: Client, sample: Sample, variables: Mapping[str, str]) -> None:
    say(f"\n{sample.job_type}: {sample.container}/{sample.blob}")
    job = run_job(client, sample.job_type, sample.parameters)
    result = job["result"]
    if not sample.is_raster:
        _show_table(variables, result)
    say("\nSTAC item")
    item = read_item(variables["DATABASE_URL"], result["collection_id"], result["item_id"])
    say(json.dumps(item, indent=2, ensure_ascii=False))
    say("\nLinks that open (read-only, for a week)")
    say(f"  job        {variables['TERRANE_URL']}/api/jobs/{job['job_id']}")
    for name, link in signed_links(result["assets"], variables["AZURE_STORAGE_CONNECTION_STRING"]).items():
        say(f"  {name:<10} {link}")


def _show_table(variables: Mapping[str, str], result: Mapping[str, Any]) -> None:
    say(f"\nTable {result['table']}: {result['rows_loaded']:,} rows; the first of them, without geometry")
    query = sql.SQL("SELECT to_jsonb(t) - 'geom' FROM {} AS t ORDER BY id LIMIT 3")
    name = sql.Identifier(*result["table"].split("."))
    with psycopg.connect(variables["DATABASE_URL"], row_factory=scalar_row) as connection:
        for row in connection.execute(query.format(name)):
            say(f"  {json.dumps(row, ensure_ascii=False)}")
    say(f"\nFeatures and tiles: {variables['TERRANE_URL']}{result['features_path']}")


def run_job(client: Client, job_type: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Submit a job, show its stages while they run, and return it when it has completed.

    Raises:
        RequestFailed: It was not accepted.
        JobFailed: It ended in another way.
    """
    receipt = client.submit(job_type, parameters)
    verb = "submitted" if receipt["created"] else "found again, nothing has changed:"
    say(f"  {verb} job {receipt['job_id']}, revision {receipt['revision']}")
    progress, start = Progress(sys.stdout), time.monotonic()
    while (job := client.job(receipt["job_id"]))["status"] not in _TERMINAL:
        progress.show(job)
        time.sleep(_POLL_SECONDS)
    progress.show(job)
    if job["status"] != "completed":
        raise JobFailed(_describe(job))
    say(f"  completed in {time.monotonic() - start:.1f} s")
    return job


def read_item(database_url: str, collection_id: str, item_id: str) -> dict[str, Any]:
    """Return an item as the catalogue holds it, with what it shares with its collection filled in."""
    with psycopg.connect(database_url, row_factory=scalar_row) as connection:
        query = "SELECT pgstac.get_item(%s, %s)"
        item: dict[str, Any] | None = connection.execute(query, [item_id, collection_id]).fetchone()
    if item is None:
        raise JobFailed(f"the catalogue has no item {collection_id}/{item_id}")
    return item


def _describe(job: Mapping[str, Any]) -> str:
    error = job.get("error") or {}
    reason = f"{error.get('code')}: {error.get('message')}" if error else "no error is recorded"
    remedy = f"\n{error['remedy']}" if error.get("remedy") else ""
    return f"job {job['job_id']} is {job['status']}: {reason}{remedy}"


if __name__ == "__main__":
    sys.exit(main())

"""A small data pipeline on Temporal: what makes the histories beside this file.

python pipeline.py            runs the worker and starts the workflows, then ends
"""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import Worker

TASK_QUEUE = "pipeline"


@activity.defn
async def extract(table: str) -> int:
    await asyncio.sleep(0.3)
    return len(table) * 1000


@activity.defn
async def load(rows: int) -> int:
    # The warehouse refuses the first two attempts.
    if activity.info().attempt < 3:
        raise ApplicationError("the warehouse is busy", type="Busy")
    await asyncio.sleep(0.2)
    return rows


@activity.defn
async def check(rows: int) -> None:
    raise ApplicationError(f"{rows} rows, expected none", type="CheckFailed", non_retryable=True)


@activity.defn
async def report(rows: int) -> str:
    return f"{rows} rows"


@activity.defn
async def wait() -> None:
    while True:
        await asyncio.sleep(0.2)
        activity.heartbeat()


QUICK = RetryPolicy(initial_interval=timedelta(milliseconds=200), backoff_coefficient=2.0)


@workflow.defn(name="nightly")
class Nightly:
    """Two tables side by side, a load that is retried, an approval by signal, a timer."""

    def __init__(self) -> None:
        self.approved_by: str | None = None

    @workflow.signal
    def approve(self, name: str) -> None:
        self.approved_by = name

    @workflow.run
    async def run(self) -> str:
        timeout = timedelta(seconds=10)
        tables = await asyncio.gather(
            *(
                workflow.execute_activity(extract, table, start_to_close_timeout=timeout)
                for table in ["orders", "payments"]
            )
        )
        rows = await workflow.execute_activity(
            load, sum(tables), start_to_close_timeout=timeout, retry_policy=QUICK
        )
        await workflow.wait_condition(lambda: self.approved_by is not None)
        await workflow.sleep(timedelta(seconds=1))
        return await workflow.execute_activity(report, rows, start_to_close_timeout=timeout)


@workflow.defn(name="checked")
class Checked:
    """Ends badly: a check fails for good, and nobody catches it."""

    @workflow.run
    async def run(self) -> None:
        timeout = timedelta(seconds=10)
        rows = await workflow.execute_activity(extract, "orders", start_to_close_timeout=timeout)
        await workflow.execute_activity(check, rows, start_to_close_timeout=timeout)


@workflow.defn(name="waiting")
class Waiting:
    """Waits until somebody cancels it."""

    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(
            wait,
            start_to_close_timeout=timedelta(seconds=60),
            heartbeat_timeout=timedelta(seconds=2),
        )


@workflow.defn(name="parent")
class Parent:
    """Starts another workflow, and goes on as a new run after it."""

    @workflow.run
    async def run(self, round: int) -> None:
        try:
            await workflow.execute_child_workflow(Checked.run, id=f"checked-child-{round}")
        except Exception:
            workflow.logger.info("the child failed")
        if round < 1:
            workflow.continue_as_new(round + 1)


async def main() -> None:
    client = await Client.connect("127.0.0.1:7233", identity="client-1")
    worker = Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[Nightly, Checked, Waiting, Parent],
        activities=[extract, load, check, report, wait],
        identity="worker-1",
    )
    async with worker:
        nightly = await client.start_workflow(Nightly.run, id="nightly-1", task_queue=TASK_QUEUE)
        checked = await client.start_workflow(Checked.run, id="checked-1", task_queue=TASK_QUEUE)
        waiting = await client.start_workflow(Waiting.run, id="waiting-1", task_queue=TASK_QUEUE)
        parent = await client.start_workflow(Parent.run, 0, id="parent-1", task_queue=TASK_QUEUE)
        await asyncio.sleep(1.5)
        await nightly.signal(Nightly.approve, "ann")
        await waiting.cancel()
        for handle in [nightly, checked, waiting, parent]:
            try:
                await handle.result()
            except WorkflowFailureError as error:
                print(handle.id, type(error.cause).__name__)


if __name__ == "__main__":
    asyncio.run(main())

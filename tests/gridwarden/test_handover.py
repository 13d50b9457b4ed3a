from devices.reading import Batch
from gridwarden.handover import Handover
from ingest.fate import Counts
from ingest.store import CommittedBatch


def batch(seq: int, prev: int) -> CommittedBatch:
    return CommittedBatch(
        seq=seq, prev_seq=prev, heard_until=0, readings=Batch.empty(), counts=Counts(0, 0, 0, 0)
    )


async def test_batches_come_in_order() -> None:
    line = Handover(newest=3)
    await line.offer(batch(4, 3))
    await line.offer(batch(6, 4))
    assert (line.take(3) or batch(0, 0)).seq == 4
    assert (line.take(4) or batch(0, 0)).seq == 6
    assert line.take(6) is None
    assert not line.behind(6)


async def test_a_gap_is_seen_and_not_jumped_over() -> None:
    line = Handover(newest=3)
    await line.offer(batch(6, 5))
    assert line.take(3) is None
    assert line.behind(3)
    assert (line.take(5) or batch(0, 0)).seq == 6


async def test_what_does_not_fit_is_left_to_the_database() -> None:
    line = Handover(newest=0, limit=2)
    for seq in range(1, 6):
        await line.offer(batch(seq, seq - 1))
    assert [b.seq for n in (0, 1) if (b := line.take(n))] == [1, 2]
    assert line.take(2) is None
    assert line.behind(2)


async def test_after_reading_back_the_line_goes_on() -> None:
    line = Handover(newest=0, limit=1)
    await line.offer(batch(1, 0))
    await line.offer(batch(2, 1))
    assert line.take(2) is None
    await line.offer(batch(3, 2))
    assert (line.take(2) or batch(0, 0)).seq == 3


def test_a_restart_knows_what_was_committed_before() -> None:
    assert Handover(newest=9).behind(7)
    assert not Handover(newest=9).behind(9)


async def test_waiting_ends_with_an_offer() -> None:
    line = Handover(newest=0)
    await line.offer(batch(1, 0))
    await line.wait(60)


async def test_waiting_without_an_offer_ends_in_time() -> None:
    await Handover(newest=0).wait(0.001)

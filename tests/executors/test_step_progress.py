from artcluster.executors.step_progress import ProgressBook


def test_an_item_tried_again_is_in_hand_once():
    """Whoever ends a job waits for what is in hand, and not for as many more as crashed."""
    book = ProgressBook(["decode", "embed"])
    for number in (4, 5, 4):
        book.start("decode", number)
    book.finish("decode", 4, 0.5)
    book.start("embed", 4)
    snapshot = book.snapshot()
    assert book.taken_up() == {4, 5}
    assert (snapshot.steps["decode"].started, snapshot.steps["decode"].finished) == (3, 1)
    assert snapshot.in_flight == {"decode": [5], "embed": [4]}


def test_a_step_waits_until_a_worker_of_it_is_there():
    book = ProgressBook(["decode", "embed"])
    assert book.snapshot().without_worker == ["decode", "embed"]
    book.start("decode", 0)
    book.arrive("embed")
    assert book.snapshot().without_worker == []

from artcluster.executors.ray.nodes import MembershipWatch

ONE = frozenset({"a"})
TWO = ONE | {"b"}


def due_after(watch, clock, alive, seconds):
    """Look every 5 s; return after how many of the seconds it was time, None for never."""
    for now in range(0, seconds, 5):
        clock[0] += 5
        if watch.is_due(alive(now)):
            return now + 5
    return None


def watching():
    clock = [100.0]
    return MembershipWatch(ONE, lambda: clock[0]), clock


def test_a_machine_that_joins_is_used_within_a_minute():
    watch, clock = watching()
    assert due_after(watch, clock, lambda _: ONE, 600) is None
    assert due_after(watch, clock, lambda _: TWO, 60) <= 30


def test_machines_that_come_one_after_the_other_are_waited_for_though_not_for_ever():
    watch, clock = watching()
    found = due_after(watch, clock, lambda now: ONE | {str(n) for n in range(now // 10 + 1)}, 600)
    assert 30 <= found <= 60


def test_a_machine_that_is_back_changes_nothing():
    watch, clock = watching()
    assert due_after(watch, clock, lambda now: TWO if now % 20 == 0 else ONE, 600) is None


def test_a_machine_that_leaves_is_a_reason():
    clock = [0.0]
    watch = MembershipWatch(TWO, lambda: clock[0])
    assert due_after(watch, clock, lambda _: ONE, 60) is not None

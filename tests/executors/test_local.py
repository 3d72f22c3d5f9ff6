import threading
from hashlib import sha256

import numpy as np
import pytest

from artcluster.errors import ArchiveError, StalledError, StepError
from artcluster.executors.local import InProcessExecutor
from artcluster.runtime.executor import Step, StepProgress
from tests.executors import arithmetic


def run(items, steps, stall_timeout_s=60.0):
    executor = InProcessExecutor()
    return list(executor.stream(items, steps, stall_timeout_s=stall_timeout_s)), executor


def test_items_pass_all_steps_in_order_and_are_counted():
    results, executor = run(range(7), arithmetic.steps())
    assert [(item["number"], item["sum"]) for item in results] == [
        (number, number * 120_000) for number in range(7)
    ]
    progress = executor.progress()
    assert {name: (seen.started, seen.finished) for name, seen in progress.items()} == {
        "widen": (7, 7),
        "total": (7, 7),
    }
    assert isinstance(progress["total"], StepProgress)


def test_no_items_and_no_steps():
    assert run([], arithmetic.steps())[0] == []
    assert run([1, 2], [])[0] == [1, 2]


def test_make_is_called_once_a_step():
    made = []

    def make():
        made.append(1)
        return lambda item: item

    run(range(5), [Step("a", make), Step("b", make)])
    assert len(made) == 2


def test_first_steps_run_ahead_of_the_last():
    second_decoded = threading.Event()

    def decode(number):
        if number == 1:
            second_decoded.set()
        return number

    def embed(number):
        assert second_decoded.wait(30)
        return number

    assert run(range(3), [Step("decode", lambda: decode), Step("embed", lambda: embed)])[0]


def test_the_items_are_taken_up_no_further_than_two_ahead():
    taken = []

    def items():
        for number in range(50):
            taken.append(number)
            yield number

    stream = InProcessExecutor().stream(items(), arithmetic.steps(), stall_timeout_s=60)
    next(stream)
    stream.close()
    assert len(taken) <= 4


def test_a_users_error_comes_out_as_it_is():
    with pytest.raises(ArchiveError, match="bucket is gone"):
        run(range(5), [Step("refuse", arithmetic.refuse), Step("same", arithmetic.refuse)])


def test_an_unforeseen_error_names_step_and_item():
    with pytest.raises(
        StepError, match="Step 'stumble' failed on 3: KeyError: 'missing'"
    ) as caught:
        run(range(5), [Step("stumble", arithmetic.stumble)])
    assert isinstance(caught.value.__cause__, KeyError)
    assert "arithmetic.py" in caught.value.__notes__[0]


def test_a_step_that_never_returns_is_named():
    never = threading.Event()
    steps = [Step("decode", lambda: lambda item: never.wait()), Step("embed", arithmetic.refuse)]
    with pytest.raises(StalledError, match="'decode'"):
        run([1], steps, stall_timeout_s=0.2)
    never.set()


def test_claims():
    ids = [sha256(bytes([number])).hexdigest() for number in range(4)]
    claims = InProcessExecutor().claims([ids[:1], ids[1:2]])
    assert claims.claim("a", ids[:3]).tolist() == [2, 2, 0]
    assert claims.claim("b", ids).tolist() == [2, 2, 1, 0]
    assert claims.claim("a", ids[2:]).tolist() == [0, 1]
    assert claims.claim("a", []).dtype == np.int8

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artcluster.errors import ArtclusterError
from artcluster.executors.ray.placement import Node, bottleneck, place, smallest_machine
from artcluster.runtime.executor import Step, StepProgress


def make():
    raise NotImplementedError


def steps(embed_cpus=1.0, gpus=0.0, workers=(1, 100)):
    return [Step("decode", make), Step("embed", make, embed_cpus, gpus, workers)]


@given(
    cpus=st.lists(st.integers(1, 96), min_size=1, max_size=8),
    embed_cpus=st.sampled_from([0.5, 1, 2, 4]),
    least=st.integers(1, 5),
)
def test_actors_at_their_most_leave_a_task_on_the_largest_machine(cpus, embed_cpus, least):
    nodes = [Node(float(count)) for count in cpus]
    decode, embed = place(steps(embed_cpus, workers=(least, 1000)), nodes)
    most = embed.pool[1]
    assert 1 <= embed.pool[0] <= most
    assert embed.cpus + decode.cpus <= max(cpus) + 1e-9
    room = [int((node.cpus - decode.cpus) / embed.cpus + 1e-6) for node in nodes]
    assert most <= max(1, sum(room))
    assert decode.cpus != embed.cpus


def test_two_threads_on_two_cores_leave_room_to_decode():
    decode, embed = place(steps(2.0, workers=(1, 1)), [Node(2)])
    assert embed.pool == (1, 1)
    assert decode.cpus + embed.cpus <= 2


def test_gpu_workers_are_one_a_gpu():
    nodes = [Node(16, 4), Node(16, 4), Node(32)]
    _, embed = place(steps(gpus=1.0), nodes)
    assert embed.pool == (8, 8)
    assert embed.gpus == 1
    assert place(steps(gpus=1.0, workers=None), nodes)[1].pool == (8, 8)


def test_few_cpus_bound_the_gpu_workers():
    _, embed = place(steps(gpus=1.0), [Node(4, 8)])
    assert embed.pool == (3, 3)


def test_every_machine_has_an_actor_from_the_start():
    wanted = steps(2.0, workers=(1, None))
    decode, embed = place(wanted, [Node(16), Node(16), Node(2)])
    assert embed.pool == (2, 14)
    assert decode.tasks == 14 + 14 + 1


def test_a_cluster_without_workers_yet_is_placed_on_one_that_would_do():
    wanted = steps(2.0, gpus=0.5, workers=(1, None))
    decode, embed = place(wanted, [smallest_machine(wanted)])
    assert (decode.cpus, embed.cpus, embed.gpus, embed.pool) == (0.99, 2.0, 0.5, (1, 1))


def test_the_bottleneck_is_the_step_whose_workers_finish_fewest():
    placements = place(steps(), [Node(8)])
    assert (placements[0].tasks, placements[1].pool[1]) == (7, 7)

    def found(decoded, embedded):
        return bottleneck(steps(), placements, {"decode": decoded, "embed": embedded})

    assert found(StepProgress(9, 8, 8.0), StepProgress(8, 5, 10.0)) == 1
    assert found(StepProgress(9, 8, 24.0), StepProgress(8, 5, 10.0)) == 0
    assert found(StepProgress(9, 8, 24.0), StepProgress(1, 0, 0.0)) is None


def test_a_gpu_that_is_nowhere_is_an_error():
    with pytest.raises(ArtclusterError, match="no machine of the cluster has more than 0"):
        place(steps(gpus=1.0), [Node(8)])

"""Which servers cannot be driven from here. Times are made up."""

from dialer.fitness import Fitness, Patience

PATIENCE = Patience()


def make_fitness() -> Fitness:
    return Fitness(PATIENCE, stored_at=100.0)


def doubtful(fitness: Fitness, now: float) -> set[int]:
    return set(fitness.doubtful((1, 2), now))


def test_who_cannot_write_to_the_database_can_drive_nothing() -> None:
    fitness = make_fitness()
    assert doubtful(fitness, 100.0 + PATIENCE.database) == set()
    assert doubtful(fitness, 100.1 + PATIENCE.database) == {1, 2}
    assert fitness.cut_off(100.1 + PATIENCE.database)
    fitness.stored(110.0)
    assert not fitness.cut_off(110.0)
    assert doubtful(fitness, 110.0) == set(), "nobody took one meanwhile"


def test_a_server_without_a_link_is_left_to_others_after_a_while() -> None:
    fitness = make_fitness()
    fitness.look({1: True, 2: True}, 100.0)
    for at in (101.0, 101.0 + PATIENCE.link):
        fitness.stored(at)
        fitness.look({1: False, 2: True}, at)
        assert doubtful(fitness, at) == set()
    fitness.stored(132.0)
    fitness.look({1: False, 2: True}, 132.0)
    assert doubtful(fitness, 132.0) == {1}
    fitness.look({1: True, 2: True}, 133.0)
    assert doubtful(fitness, 133.0) == set(), "nobody took it"


def test_who_can_note_nothing_on_its_own_disk_can_drive_nothing() -> None:
    fitness = make_fitness()
    fitness.noted(100.0)
    fitness.stored(110.0)
    fitness.look({1: True, 2: True}, 105.0)
    assert doubtful(fitness, 105.0) == set()
    fitness.look({1: True, 2: True}, 105.1)
    assert doubtful(fitness, 105.1) == {1, 2}
    assert not fitness.cut_off(105.1), "what is under way gets to the database"
    fitness.look({2: True}, 106.0)
    fitness.noted(107.0)
    fitness.look({2: True}, 107.0)
    assert doubtful(fitness, 107.0) == {1}, "it went, and rests"


def pass_on(fitness: Fitness, now: float) -> float:
    """Server 1 comes, has no link, and goes to another; when it went."""
    fitness.stored(now + 31.0)
    fitness.look({1: False}, now)
    fitness.look({1: False}, now + 31.0)
    assert doubtful(fitness, now + 31.0) == {1}
    fitness.look({}, now + 32.0)
    fitness.stored(now + 1000.0)
    return now + 32.0


def test_what_went_to_another_worker_rests_and_longer_every_time() -> None:
    fitness, now = make_fitness(), 100.0
    for rest in (60.0, 120.0, 240.0, 480.0, 600.0, 600.0):
        now = pass_on(fitness, now)
        assert doubtful(fitness, now + rest - 1.0) == {1}
        assert doubtful(fitness, now + rest) == set()
        now += rest


def test_a_link_that_held_begins_anew() -> None:
    fitness = make_fitness()
    went = pass_on(fitness, 100.0)
    fitness.look({1: True}, went + 10.0)
    assert doubtful(fitness, went + 10.0) == set(), "it can be driven after all"
    fitness.look({1: True}, went + 41.0)
    went = pass_on(fitness, went + 50.0)
    assert doubtful(fitness, went + 60.0) == set()


def test_what_left_while_all_was_well_is_wanted_again_at_once() -> None:
    fitness = make_fitness()
    fitness.look({1: True, 2: False}, 100.0)
    fitness.look({}, 101.0)
    assert doubtful(fitness, 101.0) == set()
    fitness.stored(140.0)
    fitness.look({1: False, 2: False}, 140.0)
    assert doubtful(fitness, 140.0) == set(), "time elsewhere does not count"


def test_what_was_taken_from_one_without_a_database_rests() -> None:
    fitness = make_fitness()
    fitness.look({1: True}, 110.0)
    assert doubtful(fitness, 110.0) == {1, 2}
    fitness.look({}, 112.0)
    fitness.stored(115.0)
    assert doubtful(fitness, 115.0) == {1}
    assert doubtful(fitness, 112.0 + PATIENCE.rest) == {1, 2}, "no word since"
    fitness.stored(112.0 + PATIENCE.rest)
    assert doubtful(fitness, 112.0 + PATIENCE.rest) == set()

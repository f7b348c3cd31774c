from __future__ import annotations

from threading import Thread
from time import thread_time

from lasso_trio.dashboard.cpu import Cpu, cpu_seconds, loop_seconds


def test_the_figure_is_of_the_last_whole_second_and_readers_do_not_disturb_each_other() -> None:
    spent = iter([1.0, 1.25, 1.75])
    cpu = Cpu(lambda: next(spent))
    assert cpu.percent(10.0) == 0.0
    assert cpu.percent(10.5) == 0.0
    assert cpu.percent(11.0) == 25.0
    assert cpu.percent(11.1) == 25.0
    assert cpu.percent(13.0) == 25.0


def test_a_process_has_used_some() -> None:
    assert cpu_seconds() > 0


def test_other_threads_do_not_count_as_the_loop() -> None:
    def work() -> None:
        end = thread_time() + 0.05
        while thread_time() < end:
            pass

    before = loop_seconds()
    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert loop_seconds() - before < 0.04

"""The cluster's tab over three real nodes: who is there, who is gone, what each region sees. In this order."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser import nodes, tools
from tests.browser.conftest import Open
from tests.browser.nodes import HOSTS, Land
from tests.browser.test_accessibility import grave
from tests.e2e.test_cluster import FIND_S, LOSE_S, RETURN_S
from tests.e2e.toolbox import ROOT

FOUND_MS, LOST_MS, BACK_MS = 1000 * FIND_S, 1000 * LOSE_S, 1000 * RETURN_S
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def land(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Land]:
    with nodes.land(tmp_path_factory.mktemp("land")) as land:
        yield land


def row(page: Page, node_id: str) -> Locator:
    return page.get_by_role("table", name="Nodes").locator("tbody tr", has_text=node_id)


def figure(page: Page, term: str) -> Locator:
    return page.locator(".figure", has=page.get_by_text(term, exact=True)).locator(".value")


def test_all_nodes_and_regions_are_shown_and_their_figures_added_up(land: Land, open_page: Open) -> None:
    page = open_page(land.nodes[HOSTS[0]].seen).page
    expect(page.locator(".verdict .aside")).to_contain_text("3 of 3 nodes", timeout=FOUND_MS)
    page.get_by_role("tab", name="Cluster").click()
    expect(figure(page, "Nodes that respond")).to_have_text("3 of 3", timeout=FOUND_MS)
    for id_ in nodes.WAYS:
        expect(row(page, id_)).to_contain_text("Responds")
    expect(row(page, "us-east-1")).to_contain_text("this node")
    expect(page.get_by_role("table", name="Regions").locator("tbody th")).to_have_text(["ap", "eu", "us"])


def test_each_provider_is_seen_from_each_region_side_by_side(land: Land, open_page: Open) -> None:
    page = open_page(land.nodes[HOSTS[0]].seen, "#cluster").page
    sides = page.locator("table.matrix")
    expect(sides.locator("thead th")).to_have_text(["Provider", "All", "ap", "eu", "us"], timeout=FOUND_MS)
    for number, name in enumerate(["Alpha", "Beta", "Gamma"]):
        best = {"Alpha": 4, "Beta": 3, "Gamma": 2}[name]  # where its way is shortest
        cells = sides.locator("tbody tr").nth(number).locator("td")
        expect(cells.nth(best - 1)).to_have_class(re.compile("best"), timeout=FOUND_MS)
    expect(sides.locator("td.slow").first).to_contain_text("slow")
    page.get_by_role("button", name="Nodes", exact=True).click()
    expect(sides.locator("thead th")).to_have_text(["Provider", "All", *sorted(nodes.WAYS)])


def test_one_node_can_be_looked_at_alone_and_the_address_says_so(land: Land, open_page: Open) -> None:
    page = open_page(land.nodes[HOSTS[0]].seen, "#cluster").page
    expect(figure(page, "Nodes that respond")).to_have_text("3 of 3", timeout=FOUND_MS)
    page.get_by_label("Figures of").select_option("eu-west-1")
    expect(page).to_have_url(re.compile("#cluster/anvil/eu-west-1"))
    expect(page.locator("table.matrix thead th")).to_have_text(["Provider", "All", "eu"])
    expect(page.locator(".figures")).to_contain_text("of eu-west-1")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious_and_a_phone_needs_no_scrolling(land: Land, open_page: Open, dark: bool) -> None:
    page = open_page(land.nodes[HOSTS[0]].seen, "#cluster", dark=dark, bypass_csp=True).page
    expect(page.locator("table.matrix")).to_be_visible(timeout=FOUND_MS)
    page.add_script_tag(content=tools.axe())
    assert grave(page) == []
    phone = open_page(land.nodes[HOSTS[0]].seen, "#cluster", width=360, dark=dark).page
    expect(phone.locator("table.matrix")).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_killed_node_is_shown_in_red_left_out_of_the_totals_and_taken_back(
    land: Land, open_page: Open, pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    page = open_page(land.nodes[HOSTS[0]].seen, "#cluster", width=1280).page
    expect(figure(page, "Nodes that respond")).to_have_text("3 of 3", timeout=FOUND_MS)
    dead = land.nodes[HOSTS[2]]
    dead.kill()
    lost = row(page, "ap-south-1")
    expect(lost).to_contain_text("Disconnected", timeout=LOST_MS)
    expect(lost.locator(".state.s-disconnected")).to_be_visible()
    expect(figure(page, "Nodes that respond")).to_have_text("2 of 3")
    expect(page.locator("table.matrix thead th")).to_have_text(["Provider", "All", "eu", "us"], timeout=LOST_MS)
    folder = ROOT / "docs" / "images" if pytestconfig.getoption("--pictures", default=False) else tmp_path
    take(open_page, land, folder)
    page.get_by_role("tab", name="Overview").click()
    chip = page.get_by_label("What is wrong").get_by_role("button", name=re.compile("ap-south-1"))
    expect(chip).to_contain_text("disconnected")
    chip.click()
    land.run(dead.start)
    expect(figure(page, "Nodes that respond")).to_have_text("3 of 3", timeout=BACK_MS)


def take(open_page: Open, land: Land, folder: Path) -> None:
    for scheme in ("light", "dark"):
        page = open_page(land.nodes[HOSTS[0]].seen, "#cluster", width=1280, dark=scheme == "dark").page
        expect(row(page, "ap-south-1")).to_contain_text("Disconnected", timeout=FOUND_MS)
        page.wait_for_timeout(1500)
        page.screenshot(path=folder / f"cluster-{scheme}.png", full_page=True)


def test_a_wrong_secret_and_an_id_in_use_are_told(land: Land, open_page: Open) -> None:
    page = open_page(land.nodes[HOSTS[0]].seen, "#cluster").page
    stranger, double = land.add(HOSTS[3], "sa-east-1", secret="t" * 64), land.add(HOSTS[4], "eu-west-1")
    land.list_hosts(*HOSTS)
    expect(page.get_by_role("alert").filter(has_text="Another secret").first).to_be_visible(timeout=FOUND_MS)
    double_id = page.get_by_role("alert").filter(has_text="One id, several nodes")
    expect(double_id).to_contain_text("eu-west-1", timeout=FOUND_MS)
    expect(row(page, HOSTS[3])).to_contain_text(re.compile("(Does not tell|Unresponsive).*secret"), timeout=FOUND_MS)
    for node in (stranger, double):
        assert node.process is not None
        node.process.send_signal(signal.SIGKILL)
        node.process.wait()

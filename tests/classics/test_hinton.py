"""Hinton diagrams: which squares stand for the weights, on a terminal and on axes."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex
from rich.console import Console

from chainrule.classics import HintonDiagram, hinton_diagram, problem
from chainrule.nn.connected import Connected
from chainrule.nn.recurrent import unrolled
from chainrule.nn.wiring import Connection, Units
from chainrule.random import key
from chainrule.trace.tree import tree_map


def network() -> Connected:
    """Two inputs, two hidden units, one output with a direct connection; weights of known sizes."""
    made = Connected(2, [Units("hidden", 2), Units("output", 1, bias=False)],
                     [("input", "hidden"), ("input", "output"), ("hidden", "output")])  # fmt: skip
    weights = {
        "input->hidden": np.array([[16.0, -4.0], [1.0, -0.01]]),
        "input->output": np.array([[0.0, 4.0]]),
        "hidden->output": np.array([[-16.0, 1.0]]),
    }
    return Connected.from_weights(made.wiring, weights, {"hidden": np.array([2.0, -2.0])})


def squares(diagram: HintonDiagram, **options: bool) -> list[tuple[float, str, str]]:
    """The side, the face and the edge of each square that is drawn."""
    patches = diagram.plot(**options).patches
    return [(float(p.get_width()), to_hex(p.get_facecolor()), to_hex(p.get_edgecolor())) for p in patches]


def test_each_unit_has_its_incoming_weights_by_group_and_the_bias_last() -> None:
    groups = hinton_diagram(network()).groups
    assert [(g.target, g.count, [p.source for p in g.incoming]) for g in groups] == [
        ("hidden", 2, ["input", "bias"]),
        ("output", 1, ["input", "hidden"]),
    ]
    assert groups[0].incoming[1].weights.tolist() == [[2.0], [-2.0]]
    assert groups[1].incoming[1].weights.tolist() == [[-16.0, 1.0]]


def test_the_area_of_a_square_is_in_proportion_to_the_weight() -> None:
    drawn = squares(hinton_diagram(network()))
    areas = [side**2 / max(side for side, *_ in drawn) ** 2 for side, *_ in drawn]
    values = [16, -4, 1, -0.01, 2, -2, 0, 4, -16, 1]
    np.testing.assert_allclose(areas, np.abs(values) / 16, atol=1e-12)


def test_positive_squares_are_filled_blue_and_negative_ones_hollow_orange() -> None:
    drawn = squares(hinton_diagram(network()))
    assert drawn[0][1] == "#0072b2"
    assert drawn[1][1:] == ("#ffffff", "#e69f00")


def test_without_colour_they_are_white_and_black() -> None:
    drawn = squares(hinton_diagram(network()), colour=False)
    assert [face for _, face, _ in drawn[:2]] == ["#ffffff", "#000000"]


def test_as_plain_text_the_sign_is_seen_without_colour() -> None:
    assert str(hinton_diagram(network())).splitlines()[2:] == [
        "",
        "hidden   input               bias",
        "     0   ■ +16.00 ◻ -4.00    ▪ +2.00",
        "     1   ▪ +1.00  ◦ -0.01    ▫ -2.00",
        "",
        "output   input               hidden",
        "     0   · +0.00  ◼ +4.00    □ -16.00 ▪ +1.00",
    ]


def test_on_a_terminal_positive_is_blue_and_negative_orange() -> None:
    console = Console(force_terminal=True, color_system="256", width=120)
    with console.capture() as caught:
        console.print(hinton_diagram(network()))
    assert "\x1b[34m■" in caught.get()
    assert "\x1b[38;5;208m□" in caught.get()


def test_glyphs_grow_with_the_weight() -> None:
    diagram = hinton_diagram(network())
    assert "".join(diagram.glyph(w) for w in (0.01, 1.0, 4.0, 16.0)) == "·▪◼■"
    assert "".join(diagram.glyph(-w) for w in (0.01, 1.0, 4.0, 16.0)) == "◦▫◻□"


def test_weights_that_are_missing_are_blank() -> None:
    made = Connected(3, [Units("output", 1)], [Connection("input", "output", places=((0, -1, 1),))])
    (group,) = hinton_diagram(made).groups
    assert np.isnan(group.incoming[0].weights).tolist() == [[False, True, False]]
    assert len(hinton_diagram(made).table().rows) == made.parameters


def test_weights_that_many_units_share_are_drawn_once() -> None:
    asked = problem("t-c")
    made = asked.network(key(0))
    rows = hinton_diagram(made).table().rows
    assert len(rows) == made.parameters
    assert str(hinton_diagram(made)).count("  each   ") == 1


def test_weights_that_are_tied_in_time_are_drawn_once() -> None:
    wiring = unrolled(3, 2, [Units("hidden", 2), Units("output", 1)], [("input", "hidden"), ("hidden", "output")],
                      [("hidden", "hidden")])  # fmt: skip
    diagram = hinton_diagram(Connected.of(wiring, key(0)))
    assert [(g.target, [p.source for p in g.incoming]) for g in diagram.groups] == [
        ("hidden", ["input", "bias"]),
        ("hidden", ["previous hidden"]),
        ("output", ["hidden", "bias"]),
    ]


@pytest.mark.parametrize(("inputs", "units"), [(100, 3), (20, 40)])
def test_large_networks_stay_within_the_lines(inputs: int, units: int) -> None:
    text = str(hinton_diagram(Connected(inputs, [Units("output", units)], [("input", "output")])))
    assert max(map(len, text.splitlines())) <= 120
    assert ("and 16 more" in text) == (units == 40)


def test_a_network_of_zeros_has_a_diagram() -> None:
    made = Connected(2, [Units("output", 1)], [("input", "output")])
    diagram = hinton_diagram(tree_map(lambda w: 0 * w, made))
    assert diagram.largest == 0.0
    assert len(squares(diagram)) == 3


def test_it_is_data_and_a_page_too() -> None:
    diagram = hinton_diagram(network())
    assert diagram.to_dict()["groups"][0]["incoming"][0]["weights"] == [[16.0, -4.0], [1.0, -0.01]]
    assert "■ +16.00" in diagram._repr_html_()

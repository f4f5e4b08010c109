"""The calculators of end of life, as one tries a policy with them."""

import sqlite3
import sys
from contextlib import closing
from xml.etree import ElementTree

import orjson
import pytest

import retour
from tracker.audit import Act
from tracker.class_book import put_class
from tracker.class_files import shipped_class
from tracker.goodness import Fit, Point
from tracker.life_ports import Fitted
from tracker.reliability import Model
from tracker.stores.sqlite import SqliteStore

HEAD = "asset,class,cycles,failed,shock\n"


@pytest.fixture
def give(monkeypatch, capsys):
    def given(*words):
        monkeypatch.setattr(sys, "argv", ["retour", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            retour.main()
        shown = capsys.readouterr()
        return ended.value.code, shown.out, shown.err

    return given


@pytest.fixture
def table(tmp_path):
    def write(content):
        file = tmp_path / "lives.csv"
        file.write_text(content)
        return file

    return write


def lives(number):
    """Half of them failed, sooner the more shocks."""
    rows = (f"a{n},keg,{20 + n % 40 - 10 * (n % 3)},{n % 2},{n % 3}" for n in range(number))
    return HEAD + "\n".join(rows) + "\n"


def test_a_table_of_lives_tells_who_fails_next(give, table):
    status, shown, _ = give("reliability", "fit", table(lives(120)), "--horizon", 5, "--json")
    assert status == 0
    told = orjson.loads(shown)
    model = told["model"]["keg"]
    assert (model["failures"], model["lives"], model["borrowed"]) == (
        60,
        119,
        0,
    )  # one has done nothing
    assert model["coefficients"]["shock"] < 0
    assert [row["asset"] for row in told["rows"]] == [f"a{n}" for n in range(0, 120, 2)]
    assert all(0 < row["p_fail"] < 1 for row in told["rows"])
    assert told["fit"]["keg"]["largest_gap"] < 0.3
    assert told["fit"]["keg"]["curve"][0].keys() == {"cycles", "seen", "model"}


def test_a_wider_horizon_is_likelier(give, table):
    file = table(lives(120))
    near, far = (
        orjson.loads(give("reliability", "fit", file, "--horizon", h, "--json")[1])["rows"]
        for h in (1, 10)
    )
    assert all(one["p_fail"] < other["p_fail"] for one, other in zip(near, far, strict=True))


def test_for_people_those_first_that_fail_soonest(give, table):
    status, shown, _ = give("reliability", "fit", table(lives(120)), "--horizon", 5)
    assert status == 0
    assert "fails within 5 cycles" in shown
    assert "63 % fail by" in shown


def test_a_picture_of_each_model_beside_what_was_seen(give, table, tmp_path):
    picture = tmp_path / "lives.svg"
    shown = give("reliability", "fit", table(lives(120)), "--plot", picture, "--json")[1]
    curve = orjson.loads(shown)["fit"]["keg"]["curve"]
    drawn = ElementTree.parse(picture).getroot()
    dots = [one for one in drawn.iter() if one.tag.endswith("circle")]
    assert len(dots) == len(curve) + 1  # and the one that says what they are
    words = " ".join(one.text for one in drawn.iter() if one.tag.endswith("text"))
    assert "keg: 119 lives, 60 failures; off by" in words
    assert "cycles" in words


def test_too_few_lives_to_draw_a_curve_of(give, table, tmp_path):
    picture = tmp_path / "lives.svg"
    few = table(HEAD + "a,<keg>,5,1,0\nb,<keg>,9,0,1\nc,<keg>,7,1,2\n")
    assert give("reliability", "fit", few, "--plot", picture)[0] == 0
    words = [one.text for one in ElementTree.parse(picture).iter() if one.tag.endswith("text")]
    assert words[0].startswith("<keg>: 3 lives, 2 failures")
    assert words[1] == "too few of them have got far to draw a curve"


@pytest.fixture
def taught(tmp_path, monkeypatch):
    """A database that learns of a class twice: its path."""
    path = tmp_path / "taught.db"
    monkeypatch.setenv("RETOUR_DATABASE", f"sqlite:///{path}")
    curve = (Point(10, 0.9, 0.88), Point(20, 0.5, 0.55))
    with closing(SqliteStore(path)) as store, store.writing() as tx:
        put_class(tx, shipped_class("keg"), Act("test", 0, 0))
        for number, failures in ((1, 4), (2, 9)):
            model = Model(3.0, (), 2.0, 100, failures, 30 - failures)
            tx.add_model(Fitted("keg", number, 0, model, (), Fit(curve, 0.05)))
    return path


def test_what_a_fleet_has_taught_as_a_picture(give, taught, tmp_path):
    picture = tmp_path / "kegs.svg"
    status, shown, _ = give("report", "reliability", "--class", "keg", "--out", picture)
    assert (status, shown) == (0, f"{picture} shows 1 class\n")
    words = [one.text for one in ElementTree.parse(picture).iter() if one.tag.endswith("text")]
    assert words[0] == "keg: 100 lives, 9 failures and 21 borrowed; off by 5.0% at most"
    status, _, complaints = give("report", "reliability", "--class", "kegg", "--out", picture)
    assert (status, "kegg" in complaints) == (1, True)


def test_no_picture_of_what_nothing_has_taught(give, taught, tmp_path):
    with closing(sqlite3.connect(taught)) as db:
        db.execute("DELETE FROM models")
        db.commit()
    status, _, complaints = give("report", "reliability", "--out", tmp_path / "none.svg")
    assert status == 1
    assert "no model was learned yet" in complaints
    assert not (tmp_path / "none.svg").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("asset,class,cycles\n", "the column 'failed' is missing"),
        ("asset,class,cycles,failed,shok\n", "there is no column 'shok'"),
        (HEAD, "there is no row"),
        (HEAD + "a,keg,ten,0,1\n", ":2: cycles: 'ten' is no number"),
        (HEAD + "a,keg,-1,0,1\nb,keg,1,yes,inf\n", ":2: cycles: -1 is less than 0"),
        (HEAD + "a,keg,1,yes,1\n", ":2: failed: 'yes' is neither 0 (it lives) nor 1 (it failed)"),
        (HEAD + "a,keg,1,0,inf\n", ":2: shock: 'inf' is no number"),
        (HEAD + "a,keg,1,0\n", ":2: it has not as many values as there are columns"),
        (HEAD + ",keg,1,0,1\n", ":2: `asset` and `class` have to be named"),
        (HEAD + "a,keg,1,0,1\n", "no asset has failed: nothing can be told of failures"),
    ],
)
def test_a_table_that_makes_no_sense(give, table, content, said):
    status, shown, complaints = give("reliability", "fit", table(content))
    assert (status, shown) == (1, "")
    assert said in complaints


def test_every_fault_of_a_table_is_told(give, table):
    complaints = give("reliability", "fit", table(HEAD + "a,keg,x,0,1\n" * 30))[2]
    assert complaints.count("is no number") == 20
    assert "and 10 more faults" in complaints


def test_an_asset_s_routes_term_by_term(give, tmp_path):
    case = tmp_path / "case.yaml"
    case.write_text("class: power_tool\nasset: {id: T1, cycles: 60, age_days: 500, grade: C}\n")
    status, shown, _ = give("disposition", case, "--json")
    assert status == 0
    told = orjson.loads(shown)
    assert (told["asset"], told["recommended"], told["ask_a_person"]) == ("T1", "restock", False)
    by_route = {one["route"]: one for one in told["routes"]}
    assert by_route["resell"]["excluded"] == "only for A and B, and it is C"
    assert by_route["dispose"]["excluded"] == "electric waste must not be landfilled"
    for one in told["routes"]:
        assert sum(one["terms"].values()) == pytest.approx(one["value"])
    assert told["turns"][0]["then"] != "restock"
    shown = give("disposition", case)[1]
    assert "Best: restock, worth" in shown
    assert "in place of" in shown


def test_a_case_that_makes_no_sense(give, tmp_path):
    case = tmp_path / "case.yaml"
    case.write_text("class: keg\nasset: {cycles: -1, grade: Z}\n")
    status, _, complaints = give("disposition", case)
    assert status == 1
    assert f"{case}:2: asset.cycles: should be greater than or equal to 0" in complaints
    assert "is no case: 1 fault" in complaints


@pytest.fixture
def database(monkeypatch, tmp_path):
    monkeypatch.setenv("RETOUR_DATABASE", f"sqlite:///{tmp_path}/retour.db")


def test_the_class_of_a_case_s_file_is_put_in(give, database, tmp_path):
    case = tmp_path / "drill.yaml"
    case.write_text(
        "class: {id: drill, routes: [{id: scrap, kind: recycle}]}\nasset: {cycles: 3}\n"
    )
    assert give("class", "check", case)[:2] == (0, f"{case} is fine: drill, 1 routes\n")
    assert give("class", "use", case)[:2] == (0, "drill is known\n")
    case.write_text("id: drill\nroutes: [{id: scrap, kind: recycle}]\nasset: {cycles: 3}\n")
    assert f"{case}:3: asset: no key of this place\n" in give("class", "check", case)[2]


def test_a_class_that_is_neither_a_file_nor_shipped(give, database):
    for name, hint in (
        ("palet", " (did you mean 'pallet'?)"),
        ("sofa", "; there are infusion_pump,"),
    ):
        status, _, complaints = give("class", "use", name)
        assert status == 1
        assert f"no file {name}, nor a shipped class of that name{hint}" in complaints


def test_nobody_is_told_that_nothing_is_near_its_end_where_nobody_has_looked(give, database):
    assert give("class", "use", "pallet")[0] == 0
    status, shown, _ = give("end-of-life", "--because", "worn_out")
    assert status == 0
    assert "looked at by a worker" in " ".join(shown.split())
    status, _, complaints = give("end-of-life", "--because", "old")
    assert status == 2
    assert "likely_to_fail" in complaints


def test_a_class_of_which_nothing_is_known_is_told_in_a_line(give, database):
    assert give("class", "use", "pallet")[0] == 0
    assert give("class", "remove", "palet") == (
        1,
        "",
        "retour: nothing is known of the class 'palet' (did you mean 'pallet'?): "
        "`retour class use` or PUT /v1/classes/ID puts it in\n",
    )
    assert give("class", "remove", "pallet")[0] == 0

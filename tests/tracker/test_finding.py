"""What is found, by words, labels, class, site and box, is what a plain look at all would find."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.asset_ports import UNKNOWN, AssetFilter, Position
from tracker.fold import Belief, Place
from tracker.geofence import Box
from tracker.inference import bare
from tracker.layout import EMPTY
from tracker.model import Asset
from tracker.present import Now, Present
from tracker.stage import Told, begin
from tracker.stores import asset_reads
from tracker.stores.setup_writes import label, labels_of
from tracker.stores.sqlite import SqliteStore
from tracker.whereabouts import Moment, Stay, Turn, Whereabouts

CLASSES = ["pallet", "cage_2", "Pumpe"]
SITES = ["depot", "yard"]
STAGES = ["ready", "in_use", "lost", None]
VALUES = ["blue", "blue-7", "ünï_9", "x", "", 7, True]
NAMES = ["Blue 7", "pal_let 12", "Ünïcode", "refrigerated container", "x" * 40]
BEGINNING = Position(-(2**63), "")
ALL = 1_000

degrees = st.sampled_from([-180.0, -179.9999, -1.0, 0.0, 0.0004, 0.0006, 4.4, 179.9999, 180.0])
latitudes = st.sampled_from([-90.0, -1.0, 0.0, 0.0004, 0.0006, 51.9, 90.0])


def asset_of(number):
    attributes = {"colour": VALUES[number % 7]}
    external = {"erp": f"4{number:03}"} if number % 3 else {}
    name = NAMES[number % 5]
    return Asset(f"A_{number:03}", CLASSES[number % 3], name, None, None, attributes, external)


def belief_of(number):
    lon = [-180.0, -179.9999, 0.0, 0.0004, 4.4, 179.99995][number % 6]
    lat = [0.0, 0.0004, 51.9, -1.0][number % 4]
    stay = Stay(SITES[number % 2], 1_000 - number % 10, "seen", 0, Moment(0, ""))
    turn = Turn("yard", 5, False)
    known = [Whereabouts(0, stay), Whereabouts(0, None, turn), Whereabouts(0, stay, turn), None]
    last = Place(lat, lon, 8.0, 0, "fix", "trk-1", "") if number % 7 else None
    return Belief(f"A_{number:03}", 1, 0, "", last, last, known[number % 4] or Whereabouts())


def present_of(number):
    """What is told of an asset: of each fifth nothing has been observed."""
    told = Told(STAGES[number % 4], 0, [0.4, 0.8, 0.97][number % 3])
    return Present(f"A_{number:03}", "asset", None, told, told, 0, 0) if number % 5 else None


WORLD = [(asset_of(n), belief_of(n), present_of(n)) for n in range(60)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    made = SqliteStore(tmp_path_factory.mktemp("finding") / "retour.db")
    with made.writing() as tx:
        tx.put_assets([asset for asset, _, _ in WORLD])
        tx.save_beliefs([belief for _, belief, _ in WORLD], 1)
        case, evidence = bare("A1", EMPTY)
        first = begin(evidence, case, 0)
        profile = evidence.profile(case, first.roles, 0)
        tx.save_presents([Now(p, first.row(), first, profile) for _, _, p in WORLD if p])
    yield made
    made.close()


def words(asset):
    said = [asset.id, asset.class_, asset.name, *(value for _, value in labels_of(asset))]
    folded = " ".join(said).lower().replace("ü", "u").replace("ï", "i")
    return re.findall(r"[a-z0-9]+", folded)


def fits(asset, belief, present, wanted):
    asked = re.findall(r"[a-z0-9]+", (wanted.text or "").lower())
    return (
        (wanted.text is None or bool(asked))
        and all(any(word.startswith(one) for word in words(asset)) for one in asked)
        and wanted.class_ in (None, asset.class_)
        and wanted.site in (None, belief.whereabouts.site)
        and set(wanted.labels) <= set(labels_of(asset))
        and (wanted.stage is None or (present and wanted.stage == (present.told.stage or UNKNOWN)))
        and (wanted.p_min is None or (present and wanted.p_min <= present.told.p))
    )


filters = st.builds(
    AssetFilter,
    st.none()
    | st.sampled_from(
        ["a", "A_0", "blue 7", "pal_let", "containers", "x" * 30, "7\u19b0let", "_", ""]
    ),
    st.none() | st.sampled_from([*CLASSES, "none"]),
    st.none() | st.sampled_from([*SITES, "none"]),
    st.lists(
        st.sampled_from([("is:colour", label(value)) for value in VALUES] + [("id:erp", "4007")]),
        max_size=2,
        unique=True,
    ).map(tuple),
    st.none() | st.sampled_from([*filter(None, STAGES), UNKNOWN, "none"]),
    st.none() | st.sampled_from([0.0, 0.8, 0.97, 1.0]),
)


@settings(deadline=None, max_examples=300)
@given(filters, st.integers(1, 7))
def test_assets_are_found_page_by_page(store, wanted, limit):
    expected = [known[0].id for known in WORLD if fits(*known, wanted)]
    with store.reading() as reader:
        found, after = [], ""
        while page := reader.assets(wanted, after, limit):
            found += page
            after = page[-1].id
    assert [asset.id for asset in found] == expected


@pytest.mark.parametrize("many", [1, ALL], ids=["many lie there", "few lie there"])
@settings(deadline=None)
@given(box=st.builds(Box, latitudes, degrees, latitudes, degrees), limit=st.integers(1, 7))
def test_boxes_are_gone_through_page_by_page(store, many, box, limit):
    box = box._replace(south=min(box.south, box.north), north=max(box.south, box.north))
    expected = [belief for _, belief, _ in WORLD if belief.last and box.contains(*belief.last[:2])]
    with pytest.MonkeyPatch.context() as patch, store.reading() as reader:
        patch.setattr(asset_reads, "MANY", many)
        found = []
        while page := reader.located(box, found[-1].asset if found else "", limit):
            found += page
    assert found == expected


@given(st.sampled_from([*SITES, "none"]), st.none() | st.integers(985, 1_005), st.integers(1, 7))
def test_those_who_stay_are_gone_through_by_when_they_came(store, site, until, limit):
    stays = [(b, b.whereabouts.stay) for _, b, _ in WORLD if b.whereabouts.stay]
    staying = [b for b, s in stays if s.site == site and (until is None or s.since < until)]
    with store.reading() as reader:
        found, after = [], BEGINNING
        while page := reader.staying_at(site, until, after, limit):
            found += page
            after = Position(page[-1].whereabouts.stay.since, page[-1].asset)
    assert found == sorted(staying, key=lambda b: (b.whereabouts.stay.since, b.asset))

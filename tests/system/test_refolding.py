"""A changed configuration takes effect while a gateway runs, without a question being asked."""

from tracker.arrange import arrange
from tracker.places import Circle, Site


def test_the_gateway_folds_again_what_a_new_site_touches(world):
    world.ready_gateway()
    device = world.device()
    device.publish(5)  # fixes around 50, 4.2
    device.wait_for_receipts()
    assert not site_of(world)

    with world.store.writing() as tx:
        arrange(tx, Site(id="yard", geofence=Circle(center=(4.2, 50.0), radius_m=500)))
        assert tx.stale_count() == 1

    world.wait_for(lambda: site_of(world) == "yard", "the asset is seen at the new site")
    assert world.verify()["stale"] == 0


def site_of(world):
    with world.store.reading() as reader:
        return reader.belief("on-trk-1").whereabouts.site

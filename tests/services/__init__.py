"""A real PostgreSQL with TimescaleDB and a real Mosquitto for the tests.

Where they come from, first that applies:

1. `GRIDWARDEN_TEST_DATABASE_URL` and `GRIDWARDEN_TEST_MQTT_URL`: servers of the user's own, used as
   the session's shared servers. Tests that kill their server still start one by 2 or 3.
2. As root on a machine with apt: a Debian folder made by debootstrap, kept in
   `${GRIDWARDEN_CACHE:-~/.cache/gridwarden}/trixie`; the servers run from it by chroot.
3. A container engine that answers (docker, podman). Not tried where this was written.

None of these: `ServiceMissing`, which says what to provide. Tests never skip for want of a server.
"""

-- The gateway through which a device is heard: a device of the same community and of kind 'gateway', which
-- the site's check sees to. Where the gateway is gone, its devices are unknown.
ALTER TABLE devices ADD COLUMN gateway_id integer REFERENCES devices CHECK (gateway_id <> id);

-- Whom a rejected message was of, where nobody with that address is registered: devices that wait to be
-- adopted. `unknown` holds their addresses (codes, on our own topics).
ALTER TABLE rejected_messages
    ADD COLUMN community text,
    ADD COLUMN unknown text[];
CREATE INDEX rejected_unknown ON rejected_messages (community, arrival) WHERE unknown IS NOT NULL;

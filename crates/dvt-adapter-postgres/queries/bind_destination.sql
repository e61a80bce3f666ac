-- Binds the destination if there is none, and tells the one that is bound. $1 destination.
INSERT INTO outbox_destination AS d (destination)
VALUES ($1)
ON CONFLICT ON CONSTRAINT outbox_destination_pkey DO UPDATE
-- No change, but the row's lock and its newest value.
SET destination = d.destination
RETURNING d.destination

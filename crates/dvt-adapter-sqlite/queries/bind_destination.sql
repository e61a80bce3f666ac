INSERT INTO outbox_destination (destination) VALUES (?1)

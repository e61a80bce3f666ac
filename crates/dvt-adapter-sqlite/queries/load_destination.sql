SELECT
    destination AS "destination!: String",
    retargeted_from AS "retargeted_from?: String",
    retargeted_by AS "retargeted_by?: String",
    retargeted_reason AS "retargeted_reason?: String",
    retargeted_at AS "retargeted_at?: i64"
FROM outbox_destination

use dvt_contracts::Timestamp;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef, Postgres};
use sqlx::{Decode, Encode, Type};

/// Microseconds from 1970 to 2000, where PostgreSQL's clock begins.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// A `timestamptz`, read as the microseconds that it is. The usual types add unchecked and panic on a moment that somebody
/// placed out of range by hand (sqlx #2234, #3685).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(pub(crate) Timestamp);

impl Type<Postgres> for Moment {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1184))
    }
}

impl PgHasArrayType for Moment {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1185))
    }
}

impl Encode<'_, Postgres> for Moment {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let micros = self.0.as_micros() - POSTGRES_EPOCH;
        <i64 as Encode<Postgres>>::encode_by_ref(&micros, buffer)
    }
}

impl Decode<'_, Postgres> for Moment {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let bytes: [u8; 8] = value.as_bytes()?.try_into()?;
        let micros = i128::from(i64::from_be_bytes(bytes)) + i128::from(POSTGRES_EPOCH);
        Ok(Self(Timestamp::from_micros(micros)?))
    }
}

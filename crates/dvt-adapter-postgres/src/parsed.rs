use std::str::FromStr;

use dvt_contracts::{InvalidPayload, Payload};
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgHasArrayType, PgTypeInfo, PgValueRef, Postgres};
use sqlx::{Decode, Type};

/// A `text` that is read as what it stands for, without a `String` in between. One that breaks its rule does not end the reply in
/// the middle: its event is told.
#[derive(Debug)]
pub(crate) struct Parsed<T: FromStr>(pub(crate) Result<T, T::Err>);

impl<T: FromStr> Type<Postgres> for Parsed<T> {
    fn type_info() -> PgTypeInfo {
        <str as Type<Postgres>>::type_info()
    }
}

impl<T: FromStr> PgHasArrayType for Parsed<T> {
    fn array_type_info() -> PgTypeInfo {
        <&str as PgHasArrayType>::array_type_info()
    }
}

impl<T: FromStr> Decode<'_, Postgres> for Parsed<T> {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        Ok(Self(value.as_str()?.parse()))
    }
}

/// A `json` that is read as a payload. As `payload::text` the server would write it anew for each row.
#[derive(Debug)]
pub(crate) struct ParsedPayload(pub(crate) Result<Payload, InvalidPayload>);

impl Type<Postgres> for ParsedPayload {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(114))
    }
}

impl PgHasArrayType for ParsedPayload {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(199))
    }
}

impl Decode<'_, Postgres> for ParsedPayload {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        Ok(Self(Payload::new(value.as_bytes()?)))
    }
}

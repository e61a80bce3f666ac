use lapin::auth::AuthProvider;
use lapin::types::{LongString, ShortString};
use zeroize::Zeroizing;

/// SASL PLAIN. Keeps the password out of the URL that the client library holds, and prints.
pub(crate) struct Plain {
    pub(crate) user: String,
    pub(crate) password: Zeroizing<String>,
}

impl AuthProvider for Plain {
    fn mechanism(&self) -> ShortString {
        "PLAIN".into()
    }

    fn auth_starter(&self) -> Result<LongString, String> {
        Ok(format!("\0{}\0{}", self.user, self.password.as_str()).into())
    }
}

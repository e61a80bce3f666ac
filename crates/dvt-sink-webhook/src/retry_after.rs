use std::time::{Duration, SystemTime};

/// No receiver can ask for a longer pause.
pub(crate) const LONGEST: Duration = Duration::from_secs(60 * 60);

/// The pause that a `Retry-After` header asks for: seconds or an HTTP date. Nothing for what is neither.
pub(crate) fn parse(value: &[u8], now: SystemTime) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a long time, too.
        let seconds = text.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(LONGEST));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default().min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_dates_and_nonsense() {
        // Sun, 06 Nov 1994 08:49:37 GMT
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let seconds = |value: &str| parse(value.as_bytes(), now).map(|pause| pause.as_secs());

        assert_eq!(seconds("0"), Some(0));
        assert_eq!(seconds(" 120 "), Some(120));
        assert_eq!(seconds("3600"), Some(3_600));
        assert_eq!(seconds("3601"), Some(3_600));
        assert_eq!(seconds("99999999999999999999999999"), Some(3_600));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
        assert_eq!(seconds("Sunday, 06-Nov-94 08:50:37 GMT"), Some(60));
        assert_eq!(seconds("Sun Nov  6 08:50:37 1994"), Some(60));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        assert_eq!(seconds("Fri, 31 Dec 9999 23:59:59 GMT"), Some(3_600));
        for nonsense in [
            "",
            "-1",
            "+5",
            "1.5",
            "1e3",
            "soon",
            "Sun, 99 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(seconds(nonsense), None, "{nonsense:?}");
        }
        assert_eq!(parse(b"\xff", now), None);
    }
}

//! What the session that runs a statement has set, as far as its effects hang on it.

/// Settings that decide between a rewrite and none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionFacts {
    pub time_zone: TimeZone,
}

/// The session's TimeZone, as far as `timestamp` to `timestamptz` asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeZone {
    /// Never off from UTC: values keep their bytes.
    Utc,
    Other,
    /// The server's setting decides.
    #[default]
    Unknown,
}

impl TimeZone {
    /// Reads a value of `SET timezone`. Only zones that were at offset 0 at all times count: Africa/Abidjan has
    /// its local mean time before 1912, and rewrites (measured: altertype.timestamp_to_timestamptz_tz_abidjan).
    pub fn named(value: &str) -> TimeZone {
        let name = value.to_ascii_lowercase();
        match name.strip_prefix("etc/").unwrap_or(&name) {
            "utc" | "uct" | "gmt" | "gmt0" | "gmt+0" | "gmt-0" | "greenwich" | "universal" | "zulu" | "0" => {
                TimeZone::Utc
            }
            "default" | "local" => TimeZone::Unknown,
            _ => TimeZone::Other,
        }
    }
}

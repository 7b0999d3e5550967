//! Zones that moments are told in, as clients name them.

use arrow::array::timezone::Tz;

const UTC: &str = "UTC";

/// A zone.
#[derive(Debug, Clone)]
pub(super) struct Zone {
    /// As clients are told of it
    pub shown: String,
    /// As the engine has it
    pub name: String,
    pub tz: Tz,
}

impl Default for Zone {
    fn default() -> Zone {
        // An offset in digits is read whatever names are known.
        let tz = "+00:00".parse().expect("an offset in digits");
        Zone { shown: UTC.into(), name: UTC.into(), tz }
    }
}

impl Zone {
    /// Its name, unless it is that of UTC, which the engine goes by where it is told of none.
    pub fn named(&self) -> Option<&str> {
        let utc =
            [UTC, "GMT", "Z", "Zulu", "Universal", "Etc/UTC", "Etc/GMT", "Etc/Zulu", "Etc/Universal", "UCT", "+00:00"];
        Some(self.name.as_str()).filter(|name| !utc.contains(name))
    }

    /// What a client names: a name such as `Europe/Berlin`, hours to the east, `INTERVAL '+02:00'`, or an offset in the
    /// words of POSIX, which counts to the west. `None` for what is none of these.
    pub fn read(text: &str) -> Option<Zone> {
        let text = text.trim();
        if let Some(interval) = text.strip_prefix("INTERVAL ").or_else(|| text.strip_prefix("interval ")) {
            return Zone::east(minutes(interval.split_whitespace().next()?)?);
        }
        // Of a text such as `+02:00` some would say that it is to the east, PostgreSQL that it is to the west.
        let hours = text.replace(' ', "");
        if let Ok(hours) = hours.parse::<f64>() {
            let exact = hours * 60.0;
            return (exact.fract() == 0.0 && exact.abs() < 1e4).then(|| Zone::east(exact as i32)).flatten();
        }
        let posix = match text.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
            Some((_, offset)) => Some(offset),
            None => ["GMT", "UTC"].iter().find_map(|name| text.strip_prefix(name)).filter(|rest| !rest.is_empty()),
        };
        if let Some(offset) = posix {
            return Zone::east(-minutes(offset)?);
        }
        // Names are spelled in one way within, and in any by clients.
        let capitals = |text: &str| {
            let mut begins = true;
            let letter = |c: char| {
                let letter = if begins { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
                begins = !c.is_ascii_alphanumeric();
                letter
            };
            text.chars().map(letter).collect::<String>()
        };
        let begins_well = text.starts_with(|c: char| c.is_ascii_alphabetic());
        let spellings = [text.to_string(), capitals(text), text.to_ascii_uppercase()];
        let known = |name: String| Some(Zone { tz: name.parse().ok()?, shown: name.clone(), name });
        spellings.into_iter().filter(|_| begins_well).find_map(known)
    }

    /// A zone of so many minutes to the east.
    fn east(minutes: i32) -> Option<Zone> {
        let shown = |minutes: i32| {
            let (sign, size) = (if minutes < 0 { '-' } else { '+' }, minutes.unsigned_abs());
            match size % 60 {
                0 => format!("{sign}{:02}", size / 60),
                rest => format!("{sign}{:02}:{rest:02}", size / 60),
            }
        };
        // As far as any place on earth is, and PostgreSQL's bound.
        if minutes.abs() >= 16 * 60 {
            return None;
        }
        let (sign, size) = (if minutes < 0 { '-' } else { '+' }, minutes.unsigned_abs());
        let name = format!("{sign}{:02}:{:02}", size / 60, size % 60);
        Some(Zone { tz: name.parse().ok()?, shown: format!("<{}>{}", shown(minutes), shown(-minutes)), name })
    }
}

/// The minutes of an offset: `+2`, `-03:30`.
fn minutes(offset: &str) -> Option<i32> {
    let (sign, size) = match offset.strip_prefix('-') {
        Some(size) => (-1, size),
        None => (1, offset.strip_prefix('+').unwrap_or(offset)),
    };
    let (hours, minutes) = size.split_once(':').unwrap_or((size, "0"));
    let digits = |text: &str| (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(hours) || !digits(minutes) {
        return None;
    }
    let (hours, minutes) = (hours.parse::<i32>().ok()?, minutes.parse::<i32>().ok().filter(|m| *m < 60)?);
    Some(sign * (hours * 60 + minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_read_as_clients_name_them() {
        for (text, shown, name) in [
            ("UTC", "UTC", "UTC"),
            ("utc", "UTC", "UTC"),
            ("Europe/Berlin", "Europe/Berlin", "Europe/Berlin"),
            ("america/new_york", "America/New_York", "America/New_York"),
            ("Etc/GMT+2", "Etc/GMT+2", "Etc/GMT+2"),
            ("2", "<+02>-02", "+02:00"),
            ("- 7", "<-07>+07", "-07:00"),
            ("5.5", "<+05:30>-05:30", "+05:30"),
            ("GMT+2", "<-02>+02", "-02:00"),
            ("GMT-05:30", "<+05:30>-05:30", "+05:30"),
            ("<+05:30>-05:30", "<+05:30>-05:30", "+05:30"),
            ("INTERVAL -03:00 HOUR TO MINUTE", "<-03>+03", "-03:00"),
        ] {
            let zone = Zone::read(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((zone.shown.as_str(), zone.name.as_str()), (shown, name), "{text}");
        }
        for none in
            ["", "+02:00", "Nowhere", "16", "1e300", "NaN", "0.001", "GMT+2:", "<", "<>", "<x>é", "INTERVAL", "'"]
        {
            assert!(Zone::read(none).is_none(), "{none}");
        }
    }
}

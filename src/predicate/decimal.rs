//! Numbers as written in SQL, compared exactly.

use std::cmp::Ordering;

/// Largest exponent that is written out.
const EXPONENT: i32 = 400;

/// A decimal number of any length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    /// Without leading zeros.
    whole: String,
    /// Without trailing zeros.
    fraction: String,
}

impl Decimal {
    /// Reads `12`, `-1.50`, `1e3`.
    pub fn read(text: &str) -> Option<Decimal> {
        let text = text.trim();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (digits, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !is_number(whole) || !is_number(fraction) || exponent.abs() > EXPONENT {
            return None;
        }
        let (mut whole, mut fraction) = (whole.to_owned(), fraction.to_owned());
        if exponent > 0 {
            let moved = fraction.len().min(exponent as usize);
            whole.push_str(&fraction[..moved]);
            whole.extend(std::iter::repeat_n('0', exponent as usize - moved));
            fraction.drain(..moved);
        } else if exponent < 0 {
            let wanted = exponent.unsigned_abs() as usize;
            let padded = format!("{}{whole}", "0".repeat(wanted.saturating_sub(whole.len())));
            let at = padded.len() - wanted;
            fraction.insert_str(0, &padded[at..]);
            whole = padded[..at].to_owned();
        }
        let whole = whole.trim_start_matches('0').to_owned();
        let fraction = fraction.trim_end_matches('0').to_owned();
        let zero = whole.is_empty() && fraction.is_empty();
        Some(Decimal { negative: negative && !zero, whole, fraction })
    }

    pub fn negated(mut self) -> Decimal {
        let zero = self.whole.is_empty() && self.fraction.is_empty();
        self.negative = !self.negative && !zero;
        self
    }

    pub fn is_integer(&self) -> bool {
        self.fraction.is_empty()
    }

    /// Whether at least `count` integers lie strictly between two numbers.
    pub fn integers_between(&self, above: &Decimal, count: usize) -> bool {
        let (Some(low), Some(high)) = (self.floor(), above.ceiling()) else { return false };
        high - low > count as i128
    }

    fn truncated(&self) -> Option<i128> {
        if self.whole.len() > 30 {
            return None;
        }
        let value: i128 = if self.whole.is_empty() { 0 } else { self.whole.parse().ok()? };
        Some(if self.negative { -value } else { value })
    }

    fn floor(&self) -> Option<i128> {
        let below = self.negative && !self.fraction.is_empty();
        Some(self.truncated()? - i128::from(below))
    }

    fn ceiling(&self) -> Option<i128> {
        let above = !self.negative && !self.fraction.is_empty();
        Some(self.truncated()? + i128::from(above))
    }

    fn magnitude(&self, other: &Decimal) -> Ordering {
        let whole = self.whole.len().cmp(&other.whole.len()).then_with(|| self.whole.cmp(&other.whole));
        whole.then_with(|| self.fraction.cmp(&other.fraction))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.magnitude(other),
            (true, true) => other.magnitude(self),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    #[test]
    fn numbers_compare_by_value() {
        let ordered = [
            "-10",
            "-2.5",
            "-2",
            "-0.1",
            "0",
            "0.05",
            "0.1",
            "1",
            "1.05",
            "2",
            "10",
            "1e3",
            "123456789012345678901234",
        ];
        for (at, one) in ordered.iter().enumerate() {
            for (other_at, other) in ordered.iter().enumerate() {
                let (one, other) = (Decimal::read(one).unwrap(), Decimal::read(other).unwrap());
                assert_eq!(one.cmp(&other), at.cmp(&other_at), "{one:?} {other:?}");
            }
        }
        for (one, other) in
            [("1", "1.00"), ("0", "-0"), ("1e-2", "0.01"), ("12.5e1", "125"), (".5", "0.50"), ("1e2", "100")]
        {
            assert_eq!(Decimal::read(one), Decimal::read(other));
        }
        for text in ["", ".", "a", "1a", "1e999999", "1.2.3", "NaN", "--1"] {
            assert_eq!(Decimal::read(text), None, "{text}");
        }
        let between = |low: &str, high: &str, count| {
            Decimal::read(low).unwrap().integers_between(&Decimal::read(high).unwrap(), count)
        };
        assert!(!between("1", "2", 1) && between("1", "3", 1) && !between("1", "3", 2) && between("0.5", "1.5", 1));
        assert!(between("-1.5", "-0.5", 1) && !between("-1", "0", 1) && between("-1", "1", 1));
    }
}

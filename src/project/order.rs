//! How runners compare versions.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::str::Chars;

/// Numbers by value, and what stands between them as text.
pub fn by_number(left: &str, right: &str) -> Ordering {
    natural(left, right, number)
}

/// As `by_number`, days and times of day as dates.
pub fn by_number_or_date(left: &str, right: &str) -> Ordering {
    natural(left, right, number_or_date)
}

/// Byte by byte.
pub fn by_text(left: &str, right: &str) -> Ordering {
    left.cmp(right)
}

/// Flyway: numbers between dots or underscores; parts that are absent are zero.
pub fn dotted(left: &str, right: &str) -> Ordering {
    let mut lefts = left.split(['.', '_']);
    let mut rights = right.split(['.', '_']);
    loop {
        let (left, right) = match (lefts.next(), rights.next()) {
            (None, None) => return Ordering::Equal,
            (left, right) => (left.unwrap_or("0"), right.unwrap_or("0")),
        };
        let order = number(left, right);
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Digits of any length by value.
fn number(left: &str, right: &str) -> Ordering {
    let left = left.trim_start_matches('0');
    let right = right.trim_start_matches('0');
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

/// `20250625` stands before `20250701093000`: a day and a time of day are no smaller and larger numbers.
fn number_or_date(left: &str, right: &str) -> Ordering {
    let is_date = |digits: &str| digits.len() >= 8 && (digits.starts_with("19") || digits.starts_with("20"));
    if is_date(left) && is_date(right) { left.cmp(right) } else { number(left, right) }
}

/// Natural order of paths: folder by folder, so that `a/z.sql` stands before `a1/b.sql`.
pub fn natural_paths(left: &str, right: &str) -> Ordering {
    // `a.sql` stands before `a-keys.sql`, which goes on from it.
    let mut lefts = left.strip_suffix(".sql").unwrap_or(left).split('/');
    let mut rights = right.strip_suffix(".sql").unwrap_or(right).split('/');
    loop {
        let order = match (lefts.next(), rights.next()) {
            (None, None) => return left.cmp(right),
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(left), Some(right)) => natural(left, right, number_or_date),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Runs of digits by value, the rest as text.
fn natural(left: &str, right: &str, number: fn(&str, &str) -> Ordering) -> Ordering {
    let mut left = left.chars().peekable();
    let mut right = right.chars().peekable();
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(first), Some(second)) if first.is_ascii_digit() && second.is_ascii_digit() => {
                number(&digits(&mut left), &digits(&mut right))
            }
            (Some(_), Some(_)) => left.next().cmp(&right.next()),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn digits(characters: &mut Peekable<Chars<'_>>) -> String {
    std::iter::from_fn(|| characters.next_if(char::is_ascii_digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_sort_naturally_and_totally() {
        let mut paths = [
            "V10__b-c.sql",
            "V10__b.sql",
            "V9__a.sql",
            "v1.14/a.sql",
            "v1.5/b.sql",
            "a/z.sql",
            "a1/b.sql",
            "01.sql",
            "1.sql",
        ];
        paths.sort_by(|left, right| natural_paths(left, right));
        let wanted = [
            "01.sql",
            "1.sql",
            "V9__a.sql",
            "V10__b.sql",
            "V10__b-c.sql",
            "a/z.sql",
            "a1/b.sql",
            "v1.5/b.sql",
            "v1.14/a.sql",
        ];
        assert_eq!(paths, wanted);
    }
}

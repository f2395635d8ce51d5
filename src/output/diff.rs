//! What changed between two short texts, line by line.

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Same,
    Gone,
    New,
}

/// Beyond so many pairs of lines all old lines go and all new ones come.
const PAIRS: usize = 4_000_000;

/// The longest common lines stay; the others go or come.
pub(super) fn diff<'a>(old: &'a str, new: &'a str) -> Vec<(Change, &'a str)> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let width = new.len() + 1;
    if old.len() * width > PAIRS {
        let gone = old.into_iter().map(|line| (Change::Gone, line));
        return gone.chain(new.into_iter().map(|line| (Change::New, line))).collect();
    }
    // How many lines the rests behind a pair of places have in common.
    let mut common = vec![0_u32; (old.len() + 1) * width];
    for (i, line) in old.iter().enumerate().rev() {
        for (j, other) in new.iter().enumerate().rev() {
            common[i * width + j] = if line == other {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut changes) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            changes.push((Change::Same, old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || i < old.len() && common[(i + 1) * width + j] >= common[i * width + j + 1] {
            changes.push((Change::Gone, old[i]));
            i += 1;
        } else {
            changes.push((Change::New, new[j]));
            j += 1;
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_go_and_come() {
        let told = |old, new| {
            let sign = |change| match change {
                Change::Same => ' ',
                Change::Gone => '-',
                Change::New => '+',
            };
            diff(old, new).into_iter().map(|(change, line)| format!("{}{line}", sign(change))).collect::<Vec<_>>()
        };
        assert_eq!(told("a\nb\nc", "a\nx\nc"), [" a", "-b", "+x", " c"]);
        assert_eq!(told("", "a"), ["+a"]);
        assert_eq!(told("a\nb", ""), ["-a", "-b"]);
    }
}

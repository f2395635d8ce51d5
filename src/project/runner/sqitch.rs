//! Sqitch: changes in the order of `sqitch.plan`, each with a script below `deploy` and one below `revert`.

use std::collections::{BTreeMap, BTreeSet};

use super::super::layout::{Layout, Search};
use super::super::order::by_text;
use super::super::place::{below, is_below};
use super::super::template::Style;
use super::super::walk::Found;
use super::{Context, Entries, Entry, ORDINARY, Shape, Tool};
use crate::history::{Framework, HardlyRan, TransactionUnit};

pub const TOOL: Tool = Tool {
    framework: Framework::Sqitch,
    detect,
    list,
    compare: by_text,
    shape: Shape::Whole,
    fits: |name| name.ends_with(".sql"),
    // Scripts run in psql and say BEGIN themselves.
    unit: TransactionUnit::Statement,
    one_per_version: false,
    manifests: &["sqitch.plan"],
    templates: Style::Psql,
    ..ORDINARY
};

/// What undoes and what checks a change lies in folders of its own: neither runs forward.
fn detect(search: &mut Search<'_>) {
    for top in search.folders_with("sqitch.plan") {
        let mut files = search.take_below(&below(&top, "deploy"));
        if files.is_empty() {
            continue;
        }
        files.extend(search.take_below(&below(&top, "revert")));
        search.take_below(&below(&top, "verify"));
        search.add(top, Framework::Sqitch, files);
    }
}

/// One line of a plan that deploys something.
struct Change<'a> {
    name: &'a str,
    /// Tags that stand after it and before it is reworked, as places among all tags; none: it is not reworked.
    tags: Option<std::ops::Range<usize>>,
    since: usize,
}

fn list(context: &mut Context<'_>) -> Entries {
    let mut found = Entries::default();
    let path = context.inside("sqitch.plan");
    let text = match context.manifest(&path) {
        Some(Ok(text)) => text,
        Some(Err(reason)) => {
            found.unread.push((path.clone(), reason));
            String::new()
        }
        None => String::new(),
    };
    let (changes, tags, undone) = plan(&text);
    let by_path: BTreeMap<&str, &Found> = context.layout.files.iter().map(|file| (file.path.as_str(), file)).collect();
    let script = |kind: &str, name: &str| by_path.get(context.inside(&format!("{kind}/{name}.sql")).as_str()).copied();
    let reworked = reworked(context, &tags);
    let mut taken = BTreeSet::new();
    let mut missing = Vec::new();
    for change in &changes {
        let between = change.tags.clone().unwrap_or_default();
        let tagged = reworked.range((change.name, between.start)..(change.name, between.end)).next();
        let tagged = tagged.map(|(name, tag)| format!("{name}@{}", tags[*tag]));
        let name = match (&change.tags, tagged) {
            (Some(_), Some(name)) => name,
            (Some(tags_between), None) => {
                let tag = tags.get(tags_between.start).copied().unwrap_or_default();
                format!("{}@{tag}", change.name)
            }
            (None, _) => change.name.to_owned(),
        };
        let Some(up) = script("deploy", &name) else {
            missing.push(name);
            continue;
        };
        taken.insert(up.path.clone());
        let down = script("revert", &name).cloned();
        found.has_down |= down.is_some();
        let entry = Entry::new(name.as_str(), name.as_str(), up, TransactionUnit::Statement);
        let hardly_ran = match tags.len() {
            // A change may be reworked once a tag holds it, and edited until then: so its manual says.
            0 => Some(HardlyRan::NoTagYet),
            count => (change.since == count).then_some(HardlyRan::BehindLastTag),
        };
        found.entries.push(Entry { down, hardly_ran, ..entry });
    }
    if let Some(first) = missing.first() {
        let reason = format!("{} scripts of its changes are missing, such as `deploy/{first}.sql`", missing.len());
        found.unread.push((path.clone(), reason));
    }
    found.remarks.extend(undone.map(|name| format!("{path}: `-{name}` reverts a change, which is not read")));
    unplanned(context, &taken, &mut found);
    found
}

/// Older scripts of reworked changes, `deploy/name@tag.sql`, by name and the tag's place in the plan.
fn reworked<'a>(context: &Context<'a>, tags: &[&str]) -> BTreeSet<(&'a str, usize)> {
    let places: BTreeMap<&str, usize> = tags.iter().enumerate().map(|(at, tag)| (*tag, at)).collect();
    let layout: &'a Layout = context.layout;
    let deploy = format!("{}/", context.inside("deploy"));
    let scripts = layout.files.iter().filter_map(|file| {
        let stem = file.path.strip_prefix(deploy.as_str())?.strip_suffix(".sql")?;
        let (name, tag) = stem.rsplit_once('@')?;
        Some((name, *places.get(tag)?))
    });
    scripts.collect()
}

/// Scripts that the plan does not name never run; without a plan that can be read, they are all there is.
fn unplanned(context: &Context<'_>, taken: &BTreeSet<String>, found: &mut Entries) {
    let deploy = context.inside("deploy");
    let scripts = context.layout.files.iter().filter(|file| is_below(&file.path, &deploy));
    let rest: Vec<&Found> = scripts.filter(|file| !taken.contains(&file.path)).collect();
    let Some(first) = rest.first() else { return };
    if !taken.is_empty() {
        let (count, first) = (rest.len(), &first.path);
        found
            .remarks
            .push(format!("{}: sqitch.plan does not name {count} scripts, such as `{first}`", context.inside("")));
        return;
    }
    found.has_gaps = true;
    found.remarks.push(format!("{}: read by name, for want of a plan that can be read", context.inside("sqitch.plan")));
    for file in rest {
        let name = file.name().trim_end_matches(".sql");
        found.entries.push(Entry::new(name, name, file, TransactionUnit::Statement));
    }
}

/// The changes and tags of a plan, in its order, and a change that it reverts.
fn plan(text: &str) -> (Vec<Change<'_>>, Vec<&str>, Option<&str>) {
    let (mut changes, mut tags, mut undone): (Vec<Change<'_>>, Vec<&str>, Option<&str>) =
        (Vec::new(), Vec::new(), None);
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let Some(word) = line.split_whitespace().next().filter(|word| !word.starts_with('%')) else { continue };
        if let Some(tag) = word.strip_prefix('@') {
            tags.push(tag);
            continue;
        }
        if let Some(name) = word.strip_prefix('-') {
            undone = undone.or(Some(name));
            continue;
        }
        let name = word.trim_start_matches('+').split('[').next().unwrap_or_default();
        if name.is_empty() {
            continue;
        }
        if let Some(before) = last.insert(name, changes.len()) {
            changes[before].tags = Some(changes[before].since..tags.len());
        }
        changes.push(Change { name, tags: None, since: tags.len() });
    }
    (changes, tags, undone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_tell_what_is_reworked() {
        let text = "%syntax-version=1.0.0\r\n%project=a\r\n\r\na 2024-01-01T00:00:00Z b <c@d> # note\r\n+b [a]\n@v1\n@v2 x\n\
                    # c\na [a@v1] 2024\n-d\n";
        let (changes, tags, undone) = plan(text);
        let found: Vec<_> = changes.iter().map(|change| (change.name, change.tags.clone())).collect();
        assert_eq!(found, [("a", Some(0..2)), ("b", None), ("a", None)]);
        assert_eq!((tags, undone), (vec!["v1", "v2"], Some("d")));
    }
}

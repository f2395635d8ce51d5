//! Temporal: a folder per version, whose `manifest.json` names its files in order.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::super::layout::Search;
use super::super::order::dotted;
use super::super::place::{below, file_name, folder};
use super::super::walk::Found;
use super::{Context, Entries, Entry, ORDINARY, Shape, Tool, passed_over};
use crate::history::{Framework, TransactionUnit};

pub const TOOL: Tool = Tool {
    framework: Framework::Temporal,
    detect,
    list,
    compare: |left, right| dotted(left.trim_start_matches('v'), right.trim_start_matches('v')),
    shape: Shape::Whole,
    fits: |name| name.ends_with(".sql"),
    unit: TransactionUnit::Statement,
    one_per_version: false,
    ..ORDINARY
};

const MANIFEST: &str = "manifest.json";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Manifest {
    schema_update_cql_files: Vec<String>,
}

/// `versioned/v1.0/manifest.json`, several beside each other.
fn detect(search: &mut Search<'_>) {
    let mut roots: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in search.folders_with(MANIFEST) {
        if super::super::names::is_version_folder(file_name(&path)) && !search.files(&path).is_empty() {
            roots.entry(folder(&path).to_owned()).or_default().push(path);
        }
    }
    for (root, inside) in roots {
        let files = inside.iter().flat_map(|path| search.take(path)).collect();
        search.add(root, Framework::Temporal, files);
    }
}

fn list(context: &mut Context<'_>) -> Entries {
    let layout = context.layout;
    let mut found = Entries::default();
    let by_path: BTreeMap<&str, &Found> = layout.files.iter().map(|file| (file.path.as_str(), file)).collect();
    let mut folders: Vec<&str> = layout.files.iter().map(Found::folder).collect::<BTreeSet<_>>().into_iter().collect();
    folders.sort_by(|left, right| (TOOL.compare)(file_name(left), file_name(right)).then_with(|| left.cmp(right)));
    let mut taken = BTreeSet::new();
    for version in folders {
        let path = below(version, MANIFEST);
        let manifest = context.manifest(&path).unwrap_or_else(|| Err("it is not there".to_owned()));
        let named = match manifest.and_then(|text| read(&text)) {
            Ok(named) => named,
            Err(reason) => {
                found.unread.push((path, reason));
                continue;
            }
        };
        for name in named {
            let Some(file) = by_path.get(below(version, &name).as_str()) else {
                found.unread.push((path.clone(), format!("it names `{name}`, which is not there")));
                break;
            };
            taken.insert(file.path.clone());
            let title = name.trim_end_matches(".sql");
            let own = file_name(version).trim_start_matches('v');
            found.entries.push(Entry::new(own, title, file, TransactionUnit::Statement));
        }
    }
    let ignored = layout.files.iter().map(|file| file.path.clone()).filter(|path| !taken.contains(path)).collect();
    found.remarks.extend(passed_over(layout, &ignored));
    found
}

fn read(text: &str) -> Result<Vec<String>, String> {
    let manifest: Manifest = serde_json::from_str(text).map_err(|error| format!("it is no manifest: {error}"))?;
    Ok(manifest.schema_update_cql_files)
}

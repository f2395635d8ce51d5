//! The models as the base has them: its code is what runs while a judged migration does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Draft, Found};
use crate::error::Error;
use crate::history::{Application, Ignored, Model};
use crate::project::git::Git;
use crate::project::text;
use crate::rails::active_record::Inflections;
use crate::read::ruby;
use crate::source::Sources;

/// What the files of the base say.
pub struct Shipped {
    commit: String,
    /// Texts with a model that matters.
    texts: Vec<(String, String, Vec<Draft>)>,
    /// Columns that modules ignore for whoever includes them.
    shared: Vec<Arc<str>>,
    /// Files whose text at the base is not here.
    unread: BTreeSet<String>,
}

/// Reads the files that matter now, and those that may have mattered and that the change edited or took away.
pub fn read(
    git: &Git<'_>,
    commit: &str,
    mut paths: BTreeSet<String>,
    may_matter: &dyn Fn(&str) -> bool,
    (words, inflections): (&BTreeSet<String>, &Inflections),
) -> Result<Shipped, Error> {
    let mut blobs: BTreeMap<String, String> = BTreeMap::new();
    let head = git.head().filter(|head| head.commit != commit);
    let changed = head.map(|head| git.changed(commit, &head.commit)).transpose()?;
    for changed in changed.into_iter().flatten() {
        if let Some(before) = changed.before.filter(|_| may_matter(&changed.path)) {
            paths.remove(&changed.path);
            blobs.insert(changed.path, before);
        }
    }
    if !paths.is_empty() {
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        blobs.append(&mut git.files_at(commit, &paths)?);
    }
    let contents = git.contents(&blobs.values().map(String::as_str).collect::<Vec<_>>())?;
    let mut shipped = Shipped {
        commit: commit.get(..12).unwrap_or(commit).to_owned(),
        texts: Vec::new(),
        shared: Vec::new(),
        unread: BTreeSet::new(),
    };
    for (path, bytes) in blobs.into_keys().zip(contents) {
        let Some(text) = bytes.and_then(|bytes| text::decode(bytes).ok()) else {
            shipped.unread.insert(path);
            continue;
        };
        let mut own = Sources::default();
        let id = own.add(path.as_str(), text.text.as_str());
        let Found { models, shared } = Found::of(&ruby::read(&own.piece(id)), inflections);
        shipped.shared.extend(shared);
        let models: Vec<Draft> = models.into_iter().filter(|model| model.matters(words)).collect();
        if !models.is_empty() {
            shipped.texts.push((path, text.text, models));
        }
    }
    Ok(shipped)
}

impl Shipped {
    /// Has the models say what the base's code does; what only the change ignores is told apart.
    pub fn put_into(self, application: &mut Application, sources: &mut Sources) {
        application.ignored_by_all.extend(self.shared);
        let drafts = self.texts.iter().flat_map(|(_, _, models)| models);
        application.models.retain_mut(|model| {
            let was: Vec<&Draft> = drafts.clone().filter(|one| one.class == *model.class).collect();
            if was.is_empty() {
                // A class that comes with the change is no code that runs yet.
                return self.unread.contains(sources.path(model.span.source));
            }
            as_it_was(model, &was);
            true
        });
        let known: BTreeSet<String> = application.models.iter().map(|model| model.class.to_string()).collect();
        for (path, text, models) in &self.texts {
            let gone: Vec<&Draft> = models.iter().filter(|model| !known.contains(&model.class)).collect();
            if gone.is_empty() {
                continue;
            }
            let source = sources.add(format!("{path}@{}", self.commit), text.as_str());
            let piece = sources.piece(source);
            for model in gone {
                let mut model = model.at(&piece);
                model.ignored.iter_mut().for_each(|ignored| ignored.shipped = Some(true));
                application.models.push(model);
            }
        }
    }
}

fn as_it_was(model: &mut Model, was: &[&Draft]) {
    let had = |column: &str| was.iter().flat_map(|one| &one.ignored).any(|(name, _)| **name == *column);
    let had_more = was.iter().any(|one| one.ignores_more);
    for ignored in &mut model.ignored {
        let had = had(&ignored.column);
        ignored.shipped = (had || !had_more).then_some(had);
    }
    for (column, _) in was.iter().flat_map(|one| &one.ignored) {
        if model.ignored.iter().all(|one| one.column != *column) {
            // Its line is gone with the column.
            model.ignored.push(Ignored { column: column.clone(), span: model.span, shipped: Some(true) });
        }
    }
    model.ignores_more = had_more;
    model.tables.clone_from(&was[0].tables);
}

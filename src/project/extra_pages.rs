//! The pages of rules that a project brings along (`extra-rules`).

use super::git::Git;
use super::place::{Place, file_name};
use super::text;
use crate::error::Error;
use crate::rules::Rule;
use crate::settings::{ExtraPage, Flags};

/// The pages of `extra-rules`: from the revision that the settings come from, else from the work tree.
pub fn extra_pages(place: &Place, flags: &Flags, folders: &[String]) -> Result<Vec<ExtraPage>, Error> {
    let mut pages: Vec<ExtraPage> = Vec::new();
    for folder in folders {
        let found = match &flags.config_from {
            Some(revision) => pages_at(place, revision, folder)?,
            None => pages_in(place, folder)?,
        };
        for (path, text) in found {
            let id = file_name(&path).trim_end_matches(".md").to_owned();
            let fault = match pages.iter().any(|page| page.id == id) {
                true => Some(format!("`{id}` is there twice")),
                false => Rule::of_page(&id, &text).err(),
            };
            if let Some(reason) = fault {
                return Err(Error::Io { path, reason });
            }
            pages.push(ExtraPage { id, text });
        }
    }
    Ok(pages)
}

fn is_page(name: &str) -> bool {
    name.ends_with(".md") && !name.eq_ignore_ascii_case("readme.md")
}

fn pages_in(place: &Place, folder: &str) -> Result<Vec<(String, String)>, Error> {
    let path = place.root.join(folder);
    let unreadable = |fault: std::io::Error| Error::Io { path: folder.to_owned(), reason: fault.to_string() };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&path).map_err(unreadable)? {
        names.extend(entry.map_err(unreadable)?.file_name().into_string().ok().filter(|name| is_page(name)));
    }
    names.sort();
    let read = |name: String| {
        let shown = format!("{folder}/{name}");
        let text = text::read(&path.join(&name)).map_err(|reason| Error::Io { path: shown.clone(), reason })?;
        Ok((shown, text.text))
    };
    names.into_iter().map(read).collect()
}

fn pages_at(place: &Place, revision: &str, folder: &str) -> Result<Vec<(String, String)>, Error> {
    let git = Git::at(&place.root);
    let files = git.files(&git.known(revision)?)?;
    let pages = files.iter().filter(|(path, _)| super::place::folder(path) == folder && is_page(file_name(path)));
    let (paths, blobs): (Vec<&String>, Vec<&str>) = pages.map(|(path, blob)| (path, blob.as_str())).unzip();
    let texts = git.contents(&blobs)?;
    let read = |(path, bytes): (&String, Option<Vec<u8>>)| {
        let bytes = bytes.ok_or_else(|| Error::Io { path: path.clone(), reason: format!("not in {revision}") })?;
        let text = text::decode(bytes).map_err(|reason| Error::Io { path: path.clone(), reason })?;
        Ok((path.clone(), text.text))
    };
    paths.into_iter().zip(texts).map(read).collect()
}
